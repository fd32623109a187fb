"""The desired-state file: TOML to a frozen `Desired`, or every problem at once. Start at `load.py`."""
