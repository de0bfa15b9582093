"""Certificates that are renewed while a server runs."""

from __future__ import annotations

import logging
import os
import ssl

import pytest
from gevent.event import AsyncResult

from gnet.loop.loop import get_loop
from gnet.tls.reload import ContextFiles, ContextWatch

from ..harness.authority import NAMES, authority
from ..harness.waiting import PATIENCE
from .common import refusal


@pytest.fixture
def pairs():
    """Return three keys with their certificates."""
    return [authority().certify(*NAMES) for _ in range(3)]


@pytest.fixture
def options(tmp_path, pairs):
    """Return the options that name the files of the first of them."""
    made = {'key': tmp_path / 'key.pem', 'cert': tmp_path / 'cert.pem'}
    write(made, pairs[0])
    return made


def write(options, own):
    options['key'].write_text(own.key, 'ascii')
    options['cert'].write_text(own.cert, 'ascii')


def is_of(context, own):
    return context.certificates == (ssl.PEM_cert_to_DER_cert(own.cert),)


def test_what_has_not_changed_is_not_read_again(options, pairs):
    files = ContextFiles(options)
    first = files.context
    assert is_of(first, pairs[0])
    assert files.refresh() is None
    assert files.context is first
    assert files.refresh(force=True) is files.context is not first


def test_new_files_are_used(options, pairs):
    files = ContextFiles(options)
    for own in pairs[1:]:
        write(options, own)
        new = files.refresh()
        assert is_of(new, own)
        assert files.context is new
        assert files.refresh() is None


def test_a_file_that_is_replaced_counts_also_by_way_of_a_link(options, tmp_path, pairs):
    # As certbot and Kubernetes do it.
    for folder, own in zip(('one', 'two'), pairs[1:]):
        (tmp_path / folder).mkdir()
        write({name: tmp_path / folder / f'{name}.pem' for name in options}, own)
    (tmp_path / 'live').symlink_to('one')
    files = ContextFiles({name: tmp_path / 'live' / f'{name}.pem' for name in options})
    assert is_of(files.context, pairs[1])
    (tmp_path / 'new').symlink_to('two')
    os.replace(tmp_path / 'new', tmp_path / 'live')
    assert is_of(files.refresh(), pairs[2])


@pytest.mark.parametrize('damage', [
    lambda options, own: options['key'].write_text(own.key, 'ascii'),
    lambda options, own: options['cert'].write_text(own.cert, 'ascii'),
    lambda options, own: options['cert'].write_text(own.cert[:300], 'ascii'),
    lambda options, own: options['key'].write_text(''),
    lambda options, own: options['cert'].write_text('x'),
    lambda options, own: options['key'].unlink(),
], ids=['new key', 'new certificate', 'half', 'empty key', 'garbage', 'gone'])
def test_the_old_one_stays_until_the_new_one_is_whole(options, pairs, damage, caplog):
    files = ContextFiles(options)
    old = files.context
    damage(options, pairs[1])
    with caplog.at_level(logging.WARNING, 'gnet.tls'):
        assert files.refresh() is None
        # Said once, and not at each look.
        assert files.refresh() is None
    assert len(caplog.records) == 1
    assert 'PRIVATE' not in caplog.text
    assert files.context is old
    assert files.failure is not None
    write(options, pairs[1])
    assert is_of(files.refresh(), pairs[1])
    assert files.failure is None


def test_what_cannot_be_used_at_first_is_an_error(options):
    options['cert'].write_text('x')
    assert refusal(ContextFiles, options)[1] == 'ERR_OSSL_PEM_NO_START_LINE'
    options['key'].unlink()
    options['cert'].unlink()
    with pytest.raises(FileNotFoundError):
        ContextFiles(options)


def test_a_watch_tells_of_new_files_by_itself(options, pairs):
    told: AsyncResult = AsyncResult()
    watch = ContextWatch(get_loop(), ContextFiles(options), told.set, interval=0.01)
    try:
        write(options, pairs[1])
        # One file may be seen before the other one was written.
        assert is_of(told.get(timeout=PATIENCE), pairs[1])
    finally:
        watch.close()
        watch.close()


def test_a_watch_can_be_told_to_look_and_to_stop(options, pairs):
    told = []
    watch = ContextWatch(get_loop(), ContextFiles(options), told.append)
    watch.check()
    assert told == []
    watch.check(force=True)
    assert len(told) == 1
    write(options, pairs[1])
    watch.check()
    assert is_of(told[1], pairs[1])
    watch.close()
    write(options, pairs[2])
    watch.check()
    assert len(told) == 2
