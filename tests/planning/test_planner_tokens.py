"""What the planner decides about tokens."""

from __future__ import annotations

from datetime import timedelta

import pytest
from planning_world import NOW, application, application_record, desired, observed, outline, plan, state, step, token

from provisioner.model.desired import TokenPolicy
from provisioner.model.observed import ObservedApplication, ObservedToken, ProviderObservation
from provisioner.model.recorded import Operation, Sealed
from provisioner.times import parse_duration, to_rfc3339

REFRESH = Sealed("k", 1, "BBBB")


def seen_tokens(**tokens: str) -> ProviderObservation:
    found = {f"id-token.{name}": ObservedToken(liveness=liveness) for name, liveness in tokens.items()}
    return ProviderObservation(tokens=found)


def test_declared_and_unrecorded_is_created() -> None:
    """A declared token that nobody recorded is created, once a consumer."""
    made = plan(desired(application("rotating", consumers=("web", "worker"))), state())
    assert outline(made) == {
        'token.app["web"]': (("create",), "token.create", "missing"),
        'token.app["worker"]': (("create",), "token.create", "missing"),
    }


def test_current_token_is_left_alone() -> None:
    """A live token that is not due gives a no-op, and the plan has no changes."""
    made = plan(desired(application("rotating")), state(token("rotating")))
    assert outline(made) == {"token.app": (("no-op",), "nothing", "current")}
    assert not made.has_changes


@pytest.mark.parametrize(
    ("minutes", "due"),
    [(59, False), (60, True)],
    ids=["more than a third is left", "a third is left"],
)
def test_renewed_when_a_third_is_left(minutes: int, due: bool) -> None:
    """Without a policy, a token of three hours is renewed by refresh from one hour before its end."""
    record = token("rotating", refresh_token=REFRESH)
    made = plan(desired(application("rotating")), state(record), at=NOW + timedelta(minutes=minutes))
    assert step(made, "token.app").action == (("update",) if due else ("no-op",))


def test_due_before_the_next_run_is_done_now() -> None:
    """What would fall due within run_interval is renewed by this run."""
    record = token(
        "rotating", refresh_token=REFRESH, issued_at=NOW - timedelta(hours=2), expires_at=NOW + timedelta(hours=2)
    )
    want = desired(application("rotating"), run_interval=timedelta(hours=1))
    assert step(plan(want, state(record)), "token.app").operation == "token.refresh"


def test_never_renewed_before_half_of_its_life() -> None:
    """A run interval longer than the token lives does not renew a young token, and the plan warns of the gap."""
    record = token("rotating", refresh_token=REFRESH)
    made = plan(desired(application("rotating"), run_interval=timedelta(hours=24)), state(record))
    assert not made.has_changes
    assert [d.name for d in made.diagnostics] == ["lives-too-short"]


def test_renewal_without_refresh_is_a_replacement() -> None:
    """Where the vendor refreshes nothing, a due token is replaced by another."""
    record = token("panel", expires_at=NOW + timedelta(minutes=5), requested_scopes=("sms",), scopes=("sms",))
    seen = ProviderObservation(
        applications={"application.app": ObservedApplication(exists=True, client_id="client", scopes=("sms",))}
    )
    have = state(application_record("panel", scopes=("sms",)), record)
    made = plan(desired(application("panel", scopes=("sms",))), have, observed(panel=seen))
    assert outline(made)["token.app"] == (("create", "delete"), "token.replace", "expiring")


def test_refresh_falls_back_where_no_person_is_needed() -> None:
    """A planned refresh says whether a dead refresh token may be answered by a fresh grant."""
    by_machine = plan(
        desired(application("rotating")), state(token("rotating", refresh_token=REFRESH)), at=NOW + timedelta(hours=2)
    )
    by_person = plan(
        desired(application("person", client_id="client")),
        state(application_record("person"), token("person", refresh_token=REFRESH, client_id="client")),
        at=NOW + timedelta(hours=2),
    )
    assert step(by_machine, "token.app").params["fallback"] == "token.create"
    assert "fallback" not in step(by_person, "token.app").params


