"""Refactoring by the command line against the sandbox: what moves, is imported, forgotten, left out, guarded,
destroyed."""

from __future__ import annotations

import json
from typing import Any

from cli_world import CX, EZ, FLOOR, IDP, TM, World, lines

CLEAN = "No changes. Your infrastructure matches the configuration."
WORKER = IDP[IDP.index("[applications.worker]") :]
SERVER = IDP.replace(WORKER, "")
SENDER = "5a4db0c5c11e47a1d6f0b9e3c27485a1600d9e2f"


def stack(world: World, *parts: str, **values: Any) -> None:
    world.write("[stack]\nname = 'r'\n", *parts, **values)


def changes(world: World, *words: str, code: int = 0) -> dict[str, tuple[str, ...]]:
    """Address (a deposed object's with its key) → actions, of what a plan would change."""
    found = {}
    world.ok("plan", "--out", "look.plan", *words, code=code)
    for change in json.loads(world.ok("show", "--json", "look.plan"))["resource_changes"]:
        if change["change"]["actions"] != ["no-op"] or "importing" in change["change"] or "previous_address" in change:
            key = f"#{change['deposed']}" if "deposed" in change else ""
            found[change["address"] + key] = tuple(change["change"]["actions"])
    return found


def addresses(world: World) -> list[str]:
    return world.ok("state", "list").splitlines()


def living(world: World, vendor: str) -> int:
    return len([token for token in world.ledger()["live_tokens"] if token["vendor"] == vendor])


# -- moved ---------------------------------------------------------------------------------------------------------


def test_an_application_moves_with_its_tokens_at_every_vendor(world: World) -> None:
    """Registered, found, without applications, and a floor: nothing is made, revoked or sent, and no key is needed."""
    one = '[applications.old]\nprovider = "idp"\nname = "worker"\n'
    stack(world, EZ, FLOOR, CX, SERVER, one, minimum=10)
    world.ok("apply", "--auto-approve")
    before = {r["values"].get("fingerprint") for r in world.state()["values"]["root_module"]["resources"]}
    sent = len(world.ledger()["entries"])
    blocks = "".join(
        f"[[moved]]\nfrom = '{origin}'\nto = '{to}'\n"
        for origin, to in (
            ("application.texts", "application.sms"),
            ("application.campaigns", "application.sender"),
            ("application.old", 'application.worker["eu"]'),
            ("credits.ez", "credits.texts"),
        )
    )
    renamed = EZ.replace("applications.texts", "applications.sms"), FLOOR.replace("credits.ez", "credits.texts")
    worker = '[applications.worker]\nprovider = "idp"\nname = "worker"\nfor_each = ["eu"]\n'
    stack(
        world, *renamed, CX.replace("applications.campaigns", "applications.sender"), SERVER, worker, blocks, minimum=10
    )
    assert "No drift." in world.ok("drift", "--detailed-exitcode")
    out = world.ok("plan")
    assert "  # application.campaigns has moved to application.sender\n" in out
    assert '  # token.old has moved to token.worker["eu"]\n' in out
    assert "Plan: 0 to add, 0 to change, 0 to destroy." in out
    world.ok("apply", "--auto-approve", env={"HOME": str(world.home / "no-key-here")})
    assert addresses(world) == [
        "application.sender", 'application.worker["eu"]', 'token.sender["web"]', 'token.sender["worker"]', "token.sms",
        'token.worker["eu"]', "credits.texts",
    ]  # fmt: skip
    assert {r["values"].get("fingerprint") for r in world.state()["values"]["root_module"]["resources"]} == before
    assert world.ledger()["entries"][sent:] == []
    assert CLEAN in world.ok("plan")
    stack(world, *renamed, CX.replace("applications.campaigns", "applications.sender"), SERVER, worker, minimum=10)
    assert CLEAN in world.ok("plan")


def test_a_move_onto_what_is_there_is_refused(world: World) -> None:
    """One of the two would have to go without anybody having said so: 4, naming both."""
    stack(world, SERVER, '[applications.a]\nprovider = "idp"\n[applications.b]\nprovider = "idp"\n')
    world.ok("apply", "--auto-approve")
    stack(
        world, SERVER, '[applications.b]\nprovider = "idp"\n[[moved]]\nfrom = "application.a"\nto = "application.b"\n'
    )
    ended = world.run("plan")
    assert (ended.returncode, "E0111" in ended.stderr, "application.b" in ended.stderr) == (4, True, True)


