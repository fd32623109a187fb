"""The whole tree of errors, and the diagnostics that users read.

    ProvisionerError            what happened to which address, what to do next, a stable code, an exit code
    ├── Invalid            4    the desired-state file, the command line: every problem at once
    ├── LockHeld           5
    ├── PlanRefused        6    a saved plan that is stale, altered or another stack's
    ├── StateUntrusted     7    damaged, altered, rolled back, of a newer format, cannot be decrypted
    ├── StoreFailed        1    the recorded state cannot be reached or written: nothing is sent after it
    │   └── HeadMoved      1    somebody else appended first: the fence of every store
    ├── ProviderFailed     8    of a read, or of a request that certainly did nothing
    │   ├── CredentialsRefused
    │   ├── Unreachable         nothing was sent, or a read got no answer
    │   └── BadAnswer           a read was answered with what cannot be understood
    ├── StepRefused        1    the vendor said a definite no to one change (invalid_scope, a declined card)
    │   └── RateLimited         the definite no that passes: `retry_after` says when
    ├── InDoubt            3    a change was sent and its outcome is not known
    ├── NeedsPerson        3    an authorization, a handoff
    ├── Unsafe             9    refused for safety; nothing was sent
    └── Interrupted      130

Codes are stable and listed in docs/diagnostics.md; `codes.py` holds the table and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from provisioner.codes import CODES
from provisioner.records import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """A line of the desired-state file, without what may be a secret. `start` and `end` are the characters that are
    meant, `byte` is where the line begins in the file, `context` the header of its table."""

    code: str
    start: int
    end: int
    byte: int
    context: str | None = None

    def offset(self, characters: int) -> int:
        """Bytes from the beginning of the line."""
        return len(self.code[:characters].encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One message for a person and for machines. `name` is a key of `codes.CODES`.

    `detail` says what happened and what to do next; neither it nor `summary` ever holds a secret value.
    """

    name: str
    summary: str
    detail: str = ""
    severity: str = "error"  # or "warning", "note"
    address: str | None = None
    file: str | None = None
    line: int | None = None
    key_path: str | None = None  # `applications.campaigns.scopes[1]`
    snippet: Snippet | None = None

    @property
    def code(self) -> str:
        return CODES[self.name].code

    def masked(self, mask: Callable[[str], str]) -> Diagnostic:
        """The same with `mask` over what other people's code may have worded."""
        summary, detail = mask(self.summary), mask(self.detail)
        snippet = self.snippet if self.snippet is None or mask(self.snippet.code) == self.snippet.code else None
        if (summary, detail, snippet) == (self.summary, self.detail, self.snippet):
            return self
        return replace(self, summary=summary, detail=detail, snippet=snippet)

    def to_json(self) -> dict[str, Any]:
        """Terraform's diagnostic shape and our stable code."""
        found: dict[str, Any] = {
            "severity": self.severity,
            "code": self.code,
            "name": self.name,
            "summary": self.summary,
            "detail": self.detail,
        }
        if self.address is not None:
            found["address"] = self.address
        if self.file is not None:
            found["range"] = {"filename": self.file, "start": self._place(end=False), "end": self._place(end=True)}
        if self.snippet is not None:
            found["snippet"] = {
                "context": self.snippet.context,
                "code": self.snippet.code,
                "start_line": self.line,
                "highlight_start_offset": self.snippet.offset(self.snippet.start),
                "highlight_end_offset": self.snippet.offset(self.snippet.end),
                "values": [],
            }
        if self.key_path is not None:
            found["key_path"] = self.key_path
        return found

    def _place(self, *, end: bool) -> dict[str, int]:
        """One end of a range: its line and column from 1, its byte in the file from 0; the file's beginning where no
        more is known."""
        if self.snippet is None:
            return {"line": self.line or 1, "column": 1, "byte": 0}
        at = self.snippet.end if end else self.snippet.start
        return {"line": self.line or 1, "column": at + 1, "byte": self.snippet.byte + self.snippet.offset(at)}


class ProvisionerError(Exception):
    """Base of everything that reaches a user. `diagnostics` is never empty; `exit_code` is the contract's."""

    exit_code = 1

    def __init__(self, name: str, summary: str, detail: str = "", **where: Any) -> None:
        super().__init__(summary)
        self.diagnostics: tuple[Diagnostic, ...] = (Diagnostic(name=name, summary=summary, detail=detail, **where),)

    @classmethod
    def of(cls, diagnostics: list[Diagnostic]) -> ProvisionerError:
        """One error that carries many problems, all to be shown."""
        first = diagnostics[0]
        error = cls(first.name, first.summary, first.detail)
        error.diagnostics = tuple(diagnostics)
        return error

    def at(self, address: object) -> ProvisionerError:
        """The same error, naming the address it happened to, where none is named yet."""
        self.diagnostics = tuple(d if d.address else replace(d, address=str(address)) for d in self.diagnostics)
        return self


class Invalid(ProvisionerError):
    exit_code = 4


class LockHeld(ProvisionerError):
    exit_code = 5


class PlanRefused(ProvisionerError):
    exit_code = 6


class StateUntrusted(ProvisionerError):
    exit_code = 7


class StoreFailed(ProvisionerError):
    exit_code = 1


class HeadMoved(StoreFailed):
    """An append named a head that is not the head any more; nothing was written."""


class ProviderFailed(ProvisionerError):
    exit_code = 8


class CredentialsRefused(ProviderFailed):
    pass


class Unreachable(ProviderFailed):
    pass


class BadAnswer(ProviderFailed):
    pass


UNSPECIFIED = "unspecified"  # the `oauth_error` of a vendor that never names one: it may be the grant or the client


class StepRefused(ProvisionerError):
    """A definite no. `oauth_error` is the RFC 6749 `error` member or the vendor's type, where one was given."""

    exit_code = 1

    def __init__(
        self, name: str, summary: str, detail: str = "", *, oauth_error: str | None = None, **where: Any
    ) -> None:
        super().__init__(name, summary, detail, **where)
        self.oauth_error = oauth_error


class RateLimited(StepRefused):
    """Refused for now. `retry_after` is in seconds, clamped to what is sane, from the vendor's own header."""

    def __init__(self, name: str, summary: str, detail: str = "", *, retry_after: float = 1.0, **where: Any) -> None:
        super().__init__(name, summary, detail, **where)
        self.retry_after = retry_after


class InDoubt(ProvisionerError):
    """Sent, and no answer that can be understood came. Never to be taken for a failure."""

    exit_code = 3


class NeedsPerson(ProvisionerError):
    exit_code = 3


class Unsafe(ProvisionerError):
    exit_code = 9


class Interrupted(ProvisionerError):
    exit_code = 130
