"""Resident memory of processes, as Linux tells it. Scripts import this, too."""

from __future__ import annotations

__all__ = ['highest_resident', 'resident']


def resident(pid: int | str = 'self') -> int:
    """Return the bytes that a process has in memory now; by default this one."""
    return _field('VmRSS', pid)


def highest_resident(pid: int | str = 'self') -> int:
    """Return the most that it has had in memory, in bytes."""
    return _field('VmHWM', pid)


def _field(name: str, pid: int | str) -> int:
    with open(f'/proc/{pid}/status', encoding='ascii', errors='replace') as status:
        for line in status:
            if line.startswith(name + ':'):
                return int(line.split()[1]) << 10
    raise AssertionError(f'no {name} in /proc/{pid}/status')
