"""The options of :func:`gnet.tls.create_secure_context` as types: see ``gnet/options/typed.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

#: Nothing at run time.
__all__: list[str] = []

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from typing import Any, TypedDict, Union

    #: Text and bytes are the thing itself; what has a path is read.
    Content = Union[str, bytes, PathLike[str]]

    class ContextKeywords(TypedDict, total=False):
        """Of :func:`gnet.tls.create_secure_context`."""

        allow_partial_trust_chain: bool | None
        ca: Content | Sequence[Content] | None
        cert: Content | Sequence[Content] | None
        certificate_compression: Any
        ciphers: str | None
        client_cert_engine: Any
        crl: Content | Sequence[Content] | None
        dhparam: Content | None
        ecdh_curve: str | None
        honor_cipher_order: bool | None
        key: Any
        max_version: str | None
        min_version: str | None
        passphrase: str | bytes | None
        pfx: Any
        private_key_engine: Any
        private_key_identifier: Any
        secure_options: int | None
        secure_protocol: str | None
        session_id_context: Any
        session_timeout: Any
        sigalgs: Any
        ticket_keys: Any
