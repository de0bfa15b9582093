"""What a program that ends now owes to what it has opened: of ``run()``, and of the exit hook."""

from __future__ import annotations

import os
from enum import Enum
from typing import Any

__all__ = [
    'Duty',
    'program',
]


class Duty(Enum):
    """Whether a program whose last line is reached serves on."""

    NONE = 'nothing listened or connected yet'
    SERVE = 'it serves on'
    DONE = 'gnet.run() was left before nothing was left'


#: Which may follow which.
FOLLOWS: dict[Duty, set[Duty]] = {
    Duty.NONE: {Duty.SERVE, Duty.DONE},
    Duty.SERVE: {Duty.DONE},
    Duty.DONE: {Duty.SERVE},  # something was started after that
}


class Program:
    """The state of this process."""

    def __init__(self) -> None:
        #: What set_stay_alive() says.
        self.stays_alive: bool = os.environ.get('GNET_STAY_ALIVE') != '0'
        #: Whether the interpreter knows of the exit hook; a forked child inherits that.
        self.has_hook = False
        self.duty: Duty = Duty.NONE
        #: The process that has the duty; a child that it forks has not.
        self.process: int | None = None
        #: Greenlets that it ends after: servers that were stopped where nothing can wait.
        self.stopping: set[Any] = set()


#: The one there is.
program: Program = Program()