def test_a_for_each_given_to_an_application_moves_it_once(world: World) -> None:
    """The block may stay in the file: the second plan has no changes, and nothing more is ever sent for it."""
    one = '[applications.worker]\nprovider = "idp"\nname = "worker"\nconsumers = ["web"]\n'
    stack(world, SERVER, one)
    world.ok("apply", "--auto-approve")
    kept = world.values('token.worker["web"]')["fingerprint"]
    many = one.replace('"worker"', '"worker-${{each.key}}"') + 'for_each = ["eu", "us"]\n'
    block = "[[moved]]\nfrom = 'application.worker'\nto = 'application.worker[\"eu\"]'\n"
    stack(world, SERVER, many, block)
    world.ok("apply", "--auto-approve")
    there = [f'{kind}.worker["{key}"]' for kind in ("application", "token") for key in ("eu", "us")]
    assert addresses(world) == [*there[:2], *(f'{token}["web"]' for token in there[2:])]
    assert world.values('token.worker["eu"]["web"]')["fingerprint"] == kept
    assert CLEAN in world.ok("plan")
    assert json.loads(world.ok("audit", "--json"))["findings"] == []


# -- import --------------------------------------------------------------------------------------------------------


def test_toml_is_generated_for_what_exists_and_imported_by_it(world: World) -> None:
    """A block that names an id and no declaration: the file that is written declares it, and the next plan imports
    it."""
    panel = CX[: CX.index("[applications")]
    block = f'[[import]]\nto = "application.sender"\nid = "{SENDER}"\n'
    stack(world, panel, block)
    assert world.run("plan").returncode == 4
    world.ok("plan", "--generate-config-out", "generated.toml")
    assert world.run("plan", "--generate-config-out", "generated.toml").returncode == 4
    world.write("[stack]\nname = 'r'\ninclude = ['generated.toml']\n", panel, block)
    world.ok("validate")
    world.ok("fmt", "--check", "generated.toml")
    found = changes(world)
    assert found["application.sender"] == ("no-op",)
    assert found["token.sender"] == ("create",)
    assert "will be imported" in world.ok("plan")
    world.ok("apply", "--auto-approve")
    assert world.values("application.sender")["managed"] == "adopted"
    assert world.values("application.sender")["client_id"] == SENDER
    assert CLEAN in world.ok("plan")


def test_import_takes_over_one_address_and_no_other(world: World) -> None:
    """By the command: only it is recorded; another id, an address of nothing and a second time are refused (4)."""
    stack(world, CX, EZ)
    assert world.run("import", "application.campaigns", "0" * 40).returncode == 4
    assert world.run("import", "application.nobody", SENDER).returncode == 4
    assert world.run("import", "token.texts", SENDER).returncode == 4
    none = world.run("import", "application.texts", SENDER)  # a vendor without applications
    assert none.returncode == 4
    assert "application.texts cannot be imported: EZ Texting has no applications" in none.stderr
    out = world.ok("import", "application.campaigns", SENDER)
    assert "Apply complete! Resources: 1 imported, 0 added, 0 changed, 0 destroyed." in out
    assert "W0307" not in out
    assert addresses(world) == ["application.campaigns"]
    assert world.run("import", "application.campaigns", SENDER).returncode == 4
    keyed = world.run("import", "--generate-config-out", "new.toml", 'application.reports["eu"]', _other(world))
    assert (keyed.returncode, "for_each by hand" in " ".join(keyed.stderr.split())) == (4, True)
    world.ok("import", "--generate-config-out", "new.toml", "application.reports", _other(world))
    assert "[applications.reports]" in (world.folder / "new.toml").read_text()
    assert addresses(world) == ["application.campaigns"]


def _other(world: World) -> str:
    from provisioner.sandbox.accounts import SMSCX_APPLICATIONS

    return str(next(one["client_id"] for one in SMSCX_APPLICATIONS if one["client_id"] != SENDER))


# -- removed -------------------------------------------------------------------------------------------------------


