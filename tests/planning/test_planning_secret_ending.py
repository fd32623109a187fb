"""A registered client whose secret ends: when a plan begins to say so."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from provisioner.address import Address
from provisioner.model.recorded import CREATED, ApplicationRecord
from provisioner.planning.registered import secret_ending
from provisioner.times import from_rfc3339

BEGAN = from_rfc3339("2026-01-01T00:00:00Z")
ENDS = BEGAN + timedelta(days=90)


def client(created_at: datetime | None = None, **registration: Any) -> ApplicationRecord:
    return ApplicationRecord(
        id="obj-1",
        address=Address("application", "app"),
        provider="idp",
        provider_type="oauth2",
        name="app",
        client_id="cid",
        managed=CREATED,
        created_at=created_at,
        registration={"client_secret_expires_at": int(ENDS.timestamp()), **registration},
    )


@pytest.mark.parametrize(("days", "said"), [(0, False), (59, False), (61, True), (90, True), (400, True)])
def test_a_third_of_the_life_is_left(days: int, said: bool) -> None:
    """By the server's word for the beginning, which is optional, or by our own."""
    now = BEGAN + timedelta(days=days)
    issued = client(client_id_issued_at=int(BEGAN.timestamp()))
    registered = client(BEGAN)
    assert [secret_ending(one, now) is not None for one in (issued, registered)] == [said, said]


def test_without_any_beginning_it_is_always_said() -> None:
    """Too early is better than too late."""
    assert secret_ending(client(), BEGAN) is not None
    assert secret_ending(client(client_secret_expires_at=0), ENDS) is None
