"""What damages the bytes on the way costs the connection, and nothing else."""

from __future__ import annotations

import os
import random

import pytest

from . import damage
from .damage import Arena, Trial
from .middle import KINDS, Damage

#: Of the connections that are tried: a first number, and one behind the last.
#: GNET_RANDOM_SEEDS=1000:11000 is for the patient.
_FIRST, _, _END = os.environ.get('GNET_RANDOM_SEEDS', '0:320').partition(':')
NUMBERS = range(int(_FIRST), int(_END))

#: How many tests these are, and how many connections of one are tried at the same time: all, of 320
#: in all. Damage may leave both ends waiting, and so it is for once that a test waits.
_PARTS, _AT_ONCE = 4, 80


@pytest.mark.timeout(60 + len(NUMBERS) // _PARTS)
@pytest.mark.parametrize('part', range(_PARTS))
def test_random_damage_costs_the_connection_alone(part: int) -> None:
    size = -(-len(NUMBERS) // _PARTS)
    mine = NUMBERS[part * size:(part + 1) * size]
    outcomes, findings = damage.run(mine.start, len(mine), jobs=_AT_ONCE)
    assert findings == []
    assert sum(outcomes.values()) == len(mine)


@pytest.mark.parametrize('kind', dict.fromkeys(KINDS))
@pytest.mark.parametrize('to', ['server', 'client'])
@pytest.mark.parametrize('version', ['TLSv1.2', 'TLSv1.3'])
def test_each_kind_of_damage_to_what_is_established(kind: str, to: str, version: str) -> None:
    """The handshake is left alone, and 40 kB come behind it: a prefix of them arrives."""
    trial = Trial(Arena(), 0)
    trial.config = (version, False)
    trial.payload = trial.answer = random.Random(1).randbytes(40_000)
    record = 5 if to == 'server' else 8
    some = Damage(kind, record if 'record' in kind else 5000, 2, b'\x10\x10')
    none = Damage('none', 0, 0, b'')
    trial.to_server, trial.to_client = (some, none) if to == 'server' else (none, some)
    outcome = trial.run()
    assert outcome == ('all arrived' if some.is_harmless else 'broken later')
