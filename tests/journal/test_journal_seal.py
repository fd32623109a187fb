"""Secrets at rest: who can open them, that none opens in another's place, and where identities come from."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyrage  # type: ignore[import-untyped, unused-ignore]  # ships no types
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journal_world import store_in

from provisioner.errors import Invalid, ProviderFailed, StateUntrusted, StoreFailed
from provisioner.journal import keys
from provisioner.journal.identity import Identities, find_identities, find_recipients, identity_path
from provisioner.journal.seal import Sealer
from provisioner.journal.stores.directory import DirectoryStore
from provisioner.model.desired import Encryption, SecretRef
from provisioner.model.recorded import Sealed, parse_sealed
from provisioner.secret import Secret

VALUE = Secret("s3cr3t-access-token")


def age() -> tuple[str, str]:
    """A private and a public half."""
    made = pyrage.x25519.Identity.generate()
    return str(made), str(made.to_public())


def ssh(folder: Path, kind: str, passphrase: str = "") -> tuple[str, str]:
    path = folder / f"{kind}{len(passphrase)}"
    more = ["-b", "2048"] if kind == "rsa" else []
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *more, "-N", passphrase, "-f", str(path)], check=True)
    return path.read_text(), path.with_suffix(".pub").read_text().strip()


def sealer(store: DirectoryStore, recipient: str, identity: str | None = None, lineage: str = "lin-1") -> Sealer:
    identities = None if identity is None else Identities(lambda: [Secret(identity)])
    return Sealer(store, lineage=lambda: lineage, recipients=lambda: [recipient], identities=identities)


def seal(one: Sealer, value: Secret = VALUE) -> Sealed:
    return one.seal(value, object_id="obj-1", field="access_token", generation=1)


def unset(reference: SecretRef) -> Secret:
    raise ProviderFailed("secret-unavailable", f"{reference} is unset.")


@pytest.mark.parametrize("kind", ["age", "ed25519", "rsa"])
def test_each_kind_of_recipient_opens_what_is_sealed_to_it(tmp_path: Path, kind: str) -> None:
    """Age keys, and SSH keys that people have already; sealing itself needs the public half alone."""
    identity, recipient = age() if kind == "age" else ssh(tmp_path, kind)
    store = store_in(tmp_path)
    sealed = parse_sealed(str(seal(sealer(store, recipient))))
    assert sealer(store, recipient, identity).open(sealed, "obj-1", "access_token") == VALUE


def test_nothing_is_in_clear_and_a_run_has_one_key(tmp_path: Path) -> None:
    """A run's values share a data key; equal values do not look equal; the next run has a key of its own."""
    identity, recipient = age()
    store = store_in(tmp_path)
    one = sealer(store, recipient, identity)
    first, second = seal(one), seal(one)
    assert first.key_id == second.key_id != seal(sealer(store, recipient)).key_id
    assert first.blob != second.blob
    written = b"".join(path.read_bytes() for path in store.root.rglob("*") if path.is_file())
    assert b"s3cr3t" not in written
    assert identity.encode() not in written
    assert len(store.list_keys()) == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.text(st.characters(), max_size=50))
def test_any_text_comes_back(tmp_path: Path, text: str) -> None:
    """Byte for byte, the empty one and undecodable ones too."""
    one = _cached(tmp_path)
    sealed = seal(one, Secret(text))
    assert one.open(sealed, "obj-1", "access_token").reveal() == text


def _cached(folder: Path, made: dict[Path, Sealer] = {}) -> Sealer:  # noqa: B006  # the memory is the point
    if folder not in made:
        identity, recipient = age()
        made[folder] = sealer(store_in(folder), recipient, identity)
    return made[folder]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda s: (s, "obj-2", "access_token"),
        lambda s: (s, "obj-1", "refresh_token"),
        lambda s: (s._replace(generation=2), "obj-1", "access_token"),
        lambda s: (s._replace(blob="AAAA" + s.blob[4:]), "obj-1", "access_token"),
        lambda s: (s._replace(blob="not base64!"), "obj-1", "access_token"),
        lambda s: (s._replace(blob=""), "obj-1", "access_token"),
    ],
)
def test_a_value_opens_only_in_its_own_place(tmp_path: Path, wrong: Callable[[Sealed], Any]) -> None:
    """Another object, field, generation or byte: refused, with the value nowhere in the message."""
    one = _cached(tmp_path)
    with pytest.raises(StateUntrusted) as caught:
        one.open(*wrong(seal(one)))
    assert caught.value.diagnostics[0].name == "cannot-decrypt"
    assert caught.value.__cause__ is None


def test_a_value_of_another_state_does_not_open(tmp_path: Path) -> None:
    """Copied with its data key into another lineage, it is of no use there."""
    identity, recipient = age()
    store = store_in(tmp_path)
    sealed = seal(sealer(store, recipient))
    with pytest.raises(StateUntrusted):
        sealer(store, recipient, identity, lineage="lin-2").open(sealed, "obj-1", "access_token")


