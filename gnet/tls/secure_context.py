"""Secure contexts: keys, certificates, authorities and settings, of which connections are made.

Node has one context for all; Python's ``ssl`` needs another for each end, for each way to verify
and for each list of ALPN protocols. So a :class:`SecureContext` remembers what it is made of, has
it checked when it is made, and makes those when they are first asked for.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..node.coded_errors import CodedTypeError, invalid_arg_type
from ..node.keywords import check_keywords
from ..node.spelling import snake_options
from ..node.values import UNDEFINED
from . import roots
from .ciphers import CipherList
from .context_options import CONTEXT_OPTIONS, ContextOptions, context_options
from .errors import operation_failed, state_error, tls_error, unavailable
from .identities import load_identities
from .pem import as_file

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .typed_context_options import ContextKeywords

__all__ = [
    'SecureContext',
    'as_secure_context',
    'create_secure_context',
]

#: Contexts of one SecureContext that are remembered. There is one for each list of ALPN protocols,
#: and a callback may choose by what clients offer: they must not be able to fill the memory.
_MOST_VARIANTS = 32

#: One cipher for each kind of key, at the security level of all.
_VERDICT_CIPHERS = 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256'

#: ``OP_IGNORE_UNEXPECTED_EOF``, which Python sets and has no name for before 3.10: a connection
#: that is cut off would look like one that has ended.
_IGNORE_CUT_OFF = 0x80

#: ``VERIFY_X509_PARTIAL_CHAIN``, which has no name before Python 3.10.
_PARTIAL_CHAIN = 0x80000


class SecureContext:
    """What connections are secured with. Immutable; it may serve many at the same time.

    Its contexts verify *in* the handshake, so that the peer is told why it is refused, and no data
    goes to who is not whom it should be. They speak TLS 1.2 and 1.3, do not renegotiate and do not
    compress. The name in a server's certificate is not looked at by them: that is
    :func:`gnet.tls.check_server_identity`'s, after the handshake.

    Attributes:
        given: the ``ssl.SSLContext`` of the program, which is used as it is, or None.
        paths: the files from which keys and certificates were read.
        certificates: the own certificates, each as DER; without the rest of their chains.
    """

    __slots__ = ('__weakref__', '_options', '_roots', '_variants', 'certificates', 'given', 'paths')

    given: ssl.SSLContext | None
    paths: tuple[str, ...]
    certificates: tuple[bytes, ...]

    def __init__(self, options: Mapping[str, Any] | None = None, **keywords: Any) -> None:
        """Check the options, as :func:`create_secure_context`."""
        check_keywords('create_secure_context', keywords, CONTEXT_OPTIONS)
        self._set_up(_checked(options, keywords))

    def _set_up(self, options: ContextOptions) -> None:
        self.given = None
        self._options = options
        self._roots = roots.snapshot()
        self._variants: dict[tuple[Any, ...], ssl.SSLContext] = {}
        self.paths = options.paths
        self.certificates = tuple(identity.leaf for identity in options.identities)
        # Whatever OpenSSL does not like shows here, and not at the first connection.
        self.server_context()

    @property
    def context(self) -> ssl.SSLContext:
        """The context with which a client verifies its server; or the one that was given."""
        return self.client_context() if self.given is None else self.given

    def client_context(
        self, *, verify: bool = True, alpn: Sequence[str] = (),
    ) -> ssl.SSLContext:
        """Return the context of a client's ``wrap_bio``; do not modify it.

        Args:
            verify: refuse a server whose certificate cannot be verified.
            alpn: the protocols to offer.

        Raises:
            CodedTypeError: ``ERR_TLS_INVALID_CONTEXT`` if a context was given that does not verify,
                or is none of a client; ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM`` if it was given and
                something else is asked for than it has.
        """
        if self.given is not None:
            return _as_given(self.given, server_side=False, verify=verify, alpn=alpn)
        return self._variant(False, verify, alpn)

    def server_context(
        self, *, request_cert: bool = False, alpn: Sequence[str] = (),
    ) -> ssl.SSLContext:
        """Return the context of a server's ``wrap_bio``; do not modify it.

        Args:
            request_cert: ask the client for a certificate, and refuse it without a good one.
            alpn: the protocols to choose from, the dearest first.

        Raises:
            CodedTypeError: as :meth:`client_context`.
        """
        if self.given is not None:
            return _as_given(self.given, server_side=True, verify=request_cert, alpn=alpn)
        return self._variant(True, request_cert, alpn)

    def verifying_context(self) -> ssl.SSLContext:
        """Return the context of a client that verifies and speaks TLS 1.2: for :mod:`.verdict`."""
        key = ('verdict',)
        context = self._variants.get(key)
        if context is None:
            low = high = ssl.TLSVersion.TLSv1_2
            options = self._options._replace(
                versions=(low, high), ciphers=CipherList(_VERDICT_CIPHERS), identities=())
            context = self._variants[key] = _make(options, self._roots, False, True, ())
        return context

    def _variant(self, server_side: bool, verify: bool, alpn: Sequence[str]) -> ssl.SSLContext:
        key = (server_side, verify, *alpn)
        context = self._variants.get(key)
        if context is None:
            if len(self._variants) >= _MOST_VARIANTS:
                del self._variants[next(iter(self._variants))]
            context = self._variants[key] = _make(
                self._options, self._roots, server_side, verify, alpn)
        return context

    def __repr__(self) -> str:
        return '<SecureContext>' if self.given is None else f'<SecureContext of {self.given!r}>'

    def __reduce__(self) -> Any:
        raise TypeError('a SecureContext holds keys: it cannot be copied or pickled')


def create_secure_context(
    options: Mapping[str, Any] | None = None, **keywords: Unpack[ContextKeywords],
) -> SecureContext:
    """Make what ``connect``, servers and ``add_context`` take as ``secure_context``.

    What is text in Node is str, bytes or a buffer here; an ``os.PathLike`` is read as a file.

    Args:
        options: a mapping in either spelling, in which what is not known is ignored.
        **keywords: options, which win:

            - ``key``: a private key as PEM, or a list of such, or of ``{'pem', 'passphrase'}``;
            - ``cert``: a chain of certificates as PEM, the own one first; or a list, one for each
              key;
            - ``passphrase``: of the keys, and of ``pfx``;
            - ``pfx``: key and certificates as PKCS#12, or a list of such, or of
              ``{'buf', 'passphrase'}``; it needs the package ``cryptography``;
            - ``ca``: whom to trust, as PEM, instead of the system's authorities;
            - ``crl``: lists of revoked certificates, as PEM. With one, each certificate of a chain
              has to have a list of its issuer;
            - ``allow_partial_trust_chain`` (False): trust what is in ``ca`` also if it is no root;
            - ``min_version`` (``'TLSv1.2'``), ``max_version`` (``'TLSv1.3'``), or
              ``secure_protocol``;
            - ``ciphers``, ``honor_cipher_order`` (True on a server), ``ecdh_curve``, ``dhparam``;
            - ``secure_options``: bits (``ssl.OP_…``) that are set besides.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE``, ``ERR_INVALID_ARG_VALUE``,
            ``ERR_TLS_INVALID_PROTOCOL_VERSION``, ``ERR_TLS_INVALID_PROTOCOL_METHOD``,
            ``ERR_TLS_PROTOCOL_VERSION_CONFLICT``; ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM`` for what
            ``ssl`` cannot do (``sigalgs``, ``ticket_keys``, ``session_timeout``, …: docs/tls.md).
        TLSError: OpenSSL cannot use it: ``ERR_OSSL_PEM_NO_START_LINE``, ``ERR_OSSL_UNSUPPORTED``,
            ``ERR_OSSL_BAD_DECRYPT``, ``ERR_OSSL_X509_KEY_VALUES_MISMATCH``,
            ``ERR_SSL_NO_CIPHER_MATCH``, …
        CodedRuntimeError: ``ERR_CRYPTO_OPERATION_FAILED``.
        OSError: a file cannot be read.
        TypeError: a keyword that is no option.
    """
    check_keywords('create_secure_context', keywords, CONTEXT_OPTIONS)
    return _new(_checked(options, keywords))


def as_secure_context(value: Any) -> SecureContext:
    """Return the option ``secure_context`` as a :class:`SecureContext`.

    An ``ssl.SSLContext``, the standard library's or gevent's, will do: its ``wrap_bio`` is called,
    and nothing of it is changed.

    Raises:
        CodedTypeError: ``ERR_TLS_INVALID_CONTEXT`` for anything else.
    """
    if isinstance(value, SecureContext):
        return value
    if not is_ssl_context(value):
        raise state_error('ERR_TLS_INVALID_CONTEXT')
    made = SecureContext.__new__(SecureContext)
    made.given = value
    made.paths = made.certificates = ()
    return made


def is_ssl_context(value: object) -> bool:
    """Return whether *value* is a context of Python's ``ssl``, patched or not."""
    # By the class below, which both have: ssl.SSLContext is gevent's in a patched process, and one
    # that was made before is none of it.
    return isinstance(value, ssl.SSLContext.__mro__[-2])


