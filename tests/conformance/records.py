"""Recorded traces, as data: one file for each group of scenarios.

``recorded/GROUP.json`` has what Node did. ``recorded/gnet/GROUP.json`` has what gnet does where it
differs on purpose, so that a further difference is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .driver import Lanes
from .form import Scenario

__all__ = ['DIRECTORY', 'Recorded', 'groups', 'load', 'save']

#: Where they are.
DIRECTORY = Path(__file__).resolve().parent / 'recorded'


@dataclass
class Recorded:
    """A trace that was recorded."""

    #: Of the scenario as it was then.
    digest: str
    lanes: Lanes


def _file(group: str, of: str) -> Path:
    # No blanks, over which shell tools trip.
    name = f"{group.replace(' ', '_')}.json"
    return DIRECTORY / name if of == 'node' else DIRECTORY / of / name


def load(group: str, of: str = 'node') -> tuple[str, dict[str, Recorded]]:
    """Return the version of Node, and the group's traces by the names of their scenarios."""
    path = _file(group, of)
    if not path.exists():
        return 'none', {}
    content = json.loads(path.read_text(encoding='utf-8'))
    return content['node'], {
        name: Recorded(entry['digest'], entry['lanes'])
        for name, entry in content['traces'].items()
    }


def save(
    group: str, version: str, traces: Mapping[str, Recorded], of: str = 'node',
) -> None:
    """Write the group's traces; without any, there is no file."""
    path = _file(group, of)
    if not traces:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(exist_ok=True)
    content: dict[str, Any] = {'node': version, 'traces': {
        name: {'digest': traces[name].digest, 'lanes': dict(sorted(traces[name].lanes.items()))}
        for name in sorted(traces)
    }}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + '\n', encoding='utf-8')


def groups(scenarios: Iterable[Scenario]) -> dict[str, list[Scenario]]:
    """Return the scenarios of each group."""
    found: dict[str, list[Scenario]] = {}
    for scenario in scenarios:
        found.setdefault(scenario.group, []).append(scenario)
    return found
