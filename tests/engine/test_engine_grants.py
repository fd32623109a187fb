"""What a person's grant may turn out to be: more than was asked, or the only one that the server keeps for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine_vendor import VENDORS
from engine_world import Impatient, World, an_application

from provisioner.engine.authorization import complete
from provisioner.engine.ended import Ended
from provisioner.journal.run import RunInfo
from provisioner.model.recorded import LIVE, UNAUTHORIZED


def authorize(world: World, issue: Callable[[Any, Any, Any], Any]) -> Ended:
    journal, sealer = world.open()
    run = RunInfo(id=f"auth-{next(world.runs)}", actor="tester", command="test", started=world.clock())
    journal.begin(run)
    try:
        return complete(
            world.desired,
            journal,
            sealer,
            world.providers,
            application=world.applications[0],
            consumer=None,
            exchange=issue,
            run=run,
            clock=world.clock,
            stop=Impatient(world),
            vendors=VENDORS.__getitem__,
        )
    finally:
        journal.close()


def as_asked(provider: Any, credentials: Any, wish: Any) -> Any:
    return provider._issue(credentials.client_id, wish.scopes)


def test_more_than_was_asked_is_said_and_kept(world: World) -> None:
    """A warning that names what is beyond the declaration; recorded as granted."""
    world.applications = (an_application("person", scopes=("a",)),)
    ended = authorize(world, lambda provider, credentials, wish: provider._issue(credentials.client_id, ("a", "b")))
    assert [(d.name, d.severity, d.summary) for d in ended.diagnostics] == [
        ("scopes-broader", "warning", "granted b beyond what is declared")
    ]
    assert (world.token("token.app").status, world.token("token.app").scopes) == (LIVE, ("a", "b"))


def test_a_server_that_ends_the_new_pair_with_the_old_is_found_out(world: World) -> None:
    """RFC 7009 section 2.1 lets it (oidc-provider does): the command says so, a refresh is tried once more by the next
    apply, and a person is asked only when that is refused. The consent after that is good."""
    world.applications = (an_application("person"),)
    authorize(world, as_asked)

    def one_grant(what: str) -> None:
        for pair in world.ledger.pairs if what == "revoke_token:after" else ():
            pair.alive = False

    world.during = one_grant
    ended = authorize(world, as_asked)
    assert [d.name for d in ended.diagnostics] == ["needs-authorization"]
    assert "one grant for a person and a client" in ended.diagnostics[0].summary
    assert world.apply().exit_code == 3
    assert world.token("token.app").status == UNAUTHORIZED
    assert authorize(world, as_asked).diagnostics == ()
    assert world.token("token.app").status == LIVE
    assert [pair.alive for pair in world.ledger.pairs] == [False, False, True]
