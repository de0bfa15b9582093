"""The arguments of ``child_process.fork``, checked before anything is started."""

from __future__ import annotations

import os
import re
import signal as _signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ..node import coded_errors
from ..node.keywords import check_keywords
from ..node.records import NamedTuple
from ..node.spelling import snake_options
from ..node.validators import validate_boolean, validate_signal
from ..node.values import is_number, truthy
from .environment import inherited_environment

__all__ = [
    'FORK_OPTIONS',
    'ChildOptions',
    'child_options',
    'interpreter_options',
    'signal_number',
]

_STDIO_WORDS = ('inherit', 'pipe', 'ignore')

#: A module's name, as of ``python -m``.
_MODULE = re.compile(r'[^\W\d]\w*(\.[^\W\d]\w*)*')

#: User and group ids are 32 bits without a sign; the last one means "leave it".
_LAST_ID = 2**32 - 2


#: The names of the options; the last two are for Node's Windows, and mean nothing here.
FORK_OPTIONS = frozenset({
    'cwd', 'detached', 'direct', 'env', 'exec_argv', 'exec_path', 'gid', 'kill_signal', 'module',
    'patch', 'serialization', 'signal', 'silent', 'stdio', 'timeout', 'uid',
    'windows_hide', 'windows_verbatim_arguments',
})


class ChildOptions(NamedTuple):
    """What to start, and how."""

    #: One of both is given.
    script: str
    module: str | None
    args: list[str]
    exec_path: str
    exec_argv: list[str]
    cwd: str | None
    env: dict[str, str]
    patch: bool
    #: Whether the program is no Python that has gnet.
    direct: bool
    #: For stdin, stdout and stderr: a word or what has a descriptor.
    stdio: list[Any]
    detached: bool
    #: Those of ``user`` and ``group`` that were asked for.
    identity: dict[str, int]
    kill_signal: str | int
    timeout: float
    signal: Any


def child_options(
    script: Any, args: Any, options: Any, keywords: Mapping[str, Any],
) -> ChildOptions:
    """Return the checked arguments of ``fork``.

    Raises:
        CodedTypeError, CodedValueError, TypeError: as ``fork``.
    """
    check_keywords('fork', keywords, FORK_OPTIONS)
    path = _path('modulePath', script)
    if isinstance(args, Mapping) and options is None:
        args, options = None, args
    if options is not None and not isinstance(options, Mapping):
        raise coded_errors.invalid_arg_type('options', 'of type object', options)
    given = {
        name: value for name, value in snake_options(options, keywords).items() if value is not None
    }
    if given.get('serialization', 'json') != 'json':
        raise coded_errors.invalid_arg_value('options.serialization', given['serialization'],
                                       "must be one of: 'json'")
    if 'signal' in given:
        validate_signal('options.signal', given['signal'])
    kill_signal = given.get('kill_signal', 'SIGTERM')
    if not isinstance(kill_signal, str) and not is_number(kill_signal):
        raise coded_errors.invalid_arg_type(
            'options.killSignal', 'one of type string or number', kill_signal)
    signal_number(kill_signal)
    direct = validate_boolean('options.direct', given.get('direct', False))
    is_module = not direct and (
        validate_boolean('options.module', given['module']) if 'module' in given
        else not _is_path(path, given.get('cwd')))
    return ChildOptions(
        script='' if is_module else _no_option(path),
        module=path if is_module else None,
        args=_words('args', args),
        exec_path=_path('file', given.get('exec_path', sys.executable)),
        exec_argv=(
            _words('options.execArgv', given['exec_argv']) if 'exec_argv' in given
            else [] if direct else interpreter_options()
        ),
        cwd=_path('options.cwd', given['cwd']) if 'cwd' in given else None,
        env=_environment(given.get('env')),
        patch=validate_boolean('options.patch', given.get('patch', False)),
        direct=direct,
        stdio=_stdio(given.get('stdio'), truthy(given.get('silent', False))),
        detached=validate_boolean('options.detached', given.get('detached', False)),
        identity={
            name: _identity(f'options.{short}', given[short])
            for short, name in (('uid', 'user'), ('gid', 'group')) if short in given
        },
        kill_signal=kill_signal,
        timeout=_timeout(given.get('timeout', 0)),
        signal=given.get('signal'),
    )


