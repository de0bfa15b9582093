"""An echo that is watched: metrics for Prometheus, and a line of JSON for each connection.

    gnet metrics.py [port [metrics port]]      the defaults are 7000 and 9100; 0 is any free one

For a script that knows nothing of it, and with workers, the command does the same:

    gnet --metrics 9100 --access-log --log-format json --workers auto echo_blocking.py
"""

import sys

import gnet

port = sys.argv[1] if len(sys.argv) > 1 else 7000
metrics_port = sys.argv[2] if len(sys.argv) > 2 else 9100


def echo(sock: gnet.Socket) -> None:
    for chunk in sock:
        sock.sendall(chunk)


def ready() -> None:
    (host, _, port), asked = server.address(), metrics.address()
    print(f'listening on {host}:{port} - try: nc {host} {port}, '
          f'and to see what it did: curl {asked.address}:{asked.port}/metrics', flush=True)


gnet.logs.configure('json', access_log=True, stream=sys.stdout)
metrics = gnet.metrics.serve(metrics_port)
server = gnet.create_server(echo)
gnet.metrics.name_server(server, 'echo')  # its port may be another one tomorrow
server.listen(port=port, host='127.0.0.1', callback=ready)
gnet.run()
