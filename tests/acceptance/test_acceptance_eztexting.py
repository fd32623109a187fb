"""Contract sections 2 to 5 for EZ Texting, against a server written from the vendor's documentation alone.

Every docstring is the sentence of the contract, or of the issue that it serves, which the test checks.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from acc_stack import Stack, summary, tail

if TYPE_CHECKING:
    from acc_eztexting import EzTexting


def declare(
    stack: Stack, ez: EzTexting, *, floor: str = "", policy: str = "", provider: str = "", more: str = ""
) -> None:
    stack.env |= {"EZ_USERNAME": ez.username, "EZ_PASSWORD": ez.password, "EZ_CARD": ez.card}
    stack.write(
        f"""
[providers.ez]
type = "eztexting"
base_url = "{ez.base}"
username = {{ env = "EZ_USERNAME" }}
password = {{ env = "EZ_PASSWORD" }}
{provider}
[applications.texts]
provider = "ez"
{more}
[token_policies.default]
{policy}
"""
        + (f'[credits.ez]\nprovider = "ez"\ncard_last_four = {{ env = "EZ_CARD" }}\n{floor}\n' if floor else "")
    )


FLOOR = "minimum = 2000\npack = 500\nmax_per_apply = 3000"


@pytest.mark.parametrize("spelling", ["app_key", "username"])
def test_the_first_apply(stack: Stack, ez: EzTexting, spelling: str) -> None:
    """plan, apply, plan again, token: a token and a floor are created, and nothing is left to do, in either published
    spelling of the token request."""
    ez.spelling = spelling
    ez.errors_observed = spelling == "username"
    declare(stack, ez, floor=FLOOR, provider=f'credential_fields = "{spelling}"')
    planned = stack.run("plan", "--detailed-exitcode", code=2).stdout
    assert "  # token.texts will be created" in planned
    assert "Plan: 2 to add, 0 to change, 0 to destroy." in planned
    assert "application.texts" not in planned, "EZ Texting gives an application no resource of its own"
    assert not ez.pairs, "a plan changes nothing"
    applied = stack.run("apply", "--auto-approve").stdout
    assert "Apply complete! Resources: 2 added, 0 changed, 0 destroyed." in applied
    stack.quiet()
    printed = stack.run("token", "token.texts").stdout
    assert [pair.access + "\n" for pair in ez.live] == [printed]
    assert set(stack.values("token.texts")) >= {
        *("application", "consumer", "status", "issued_at", "expires_at", "refresh_expires_at", "scopes"),
        *("fingerprint", "generation"),
    }
    money = stack.values("credits.ez")
    assert (money["balance"], money["unit"], money["minimum"]) == (2100, "credits", 2000)
    assert money["purchased_last_24h"] == 0
    assert money["observed_at"].endswith("Z")
    stack.hunt(ez.secrets, handed_out=[printed])
    assert set(stack.modes().values()) == {"-rw-------"}


def test_the_other_spelling_is_a_refusal(stack: Stack, ez: EzTexting) -> None:
    """A create body that the account does not take is one step refused while the rest went on: exit 1."""
    ez.spelling = "username"
    declare(stack, ez, floor=FLOOR)
    ran = stack.run("apply", "--auto-approve", "--json", code=1)
    assert summary(ran.lines())["results"] == {"token.texts": "failed", "credits.ez": "done"}
    assert not ez.pairs


@pytest.mark.parametrize("answer", tail("empty", "json", slow=("created", "no-content")))
def test_a_fall_of_the_balance(stack: Stack, ez: EzTexting, answer: str) -> None:
    """Below the floor whole packs are bought up to the target, once, whatever the purchase's answer looks like."""
    ez.purchase_answer = answer
    declare(stack, ez, floor=FLOOR + '\ntarget = 2600\nunit_price = "0.02"\ncurrency = "USD"')
    stack.run("apply", "--auto-approve")
    ez.bought_credits = 1500
    planned = stack.run("plan").stdout
    assert "Buys up to 1000 credits at ez (20.00 USD)." in planned
    assert "Plan: 0 to add, 1 to change, 0 to destroy." in planned
    change = stack.changes()["credits.ez"]
    assert change["change"]["actions"] == ["update"]
    assert change["change"]["after"]["purchase"] == 1000
    assert change["change"]["before"]["balance"] == 1600
    applied = stack.run("apply", "p.plan").stdout
    assert "Apply complete! Resources: 0 added, 1 changed, 0 destroyed." in applied
    assert ez.purchases == [{"credits": 1000, "creditCardLastFour": "0042"}]
    assert stack.values("credits.ez")["balance"] == 2600
    assert stack.values("credits.ez")["purchased_last_24h"] == 1000
    stack.quiet()


