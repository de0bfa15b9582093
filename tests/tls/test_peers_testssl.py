"""testssl.sh, which looks for whatever is known to be weak, on a server with defaults.

Some minutes of work, so it is only done where the environment variable ``GNET_TESTSSL`` is set.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..harness.authority import NAMES, authority
from ..harness.connections import target_of
from ..harness.programs import find_program
from .programs import Programs

pytestmark = pytest.mark.skipif(
    not os.environ.get('GNET_TESTSSL'), reason='GNET_TESTSSL is not set')

#: Seconds that it may take.
LIMIT = 900

#: What is found of a certificate of tests: nobody trusts it, and nobody could revoke it.
OF_THE_CERTIFICATE = {'cert_chain_of_trust', 'cert_revocation'}

#: A WARN here says that its own check has failed, which is no weakness: it asks by a client that
#: leaves right after the handshake, and so now and then before the tickets of TLS 1.3 have come.
CHECKS_THAT_RACE = {'sessionresumption_ticket'}

#: What may be found, beside the lowest of the severities.
HARMLESS = {'OK', 'INFO', 'LOW', 'DEBUG'}


@pytest.mark.timeout(LIMIT + 30)
def test_nothing_is_found_above_low(
    serve_tls: Callable[..., Any], programs: Programs, tmp_path: Path,
) -> None:
    own = authority().certify(*NAMES, days=(-1, 180))
    server = serve_tls(lambda sock: sock.pipe(sock), **own.options)
    server.on('tlsClientError', lambda error, sock: None)
    report = tmp_path / 'report.json'
    port = target_of(server)['port']
    # Protocols, ciphers, forward secrecy, preferences, defaults and all that has a name.
    programs.start([
        find_program('testssl', 'testssl.sh'), '--quiet', '--color', '0', '--warnings', 'off',
        '--ip', 'one', '--protocols', '--std', '--fs', '--server-preference', '--server-defaults',
        '--vulnerable', '--jsonfile', str(report), f'localhost:{port}']).wait(LIMIT)
    findings = json.loads(report.read_text('utf-8'))
    found = {finding['id']: finding for finding in findings}
    assert found['TLS1_3']['severity'] == 'OK'
    assert found['heartbleed']['severity'] == 'OK'
    bad = [
        finding for finding in findings
        if finding['severity'] not in HARMLESS and finding['id'] not in OF_THE_CERTIFICATE
        and not (finding['severity'] == 'WARN' and finding['id'] in CHECKS_THAT_RACE)]
    assert bad == []
