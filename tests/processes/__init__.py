"""Tests of processes that talk to each other."""
