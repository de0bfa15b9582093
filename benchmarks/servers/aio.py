"""What the asyncio servers share: the event loop, asyncio's own or uvloop's, and how it is run.

The word after the name of a program chooses it: "asyncio" or "uvloop". It is taken away here, so
this module is imported before wire.py looks at the command line.
"""

import asyncio
import ssl
import sys


def run(main):
    """Run the coroutine function *main* for ever."""
    loop = LOOP()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(main())


def tls(certificate):
    """Return what the servers take as *ssl*: None without a certificate."""
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


if sys.argv.pop(1) == 'uvloop':
    from uvloop import new_event_loop as LOOP  # noqa: N812  # it is a choice, made once
else:
    LOOP = asyncio.new_event_loop
