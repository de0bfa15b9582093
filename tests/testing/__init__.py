"""Tests of the kit for tests, ``gnet.testing``, and of the plugin for pytest."""
