"""One node of a chat whose rooms span machines. Run several, behind HAProxy:

    gnet --patch --workers 2 node.py --port 7001 --bus redis://10.0.0.9:6379 --behind 10.0.0.1

Patched, since the client of Redis is written in blocking style. What a client sends and gets are
lines of JSON:

    {"join": "lobby", "after": "1700000000000-0"}       (after: what it saw last; not at first)
        {"joined": "lobby", "missed": false}            (missed: the history is not that long)
        {"at": "1700000000001-0", "id": "1", "from": "ann", "text": "hello"}
    {"say": "hello", "from": "ann", "id": "1"}          (again with the same id: it is said once)
        {"ack": "1", "at": "1700000000001-0"}           (it is on the disk of the bus)
    {"ping": 1}
        {"pong": "node1", "to": "192.0.2.1"}

After {"error": …} the connection is ended: come again, and say again what was not acknowledged.
{"move": true} asks to come again, too: this process is to end, and another one will answer.
"""

import argparse
import json
import logging

import gevent
from bus import Bus, BusError, Position
from rooms import Member, Rooms

import gnet

MAX_LINE = 4096  # bytes
IDLE = 90  # seconds in which a client says something, a ping at least; else its machine is gone
SPREAD = 2.0  # seconds over which the members of a process that ends are asked to move

parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
parser.add_argument('--name', default='node', help='what a pong says (default: node)')
parser.add_argument('--host', default='127.0.0.1')
parser.add_argument('--port', type=int, default=7001, help='0 is any free one (default: 7001)')
parser.add_argument('--bus', default='redis://127.0.0.1:6379', metavar='URL', help='of Redis')
parser.add_argument(
    '--behind', action='append', metavar='NETWORK',
    help='where HAProxy is, which says by the PROXY protocol who the client is; nobody else is let '
         'in then. More than once for several (default: there is none, clients come by themselves)')
options = parser.parse_args()
logging.basicConfig(format=f'{options.name}: %(message)s')

server = gnet.create_server(
    no_delay=True, proxy_protocol={'trusted': options.behind} if options.behind else None)
bus = Bus(options.bus)
rooms = Rooms(bus)


@server.on('connection')
def serve(sock):
    """Answer line by line, each before the next is read: what one client says keeps its order."""
    sock.settimeout(IDLE)
    member = Member(sock)
    try:
        with sock.makefile('rb') as lines:
            for line in iter(lambda: lines.readline(MAX_LINE), b''):
                answer(member, json.loads(line))
    except BusError as error:
        member.tell(error='ERR_BUS', text=str(error))
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):  # of json, too
        member.tell(error='ERR_BAD_REQUEST')
    except OSError:
        return  # the client has vanished, or was silent for too long; it comes again if it can
    finally:
        rooms.leave(member)


def answer(member, request):
    if 'say' in request:
        if member.room is None:
            raise ValueError('it has not joined')
        sender, number, text = (str(request[key]) for key in ('from', 'id', 'say'))
        at = bus.say(member.room, sender, number, text)
        member.tell(ack=number, at=str(at))
    elif 'join' in request:
        after = request.get('after')
        rooms.join(member, str(request['join']), None if after is None else Position.of(after))
    elif 'ping' in request:
        member.tell(pong=options.name, to=member.sock.remote_address)
    else:
        raise KeyError('nothing that is known')


def watch():
    """Ask the members to move when this process is to end: SIGTERM, or SIGHUP to the workers."""
    while server.listening:
        gevent.sleep(0.2)
    asked = set()
    while server.get_connections():
        waiting = [member for member in rooms.members() if member not in asked]
        for member in waiting:
            member.tell(move=True)
            asked.add(member)
            gevent.sleep(SPREAD / len(waiting))  # not all at once to the other ones
        gevent.sleep(0.2)


def fail(greenlet):
    """End the process, which would go on and say nothing to anybody: it is started again."""
    raise SystemExit(1)


@server.on('listening')
def ready():
    host, _, port = server.address()
    print(f'{options.name} listens on {host}:{port}', flush=True)
    gevent.spawn(watch)
    follower = gevent.spawn(
        rooms.follow, lambda: not (server.listening or server.get_connections()))
    follower.link_exception(fail)


# backlog: when another node dies, its clients come here, all in the same moment.
server.listen(port=options.port, host=options.host, backlog=4096)
gnet.run()
