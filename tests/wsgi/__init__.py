"""WSGI: applications on gnet servers."""