def test_removed_forgets_and_leaves_everything_at_the_vendor(world: World) -> None:
    """Even what is guarded: the block is the owner's word. `will no longer be managed`, and nothing is revoked."""
    stack(world, SERVER, '[applications.gone]\nprovider = "idp"\nprevent_destroy = true\n')
    world.ok("apply", "--auto-approve")
    stack(world, SERVER, '[[removed]]\nfrom = "application.gone"\n')
    assert "# token.gone will no longer be managed by Provisioner, but will not be destroyed" in world.ok("plan")
    assert changes(world) == {"application.gone": ("forget",), "token.gone": ("forget",)}
    world.ok("apply", "--auto-approve")
    assert addresses(world) == []
    assert living(world, "oauth2") == 1


# -- target, exclude, replace --------------------------------------------------------------------------------------


def test_a_target_brings_what_it_needs_and_says_that_the_rest_is_left(world: World) -> None:
    """A token its application; the plan is not complete, warns, and the next one has the rest."""
    stack(world, SERVER, WORKER, EZ)
    assert changes(world, "-target", 'token.worker["eu"]') == {
        'application.worker["eu"]': ("create",), 'token.worker["eu"]': ("create",),
    }  # fmt: skip
    shown = json.loads(world.ok("show", "--json", "look.plan"))
    assert (shown["complete"], shown["applyable"]) == (False, True)
    assert "W0307" in world.ok("plan", "-target=token.texts")
    assert set(changes(world, "-target=token.worker")) == set(changes(world, "-exclude=token.texts"))
    assert set(changes(world, "-exclude", 'application.worker["eu"]')) == {
        'application.worker["us"]', 'token.worker["us"]', "token.texts",
    }  # fmt: skip
    assert "Did you mean token.texts?" in world.run("plan", "-exclude", "token.text").stderr


def test_replace_rotates_what_is_not_due(world: World) -> None:
    """The new one first; of an application with every token that was issued to it."""
    stack(world, SERVER, WORKER)
    world.ok("apply", "--auto-approve")
    both = ("create", "delete")
    assert changes(world, "-replace", 'token.worker["eu"]') == {'token.worker["eu"]': both}
    assert changes(world, "-replace", 'application.worker["eu"]') == {
        'application.worker["eu"]': both, 'token.worker["eu"]': both,
    }  # fmt: skip
    client = world.values('application.worker["eu"]')["client_id"]
    out = world.ok("apply", "--auto-approve", "-replace", 'application.worker["eu"]')
    assert '# application.worker["eu"] will be replaced, as requested' in out
    assert world.values('application.worker["eu"]')["client_id"] != client
    assert living(world, "oauth2") == 2
    assert CLEAN in world.ok("plan")


def test_an_application_goes_to_another_provider(world: World) -> None:
    """Its client at the old one is ours, so it ends: the plan shows that, guards see it, and one apply is enough."""
    other = SERVER.replace("providers.idp", "providers.other").split("[token_policies")[0]
    panel = CX[: CX.index("[applications")]
    at = '[applications.w]\nprovider = "{{}}"\nname = "Reports"\n'.replace("{{}}", "%s")
    stack(world, SERVER, other, panel, at % "idp", "prevent_destroy = true\n")
    world.ok("apply", "--auto-approve")
    stack(world, SERVER, other, panel, at % "other", "prevent_destroy = true\n")
    ended = world.run("plan")
    assert (ended.returncode, "E0601" in ended.stderr) == (9, True)
    replaced = {"application.w": ("create", "delete"), "token.w": ("create", "delete")}
    for provider, more, found in (("other", "", replaced), ("cx", 'scopes = ["reports"]\n', replaced)):
        allowed = "prevent_destroy:application.w"
        stack(world, SERVER, other, panel, at % provider, more)
        assert changes(world, "--allow", allowed) == found
        assert f"and {provider} is declared: its tokens are issued anew" in world.ok("plan", "--allow", allowed)
        world.ok("apply", "--auto-approve", "--allow", allowed)
        assert world.values("application.w")["provider"] == provider
        assert CLEAN in world.ok("plan")
    deleted = [row for row in lines(world.ok("history", "--json")) if "application.delete" in row["summary"]]
    assert [row["kind"] for row in deleted] == ["intent", "intent"]


# -- for_each and consumers ----------------------------------------------------------------------------------------


