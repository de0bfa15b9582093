"""What the values of a scenario are in Python: numbers, bytes, errors, certificates, functions."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from gnet import events

__all__ = ['Values']

_CERTIFICATES = Path(__file__).resolve().parent / 'certificates'


class Values:
    """Each method ``_value_KIND`` makes one kind; the run that derives from this has the rest."""

    _function: Callable[..., Any]
    _resolve: Callable[..., Any]
    _objects: dict[str, Any]
    _descriptors: list[int]
    texts: Any

    def _value(self, form: Any) -> Any:
        if isinstance(form, list):
            return [self._value(item) for item in form]
        if not isinstance(form, dict):
            return form
        if '$' not in form:
            return {key: self._value(item) for key, item in form.items()}
        return getattr(self, f'_value_{form["$"]}')(form)

    def _value_undefined(self, form: Any) -> None:
        return None

    def _value_number(self, form: Any) -> float:
        return float(form['is'])

    def _value_error(self, form: Any) -> Exception:
        return Exception(form['message'])

    def _value_bytes(self, form: Any) -> bytes:
        return _pattern(form['size'])

    def _value_text(self, form: Any) -> str:
        return _pattern(form['size']).decode('latin-1')

    def _value_encoded(self, form: Any) -> bytes:
        return bytes.fromhex(form['hex'])

    def _value_buffer(self, form: Any) -> bytearray:
        return bytearray(form['size'])

    def _value_fn(self, form: Any) -> Any:
        return self._function(form, 'main')

    def _value_ref(self, form: Any) -> Any:
        return self._resolve(form['path'], ())[0]

    def _value_port(self, form: Any) -> int:
        return int(self._objects[form['of']].address().port)

    def _value_tmp(self, form: Any) -> str:
        return ('\0' if 'abstract' in form else '') + self._temporary(form['name'])

    def _value_emitter(self, form: Any) -> Any:
        return events.EventEmitter()

    def _value_fd(self, form: Any) -> int:
        path = '/dev/null' if form['of'] == 'null' else self._temporary(form['of'])
        self._descriptors.append(os.open(path, os.O_RDWR | os.O_CLOEXEC))
        return self._descriptors[-1]

    def _value_pem(self, form: Any) -> str:
        return (_CERTIFICATES / f'{form["name"]}.pem').read_text(encoding='ascii')

    def _value_certificates(self, form: Any) -> bytes:
        return (_CERTIFICATES / form['name']).read_bytes()

    def _temporary(self, name: str) -> str:
        if self.texts.directory is None:
            self.texts.directory = tempfile.mkdtemp(prefix='gn')
        return os.path.join(self.texts.directory, name)


#: Rows of 256 letters, each of which begins one letter after the one before; then they come again.
_LETTERS = bytes(97 + at % 26 for at in range(26 + 256))
_ROWS = b''.join(_LETTERS[257 * row % 26:][:256] for row in range(26))


@lru_cache(maxsize=4)  # some are of many megabytes
def _pattern(size: int) -> bytes:
    """Return bytes that differ at each place, so that lost and doubled ones are seen."""
    return (_ROWS * (size // len(_ROWS) + 1))[:size]
