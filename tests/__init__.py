"""The test suite. What tests share is in ``harness``; its fixtures are in ``conftest.py``."""