def test_for_each_grows_and_shrinks_by_key(world: World) -> None:
    """What stays is not touched, whatever its place in the list; a plan says that a key, or a consumer, went."""
    stack(world, SERVER, WORKER.replace('"eu", "us"', '"a", "b"') + 'consumers = ["web"]\n')
    world.ok("apply", "--auto-approve")
    kept = world.values('token.worker["b"]["web"]')["fingerprint"]
    stack(world, SERVER, WORKER.replace('"eu", "us"', '"c", "b"') + 'consumers = ["db", "web"]\n')
    assert changes(world) == {
        'application.worker["a"]': ("delete",), 'application.worker["c"]': ("create",),
        'token.worker["a"]["web"]': ("delete",), 'token.worker["b"]["db"]': ("create",),
        'token.worker["c"]["db"]': ("create",), 'token.worker["c"]["web"]': ("create",),
    }  # fmt: skip
    shown = json.loads(world.ok("show", "--json", "look.plan"))["resource_changes"]
    assert {c["action_reason"] for c in shown if c["change"]["actions"] == ["delete"]} == {"delete_because_each_key"}
    assert "(the key 'a' is not in for_each any more)" in world.ok("plan")
    world.ok("apply", "--auto-approve")
    assert world.values('token.worker["b"]["web"]')["fingerprint"] == kept
    stack(world, SERVER, WORKER.replace('"eu", "us"', '"b"') + 'consumers = ["web"]\n')
    assert "(the consumer 'db' is not declared any more)" in world.ok("plan")
    world.ok("apply", "--auto-approve")
    assert addresses(world) == ['application.worker["b"]', 'token.worker["b"]["web"]']
    assert living(world, "oauth2") == 1


# -- guards --------------------------------------------------------------------------------------------------------


def test_a_guard_lives_in_the_state(world: World) -> None:
    """Removing the block, destroying and `state rm`'s cousin forget: refused, shown, not applyable; --allow is for
    one."""
    guarded = EZ + "prevent_destroy = true\n"
    stack(world, guarded)
    world.ok("apply", "--auto-approve")
    stack(world, EZ[: EZ.index("[applications")])
    ended = world.run("apply", "--auto-approve")
    assert (ended.returncode, "E0601" in ended.stderr) == (9, True)
    assert "# token.texts will be destroyed" in ended.stdout
    world.ok("plan", "-out", "refused.plan", code=9)
    shown = json.loads(world.ok("show", "--json", "refused.plan"))
    assert shown["applyable"] is False
    assert world.run("apply", "refused.plan").returncode == 9
    assert world.run("destroy", "-auto-approve").returncode == 9
    assert "Did you mean token.texts?" in world.run("plan", "--allow", "prevent_destroy:token.text").stderr
    assert living(world, "eztexting") == 1
    stack(world, EZ)
    world.ok("apply", "--auto-approve")
    assert world.values("token.texts")["prevent_destroy"] is False
    world.ok("destroy", "--auto-approve")
    assert living(world, "eztexting") == 0


def test_safety_limits_are_judged_over_the_whole_plan(world: World) -> None:
    """max_destroy counts ends and no rotations; max_spend needs prices; --allow lifts one and not the other."""
    limits = '[safety]\nmax_destroy = 1\nmax_spend = {{ USD = "10" }}\n'
    price = 'unit_price = "0.02"\ncurrency = "USD"\n'
    stack(world, SERVER, WORKER, EZ, FLOOR, price, limits, minimum=10)
    world.ok("apply", "--auto-approve")
    assert len(changes(world, "-replace", 'token.worker["eu"]', "-replace", 'token.worker["us"]')) == 2
    stack(world, SERVER, EZ, FLOOR, price, limits, minimum=4000)
    ended = world.run("plan")
    assert (ended.returncode, "E0602" in ended.stderr, "E0603" in ended.stderr) == (9, True, True)
    assert "30.00 USD" in ended.stdout
    assert "E0602" not in world.run("plan", "-allow", "max_destroy").stderr
    assert world.run("plan", "-allow=max_destroy").returncode == 9
    assert world.run("plan", "-allow=anything").returncode == 4
    world.ok("apply", "-auto-approve", "-allow=max_destroy", "-allow=max_spend")
    assert [purchase["credits"] for purchase in world.ledger()["purchases"]] == [1500]


# -- destroy -------------------------------------------------------------------------------------------------------


