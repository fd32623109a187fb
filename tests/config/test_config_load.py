"""Loading: includes, variables, `for_each`, defaults, and what becomes of them in `Desired`."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from provisioner.address import Address
from provisioner.config.build import STORES
from provisioner.config.load import load
from provisioner.errors import Diagnostic, Invalid
from provisioner.journal.stores.opening import supported
from provisioner.model.desired import Desired, ImportBlock, Moved, Removed, SecretRef

EZ = '[providers.ez]\ntype = "eztexting"\nbase_url = "sandbox"\n'
CX = '[providers.cx]\ntype = "smscx"\nbase_url = "sandbox"\n'
IDP = '[providers.idp]\ntype = "oauth2"\nissuer = "https://id.example.com/"\n'


def write(folder: Path, **files: str) -> Path:
    """Writes `main` and other files (`__` in a name is a folder); returns the main file's path."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.toml"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text, encoding="utf-8")
    return folder / "main.toml"


def loaded(folder: Path, overrides: Any = None, environ: Any = None, var_files: Any = (), **files: str) -> Desired:
    return load(write(folder, **files), overrides=overrides or {}, environ=environ or {}, var_files=var_files)


def refused(folder: Path, **files: Any) -> tuple[Diagnostic, ...]:
    with pytest.raises(Invalid) as caught:
        loaded(folder, **files)
    return caught.value.diagnostics


def test_an_empty_file_is_an_empty_stack_named_for_its_stem(tmp_path: Path) -> None:
    """Nothing declared is no fault; the state lies beside the file, under the stack's name."""
    desired = loaded(tmp_path, main="")
    assert desired.stack == "main"
    assert desired.state_location == str(tmp_path / "state" / "main")
    assert desired.directory == str(tmp_path)
    assert desired.encryption.identity == SecretRef("env", "PROVISIONER_IDENTITY")


def test_the_example_of_the_reference_loads(tmp_path: Path) -> None:
    """The file that docs/desired-state.md begins with is valid, and means what it says."""
    page = (Path(__file__).parents[2] / "docs" / "desired-state.md").read_text(encoding="utf-8")
    desired = loaded(tmp_path, main=page.split("```toml\n", 1)[1].split("```", 1)[0])
    assert desired.run_interval == timedelta(hours=1)
    names = [str(one.address) for one in desired.applications]
    assert names == [
        "application.campaigns",
        "application.translations",
        'application.worker["eu"]',
        'application.worker["us"]',
    ]
    campaigns = desired.applications[0]
    assert campaigns.scopes == ("groups", "sms")
    assert campaigns.policy.name == "daily"
    assert campaigns.consumers == ("web", "worker")
    assert [one.name for one in desired.applications[2:]] == ["worker-eu", "worker-us"]
    assert desired.credits[0].unit_price == Decimal("0.02")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A missing main file is the file's own problem, and exit 4."""
    with pytest.raises(Invalid) as caught:
        load(tmp_path / "none.toml", overrides={}, environ={})
    assert [one.name for one in caught.value.diagnostics] == ["no-such-file"]
    assert "provisioner init" in caught.value.diagnostics[0].detail


def test_included_tables_merge_and_nest(tmp_path: Path) -> None:
    """Globs are relative to the file that holds them, and one table may be spread over two files."""
    desired = loaded(
        tmp_path,
        main='[stack]\ninclude = ["apps/*.toml"]\n' + EZ,
        apps__a='[stack]\ninclude = ["more/*.toml"]\n[applications.a]\nprovider = "ez"\n',
        apps__b='[applications.b]\nprovider = "ez"\n',
        apps__more__a='[applications.a]\nconsumers = ["web"]\n',
    )
    assert [(a.address.name, a.consumers) for a in desired.applications] == [("a", ("web",)), ("b", ())]
    assert desired.applications[1].file == str(tmp_path / "apps" / "b.toml")
    assert desired.applications[1].line == 1


