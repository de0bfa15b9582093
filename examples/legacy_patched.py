"""A server inside a program that was written for threads and never heard of greenlets.

After ``patch_all()`` its blocking calls are cooperative: while one connection waits for HTTP, the
others are served. What it keeps per thread, it now keeps per connection.

    gnet legacy_patched.py [port]       the default port is 7000; 0 is any free one
"""
# ruff: noqa: E402

from gevent import monkey

monkey.patch_all()  # before all other imports; "gnet --patch script.py" does it for any script

import http.server
import sys
import threading
import urllib.parse
import urllib.request

import gnet

# --- the legacy part: nothing here knows of gnet --------------------------------------------------


class Shop(http.server.BaseHTTPRequestHandler):
    """A web service, with threads of its own. It answers with the price of what is in the path."""

    def do_GET(self) -> None:  # the name that http.server wants
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'%d cents' % (len(self.path) - 1))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
        """Print nothing."""


shop = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Shop)
threading.Thread(target=shop.serve_forever, daemon=True).start()
web = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # nothing between it and us
visit = threading.local()


def price_of(item: str) -> str:
    visit.questions = getattr(visit, 'questions', 0) + 1
    url = f'http://127.0.0.1:{shop.server_port}/{urllib.parse.quote(item)}'
    with web.open(url, timeout=10) as answer:  # blocks
        return f'{item}: {answer.read().decode()} (your question number {visit.questions})'


# --- the new part ---------------------------------------------------------------------------------


def answer(sock: gnet.Socket) -> None:
    with sock.makefile('rw', encoding='utf-8', errors='replace') as lines:
        for line in lines:
            print(price_of(line.strip()), file=lines, flush=True)


server = gnet.serve(answer, sys.argv[1] if len(sys.argv) > 1 else 7000)
host, _, port = server.address()
print(f'listening on {host}:{port} - try: nc {host} {port}, and ask for apples', flush=True)
gnet.run()
