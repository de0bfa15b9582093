"""What the tests stand on: real peers, scripts in processes of their own, and checks for leaks.

Tests use it through the fixtures of ``tests/conftest.py``.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ['ROOT']

#: The checkout.
ROOT = Path(__file__).resolve().parents[2]
