"""A request whose form holds for one attempt only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostile_server import hostile, reply

from provisioner.net import session as session_module
from provisioner.net.session import Session
from provisioner.secret import Secret

if TYPE_CHECKING:
    import pytest


def test_a_form_that_is_a_function_is_made_for_each_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is signed for a moment and one use must not outlive a wait or be sent twice. An answer that echoes the last
    one knows that it was sent."""
    monkeypatch.setattr(session_module, "_BACK_OFF", 0.001)
    made: list[Secret] = []

    def form() -> list[tuple[str, Secret]]:
        made.append(Secret(f"signed-{len(made)}"))
        return [("client_assertion", made[-1])]

    session = Session(provider="p")
    with hostile() as server:
        server.script = lambda _: reply(503, b"", {"Retry-After": "0"}) if len(server.seen) in (1, 3) else None
        read = session.read("POST", server.url, form=form)
        changed = session.change("POST", server.url, form=form, repeatable=True)
        seen = list(server.seen)
    session.close()
    assert [one.body for one in seen] == [f"client_assertion=signed-{number}".encode() for number in range(4)]
    assert [made[1] in read.sent, made[3] in changed.sent] == [True, True]
    assert {one.headers["content-type"] for one in seen} == {"application/x-www-form-urlencoded"}
