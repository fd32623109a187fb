"""When a token is due, from the lifetime that was granted (contract section 2, design section 3).

A server that shortens lifetimes cannot cause a storm: nothing here looks at what was asked for.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

from provisioner.model.desired import TokenPolicy
from provisioner.times import format_duration


def window(life: timedelta, renew_before: timedelta | None) -> timedelta:
    """How much life a token must have left: `renew_before`, else a third of its life; never more than half of it."""
    return min(renew_before if renew_before is not None else life / 3, life / 2)


def due_at(issued: datetime, expires: datetime, policy: TokenPolicy, run_interval: timedelta) -> datetime:
    """The moment from which a run renews the token.

    What would fall due before the next run is done now, but a token is left alone for the first half of its life (which
    also keeps two renewals a tenth of it apart): one that cannot live until the next run is renewed at each run in its
    second half, and `gap` says so.
    """
    return issued + _due_age(expires - issued, policy.renew_before, run_interval)


@lru_cache(1024)  # a stack has few different lives
def _due_age(life: timedelta, renew_before: timedelta | None, run_interval: timedelta) -> timedelta:
    if life <= timedelta():
        return timedelta()
    return max(life - window(life, renew_before) - run_interval, life / 2)


def rotation_due_at(began: datetime, policy: TokenPolicy, run_interval: timedelta) -> datetime | None:
    """The moment from which a run replaces the token for its age; None where the policy never does."""
    if policy.rotate_every is None:
        return None
    return max(began + policy.rotate_every - run_interval, began + policy.rotate_every / 2)


def gap(life: timedelta | None, run_interval: timedelta) -> str | None:
    """A sentence where a token of this life can lapse between two runs, else None.

    A run may meet the token just before half of its life and leave it alone; the next comes `run_interval` later.
    """
    if life is None or life <= timedelta() or run_interval <= life / 2:
        return None
    return (
        f"a token that lives {format_duration(life)} can lapse between runs {format_duration(run_interval)} apart; "
        f"run every {format_duration(life / 2)} or more often, and set stack.run_interval to that"
    )