def _checked(options: object, keywords: Mapping[str, Any]) -> ContextOptions:
    if options is UNDEFINED:
        options = None
    if options is not None and not isinstance(options, Mapping):
        raise invalid_arg_type('options', 'of type object', options)
    return context_options(snake_options(options, keywords))


def _new(options: ContextOptions) -> SecureContext:
    made = SecureContext.__new__(SecureContext)
    made._set_up(options)  # inside: it is its constructor
    return made


def _as_given(
    context: ssl.SSLContext, *, server_side: bool, verify: bool, alpn: Sequence[str],
) -> ssl.SSLContext:
    """Return *context* if it does what is asked for: it is not to be changed."""
    wrong_end = ssl.PROTOCOL_TLS_CLIENT if server_side else ssl.PROTOCOL_TLS_SERVER
    if context.protocol == wrong_end:
        end = 'server' if server_side else 'client'
        raise CodedTypeError('ERR_TLS_INVALID_CONTEXT', f'The SSLContext is none for a {end}')
    if alpn:
        raise unavailable(
            'options.ALPNProtocols beside a given SSLContext', 'call its set_alpn_protocols()')
    if verify and context.verify_mode != ssl.CERT_REQUIRED:
        raise CodedTypeError(
            'ERR_TLS_INVALID_CONTEXT',
            'The SSLContext does not verify the peer: set its verify_mode to CERT_REQUIRED, or say '
            + ('request_cert=False' if server_side else 'reject_unauthorized=False'))
    return context


