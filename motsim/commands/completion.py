"""Print a script that completes commands, options, names of sweeps, claims and figures."""

import argparse
from collections.abc import Sequence
from importlib import import_module

from motsim.commands.parser import CommandParser

__all__ = ["main", "parser"]

PROGRAM = "motsim completion"
EPILOG = """\
examples:
  eval "$(motsim completion bash)"     in ~/.bashrc
  eval "$(motsim completion zsh)"      in ~/.zshrc, after compinit

The script holds what this version knows; words that are neither options nor names are files.
"""
BASH = """\
_motsim() {
  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" words=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "%(commands)s --help --version" -- "$word"))
    return
  fi
  case "${COMP_WORDS[1]} $before" in
%(values)s
    *) case "${COMP_WORDS[1]}" in
%(options)s
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _motsim motsim
"""
ZSH = "autoload -U +X bashcompinit && bashcompinit\n"


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    options = CommandParser(
        prog=PROGRAM,
        description="Print a script that completes motsim's words in your shell.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    options.add_argument("shell", choices=("bash", "zsh"))
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    shell = parser().parse_args(argv).shell
    from motsim.commands.names import COMMANDS

    values, options = [], []
    for command, (module, _) in COMMANDS.items():
        words = _names(command)
        for action in import_module(module).parser()._actions:
            words += [option for option in action.option_strings if option.startswith("--")]
            choices = list(map(str, action.choices or ()))
            if action.option_strings and (choices or action.nargs != 0):
                for option in action.option_strings:  # its value: one of these, or a file
                    values.append(f'    "{command} {option}") words="{" ".join(choices)}" ;;')
            elif choices:
                words += choices
        options.append(f'      {command}) words="{" ".join(words)}" ;;')
    script = BASH % {
        "commands": " ".join(COMMANDS), "values": "\n".join(values), "options": "\n".join(options),
    }  # fmt: skip
    print((ZSH if shell == "zsh" else "") + script, end="")
    return 0


def _names(command: str) -> list[str]:
    """Names that a command takes."""
    if command == "sweep":
        from motsim.plans.loading import sweep_names

        return sweep_names()
    if command in ("verify", "report", "explain", "table"):
        from motsim.claims import claim_names

        return claim_names()
    if command == "figures":
        from motsim.commands.names import COMMANDS

        home = COMMANDS["figures"][0].rpartition(".")[0]  # a room above this one
        names: list[str] = import_module(home).figure_names()
        return names
    return []
