"""Mistakes, one a line, each of which the type checkers must report. Never run: only looked at.

Behind each is the code of mypy's error. A line without such a comment is none.
"""

from __future__ import annotations

from typing import Any

import gnet
from gnet import child_process, cluster, tls, wsgi

server = gnet.create_server()
sock = gnet.connect(7000)
secure = tls.create_server()
client = tls.connect(7000)
child = child_process.fork('worker.py')


def nothing() -> None:
    pass


def one(value: Any) -> None:
    pass


def of_number(value: int) -> None:
    pass


# --- a listener with a wrong signature ------------------------------------------------------------

server.on('connection', nothing)  # error: [call-overload]
server.on('connection', of_number)  # error: [call-overload]
server.on('connection', lambda: None)  # error: [call-overload]
server.on('connection', lambda each: each.no_such_method())  # error: [call-overload]
server.on('listening', one)  # error: [call-overload]
server.once('drop', nothing)  # error: [call-overload]
server.add_listener('close', one)  # error: [call-overload]
server.prepend_listener('error', nothing)  # error: [call-overload]
server.prepend_once_listener('error', nothing)  # error: [call-overload]
server.on('connection', None)  # error: [call-overload]
sock.on('data', nothing)  # error: [call-overload]
sock.on('data', of_number)  # error: [call-overload]
sock.on('data', lambda chunk: chunk.no_such_method())  # error: [call-overload]
sock.on('close', nothing)  # error: [call-overload]
sock.on('lookup', one)  # error: [call-overload]
sock.on('connectionAttempt', lambda address, port: None)  # error: [call-overload]
sock.on(gnet.error_monitor, nothing)  # error: [arg-type]
secure.on('secureConnection', nothing)  # error: [call-overload]
secure.on('tlsClientError', one)  # error: [call-overload]
client.on('session', nothing)  # error: [call-overload]
child.on('exit', one)  # error: [call-overload]
cluster.on('online', nothing)  # error: [call-overload]
gnet.process.on('message', one)  # error: [call-overload]


@server.on('connection')  # error: [type-var]
def handler() -> None:
    pass


@sock.once('data')  # error: [type-var]
def received(chunk: int) -> None:
    pass


# --- an event that is none ------------------------------------------------------------------------

server.on('conection', one)  # error: [call-overload]
server.on('data', one)  # error: [call-overload]
server.off('conection', one)  # error: [arg-type]
sock.remove_listener('date', one)  # error: [arg-type]
sock.on('secureConnect', nothing)  # error: [call-overload]
secure.on('keylog', one)  # error: [call-overload]
sock.emit('dtaa', b'')  # error: [call-overload]
gnet.once(server, 'conection')  # error: [call-overload]
gnet.on(sock, 'dtaa')  # error: [call-overload]

# --- emit: too few, too many, of another kind -----------------------------------------------------

server.emit('connection')  # error: [call-overload]
server.emit('connection', 5)  # error: [call-overload]
sock.emit('close')  # error: [call-overload]
sock.emit('end', None)  # error: [call-overload]

# --- Node's spelling, at run time alone -----------------------------------------------------------

sock.setNoDelay(True)  # error: [attr-defined]
server.addListener('listening', nothing)  # error: [attr-defined]

# --- callbacks ------------------------------------------------------------------------------------

server.close(nothing)  # error: [arg-type]
server.get_connections(one)  # error: [arg-type]
sock.set_timeout(500, one)  # error: [arg-type]

# --- options --------------------------------------------------------------------------------------

gnet.create_server(no_dely=True)  # error: [call-overload]
gnet.create_server(no_delay='yes')  # error: [call-overload]
gnet.create_server(nothing)  # error: [arg-type]
tls.create_server(of_number)  # error: [arg-type]
tls.create_server({'noDelay': True}, nothing)  # error: [arg-type]
gnet.create_server(max_connections='many')  # error: [call-overload]
gnet.Server(pause_on_conect=True)  # error: [call-arg]
server.listen(port='x', hst='localhost')  # error: [call-arg]
server.listen(backlog='long')  # error: [arg-type]
gnet.connect(prt=7000)  # error: [call-arg]
gnet.connect(7000, callback=5)  # error: [arg-type]
gnet.Socket(allow_half_opn=True)  # error: [call-arg]
gnet.serve(one, 7000, keep_alve=True)  # error: [call-arg]
tls.create_server(alpn_protcols=['h2'])  # error: [call-overload]
tls.connect(7000, server_name='a.example')  # error: [call-arg]
child_process.fork('worker.py', slient=True)  # error: [call-arg]
cluster.setup_primary(exec=5)  # error: [arg-type]
wsgi.serve(print, 8000, keep_alive_timout=5)  # error: [arg-type, call-arg]
