"""Applications of Flask and of Django as they are deployed: in workers, with all that gnet brings.

TLS, the PROXY protocol, a limit, metrics and the drain at once, as it takes a program each. Their
client is ``http.client``.
"""

from __future__ import annotations

import json
import signal
import textwrap
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..harness.authority import NAMES, authority
from ..harness.programs import import_package
from ..harness.scripts import Running

FLASK = """
    import flask

    application = flask.Flask(__name__)

    @application.get('/who')
    def who():
        request = flask.request
        return {'pid': os.getpid(), 'client': request.remote_addr, 'scheme': request.scheme}

    @application.post('/echo')
    def echo():
        print('reads the body', flush=True)
        return flask.request.get_data()
"""

DJANGO = """
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse, JsonResponse
    from django.urls import path

    def who(request):
        return JsonResponse({
            'pid': os.getpid(), 'client': request.META['REMOTE_ADDR'], 'scheme': request.scheme})

    def echo(request):
        print('reads the body', flush=True)
        return HttpResponse(request.body)

    urlpatterns = [path('who', who), path('echo', echo)]
    settings.configure(
        ALLOWED_HOSTS=['localhost'], ROOT_URLCONF=__name__, SECRET_KEY='of a test',
        LOGGING_CONFIG=None)
    application = get_wsgi_application()
"""

#: Serves *application*; each worker has two connections at a time.
SERVER = """
    import json
    import os
    import sys
    import gnet
    %s
    server = gnet.wsgi.serve(
        application, max_connections=2, proxy_protocol={'trusted': ['127.0.0.1']},
        **json.loads(sys.argv[1]))
    server.drop_max_connection = True  # and not wait until another worker has fewer
    os.write(1, b'a worker listens on %%d\\n' %% server.address().port)
"""

#: Prints what becomes of five connections behind a proxy, and which lines of the metrics are not
#: there; waits for a line, and for the end of all that are idle, one of them in the same worker,
#: before the end of the request of one.
CLIENT = """
    import http.client
    import json
    import socket
    import ssl
    import sys
    import time

    port, metrics, ca = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    context = ssl.create_default_context(cadata=ca)

    def connected():
        plain = socket.create_connection(('127.0.0.1', port), timeout=20)
        plain.sendall(b'PROXY TCP4 192.0.2.1 198.51.100.7 12345 443\\r\\n')
        client = http.client.HTTPConnection('localhost')
        client.sock = context.wrap_socket(plain, server_hostname='localhost')
        return client

    def ask(client, path):
        client.request('GET', path)
        return client.getresponse().read().decode()

    def tell(*values):
        print(json.dumps(values), flush=True)

    busy, *idle = [connected() for _ in range(4)]
    tell(*[ask(each, '/who') for each in (busy, *idle)])
    try:
        ask(connected(), '/who')  # (wrap_socket() may not notice that it was reset)
    except OSError:
        tell('turned away')
    missing = json.loads(sys.argv[4])
    for _ in range(100):
        exposed = ask(http.client.HTTPConnection('127.0.0.1', metrics), '/metrics').splitlines()
        missing = [line for line in missing if line not in exposed]
        if not missing:
            break
        time.sleep(0.1)  # workers report once a second
    tell(*missing)
    busy.putrequest('POST', '/echo')
    busy.putheader('Content-Length', '8')
    busy.endheaders(b'half')
    sys.stdin.readline()
    tell(*[each.sock.recv(1).decode() for each in idle])
    busy.send(b'half')
    answer = busy.getresponse()
    tell(answer.status, answer.getheader('Connection'), answer.read().decode())
"""


@pytest.fixture(params=[
    pytest.param((FLASK, ('flask',)), id='flask'),
    pytest.param((DJANGO, ('django.core.wsgi', 'django.http', 'django.urls')), id='django'),
])
def started(
    request: pytest.FixtureRequest, start_script: Callable[..., Running],
) -> tuple[Running, int, int]:
    """A program with two workers, and the ports of its server and of its metrics."""
    application, modules = request.param
    import_package(modules[0], modules[0].partition('.')[0])
    running = start_script(
        SERVER % application, json.dumps(authority().certify(*NAMES).options),
        launcher=['-W', 'ignore', '-m', 'gnet', '--workers', '2', '--metrics', '0'],
        merged=True, workers=True, imported=modules)
    ports = [running.wait_for(r'(listens|are served) .*?(\d+)$') for _ in range(3)]
    found = {said[1]: int(said[2]) for said in ports}
    return running, found['listens'], found['are served']


def test_an_application_in_workers_has_all_that_gnet_brings(
    started: tuple[Running, int, int], start_script: Callable[..., Running], tmp_path: Path,
) -> None:
    running, port, metrics = started
    script = tmp_path / 'client.py'
    script.write_text(textwrap.dedent(CLIENT), encoding='utf-8')
    labels = f'server="127.0.0.1:{port}"'
    client = start_script(
        script, str(port), str(metrics), authority().cert, json.dumps([
            'gnet_workers 2',
            f'gnet_connections_accepted_total{{{labels}}} 4',
            f'gnet_connections_dropped_total{{{labels},reason="max_connections"}} 1',
            f'gnet_handshakes_total{{{labels},result="done"}} 4',
        ]), launcher=[])

    def told() -> Any:
        return json.loads(client.read_line())

    answers = [json.loads(answer) for answer in told()]
    assert [(each['client'], each['scheme']) for each in answers] == [('192.0.2.1', 'https')] * 4
    in_each = Counter(each['pid'] for each in answers)
    assert sorted(in_each.values()) == [2, 2]
    assert running.process.pid not in in_each
    assert told() == ['turned away']
    assert told() == []  # all was counted
    running.wait_for('reads the body')
    running.send_signal(signal.SIGTERM)
    running.wait_for('SIGTERM')
    client.write('\n')
    assert told() == ['', '', '']
    assert told() == [200, 'close', 'halfhalf']
    assert client.wait().status == 0
    assert running.wait().status == 0
