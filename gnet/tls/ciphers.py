"""Versions, ciphers and curves: the defaults, which a program may change, and what there is."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from ..node.coded_errors import CodedTypeError, invalid_arg_type
from ..node.inspection import inspect
from ..node.values import UNDEFINED
from .errors import library_error, operation_failed, unavailable

__all__ = [
    'CLIENT_RENEG_LIMIT',
    'CLIENT_RENEG_WINDOW',
    'DEFAULTS',
    'get_ciphers',
]

#: What of TLS 1.3 each OpenSSL has, in the order in which it prefers them. The ``ssl`` module can
#: neither leave one out nor change the order, before Python 3.15.
SUITES_1_3 = (
    'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256', 'TLS_AES_128_GCM_SHA256')

#: Node has these; renegotiation, which they limit, is off in gnet.
CLIENT_RENEG_LIMIT = 3
CLIENT_RENEG_WINDOW = 600

#: Keys of 2048 bits and hashes of 256 at least: OpenSSL 3.2's own default, and so Node's. Python
#: 3.9 leaves it to the build, which may be older.
_SECURITY_LEVEL = '@SECLEVEL=2'


class Defaults:
    """What contexts are made with if the options do not say. Each may be assigned.

    A wrong value raises when the next context is made.

    Attributes:
        ciphers: as of the option ``ciphers``.
        ecdh_curve: as of the option ``ecdh_curve``.
        min_version: as of the option ``min_version``.
        max_version: as of the option ``max_version``.
    """

    def __init__(self) -> None:
        self.ciphers: Any = (
            'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:'
            'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256:'
            'ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384:'
            'DHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA256:DHE-RSA-AES128-SHA256:'
            'ECDHE-RSA-AES256-SHA384:DHE-RSA-AES256-SHA384:ECDHE-RSA-AES256-SHA256:'
            'DHE-RSA-AES256-SHA256:HIGH:!aNULL:!eNULL:!EXPORT:!DES:!RC4:!MD5:!PSK:!SRP:!CAMELLIA')
        self.ecdh_curve: Any = 'auto'
        self.min_version: Any = 'TLSv1.2'
        self.max_version: Any = 'TLSv1.3'


#: The defaults of this process.
DEFAULTS = Defaults()

#: Bits that leave a version out. Python warns of them, and wants a lowest and a highest instead.
NO_VERSION = int(
    ssl.OP_NO_SSLv2 | ssl.OP_NO_SSLv3 | ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1 | ssl.OP_NO_TLSv1_2
    | ssl.OP_NO_TLSv1_3)

_VERSIONS = {'TLSv1.2': ssl.TLSVersion.TLSv1_2, 'TLSv1.3': ssl.TLSVersion.TLSv1_3}
_TOO_OLD = ('TLSv1', 'TLSv1.1')

#: Node's ``secureProtocol``, without ``_client`` and ``_server``: the one version, or None for any.
_METHODS: dict[str, str | None] = {
    'TLS_method': None, 'SSLv23_method': None, 'TLSv1_method': 'TLSv1',
    'TLSv1_1_method': 'TLSv1.1', 'TLSv1_2_method': 'TLSv1.2',
}

#: Curves that are of another kind to OpenSSL, so that Python 3.9 and 3.10 do not know them.
_MONTGOMERY = ('X25519', 'X448')

#: NIST's names of curves, as OpenSSL calls them: Python asks OpenSSL for one by its short name.
_CURVES = {'P-256': 'prime256v1', 'P-384': 'secp384r1', 'P-521': 'secp521r1'}


def get_ciphers() -> list[str]:
    """Return the names of the ciphers that this OpenSSL has, in lower case, in a new list.

    Those of TLS 1.3 begin with ``tls_``.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers('ALL:COMPLEMENTOFALL')
    return sorted(cipher['name'].lower() for cipher in context.get_ciphers())


def versions(options: Mapping[str, Any]) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    """Return the lowest and the highest version that these options allow.

    Args:
        options: in ``snake_case``; ``min_version``, ``max_version`` and ``secure_protocol`` count.

    Raises:
        CodedTypeError: ``ERR_TLS_INVALID_PROTOCOL_VERSION`` for an unknown one, and for a lowest
            above the highest; ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM`` for those before 1.2, which
            are broken; ``ERR_TLS_INVALID_PROTOCOL_METHOD``, ``ERR_TLS_PROTOCOL_VERSION_CONFLICT``.
    """
    lowest, highest = options.get('min_version'), options.get('max_version')
    method = options.get('secure_protocol')
    if isinstance(method, str) and method:
        return _of_method(method, lowest, highest)
    return _in_order(
        _version('minimum', lowest if _is_given(lowest) else DEFAULTS.min_version),
        _version('maximum', highest if _is_given(highest) else DEFAULTS.max_version))


def without_versions(
    bits: int, low: ssl.TLSVersion, high: ssl.TLSVersion,
) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    """Return the lowest and the highest version without those that *bits* (``OP_NO_…``) leave out.

    Raises:
        CodedTypeError: ``ERR_TLS_INVALID_PROTOCOL_VERSION``: none is left.
    """
    if bits & ssl.OP_NO_TLSv1_2:
        low = ssl.TLSVersion.TLSv1_3
    if bits & ssl.OP_NO_TLSv1_3:
        high = ssl.TLSVersion.TLSv1_2
    return _in_order(low, high)


