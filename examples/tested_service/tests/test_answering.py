"""Who asks, in blocking style: good clients, and bad ones."""

import pytest
from service import ASKING, LONGEST_LINE, Store


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def server(gnet_server, store):
    return gnet_server(store.answer, **ASKING)


def test_values_are_kept(server, gnet_client, store):
    sock = gnet_client(server)
    with sock.makefile('rwb') as file:
        for line, answer in [
            (b'GET colour\n', b'NONE\n'), (b'SET colour red\n', b'OK\n'),
            (b'GET colour\n', b'red\n'), (b'WHAT\n', b"ERROR what is 'WHAT'?\n"),
        ]:
            file.write(line)
            file.flush()
            assert file.readline() == answer
        file.write(b'QUIT\n')
        file.flush()
        assert file.readline() == b''
    assert store.values == {'colour': 'red'}


def test_a_command_may_come_byte_by_byte(server, gnet_peer):
    peer = gnet_peer(server)
    peer.drip(b'SET colour red\n')
    assert peer.recv_until(b'\n') == b'OK\n'


def test_who_half_closes_gets_all_answers(server, gnet_peer):
    peer = gnet_peer(server)
    peer.sendall(b'GET a\nGET b\n')
    peer.end()
    assert peer.recv_until_end() == b'NONE\nNONE\n'


def test_a_reset_in_the_midst_costs_nobody_else_anything(server, gnet_peer):
    good, bad = gnet_peer(server), gnet_peer(server)
    bad.sendall(b'SET colour')
    bad.reset()
    good.sendall(b'GET colour\n')
    assert good.recv_until(b'\n') == b'NONE\n'


def test_a_line_without_end_is_cut(server, gnet_peer):
    peer = gnet_peer(server)
    peer.sendall(bytes(LONGEST_LINE + 1))
    assert peer.recv_until(b'\n') == b'ERROR too long\n'


def test_silent_for_an_hour_is_gone(gnet_memory_pair, store):
    pair = gnet_memory_pair(store.answer, **ASKING)
    pair.client.sendall(b'GET a\n')
    assert pair.client.recv(100) == b'NONE\n'
    pair.clock.advance(59 * 60)
    assert not pair.server.destroyed
    pair.clock.advance(60 * 60)
    assert pair.server.destroyed
