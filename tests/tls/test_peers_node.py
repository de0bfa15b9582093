"""gnet and a living Node, each as the client and the server of the other.

Skipped unless the environment variable ``GNET_NODE`` names a ``node``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from gnet import tls

from ..harness.authority import NAMES, authority, stranger
from ..harness.connections import Connection, code, target_of
from ..harness.waiting import until
from .programs import Files, Programs

NODE = os.environ.get('GNET_NODE', '')

pytestmark = pytest.mark.skipif(not NODE, reason='GNET_NODE names no node')

VERSIONS = pytest.mark.parametrize('version', ['TLSv1.2', 'TLSv1.3'])

_HEAD = """
const tls = require('tls'), fs = require('fs');
const given = JSON.parse(process.argv[1]);
const options = {...given.options};
for (const [name, path] of Object.entries(given.files)) options[name] = fs.readFileSync(path);
const say = (...words) => console.log(...words);
const trace = socket => ['secureConnect', 'end', 'finish', 'close'].forEach(
    name => socket.on(name, argument => say(name, argument === undefined ? '' : argument)));
"""

#: Sends a line, ends its half, and tells what comes.
CLIENT = _HEAD + """
const socket = tls.connect(options);
trace(socket);
socket.on('error', error => say('error', error.code));
socket.on('secureConnect', () => {
  say('agreed', socket.getProtocol(), socket.alpnProtocol, socket.servername, socket.authorized);
  socket.end('hello');
});
let received = '';
socket.on('data', data => { received += data; });
socket.on('end', () => say('received', received));
"""

#: Answers with what it has received, when that has ended.
SERVER = _HEAD + """
const server = tls.createServer({allowHalfOpen: true, ...options}, socket => {
  say('agreed', socket.getProtocol(), socket.alpnProtocol, socket.servername, socket.authorized,
      socket.isSessionReused());
  trace(socket);
  let received = '';
  socket.on('error', error => say('error', error.code));
  socket.on('data', data => { received += data; });
  socket.on('end', () => socket.end(received.toUpperCase()));
});
server.on('tlsClientError', error => say('refused', error.code));
server.listen(0, '127.0.0.1', () => say('port', server.address().port));
"""


def start(programs: Programs, code: str, options: dict[str, Any], **files: str) -> Any:
    return programs.start([NODE, '-e', code, json.dumps({'options': options, 'files': files})])


def answer(sock: Any) -> None:
    """Answer with what was received, when that has ended; blocking."""
    sock.sendall(b''.join(sock).upper())


@VERSIONS
def test_nodes_client(
    serve_tls: Callable[..., Any], programs: Programs, files: Files, version: str,
) -> None:
    facts: list[Any] = []
    traces: list[Connection] = []

    def handler(sock: Any) -> None:
        facts.append((sock.get_protocol(), sock.alpn_protocol, sock.servername, sock.authorized))
        traces.append(Connection(sock))
        answer(sock)

    own = files.own(authority().certify('node', purpose='client'))
    server = serve_tls(
        handler, alpn_protocols=['h9', 'mine'], request_cert=True, ca=authority().cert)
    client = start(programs, CLIENT, {
        **target_of(server), 'servername': 'localhost', 'maxVersion': version,
        'ALPNProtocols': ['mine', 'h9'], 'allowHalfOpen': True,
    }, ca=files.ca, key=own, cert=own)
    finished = client.wait()
    lines = finished.stdout.splitlines()
    assert f'agreed {version} h9 localhost true' in lines
    assert 'received HELLO' in lines
    assert lines[-1] == 'close false'
    assert facts == [(version, 'h9', 'localhost', True)]
    assert not traces[0].sock.truncated
    until(lambda: server.get_connections() == 0)


@VERSIONS
def test_nodes_server(programs: Programs, files: Files, certified: Any, version: str) -> None:
    own = files.own(certified)
    server = start(programs, SERVER, {
        'maxVersion': version, 'ALPNProtocols': ['h9', 'mine'], 'requestCert': True,
    }, ca=files.ca, key=own, cert=own)
    port = int(server.wait_for(r'port (\d+)')[1])
    context = tls.create_secure_context(
        **authority().certify('gnet', purpose='client').options, ca=authority().cert)
    session = None
    for is_reused in (False, True):
        sock = tls.connect(
            port, '127.0.0.1', secure_context=context, servername='localhost',
            alpn_protocols=['mine', 'h9'], **({'session': session} if session else {}))
        sock.sendall(b'hello')
        sock.shutdown(1)
        assert b''.join(sock) == b'HELLO'
        assert sock.authorized
        assert sock.alpn_protocol == 'h9'
        assert not sock.truncated
        assert sock.is_session_reused() is is_reused
        session = sock.get_session()
        sock.close()
        server.wait_for(
            f'agreed {version} h9 localhost true {"true" if is_reused else "false"}')
        server.wait_for('close false')


@VERSIONS
def test_node_refuses_who_it_does_not_know(
    serve_tls: Callable[..., Any], programs: Programs, files: Files, version: str,
) -> None:
    refused: list[Any] = []
    server = serve_tls(lambda sock: None, **stranger().certify(*NAMES).options)
    server.on('tlsClientError', lambda error, sock: refused.append(code(error)))
    client = start(programs, CLIENT, {
        **target_of(server), 'servername': 'localhost', 'maxVersion': version}, ca=files.ca)
    assert 'error UNABLE_TO_VERIFY_LEAF_SIGNATURE' in client.wait().stdout.splitlines()
    if version == 'TLSv1.3':
        # In TLS 1.2 the handshake is done when Node looks at the certificate.
        until(lambda: refused)
        assert refused == ['ECONNRESET']


@VERSIONS
@pytest.mark.parametrize('shown', ['nothing', "a stranger's"])
def test_nodes_client_is_refused(
    serve_tls: Callable[..., Any], programs: Programs, files: Files, version: str, shown: str,
) -> None:
    refused: list[Any] = []
    own = files.own(stranger().certify('node', purpose='client'))
    more = {} if shown == 'nothing' else {'key': own, 'cert': own}
    server = serve_tls(answer, request_cert=True, ca=authority().cert)
    server.on('tlsClientError', lambda error, sock: refused.append(code(error)))
    client = start(programs, CLIENT, {
        **target_of(server), 'servername': 'localhost', 'maxVersion': version,
    }, ca=files.ca, **more)
    lines = client.wait().stdout.splitlines()
    [told] = [line for line in lines if line.startswith('error')]
    assert 'ALERT' in told
    assert refused == [
        'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE' if shown == 'nothing'
        else 'UNABLE_TO_VERIFY_LEAF_SIGNATURE']


@VERSIONS
def test_nodes_server_is_refused(programs: Programs, files: Files, version: str) -> None:
    own = files.own(stranger().certify(*NAMES))
    server = start(programs, SERVER, {'maxVersion': version}, key=own, cert=own)
    port = int(server.wait_for(r'port (\d+)')[1])
    c = Connection(tls.connect(port, '127.0.0.1', ca=authority().cert, servername='localhost'))
    c.sock.on('error', lambda error: None)
    c.sock.write(b'a secret')
    c.until_closed()
    assert code(c.sock.errored) == 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
    server.wait_for('refused ERR_SSL_TLSV1_ALERT_UNKNOWN_CA')
