"""The test suite.

The folders are those of ``gnet/``, and each tests the folder of its name: ``node``, ``addresses``,
``loop``, ``events``, ``streams``, ``options``, ``sockets``, ``servers``, ``processes``,
``clusters``, ``command``. Beside them:

- ``examples``: the programs of ``examples/``, as a user runs them;
- ``legacy``: real code that was written for ``socket.socket``, with real peers;
- ``conformance``: gnet compared with Node itself; see ``docs/conformance.md``;
- the files here: what is about all of it: the package, the architecture, the documents and their
  programs (``test_docs``, ``test_citations``), what is published, memory, benchmarks.

``harness`` is what they stand on, and is reached through the fixtures of ``conftest.py``:

- ``connect``, ``native`` (``native``): plain blocking sockets, in native threads: the peers;
- ``serve`` (``servers``): servers that listen, and are stopped after the test;
- ``family`` (``families``): IPv4, IPv6 and unix sockets in turn;
- ``run_script``, ``start_script`` (``scripts``): programs in processes of their own;
- ``hub_reports``: the failures that the hub reported, for a test that means them to happen;
- ``waiting``: ``until``, ``turn``, ``tick``, and how long anything is waited for;
- ``memory``, ``naming``, ``plain``: resident memory, names of cases, the plain socket class;
- ``transitions``, ``stream_states``: which state follows which, compared with the tables of
  ``gnet``;
- ``leaks``, ``watchdog``, ``bytecode``: what is around each test.

What one folder shares is in its ``common.py``, fixtures in its ``conftest.py``. How a test is
written here:

- Its name is a sentence that says what is true. One that found a fault stands with its subject.
- The other end is a real one: a plain socket, a process, a program. What gnet does is not mocked.
- It does not sleep for a guessed time. It waits for an event, or takes turns of the loop ``until``
  something is so; ``PATIENCE`` only bounds what fails.
- It takes ``family`` wherever the kind of address could matter.
- It leaves nothing behind: descriptors, greenlets and holds on the loop are compared before and
  after each test, and what the hub reports, or warns of, fails it.
"""