def _make(
    options: ContextOptions, chosen: tuple[str, ...] | None, server_side: bool, verify: bool,
    alpn: Sequence[str],
) -> ssl.SSLContext:
    # Looked up at each call: in a process that was patched meanwhile, setters of the class of
    # before call themselves for ever.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
    context.minimum_version, context.maximum_version = options.versions
    set_bits = (
        ssl.OP_ALL | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        | ssl.OP_SINGLE_DH_USE | ssl.OP_SINGLE_ECDH_USE)
    clear_bits = _IGNORE_CUT_OFF | ssl.OP_CIPHER_SERVER_PREFERENCE
    if server_side if options.honor_cipher_order is None else options.honor_cipher_order:
        set_bits |= ssl.OP_CIPHER_SERVER_PREFERENCE
    # The type is for gevent's setter, which has none.
    context.options = ssl.Options(
        int(context.options) & ~clear_bits | set_bits | options.secure_options)
    flags = int(ssl.VERIFY_X509_TRUSTED_FIRST)
    if options.allow_partial_trust_chain:
        flags |= _PARTIAL_CHAIN
    if options.revoked:
        flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    context.verify_flags = ssl.VerifyFlags(flags)
    options.ciphers.set(context)
    options.curve.set(context)
    load_identities(context, options.identities)
    _load_authorities(context, options, chosen, verify)
    if options.dhparam and server_side:
        _load_dhparam(context, options.dhparam)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def _load_authorities(
    context: ssl.SSLContext, options: ContextOptions, chosen: tuple[str, ...] | None, verify: bool,
) -> None:
    if options.authorities is None:
        if verify:
            roots.load_roots(context, chosen)
    else:
        _load(context, options.authorities)
    if options.more_authorities:
        _load(context, options.more_authorities)
    for crl in options.revoked:
        try:
            with as_file(crl) as path:
                context.load_verify_locations(path)
        except (ssl.SSLError, OSError) as error:
            raise operation_failed('Failed to parse CRL') from error


def _load(context: ssl.SSLContext, blocks: Sequence[str]) -> None:
    try:
        context.load_verify_locations(cadata='\n'.join(blocks))
    except ssl.SSLError as error:
        raise tls_error(error) from error


def _load_dhparam(context: ssl.SSLContext, content: bytes) -> None:
    try:
        with as_file(content) as path:
            context.load_dh_params(path)
    except ssl.SSLError as error:
        if error.reason == 'DH_KEY_TOO_SMALL':
            raise tls_error(error) from error
        raise operation_failed('Failed to parse DH parameters') from error
