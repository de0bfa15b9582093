"""Node's validators: what they accept, and the words in which they refuse."""

from __future__ import annotations

import pytest
from gevent.event import Event

from gnet.errors import CodedTypeError, CodedValueError
from gnet.node.validators import (
    validate_boolean,
    validate_function,
    validate_integer,
    validate_msecs,
    validate_number,
    validate_port,
    validate_signal,
)
from gnet.node.values import UNDEFINED

from ..harness.refusals import INF, NAN, PORT, RANGE, TYPE, fn, refusal


@pytest.mark.parametrize(('value', 'port'), [
    (0, 0), (80, 80), (80.0, 80), ('80', 80), ('0x50', 80), (' +80 ', 80), ('8e1', 80),
    (65535, 65535), (-0.0, 0),
])
def test_a_port_is_a_number_or_its_text(value, port):
    assert validate_port('Port', value) == port


@pytest.mark.parametrize(('value', 'text'), [
    (None, 'null'), (True, 'type boolean (true)'), ({}, 'an instance of Object'),
    ('80x', "type string ('80x')"), ('  ', "type string ('  ')"), (-1, 'type number (-1)'),
    (65536, 'type number (65536)'), (10**400, f'type number ({10**400})'),
])
def test_anything_else_is_no_port(value, text):
    message = f'Port should be >= 0 and < 65536. Received {text}.'
    assert refusal(validate_port, 'Port', value) == (CodedValueError, PORT, message)


@pytest.mark.parametrize('value', [0, -0.0, 1.5, 100, 2**40])
def test_a_timeout_is_any_finite_number_that_is_not_negative(value):
    assert validate_msecs(value) == value


@pytest.mark.parametrize(('value', 'text'), [
    ('100', "type string ('100')"), (None, 'null'), (UNDEFINED, 'undefined'),
    (True, 'type boolean (true)'), ({}, 'an instance of Object'), (lambda: 1, 'function '),
])
def test_a_timeout_that_is_no_number_is_refused(value, text):
    message = f'The "msecs" argument must be of type number. Received {text}'
    assert refusal(validate_msecs, value) == (CodedTypeError, TYPE, message)


@pytest.mark.parametrize(('value', 'text'), [
    (-1, '-1'), (NAN, 'NaN'), (INF, 'Infinity'), (-INF, '-Infinity'),
])
def test_a_timeout_out_of_range_is_refused(value, text):
    message = (
        'The value of "msecs" is out of range. It must be a non-negative finite number. '
        f'Received {text}'
    )
    assert refusal(validate_msecs, value) == (CodedValueError, RANGE, message)


@pytest.mark.parametrize(('value', 'error', 'code', 'text'), [
    (NAN, CodedValueError, RANGE, 'It must be an integer. Received NaN'),
    (1.5, CodedValueError, RANGE, 'It must be an integer. Received 1.5'),
    (INF, CodedValueError, RANGE, 'It must be an integer. Received Infinity'),
    (0, CodedValueError, RANGE, 'It must be >= 1 && <= 2147483647. Received 0'),
    (2**31, CodedValueError, RANGE, 'It must be >= 1 && <= 2147483647. Received 2147483648'),
])
def test_an_integer_has_no_fraction_and_keeps_to_its_limits(value, error, code, text):
    message = f'The value of "value" is out of range. {text}'
    assert refusal(validate_integer, 'value', value, 1, 2**31 - 1) == (error, code, message)


def test_an_integer_within_its_limits_is_returned_as_an_int():
    values = [validate_integer('value', value, 1, 5) for value in (1, 5, 2.0)]
    assert [(value, type(value)) for value in values] == [(1, int), (5, int), (2, int)]


@pytest.mark.parametrize(('validate', 'value', 'expected', 'text'), [
    (validate_number, '1', 'of type number', "type string ('1')"),
    (validate_number, False, 'of type number', 'type boolean (false)'),
    (validate_boolean, 1, 'of type boolean', 'type number (1)'),
    (validate_boolean, None, 'of type boolean', 'null'),
    (validate_function, {}, 'of type function', 'an instance of Object'),
    (validate_function, None, 'of type function', 'null'),
    (validate_signal, {}, 'an instance of AbortSignal', 'an instance of Object'),
    (lambda name, value: validate_integer(name, value, 0, 1), 'x', 'of type number',
     "type string ('x')"),
])
def test_an_argument_of_the_wrong_type_is_refused(validate, value, expected, text):
    argument = f'The "value" argument must be {expected}. Received {text}'
    option = f'The "options.value" property must be {expected}. Received {text}'
    assert refusal(validate, 'value', value) == (CodedTypeError, TYPE, argument)
    assert refusal(validate, 'options.value', value) == (CodedTypeError, TYPE, option)


def test_a_valid_argument_is_returned():
    event = Event()
    assert validate_number('value', NAN) is NAN
    assert validate_boolean('value', False) is False
    assert validate_function('value', fn) is fn
    assert validate_signal('value', event) is event
