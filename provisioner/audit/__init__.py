"""Rules over the recorded state: what an auditor asks of it, answered from the journal alone.

    watching    `Trail.watch` is told every entry while `journal.load` verifies it: one pass, nothing believed
    judging     `Case` (state, trail, declaration, now) → `rules.RULES`, one function each → `Report`
    a policy    raises, lowers or silences rules (`policy.py`); every rule stands in docs/audit-rules.md

No key, no network and no credentials are needed: nothing in here can open a sealed value.
"""
