"""The mean of what sensors report, on socketserver: a line NAME VALUE is answered with it.

    python readings_before.py [port]    the default port is 7000; 0 is any free one
"""

import socketserver
import sys
import threading

port = int(sys.argv[1]) if len(sys.argv) > 1 else 7000
readings = {}
lock = threading.Lock()


class Readings(socketserver.StreamRequestHandler):
    timeout = 60

    def handle(self):
        peer, _ = self.client_address
        self.wfile.write(b'hello %s\n' % peer.encode())
        for line in self.rfile:
            name, value = line.split()
            with lock:
                values = readings.setdefault(name, [])
                values.append(float(value))
                mean = sum(values) / len(values)
            self.wfile.write(b'%.2f\n' % mean)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


with Server(('127.0.0.1', port), Readings) as server:
    host, port = server.server_address
    print(f'listening on {host}:{port}', flush=True)
    server.serve_forever()