def test_first_token_of_a_person_is_a_handoff() -> None:
    """Where the first grant takes a person, the step is a create that waits, with the command to run."""
    made = plan(desired(application("person", client_id="client")), state())
    waiting = step(made, "token.app")
    assert (waiting.action, waiting.operation) == (("create",), "handoff")
    assert waiting.handoff is not None
    assert "provisioner authorize app" in waiting.handoff.instructions[0]


def test_rotation_counts_from_the_grant_not_from_the_refresh() -> None:
    """A token renewed a minute ago is replaced when its grant is older than rotate_every."""
    policy = TokenPolicy(name="p", rotate_every=timedelta(days=7))
    record = token(
        "rotating", issued_at=NOW - timedelta(minutes=1), created_at=NOW - timedelta(days=7), refresh_token=REFRESH
    )
    made = plan(desired(application("rotating", policy=policy)), state(record))
    assert outline(made)["token.app"] == (("create", "delete"), "token.replace", "too-old")


def test_dead_at_the_provider_is_refreshed_where_a_refresh_token_is_left() -> None:
    """A token that the provider refuses is renewed by its refresh token, else created anew."""
    with_pair = plan(
        desired(application("rotating")),
        state(token("rotating", refresh_token=REFRESH)),
        observed(rotating=seen_tokens(app="dead")),
    )
    without = plan(
        desired(application("rotating")), state(token("rotating")), observed(rotating=seen_tokens(app="dead"))
    )
    assert outline(with_pair)["token.app"][1:] == ("token.refresh", "revoked-outside")
    assert outline(without)["token.app"][1:] == ("token.create", "revoked-outside")
    assert [d.code for d in without.drift] == ["revoked-outside"]


def test_unknown_liveness_changes_nothing() -> None:
    """A probe that could not tell is no reason to act."""
    made = plan(
        desired(application("rotating")), state(token("rotating")), observed(rotating=seen_tokens(app="unknown"))
    )
    assert not made.has_changes


def test_undeclared_token_is_revoked_or_forgotten() -> None:
    """A token nobody declares is revoked where that is possible, else forgotten with how a person kills it."""
    revoked = step(plan(desired(), state(token("rotating"))), "token.app")
    forgotten = step(plan(desired(), state(token("panel"))), "token.app")
    assert (revoked.action, revoked.operation) == (("delete",), "token.revoke")
    assert (forgotten.action, forgotten.operation) == (("forget",), "forget")
    assert forgotten.handoff is not None


def test_kept_on_destroy_where_the_policy_says_so() -> None:
    """A removed block cannot say on_destroy any more, so the recorded word counts."""
    kept = step(plan(desired(), state(token("rotating", on_destroy="keep"))), "token.app")
    assert (kept.action, kept.handoff) == (("forget",), None)


def test_retiring_token_is_revoked_after_its_overlap() -> None:
    """A deposed token is left alone until its overlap is over, and then revoked."""
    old = token("rotating", id="old", status="retiring", deposed="deadbeef", retire_at=NOW + timedelta(minutes=10))
    have = state(token("rotating"), old)
    want = desired(application("rotating"))
    assert step(plan(want, have), "token.app#deadbeef").action == ("no-op",)
    late = step(plan(want, have, at=NOW + timedelta(minutes=10)), "token.app#deadbeef")
    assert (late.action, late.operation, late.deposed) == (("delete",), "token.revoke", "deadbeef")


def test_refresh_in_doubt_is_tried_once_more() -> None:
    """An unanswered refresh leads to one more with the token that is recorded."""
    operation = Operation(
        id="op", address=token("rotating").address, op="token.refresh", run="r", since=NOW, object_id="id-token.app"
    )
    have = state(token("rotating", refresh_token=REFRESH), operations={"op": operation})
    made = plan(desired(application("rotating")), have)
    assert outline(made)["token.app"] == (("update",), "token.refresh", "refresh-in-doubt")


