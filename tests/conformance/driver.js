// Runs scenarios (form.py) on Node's own net, tls and events, and prints their traces.
//
//     node driver.js            reads a scenario as JSON from each line of stdin, answers each with a
//                               line {"lanes": {…}}
//     node driver.js --program  reads one scenario, runs it as a program of its own, and prints a line
//                               {"lane": …, "line": …} at once for each line of its trace
//
// driver.py is its counterpart. What a line looks like is decided in both, in the same words.
'use strict';

const crypto = require('node:crypto');
const events = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');
const stream = require('node:stream');
const tls = require('node:tls');

const MODULES = { net, tls, events, stream };

const CERTIFICATES = path.join(__dirname, 'certificates');

const HOME = process.cwd();

// Loop turns after which all that one call can set off, at both ends, is over.
const TURNS_TO_SETTLE = 25;

// Milliseconds after which an event that is waited for is given up.
const PATIENCE = 8000;

const ERROR_FIELDS = [
  'errno', 'syscall', 'address', 'port', 'hostname', 'localAddress', 'localPort', 'host', 'path',
  'context',
];

// Events whose arguments are other bytes each time: keys, tickets.
const SECRET_EVENTS = ['keylog', 'newSession', 'resumeSession', 'session'];

const emitOfAll = events.EventEmitter.prototype.emit;

class Run {
  constructor(scenario, write) {
    this.scenario = scenario;
    this.write = write;
    this.lanes = {};
    this.objects = new Map();   // name -> object
    this.names = new Map();     // object -> name
    this.functions = new Map(); // name -> function
    this.labels = new Map();    // function -> name
    this.ports = new Map();     // number -> text
    this.counts = new Map();    // what was recorded, for await
    this.waiting = [];
    this.accepted = 0;
    this.secured = 0;
    this.recording = true;
    this.directory = null;
    this.umask = null;
  }

  // --- the trace -------------------------------------------------------------------------------

  laneOf(name) {
    for (const [lane, members] of Object.entries(this.scenario.together)) {
      if (members.includes(name)) return lane;
    }
    return name;
  }

  record(owner, line, happened) {
    if (this.recording && line !== null && !this.scenario.unseen?.includes(owner)) {
      const lane = this.laneOf(owner);
      const text = lane === owner ? line : `${owner}: ${line}`;
      if (this.write) this.write(lane, text);
      else (this.lanes[lane] ??= []).push(text);
    }
    if (happened) {
      this.counts.set(happened, (this.counts.get(happened) ?? 0) + 1);
      this.waiting = this.waiting.filter((waiter) => !waiter());
    }
  }

  waitFor(what, times) {
    return new Promise((resolve) => {
      let timer = null;
      const waiter = () => {
        if ((this.counts.get(what) ?? 0) < times) return false;
        clearTimeout(timer);
        // Not inside the event: everything that belongs to it comes first.
        turns(2).then(resolve);
        return true;
      };
      if (waiter()) return;
      this.waiting.push(waiter);
      timer = setTimeout(() => {
        this.waiting = this.waiting.filter((other) => other !== waiter);
        this.record('process', `waited in vain for ${what}`);
        resolve();
      }, PATIENCE);
    });
  }

  // --- values ----------------------------------------------------------------------------------

  show(value) {
    switch (typeof value) {
      case 'undefined': return 'undefined';
      case 'string': return this.showText(value);
      case 'number':
        if (this.ports.has(value)) return this.ports.get(value);
        return Object.is(value, -0) ? '0' : String(value);
      case 'boolean': return String(value);
      case 'symbol': return '<symbol>';
      case 'function': return `<${this.labels.get(value) ?? 'function'}>`;
    }
    if (value === null) return 'null';
    if (this.names.has(value)) return `<${this.names.get(value)}>`;
    if (ArrayBuffer.isView(value)) {
      const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      return bytes.length > 40 ? `bytes(${bytes.length} ${digest(bytes)})`
        : `b${JSON.stringify(bytes.toString('latin1'))}`;
    }
    if (value instanceof Error) return this.showError(value);
    if (Array.isArray(value)) return `[${value.map((item) => this.show(item)).join(', ')}]`;
    const prototype = Object.getPrototypeOf(value);
    if (prototype === null || prototype === Object.prototype) {
      const fields = Object.keys(value).sort().map((key) => `${key}: ${this.show(value[key])}`);
      return `{${fields.join(', ')}}`;
    }
    return `<${value.constructor.name}>`;
  }

