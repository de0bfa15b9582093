"""What is refused, and by which error: for values, validators and options."""

from __future__ import annotations

import math

import pytest

from gnet.errors import CodedTypeError, CodedValueError

NAN = math.nan
INF = math.inf
TYPE = 'ERR_INVALID_ARG_TYPE'
VALUE = 'ERR_INVALID_ARG_VALUE'
RANGE = 'ERR_OUT_OF_RANGE'
PORT = 'ERR_SOCKET_BAD_PORT'


def fn():
    """The callback of the tests; its name appears in error texts."""


def refusal(call, *args, **keywords):
    """Return class, code and text of the error that the call raises."""
    with pytest.raises((CodedTypeError, CodedValueError)) as caught:
        call(*args, **keywords)
    return type(caught.value), caught.value.code, str(caught.value)
