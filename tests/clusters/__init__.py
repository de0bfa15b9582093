"""``gnet.cluster``, with real processes."""
