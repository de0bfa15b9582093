"""The order of measurements: in each round, case by case, all contestants one after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .cases import Case
from .contestants import Contestant
from .load import Trial
from .measure import Sample
from .processes import Processes, TrialError
from .programs import Programs


@dataclass(frozen=True)
class Plan:
    """What is to be measured."""

    cases: Sequence[Case]
    contestants: Sequence[Contestant]
    rounds: int
    #: Of one measurement, and of the load before it.
    seconds: float
    warm_up: float
    programs: Programs
    #: A directory for unix sockets.
    directory: Path


@dataclass
class Results:
    """What was measured so far."""

    #: By case and contestant, then by round; None where it failed.
    samples: dict[tuple[str, str], list[Sample | None]] = field(default_factory=dict)
    #: How many rounds are complete.
    rounds: int = 0
    #: What failed, in words.
    failures: list[str] = field(default_factory=list)

    def of(self, case: Case, contestant: Contestant) -> list[Sample | None]:
        return self.samples.get((case.name, contestant.name), [])


def measure(
    plan: Plan, processes: Processes, results: Results, progress: Callable[[str], None],
) -> None:
    """Carry out the plan, adding to *results*: an interruption leaves there what was done."""
    for number in range(plan.rounds):
        for case in plan.cases:
            rivals = [rival for rival in plan.contestants if rival.has(case.load.service)]
            # Whoever comes first finds a machine that has rested.
            first = number % len(rivals) if rivals else 0
            for contestant in (*rivals[first:], *rivals[:first]):
                progress(f'round {number + 1} of {plan.rounds}: {case.name}, {contestant.name}')
                sample = _try(plan, processes, case, contestant, results)
                results.samples.setdefault((case.name, contestant.name), []).append(sample)
        results.rounds = number + 1


def _try(
    plan: Plan, processes: Processes, case: Case, contestant: Contestant, results: Results,
) -> Sample | None:
    warm_up = max(plan.warm_up, contestant.least_warm_up)
    trial = Trial(contestant, processes, plan.programs, plan.seconds, warm_up, plan.directory)
    try:
        return case.load.run(trial)
    except (TrialError, OSError) as failure:  # a process that is gone, say
        text = str(failure)
        others = [word for word in processes.last_words() if word not in text]
        results.failures.append(
            '\n    '.join([f'{case.name}, {contestant.name}: {text}', *others]))
        return None
    finally:
        processes.end_all()
