"""An admin port beside the main server, which does not keep the program alive: it is unref'ed.

Say "status" to it, or "stop": that closes the main server. The program ends when the last of the
main server's connections has ended, although the admin port is still open.

    gnet admin_port.py [port [admin port]]      the defaults are 7000 and 7070; 0 is any free one
"""

import sys

import gnet

port = sys.argv[1] if len(sys.argv) > 1 else 7000
admin_port = sys.argv[2] if len(sys.argv) > 2 else 7070

server = gnet.create_server(lambda sock: sock.pipe(sock))
admin = gnet.create_server()
admin.unref()


@admin.on('connection')
def command(sock: gnet.Socket) -> None:
    sock.unref()  # a connection keeps the program alive as well, unless told not to
    with sock.makefile(encoding='utf-8', errors='replace') as lines:
        for line in lines:
            if line.strip() == 'status':
                sock.write(f'{server.get_connections()} connections\n')
            elif line.strip() == 'stop':
                server.close()
                sock.write('stopped: no new connections\n')
            else:
                sock.write('status or stop?\n')


@server.on('listening')
def open_admin_port() -> None:
    admin.listen(port=admin_port, host='127.0.0.1')


@admin.on('listening')
def ready() -> None:
    (host, _, port), admin_port = server.address(), admin.address().port
    print(f'listening on {host}:{port} - try: nc {host} {port}, '
          f'and to administer it: nc {host} {admin_port}', flush=True)


server.listen(port=port, host='127.0.0.1')
gnet.run()
