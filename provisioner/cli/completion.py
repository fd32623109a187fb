"""Completion scripts, generated from the parsers and shipped as text: printing one builds no parser.

`make completions` writes them to `completions/`; a test holds the two together."""

from __future__ import annotations

import argparse

from provisioner.cli.arguments import build
from provisioner.cli.catalogue import COMMANDS, GROUPS
from provisioner.cli.light import FOLDER, SHELLS
from provisioner.cli.parser import Switch


def generate(shell: str) -> str:
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]()


def _options(command: str) -> list[argparse.Action]:
    return [action for action in build(command)._actions if action.option_strings]


def _names(command: str) -> str:
    return " ".join(
        name + ("=false" if isinstance(a, Switch) and a.default is True else "")
        for a in _options(command)
        for name in a.option_strings
        if name.startswith("--")
    )


def _firsts() -> dict[str, str]:
    """The words that may come first, and what they are for."""
    return {name: about.help for name, about in COMMANDS.items() if " " not in name} | GROUPS


def _seconds(group: str) -> dict[str, str]:
    return {name.split()[1]: about.help for name, about in COMMANDS.items() if name.startswith(group + " ")}


def _choices() -> dict[str, str]:
    """Words that an option or a position takes, where they are few: by `command option`."""
    found = {f"{command} {a.option_strings[0]}": " ".join(map(str, a.choices))
             for command in COMMANDS for a in _options(command) if a.choices}  # fmt: skip
    return found | {"completion ": " ".join(SHELLS)}


def _valued() -> list[str]:
    """Every spelling of every option that takes a value: the word after one is no command."""
    found = {name for command in COMMANDS for a in _options(command) if not isinstance(a, Switch)
             for name in a.option_strings}  # fmt: skip
    return sorted(found | {name[1:] for name in found if name.startswith("--")})


def _bash() -> str:
    cases = "\n".join(f'    "{command}") words="{_names(command)}" ;;' for command in COMMANDS)
    groups = "\n".join(f'    {group}) words="{" ".join(_seconds(group))}" ;;' for group in GROUPS)
    choices = "\n".join(f'    "{key}") words="{words}" ;;' for key, words in _choices().items())
    return f"""# bash completion for provisioner; generated, see provisioner/cli/completion.py
_provisioner() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}" command="" words="" word value=""
  # bash hands `--format=he` over as three words
  if [ "$previous" = "=" ]; then previous="${{COMP_WORDS[COMP_CWORD-2]}}"; fi
  if [ "$current" = "=" ]; then current=""; value=1; fi
  [ -n "$value" ] || for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    if [ "$word" = "=" ]; then value=1; continue; fi
    if [ -n "$value" ]; then value=""; continue; fi
    case "$word" in
    {"|".join(_valued())}) value=1 ;;
    -*) ;;
    {"|".join(GROUPS)}) [ -z "$command" ] && command="$word" ;;
    *) case "$command" in
       {"|".join(GROUPS)}) command="$command $word" ;;
       "") command="$word" ;;
       esac ;;
    esac
  done
  case "$previous" in --*) ;; -?*) previous="-$previous" ;; *) previous="" ;; esac
  case "$command $previous" in
{choices}
  esac
  if [ -n "$value" ]; then :
  elif [[ "$current" = -* ]]; then
    case "$command" in
    "") words="--chdir --config --var --var-file --no-color --help --version" ;;
{cases}
    esac
    if [[ "$current" != --* ]]; then words=" $words"; words="${{words// --/ -}}"; fi
  else
    case "$command" in
    "") words="{" ".join(_firsts())}" ;;
{groups}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [ -z "$words" ]; then
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}}
complete -F _provisioner provisioner
"""


def _zsh() -> str:
    firsts = "\n".join(f"    '{name}:{_zsh_text(text)}'" for name, text in _firsts().items())
    groups = "\n".join(
        f"  {group}) local -a inner=(\n"
        + "\n".join(f"    '{name}:{_zsh_text(text)}'" for name, text in _seconds(group).items())
        + "\n    ); (( CURRENT == 3 )) && _describe command inner && return ;;"
        for group in GROUPS
    )
    cases = "\n".join(
        f"  '{command}') _arguments {_zsh_options(command)} {_zsh_words(command)} ;;" for command in COMMANDS
    )
    return f"""#compdef provisioner
# zsh completion for provisioner; generated, see provisioner/cli/completion.py
_provisioner() {{
  local -a commands=(
{firsts}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command="$words[2]"
  case "$command" in
{groups}
  esac
  case "$command" in
  {"|".join(GROUPS)}) command="$command $words[3]"; shift words; (( CURRENT-- )) ;;
  esac
  shift words; (( CURRENT-- ))
  case "$command" in
{cases}
  esac
}}
# as a file of $fpath it is called, as a sourced one it registers itself
if [ "$funcstack[1]" = "_provisioner" ]; then _provisioner "$@"; else compdef _provisioner provisioner; fi
"""


def _zsh_text(text: str) -> str:
    return text.replace("'", "'\\''").replace("[", "(").replace("]", ")").replace(":", "\\:")


def _zsh_words(command: str) -> str:
    """What stands where no option does: one of few words, or a file."""
    few = next((a.choices for a in build(command)._actions if a.choices and not a.option_strings), None)
    return f"'1:word:({' '.join(map(str, few))})'" if few else "'*:file:_files'"


def _zsh_options(command: str) -> str:
    found = []
    for action in _options(command):
        long = next(name for name in action.option_strings if name.startswith("--"))
        value = ""
        if not isinstance(action, Switch):
            long += "="
            value = f":value:({' '.join(map(str, action.choices))})" if action.choices else ":value:_files"
        found.append(f"'*{long}[{_zsh_text(action.help or '')}]{value}'")
    return " ".join(found)


def _fish() -> str:
    lines = [
        "# fish completion for provisioner; generated, see provisioner/cli/completion.py",
        "complete -c provisioner -f",
    ]
    firsts = " ".join(_firsts())
    for name, text in _firsts().items():
        lines.append(
            f"complete -c provisioner -n 'not __fish_seen_subcommand_from {firsts}' -a {name} -d '{_fish_text(text)}'"
        )
    for group in GROUPS:
        inner = " ".join(_seconds(group))
        for name, text in _seconds(group).items():
            seen = f"__fish_seen_subcommand_from {group}; and not __fish_seen_subcommand_from {inner}"
            lines.append(f"complete -c provisioner -n '{seen}' -a {name} -d '{_fish_text(text)}'")
    for command in COMMANDS:
        seen = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in command.split())
        lines += [_fish_option(seen, action) for action in _options(command)]
    lines.append(f"complete -c provisioner -n '__fish_seen_subcommand_from completion' -a '{' '.join(SHELLS)}'")
    return "\n".join(lines) + "\n"


def _fish_option(seen: str, action: argparse.Action) -> str:
    long = next(name[2:] for name in action.option_strings if name.startswith("--"))
    takes = (
        ""
        if isinstance(action, Switch)
        else f" -x -a '{' '.join(map(str, action.choices))}'"
        if action.choices
        else " -r -F"
    )
    return f"complete -c provisioner -n '{seen}' -l {long}{takes} -d '{_fish_text(action.help or '')}'"


def _fish_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def write() -> None:
    """`make completions`: the shipped scripts, made anew."""
    for shell in SHELLS:
        with open(f"{FOLDER}/provisioner.{shell}", "w", encoding="utf-8") as text:  # noqa: PTH123  # pathlib is not needed for it
            text.write(generate(shell))


if __name__ == "__main__":
    write()
