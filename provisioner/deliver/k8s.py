"""A Kubernetes Secret manifest, for `kubectl apply -f -`. JSON is YAML, and needs no rules of quoting.

Sources: the Kubernetes API reference of Secret v1; names are DNS subdomains (RFC 1123), data keys `[-._a-zA-Z0-9]+`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence

from provisioner.deliver.base import Delivered, variable_names
from provisioner.times import to_rfc3339

_NOT_DNS = re.compile(r"[^a-z0-9]+")
_LABEL = 63


def deliver(tokens: Sequence[Delivered], *, name: str = "provisioner-tokens") -> str:
    """One manifest: `data` by variable name, base64, and annotations that say when each token ends. `name` is made a
    DNS label. Raises Invalid on a collision of names."""
    data, notes = {}, {}
    for key, token in zip(variable_names(tokens), tokens, strict=True):
        data[key] = base64.b64encode(token.access_token.reveal().encode()).decode()
        if token.expires_at is not None:
            notes[f"provisioner/{_note_key(key)}"] = to_rfc3339(token.expires_at)
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": dns_label(name),
            "labels": {"app.kubernetes.io/managed-by": "provisioner"},
            "annotations": notes,
        },
        "type": "Opaque",
        "data": data,
    }
    return json.dumps(manifest, indent=2) + "\n"


def dns_label(name: str) -> str:
    """`name` in lower case, whatever DNS does not take as `-`, at most 63 characters."""
    return _NOT_DNS.sub("-", name.lower()).strip("-")[:_LABEL].strip("-") or "tokens"


def _note_key(variable: str) -> str:
    # an annotation's name has at most 63 characters and begins and ends with a letter or digit
    return (variable.lower()[: _LABEL - len("_expires_at")].strip("_") or "token") + "_expires_at"