def signal_number(signal: Any) -> int:
    """Return the number of *signal*, a name or a number.

    Raises:
        CodedTypeError: ``ERR_UNKNOWN_SIGNAL``.
    """
    if isinstance(signal, str):
        known = getattr(_signal, signal.upper(), None)
        if isinstance(known, _signal.Signals):
            return int(known)
    elif is_number(signal) and (signal == 0 or signal in _signal.valid_signals()):
        return int(signal)
    raise coded_errors.unknown_signal(signal)


def _identity(name: str, value: Any) -> int:
    if not is_number(value) or value % 1 or not 0 <= value <= _LAST_ID:
        raise coded_errors.invalid_arg_type(name, 'int32', value)  # Node's words
    return int(value)


def _timeout(value: Any) -> float:
    if not is_number(value) or value % 1 or value < 0:
        raise coded_errors.out_of_range('timeout', 'an unsigned integer', value)
    return float(value)


def _is_path(name: str, cwd: Any) -> bool:
    return (
        name.endswith('.py') or os.sep in name or not _MODULE.fullmatch(name)
        or os.path.exists(os.path.join(cwd or '', name))
    )


def _no_option(path: str) -> str:
    """Keep a script from being taken for an option."""
    return os.path.join(os.curdir, path) if path.startswith('-') else path


def _path(name: str, value: Any) -> str:
    try:
        path = os.fsdecode(value)
    except TypeError:
        expected = 'of type string' + ('' if name == 'file' else ' or an instance of Buffer or URL')
        raise coded_errors.invalid_arg_type(name, expected, value) from None
    if not path or '\0' in path:
        raise coded_errors.invalid_arg_value(
            name, path, 'must be a string, Uint8Array, or URL without null bytes' if path
            else 'cannot be empty')
    return path


def _words(name: str, value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise coded_errors.invalid_arg_type(name, 'an instance of Array', value)
    words = [os.fsdecode(each) if isinstance(each, (bytes, os.PathLike)) else str(each)
             for each in value]
    for index, word in enumerate(words):
        if '\0' in word:
            raise coded_errors.invalid_arg_value(
                f'{name}[{index}]', word, 'must be a string without null bytes')
    return words


def _environment(value: Any) -> dict[str, str]:
    if value is None:
        return inherited_environment()
    if not isinstance(value, Mapping):
        raise coded_errors.invalid_arg_type('options.env', 'of type object', value)
    return {str(name): str(each) for name, each in value.items() if each is not None}


def interpreter_options() -> list[str]:
    import subprocess  # gevent's has it, when there is something to start

    # What multiprocessing uses for the same purpose.
    options: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return options


def _stdio(value: Any, silent: bool) -> list[Any]:
    if value is None:
        return ['pipe' if silent else 'inherit'] * 3
    if isinstance(value, str):
        if value not in _STDIO_WORDS:
            raise coded_errors.invalid_arg_value('stdio', value)
        return [value] * 3
    if not isinstance(value, Sequence):
        raise coded_errors.invalid_arg_value('stdio', value)
    channels = list(value).count('ipc')
    if not channels:
        raise coded_errors.ipc_required()
    if channels > 1:
        raise coded_errors.state_error('ERR_IPC_ONE_PIPE')
    if any(each != 'ipc' for each in value[3:]):
        raise coded_errors.invalid_arg_value(
            'stdio', value, 'has more than stdin, stdout and stderr')
    # The channel has a number of its own. Where it stands in the place of one of the three, that
    # one is nothing to the child; in Node it is the channel, which a print() would garble.
    chosen = ['ignore' if each == 'ipc' else each for each in value[:3]]
    return [_stdio_entry(each, value) for each in [*chosen, *['pipe'] * (3 - len(chosen))]]


def _stdio_entry(each: Any, value: Any) -> Any:
    if each is None:
        return 'pipe'
    if each in _STDIO_WORDS or (is_number(each) and each >= 0) or hasattr(each, 'fileno'):
        return each
    raise coded_errors.invalid_arg_value('stdio', value)