def test_a_coupon_goes_with_a_purchase(stack: Stack, ez: EzTexting) -> None:
    """`coupon` and `card_last_four` are sent as they are, zeros and all."""
    ez.bought_credits = 0
    stack.env["EZ_COUPON"] = "0099"
    declare(stack, ez, floor=FLOOR + '\ncoupon = { env = "EZ_COUPON" }')
    stack.run("apply", "--auto-approve")
    assert ez.purchases == [{"credits": 2000, "creditCardLastFour": "0042", "couponCode": "0099"}]


@pytest.mark.slow
def test_guards_cut_a_purchase(stack: Stack, ez: EzTexting) -> None:
    """One purchase is cut to what the guards leave, in whole packs; a floor that stays unmet because a guard was
    reached: exit 3; max_per_day counts over the recorded state."""
    ez.bought_credits, ez.plan_credits = 0, 0
    declare(stack, ez, floor="minimum = 2000\npack = 300\nmax_per_apply = 1000\nmax_per_day = 1300")
    assert stack.changes()["credits.ez"]["change"]["after"]["purchase"] == 900
    stack.run("apply", "--auto-approve", code=3)
    stack.run("apply", "--auto-approve", code=3)
    stack.run("apply", "--auto-approve", code=3)
    assert [p["credits"] for p in ez.purchases] == [900, 300]
    assert stack.values("credits.ez")["purchased_last_24h"] == 1200


def test_on_shortfall_warn(stack: Stack, ez: EzTexting) -> None:
    """`on_shortfall = "warn"`: what a floor that cannot be met means is a warning and 0."""
    ez.bought_credits = 0
    declare(stack, ez, floor='minimum = 2000\nmax_per_apply = 500\nmax_per_day = 500\non_shortfall = "warn"')
    stack.run("apply", "--auto-approve", code=None)
    ran = stack.run("apply", "--auto-approve")
    assert "Warning: " in ran.text
    assert len(ez.purchases) == 1


def test_a_purchase_is_never_more_than_was_reviewed(stack: Stack, ez: EzTexting) -> None:
    """It re-reads each balance before a purchase: it may buy less than was reviewed, never more."""
    declare(stack, ez, floor=FLOOR + "\ntarget = 3000")
    stack.run("apply", "--auto-approve")
    ez.bought_credits = 1000
    stack.run("plan", "--out", "less.plan")
    ez.bought_credits = 1600
    stack.run("apply", "less.plan")
    assert [p["credits"] for p in ez.purchases] == [1500]
    ez.bought_credits = 1500
    stack.run("plan", "--out", "more.plan")
    ez.bought_credits = 0
    stack.run("apply", "more.plan", code=None)
    assert [p["credits"] for p in ez.purchases] == [1500, 1500]


