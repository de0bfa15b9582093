"""The program that the command runs: found, compiled, executed as ``__main__``."""

from __future__ import annotations

import argparse
import builtins
import importlib.util
import io
import os
import sys
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any, NoReturn

from ..node.records import NamedTuple
from .subcommands import SUBCOMMANDS

__all__ = ['Program', 'check', 'execute', 'find_module', 'find_script']


class Program(NamedTuple):
    """A script or module that was found and compiled."""

    code: CodeType
    path: str
    loader: Any
    spec: ModuleSpec | None


def check(options: argparse.Namespace) -> None:
    """Refuse a program that is not there, or is no Python, as if it were run here.

    A module in a package is left to the workers: looking for it runs the package.
    """
    if options.module is None:
        find_script(options.script)
        return
    package, _, rest = options.module.partition('.')
    _set_first_directory(os.getcwd())
    spec = importlib.util.find_spec(package) if package else None
    if spec is None or not (rest or spec.submodule_search_locations):
        find_module(options.module)


def find_script(script: str) -> Program:
    path = os.path.abspath(script)
    try:
        with io.open_code(path) as file:
            source = file.read()
    except OSError as error:
        reason = f'[Errno {error.errno}] {error.strerror}'
        if script in SUBCOMMANDS:
            reason += f' (options of a command follow its name: gnet {script} …)'
        _refuse(f"can't open file '{path}': {reason}", status=2)
    _set_first_directory(os.path.dirname(os.path.realpath(path)))
    loader = SourceFileLoader('__main__', path)
    return Program(loader.source_to_code(source, path), path, loader, None)


def find_module(name: str) -> Program:
    _set_first_directory(os.getcwd())
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            name += '.__main__'
            spec = importlib.util.find_spec(name)
    except (AttributeError, ImportError, TypeError, ValueError) as error:
        _refuse(f'cannot find the module {name!r} ({type(error).__name__}: {error})', status=1)
    if spec is None:
        _refuse(f'No module named {name}', status=1)
    loader: Any = spec.loader
    code = loader.get_code(name) if hasattr(loader, 'get_code') else None
    if code is None or spec.origin is None:
        _refuse(f'No code object available for {name}', status=1)
    return Program(code, spec.origin, loader, spec)


def _refuse(message: str, status: int) -> NoReturn:
    print(f'gnet: {message}', file=sys.stderr)
    raise SystemExit(status)


def _set_first_directory(directory: str) -> None:
    """Replace what Python put in front of ``sys.path`` for this command, if it did (see -P)."""
    if not getattr(sys.flags, 'safe_path', sys.flags.isolated):
        sys.path[0] = directory


def execute(program: Program) -> None:
    """Execute the program as ``__main__``: pickle and multiprocessing look for it there."""
    module = ModuleType('__main__')
    module.__dict__.update(
        __builtins__=builtins,
        __cached__=program.spec and program.spec.cached,
        __file__=program.path,
        __loader__=program.loader,
        __package__=program.spec and program.spec.parent,
        __spec__=program.spec,
    )
    sys.modules['__main__'] = module
    exec(program.code, module.__dict__)
