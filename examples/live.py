"""What lives in a program: ask it who is there, and make it hang to see that somebody notices.

    gnet --control auto --blocked 0.2 live.py [port]    the default is 7000; 0 is any free one

Say "who" to it for its connections, and where their handlers wait; "hang" for a second in which
nobody is served: stderr says where that is. Elsewhere: gnet top PID, kill -USR1 PID.
"""

import os
import sys
import time

import gnet

port = sys.argv[1] if len(sys.argv) > 1 else 7000

server = gnet.create_server()


@server.on('connection')
def answer(sock: gnet.Socket) -> None:
    with sock.makefile('rw', encoding='utf-8', errors='replace') as lines:
        for line in lines:
            if line.strip() == 'who':
                gnet.live().print(lines)
            elif line.strip() == 'hang':
                time.sleep(1)  # in C, and not by gevent.sleep: nobody else has a turn
                lines.write('sorry\n')
            else:
                lines.write(line)
            lines.flush()


@server.on('listening')
def ready() -> None:
    host, _, port = server.address()
    print(f'listening on {host}:{port} - try: nc {host} {port}, in process {os.getpid()}',
          flush=True)


server.listen(port=port, host='127.0.0.1')
gnet.run()
