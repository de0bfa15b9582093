"""Applications of Flask and of Django, as their own documents have them, each in one process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, ClassVar

import gevent
import pytest

from ..harness.native import Peer
from ..harness.programs import import_package
from .common import GET, read_answer

Site = Callable[..., Any]

#: More than a chunk, and than the kernel buffers between two sockets at first.
MUCH = bytes(range(256)) * 1000


def flask_application() -> Any:
    flask = import_package('flask', 'flask')
    app = flask.Flask(__name__)

    @app.get('/hello/<name>')
    def hello(name: str) -> str:
        gevent.sleep(0)
        return f'hello {name} of {flask.request.remote_addr} by {flask.request.scheme}'

    @app.post('/echo')
    def echo() -> Any:
        return flask.Response(flask.request.get_data(), mimetype='application/octet-stream')

    @app.get('/parts')
    def parts() -> Any:
        return flask.Response(part for part in ('one', 'two'))

    @app.get('/fail')
    def fail() -> str:
        raise ValueError('in the application')

    return app


def django_application() -> Any:
    django = import_package('django', 'django')
    conf = import_package('django.conf', 'django')
    http = import_package('django.http', 'django')
    urls = import_package('django.urls', 'django')
    wsgi = import_package('django.core.wsgi', 'django')

    def hello(request: Any, name: str) -> Any:
        gevent.sleep(0)
        return http.HttpResponse(
            f'hello {name} of {request.META["REMOTE_ADDR"]} by {request.scheme}')

    def echo(request: Any) -> Any:
        return http.HttpResponse(request.body, content_type='application/octet-stream')

    def parts(request: Any) -> Any:
        return http.StreamingHttpResponse(part for part in ('one', 'two'))

    def fail(request: Any) -> Any:
        raise ValueError('in the application')

    if not conf.settings.configured:
        conf.settings.configure(
            ALLOWED_HOSTS=['example.org'], ROOT_URLCONF=Urls, SECRET_KEY='of a test',
            LOGGING_CONFIG=None, MIDDLEWARE=['django.middleware.common.CommonMiddleware'])
        django.setup()
    Urls.urlpatterns = [
        urls.path('hello/<str:name>', hello), urls.path('echo', echo),
        urls.path('parts', parts), urls.path('fail', fail),
    ]
    return wsgi.get_wsgi_application()


class Urls:
    """What Django takes for a module of URLs."""

    urlpatterns: ClassVar[list[Any]] = []


@pytest.fixture(params=[flask_application, django_application], scope='module')
def application(request: pytest.FixtureRequest) -> Any:
    return request.param()


@pytest.fixture
def peer(site: Site, connect: Any, application: Any) -> Peer:
    made: Peer = connect(site(application))
    return made


def test_requests_one_after_another(peer: Peer) -> None:
    for name in ('one', 'two'):
        peer.sendall(GET % f'/hello/{name}'.encode())
        status, _, body = read_answer(peer)
        assert (status, body) == (200, f'hello {name} of 127.0.0.1 by http'.encode())


def test_a_body_comes_back(peer: Peer) -> None:
    peer.sendall(
        b'POST /echo HTTP/1.1\r\nHost: example.org\r\nContent-Length: %d\r\n\r\n' % len(MUCH)
        + MUCH)
    status, headers, body = read_answer(peer)
    assert (status, headers['content-type']) == (200, 'application/octet-stream')
    assert body == MUCH


def test_an_answer_in_parts(peer: Peer) -> None:
    peer.sendall(
        b'GET /parts HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n')
    assert peer.recv_until_end().endswith(b'\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n')


def test_what_fails_is_logged_by_the_framework_and_costs_the_request(
    peer: Peer, caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR)
    peer.sendall(GET % b'/fail')
    status, _, _ = read_answer(peer)
    assert status == 500
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == [
        'in the application']
    peer.sendall(GET % b'/hello/again')
    assert read_answer(peer)[0] == 200
