"""Certificates that are renewed while a server runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gnet import tls
from gnet.tls import reload

from ..harness.authority import NAMES, authority
from ..harness.connections import refused
from ..harness.tls_peers import TlsPeer
from ..harness.waiting import until
from .test_contexts import asking, shown

Serve = Callable[..., Any]
Dial = Callable[..., TlsPeer]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """The options of a server whose key and certificate are files; see :func:`renew`."""
    options = {'key': tmp_path / 'key.pem', 'cert': tmp_path / 'cert.pem'}
    renew(options, 'first')
    return options


def renew(files: dict[str, Path], name: str) -> None:
    made = authority().certify(name, *NAMES)
    files['key'].write_text(made.key)
    files['cert'].write_text(made.cert)


def test_certificates_are_read_again_when_the_program_says_so(
    serve_tls: Serve, dial_tls: Dial, files: dict[str, Path],
) -> None:
    server = serve_tls(lambda sock: sock.pipe(sock), **files)
    old = dial_tls(server).shake()
    assert shown(old) == 'first'
    renew(files, 'second')
    assert shown(dial_tls(server).shake()) == 'first'
    assert server.reload_certificates() is True
    assert shown(dial_tls(server).shake()) == 'second'
    files['cert'].write_text('half of it')
    assert server.reload_certificates() is False
    assert shown(dial_tls(server).shake()) == 'second'
    renew(files, 'third')
    assert server.reloadCertificates() is True
    assert shown(dial_tls(server).shake()) == 'third'
    old.sendall(b'still there')
    assert old.recv() == b'still there'


def test_files_are_watched(
    serve_tls: Serve, dial_tls: Dial, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reload.ContextWatch.__init__, '__defaults__', (0.005,))
    server = serve_tls(watch_certificates=True, **files)
    assert shown(dial_tls(server).shake()) == 'first'
    renew(files, 'second')
    until(lambda: shown(dial_tls(server).shake()) == 'second')


def test_what_is_no_file_cannot_be_read_again(certified: Any) -> None:
    server = tls.create_server(certified.options)
    assert refused(server.reload_certificates)[1] == 'ERR_INVALID_ARG_VALUE'
    assert refused(
        tls.create_server, watch_certificates=True, **certified.options,
    )[1] == 'ERR_INVALID_ARG_VALUE'


def test_contexts_by_name_are_read_again_too(
    serve_tls: Serve, dial_tls: Dial, files: dict[str, Path], tmp_path: Path, certified: Any,
) -> None:
    server = serve_tls()
    server.add_context('a.example', files)
    server.add_context('b.example', authority().certify('of text').options)
    assert shown(dial_tls(server, **asking('a.example')).shake()) == 'first'
    renew(files, 'second')
    assert server.reload_certificates() is True
    assert shown(dial_tls(server, **asking('a.example')).shake()) == 'second'
    assert shown(dial_tls(server, **asking('b.example')).shake()) == 'of text'
    files['key'].write_text('half of it')
    assert server.reload_certificates() is False
    assert shown(dial_tls(server, **asking('a.example')).shake()) == 'second'
    server.remove_context('A.example')
    assert refused(server.reload_certificates)[1] == 'ERR_INVALID_ARG_VALUE'


def test_other_files_are_watched_from_then_on(
    serve_tls: Serve, dial_tls: Dial, files: dict[str, Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reload.ContextWatch.__init__, '__defaults__', (0.005,))
    server = serve_tls(watch_certificates=True, **files)
    others = {'key': tmp_path / 'other-key.pem', 'cert': tmp_path / 'other.pem'}
    renew(others, 'other')
    server.set_secure_context(others)
    assert shown(dial_tls(server).shake()) == 'other'
    renew(others, 'renewed')
    until(lambda: shown(dial_tls(server).shake()) == 'renewed')


def test_a_context_that_was_made_elsewhere_is_left_alone(
    serve_tls: Serve, dial_tls: Dial, files: dict[str, Path],
) -> None:
    server = serve_tls(key=None, cert=None, secure_context=tls.create_secure_context(files))
    assert refused(server.reload_certificates)[1] == 'ERR_INVALID_ARG_VALUE'
    assert shown(dial_tls(server).shake()) == 'first'
