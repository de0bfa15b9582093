"""The same without pytest."""

import unittest

from service import ASKING, Store

import gnet.testing


class AnsweringTest(unittest.TestCase):
    def setUp(self):
        self.kit = gnet.testing.Kit()
        self.addCleanup(self.kit.close)
        self.server = self.kit.server(Store().answer, **ASKING)

    def test_a_value_is_kept(self):
        sock = self.kit.client(self.server)
        sock.sendall(b'SET colour red\n')
        self.assertEqual(sock.recv(100), b'OK\n')
        sock.sendall(b'GET colour\n')
        self.assertEqual(sock.recv(100), b'red\n')

    def test_who_half_closes_gets_all_answers(self):
        peer = self.kit.peer(self.server)
        peer.sendall(b'GET a\n')
        peer.end()
        self.assertEqual(peer.recv_until_end(), b'NONE\n')


if __name__ == '__main__':
    unittest.main()
