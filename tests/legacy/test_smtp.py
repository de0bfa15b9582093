"""``smtplib`` over a gnet socket, and an SMTP server that is written with ``makefile``."""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from typing import Any

import pytest

import gnet

from ..harness.waiting import PATIENCE

#: More than the kernel buffers on the way, in lines of which some begin with a dot.
LONG_TEXT = ''.join(f'.{number} {"x" * 60}\n' for number in range(100_000))


class Post:
    """A server in blocking style, and what it was given: sender, recipients and text each."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, list[str], bytes]] = []

    def serve(self, sock: Any) -> None:
        with sock.makefile('rwb') as stream:
            def say(text: str) -> None:
                stream.write(text.encode() + b'\r\n')
                stream.flush()

            sender, recipients = '', []
            say('220 ready')
            for line in iter(stream.readline, b''):
                verb, _, rest = line.decode().strip().partition(' ')
                verb = verb.upper()
                if verb == 'EHLO':
                    say('250-here')
                    say('250 8BITMIME')
                elif verb == 'MAIL':
                    sender, recipients = address_in(rest), []
                    say('250 ok')
                elif verb == 'RCPT':
                    if 'nobody' in rest:
                        say('550 no such user')
                    else:
                        recipients.append(address_in(rest))
                        say('250 ok')
                elif verb == 'DATA':
                    say('354 go on')
                    self.messages.append((sender, recipients, text_of(stream)))
                    say('250 taken')
                elif verb == 'RSET':
                    say('250 ok')
                elif verb == 'QUIT':
                    say('221 bye')
                    return
                else:
                    say('502 unknown')


def address_in(text: str) -> str:
    return text[text.index('<') + 1:text.index('>')]


def text_of(stream: Any) -> bytes:
    lines = []
    for line in iter(stream.readline, b'.\r\n'):
        assert line.endswith(b'\r\n')
        lines.append(line[1:] if line.startswith(b'.') else line)
    return b''.join(lines)


class Client(smtplib.SMTP):
    """The standard library's, but for where its connection comes from."""

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        sock = gnet.connect(port, host)
        sock.settimeout(timeout)
        return sock


class ClientWithAPlainSocket(Client):
    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        return super()._get_socket(host, port, timeout).to_socket()


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture(params=[Client, ClientWithAPlainSocket])
def client(
    request: pytest.FixtureRequest, serve: Callable[..., int], post: Post,
) -> Iterator[smtplib.SMTP]:
    port = serve(post.serve)
    # With a name: the look-up of this host's own would block.
    with request.param('127.0.0.1', port, local_hostname='test', timeout=PATIENCE) as client:
        yield client


def test_a_message_is_delivered(client: smtplib.SMTP, post: Post) -> None:
    message = EmailMessage()
    message['From'] = 'me@example.org'
    message['To'] = 'you@example.org, them@example.org'
    message['Subject'] = 'Hello'
    message.set_content('Here.\n.\n..and there\n')
    assert client.send_message(message) == {}
    [(sender, recipients, text)] = post.messages
    assert (sender, recipients) == ('me@example.org', ['you@example.org', 'them@example.org'])
    assert b'Subject: Hello\r\n' in text
    assert text.endswith(b'\r\n\r\nHere.\r\n.\r\n..and there\r\n')


def test_a_long_message_is_delivered_and_another_one_after_it(
    client: smtplib.SMTP, post: Post,
) -> None:
    for text in (LONG_TEXT, 'short\n'):
        client.sendmail('me@example.org', 'you@example.org', text)
    expected = [LONG_TEXT.replace('\n', '\r\n').encode(), b'short\r\n']
    assert [text for _, _, text in post.messages] == expected


def test_a_refusal_reaches_the_caller(client: smtplib.SMTP, post: Post) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        client.sendmail('me@example.org', 'nobody@example.org', 'text')
    assert caught.value.recipients == {'nobody@example.org': (550, b'no such user')}
    assert client.noop()[0] == 502
    client.sendmail('me@example.org', 'you@example.org', 'text')
    assert len(post.messages) == 1


def test_the_plain_client_is_served(
    serve: Callable[..., int], post: Post, run_script: Callable[..., Any],
) -> None:
    port = serve(post.serve)
    finished = run_script("""
        import smtplib, sys
        with smtplib.SMTP('127.0.0.1', int(sys.argv[1]), 'test', timeout=10) as client:
            client.sendmail('me@example.org', ['you@example.org'], 'text')
    """, str(port), launcher=[])
    assert finished == (0, '', '')
    assert post.messages == [('me@example.org', ['you@example.org'], b'text\r\n')]


def test_a_server_that_goes_away_is_noticed(serve: Callable[..., int]) -> None:
    def handler(sock: Any) -> None:
        sock.sendall(b'220 ready\r\n')

    port = serve(handler)
    client = Client('127.0.0.1', port, local_hostname='test', timeout=PATIENCE)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.ehlo()
    assert client.sock is None
