"""Tests of the sockets, with real peers."""
