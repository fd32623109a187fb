"""The command line: the only room that prints or exits.

`main` runs one command; `argv` and `parser` read what was typed; `arguments` says what each command takes; `handle_*`
turn options into a command's call, and its result into text and an exit code; `views` are the human and the JSON
listener.
"""
