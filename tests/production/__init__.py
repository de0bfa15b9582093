"""What stands around a server in production: the real programs of Debian, beside gnet."""