def test_blocks_of_several_files_follow_one_another(tmp_path: Path) -> None:
    """[[moved]] and its like are lists, and lists of several files are one list."""
    desired = loaded(
        tmp_path,
        main='[stack]\ninclude = ["b.toml"]\n[[removed]]\nfrom = "application.x"\n',
        b='[[removed]]\nfrom = "application.y"\n',
    )
    assert [one.origin.name for one in desired.removed] == ["x", "y"]


def test_a_key_given_twice_names_both_files(tmp_path: Path) -> None:
    """The second is the one to be looked at; the first is named with its line."""
    (found,) = refused(
        tmp_path,
        main='[stack]\ninclude = ["b.toml"]\n' + EZ + '[applications.a]\nprovider = "ez"\n',
        b='\n[applications.a]\nprovider = "ez"\n',
    )
    assert (found.name, found.file, found.line) == ("duplicate", str(tmp_path / "b.toml"), 3)
    assert f"{tmp_path / 'main.toml'} line 7" in found.summary


def test_half_a_reference_in_each_file_is_no_reference(tmp_path: Path) -> None:
    """A reference is one value: two files that give it clash, and are not mixed."""
    (found,) = refused(
        tmp_path,
        main='[stack]\ninclude = ["b.toml"]\n' + EZ + 'password = { env = "A" }\n',
        b='[providers.ez]\npassword = { file = "b" }\n',
    )
    assert (found.name, found.key_path) == ("duplicate", "providers.ez.password")


def test_includes_in_a_circle_are_refused_and_a_glob_may_match_its_own_file(tmp_path: Path) -> None:
    """Only a real circle is one."""
    (found,) = refused(
        tmp_path, main='[stack]\ninclude = ["b.toml"]\n', b='[stack]\ninclude = ["main.toml"]\n[variables]\n'
    )
    assert (found.name, found.file) == ("include-failed", str(tmp_path / "b.toml"))
    assert loaded(tmp_path / "own", main='[stack]\ninclude = ["*.toml"]\n').stack == "main"


def test_a_file_reached_twice_counts_once(tmp_path: Path) -> None:
    """Two globs over the same file declare nothing twice."""
    desired = loaded(tmp_path, main='[stack]\ninclude = ["b*.toml", "b.toml"]\n', b='[variables]\nx = "1"\n')
    assert desired.variables == {"x": "1"}


def test_a_broken_file_hides_no_problem_of_another_and_blames_none_for_what_it_declares(tmp_path: Path) -> None:
    """What the broken file may declare is not called unknown; everything else is reported with it."""
    found = refused(
        tmp_path,
        main='[stack]\ninclude = ["b.toml", "c.toml"]\n[applications.a]\nprovider = "in_b"\ncolour = "red"\n',
        b="[providers.in_b\n",
        c='[token_policies.x]\noverlap = "long ${var.in_b}"\n[safety]\nmax_destroy = -1\n',
    )
    assert [(one.name, one.key_path) for one in found] == [
        ("unknown-key", "applications.a.colour"),
        ("toml-syntax", None),
        ("bad-value", "safety.max_destroy"),
    ]


def test_variables_come_from_flags_then_files_then_the_environment_then_the_file(tmp_path: Path) -> None:
    """The four sources of a variable, weakest last."""
    main = '[variables]\na = "4"\nb = "4"\nc = "4"\nd = "4"\n[stack]\nname = "${var.a}${var.b}${var.c}${var.d}"\n'
    vars_file = tmp_path / "x.vars"
    vars_file.write_text('a = "2"\nb = "2"\n')
    environ = {"PROVISIONER_VAR_a": "3", "PROVISIONER_VAR_b": "3", "PROVISIONER_VAR_c": "3", "PROVISIONER_VAR_z": "3"}
    desired = loaded(tmp_path, overrides={"a": "1"}, environ=environ, var_files=[vars_file], main=main)
    assert desired.stack == "1234"
    assert desired.variables == {"a": "1", "b": "2", "c": "3", "d": "4"}


