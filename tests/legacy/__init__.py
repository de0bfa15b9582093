"""Real code that was written for ``socket.socket``, on gnet's sockets, with real peers.

It runs as it is, patched or not. Whatever would block the hub of an unpatched process has a process
of its own.
"""