  // Python passes None where Node passes nothing.
  showArguments(args) {
    let count = args.length;
    while (count > 0 && (args[count - 1] ?? null) === null) count -= 1;
    return args.slice(0, count).map((arg) => this.show(arg));
  }

  showText(value) {
    const text = this.anonymous(value);
    return text.length > 400 ? `text(${text.length} ${digest(Buffer.from(text))})`
      : JSON.stringify(text);
  }

  anonymous(text) {
    if (this.directory !== null) text = text.replaceAll(this.directory, '<tmp>');
    return text.replace(/\d+/g, (digits) => this.ports.get(Number(digits)) ?? digits);
  }

  showError(error) {
    const code = error.code === undefined ? '' : `[${error.code}]`;
    const fields = ERROR_FIELDS.filter((field) => (error[field] ?? null) !== null)
      .map((field) => `${field}: ${this.show(error[field])}`);
    if (error.errors !== undefined) fields.push(`errors: ${this.show(error.errors)}`);
    // OpenSSL's message has source files, lines and threads in it; its reason is what stays.
    const text = error.library !== undefined && error.reason ? error.reason : error.message;
    if (error.library !== undefined) fields.push(`library: ${this.show(error.library)}`);
    else if (error.reason !== undefined) fields.push(`reason: ${this.show(error.reason)}`);
    const tail = fields.length ? ` {${fields.join(', ')}}` : '';
    return `${error.constructor.name}${code} ${this.showText(text)}${tail}`;
  }

  learnPorts(name, object) {
    const learn = (number, text) => {
      if (Number.isInteger(number) && number > 1023 && !this.ports.has(number)) {
        this.ports.set(number, text);
      }
    };
    if (object instanceof net.Server && object.listening) {
      let address = null;
      try {
        address = object.address();
      } catch {
        // Another server has taken it over, and has closed it.
      }
      if (address !== null && typeof address === 'object') learn(address.port, `<port of ${name}>`);
    } else if (object instanceof net.Socket && !object.pending) {
      // (Node would remember for its errors' texts that there was no local port yet.)
      learn(object.localPort, '<port>');
      learn(object.remotePort, '<port>');
    } else if (!(object instanceof net.Socket) && object?.remotePort !== undefined) {
      learn(object.remotePort, '<port>'); // what 'drop' passes
    }
  }

  value(form) {
    if (form === null || typeof form !== 'object' || ArrayBuffer.isView(form)) return form;
    if (Array.isArray(form)) return form.map((item) => this.value(item));
    switch (form.$) {
      case undefined:
        return Object.fromEntries(
          Object.entries(form).map(([key, item]) => [key, this.value(item)]));
      case 'undefined': return undefined;
      case 'number': return Number(form.is);
      case 'error': return new Error(form.message);
      case 'bytes': return pattern(form.size);
      case 'text': return pattern(form.size).toString('latin1');
      case 'encoded': return Buffer.from(form.hex, 'hex');
      case 'buffer': return Buffer.alloc(form.size);
      case 'fn': return this.functionOf(form);
      case 'ref': return this.resolve(form.path).value;
      case 'port': return this.object(form.of).address().port;
      case 'tmp':
        return (form.abstract ? '\0' : '') + path.join(this.temporary(), form.name);
      case 'emitter': return new events.EventEmitter();
      case 'fd': return this.descriptor(form.of);
      case 'pem': return fs.readFileSync(path.join(CERTIFICATES, `${form.name}.pem`), 'utf8');
      case 'certificates': return fs.readFileSync(path.join(CERTIFICATES, form.name));
    }
    throw new Error(`no such value: ${JSON.stringify(form)}`);
  }

