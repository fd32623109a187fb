"""EZ Texting as its "Account Management" page, its portal's authentication and error pages describe it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from acc_server import Desk, Reply, Request, answer

REFRESH_LIFE = 60 * 86400


@dataclass
class Pair:
    access: str
    refresh: str
    made: float
    ends: float
    access_dead: bool = False
    refresh_dead: bool = False

    def lives(self) -> bool:
        return not self.access_dead and time.time() < self.ends


class EzTexting(Desk):
    """An account with a stored card. The attributes are what the documentation leaves open."""

    def __init__(self) -> None:
        super().__init__()
        self.username = "sender@example.com"
        self.password = 'ö"\\+:%/' + self.secret(12)  # every encoding on the way has to hold
        self.card = "0042"
        self.plan_credits = 100
        self.bought_credits = 2000
        self.spelling = "app_key"  # which spelling of the create body is understood: or "username", or "both"
        self.life = 5400
        self.old_refresh_lives = False  # after a refresh
        self.pair_dies = True  # a revoke ends both halves
        self.second_revoke: int = 400  # of a token that is dead or unknown
        self.purchase_answer = "empty"  # or "json", "created", "no-content"
        self.errors_observed = False  # the observed error shape instead of the documented one
        self.sells = True  # False: the card is declined
        self.sells_fewer = 0  # how many fewer than asked are added
        self.booking_lag = 0  # how many balance reads a purchase stays unseen
        self.pairs: list[Pair] = []
        self.purchases: list[dict[str, object]] = []
        self._unbooked: list[list[int]] = []

    # what the account shows

    @property
    def live(self) -> list[Pair]:
        return [pair for pair in self.pairs if pair.lives()]

    def refuse(self, status: int, title: str, detail: str = "") -> Reply:
        if self.errors_observed:
            return answer(
                {"status": status, "title": title, "errors": [{"code": str(status), "message": detail}]}, status
            )
        errors = [{"title": title, "message": detail}]
        return answer({"status": status, "title": title, "detail": detail, "errors": errors}, status)

    def respond(self, request: Request) -> Reply:
        routes = {
            ("POST", "/v1/tokens/create"): self._create,
            ("POST", "/v1/tokens/refresh"): self._refresh,
            ("POST", "/v1/tokens/revoke"): self._revoke,
            ("GET", "/v1/credits"): self._credits,
            ("POST", "/v1/credits/purchase"): self._purchase,
        }
        route = routes.get((request.method, request.path))
        if route is None:
            return self.refuse(404, "Not found", request.path)
        if request.method == "POST" and request.headers.get_content_type() != "application/json":
            return self.refuse(415, "Unsupported media type")
        if request.method == "POST" and request.json is None:
            return self.refuse(400, "Bad request", "the body is no JSON object")
        return route(request)

    # tokens: no authentication header is needed

    def _mint(self) -> Reply:
        now = time.time()
        pair = Pair(self.secret(16), self.secret(16), now, now + self.life)
        self.pairs.append(pair)
        return answer({"accessToken": pair.access, "refreshToken": pair.refresh, "expiresInSeconds": self.life})

    def _create(self, request: Request) -> Reply:
        given = request.json or {}
        spellings = {"app_key": ("appKey", "appSecret"), "username": ("username", "password")}
        for name, (user, word) in spellings.items():
            if self.spelling in (name, "both") and set(given) == {user, word}:
                if (given[user], given[word]) != (self.username, self.password):
                    return self.refuse(401, "Invalid username or password")
                return self._mint()
        return self.refuse(400, "Bad request", "missing fields")

    def _refresh(self, request: Request) -> Reply:
        given = (request.json or {}).get("refreshToken")
        for pair in self.pairs:
            if pair.refresh == given and not pair.refresh_dead and time.time() < pair.made + REFRESH_LIFE:
                if not self.old_refresh_lives:
                    pair.access_dead = pair.refresh_dead = True
                return self._mint()
        return self.refuse(401, "Invalid refresh token")

    def _revoke(self, request: Request) -> Reply:
        given = request.json or {}
        if given.get("type") not in ("ACCESS_TOKEN", "REFRESH_TOKEN"):
            return self.refuse(400, "Bad request", "type")
        part = "access" if given["type"] == "ACCESS_TOKEN" else "refresh"
        for pair in self.pairs:
            if getattr(pair, part) == given.get("token") and not getattr(pair, f"{part}_dead"):
                setattr(pair, f"{part}_dead", True)
                if self.pair_dies:
                    pair.access_dead = pair.refresh_dead = True
                return Reply()
        return Reply() if self.second_revoke == 200 else self.refuse(self.second_revoke, "Unknown token")

    # credits: Basic or Bearer

    def _known(self, request: Request) -> bool:
        if request.basic is not None:
            return request.basic == (self.username, self.password)
        return any(pair.access == request.bearer for pair in self.live)

    def _credits(self, request: Request) -> Reply:
        if not self._known(request):
            missing = request.headers.get("Authorization") is None
            return self.refuse(401, "Missing authorization header" if missing else "Invalid username or password")
        for waiting in list(self._unbooked):
            waiting[0] -= 1
            if waiting[0] < 0:
                self.bought_credits += waiting[1]
                self._unbooked.remove(waiting)
        total = self.plan_credits + self.bought_credits
        return answer({"planCredits": self.plan_credits, "anytimeCredits": self.bought_credits, "totalCredits": total})

    def _purchase(self, request: Request) -> Reply:
        if not self._known(request):
            return self.refuse(401, "Invalid username or password")
        given = request.json or {}
        amount, card = given.get("credits"), given.get("creditCardLastFour")
        extra = set(given) - {"credits", "creditCardLastFour", "couponCode"}
        if type(amount) is not int or amount <= 0 or not isinstance(card, str) or extra:
            return self.refuse(400, "Bad request", "credits, creditCardLastFour")
        if card != self.card or not self.sells:
            return self.refuse(400, "Card declined", "the card cannot be charged")
        self.purchases.append(dict(given))
        self._unbooked.append([self.booking_lag, amount - self.sells_fewer])
        if not self.booking_lag:
            self.bought_credits += self._unbooked.pop()[1]
        bought = {"boughtCredits": amount, "amount": amount * 0.02, "totalCredits": self.bought_credits}
        return {
            "empty": Reply(),
            "json": answer(bought),
            "created": answer({"id": 12}, 201),
            "no-content": Reply(204),
        }[self.purchase_answer]
