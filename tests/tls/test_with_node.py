"""The parts without sockets beside a real Node, which is given the same.

Skipped unless the environment variable ``GNET_NODE`` names a ``node``.
"""

from __future__ import annotations

import json
import os
import random
from typing import Any

import pytest
from gevent import subprocess

from gnet.errors import CodedError
from gnet.tls.identity import check_server_identity

from ..harness.waiting import PROCESS_PATIENCE
from .test_verification import CASES

NODE = os.environ.get('GNET_NODE', '')

pytestmark = pytest.mark.skipif(not NODE, reason='GNET_NODE names no node')

VERIFY_JS = """
const tls = require('tls');
const cases = JSON.parse(require('fs').readFileSync(0));
const judge = ({key, cert, client}) => new Promise(resolve => {
  const server = tls.createServer({key, cert});
  server.listen(0, '127.0.0.1', () => {
    const {port} = server.address();
    const options = {port, host: '127.0.0.1', rejectUnauthorized: false, ...client};
    const socket = tls.connect(options, () => {
      const error = socket.authorizationError;
      socket.destroy();
      server.close();
      resolve(error && (error.code || error));
    });
  });
});
(async () => {
  const found = {};
  for (const name in cases) found[name] = await judge(cases[name]);
  console.log(JSON.stringify(found));
})();
"""

IDENTITY_JS = """
const tls = require('tls');
const reason = (host, cert) => {
  try {
    const error = tls.checkServerIdentity(host, cert);
    return error ? error.reason : null;
  } catch (error) {
    return error.code;
  }
};
const cases = JSON.parse(require('fs').readFileSync(0));
console.log(JSON.stringify(cases.map(each => reason(...each))));
"""


def ask_node(script: str, value: Any) -> Any:
    """Return what Node makes of *value*: both as JSON."""
    done = subprocess.run(
        [NODE, '-e', script], input=json.dumps(value).encode(), stdout=subprocess.PIPE,
        check=True, timeout=PROCESS_PATIENCE)
    return json.loads(done.stdout)


def test_node_finds_the_same_wrong_with_certificates() -> None:
    given = {
        name: {
            'key': case.own.key, 'cert': case.own.cert + case.above,
            'client': {
                'allowPartialTrustChain' if option == 'allow_partial_trust_chain' else option: value
                for option, value in case.options.items()},
        }
        for name, case in CASES.items()
    }
    found = ask_node(VERIFY_JS, given)
    # Of several faults Node names the last one, and Python the first.
    assert found.pop('issuer that is none') == 'INVALID_PURPOSE'
    assert {name: (found[name], CASES[name].code) for name in found
            if found[name] != CASES[name].code} == {}


LABELS = (
    'a', 'A', 'b', 'com', 'COM', '*', 'f*o', 'foo', 'fo', '*o', 'f*', 'xn--foo', 'xn--*', '_x',
    '-a', 'bücher', 'xn--bcher-kva', 'a b', 'a\x7f', 'a\0b', '1', '127', '0x7f', '0177', '256')
ADDRESSES = (
    '1.2.3.4', '1.2.3.5', '::1', '0:0:0:0:0:0:0:1', '2001:DB8::1', '2001:db8:0:0:0:0:0:1',
    '::ffff:1.2.3.4', '[::1]', '127.1', '0x7f.0.0.1', '2130706433', '127.0.0.1.', '4294967295',
    '4294967296', '08', '1.2.3.08', '.1', 'fe80::1%eth0', 'fe80::1')


def random_case(chance: random.Random) -> tuple[str, dict[str, Any]]:
    def name() -> str:
        count = chance.choice((1, 2, 2, 3, 3, 4))
        return '.'.join(chance.choice(LABELS) for _ in range(count)) + chance.choice(('', '', '.'))

    def entry() -> str:
        kind = chance.choice(('DNS', 'DNS', 'DNS', 'IP Address', 'URI', 'email', 'dns'))
        value = chance.choice(ADDRESSES) if kind == 'IP Address' else name()
        if kind != 'IP Address' and chance.random() < 0.2:
            value = json.dumps(chance.choice((value, 'evil, DNS:a.com', value + '"')))
        return f'{kind}:{value}'

    cert: dict[str, Any] = {}
    if chance.random() < 0.8:
        cert['subjectaltname'] = ', '.join(entry() for _ in range(chance.randint(1, 3)))
    if chance.random() < 0.6:
        cert['subject'] = {'CN': chance.choice((name(), [name(), name()]))}
    host = chance.choice((chance.choice(ADDRESSES), name(), name()))
    if 'DNS:' in cert.get('subjectaltname', '') and chance.random() < 0.3:
        host = cert['subjectaltname'].split('DNS:')[1].split(', ')[0].replace('*', 'oo')
    return host, cert


def test_node_takes_the_same_hosts_for_those_of_a_certificate() -> None:
    chance = random.Random(22)
    cases = [random_case(chance) for _ in range(20_000)]
    accepted = 0
    for (host, cert), expected in zip(cases, ask_node(IDENTITY_JS, cases)):
        try:
            error = check_server_identity(host, cert)
            found = None if error is None else error.reason
        except CodedError as error:
            found = error.code
        accepted += found is None
        # A name with an empty label is nobody's here, and a host of Node's.
        assert found == expected or host.startswith('.'), (host, cert)
    assert accepted > 100
