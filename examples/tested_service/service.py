"""A small service and its tests: values by name, and who wants to hear of each change.

    gnet service.py 7000 7001

On the first port, commands of one line (``SET name value``, ``GET name``, ``QUIT``) are answered in
blocking style; on the second one, each change is told to everybody who is connected, in event
style: try ``nc 127.0.0.1 7001``, and beside it ``nc 127.0.0.1 7000``.

``tests/`` has the tests, which need no process and no port of their own. ``tox`` runs them, and
runs them monkey-patched, too.
"""

from __future__ import annotations

import sys
from typing import Any

import gnet

#: Bytes of a command.
LONGEST_LINE = 1000

#: For who asks: silent for an hour is gone.
ASKING: dict[str, Any] = {'read_timeout': 3_600_000}

#: For who listens: whoever does not read is dropped, and holds up nobody.
WATCHING: dict[str, Any] = {'max_buffered': 1_000_000}


class Store:
    """Values by name, and the sockets that hear of changes."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self._watchers: set[gnet.Socket] = set()

    # --- blocking style ---------------------------------------------------------------------------

    def answer(self, sock: gnet.Socket) -> None:
        """Answer each line of a client, until it ends or says QUIT."""
        with sock.makefile('rwb') as file:
            while True:
                line = file.readline(LONGEST_LINE + 1)
                if len(line) > LONGEST_LINE:
                    file.write(b'ERROR too long\n')
                    return
                answer = self._execute(line.decode(errors='replace').split())
                if not line or answer is None:
                    return
                file.write(f'{answer}\n'.encode())
                file.flush()

    def _execute(self, words: list[str]) -> str | None:
        command, *arguments = words or ['']
        if command == 'GET' and len(arguments) == 1:
            return self.values.get(arguments[0], 'NONE')
        if command == 'SET' and len(arguments) == 2:
            self.change(*arguments)
            return 'OK'
        return None if command == 'QUIT' else f'ERROR what is {" ".join(words)!r}?'

    # --- event style ------------------------------------------------------------------------------

    def watch(self, sock: gnet.Socket) -> None:
        """Tell *sock* of each change from now on. What it says is not listened to."""
        self._watchers.add(sock)
        sock.on('close', lambda had_error: self._watchers.discard(sock))
        sock.on('error', lambda error: None)  # who leaves without a word is no failure of ours
        sock.resume()

    def change(self, name: str, value: str) -> None:
        """Set a value, and tell everybody."""
        self.values[name] = value
        for sock in list(self._watchers):
            sock.write(f'{name}={value}\n')


def main() -> None:
    ports = [int(each) for each in sys.argv[1:]] or [7000, 7001]
    store = Store()
    for port, handler, options in zip(ports, (store.answer, store.watch), (ASKING, WATCHING)):
        server = gnet.serve(handler, port, **options)
        print(f'{handler.__name__}: port {server.address().port}')
    gnet.run()


if __name__ == '__main__':
    main()
