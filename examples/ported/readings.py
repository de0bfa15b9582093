"""The mean of what sensors report: a line NAME VALUE is answered with it.

It was readings_before.py, on socketserver.

    gnet readings.py [port]             the default port is 7000; 0 is any free one
"""

import sys

import gnet

port = int(sys.argv[1]) if len(sys.argv) > 1 else 7000
readings = {}


def handle(sock):
    sock.settimeout(60)
    sock.sendall(b'hello %s\n' % sock.remote_address.encode())
    with sock.makefile('rb') as lines:
        for line in lines:
            name, value = line.split()
            values = readings.setdefault(name, [])
            values.append(float(value))
            mean = sum(values) / len(values)
            sock.sendall(b'%.2f\n' % mean)


with gnet.serve(handle, port, backlog=128) as server:
    host, _, port = server.address()
    print(f'listening on {host}:{port}', flush=True)
    server.serve_forever()
