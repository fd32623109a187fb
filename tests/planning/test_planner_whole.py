"""Properties of whole plans: order, determinism, selection, guards."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from planning_world import NOW, application, desired, floor, observed, plan, state, step, token

from provisioner.errors import Invalid
from provisioner.model.desired import Removed, Safety
from provisioner.model.recorded import Sealed
from provisioner.planning.renewal import due_at, gap, window

names = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=6)


@given(declared=names, recorded=names, hours=st.integers(0, 100))
def test_every_resource_has_one_step_in_order(declared: list[str], recorded: list[str], hours: int) -> None:
    """A plan names each declared or recorded token once, by address, and the same inputs give an equal plan."""
    want = desired(*(application("rotating", name) for name in declared))
    have = state(*(token("rotating", f"token.{name}") for name in recorded))
    made = plan(want, have, at=NOW + timedelta(hours=hours))
    ids = [s.id for s in made.steps]
    assert ids == sorted({f"token.{name}" for name in {*declared, *recorded}})
    assert made == plan(want, have, at=NOW + timedelta(hours=hours))


@given(
    life=st.integers(1, 10**8),
    before=st.none() | st.integers(0, 10**9),
    interval=st.integers(0, 10**9),
    age=st.integers(0, 10**8),
)
def test_a_renewal_is_never_due_in_the_first_half(life: int, before: int | None, interval: int, age: int) -> None:
    """Whatever policy and run interval say: no renewal before half the granted life, and none after its end."""
    from provisioner.model.desired import TokenPolicy

    policy = TokenPolicy(name="p", renew_before=None if before is None else timedelta(seconds=before))
    due = due_at(NOW, NOW + timedelta(seconds=life), policy, timedelta(seconds=interval))
    assert NOW + timedelta(seconds=life) / 2 <= due <= NOW + timedelta(seconds=life)


def test_window_is_a_third_by_default_and_half_at_most() -> None:
    """The default window is a third of the granted life; a declared one is cut to half."""
    assert window(timedelta(hours=3), None) == timedelta(hours=1)
    assert window(timedelta(hours=3), timedelta(hours=2)) == timedelta(minutes=90)
    assert gap(timedelta(hours=3), timedelta(hours=1)) is None
    assert gap(timedelta(hours=3), timedelta(hours=2)) is not None


def test_removed_guard_still_guards() -> None:
    """prevent_destroy is recorded: removing the block does not remove the guard, and --allow lifts it for one run."""
    have = state(token("rotating", prevent_destroy=True))
    refused = plan(desired(), have)
    assert [d.name for d in refused.diagnostics] == ["prevent-destroy"]
    assert refused.refused
    assert plan(desired(), have, allows=("prevent_destroy:token.app",)).applyable


def test_more_destruction_than_allowed_is_refused() -> None:
    """max_destroy counts revocations and deletions, by default ten or 30 % of what is recorded."""
    have = state(*(token("rotating", f"token.t{n}") for n in range(11)))
    assert [d.name for d in plan(desired(), have).diagnostics] == ["max-destroy"]
    assert plan(desired(), have, allows=("max_destroy",)).applyable
    assert plan(desired(safety=Safety(max_destroy=11)), have).applyable


def test_rotation_is_no_destruction() -> None:
    """A replaced token's retirement does not count against max_destroy."""
    have = state(*(token("rotating", f"token.t{n}", refresh_token=Sealed("k", 1, "B")) for n in range(12)))
    want = desired(*(application("rotating", f"t{n}") for n in range(12)))
    made = plan(want, have, replaces=tuple(f"token.t{n}" for n in range(12)))
    assert made.applyable
    assert made.counts()["destroy"] == 12


def test_target_of_nothing_is_an_error_with_a_suggestion() -> None:
    """A flag that names nothing is refused before anything else, with the nearest name."""
    with pytest.raises(Invalid) as caught:
        plan(desired(application("rotating")), state(), targets=("token.appp",))
    assert caught.value.diagnostics[0].name == "unknown-address"
    assert "token.app" in caught.value.diagnostics[0].detail


@pytest.mark.parametrize(
    ("named", "code", "said"),
    [
        ("token.many", "E0002", """--replace='token.many["web"]'"""),
        ("application.found", "E0109", "--replace='token.found'"),
        ("credits.ez", "E0109", "nothing to replace"),
        ("application.plain", "E0002", "token.plain"),
        ("token.plian", "E0002", "token.plain"),
    ],
)
def test_a_replacement_that_could_not_come_is_refused(named: str, code: str, said: str) -> None:
    """A whole table of instances, what a person made, a floor, a resource that the vendor does not have."""
    want = desired(
        application("rotating", "many", consumers=("web", "worker")),
        application("rotating", "plain"),
        application("panel", "found"),
        floors=(floor("rotating"),),
    )
    with pytest.raises(Invalid) as caught:
        plan(want, state(), replaces=(named,))
    found = caught.value.diagnostics[0]
    assert (found.code, said in found.summary + found.detail) == (code, True), found


def test_target_brings_what_it_depends_on() -> None:
    """A targeted token brings the registration that it needs; an excluded one takes its tokens along."""
    want = desired(application("server"), application("server", "other"))
    assert [s.id for s in plan(want, state(), targets=("token.app",)).steps] == ["application.app", "token.app"]
    assert [s.id for s in plan(want, state(), excludes=("application.app",)).steps] == [
        "application.other",
        "token.other",
    ]
    assert not plan(want, state(), targets=("token.app",)).complete


def test_destroy_revokes_before_it_deletes_the_client() -> None:
    """On some servers a deleted client's tokens live on, so its tokens are revoked first."""
    from planning_world import application_record

    have = state(application_record("server", managed="created"), token("server"))
    made = plan(desired(application("server")), have, mode="destroy")
    assert step(made, "application.app").operation == "application.delete"
    assert step(made, "application.app").depends_on == ("token.app",)


def test_removed_block_forgets_and_leaves() -> None:
    """What a removed block names is forgotten with its tokens, guards or not, and nothing is sent."""
    from planning_world import application_record

    from provisioner.address import parse_address

    have = state(application_record("server", managed="created", prevent_destroy=True), token("server"))
    made = plan(desired(removed=(Removed(parse_address("application.app")),)), have)
    assert {s.operation for s in made.steps} == {"forget"}
    assert not made.refused


def test_refresh_only_plans_no_steps() -> None:
    """A refresh-only plan has drift and no steps."""
    made = plan(desired(application("rotating")), state(), observed(), mode="refresh-only")
    assert made.steps == ()


def test_import_of_another_id_is_refused() -> None:
    """An import block that names another client than the vendor shows is an error, and nothing is taken over."""
    from provisioner.address import parse_address
    from provisioner.model.desired import ImportBlock
    from provisioner.model.observed import ObservedApplication, ProviderObservation

    shown = {"application.app": ObservedApplication(exists=True, client_id="abc", scopes=())}
    seen = observed(panel=ProviderObservation(applications=shown))
    want = application("panel")
    block = ImportBlock(parse_address("application.app"), "abd")
    with pytest.raises(Invalid) as caught:
        plan(desired(want, imports=(block,)), state(), seen)
    assert caught.value.diagnostics[0].name == "bad-refactoring"
    right = ImportBlock(parse_address("application.app"), "abc")
    assert step(plan(desired(want, imports=(right,)), state(), seen), "application.app").importing == "abc"