def test_setting_a_variable_that_is_not_declared_is_refused(tmp_path: Path) -> None:
    """A mistyped --var or line of a --var-file would otherwise change nothing, silently."""
    vars_file = tmp_path / "x.vars"
    vars_file.write_text('regoin = "us"\n')
    found = refused(tmp_path, overrides={"reg": "x"}, var_files=[vars_file], main='[variables]\nregion = "eu"\n')
    assert {(one.name, one.file) for one in found} == {
        ("unknown-reference", str(tmp_path / "main.toml")),
        ("unknown-reference", str(vars_file)),
    }
    assert all("region" in one.detail for one in found)


def test_a_variables_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """--var-file names a file that must be read."""
    (found,) = refused(tmp_path, var_files=[tmp_path / "none.vars"], main="")
    assert (found.name, found.file) == ("no-such-file", str(tmp_path / "none.vars"))


def test_what_a_variable_holds_is_not_expanded_again_and_a_dollar_can_be_escaped(tmp_path: Path) -> None:
    """`$${` stands for `${`, and a value from outside stays as it is."""
    desired = loaded(
        tmp_path,
        overrides={"a": "${var.b}"},
        main='[variables]\na = ""\nb = "x"\n' + EZ + '[applications.a]\nprovider = "ez"\nname = "${var.a} $${var.b}"\n',
    )
    assert desired.applications[0].name == "${var.b} ${var.b}"


def test_variables_reach_includes_references_and_each_other(tmp_path: Path) -> None:
    """Any string means any: an include pattern, the name of an environment variable, another variable's default."""
    desired = loaded(
        tmp_path,
        overrides={"stage": "prod"},
        main='[variables]\nstage = "dev"\nprefix = "EZ_${var.stage}"\n[stack]\ninclude = ["${var.stage}.toml"]\n',
        prod='[providers.ez]\ntype = "eztexting"\nusername = { env = "${var.prefix}_U" }\npassword = { file = "p" }\n',
    )
    assert desired.providers["ez"].settings["username"] == SecretRef("env", "EZ_prod_U")


def test_a_variable_is_no_way_to_write_a_secret_down(tmp_path: Path) -> None:
    """A literal stays a literal when it comes by a variable, and is not repeated."""
    (found,) = refused(
        tmp_path, main='[variables]\np = "hunter2"\n' + EZ + 'username = { env = "U" }\npassword = "${var.p}"\n'
    )
    assert found.name == "literal-secret"
    assert "hunter2" not in repr(found)


def test_for_each_over_a_table_gives_key_value_and_fields(tmp_path: Path) -> None:
    """A table's values are strings, or tables of strings."""
    desired = loaded(
        tmp_path,
        main=EZ
        + '[applications.a]\nprovider = "ez"\nname = "${each.key}-${each.value}"\nfor_each = { eu = "1", us = "2" }\n'
        + '[applications.b]\nprovider = "${each.value.provider}"\nfor_each.x = { provider = "ez" }\n',
    )
    assert [(str(one.address), one.name, one.provider) for one in desired.applications] == [
        ('application.a["eu"]', "eu-1", "ez"),
        ('application.a["us"]', "us-2", "ez"),
        ('application.b["x"]', "b", "ez"),
    ]


def test_an_empty_for_each_declares_nothing(tmp_path: Path) -> None:
    """As in Terraform."""
    assert loaded(tmp_path, main=EZ + '[applications.a]\nprovider = "ez"\nfor_each = []\n').applications == ()


def test_the_policy_called_default_is_the_default(tmp_path: Path) -> None:
    """An application that names no policy has that one, where it is declared."""
    main = EZ + '[applications.a]\nprovider = "ez"\n'
    assert loaded(tmp_path, main=main).applications[0].policy.name == "built-in"
    main += '[token_policies.default]\noverlap = "10m"\n'
    assert loaded(tmp_path, main=main).applications[0].policy.overlap == timedelta(minutes=10)


def test_the_sandbox_needs_no_account_and_others_default_to_the_vendors_own_server(tmp_path: Path) -> None:
    """A default base_url has no trailing slash; an issuer keeps its own, which is compared to the letter (RFC 8414)."""
    desired = loaded(tmp_path, main=EZ + IDP + '[providers.tm]\ntype = "textmaster"\nbase_url = "http://[::1]:1/x/"\n')
    assert desired.providers["ez"].base_url == "sandbox"
    assert desired.providers["tm"].base_url == "http://[::1]:1/x"
    assert desired.providers["idp"].settings["issuer"] == "https://id.example.com/"


