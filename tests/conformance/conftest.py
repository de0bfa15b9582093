"""What is checked around each scenario."""

from __future__ import annotations

from ..harness.stream_states import MACHINES
from ..harness.transitions import fixtures_that_watch

_wrong_steps, _states_follow_the_tables = fixtures_that_watch(*MACHINES)
