"""The recorded state: an append-only, hash-chained journal whose fold is what readers see (contract section 6).

Where to go: `journal.py` is the door. `entries` one line · `chain` the links · `fold` lines → `State` · `load` opening
and judging · `group` many threads, one flush · `locks` the courtesy · `stores/` where the bytes lie, and the fence ·
`seal`, `keys`, `identity` secrets at rest · `memory` what this machine has seen · `rescue` when nothing can be
written · `history` looking back · `schema` the public format.
"""