def test_destroy_ends_everything_it_can_and_says_how_a_person_ends_the_rest(world: World) -> None:
    """Revoked and deleted where there is an API, tokens before their client; forgotten with instructions elsewhere."""
    stack(world, SERVER, WORKER, EZ, FLOOR, CX, minimum=10)
    world.ok("apply", "--auto-approve")
    assert "5 to destroy" in world.ok("plan", "-destroy")
    stream = lines(world.ok("destroy", "-auto-approve", "-json", code=3))
    assert stream[-1]["changes"] == {"add": 0, "change": 0, "import": 0, "remove": 5, "operation": "destroy"}
    assert stream[-1]["results"]['token.campaigns["web"]'] == "handoff"
    assert (living(world, "oauth2"), living(world, "eztexting")) == (0, 0)
    assert addresses(world) == []
    assert "No objects need to be destroyed." in world.ok("destroy", "-auto-approve")
    kept = '[applications.kept]\nprovider = "ez"\n[token_policies.default]\non_destroy = "keep"\n'
    stack(world, EZ[: EZ.index("[applications")], kept)
    world.ok("apply", "--auto-approve")
    world.ok("destroy", "--auto-approve")
    assert living(world, "eztexting") == 1


# -- edits of the state --------------------------------------------------------------------------------------------


def test_state_mv_rm_and_replace_provider_are_recorded_edits(world: World) -> None:
    """Each shows in the history, asks no vendor and needs no key; what is mistyped changes nothing, not even the
    serial."""
    stack(world, SERVER, WORKER)
    world.ok("apply", "--auto-approve")
    sent = len(world.ledger()["entries"])
    serial = world.state()["serial"]
    for words, hint in (
        (["state", "mv", 'application.worker["e"]', "application.x"], 'Did you mean application.worker["eu"]?'),
        (["state", "rm", "token.nobody"], "state list"),
        (["state", "replace-provider", "idp", "nobody"], "idp"),
        (["state", "mv", 'application.worker["eu"]', 'application.worker["us"]'], "recorded already"),
        (["state", "mv", 'application.worker["eu"]', "token.x"], "different types"),
    ):
        ended = world.run(*words)
        assert (ended.returncode, hint in ended.stderr) == (4, True), ended.stderr
    world.ok("state", "mv", "-dry-run", 'application.worker["eu"]', "application.solo")
    assert world.state()["serial"] == serial
    bare: dict[str, str | None] = {name: None for name in world.environ if name.startswith("IDP_")}
    bare["HOME"] = str(world.home / "no-key-here")
    moved = world.ok("state", "mv", 'application.worker["eu"]', "application.solo", env=bare)
    assert 'application.worker["eu"] to application.solo' in moved
    world.ok("state", "rm", 'application.worker["us"]', 'token.worker["us"]', env=bare)
    assert addresses(world) == ["application.solo", "token.solo"]
    stack(
        world,
        SERVER.replace("providers.idp", "providers.login"),
        '[applications.solo]\nprovider = "login"\nname = "worker"\n',
    )
    world.ok("state", "replace-provider", "-auto-approve", "idp", "login", env=bare)
    assert len(world.ledger()["entries"]) == sent
    edits = [row["summary"] for row in lines(world.ok("history", "--json")) if row["kind"] == "edit"]
    assert len(edits) == 3
    assert changes(world) == {}
    assert living(world, "oauth2") == 2


def test_state_mv_of_what_has_no_key_leaves_the_instances_alone(world: World) -> None:
    """An address with a key is one instance; a token's new address says for which consumer it is."""
    stack(world, EZ)
    world.ok("apply", "--auto-approve")
    world.ok("state", "mv", "token.texts", 'token.texts["web"]')
    assert world.values('token.texts["web"]')["consumer"] == "web"
    stack(world, EZ, 'consumers = ["web"]\n')
    assert CLEAN in world.ok("plan")
    many = EZ + 'for_each = ["eu", "us"]\n'
    stack(world, many)
    world.ok("apply", "--auto-approve")
    ended = world.run("state", "mv", "application.texts", 'application.texts["x"]')
    assert (ended.returncode, "E0002" in ended.stderr) == (4, True), ended.stderr
    world.ok("state", "mv", "application.texts", "application.words")
    assert addresses(world) == ['token.words["eu"]', 'token.words["us"]']


def test_what_people_made_is_adopted_by_its_id(world: World) -> None:
    """A client that is declared by id and secret is an import; taken out of the file it is forgotten, never deleted."""
    stack(world, TM)
    found = changes(world)
    assert found["application.translations"] == ("no-op",)
    world.ok("apply", "--auto-approve", code=3)
    assert world.values("application.translations")["managed"] == "adopted"
    stack(world, TM[: TM.index("[applications")])
    assert changes(world) == {"application.translations": ("forget",)}
