"""Every kind of step at every vendor, as a scene: how to come to it, the run that is ended, and what is declared.

A scene's run is what the sweep kills and the matrix sends faults at. Adding a scene here is enough for both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from night import Ended, Night

APPLY = ("apply", "--auto-approve", "--parallelism", "1")
DESTROY = ("destroy", "--auto-approve", "--parallelism", "1")

HEAD = '[stack]\nname = "night"\n'
EZ = """
[providers.ez]
type = "eztexting"
base_url = "{base}/eztexting"
username = { env = "EZ_USERNAME" }
password = { env = "EZ_PASSWORD" }
"""
EZ_TOKEN = '[applications.texts]\nprovider = "ez"\n'
EZ_OVERLAP = '[token_policies.default]\noverlap = "10m"\n'
EZ_FLOOR = """
[credits.ez]
provider = "ez"
minimum = 4000
pack = 500
max_per_apply = 3000
max_per_day = 5000
card_last_four = { env = "EZ_CARD_LAST_FOUR" }
"""
CX = """
[providers.cx]
type = "smscx"
base_url = "{base}/smscx"
api_key = { env = "SMSCX_API_KEY" }
"""
CX_TOKENS = """
[applications.campaigns]
provider = "cx"
name = "Campaign sender"
scopes = ["sms", "groups"]
token_lifetime = "1d"
consumers = ["web", "worker"]
"""
CX_FLOOR = '[credits.cx]\nprovider = "cx"\nminimum = 1\n'
TM = """
[providers.tm]
type = "textmaster"
base_url = "{base}/textmaster"

[applications.translations]
provider = "tm"
client_id = { env = "TM_CLIENT_ID" }
client_secret = { env = "TM_CLIENT_SECRET" }
redirect_uri = "urn:ietf:wg:oauth:2.0:oob"
scopes = ["user:read", "project:read"]
"""
TM_FLOOR = '[credits.tm]\nprovider = "tm"\nminimum = 10\n'
TK = """
[providers.tk]
type = "textking"
base_url = "{base}/textking"

[applications.copywriting]
provider = "tk"
client_id = { env = "TK_CLIENT_ID" }
client_secret = { env = "TK_CLIENT_SECRET" }
redirect_uri = "http://127.0.0.1/callback"
"""
IDP = """
[providers.idp]
type = "oauth2"
issuer = "{base}/oauth2"
initial_access_token = { env = "IDP_INITIAL_ACCESS_TOKEN" }
"""
IDP_WORKER = '[applications.worker]\nprovider = "idp"\nscopes = ["credits:read"]\n'
IDP_PERSON = """
[applications.desk]
provider = "idp"
client_id = { env = "IDP_CLIENT_ID" }
client_secret = { env = "IDP_CLIENT_SECRET" }
redirect_uri = "http://127.0.0.1/callback"
scopes = ["credits:read"]
"""

HOUR = 3600.0


@dataclass(frozen=True)
class Scene:
    """`vendor` is whose requests it sends. `reach` comes to where the run begins, without a fault. `run` is the run,
    given what shall happen to it; `person`: it is an `authorize`, whose code is spent with it."""

    name: str
    vendor: str
    steps: tuple[str, ...]
    reach: Callable[[Night], object]
    argv: tuple[str, ...] = APPLY
    again: tuple[str, ...] = APPLY  # what a scheduler runs next, with nobody's help
    person: str | None = None
    switches: dict[str, str] = field(default_factory=dict)
    quick: bool = True  # part of every test run; the others, which repeat its steps, are part of `make sweep`

    @property
    def serves(self) -> bool:
        """Whether a token that works serves at every moment: a refresh kills the old one before it hands out the new,
        and where everything is to go nothing needs to serve."""
        ends = self.again is DESTROY or self.name.endswith(("-delete", "-forget"))
        return "token.refresh" not in self.steps and not ends

    def set_up(self, night: Night) -> None:
        if self.switches:
            night.control("switches", **self.switches)
        self.reach(night)

    def run(self, night: Night, **fate: object) -> Ended:
        if self.person is not None:
            return night.authorize(self.person, **fate)
        return night.run(*self.argv, **fate)


def sure(ended: Ended, *codes: int) -> Ended:
    assert ended.code in (codes or (0,)), ended
    return ended


def declared(*parts: str) -> Callable[[Night], object]:
    """Nothing is recorded yet."""
    return lambda night: night.write(HEAD, *parts)


def applied(*parts: str, later: float = 0.0) -> Callable[[Night], object]:
    """All of it is there, and `later` seconds have gone by."""

    def reach(night: Night) -> None:
        night.write(HEAD, *parts)
        sure(night.apply())
        night.at_clock(later)

    return reach


def edited(before: tuple[str, ...], after: tuple[str, ...]) -> Callable[[Night], object]:
    """Another file than the one that was applied."""

    def reach(night: Night) -> None:
        applied(*before)(night)
        night.write(HEAD, *after)

    return reach


def authorized(application: str, *parts: str, later: float = 0.0) -> Callable[[Night], object]:
    def reach(night: Night) -> None:
        night.write(HEAD, *parts)
        sure(night.apply(), 3)
        sure(night.authorize(application))
        sure(night.apply())
        night.at_clock(later)

    return reach


def waiting(*parts: str) -> Callable[[Night], object]:
    """Everything but the person's word."""

    def reach(night: Night) -> None:
        night.write(HEAD, *parts)
        sure(night.apply(), 3)

    return reach