@pytest.mark.parametrize("how", tail("drop", slow=("half", "html", 500)))
@pytest.mark.parametrize("after", [True, False])
def test_a_purchase_in_doubt(stack: Stack, ez: EzTexting, how: int | str, after: bool) -> None:
    """A purchase whose answer did not come is in doubt: exit 3, never sent again on its own; a rise settles it, and
    without one `resolve` does."""
    ez.bought_credits = 0
    ez.purchase_answer = "json"
    declare(stack, ez, floor=FLOOR)
    stack.run("apply", "--auto-approve", "--target", "token.texts")
    ez.arm("/v1/credits/purchase", how, after=after)
    ran = stack.run("apply", "--auto-approve", "--json", code=None)
    if after:
        assert len(ez.purchases) == 1
        stack.run("apply", "--auto-approve")
        assert ran.returncode in (0, 3)
    else:
        assert ran.returncode == 3
        assert summary(ran.lines())["results"]["credits.ez"] == "in_doubt"
        for _ in range(2):
            stack.run("apply", "--auto-approve", code=3)
        assert not ez.purchases
        assert ez.count("/v1/credits/purchase") == 1
        (doubt,) = stack.state()["in_doubt"]
        assert set(doubt) >= {"operation", "address", "kind", "since", "evidence"}
        assert doubt["address"] == "credits.ez"
        assert doubt["operation"] in stack.run("apply", "--auto-approve", code=3).text
        stack.run("resolve", doubt["operation"], "--as", "did-not-happen")
        assert stack.state()["in_doubt"] == []
        stack.run("apply", "--auto-approve")
    assert len(ez.purchases) == 1
    assert stack.values("credits.ez")["purchased_last_24h"] == 2000
    stack.quiet()


@pytest.mark.slow
def test_resolve_as_happened(stack: Stack, ez: EzTexting) -> None:
    """`resolve OPERATION --as happened` counts the purchase against the guards."""
    ez.bought_credits, ez.plan_credits = 0, 0
    declare(stack, ez, floor="minimum = 2000\nmax_per_apply = 3000\nmax_per_day = 3000")
    ez.arm("/v1/credits/purchase", 500)
    stack.run("apply", "--auto-approve", code=3)
    (doubt,) = stack.state()["in_doubt"]
    stack.run("resolve", doubt["operation"], "--as", "happened")
    assert stack.values("credits.ez")["purchased_last_24h"] == 2000
    stack.run("apply", "--auto-approve", code=3)
    assert [p["credits"] for p in ez.purchases] == [1000]


@pytest.mark.slow
def test_doubt_settles_after(stack: Stack, ez: EzTexting) -> None:
    """An exactly unchanged balance for this long settles a purchase in doubt as not happened."""
    ez.bought_credits = 0
    declare(stack, ez, floor=FLOOR + '\ndoubt_settles_after = "2s"')
    ez.arm("/v1/credits/purchase", 502)
    stack.run("apply", "--auto-approve", code=3)
    time.sleep(2.1)
    stack.run("apply", "--auto-approve", code=None)
    time.sleep(2.1)
    stack.run("apply", "--auto-approve", code=0)
    assert len(ez.purchases) == 1
    stack.quiet()


def test_a_declined_card(stack: Stack, ez: EzTexting) -> None:
    """A purchase that the vendor refuses is one failed step (1); nothing was bought, and the next run may try again."""
    ez.bought_credits, ez.sells = 0, False
    declare(stack, ez, floor=FLOOR)
    ran = stack.run("apply", "--auto-approve", "--json", code=1)
    assert summary(ran.lines())["results"] == {"token.texts": "done", "credits.ez": "failed"}
    assert stack.state()["in_doubt"] == []
    ez.sells = True
    stack.run("apply", "--auto-approve")
    assert len(ez.purchases) == 1


@pytest.mark.parametrize("old_lives", tail(False, slow=(True,)))
def test_a_renewal(stack: Stack, ez: EzTexting, old_lives: bool) -> None:
    """A token renewal by refresh is an `update`; what is due before the next run is renewed now; at no other time."""
    ez.life, ez.old_refresh_lives = 8, old_lives
    declare(stack, ez)
    stack.run("apply", "--auto-approve")
    stack.quiet()
    first = stack.values("token.texts")
    time.sleep(5.6)
    assert stack.actions() == {"token.texts": ["update"]}
    assert "# token.texts will be updated in-place" in stack.run("plan").stdout
    stack.run("apply", "--auto-approve")
    second = stack.values("token.texts")
    assert ez.count("/v1/tokens/refresh") == 1
    assert ez.count("/v1/tokens/create") == 1
    assert second["generation"] == first["generation"] + 1
    assert second["fingerprint"] != first["fingerprint"]
    assert stack.run("token", "texts").stdout.strip() == ez.pairs[-1].access
    stack.hunt(ez.secrets, handed_out=[stack.said[-2]])