def _in_order(
    low: ssl.TLSVersion, high: ssl.TLSVersion,
) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    if low > high:
        raise CodedTypeError(
            'ERR_TLS_INVALID_PROTOCOL_VERSION',
            'The minimum TLS protocol version is above the maximum: no handshake could succeed')
    return low, high


def _of_method(method: str, lowest: Any, highest: Any) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    for given in (lowest, highest):
        if _is_given(given):
            raise CodedTypeError(
                'ERR_TLS_PROTOCOL_VERSION_CONFLICT',
                f'TLS protocol version {_quoted(given)} conflicts with secureProtocol "{method}"')
    if method.startswith(('SSLv2_', 'SSLv3_')):
        text = f'{method[:5]} methods disabled'
        raise CodedTypeError('ERR_TLS_INVALID_PROTOCOL_METHOD', text)
    plain = method.replace('_client_', '_').replace('_server_', '_')
    if plain not in _METHODS:
        raise CodedTypeError('ERR_TLS_INVALID_PROTOCOL_METHOD', f'Unknown method: {method}')
    version = _METHODS[plain]
    if version is None:
        return _VERSIONS['TLSv1.2'], _VERSIONS['TLSv1.3']
    only = _version('minimum', version)
    return only, only


def _is_given(value: Any) -> bool:
    return value is not None and value is not UNDEFINED


def _version(which: str, given: Any) -> ssl.TLSVersion:
    if isinstance(given, str) and given in _TOO_OLD:
        raise unavailable(
            f'"{given}" as a {which} TLS protocol version', 'nothing before TLSv1.2 is secure')
    if not isinstance(given, str) or given not in _VERSIONS:
        raise CodedTypeError(
            'ERR_TLS_INVALID_PROTOCOL_VERSION',
            f'{_quoted(given)} is not a valid {which} TLS protocol version')
    return _VERSIONS[given]


def _quoted(given: Any) -> str:
    return f'"{given}"' if isinstance(given, str) else inspect(given)


class CipherList:
    """The option ``ciphers``: one list for both worlds, of which ``ssl`` can set one.

    Attributes:
        has_older: whether ciphers of TLS 1.2 are among them. Where not, 1.2 is off.
    """

    def __init__(self, given: Any) -> None:
        """Read the list; nothing is set yet.

        Raises:
            CodedTypeError: ``ERR_INVALID_ARG_TYPE``.
        """
        if given is None or given is UNDEFINED or given == '':
            given = DEFAULTS.ciphers
        if not isinstance(given, str):
            raise invalid_arg_type('options.ciphers', 'of type string', given)
        names = [name for name in given.split(':') if name]
        self._suites = [name for name in names if name.startswith('TLS_')]
        self._older = ':'.join(name for name in names if not name.startswith('TLS_'))
        self.has_older: bool = bool(self._older)

    def set(self, context: ssl.SSLContext) -> None:
        """Have *context* use them.

        Raises:
            TLSError: ``ERR_SSL_NO_CIPHER_MATCH`` if none is known.
            CodedTypeError: ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM`` for another choice of the suites
                of TLS 1.3 than all.
        """
        if self._suites:
            self._set_suites(context)
        if not self.has_older:
            if not self._suites:
                raise library_error('SSL', 'NO_CIPHER_MATCH')
            return
        level = '' if '@SECLEVEL' in self._older else _SECURITY_LEVEL + ':'
        try:
            context.set_ciphers(level + self._older)
        except ssl.SSLError as error:
            raise library_error('SSL', 'NO_CIPHER_MATCH') from error

    def _set_suites(self, context: ssl.SSLContext) -> None:
        if tuple(self._suites) == SUITES_1_3:
            return
        known = {cipher['name'] for cipher in context.get_ciphers()} | set(SUITES_1_3)
        if not known.intersection(self._suites) and not self.has_older:
            raise library_error('SSL', 'NO_CIPHER_MATCH')
        raise unavailable(
            'options.ciphers with a choice of the TLS 1.3 suites', "Python's ssl has them all or "
            f'none; name them all, in this order: {":".join(SUITES_1_3)}')


class Curve:
    """The option ``ecdh_curve``; ``'auto'`` is OpenSSL's choice."""

    def __init__(self, given: Any) -> None:
        """Read it; nothing is set yet.

        Raises:
            CodedTypeError: ``ERR_INVALID_ARG_TYPE``; ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM`` for a
                list of several.
        """
        if given is UNDEFINED:
            given = DEFAULTS.ecdh_curve
        if not isinstance(given, str):
            raise invalid_arg_type('options.ecdhCurve', 'of type string', given)
        if ':' in given:
            raise unavailable('options.ecdhCurve with several curves')
        self._name = '' if given == 'auto' else _CURVES.get(given, given)

    def set(self, context: ssl.SSLContext) -> None:
        """Have *context* use it.

        Raises:
            CodedRuntimeError: ``ERR_CRYPTO_OPERATION_FAILED`` for an unknown one.
            CodedTypeError: ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM``: Python 3.9 and 3.10 do not have
                it.
        """
        if not self._name:
            return
        try:
            context.set_ecdh_curve(self._name)
        except (ValueError, ssl.SSLError) as error:
            if self._name in _MONTGOMERY:
                raise unavailable(
                    f'options.ecdhCurve {self._name}', 'it needs Python 3.11') from None
            raise operation_failed('Failed to set ECDH curve') from error
