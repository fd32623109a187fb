"""What strings of the desired-state file look like: for the schema, the quick check before it, and messages."""

from __future__ import annotations

DURATION = r"^(\d+(\.\d+)?(ms|s|m|h|d|w))+$"
CURRENCY = r"^[A-Z]{3}$"
SCOPE = r"^[\x21\x23-\x5B\x5D-\x7E]+$"  # RFC 6749 section 3.3, scope-token
KEY = r"^[^\x00-\x1F\x7F]+$"
STACK = r"^[A-Za-z0-9_][A-Za-z0-9._-]*$"
TEXT = r"\S"

# What a pattern asks for, in words.
WORDS = {
    DURATION: "a duration: a number and a unit, as in 90s, 15m, 24h, 7d or 1w",
    CURRENCY: "a currency code of three capital letters, as in USD",
    SCOPE: "one scope: printable ASCII without spaces, quotes or backslashes",
    KEY: "a text of at least one character, without control characters",
    STACK: "a name of letters, digits, dots, hyphens and underscores",
    TEXT: "a text that is not empty",
}
