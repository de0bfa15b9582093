'use strict';
// The services on Node's net and tls modules, also for Deno and Bun.
//
//     node node.cjs SERVICE ADDRESS [BACKEND-PORT]
//     node node.cjs tls-SERVICE ADDRESS CERTIFICATE
//
// Addresses and services are those of wire.py.

const net = require('node:net');
const { EventEmitter } = require('node:events');

const ANSWER = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
const CLOSING = Buffer.from(
  'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok');
const BLOCK = Buffer.alloc(65536, 'x');
const IDLE = 30000; // milliseconds
const BACKLOG = 4096;

const [name, address, last] = process.argv.slice(2);
const isTls = name.startsWith('tls-');
const sharing = /^(workers|shared|reuse)-/.exec(name)?.[1];
const service = isTls || sharing ? name.slice(name.indexOf('-') + 1) : name;
const WORKERS = 2;
const peers = new Set();

// Calls answer for each whole line.
function eachLine(sock, answer) {
  let rest = '';
  sock.setEncoding('latin1');
  sock.on('data', (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop();
    answer(lines);
  });
}

function http(sock) {
  sock.on('data', () => sock.write(ANSWER));
}

const services = {
  http,

  timeout(sock) {
    sock.setTimeout(IDLE, () => sock.destroy());
    http(sock);
  },

  close(sock) {
    sock.on('data', () => sock.end(CLOSING));
  },

  sink(sock) {
    sock.on('data', () => {});
  },

  source(sock) {
    const fill = () => {
      while (sock.write(BLOCK));
    };
    sock.on('drain', fill);
    sock.resume();
    fill();
  },

  echo(sock) {
    sock.pipe(sock);
  },

  lines(sock) {
    eachLine(sock, (lines) => {
      for (const line of lines) sock.write(`${line}\n`, 'latin1');
    });
  },

  'batched-lines'(sock) {
    eachLine(sock, (lines) => {
      sock.cork();
      for (const line of lines) sock.write(`${line}\n`, 'latin1');
      sock.uncork();
    });
  },

  broadcast(sock) {
    peers.add(sock);
    sock.on('close', () => peers.delete(sock));
    sock.on('data', (chunk) => {
      for (const peer of peers) peer.write(chunk);
    });
  },

  proxy(sock) {
    const upstream = net.connect({ port: +last, host: '127.0.0.1', noDelay: true });
    upstream.on('error', () => sock.destroy());
    sock.on('close', () => upstream.destroy());
    sock.pipe(upstream).pipe(sock);
  },
};

const MORE_THAN_ONE_WRITE = ['lines', 'batched-lines', 'broadcast', 'proxy'];

// How often an event is emitted in the given number of seconds, and what that costs.
function emitter(seconds) {
  const emitter = new EventEmitter();
  let heard = 0;
  emitter.on('data', () => { heard += 1; });
  const some = (times) => {
    for (let i = 0; i < times; i++) emitter.emit('data', BLOCK);
  };
  some(100000); // until it is compiled
  heard = 0;
  const before = process.cpuUsage();
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) some(10000);
  const used = process.cpuUsage(before);
  console.log(heard, used.user + used.system);
}

// The server listens in each worker; the primary announces the port when all do.
function runWorkers(server) {
  const cluster = require('node:cluster');
  if (cluster.isWorker) {
    server.on('listening', () => process.send('listening'));
    server.listen({
      port: +process.env.PORT, host: '127.0.0.1', backlog: BACKLOG, reusePort: sharing === 'reuse',
    });
    return;
  }
  if (sharing === 'shared') cluster.schedulingPolicy = cluster.SCHED_NONE;
  const probe = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => {
      let listening = 0;
      cluster.on('message', () => {
        listening += 1;
        if (listening === WORKERS) console.log(port);
      });
      for (let i = 0; i < WORKERS; i++) cluster.fork({ PORT: port });
    });
  });
}

if (service === 'emitter') {
  emitter(+address);
} else {
  const noDelay = MORE_THAN_ONE_WRITE.includes(service);
  const serve = (sock) => {
    sock.on('error', () => {});
    services[service](sock);
  };
  let server;
  if (isTls) {
    const pem = require('node:fs').readFileSync(last);
    server = require('node:tls').createServer({ key: pem, cert: pem }, serve);
  } else {
    server = net.createServer({ noDelay }, serve);
  }
  if (sharing) {
    runWorkers(server);
    return;
  }
  const where = address === '0' ? { port: 0, host: '127.0.0.1' } : { path: address };
  server.listen({ ...where, backlog: BACKLOG }, () => {
    console.log(address === '0' ? server.address().port : address);
  });
}
