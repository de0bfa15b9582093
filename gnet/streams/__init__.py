"""States and events of a stream, and the wire it asks for: no I/O, no gevent, no loop."""
