"""Parsers of command lines."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import Any, NoReturn

__all__ = ['CommandParser', 'Parser']


class Parser(argparse.ArgumentParser):
    """One whose errors are one line, and that asks for the width of the terminal only to show help.

    argparse asks for each option that is added; what knows the width takes longer to import than
    all else of this command.
    """

    formatter_class: Any  # of the base, and set here, too

    def __init__(self, **settings: Any) -> None:
        self._formatter = settings.pop('formatter_class', argparse.HelpFormatter)
        super().__init__(formatter_class=partial(self._formatter, width=80), **settings)

    def describe(self) -> list[str]:
        """Return the long options, for what completes them."""
        return [
            name for action in self._actions for name in action.option_strings
            if name.startswith('--')]

    def format_usage(self) -> str:
        self.formatter_class = self._formatter
        return super().format_usage()

    def format_help(self) -> str:
        self.formatter_class = self._formatter
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line, and end with status 2."""
        sys.stderr.write(f'{self.prog}: {message} ({self.prog} --help)\n')
        raise SystemExit(2)


class CommandParser(Parser):
    """That of a command of gnet's own: what it is for, by examples."""

    def __init__(self, name: str, purpose: str, examples: str) -> None:
        """Make one.

        Args:
            name: of the command, such as ``'echo'``.
            purpose: what ``--help`` says first.
            examples: and last, as it is.
        """
        super().__init__(
            prog=f'gnet {name}', description=purpose, allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            epilog=f'examples:\n{examples}')