def test_without_a_fitting_identity_it_says_who_could(tmp_path: Path) -> None:
    """Exit 7, naming the recipients, for no identity and for a wrong one; `can_open` tells the first apart."""
    _, recipient = age()
    stranger, _ = age()
    store = store_in(tmp_path)
    sealed = seal(sealer(store, recipient))
    for one, can in ((sealer(store, recipient), False), (sealer(store, recipient, stranger), True)):
        with pytest.raises(StateUntrusted, match=recipient) as caught:
            one.open(sealed, "obj-1", "access_token")
        assert (caught.value.exit_code, caught.value.diagnostics[0].name, one.can_open) == (7, "cannot-decrypt", can)


def test_a_deleted_data_key_shreds_what_it_sealed(tmp_path: Path) -> None:
    """And a key file that was swapped for another's is damage, not a wrong identity."""
    identity, recipient = age()
    store = store_in(tmp_path)
    first, second = seal(sealer(store, recipient)), seal(sealer(store, recipient))
    store.put_key(first.key_id, store.get_key(second.key_id) or b"")
    with pytest.raises(StateUntrusted, match="is the file of another key"):
        sealer(store, recipient, identity).open(first, "obj-1", "access_token")
    store.put_key(second.key_id, b"{}")
    with pytest.raises(StateUntrusted, match="cannot be read"):
        sealer(store, recipient, identity).open(second, "obj-1", "access_token")
    store.delete_key(first.key_id)
    with pytest.raises(StateUntrusted, match="is not among"):
        sealer(store, recipient, identity).open(first, "obj-1", "access_token")


def test_the_data_key_is_durable_before_anything_is_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`prepare` finds a store that cannot be written before a request is sent; nothing is sealed under a lost key."""
    _, recipient = age()
    store = store_in(tmp_path)
    one = sealer(store, recipient)
    with monkeypatch.context() as patch:
        patch.setattr(store, "put_key", _full)
        for attempt in (one.prepare, lambda: seal(one)):
            with pytest.raises(StoreFailed):
                attempt()
    one.prepare()
    assert store.list_keys() == [seal(one).key_id]


def _full(key_id: str, data: bytes) -> None:
    raise StoreFailed("state-unreachable", "full")


def test_rekeying_ends_what_the_old_identity_can_open(tmp_path: Path) -> None:
    """The same ids, other recipients; where one key does not open, none is changed."""
    (old, old_recipient), (new, new_recipient), (third, third_recipient) = age(), age(), age()
    store = store_in(tmp_path)
    sealed = seal(sealer(store, old_recipient))
    seal(sealer(store, third_recipient))
    before = [store.get_key(key_id) for key_id in store.list_keys()]
    with pytest.raises(StateUntrusted, match="No identity at hand"):
        keys.reseal(store, keys.parse_identities(Secret(old)), [new_recipient])
    assert [store.get_key(key_id) for key_id in store.list_keys()] == before
    both = keys.parse_identities(Secret(f"{old}\n{third}\n"))
    assert keys.reseal(store, both, [new_recipient]) == store.list_keys()
    assert sealer(store, "", new).open(sealed, "obj-1", "access_token") == VALUE
    with pytest.raises(StateUntrusted):
        sealer(store, "", old).open(sealed, "obj-1", "access_token")


def test_a_rekeying_that_was_cut_short_is_finished_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where this machine's identity is none of the new recipients: what is done already is passed over."""
    (old, old_recipient), (new, new_recipient) = age(), age()
    store = store_in(tmp_path)
    sealed = [seal(sealer(store, old_recipient)) for _ in range(4)]
    mine = keys.parse_identities(Secret(old))
    real, left = store.put_key, [2]

    def put_key(key_id: str, data: bytes) -> None:
        if not left[0]:
            _full(key_id, data)
        left[0] -= 1
        real(key_id, data)

    with monkeypatch.context() as patch:
        patch.setattr(store, "put_key", put_key)
        with pytest.raises(StoreFailed):
            keys.reseal(store, mine, [new_recipient])
    assert keys.reseal(store, mine, [new_recipient]) == store.list_keys()
    for one in sealed:
        assert sealer(store, "", new).open(one, "obj-1", "access_token") == VALUE
        with pytest.raises(StateUntrusted):
            sealer(store, "", old).open(one, "obj-1", "access_token")


def test_identities_are_whole_files(tmp_path: Path) -> None:
    """Comments, blank lines, several keys of several kinds, one after another, CRLF or not."""
    (first, _), (second, _), (third, _) = age(), age(), ssh(tmp_path, "ed25519")
    text = f"# created: today\n# public key: age1...\n\n{first}\n{third}\n  {second}\n"
    assert len(keys.parse_identities(Secret(text))) == 3
    assert len(keys.parse_identities(Secret(text.replace("\n", "\r\n")))) == 3
    assert keys.parse_identities(Secret("# nothing\n")) == []


