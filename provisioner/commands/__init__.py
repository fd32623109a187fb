"""One file a command: a frozen options dataclass in, a result out. Nothing here prints, asks or exits; `cli` does.

`opening` opens what several commands need: the file, the recorded state, the keys, the accounts.
"""
