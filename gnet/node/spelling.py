"""Node's camelCase spellings: the one mechanism that makes them work.

Every public name of gnet is written in ``snake_case``; Node's spelling is derived from it, never
typed a second time. Three doors lead here:

- :class:`NodeNames`, a base class: each public method, property and slot of a subclass is also
  found under its Node spelling. Overriding either spelling in a subclass overrides both.
- :func:`module_attribute`, for a module's ``__getattr__`` (``gnet.createServer``).
- :func:`snake_options`, for options given as a mapping or as keywords in either spelling.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any

__all__ = [
    'NodeNames',
    'camel',
    'module_attribute',
    'snake',
    'snake_options',
]

#: Names in which Node capitalises an abbreviation, so that the mechanical rule does not hold.
_EXCEPTIONS = {
    'CLIENT_RENEG_LIMIT': 'CLIENT_RENEG_LIMIT',
    'CLIENT_RENEG_WINDOW': 'CLIENT_RENEG_WINDOW',
    'DEFAULT_CIPHERS': 'DEFAULT_CIPHERS',
    'DEFAULT_ECDH_CURVE': 'DEFAULT_ECDH_CURVE',
    'DEFAULT_MAX_VERSION': 'DEFAULT_MAX_VERSION',
    'DEFAULT_MIN_VERSION': 'DEFAULT_MIN_VERSION',
    'PRIVATE_RANGES': 'PRIVATE_RANGES',
    'SCHED_NONE': 'SCHED_NONE',
    'SCHED_RR': 'SCHED_RR',
    'add_cidr': 'addCIDR',
    'add_cidrs': 'addCIDRs',
    'alpn_callback': 'ALPNCallback',
    'alpn_protocols': 'ALPNProtocols',
    'convert_alpn_protocols': 'convertALPNProtocols',
    'from_json': 'fromJSON',
    'get_ca_certificates': 'getCACertificates',
    'get_tls_ticket': 'getTLSTicket',
    'is_ip': 'isIP',
    'is_ipv4': 'isIPv4',
    'is_ipv6': 'isIPv6',
    'min_dh_size': 'minDHSize',
    'remove_cidr': 'removeCIDR',
    'request_ocsp': 'requestOCSP',
    'set_default_ca_certificates': 'setDefaultCACertificates',
    'sni_callback': 'SNICallback',
    'to_json': 'toJSON',
}
_EXCEPTIONS_REVERSED = {node: python for python, node in _EXCEPTIONS.items()}

#: Members that Node's documentation lists with a leading underscore. Other underscored names are
#: private to gnet and get no second spelling.
DOCUMENTED_UNDERSCORE = frozenset({
    '_connection_key',
    '_emit_close_if_drained',
    '_listening_id',
    '_pipe_name',
    '_setup_worker',
    '_using_workers',
})


def camel(name: str) -> str:
    """Return Node's spelling of a ``snake_case`` *name* (``'is_ipv4'`` -> ``'isIPv4'``)."""
    known = _EXCEPTIONS.get(name)
    if known is not None:
        return known
    head, *rest = name.lstrip('_').split('_')
    prefix = name[:len(name) - len(name.lstrip('_'))]
    return prefix + head + ''.join(part[:1].upper() + part[1:] for part in rest)


def snake(name: str) -> str:
    """Return the ``snake_case`` spelling of a Node *name*; such a name itself is unchanged."""
    if name.islower():
        return name
    known = _EXCEPTIONS_REVERSED.get(name)
    if known is not None:
        return known
    return re.sub(r'(?<=[a-z0-9])([A-Z])', lambda match: '_' + match[1].lower(), name)


def snake_options(*sources: Mapping[str, Any] | None) -> dict[str, Any]:
    """Merge option mappings, later ones winning, into one new dict with ``snake_case`` keys.

    The sources are not modified. None stands for an empty mapping. Unknown names are kept, as Node
    ignores them.
    """
    merged: dict[str, Any] = {}
    for source in sources:
        if source:
            for name, value in source.items():
                merged[snake(name) if isinstance(name, str) else name] = value
    return merged


def _node_spelling(name: str) -> str | None:
    """Return the second spelling that a class attribute *name* should have, or None."""
    if name.startswith('_') and name not in DOCUMENTED_UNDERSCORE:
        return None
    node = camel(name)
    return node if node != name else None


class NodeNames:
    """Base class whose subclasses answer to Node's spellings as well.

    Works on the class, once, when it is made: an attribute look-up costs what it cost before.
    """

    __slots__ = ()

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        for name, value in list(vars(cls).items()):
            node = _node_spelling(name)
            if node is not None and node not in vars(cls):
                setattr(cls, node, value)
                continue
            # A subclass that overrides by Node's spelling means the same member. It is recognised
            # by a base class that has both, so an unrelated camelCase name stays alone.
            python = snake(name)
            if python != name and python not in vars(cls) and hasattr(cls, python):
                setattr(cls, python, value)


def module_attribute(module: str, namespace: Mapping[str, Any], name: str) -> Any:
    """Answer a module's ``__getattr__`` for Node's spelling of one of its public names.

    Raises:
        AttributeError: when *namespace* has no public name that is spelled so in Node.
    """
    python = snake(name)
    if python != name and python in namespace['__all__']:
        return getattr(sys.modules[module], python)  # it may come when it is first used
    raise AttributeError(f'module {module!r} has no attribute {name!r}')
