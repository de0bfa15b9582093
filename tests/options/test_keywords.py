"""Keywords that are no option are refused, as in Python; in a mapping they are not, as in Node."""

from __future__ import annotations

import types
from contextlib import suppress
from typing import Any

import pytest

import gnet
from gnet.clusters.cluster import Cluster
from gnet.errors import CodedTypeError, CodedValueError
from gnet.node.spelling import camel
from gnet.options.connect import CONNECT_OPTIONS
from gnet.options.fork import FORK_OPTIONS
from gnet.options.listen import LISTEN_OPTIONS
from gnet.options.server import SERVER_OPTIONS
from gnet.options.socket import SOCKET_OPTIONS


def create_server(**keywords: Any) -> None:
    gnet.create_server(**keywords)


def listen(**keywords: Any) -> None:
    server = gnet.create_server()
    try:
        server.listen(**{'port': 0, **keywords})
    finally:
        server.close()


def connect(**keywords: Any) -> None:
    gnet.connect(**{'host': '127.0.0.1', 'port': 1, **keywords}).destroy()


def connect_later(**keywords: Any) -> None:
    sock = gnet.Socket()
    try:
        sock.connect(**{'host': '127.0.0.1', 'port': 1, **keywords})
    finally:
        sock.destroy()


def make_socket(**keywords: Any) -> None:
    gnet.Socket(**keywords).destroy()


def adopt(**keywords: Any) -> None:
    gnet.Socket.from_socket(types.SimpleNamespace(), **keywords)


def fork(**keywords: Any) -> None:
    gnet.child_process.fork('no.such', **keywords)


def set_up(**keywords: Any) -> None:
    Cluster().setup_primary(**keywords)


def emitter(**keywords: Any) -> None:
    gnet.EventEmitter(**keywords)


def once(**keywords: Any) -> None:
    gnet.once(gnet.EventEmitter(), 'x', **keywords)


def on(**keywords: Any) -> None:
    gnet.on(gnet.EventEmitter(), 'x', **keywords)


@pytest.mark.parametrize(('call', 'name', 'text'), [
    (create_server, 'allowhalfopen',
     "create_server() got an unexpected keyword argument 'allowhalfopen'. "
     "Did you mean 'allow_half_open'?"),
    (gnet.Server, 'noDelays',
     "Server() got an unexpected keyword argument 'noDelays'. Did you mean 'noDelay'?"),
    (once, 'tiemout',
     "once() got an unexpected keyword argument 'tiemout'. Did you mean 'timeout'?"),
    (gnet.SocketAddress, 'adress',
     "SocketAddress() got an unexpected keyword argument 'adress'. Did you mean 'address'?"),
    (gnet.SocketAddress, 'flowLabel',
     "SocketAddress() got an unexpected keyword argument 'flowLabel'. Did you mean 'flowlabel'?"),
    (create_server, 'spawn', "create_server() got an unexpected keyword argument 'spawn'"),
    (create_server, 'noDelays',
     "create_server() got an unexpected keyword argument 'noDelays'. Did you mean 'noDelay'?"),
    (listen, 'reuse_prt',
     "listen() got an unexpected keyword argument 'reuse_prt'. Did you mean 'reuse_port'?"),
    (listen, 'calback',
     "listen() got an unexpected keyword argument 'calback'. Did you mean 'callback'?"),
    (connect, 'prot', "connect() got an unexpected keyword argument 'prot'. Did you mean 'port'?"),
    (connect, 'timout',
     "connect() got an unexpected keyword argument 'timout'. Did you mean 'timeout'?"),
    (connect_later, 'local_adress',
     "connect() got an unexpected keyword argument 'local_adress'. "
     "Did you mean 'local_address'?"),
    # Options of the constructor, which this call would not look at.
    (connect_later, 'onread', "connect() got an unexpected keyword argument 'onread'"),
    (make_socket, 'KEEP_ALIVE',
     "Socket() got an unexpected keyword argument 'KEEP_ALIVE'. Did you mean 'keep_alive'?"),
    (adopt, 'blocklist',
     "from_socket() got an unexpected keyword argument 'blocklist'. Did you mean 'block_list'?"),
    (fork, 'execpath',
     "fork() got an unexpected keyword argument 'execpath'. Did you mean 'exec_path'?"),
    (set_up, 'arg', "setup_primary() got an unexpected keyword argument 'arg'. "
                    "Did you mean 'args'?"),
    (emitter, 'capture_rejection',
     "EventEmitter() got an unexpected keyword argument 'capture_rejection'. "
     "Did you mean 'capture_rejections'?"),
    (on, 'closes', "on() got an unexpected keyword argument 'closes'. Did you mean 'close'?"),
])
def test_a_keyword_that_is_no_option_is_refused_and_the_nearest_one_is_named(call, name, text):
    with pytest.raises(TypeError) as error:
        call(**{name: None})
    assert str(error.value) == text


@pytest.mark.parametrize(('call', 'names'), [
    (create_server, SERVER_OPTIONS | {'listener', 'options'}),
    (listen, LISTEN_OPTIONS - {'port', 'signal'} | {'callback'}),
    (connect, CONNECT_OPTIONS | SOCKET_OPTIONS - {'signal'} | {'timeout', 'callback'}),
    (connect_later, CONNECT_OPTIONS | {'callback'}),
    (make_socket, SOCKET_OPTIONS),
    (emitter, {'capture_rejections'}),
])
def test_every_option_is_a_keyword_in_both_spellings(call, names):
    # None is "not given" nearly everywhere; where it is refused, it is with a code of Node's.
    for name in names:
        for spelling in (name, camel(name)):
            with suppress(CodedTypeError, CodedValueError):
                call(**{spelling: None})


def test_the_options_of_fork_are_its_keywords_in_both_spellings():
    for name in FORK_OPTIONS:
        for spelling in (name, camel(name)):
            with pytest.raises(TypeError) as error:
                gnet.child_process.fork('', **{spelling: None})
            assert error.value.code == 'ERR_INVALID_ARG_VALUE'  # of the path


#: What Node's documentation has for other calls that such a mapping often goes to: http, tls,
#: worker threads, Windows; and a misspelt one.
FOREIGN = {
    'keepAliveTimeout': 5000, 'maxHeaderSize': 1, 'agent': None, 'servername': 'x',
    'resourceLimits': {}, 'windowsHide': True, 'allowhalfopen': True, 'objectmode': True,
}


def test_a_mapping_may_have_whatever_it_has():
    server = gnet.create_server({**FOREIGN, 'noDelay': True})
    assert server.no_delay is True
    assert server.allow_half_open is False
    server.listen({**FOREIGN, 'port': 0})
    port = server.address().port
    sock = gnet.connect({**FOREIGN, 'host': '127.0.0.1', 'port': port})
    gnet.once(sock, 'connect', timeout=5)
    sock.set_keep_alive({**FOREIGN, 'enable': True})
    again = gnet.Socket(dict(FOREIGN)).connect({**FOREIGN, 'host': '127.0.0.1', 'port': port})
    gnet.once(again, 'connect', timeout=5)
    gnet.EventEmitter(dict(FOREIGN))
    server.stop(0)
    again.destroy()
    sock.destroy()
    gnet.once(sock, 'close', timeout=5)


def test_an_object_whose_attributes_are_options_is_as_lenient_as_a_mapping():
    assert gnet.create_server(types.SimpleNamespace(spawn=5, noDelay=1)).no_delay is True