def test_narrower_token_is_kept_with_a_warning() -> None:
    """Granted less than declared: no change and a warning, until the application at the vendor changes."""
    record = token("panel", requested_scopes=("a", "b"), scopes=("a",), application_scopes=("a",), client_id="client")
    have = state(application_record("panel", scopes=("a",)), record)
    want = desired(application("panel", scopes=("a", "b")))

    def seen(*scopes: str) -> ProviderObservation:
        found = ObservedApplication(exists=True, client_id="client", scopes=scopes)
        return ProviderObservation(applications={"application.app": found})

    kept = plan(want, have, observed(panel=seen("a")))
    assert outline(kept)["token.app"] == (("no-op",), "nothing", "scopes-narrower")
    assert "scopes-narrower-kept" in [d.name for d in kept.diagnostics]
    asked = plan(want, have, observed(panel=seen("a", "b")))
    assert outline(asked)["token.app"] == (("create", "delete"), "token.replace", "scopes-narrower")


def test_token_is_minted_although_the_application_differs() -> None:
    """A handoff holds back only what needs it."""
    seen = ObservedApplication(exists=True, client_id="client", scopes=("a", "b", "c"))
    lacking = ObservedApplication(exists=True, client_id="client", scopes=("a",))
    want = desired(application("panel", scopes=("a", "b")))

    def made(found: ObservedApplication) -> str:
        observation = ProviderObservation(applications={"application.app": found})
        return step(plan(want, state(), observed(panel=observation)), "token.app").operation

    assert made(seen) == "token.create"
    assert made(lacking) == "handoff"


def test_moved_application_takes_its_tokens_along() -> None:
    """A moved block renames what is recorded; nothing is issued or revoked."""
    from provisioner.address import parse_address
    from provisioner.model.desired import Moved

    block = Moved(parse_address("application.old"), parse_address("application.app"))
    old = parse_address("application.old")
    have = state(token("rotating", "token.old"), token("rotating", 'token.old["web"]', application=old, consumer="web"))
    made = plan(desired(application("rotating", consumers=("web",)), moved=(block,)), have)
    moved = step(made, 'token.app["web"]')
    assert (moved.action, moved.operation, str(moved.previous_address)) == (("no-op",), "move", 'token.old["web"]')
    assert made.counts()["move"] == 1


def test_a_moved_block_that_stays_in_the_file_names_one_instance() -> None:
    """`application.app` is the one without a key: what `for_each` made since, and what moved, is left alone."""
    from provisioner.address import parse_address
    from provisioner.model.desired import Moved

    block = Moved(parse_address("application.app"), parse_address('application.app["eu"]'))
    want = desired(application("rotating", keys=("eu",)), application("rotating", keys=("us",)), moved=(block,))
    made = plan(want, state(token("rotating"), token("rotating", 'token.app["us"]')))
    assert {s.id: str(s.previous_address) for s in made.steps} == {
        'token.app["eu"]': "token.app", 'token.app["us"]': "None",
    }  # fmt: skip
    after = state(token("rotating", 'token.app["eu"]'), token("rotating", 'token.app["us"]'))
    assert plan(want, after).changes == ()


def test_a_token_block_stays_true_once_its_token_gained_a_consumer() -> None:
    """`token.app` to `token.app["web"]` moves the token without a consumer, and never the one that has it."""
    from provisioner.address import parse_address
    from provisioner.model.desired import Moved

    block = Moved(parse_address("token.app"), parse_address('token.app["web"]'))
    want = desired(application("rotating", consumers=("web",)), moved=(block,))
    assert outline(plan(want, state(token("rotating")))) == {'token.app["web"]': (("no-op",), "move", "moved")}
    app = parse_address("application.app")
    after = state(token("rotating", 'token.app["web"]', application=app, consumer="web"))
    assert plan(want, after).changes == ()


def test_two_that_move_to_one_address_are_refused() -> None:
    """A chain brings all that is recorded along it to its end, and there is room for one."""
    from provisioner.address import parse_address
    from provisioner.errors import Invalid
    from provisioner.model.desired import Moved

    end = parse_address("application.app")
    blocks = tuple(Moved(parse_address(f"application.{name}"), end) for name in ("first", "second"))
    have = state(token("rotating", "token.first"), token("rotating", "token.second"))
    with pytest.raises(Invalid, match=r"token\.second cannot move to token\.app"):
        plan(desired(application("rotating"), moved=blocks), have)


