"""A small HTTP/1.1 responder in event style, for browsers, curl and wrk.

Connections are kept alive and pipelined requests answered in order: what counts are the heads of
requests, however the network has cut them into chunks.

    gnet http_hello.py [port]           the default port is 8000; 0 is any free one
"""

import sys

import gnet

MAX_HEAD = 8192  # bytes
MAX_IDLE = 60_000  # milliseconds
BODY = b'hello\n'
HEAD = b'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n' % len(BODY)
REFUSAL = b'HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'

port = sys.argv[1] if len(sys.argv) > 1 else 8000


def answer(request: bytes) -> tuple[bytes, bool]:
    """Return the response to the head of a request, and whether the connection stays open."""
    line, _, fields = request.partition(b'\r\n')
    fields = fields.lower()
    if not line.startswith((b'GET ', b'HEAD ')):
        return REFUSAL % b'405 Method Not Allowed', False
    if b'content-length:' in fields or b'transfer-encoding:' in fields:
        return REFUSAL % b'413 Content Too Large', False  # else the body would pass for a request
    body = BODY if line.startswith(b'GET') else b''
    if not line.endswith(b' HTTP/1.1') or b'connection: close' in fields:
        return HEAD + b'Connection: close\r\n\r\n' + body, False
    return HEAD + b'\r\n' + body, True


def serve(sock: gnet.Socket) -> None:
    rest = b''  # the beginning of a head whose end has not arrived yet
    sock.set_timeout(MAX_IDLE, sock.destroy)

    @sock.on('data')
    def respond(chunk: bytes) -> None:
        nonlocal rest
        if sock.writable_ended:
            return  # the client was told that this connection closes
        *requests, rest = (rest + chunk).split(b'\r\n\r\n')
        responses = b''
        for request in requests:
            response, stays_open = answer(request)
            responses += response
            if not stays_open:
                sock.end(responses)
                return
        if len(rest) > MAX_HEAD:
            sock.end(responses + REFUSAL % b'431 Request Header Fields Too Large')
        elif not sock.write(responses):
            sock.pause()  # no more questions until the client has read the answers
            sock.once('drain', sock.resume)


server = gnet.serve(serve, port, no_delay=True)
host, _, port = server.address()
print(f'listening on {host}:{port} - try: curl http://{host}:{port}/', flush=True)
gnet.run()