  temporary() {
    this.directory ??= fs.mkdtempSync(path.join(os.tmpdir(), 'gn'));
    return this.directory;
  }

  descriptor(of) {
    const fd = fs.openSync(of === 'null' ? '/dev/null' : path.join(this.temporary(), of), 'r+');
    this.objects.set(`fd ${fd}`, { close: () => { try { fs.closeSync(fd); } catch {} } });
    return fd;
  }

  object(name) {
    if (!this.objects.has(name)) throw new Error(`nothing is called ${name}`);
    return this.objects.get(name);
  }

  // 'c.write' -> the object that c is, and its member write
  resolve(dotted, args = []) {
    const [root, ...members] = dotted.split('.');
    let value;
    if (root[0] === '$') value = args[Number(root.slice(1))];
    else value = MODULES[root] ?? this.object(root);
    let holder = null;
    for (const member of members) {
      holder = value;
      value = holder[member];
    }
    return { holder, value, owner: this.names.get(root[0] === '$' ? args[Number(root.slice(1))]
      : this.objects.get(root)) ?? 'main' };
  }

  functionOf(form, owner = 'main') {
    if (this.functions.has(form.name)) return this.functions.get(form.name);
    const run = this;
    const of = form.of ?? owner;
    const made = function (...args) {
      const shown = form.bare ? [] : run.showArguments(args);
      run.record(of, `${form.name}(${shown.join(', ')})`, form.name);
      for (const step of form.do ?? []) run.step(step, args);
      if (form.throws !== undefined) throw run.value(form.throws);
      if (form.rejects !== undefined) return Promise.reject(run.value(form.rejects));
      return form.returns === undefined ? undefined : run.value(form.returns);
    };
    this.functions.set(form.name, made);
    this.labels.set(made, form.name);
    return made;
  }

  // Functions among the arguments of a call belong to the object that is called.
  arguments(forms, owner) {
    const claim = (form) => {
      if (form === null || typeof form !== 'object') return;
      if (form.$ === 'fn') this.functionOf(form, owner);
      else Object.values(form).forEach(claim);
    };
    forms.forEach(claim);
    return forms.map((form) => this.value(form));
  }

  // --- objects ---------------------------------------------------------------------------------

  adopt(name, object) {
    this.objects.set(name, object);
    this.names.set(object, name);
    if (!(object instanceof events.EventEmitter)) return;
    const run = this;
    const isSocket = object instanceof net.Socket;
    const isServer = object instanceof net.Server;
    object.emit = function (event, ...args) {
      run.learnPorts(name, object);
      if (isServer && event === 'drop') run.learnPorts(name, args[0]);
      if (isServer && event === 'connection' && args[0] instanceof net.Socket
          && !run.names.has(args[0])) {
        run.accepted += 1;
        run.adopt(`s${run.accepted}`, args[0]);
      }
      const key = `${name} ${String(event)}`;
      if (run.scenario.ignore.includes(event)) run.record(name, null, key);
      else run.record(name, run.eventLine(name, object, event, args), key);
      return emitOfAll.call(object, event, ...args);
    };
    if ((isSocket || isServer) && !this.scenario.deaf.includes(name)) {
      object.on('error', () => {});
    }
    this.learnPorts(name, object);
  }

  // A TLS server makes its sockets where nobody sees it: they are known from their first event on,
  // which is 'newListener', as Node's own listeners are added.
  meet(socket) {
    if (this.names.has(socket) || !(socket.server instanceof tls.Server)) return;
    this.secured += 1;
    this.adopt(`t${this.secured}`, socket);
  }

