"""Metrics and the access log of a server on gnet, where the benchmark asks for them."""

import os

import gnet


def begin():
    if 'GNET_BENCHMARK_WATCHED' in os.environ:
        gnet.metrics.start()
        # Written as a line of JSON, to where it costs nothing but that.
        gnet.logs.configure('json', access_log=True, stream=open(os.devnull, 'w'))  # noqa: SIM115