@pytest.mark.parametrize("kind", ["nonsense", "protected", "ecdsa"])
def test_what_is_no_identity_is_refused_by_its_line(tmp_path: Path, kind: str) -> None:
    """The line's number, never its text."""
    text = "AGE-SECRET-KEY-1S3CR3T"
    if kind != "nonsense":
        text, _ = ssh(tmp_path, "ecdsa") if kind == "ecdsa" else ssh(tmp_path, "ed25519", "passphrase")
    with pytest.raises(Invalid, match="Line 2 of the identity") as caught:
        keys.parse_identities(Secret("# mine\n" + text))
    assert "S3CR3T" not in str(caught.value)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("wrong", ["age1zzz", "ecdsa-sha2-nistp256 AAAA", "ssh-dss AAAA", "AGE-SECRET-KEY-1S3CR3T", ""])
def test_what_is_no_recipient_is_refused(wrong: str) -> None:
    """A private half put in the public one's place is not repeated."""
    with pytest.raises(Invalid) as caught:
        find_recipients(Encryption(recipients=(wrong,)), {}, unset)
    assert "S3CR3T" not in str(caught.value) + caught.value.diagnostics[0].detail


def test_configured_recipients_need_no_identity(tmp_path: Path) -> None:
    """A pipeline that only creates holds no key that can read."""
    _, recipient = age()
    environ = {"CI": "true", "XDG_CONFIG_HOME": str(tmp_path)}
    assert find_recipients(Encryption(recipients=(recipient,)), environ, unset) == ((recipient,), [])
    assert not find_identities(Encryption(recipients=(recipient,)), environ, unset).present


def test_where_nothing_is_configured_an_identity_is_made_once(tmp_path: Path) -> None:
    """0600, said where, and taken again the next time; the notice does not hold it."""
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    recipients, notices = find_recipients(Encryption(), environ, unset)
    path = identity_path(environ)
    assert path == tmp_path / "config" / "provisioner" / "identity.txt"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [notice.name for notice in notices] == ["identity-made"]
    assert str(path) in notices[0].summary
    assert "AGE-SECRET-KEY" not in notices[0].summary + notices[0].detail
    assert find_recipients(Encryption(), environ, unset) == (recipients, [])
    store = store_in(tmp_path)
    identities = find_identities(Encryption(), environ, unset)
    one = Sealer(store, lineage=lambda: "l", recipients=lambda: recipients, identities=identities)
    assert one.can_open
    assert one.open(seal(one), "obj-1", "access_token") == VALUE


def test_what_is_gone_is_what_nobody_who_is_declared_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not what this process has no identity for; and each key's file is read once, however many tokens it sealed."""
    _, first = ssh(tmp_path, "ed25519")
    _, second = age()
    store = store_in(tmp_path)
    sealed = seal(sealer(store, f"{first} ann@laptop"))
    reads: list[str] = []
    look = store.get_key

    def counted(key_id: str) -> bytes | None:
        reads.append(key_id)
        return look(key_id)

    monkeypatch.setattr(store, "get_key", counted)
    assert not sealer(store, f"{' '.join(first.split()[:2])} ann@desk").gone(sealed)
    later = sealer(store, second)
    reads.clear()
    assert [later.gone(sealed) for _ in range(3)] == [True] * 3
    assert reads == [sealed.key_id]
    own = seal(later)
    assert not later.gone(own)
    assert not later.gone(None)
    store.delete_key(sealed.key_id)
    assert sealer(store, first).gone(sealed)


def test_a_pipeline_makes_none(tmp_path: Path) -> None:
    """Exit 4, saying what to set, and nothing is written."""
    environ = {"CI": "true", "HOME": str(tmp_path)}
    with pytest.raises(Invalid) as caught:
        find_recipients(Encryption(), environ, unset)
    first = caught.value.diagnostics[0]
    assert (caught.value.exit_code, first.name, first.key_path) == (4, "no-recipient", "state.encryption.recipients")
    assert "recipients = " in first.detail
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["age", "ed25519"])
def test_an_identity_in_the_environment_is_sealed_to(tmp_path: Path, kind: str) -> None:
    """Who gives the private half and no recipient means its public half."""
    identity, recipient = age() if kind == "age" else ssh(tmp_path, "ed25519")
    found, notices = find_recipients(Encryption(), {"CI": "true", "HOME": str(tmp_path)}, lambda ref: Secret(identity))
    assert notices == []
    assert found[0].split()[:2] == recipient.split()[:2]


def test_a_configured_identity_that_is_missing_is_named(tmp_path: Path) -> None:
    """The hint says which reference was unset, beside who could open it."""
    _, recipient = age()
    store = store_in(tmp_path)
    sealed = seal(sealer(store, recipient))
    encryption = Encryption(identity=SecretRef("file", "/gone/key.txt"))
    identities = find_identities(encryption, {"HOME": str(tmp_path)}, unset)
    one = Sealer(store, lineage=lambda: "lin-1", recipients=lambda: [recipient], identities=identities)
    with pytest.raises(StateUntrusted, match=recipient) as caught:
        one.open(sealed, "obj-1", "access_token")
    assert "file /gone/key.txt" in caught.value.diagnostics[0].detail
