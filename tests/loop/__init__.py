"""Tests of the loop, and of how long a program lives."""
