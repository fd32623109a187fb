"""Every diagnostic's stable code. A name is never reused and never changes its code; docs/diagnostics.md explains each.
A code that was published is never taken out: it moves to `RETIRED`.

E00 command line · E01 desired-state file · E02 references · E03 plans · E04 recorded state
E05 providers · E06 safety · E07 apply · W warnings of the same areas
"""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    code: str
    meaning: str


CODES: dict[str, Code] = {
    # command line
    "usage": Code("E0001", "the command line is wrong"),
    "unknown-address": Code("E0002", "an address names nothing in the file or the recorded state"),
    "no-such-file": Code("E0003", "a file that was named does not exist or cannot be read"),
    "needs-approval": Code("E0004", "apply without a terminal needs --auto-approve or a saved plan"),
    "output-lost": Code("E0005", "what was to be printed could not be written"),
    "internal": Code("E0099", "a fault of this program; please report it"),
    # desired-state file
    "toml-syntax": Code("E0101", "the file is not TOML"),
    "unknown-key": Code("E0102", "a key that the table does not take"),
    "wrong-type": Code("E0103", "a value of the wrong type or shape"),
    "missing-key": Code("E0104", "a required key is missing"),
    "bad-value": Code("E0105", "a value outside what is allowed"),
    "literal-secret": Code("E0106", "a secret written into the file; only references are taken"),
    "unknown-reference": Code("E0107", "a name that is declared nowhere (provider, policy, variable)"),
    "duplicate": Code("E0108", "declared twice"),
    "unsupported": Code("E0109", "the vendor cannot do what is declared"),
    "include-failed": Code("E0110", "an included file cannot be read or matches nothing"),
    "bad-refactoring": Code("E0111", "a moved, import or removed block that contradicts the file or the state"),
    "no-recipient": Code("E0112", "no encryption recipient is configured and none may be made here"),
    # references
    "secret-unavailable": Code("E0201", "a secret reference is unset or cannot be read"),
    # plans
    "plan-stale": Code("E0301", "the recorded state has moved on since the plan was made"),
    "plan-altered": Code("E0302", "the plan file does not derive again from its own contents"),
    "plan-foreign": Code("E0303", "the plan belongs to another stack or recorded state"),
    "plan-config-changed": Code("E0304", "the desired-state file has changed since the plan was made"),
    "plan-unreadable": Code("E0305", "the file is not a plan of this program"),
    # recorded state
    "state-damaged": Code("E0401", "an entry of the recorded state does not verify"),
    "state-rolled-back": Code("E0402", "this machine has seen a newer head of the recorded state"),
    "state-newer-format": Code("E0403", "the recorded state was written by a newer version"),
    "state-foreign": Code("E0404", "the recorded state belongs to another stack or lineage"),
    "cannot-decrypt": Code("E0405", "no identity at hand opens what is sealed"),
    "state-unreachable": Code("E0406", "the store of the recorded state cannot be reached or written"),
    "head-moved": Code("E0407", "another run appended to the recorded state first"),
    "head-unexpected": Code("E0408", "the head is not the one that was expected"),
    "rescue-foreign": Code("E0409", "a rescue file belongs to another recorded state"),
    "state-missing-dependency": Code("E0410", "the store needs an optional package"),
    "no-state": Code("E0411", "there is no recorded state yet"),
    "lock-held": Code("E0412", "another run holds the lock"),
    "lock-not-held": Code("E0413", "the lock that was named is not the one that is held"),
    "secret-in-clear": Code("E0414", "something secret stands in clear in the recorded state"),
    "state-half-migrated": Code("E0415", "the recorded state is a copy that was never finished"),
    "state-moved": Code("E0416", "the recorded state was moved to another store"),
    "store-unfit": Code("E0417", "the store cannot keep the promises that a recorded state needs"),
    "clock-went-back": Code("E0418", "this machine's clock is behind the recorded state's newest entry"),
    # providers
    "credentials-refused": Code("E0501", "the provider refused its credentials"),
    "unreachable": Code("E0502", "the provider could not be reached"),
    "bad-answer": Code("E0503", "the provider's answer cannot be understood"),
    "refused": Code("E0504", "the provider refused one request"),
    "rate-limited": Code("E0505", "the provider asks to slow down"),
    "issuer-mismatch": Code("E0506", "the server's metadata names another issuer"),
    "denied": Code("E0507", "a person denied the authorization"),
    "invalid-grant": Code("E0508", "the grant is dead; a person must authorize again"),
    "revocation-unproven": Code("E0509", "the server answered a revocation, and the token still lives"),
    # safety
    "prevent-destroy": Code("E0601", "a guarded resource would be destroyed"),
    "max-destroy": Code("E0602", "more would be destroyed than [safety] allows"),
    "max-spend": Code("E0603", "more would be spent than [safety] allows"),
    "purchase-blocked": Code("E0605", "a purchase in doubt blocks buying for this account"),
    # apply
    "cancelled": Code("E0701", "apply was not approved"),
    "interrupted": Code("E0702", "stopped by a signal"),
    "in-doubt": Code("E0703", "a request was sent and its outcome is not known"),
    "needs-authorization": Code("E0704", "a person must authorize the application"),
    "handoff": Code("E0705", "a person must do a step that the vendor has no API for"),
    "floor-unmet": Code("E0706", "a credit floor stays unmet"),
    "scopes-narrower": Code("E0707", "fewer scopes were granted than declared"),
    "not-recorded": Code("E0708", "a minted token could not be recorded"),
    "no-valid-token": Code("E0709", "there is no token that is valid now"),
    "authorize-timeout": Code("E0710", "nobody authorized in time"),
    "overspent": Code("E0711", "the vendor added more than was bought"),
    "lifetime-exceeded": Code("E0712", "a token was granted a longer life than its policy allows"),
    # warnings
    "torn-tail": Code("W0401", "a last line that was never acknowledged was dropped"),
    "lock-taken-over": Code("W0402", "the lock of a dead process was taken over"),
    "rescue-picked-up": Code("W0403", "a rescue file was recorded"),
    "identity-made": Code("W0404", "an identity was made in the user's configuration folder"),
    "rollback-accepted": Code("W0405", "an older copy of the recorded state was accepted"),
    "state-moved-away": Code("W0406", "an old copy of a recorded state that was moved is being read"),
    "clock-behind": Code("W0407", "this machine's clock is behind the recorded state's newest entry"),
    "lock-awaited": Code("W0408", "another run holds the lock, and it is waited for"),
    "summary-unwritten": Code("W0001", "the job summary could not be written"),
    "lives-too-short": Code("W0101", "a token cannot live until the next run"),
    "unknown-scope": Code("W0104", "a scope that the vendor has not published, and that is close to one that it has"),
    "unverified-lifetime": Code("W0102", "the vendor's token lifetime is not known beforehand"),
    "spend-unlimited": Code("W0103", "a floor that [safety] max_spend cannot see"),
    "balance-unreadable": Code("W0105", "a floor whose balance no declared application's token can read"),
    "not-refreshed": Code("W0301", "part of the plan rests on recorded values"),
    "scopes-narrower-kept": Code("W0302", "a token has fewer scopes than declared, and is kept"),
    "scopes-broader": Code("W0303", "a token has more scopes than declared"),
    "floor-unmet-warn": Code("W0304", "a credit floor is unmet and declared as a warning"),
    "retiring": Code("W0306", "a replaced token lives on until it expires"),
    "incomplete": Code("W0307", "the plan leaves out part of the file (--target, --exclude)"),
    "unmanaged-application": Code("W0308", "an application at a provider that nobody declared"),
    "lifetime-exceeded-kept": Code("W0309", "a token lives longer than its policy allows, and is kept"),
    "secret-ending": Code("W0310", "the secret of a registered client ends"),
    "doubt-settled": Code("W0701", "an operation in doubt was settled"),
    "no-longer-needed": Code("W0702", "nothing was bought, because the balance had risen since the plan"),
    "token-shared": Code("W0703", "a server answered with a token that it had issued before"),
}

# Published once and emitted no more: what somebody's alert still waits for, so neither number nor name is used again.
RETIRED: dict[str, Code] = {
    "not-confirmed": Code("E0604", "the confirmation named the wrong thing"),
    "expired-unrenewable": Code("W0305", "a token lapses and cannot be renewed"),
}
