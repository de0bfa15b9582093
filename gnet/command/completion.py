"""``gnet --completion bash``: what completes ``gnet`` in a shell.

The scripts know the names of commands and options, and leave files to the shell.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from .output import write
from .parser import CommandParser, Parser
from .subcommands import SUBCOMMANDS

__all__ = ['SHELLS', 'make_parser', 'options_of', 'run']

SHELLS = ('bash', 'fish', 'zsh')

EXAMPLES = """\
  gnet --completion bash > ~/.local/share/bash-completion/completions/gnet
  gnet --completion fish > ~/.config/fish/completions/gnet.fish
  gnet --completion zsh > "${fpath[1]}/_gnet"
  eval "$(gnet --completion bash)"      this shell alone
"""


def make_parser() -> CommandParser:
    parser = CommandParser(
        '--completion', 'Write a script that completes this command in a shell.', EXAMPLES)
    parser.add_argument('shell', choices=SHELLS, help='which shell')
    return parser


def run(words: Sequence[str]) -> None:
    """Run it.

    Raises:
        SystemExit: a wrong usage.
    """
    scripts = {'bash': _bash, 'fish': _fish, 'zsh': _zsh}
    write(scripts[make_parser().parse_args(words).shell]())


def _names() -> list[str]:
    return [name for name in SUBCOMMANDS if not name.startswith('-')]


def options_of(name: str) -> list[str]:
    """Return the long options of a command; of ``gnet script.py`` for an empty name."""
    if not name:
        from .main import make_parser as make

        return [*make().describe(), '--completion']
    file = '.top' if name == 'top' else SUBCOMMANDS[name].file
    parser: Parser = import_module(file, __package__).make_parser()
    return parser.describe()


def _bash() -> str:
    cases = '\n'.join(
        f'        {name}) options="{" ".join(options_of(name))}" ;;' for name in _names())
    return f"""\
# bash completion of gnet
_gnet() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" options
    case "${{COMP_WORDS[1]}}" in
{cases}
        *) options="{' '.join(options_of(''))}" ;;
    esac
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$word"))
    elif [[ $COMP_CWORD == 1 ]]; then
        COMPREPLY=($(compgen -W "{' '.join(_names())}" -- "$word"))
        local IFS=$'\\n'  # a file may have spaces
        COMPREPLY+=($(compgen -f -- "$word"))
    elif [[ ${{COMP_WORDS[COMP_CWORD-1]}} == --completion ]]; then
        COMPREPLY=($(compgen -W "{' '.join(SHELLS)}" -- "$word"))
    else
        local IFS=$'\\n'
        COMPREPLY=($(compgen -f -- "$word"))
    fi
}}
complete -o filenames -F _gnet gnet
"""


def _zsh() -> str:
    cases = '\n'.join(
        f'        {name}) options=({" ".join(options_of(name))}) ;;' for name in _names())
    return f"""\
#compdef gnet
# zsh completion of gnet
_gnet() {{
    local -a options
    case "$words[2]" in
{cases}
        *) options=({' '.join(options_of(''))}) ;;
    esac
    if [[ $PREFIX == -* ]]; then
        compadd -- $options
    elif (( CURRENT == 2 )); then
        compadd -- {' '.join(_names())}
        _files
    elif [[ $words[CURRENT-1] == --completion ]]; then
        compadd -- {' '.join(SHELLS)}
    else
        _files
    fi
}}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _gnet "$@"
else
    compdef _gnet gnet
fi
"""


def _fish() -> str:
    lines = ['# fish completion of gnet']
    for name in _names():
        purpose = SUBCOMMANDS[name].purpose
        lines.append(f"complete -c gnet -n __fish_use_subcommand -a {name} -d '{purpose}'")
        lines += [
            f"complete -c gnet -n '__fish_seen_subcommand_from {name}' -l {option[2:]}"
            for option in options_of(name)]
    lines += [
        f'complete -c gnet -n __fish_use_subcommand -l {option[2:]}' for option in options_of('')]
    lines.append(f"complete -c gnet -l completion -x -a '{' '.join(SHELLS)}'")
    return '\n'.join([*lines, ''])
