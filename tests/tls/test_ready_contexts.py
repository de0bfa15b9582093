"""Contexts that the program has made by Python's own means: used as they are, and never changed."""

from __future__ import annotations

import ssl

import pytest

from gnet.tls.secure_context import as_secure_context

from .common import refusal

UNAVAILABLE = 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM'


def ready_context(protocol=ssl.PROTOCOL_TLS_CLIENT, verify_mode=ssl.CERT_REQUIRED):
    context = ssl.SSLContext(protocol)
    context.check_hostname = False
    context.verify_mode = verify_mode
    return context


def state_of(context):
    return (context.options, context.verify_flags, context.verify_mode, context.minimum_version,
            context.maximum_version, context.check_hostname, len(context.get_ciphers()),
            context.cert_store_stats())


def test_a_context_of_python_is_used_as_it_is():
    given = ready_context()
    before = state_of(given)
    made = as_secure_context(given)
    assert made.given is given
    assert made.context is made.client_context() is given
    assert made.client_context(verify=False) is given
    server = ready_context(ssl.PROTOCOL_TLS_SERVER, ssl.CERT_NONE)
    assert as_secure_context(server).server_context() is server
    assert state_of(given) == before
    assert as_secure_context(made) is made
    assert repr(given) in repr(made)


def test_one_that_does_not_verify_is_not_taken_for_one_that_does():
    client = as_secure_context(ready_context(verify_mode=ssl.CERT_NONE))
    server = as_secure_context(ready_context(ssl.PROTOCOL_TLS_SERVER, ssl.CERT_NONE))
    for call in (client.client_context, lambda: server.server_context(request_cert=True)):
        kind, code, text = refusal(call)
        assert (kind, code) == ('CodedTypeError', 'ERR_TLS_INVALID_CONTEXT')
        assert 'CERT_REQUIRED' in text
    half = as_secure_context(ready_context(ssl.PROTOCOL_TLS_SERVER, ssl.CERT_OPTIONAL))
    assert refusal(half.server_context, request_cert=True)[1] == 'ERR_TLS_INVALID_CONTEXT'


def test_one_of_the_other_end_is_refused():
    client, server = (
        as_secure_context(ready_context(protocol))
        for protocol in (ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER))
    assert refusal(client.server_context)[1] == 'ERR_TLS_INVALID_CONTEXT'
    assert refusal(server.client_context)[1] == 'ERR_TLS_INVALID_CONTEXT'
    assert refusal(server.server_context, alpn=('a',))[1] == UNAVAILABLE


@pytest.mark.parametrize('value', [None, 5, 'x', {}, ssl, ssl.SSLContext, object()])
def test_anything_else_is_no_context(value):
    assert refusal(as_secure_context, value) == (
        'CodedTypeError', 'ERR_TLS_INVALID_CONTEXT', 'context must be a SecureContext')


@pytest.mark.parametrize('when', ['before', 'after'])
def test_contexts_are_made_whenever_the_process_is_patched(run_script, when):
    # Setters of a class of before would call themselves for ever.
    done = run_script(f"""
        import ssl
        import warnings
        from gevent import monkey

        if {when!r} == 'after':
            given = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            from gnet.tls.secure_context import as_secure_context, create_secure_context
            from gnet.tls.roots import set_default_ca_certificates
            set_default_ca_certificates([])  # the system's take their time
            first = create_secure_context()
            first.client_context()
            warnings.simplefilter('ignore', monkey.MonkeyPatchWarning)
            monkey.patch_all()
        else:
            monkey.patch_all()
            from gnet.tls.secure_context import as_secure_context, create_secure_context
            from gnet.tls.roots import set_default_ca_certificates
            set_default_ca_certificates([])
            given = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            first = create_secure_context()
        for context in (first, create_secure_context(min_version='TLSv1.3')):
            for made in (context.client_context(alpn=('a',)), context.client_context(verify=False),
                         context.server_context(), context.server_context(request_cert=True)):
                made.wrap_bio(
                    ssl.MemoryBIO(), ssl.MemoryBIO(),
                    server_side=made.protocol == ssl.PROTOCOL_TLS_SERVER)
        assert as_secure_context(given).client_context() is given
        print('made')
    """)
    assert (done.stdout, done.stderr, done.status) == ('made\n', '', 0)