  eventLine(name, object, event, args) {
    const shown = SECRET_EVENTS.includes(event) ? [] : this.showArguments(args);
    const words = [`'${String(event)}'`, ...shown];
    const watched = this.scenario.watch[name] ?? this.scenario.watch[kindOf(object)] ?? [];
    const states = watched.map((property) => this.show(object[property]));
    if (states.length) words.push(`{${states.join(' ')}}`);
    return words.join(' ');
  }

  // --- steps -----------------------------------------------------------------------------------

  step(step, args = []) {
    const [verb, ...rest] = step;
    if (['call', 'get', 'set', 'fill'].includes(verb)) {
      const [root] = rest[0].split('.');
      if (root[0] !== '$' && !(root in MODULES) && !this.objects.has(root)) {
        this.record('main', `there is no ${root}`);
        return;
      }
    }
    switch (verb) {
      case 'let': return this.let(args, ...rest);
      case 'call': return this.call(args, ...rest);
      case 'get': {
        for (const dotted of rest) {
          const { value, owner } = this.resolve(dotted, args);
          this.record(owner, `.${dotted.split('.').slice(1).join('.')} = ${this.show(value)}`);
        }
        return;
      }
      case 'set': {
        const [dotted, form] = rest;
        const at = dotted.lastIndexOf('.');
        const { value: holder, owner } = this.resolve(dotted.slice(0, at), args);
        const name = dotted.slice(at + 1);
        const member = name === 'captureRejection' ? events.captureRejectionSymbol : name;
        this.attempt(owner, `.${name} =`, () => { holder[member] = this.value(form); }, true);
        return;
      }
      case 'callback': {
        const [position, ...forms] = rest;
        args[position](...forms.map((form) => this.value(form)));
        return;
      }
      case 'fill': {
        const [dotted, form] = rest;
        const { holder, value, owner } = this.resolve(dotted, args);
        const chunk = this.value(form);
        let count = 0;
        while (value.call(holder, chunk) && ++count < 10000);
        this.record(owner, count < 10000 ? '.write -> false at last' : '.write -> never false');
        return;
      }
      case 'note': return this.record(rest[1] ?? 'main', rest[0]);
      case 'tick': process.nextTick(this.value(rest[0])); return;
      case 'throw': throw this.value(rest[0]);
      case 'exit': process.exit(rest[0]); return;
      case 'abort': this.object(rest[0]).controller.abort(); return;
      case 'file': fs.writeFileSync(path.join(this.temporary(), rest[0]), ''); return;
      case 'enter': process.chdir(this.temporary()); return;
      case 'mkdir': fs.mkdirSync(path.join(this.temporary(), rest[0])); return;
      case 'unlink': fs.unlinkSync(path.join(this.temporary(), rest[0])); return;
      case 'umask': {
        const before = process.umask(rest[0]);
        this.umask ??= before;
        return;
      }
      case 'exists': {
        const there = fs.existsSync(path.join(this.temporary(), rest[0]));
        return this.record('main', `${rest[0]} ${there ? 'exists' : 'does not exist'}`);
      }
      case 'mode': {
        const mode = fs.statSync(path.join(this.temporary(), rest[0])).mode & 0o777;
        return this.record('main', `mode of ${rest[0]}: ${mode.toString(8)}`);
      }
    }
    throw new Error(`no such step: ${verb}`);
  }

  attempt(owner, what, action, silent = false) {
    let result;
    try {
      result = action();
    } catch (error) {
      this.record(owner, `${what} throws ${this.show(error)}`);
      return;
    }
    this.objects.forEach((object, name) => this.learnPorts(name, object));
    if (!silent) this.record(owner, `${what} -> ${this.show(result)}`);
    return result;
  }

  let(args, name, what, ...forms) {
    if (what === 'signal') {
      const controller = new AbortController();
      controller.signal.controller = controller;
      this.adopt(name, controller.signal);
      return;
    }
    const made = this.attempt(name, what, () => {
      if (!what.startsWith('new ')) {
        const { holder, value } = this.resolve(what, args);
        return value.apply(holder, this.arguments(forms, name));
      }
      const { value } = this.resolve(what.slice(4), args);
      return new value(...this.arguments(forms, name));
    }, true);
    if (made !== undefined && made !== null) this.adopt(name, made);
  }

