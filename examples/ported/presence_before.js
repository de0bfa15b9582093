// Who is there, in Node: name NAME, who. Everybody is told who has left.
//
//     node presence_before.js [port]   the default port is 7000; 0 is any free one
'use strict';
const net = require('net');

const members = new Map();

function tell(text) {
  for (const sock of members.keys()) sock.write(text);
}

const server = net.createServer({ keepAlive: true }, (sock) => {
  let rest = '';
  sock.setEncoding('utf8');
  sock.setTimeout(60000, () => sock.destroy());
  sock.on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const [command, name] = line.trim().split(' ');
      if (command === 'name') {
        members.set(sock, name);
        sock.write(`welcome ${name}\n`);
      } else {
        sock.write(`${[...members.values()].sort().join(' ')}\n`);
      }
    }
  });
  sock.on('error', (err) => console.log(err.message));
  sock.on('close', () => {
    const name = members.get(sock);
    if (members.delete(sock)) tell(`${name} has left\n`);
  });
});

server.listen(Number(process.argv[2] ?? 7000), '127.0.0.1', () => {
  const { address, port } = server.address();
  console.log(`listening on ${address}:${port}`);
});
process.on('SIGTERM', () => server.close());
