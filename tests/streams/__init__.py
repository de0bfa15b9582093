"""Tests of the streams, on a fake source: no I/O."""