def test_plan_at_shows_what_will_be_due(stack: Stack, ez: EzTexting) -> None:
    """`--at TIME`: what would fall due then."""
    declare(stack, ez)
    stack.run("apply", "--auto-approve")
    assert stack.actions("--at", "+30m") == {}
    assert stack.actions("--at", "+61m") == {"token.texts": ["update"]}
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3700))
    assert stack.actions("--at", later) == {"token.texts": ["update"]}


def test_token_renews_where_it_must(stack: Stack, ez: EzTexting) -> None:
    """`token ADDRESS --min-ttl D` prints a token that is valid now, renewing it first where it must."""
    declare(stack, ez)
    stack.run("apply", "--auto-approve")
    first = stack.run("token", "token.texts").stdout
    assert stack.run("token", "token.texts", "--min-ttl", "80m").stdout == first
    ez.pairs[-1].ends = time.time() + 5400
    header = stack.run("token", "token.texts", "--min-ttl", "89m59s", "--format", "header").stdout
    assert header in (f"Authorization: Bearer {ez.live[-1].access}\n", f"Authorization: Bearer {first}")
    shown = stack.run("token", "token.texts", "--format", "json").json()
    assert shown["access_token"] == ez.live[-1].access
    stack.hunt(ez.secrets, handed_out=stack.said)


def test_a_lapsed_token_is_renewed_by_token(stack: Stack, ez: EzTexting) -> None:
    """`token` never prints what is dead: a lapsed access token is refreshed first."""
    ez.life = 2
    declare(stack, ez)
    stack.run("apply", "--auto-approve")
    time.sleep(2.2)
    printed = stack.run("token", "token.texts").stdout.strip()
    assert printed == ez.pairs[-1].access
    assert ez.count("/v1/tokens/refresh") == 1


@pytest.mark.parametrize("pair_dies", [True, False])
@pytest.mark.parametrize("second", tail(200, 400, slow=(404,)))
def test_a_rotation(stack: Stack, ez: EzTexting, pair_dies: bool, second: int) -> None:
    """A rotation is `["create","delete"]`; with no overlap the old one is revoked in the same apply, both halves."""
    ez.pair_dies, ez.second_revoke = pair_dies, second
    declare(stack, ez)
    stack.run("apply", "--auto-approve")
    assert "# token.texts will be replaced, as requested" in stack.run("plan", "--replace", "token.texts").stdout
    change = stack.changes("--replace", "token.texts")["token.texts"]
    assert change["change"]["actions"] == ["create", "delete"]
    assert change["action_reason"] == "replace_by_request"
    applied = stack.run("apply", "p.plan").stdout
    assert "Apply complete! Resources: 1 added, 0 changed, 1 destroyed." in applied
    old, new = ez.pairs
    assert old.access_dead
    assert old.refresh_dead
    assert new.lives()
    assert [r["address"] for r in stack.resources()] == ["token.texts"]
    stack.quiet()


