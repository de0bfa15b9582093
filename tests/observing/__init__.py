"""Tests of what a running program tells of itself."""
