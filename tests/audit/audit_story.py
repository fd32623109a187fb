"""Thirty days of a small messaging team: everything that the audit's page can show happens once."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from audit_world import DAY, HOUR, MINUTE, NOW, Past, application, credit_floor, desired, policy

from provisioner.address import Address
from provisioner.engine import drafts
from provisioner.model.desired import Desired
from provisioner.model.recorded import CreditsRecord, TokenRecord

START = NOW - 30 * DAY


def told(folder: Path, *, now: datetime = NOW) -> Past:
    """The state as it is at `now`."""
    past = Past(folder, START)
    with past.run("apply", actor="github:ann", ci_run_url="https://ci.example/runs/1", note="first rollout"):
        past.application("application.campaigns", prevent_destroy=True)
        past.application("application.old", name="Old sender", client_id="aa11")
        web = past.create('token.campaigns["web"]', prevent_destroy=True)
        worker = past.create('token.campaigns["worker"]')
        past.create("token.old", life=None, requested_scopes=("sms",), scopes=("admin", "sms"))
        texts = past.pair("token.texts", life=12 * HOUR)
        floor = past.floor("credits.ez", 5200)
        past.floor("credits.tm", "80.50", provider="tm", provider_type="textmaster", unit="EUR", minimum=Decimal(100),
                   max_per_apply=None, max_per_day=None, on_shortfall="warn")  # fmt: skip
    _weeks(past, web, worker, texts, floor, now)
    return past


def _weeks(
    past: Past, web: TokenRecord, worker: TokenRecord, texts: TokenRecord, floor: CreditsRecord, now: datetime
) -> None:
    balance = 5200
    for number in range(1, 30):
        past.at = START + number * DAY
        with past.run("apply", actor="github:cron", ci_run_url=f"https://ci.example/runs/{number + 1}"):
            if number not in (11, 12, 13):
                texts = past.refresh(texts, life=36 * HOUR)
                web, gone = past.rotate(web, overlap=10 * MINUTE, life=30 * HOUR, prevent_destroy=True)
                past.wait(11 * MINUTE)
                past.revoke(gone)
            if number % 2 and number < 20:
                worker, _ = past.rotate(worker, life=3 * DAY)
            balance -= 190 + 37 * (number % 5)
            floor = past.read(floor, balance)
            if balance < 4000 and number != 26:
                floor = past.buy(floor, 1500)
                balance += 1500
        if number == 8:
            past.edit("state mv", put=(worker,))
        if number == 18:
            past.wait(3 * HOUR)
            balance += 1000
            floor = past.read(floor, balance)
        if number == 20:
            with past.run():
                past.lose('token.campaigns["web"]', until=NOW + 5 * DAY)
        if number == 26:
            floor, balance = _doubt(past, floor, balance)
    past.at = now


def _doubt(past: Past, floor: CreditsRecord, balance: int) -> tuple[CreditsRecord, int]:
    """A purchase in doubt for six hours, which a rise then settles; and one that is in doubt until now."""
    with past.run():
        operation = past.buying(floor, 2000)
        past.append(drafts.doubt(operation, {"balance": str(balance)}, "no answer came"))
    past.wait(6 * HOUR)
    seen = {"balance": str(balance + 2000), "unit": "credits"}
    with past.run("refresh"):
        past.append(drafts.settled(operation, "happened", "balance-rise", evidence=seen))
        floor = past.read(floor, balance + 2000)
    past.wait(timedelta(hours=1))
    with past.run("apply", note="campaign <b>tomorrow</b> & \u202egnp.exe"):
        open_one = past.operation(
            "token.revoke", "token.texts", provider="ez", provider_type="eztexting", object_id="x"
        )
        past.append(drafts.intent(open_one, "because"), drafts.doubt(open_one, {}, "the connection was closed"))
        past.append(drafts.handoff(["credits.tm"], []))
    return floor, balance + 2000


def declared() -> Desired:
    return desired(
        application(consumers=("web", "worker"), policy=policy(rotate_every=7 * DAY), prevent_destroy=True),
        application("texts", address=Address("application", "texts"), provider="ez", scopes=(), line=20),
        floors=(credit_floor(),),
    )