def test_oauth2_applications_have_a_grant_and_others_none(tmp_path: Path) -> None:
    """client_credentials, or authorization_code with a redirect_uri."""
    application = '[applications.{0}]\nprovider = "idp"\nclient_id = "c"\nclient_secret = {{ env = "S" }}\n'
    main = IDP + application.format("a") + application.format("b") + 'redirect_uri = "http://127.0.0.1:1/cb"\n'
    main += EZ + '[applications.c]\nprovider = "ez"\n'
    grants = [one.grant for one in loaded(tmp_path, main=main).applications]
    assert grants == ["client_credentials", "authorization_code", None]


@pytest.mark.parametrize(
    ("written", "exact"), [("12.50", "12.50"), ('"0.1"', "0.1"), ("5", "5"), ("1e2", "100"), ("1_000.5", "1000.5")]
)
def test_amounts_are_exact(tmp_path: Path, written: str, exact: str) -> None:
    """A float is taken by its text and never passes through binary."""
    desired = loaded(tmp_path, main=CX + f'[credits.f]\nprovider = "cx"\nminimum = {written}\n')
    assert desired.credits[0].minimum == desired.credits[0].target == Decimal(exact)


def test_a_number_in_a_string_stays_a_string(tmp_path: Path) -> None:
    """`00042` is a client id, not forty-two."""
    main = '[providers.tm]\ntype = "textmaster"\n[applications.a]\nprovider = "tm"\nscopes = ["user:read"]\n'
    main += 'client_id = "00042"\nclient_secret = { env = "S" }\nredirect_uri = "urn:ietf:wg:oauth:2.0:oob"\n'
    assert loaded(tmp_path, main=main).applications[0].client_id == "00042"


def test_refactoring_blocks_become_addresses_and_a_chain_of_moves_its_end(tmp_path: Path) -> None:
    """A stack that skipped a version of the file still finds its application."""
    main = CX + '[applications.c]\nprovider = "cx"\nscopes = ["sms"]\n'
    main += '[[moved]]\nfrom = "application.a"\nto = "application.b"\n'
    main += '[[moved]]\nfrom = "application.b"\nto = "application.c"\n'
    main += '[[import]]\nto = "application.c"\nid = "42"\n[[removed]]\nfrom = "application.gone"\n'
    desired = loaded(tmp_path, main=main)
    a, b, c = (Address("application", name) for name in "abc")
    assert desired.moved == (Moved(a, c), Moved(b, c))
    assert desired.imports == (ImportBlock(c, "42"),)
    assert desired.removed == (Removed(Address("application", "gone")),)


def test_an_application_may_move_into_its_own_for_each(tmp_path: Path) -> None:
    """The address without a key is free once the table has a for_each."""
    main = EZ + '[applications.a]\nprovider = "ez"\nfor_each = ["eu"]\n'
    main += '[[moved]]\nfrom = "application.a"\nto = \'application.a["eu"]\'\n'
    assert loaded(tmp_path, main=main).moved[0].to == Address("application", "a", ("eu",))


def test_where_the_state_lies_may_be_a_folder_or_a_url(tmp_path: Path) -> None:
    """Folders are relative to the file; URLs stay as they are."""
    url = "postgresql://db.example.com/provisioner"
    assert loaded(tmp_path, main=f'[state]\nlocation = "{url}"\n').state_location == url
    assert loaded(tmp_path, main='[state]\nlocation = "../s"\n').state_location == str(tmp_path / ".." / "s")
    desired = loaded(tmp_path, main='[state]\nlocation = "https://x.example/s"\npassword = { env = "P" }\n')
    assert desired.state_settings == {"password": SecretRef("env", "P")}


def test_the_kinds_of_store_that_a_location_may_name_are_those_that_there_are() -> None:
    """What `validate` lets pass is what the journal has a store for; a plain folder needs no scheme."""
    kinds = {kind.removesuffix(":") for kind in supported() if kind.endswith(":")}
    assert set(STORES) == kinds | {"file"}
