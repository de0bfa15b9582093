"""Tests of ``python -m gnet``."""
