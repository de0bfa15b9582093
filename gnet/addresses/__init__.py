"""IP addresses: what is one, both ends of a connection, `SocketAddress`, `BlockList`."""