def test_a_removed_block_does_not_keep_alive_what_a_declared_token_replaced() -> None:
    """`removed` names the token without a consumer; the replaced one of a consumer is revoked when its overlap ends."""
    from provisioner.address import parse_address
    from provisioner.model.desired import Removed

    app = parse_address("application.app")
    serves = token("rotating", 'token.app["web"]', application=app, consumer="web")
    ended = token(
        "rotating", 'token.app["web"]', id="old", application=app, consumer="web", status="retiring", deposed="d1",
        retire_at=NOW,
    )  # fmt: skip
    want = desired(application("rotating", consumers=("web",)), removed=(Removed(parse_address("token.app")),))
    assert outline(plan(want, state(serves, ended)))['token.app["web"]#d1'][:2] == (("delete",), "token.revoke")


def test_a_life_that_was_shortened_outside_is_drift() -> None:
    """By more than clocks differ, and told in the one spelling that times have."""
    record = token("server")

    def drift(ends: timedelta) -> list[tuple[str, object]]:
        seen = ObservedToken(liveness="alive", expires_at=NOW + ends)
        looked = observed(server=ProviderObservation(tokens={record.id: seen}))
        found = plan(desired(application("server")), state(record), looked).drift
        return [(d.code, (d.after or {})["expires_at"]) for d in found]

    assert drift(timedelta(hours=2) - timedelta(minutes=2)) == []
    assert drift(timedelta(hours=1)) == [("lifetime-shortened", to_rfc3339(NOW + timedelta(hours=1)))]


def test_changed_guard_is_recorded() -> None:
    """Setting prevent_destroy is a change of its own, because the recorded guard is what counts."""
    made = plan(desired(application("rotating", prevent_destroy=True)), state(token("rotating")))
    assert outline(made)["token.app"] == (("update",), "record", "guard-changed")


def test_another_provider_means_another_token() -> None:
    """An application that moved to another provider gets a token there, and the old one is retired."""
    made = plan(desired(application("rotating")), state(token("server")))
    assert outline(made)["token.app"] == (("create", "delete"), "token.replace", "provider-changed")


@pytest.mark.parametrize(("overlap", "goes"), [("0s", True), ("10m", False)])
def test_a_client_left_behind_outlives_the_tokens_that_are_revoked_as_it(overlap: str, goes: bool) -> None:
    """Declared at a vendor without applications: it is deleted after its tokens' steps, and not while one lives on."""
    policy = TokenPolicy(name="p", overlap=parse_duration(overlap))
    have = state(application_record("server", managed="created"), token("server", client_id="client"))
    want = desired(application("rotating", policy=policy))
    made = plan(want, have)
    client = step(made, "application.app")
    assert (client.action, client.depends_on) == ((("delete",), ("token.app",)) if goes else (("no-op",), ()))
    over = token("server", client_id="client", status="retiring", deposed="d1", retire_at=NOW)
    after = state(application_record("server", managed="created"), over, token("rotating", id="new"))
    client = step(plan(want, after), "application.app")
    assert (client.action, client.depends_on) == (("delete",), ("token.app#d1",))


def test_a_token_for_somebody_else_is_replaced() -> None:
    """Another `resource` or `audience` in the file is another token; their order means nothing."""
    record = token("rotating", issued_for=("https://a.invalid", "https://b.invalid"))
    same = application("rotating", resource=("https://b.invalid", "https://a.invalid"))
    assert outline(plan(desired(same), state(record)))["token.app"] == (("no-op",), "nothing", "current")
    for other in ({"resource": ("https://a.invalid",)}, {"audience": "https://a.invalid"}):
        made = plan(desired(application("rotating", **other)), state(record))
        assert outline(made)["token.app"] == (("create", "delete"), "token.replace", "target-changed")
