"""What the asyncio servers share: the event loop, asyncio's own or uvloop's, and how it is run.

The word "uvloop" after the name of a program chooses uvloop.
"""

import asyncio
import sys


def run(main):
    """Run the coroutine function *main* for ever."""
    loop = LOOP()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(main())


if sys.argv[1] == 'uvloop':
    del sys.argv[1]
    from uvloop import new_event_loop as LOOP  # noqa: N812  # it is a choice, made once
else:
    LOOP = asyncio.new_event_loop
