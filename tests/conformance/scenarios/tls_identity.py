"""checkServerIdentity(host, cert), row by row: which name is whose."""

from __future__ import annotations

from typing import Any

from ..form import Form
from ._tls import scenario

__all__ = ['SCENARIOS']


def _dns(*names: str) -> dict[str, Form]:
    return {'subject': {}, 'subjectaltname': ', '.join(f'DNS:{name}' for name in names)}


def _alt(text: str, **subject: Form) -> dict[str, Form]:
    return {'subject': subject, 'subjectaltname': text}


def _cn(name: Form) -> dict[str, Form]:
    return {'subject': {'CN': name}}


_ROWS: list[tuple[Form, dict[str, Any]]] = [
    ('a.com', _dns('a.com')),
    ('A.COM', _dns('a.com')),
    ('a.com', _dns('A.COM')),
    ('a.com.', _dns('a.com')),
    ('a.com', _dns('a.com.')),
    ('b.com', _dns('a.com')),
    ('x.a.com', _dns('*.a.com')),
    ('a.com', _dns('*.a.com')),
    ('y.x.a.com', _dns('*.a.com')),
    ('x.a.com', _dns('*.*.com')),
    ('a.com', _dns('*.com')),
    ('com', _dns('*')),
    ('a.com', _dns('*')),
    ('foo.a.com', _dns('f*.a.com')),
    ('foo.a.com', _dns('*o.a.com')),
    ('foo.a.com', _dns('f*o.a.com')),
    ('fo.a.com', _dns('f*o.a.com')),
    ('foo.a.com', _dns('f*o*.a.com')),
    ('x.y.a.com', _dns('x.*.a.com')),
    ('xn--foo.a.com', _dns('*.a.com')),
    ('xn--foo.a.com', _dns('xn--*.a.com')),
    ('xn--bcher-kva.a.com', _dns('xn--bcher-kva.a.com')),
    ('bücher.a.com', _dns('xn--bcher-kva.a.com')),
    ('bücher.a.com', _dns('bücher.a.com')),
    ('_x.a.com', _dns('*.a.com')),
    ('a.com', _alt('DNS:b.com', CN='a.com')),
    ('a.com', _cn('a.com')),
    ('A.com', _cn('a.com')),
    ('b.com', _cn('a.com')),
    ('x.a.com', _cn('*.a.com')),
    ('a.com', _alt('IP Address:1.2.3.4', CN='a.com')),
    ('a.com', _alt('URI:http://a.com/', CN='a.com')),
    ('a.com', _alt('URI:http://a.com/')),
    ('a.com', _alt('email:x@a.com', CN='a.com')),
    ('a.com', _cn(['b.com', 'a.com'])),
    ('d.com', _cn(['a.com', 'c.com'])),
    ('a.com', {'subject': {}}),
    ('a.com', {}),
    ('a.com', _alt('')),
    ('1.2.3.4', _alt('IP Address:1.2.3.4')),
    ('1.2.3.5', _alt('IP Address:1.2.3.4, IP Address:1.2.3.6')),
    ('1.2.3.4', _dns('1.2.3.4')),
    ('1.2.3.4', _cn('1.2.3.4')),
    ('1.2.3.4', _dns('*.2.3.4')),
    ('1.2.3.4', _alt('IP Address:8.8.8.0/24')),
    ('::1', _alt('IP Address:0:0:0:0:0:0:0:1')),
    ('0:0:0:0:0:0:0:1', _alt('IP Address:::1')),
    ('0000::0001', _alt('IP Address:0:0:0:0:0:0:0:1')),
    ('2001:DB8::1', _alt('IP Address:2001:db8:0:0:0:0:0:1')),
    ('[::1]', _alt('IP Address:::1')),
    ('::ffff:1.2.3.4', _alt('IP Address:1.2.3.4')),
    ('127.0.0.1.', _alt('IP Address:127.0.0.1')),
    ('127.1', _alt('IP Address:127.0.0.1')),
    ('1', _dns('a.com')),
    ('0x7f.0.0.1', _dns('a.com')),
    ('0177.0.0.1', _dns('a.com')),
    ('2130706433', _dns('a.com')),
    ('1.2.3.4.5', _dns('a.com')),
    ('1.2.3.a', _dns('a.com')),
    ('localhost', _dns('a.com', 'localhost')),
    ('a.com', _alt('DNS:"a.com"')),
    ('a.com', _alt('DNS:"evil.com, DNS:a.com"')),
    ('', _dns('a.com')),
    (None, _dns('a.com')),
    (5, _dns('a.com')),
    ('a.com\0.evil.com', _dns('a.com')),
    ('a..com', _dns('a..com')),
    ('-a.com', _dns('*.com')),
    ('a.com', _alt('dns:a.com')),
    ('a.com', _alt('DNS:a.com, "')),
    ('a.com', _alt('DNS:a.com, DNS:"')),
]

SCENARIOS = [
    scenario(
        f'tls identity/{host!a}, {cert!a}', 'tls.checkServerIdentity',
        [['call', 'tls.checkServerIdentity', host, cert]],
        on_purpose='a `subjectaltname` that cannot be read is a `SyntaxError`'
        if cert.get('subjectaltname', '').endswith('"') and '"a' not in repr(cert)
        and 'evil' not in repr(cert) else None)
    for host, cert in _ROWS
]
