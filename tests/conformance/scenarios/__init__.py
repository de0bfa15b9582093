"""All scenarios. Each file has a list of its own, ``SCENARIOS``."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from ..form import Scenario

__all__ = ['SCENARIOS', 'scenarios_with']

_FILES = sorted(
    path.stem for path in Path(__file__).parent.glob('*.py') if not path.stem.startswith('_'))

SCENARIOS: list[Scenario] = [
    scenario
    for name in _FILES
    for scenario in import_module(f'{__name__}.{name}').SCENARIOS
]


def scenarios_with(pattern: str) -> list[Scenario]:
    """Return the scenarios that this Python can do, and whose names contain *pattern*."""
    return [
        scenario for scenario in SCENARIOS if pattern in scenario.name and scenario.is_possible]