def overlapping(night: Night) -> None:
    """A replaced token whose overlap has just ended."""
    applied(EZ_OVERLAP, EZ, EZ_TOKEN)(night)
    sure(night.apply("--replace", "token.texts"))
    night.at_clock(11 * 60)


def broke(night: Night) -> None:
    """A floor that was met, and a balance that fell below it."""
    applied(EZ, EZ_TOKEN, EZ_FLOOR)(night)
    night.panel("eztexting", "set_credits", plan=100, anytime=2000)


def wider(night: Night) -> None:
    applied(IDP, IDP_WORKER)(night)
    night.write(HEAD, IDP, IDP_WORKER.replace('"credits:read"', '"credits:read", "credits:write"'))


def deleted(night: Night) -> None:
    applied(IDP, IDP_WORKER)(night)
    night.write(HEAD, IDP)


def counted_on(night: Night) -> None:
    """A floor that was declared after its account's token was there."""
    authorized("translations", TM)(night)
    night.write(HEAD, TM, TM_FLOOR)


def reviewed(night: Night) -> None:
    broke(night)
    sure(night.run("plan", "--out", "night.plan"))


SCENES: tuple[Scene, ...] = (
    Scene("eztexting-create", "eztexting", ("token.create",), declared(EZ, EZ_TOKEN), quick=False),
    Scene("eztexting-first-apply", "eztexting", ("token.create", "credits.purchase"), declared(EZ, EZ_TOKEN, EZ_FLOOR)),
    Scene("eztexting-refresh", "eztexting", ("token.refresh",), applied(EZ, EZ_TOKEN, later=HOUR)),
    Scene(
        "eztexting-replace", "eztexting", ("token.replace", "token.revoke"), applied(EZ, EZ_TOKEN),
        (*APPLY, "--replace", "token.texts"),
    ),
    Scene("eztexting-retire", "eztexting", ("token.revoke",), overlapping),
    Scene("eztexting-destroy", "eztexting", ("token.revoke", "forget"), applied(EZ, EZ_TOKEN, EZ_FLOOR),
          DESTROY, DESTROY),
    Scene("eztexting-purchase", "eztexting", ("credits.purchase",), broke),
    Scene("smscx-adopt", "smscx", ("application.adopt", "token.create", "credits.record"),
          declared(CX, CX_TOKENS, CX_FLOOR)),
    Scene(
        "smscx-replace", "smscx", ("token.replace",), applied(CX, CX_TOKENS),
        (*APPLY, "--replace", 'token.campaigns["web"]'),
    ),
    Scene("smscx-due", "smscx", ("token.replace",), applied(CX, CX_TOKENS, later=20 * HOUR), quick=False),
    Scene("smscx-forget", "smscx", ("forget",), edited((CX, CX_TOKENS), (CX,))),
    Scene("textmaster-adopt", "textmaster", ("application.adopt", "handoff"), declared(TM)),
    Scene("textmaster-authorize", "textmaster", ("token.authorize",), waiting(TM, TM_FLOOR), person="translations"),
    Scene("textmaster-credits", "textmaster", ("credits.record",), counted_on, quick=False),
    Scene("eztexting-saved-plan", "eztexting", ("credits.purchase",), reviewed, ("apply", "night.plan"), quick=False),
    Scene("eztexting-token", "eztexting", ("token.refresh",), applied(EZ, EZ_TOKEN, later=HOUR),
          ("token", "token.texts", "--min-ttl", "1h"), quick=False),
    Scene("textmaster-refresh", "textmaster", ("token.refresh",),
          authorized("translations", TM, TM_FLOOR, later=7 * HOUR)),
    Scene("textmaster-refresh-on-use", "textmaster", ("token.refresh",),
          authorized("translations", TM, later=7 * HOUR), switches={"textmaster.rotation": "on_use"}, quick=False),
    Scene("textmaster-revoke", "textmaster", ("token.revoke", "forget"), authorized("translations", TM),
          DESTROY, DESTROY, switches={"textmaster.revoke": "on"}),
    Scene("textking-authorize", "textking", ("token.authorize",), waiting(TK), person="copywriting"),
    Scene("textking-refresh", "textking", ("token.refresh",), authorized("copywriting", TK, later=21 * 24 * HOUR)),
    Scene("oauth2-register", "oauth2", ("application.register", "token.create"), declared(IDP, IDP_WORKER)),
    Scene("oauth2-update", "oauth2", ("application.update", "token.replace", "token.revoke"), wider),
    Scene(
        "oauth2-rotate", "oauth2", ("application.rotate", "token.replace", "token.revoke", "application.delete"),
        applied(IDP, IDP_WORKER), (*APPLY, "--replace", "application.worker"),
    ),
    Scene("oauth2-replace", "oauth2", ("token.replace", "token.revoke"), applied(IDP, IDP_WORKER),
          (*APPLY, "--replace", "token.worker"), quick=False),
    Scene("oauth2-delete", "oauth2", ("token.revoke", "application.delete"), deleted),
    Scene("oauth2-authorize", "oauth2", ("token.authorize",), waiting(IDP, IDP_PERSON), person="desk"),
    Scene("oauth2-refresh", "oauth2", ("token.refresh",), authorized("desk", IDP, IDP_PERSON, later=0.9 * HOUR)),
)  # fmt: skip
