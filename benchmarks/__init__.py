"""Speed that is shown: gnet beside Node, ``StreamServer``, asyncio and uvloop, in one run.

::

    python -m benchmarks                                  all that there is: more than an hour
    python -m benchmarks --list                           what there is, and what is missing here
    python -m benchmarks --cases rr-64,connect --contestants gnet-event,node,streamserver
    python -m benchmarks --peer streamserver --rounds 7 --seconds 5 --json a.json --svg a.svg
    python -m benchmarks --before ../older/checkout --cases rr-64 --contestants gnet-event
    GEVENT_LOOP=libuv-cffi python -m benchmarks ...       gnet and StreamServer on libuv

It runs in a checkout, on Linux, and needs a C compiler (``cc``) for its load client and for a
server on bare epoll, which shows what the work costs without any framework, ``wrk`` (a package of
that name in Debian), for TLS ``openssl`` and its headers (``libssl-dev``), and, for the contestants
on it, uvloop (``pip install uvloop``; ``tox -e bench`` does). What is missing is skipped and named.
``--node``, or the variable ``GNET_NODE``, names another Node than the one on PATH; Deno and Bun
take part where ``--deno`` and ``--bun`` name them.

How it measures
---------------

- The main figure is CPU time per unit of work of the server process, all its threads, user and
  system, from the clock that the kernel keeps for it. Time that the machine gives to others does
  not count, though it still spoils caches: a quiet machine is better.
- The server has a core for itself; load, backends and this command are pinned to another one. A
  server is measured where it is busy ("busy": the part of its core that it used). Where that is far
  below 100 % the load was the limit, and the server woke up for less work each time than it could.
- Each contestant runs its case in a fresh process and is warmed up for a second (``--warm-up``). In
  each round all contestants run a case one after another, and each round begins with another one.
- Tables show medians of the rounds. A ratio is to the peer *in the same round*, and the median of
  that: what slows down a whole round is not in it. (So it is not exactly the quotient of the two
  medians.) Below 1 is less CPU than the peer. Where a case adds something to another one (10,000
  idle connections, say) and both are measured, a column compares the two for each contestant.
- "p50" and "p99" are the latencies that the load saw. At 64 connections that ask again at once,
  that is mostly the time in the queue for a saturated server.
- wrk opens and closes its connections within the measurement: at 1,000 of them that is a few per
  cent of it. It sleeps while nothing comes, and to wake it up is a part of what the server's writes
  cost; the load client in C never sleeps, for a reason that is told in ``client.c``.
- On TLS, all servers show the same certificate (ECDSA on P-256), and the load speaks 1.3 with
  AES-256-GCM, and X25519 (wrk what its OpenSSL likes best), and resumes nothing. Each server has
  the OpenSSL of its runtime, which is most of what TLS costs.
- Memory is what the process has allocated and touched (anonymous pages), without what the kernel
  has for sockets: the growth from the first 100 connections, with which comes what is loaded late,
  to 5,000, divided by 4,900.

- What is not served is a failure, and no figure: a connection that broke, an answer that is none,
  an idle connection that was closed. (A request that waits for two seconds is named only.)

Figures of a shared or a throttled machine are no figures. Nothing here is an assertion: speed is
never tested by a timed test.

Files: ``cases.py`` and ``contestants.py`` are the two tables; ``servers/`` holds the programs of
the contestants, whose services ``servers/wire.py`` explains; ``load.py`` and ``client.c`` make the
load; ``processes.py`` starts, pins and ends processes; ``programs.py`` finds and compiles what is
not Python; ``measure.py`` reads clocks and memory; ``rounds.py`` is the order of it all;
``report.py`` and ``chart.py`` show the results.
"""