def test_a_rotation_with_an_overlap(stack: Stack, ez: EzTexting) -> None:
    """A token that is kept alive for an overlap while its replacement already serves is a *deposed* object of the same
    address; past the overlap it is deleted."""
    declare(stack, ez, policy='overlap = "3s"\nrotate_every = "2s"')
    stack.run("apply", "--auto-approve")
    time.sleep(2.1)
    change = stack.changes()["token.texts"]
    assert change["change"]["actions"] == ["create", "delete"]
    stack.run("apply", "p.plan")
    started = time.time()
    assert len(ez.live) == 2
    found = {(r["address"], r.get("deposed") is not None): r["values"]["status"] for r in stack.resources()}
    assert found == {("token.texts", False): "live", ("token.texts", True): "retiring"}
    time.sleep(max(0.0, started + 3.1 - time.time()))
    stack.write((stack.folder / "provisioner.toml").read_text().replace('rotate_every = "2s"', ""))
    deposed = {a: c for a, c in stack.changes().items() if "#" in a}
    ((address, step),) = deposed.items()
    assert step["change"]["actions"] == ["delete"]
    assert step["deposed"] == address.partition("#")[2]
    stack.run("apply", "--auto-approve")
    assert [pair.access for pair in ez.live] == [ez.pairs[1].access]
    stack.quiet()


def test_destroy(stack: Stack, ez: EzTexting) -> None:
    """`destroy`: tokens are revoked, a floor is forgotten."""
    declare(stack, ez, floor=FLOOR)
    stack.run("apply", "--auto-approve")
    actions = stack.actions("--destroy")
    assert actions == {"token.texts": ["delete"], "credits.ez": ["forget"]}
    assert "# token.texts will be destroyed" in stack.run("plan", "--destroy").stdout
    ran = stack.run("destroy", "--auto-approve")
    assert "Resources: 1 destroyed." in ran.stdout
    assert ez.live == []
    assert stack.resources() == []


def test_on_destroy_keep(stack: Stack, ez: EzTexting) -> None:
    """`on_destroy = "keep"` forgets the token and leaves it alive."""
    declare(stack, ez, policy='on_destroy = "keep"')
    stack.run("apply", "--auto-approve")
    assert stack.actions("--destroy") == {"token.texts": ["forget"]}
    stack.run("destroy", "--auto-approve")
    assert len(ez.live) == 1
    assert stack.resources() == []


@pytest.mark.parametrize("how", tail("drop", "shape", slow=("half", "html", 500)))
@pytest.mark.parametrize("after", [True, False])
def test_a_creation_in_doubt(stack: Stack, ez: EzTexting, how: int | str, after: bool) -> None:
    """A creation whose answer did not come is in doubt (3); the next run creates another and records the first as
    `lost`, a deposed object with a null fingerprint."""
    declare(stack, ez)
    ez.arm("/v1/tokens/create", how, after=after)
    ran = stack.run("apply", "--auto-approve", "--json", code=None)
    assert ran.returncode == 3, ran.text
    stack.run("apply", "--auto-approve", code=None)
    assert stack.values("token.texts")["status"] == "live"
    lost = [r for r in stack.resources() if r["values"].get("status") == "lost"]
    assert len(lost) == 1
    assert lost[0]["deposed"]
    assert lost[0]["values"]["fingerprint"] is None
    assert lost[0]["values"]["expires_at"] is not None
    stack.run("plan", "--detailed-exitcode")


@pytest.mark.parametrize("how", tail("drop", slow=("half", 500)))
@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("old_lives", tail(False, slow=(True,)))
def test_a_refresh_in_doubt(stack: Stack, ez: EzTexting, how: int | str, after: bool, old_lives: bool) -> None:
    """A refresh whose answer did not come is tried once with the token we still have; where that is dead a fresh grant
    replaces it with no person."""
    declare(stack, ez)
    ez.old_refresh_lives = old_lives
    ez.life = 6
    stack.run("apply", "--auto-approve")
    time.sleep(4.1)
    ez.life = 5400
    ez.arm("/v1/tokens/refresh", how, after=after)
    stack.run("apply", "--auto-approve", code=3)
    assert stack.state()["in_doubt"]
    stack.run("apply", "--auto-approve", code=None)
    stack.run("apply", "--auto-approve", code=0)
    assert stack.state()["in_doubt"] == []
    assert stack.run("token", "texts").stdout.strip() in {pair.access for pair in ez.live}
    stack.quiet()