  call(args, dotted, ...forms) {
    const { holder, value, owner } = this.resolve(dotted, args);
    const member = dotted.split('.').pop();
    this.attempt(
      owner, `.${member}`, () => value.apply(holder, this.arguments(
        forms.map((form) => this.ofArgs(form, args)), owner)),
      this.scenario.quiet.includes(member));
  }

  // '$0' among the arguments of a call in a function is that function's argument.
  ofArgs(form, args) {
    if (form !== null && typeof form === 'object' && form.$ === 'arg') {
      const value = args[form.position];
      const name = this.names.get(value);
      return name === undefined ? value : { $: 'ref', path: name };
    }
    return form;
  }

  async main() {
    for (const step of this.scenario.steps) {
      switch (step[0]) {
        case 'await': await this.waitFor(step[1], step[2] ?? 1); break;
        case 'turns': await turns(step[1]); break;
        case 'settle': await turns(TURNS_TO_SETTLE); break;
        default:
          try {
            this.step(step);
          } catch (error) {
            this.record('process', `the script ends with ${this.show(error)}`);
            return;
          }
      }
    }
    await turns(TURNS_TO_SETTLE);
  }

  async cleanUp() {
    this.recording = false;
    for (const object of this.objects.values()) {
      if (object instanceof net.Socket) object.destroy();
      else if (object instanceof net.Server) object.close();
      else if (typeof object.close === 'function') object.close();
    }
    events.defaultMaxListeners = 10;
    events.captureRejections = false;
    net.setDefaultAutoSelectFamily(true);
    net.setDefaultAutoSelectFamilyAttemptTimeout(250);
    if (this.umask !== null) process.umask(this.umask);
    await turns(TURNS_TO_SETTLE);
    process.chdir(HOME);
    if (this.directory !== null) fs.rmSync(this.directory, { recursive: true, force: true });
  }
}

function kindOf(object) {
  if (object instanceof net.Socket) return 'sockets';
  return object instanceof net.Server ? 'servers' : 'others';
}

function digest(bytes) {
  return crypto.createHash('sha1').update(bytes).digest('hex').slice(0, 8);
}

// Bytes that differ at each place, so that lost and doubled ones are seen.
function pattern(size) {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at++) bytes[at] = 97 + (at + (at >> 8)) % 26;
  return bytes;
}

async function turns(count) {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

let current = null;

tls.TLSSocket.prototype.emit = function (...args) {
  current?.meet(this);
  return (Object.hasOwn(this, 'emit') ? this.emit : emitOfAll).apply(this, args);
};

async function runInside(scenario) {
  const run = current = new Run(scenario, null);
  await run.main();
  await run.cleanUp();
  current = null;
  return { lanes: run.lanes };
}

async function serve() {
  process.on('uncaughtException', (error) => {
    current?.record('process', `uncaught ${current.show(error)}`, 'uncaught');
  });
  process.removeAllListeners('warning'); // Node's own prints them; they are in the trace
  process.on('warning', (warning) => {
    current?.record('process', `warning ${warning.name} ${current.showText(warning.message)}`);
  });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await runInside(JSON.parse(line))) + '\n');
  }
}

function runProgram() {
  const scenario = JSON.parse(fs.readFileSync(0, 'utf8'));
  const run = new Run(scenario, (lane, line) => {
    fs.writeSync(1, JSON.stringify({ lane, line }) + '\n');
  });
  process.on('exit', () => {
    if (run.directory !== null) fs.rmSync(run.directory, { recursive: true, force: true });
  });
  current = run;
  for (const step of scenario.steps) run.step(step);
}

if (process.argv[2] === '--program') runProgram();
else if (process.argv[2] === '--version') process.stdout.write(process.version + '\n');
else serve();
