// A real Letterlock in a temporary folder, for end-to-end tests, transcripts and benches.
//
//   const s = await Service.start();              // init, serve, example.test
//   const a = await s.alias();                    // { address, password }: fresh alias with a generated password
//   await s.deliver(a.address, bytes);            // through SMTP; throws with the reply unless 250
//   const c = await s.imap(a);                    // logged in over TLS: c.cmd('SELECT INBOX') -> lines
//   await s.stop();
//
// LETTERLOCK_BUILD names the build folder (default "build").
import { spawn, execFile } from 'node:child_process';
import { mkdtemp, rm, readFile, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import net from 'node:net';
import tls from 'node:tls';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const build = path.resolve(root, process.env.LETTERLOCK_BUILD ?? 'build');
export const sanitized = /clang|asan/.test(path.basename(build)); // memory is not to be measured there, and all is slower
export const binary = path.join(build, 'letterlock');
export const corpus = process.env.LETTERLOCK_CORPUS ?? path.resolve(root, '../shared/corpus');

export const sleep = (ms) => new Promise((r) => setTimeout(r, ms)); // for polling with a deadline only

export async function until(what, ms, probe) {
  const end = Date.now() + ms;
  for (;;) {
    const v = await probe();
    if (v) return v;
    if (Date.now() > end) throw new Error(`waited ${ms} ms for ${what}`);
    await sleep(20);
  }
}

// Below the range that the system takes for connections going out (from 32768): there, whatever connects at the same
// moment may be given the port that was just found free.
const given = new Set();
export async function freePort() {
  for (;;) {
    const port = 12000 + Math.floor(Math.random() * 20000);
    if (given.has(port)) continue;
    given.add(port);
    const free = await new Promise((resolve) => {
      const s = net.createServer().on('error', () => resolve(false));
      s.listen(port, '127.0.0.1', () => s.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

export class Lines {
  constructor(socket) {
    this.socket = socket;
    this.chunks = [];
    this.size = 0;
    this.waiters = [];
    this.closed = false;
    socket.on('data', (d) => { this.chunks.push(d); this.size += d.length; this.wake(); });
    socket.on('error', (e) => { this.error = e; });
    socket.on('close', () => { this.closed = true; this.wake(); });
  }
  wake() { const w = this.waiters; this.waiters = []; for (const f of w) f(); }
  more(ms) {
    return new Promise((resolve, reject) => {
      const t = setTimeout(() => { reject(new Error(`no answer within ${ms} ms`)); }, ms);
      this.waiters.push(() => { clearTimeout(t); resolve(); });
    });
  }
  flat() {
    if (this.chunks.length !== 1) this.chunks = [Buffer.concat(this.chunks)];
    return this.chunks[0];
  }
  take(n) {
    const b = this.flat();
    this.chunks = [b.subarray(n)];
    this.size -= n;
    return b.subarray(0, n);
  }
  // One line without its CRLF, as latin1; null at the end of the stream.
  async line(ms = 15000) {
    let from = 0;
    for (;;) {
      const at = this.flat().indexOf('\r\n', from);
      if (at >= 0) return this.take(at + 2).toString('latin1').slice(0, -2);
      from = Math.max(0, this.size - 1);
      if (this.closed) return null;
      await this.more(ms);
    }
  }
  async bytes(n, ms = 15000) {
    while (this.size < n) {
      if (this.closed) throw new Error('connection closed inside a literal');
      await this.more(ms);
    }
    return this.take(n);
  }
  write(data) {
    return new Promise((resolve, reject) => {
      this.socket.write(data, (e) => (e ? reject(e) : resolve()));
    });
  }
  end() { this.socket.destroy(); }
}

export function dial(port, { secure = false, host = '127.0.0.1' } = {}) {
  return new Promise((resolve, reject) => {
    const done = (s) => { s.off('error', reject); s.setNoDelay(true); resolve(new Lines(s)); };
    const s = secure
      ? tls.connect({ port, host, rejectUnauthorized: false }, () => done(s))
      : net.connect(typeof port === 'string' ? { path: port } : { port, host }, () => done(s));
    s.once('error', reject);
  });
}

// A small IMAP client for tests: commands in, response lines out; literals come as Buffers in `literals`.
export class Imap {
  constructor(lines) { this.io = lines; this.n = 0; this.untagged = []; this.literals = []; }
  // A whole response line with its literals inlined as {n}; literal bytes are pushed to this.literals.
  async response(ms) {
    let text = '';
    for (;;) {
      const l = await this.io.line(ms);
      if (l === null) return text || null;
      text += l;
      const m = /\{(\d+)\}$/.exec(l);
      if (!m) return text;
      this.literals.push(Buffer.from(await this.io.bytes(Number(m[1]), ms)));
    }
  }
  // Sends `command` (a string, or an array of strings and Buffers: Buffers go as non-synchronizing literals).
  async cmd(command, { ms = 15000, ok = true } = {}) {
    const tag = `t${++this.n}`;
    const parts = [Buffer.from(`${tag} `)];
    for (const p of [].concat(command)) {
      if (Buffer.isBuffer(p)) parts.push(Buffer.from(`{${p.length}+}\r\n`), p);
      else parts.push(Buffer.from(p, 'utf8'));
    }
    parts.push(Buffer.from('\r\n'));
    this.literals = [];
    await this.io.write(Buffer.concat(parts));
    return this.finish(tag, ok, ms);
  }
  async finish(tag, ok, ms) {
    const lines = [];
    for (;;) {
      const l = await this.response(ms);
      if (l === null) throw new Error(`connection closed; had: ${lines.slice(-5).join(' | ')}`);
      lines.push(l);
      if (l.startsWith(`${tag} `)) break;
      this.untagged.push(l);
    }
    if (ok && !lines.at(-1).startsWith(`${tag} OK`)) throw new Error(lines.at(-1));
    return lines;
  }
  async logout() { try { await this.cmd('LOGOUT', { ms: 3000 }); } catch { /* it is gone either way */ } this.io.end(); }
}

export class Smtp {
  constructor(lines) { this.io = lines; }
  async reply(ms) {
    const lines = [];
    for (;;) {
      const l = await this.io.line(ms);
      if (l === null) throw Object.assign(new Error('connection closed'), { lines });
      lines.push(l);
      if (l[3] !== '-') return { code: Number(l.slice(0, 3)), text: lines.join('\n'), lines };
    }
  }
  async cmd(text, ms) { await this.io.write(`${text}\r\n`); return this.reply(ms); }
  // One transaction; returns the reply that decided it. `body`: CRLF bytes, not yet dot-stuffed.
  async send(from, to, body, ms = 15000) {
    let r = await this.cmd(`MAIL FROM:<${from}>`, ms);
    for (const t of [].concat(to)) if (r.code === 250) r = await this.cmd(`RCPT TO:<${t}>`, ms);
    if (r.code !== 250) { await this.cmd('RSET', ms); return r; }
    r = await this.cmd('DATA', ms);
    if (r.code !== 354) return r;
    await this.io.write(dotStuff(body));
    return this.reply(ms);
  }
  async sendBdat(from, to, body, { binary = false, ms = 15000 } = {}) {
    let r = await this.cmd(`MAIL FROM:<${from}>${binary ? ' BODY=BINARYMIME' : ''}`, ms);
    if (r.code === 250) r = await this.cmd(`RCPT TO:<${to}>`, ms);
    if (r.code !== 250) { await this.cmd('RSET', ms); return r; }
    await this.io.write(Buffer.concat([Buffer.from(`BDAT ${body.length} LAST\r\n`), body]));
    return this.reply(ms);
  }
  end() { this.io.end(); }
}

export function dotStuff(body) {
  const text = Buffer.from(body).toString('latin1').replace(/(^|\r\n)\./g, '$1..');
  return Buffer.from(`${text}${text === '' || text.endsWith('\r\n') ? '' : '\r\n'}.\r\n`, 'latin1');
}

export class Service {
  static async start(options = {}) {
    const s = new Service();
    s.host = options.host ?? '127.0.0.1';
    s.run = options.run ?? []; // what the program is started with: nsenter and the like
    s.dir = options.dir ?? await mkdtemp(path.join(tmpdir(), 'letterlock-'));
    s.ports = options.ports ?? { imap: await freePort(), imaps: await freePort(), mx: await freePort() };
    if (options.pop3) Object.assign(s.ports, { pop3: await freePort(), pop3s: await freePort() });
    if (options.submission) Object.assign(s.ports, { submission: await freePort(), submissions: await freePort() });
    s.env = {
      ...process.env,
      LETTERLOCK_IMAP_LISTEN: `${s.host}:${s.ports.imap}`,
      LETTERLOCK_IMAP_TLS_LISTEN: `${s.host}:${s.ports.imaps}`,
      LETTERLOCK_MX_LISTEN: `${s.host}:${s.ports.mx}`,
      ...(s.ports.pop3 && {
        LETTERLOCK_POP3_LISTEN: `${s.host}:${s.ports.pop3}`, LETTERLOCK_POP3_TLS_LISTEN: `${s.host}:${s.ports.pop3s}`,
      }),
      ...(s.ports.submission && {
        LETTERLOCK_SUBMISSION_LISTEN: `${s.host}:${s.ports.submission}`, LETTERLOCK_SUBMISSION_TLS_LISTEN: `${s.host}:${s.ports.submissions}`,
      }),
      LETTERLOCK_CONFIG: path.join(s.dir, 'letterlock.conf'),
      ...options.env,
    };
    s.log = '';
    s.names = 0;
    if (!options.dir) await s.ctl(['init', '--dir', s.dir, '--domain', 'example.test']);
    if (options.serve !== false) await s.serve();
    return s;
  }
  command(args) { const [first, ...more] = [...this.run, binary, ...args]; return [first, more]; }
  ctl(args, { input = '', ok = true } = {}) {
    return new Promise((resolve, reject) => {
      const p = execFile(...this.command(args), { env: this.env, cwd: this.dir, maxBuffer: 1 << 26 }, (e, stdout, stderr) => {
        const code = e ? (typeof e.code === 'number' ? e.code : -1) : 0;
        if (ok && code !== 0) reject(new Error(`letterlock ${args.join(' ')}: exit ${code}\n${stderr}${stdout}`));
        else resolve({ code, stdout, stderr });
      });
      p.stdin.on('error', () => {});
      p.stdin.end(input);
    });
  }
  async serve() {
    this.child = spawn(...this.command(['serve']), { env: this.env, cwd: this.dir, stdio: ['ignore', 'pipe', 'pipe'] });
    this.exited = new Promise((r) => this.child.on('exit', (code, signal) => { this.exit = { code, signal }; r(); }));
    // What a sanitizer says of a role fails the test file when it stops: a role that died was only started again.
    const keep = (d) => {
      this.log = (this.log + d).slice(-(1 << 20));
      if (this.sanitizer) this.sanitizer = (this.sanitizer + d).slice(0, 1 << 14); // it comes in pieces
      else this.sanitizer = /^.*(?:ERROR: \w+Sanitizer|runtime error: )[^]*/m.exec(this.log.slice(-d.length - 200))?.[0];
    };
    this.child.stdout.on('data', keep);
    this.child.stderr.on('data', keep);
    await until('the service to answer', 60000, async () => {
      if (this.exit) throw new Error(`serve ended (${JSON.stringify(this.exit)}):\n${this.log}`);
      return (await this.answers(this.ports.mx)) && (await this.answers(this.ports.imap));
    });
  }
  async answers(port) {
    try {
      const io = await dial(port, { host: this.host });
      const l = await io.line(3000).catch(() => null);
      io.end();
      return l !== null && !l.startsWith('421') && !l.startsWith('* BYE');
    } catch { return false; }
  }
  async status() { return JSON.parse((await this.ctl(['status', '--json'])).stdout); }
  async pids(role) { return (await this.status()).roles.filter((r) => r.name === role && r.pid > 0).map((r) => r.pid); }
  // How many processes there were to kill: none while the role waits to be started again.
  async kill(role, signal = 'SIGKILL') {
    const pids = await this.pids(role);
    for (const pid of pids) process.kill(pid, signal);
    return pids.length;
  }
  async alias(name = `user${++this.names}`) {
    const address = name.includes('@') ? name : `${name}@example.test`;
    await this.ctl(['alias', 'add', address]);
    const { stdout } = await this.ctl(['alias', 'password', address]);
    return { address, password: stdout.trim() };
  }
  async smtp() {
    const c = new Smtp(await dial(this.ports.mx, { host: this.host }));
    await c.reply();
    await c.cmd('EHLO client.example.net');
    return c;
  }
  async deliver(to, body, from = 'sender@example.net') {
    const c = await this.smtp();
    const r = await c.send(from, to, body);
    c.end();
    if (r.code !== 250) throw new Error(r.text);
    return r;
  }
  async imap(alias, { login = true, port = this.ports.imaps } = {}) {
    const c = new Imap(await dial(port, { secure: true, host: this.host }));
    c.greeting = await c.io.line();
    if (login) await c.cmd(`LOGIN "${alias.address}" "${alias.password}"`);
    return c;
  }
  async stop({ keep = false } = {}) {
    if (this.child && !this.exit) {
      this.child.kill('SIGTERM');
      const t = setTimeout(() => this.child.kill('SIGKILL'), 15000);
      await this.exited;
      clearTimeout(t);
    }
    if (!keep) await rm(this.dir, { recursive: true, force: true });
    if (this.sanitizer) throw new Error(`a sanitizer reported:\n${this.sanitizer}`);
  }
  async restart() {
    await this.stop({ keep: true });
    this.exit = undefined;
    await this.serve();
  }
}

// CRLF form of a message: bare LF becomes CRLF, everything else stays.
export function crlf(bytes) {
  return Buffer.from(Buffer.from(bytes).toString('latin1').replace(/(?<!\r)\n/g, '\r\n'), 'latin1');
}

export function sample(i, size = 2000) {
  const lines = [];
  let n = 0;
  for (let k = 0; n < size; k++) {
    const l = `Line ${k} of letter ${i}: ${((k * 7919 + i * 104729) % 1000003).toString(36).repeat(6)}`.slice(0, 76);
    lines.push(l);
    n += l.length + 2;
  }
  return Buffer.from(
    `From: Sender ${i} <sender${i}@example.net>\r\nTo: reader@example.test\r\nSubject: Letter number ${i}\r\n`
    + `Date: Mon, 2 Nov 2026 10:11:12 +0000\r\nMessage-ID: <letter-${i}@example.net>\r\n\r\n${lines.join('\r\n')}\r\n`);
}
