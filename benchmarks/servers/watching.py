"""Metrics and the access log of a server on gnet, where the benchmark asks for them."""

import os

import gnet


def begin():
    how = os.environ.get('GNET_BENCHMARK_WATCHED')
    if how is not None:
        gnet.metrics.start()
    if how == 'logged':
        # Written as a line of JSON, to where it costs nothing but that.
        gnet.logs.configure('json', access_log=True, stream=open(os.devnull, 'w'))  # noqa: SIM115
