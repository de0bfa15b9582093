"""What the type checkers must accept, and what they must make of it. Never run: only looked at.

The types of what is passed to :func:`assert_type` are compared by the type checker.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gnet
from gnet import child_process, cluster, tls
from gnet.events import EventEmitter

if TYPE_CHECKING:
    from typing_extensions import assert_type

server = gnet.create_server()
sock = gnet.connect(7000)


def nothing() -> None:
    pass


# --- listeners: as a lambda, as a function, as a decorated one ------------------------------------

server.on('connection', lambda each: each.set_no_delay())
server.on('drop', lambda ends: print(ends.remote_address if ends else 'of a unix socket'))
sock.on('data', lambda chunk: print(chunk.hex()))
sock.on('close', lambda had_error: print(had_error.bit_length()))
sock.on('error', lambda err: print(err.code))
sock.once('lookup', lambda err, address, family, host: print(host.upper()))
assert_type(server.on('listening', nothing), gnet.Server)
assert_type(server.once('listening', nothing).prepend_listener('close', nothing), gnet.Server)
assert_type(server.off('listening', nothing).listen(0), gnet.Server)


@server.on('connection')
def handler(each: gnet.Socket) -> int:
    return each.bytes_read


assert_type(handler(sock), int)


@sock.on('data')
def of_bytes(chunk: bytes) -> None:
    pass


@sock.prepend_once_listener('data')
def of_text(text: str) -> None:  # after set_encoding
    pass


@sock.on('end')
@sock.on('timeout')
def twice() -> None:
    pass


def whatever(*arguments: Any) -> None:
    """A listener that does not care."""


for_any: Callable[..., object] = whatever
sock.on('data', whatever).on('error', for_any).on('close', print).off('close', print)
sock.on(gnet.error_monitor, lambda err: print(err))
server.on('newListener', lambda event, listener: print(event, listener))
server.emit('connection', sock)
sock.emit('close', True)


# --- the other emitters ---------------------------------------------------------------------------

secure = tls.create_server()
secure.on('secureConnection', lambda each: print(each.alpn_protocol))
secure.on('connection', lambda each: each.pause())
secure.on('tlsClientError', lambda err, each: print(err.code, each))
assert_type(secure.on('listening', nothing), tls.Server)
client = tls.connect(7000)
client.on('secureConnect', nothing).on('data', of_bytes).on('session', lambda session: None)
child = child_process.fork('worker.py')
child.on('exit', lambda code, signal: print(code or signal))
child.on('message', lambda message, handle: handle.end(message['text']))
gnet.process.on('message', lambda message, handle: print(message))
cluster.on('exit', lambda worker, code, signal: print(worker.id, code or signal))
cluster.on('listening', lambda worker, address: print(worker.id, address.port))


# --- waiting --------------------------------------------------------------------------------------

assert_type(gnet.once(server, 'connection'), list[gnet.Socket])
assert_type(gnet.once(sock, 'data', timeout=5), list[Any])
assert_type(gnet.once(sock, 'close'), list[bool])
assert_type(gnet.once(secure, 'secureConnection'), list[tls.TLSSocket])
[err] = gnet.once(sock, 'error')
gnet.once(child, 'exit', {'timeout': 5})
for [each] in gnet.on(server, 'connection'):
    assert_type(each, gnet.Socket)
for [_] in gnet.on(sock, 'data', close=['end']):
    pass


# --- events that are nobody's, or one's own -------------------------------------------------------

emitter = EventEmitter()
emitter.on('anything', lambda a, b: None).emit('anything', 1, 2)
emitter.on(5, nothing)
gnet.once(emitter, 'anything')


def by_name(of: EventEmitter, name: str) -> None:
    """Where the name is known when the program runs."""
    of.on(name, whatever)
    of.emit(name, 1)
    gnet.once(of, name)


by_name(server, 'connection')
EventEmitter.on(server, 'a' + 'b', whatever)


class Chat(gnet.Server):
    """Has events of its own: any name and any listener are taken again."""

    if TYPE_CHECKING:
        on: Any
        emit: Any

    def say(self, text: str) -> None:
        self.emit('said', text)


Chat().on('said', lambda text: print(text))
gnet.once(Chat(), 'said')
