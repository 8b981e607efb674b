// Runs transcripts (*.t) against a real service and prints TAP.
//   node test/transcripts/run.mjs [--bytes] [FILE…]      --bytes: the client's bytes go one at a time
//
// A transcript reads like the RFC:
//   # RFC 9051 7.5.1: no EXPUNGE during FETCH            clients 2, messages 3, state selected
//   C1: a STORE 2 +FLAGS.SILENT (\Deleted)     S1: a OK
//   C1: b EXPUNGE                              S1: * 2 EXPUNGE | b OK
// The folder it stands in is the protocol: imap, mx, pop3, submission. Settings stand at the end of the first line, three
// spaces or more behind the title:
//   clients N (1)
//   messages N      so many samples in INBOX (0), delivered by SMTP
//   mail A B…       data/A.eml, data/B.eml… in INBOX, by APPEND, of 2-Nov-2026 10:11:12 +0000
//   state raw | new | auth | selected (selected)        raw: nothing read yet, new: the greeting is read
//   clear           no TLS: state raw
//   mx N, imap N    client N talks to the MX, after EHLO; to IMAP, with INBOX selected
// Under submission there is TLS from the first byte: new: EHLO is said, auth and selected: logged in, too. clear: the port with STARTTLS.
// Under pop3 "selected" means logged in; "+OK" alone and "-ERR" match by their beginning.
//   limit SIZE      what the mailbox may hold
//   others N        so many more aliases: $OTHER1, $OTHER2…
//   service NAME    one with settings of its own: see SERVICES below; lmtp: its socket is spoken to
//   whole           also under --bytes the lines go in one piece: what is tested is that they do
// C: and S: are client 1; C*100: and S*100: stand for a hundred of them, \# for their number;
// C1..60: and S1..60: for sixty clients, one after the other. What follows S: are the
// lines, in order, separated by " | " or on S: lines of their own. A tagged line and a numbered reply match
// by their beginning, others whole; "…" inside a line matches anything, "…" alone any number of lines;
// $name captures a word the first time and must equal it later. Lines that are not matched are an error.
// "S1: EOF": the server hangs up. A server's literal is part of its line: "BODY[] {3}\r\nabc)".
// \r \n \t \xNN are escapes, in C lines \\ too, and \{TEXT*N} for N times TEXT; a C line that ends in \c
// sends no CRLF. $ADDRESS and $PASSWORD are the alias's, $ADDRESS2 another one's; $PLAIN is what AUTHENTICATE
// PLAIN wants of the first; $ADDRESS64 and $PASSWORD64 are these in base64.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DnsServer } from '../lib/dns.mjs';
import { Service, Smtp, crlf, dial, root, sample, until } from '../lib/service.mjs';

const AT_ONCE = 6; // transcripts that run side by side
const PATIENCE_MS = 15000;
const here = path.join(root, 'test/transcripts');
const args = process.argv.slice(2);
const bytewise = args.includes('--bytes');
const named = args.filter((a) => !a.startsWith('--'));

async function find(dir) {
  const out = [];
  for (const e of await readdir(dir, { withFileTypes: true })) {
    if (e.isDirectory()) out.push(...await find(path.join(dir, e.name)));
    else if (e.name.endsWith('.t')) out.push(path.join(dir, e.name));
  }
  return out.sort();
}

// ---- reading ------------------------------------------------------------------------------------

function settings(line) {
  const text = /\s{3,}(\S.*)$/.exec(line)?.[1] ?? '';
  const set = { clients: 1, messages: 0, mail: [], state: 'selected', clear: false, mx: 0, imap: 0, others: 0, limit: '', service: '', whole: false };
  for (const part of text.split(',').map((p) => p.trim()).filter(Boolean)) {
    const [name, ...values] = part.split(/\s+/);
    if (!(name in set)) throw new Error(`line 1: unknown setting ${name}`);
    if (name === 'mail') set.mail = values;
    else if (name === 'state') [set.state] = values;
    else if (name === 'limit' || name === 'service') [set[name]] = values;
    else if (name === 'clear' || name === 'whole') set[name] = true;
    else set[name] = Number(values[0]);
  }
  if (set.clear) set.state = 'raw';
  return set;
}

// [{ kind: 'C' | 'S', client, text, line }]
function parse(text) {
  const steps = [];
  text.split('\n').forEach((raw, i) => {
    if (!raw.trim() || raw.startsWith('#')) return;
    const pieces = raw.split(/(?:^|\s{2,})(?=[CS]\d*(?:\.\.\d+)?(?:\*\d+)?: ?)/).filter((p) => p.trim());
    for (const p of pieces) {
      const m = /^([CS])(\d*)(?:\.\.(\d+))?(?:\*(\d+))?: ?(.*)$/.exec(p.trimStart());
      if (!m) throw new Error(`line ${i + 1}: not a C: or S: line`);
      const client = Number(m[2] || 1);
      for (let who = client; who <= Number(m[3] ?? client); who++)
        for (let n = 1; n <= Number(m[4] ?? 1); n++) {
          const text = m[5].replace(/\\#/g, n);
          if (m[1] === 'C') steps.push({ kind: 'C', client: who, text, line: i + 1 });
          else for (const t of text.split(' | ')) steps.push({ kind: 'S', client: who, text: t.trim(), line: i + 1 });
        }
    }
  });
  return steps;
}

const byte = (hex) => String.fromCharCode(parseInt(hex, 16));
const control = { r: '\r', n: '\n', t: '\t', c: '', '\\': '\\' };

// Lower case only: "\Recent" is a flag.
function unescape(text) {
  return Buffer.from(Buffer.from(text, 'utf8').toString('latin1')
    .replace(/\\\{(.*?)\*(\d+)\}/g, (_, t, n) => t.repeat(Number(n)))
    .replace(/\\(r|n|t|c$|\\|x[0-9a-fA-F]{2})/g, (_, e) => control[e] ?? byte(e.slice(1))), 'latin1');
}

const substitute = (text, vars) => text.replace(/\$(\w+)/g, (m, n) => vars[n] ?? m);
const quote = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

function matches(pattern, line, vars) {
  const byBeginning = /^(?:[^\s*+]+ (?:OK|NO|BAD)\b|\d{3}[ -]|\+OK$|-ERR)/.test(pattern);
  const names = [];
  const text = Buffer.from(pattern.replace(/…/g, '\0'), 'utf8').toString('latin1')
    .replace(/\\(r|n|t|x[0-9a-fA-F]{2})/g, (_, e) => control[e] ?? byte(e.slice(1)));
  // eslint-disable-next-line no-control-regex
  const source = text.split(/(\$[a-z]\w*|\0)/).map((p) => {
    if (p === '\0') return '.*';
    if (!/^\$[a-z]\w*$/.test(p)) return quote(p);
    const n = p.slice(1);
    if (vars[n] !== undefined) return quote(vars[n]);
    if (names.includes(n)) return `\\${names.indexOf(n) + 1}`;
    names.push(n);
    return '([^\\s()\\[\\]]+)';
  }).join('');
  const end = /^\d{3}$/.test(pattern) ? '(?: .*)?$' : byBeginning ? '' : '$';
  const m = new RegExp(`^${source}${end}`, 's').exec(line);
  if (m) names.forEach((n, i) => { vars[n] = m[i + 1]; });
  return m !== null;
}

// ---- talking ------------------------------------------------------------------------------------

async function send(io, bytes, whole) {
  if (!bytewise || whole) return io.write(bytes);
  try {
    for (const b of bytes) await io.write(Buffer.from([b]));
  } catch (e) {
    if (e.code !== 'ECONNRESET' && e.code !== 'EPIPE') throw e; // hung up on in the middle: the next line of the transcript says whether it may be
  }
}

// A connection knows how its answers are read: lines, or lines with literals.
async function open(service, proto, set, alias) {
  if (proto === 'mx') return { io: await dial(set.service === 'lmtp' ? service.lmtp : service.ports.mx), answer: (io) => io.line(PATIENCE_MS) };
  if (proto === 'pop3') return pop3(service, set, alias);
  if (proto === 'submission') return submission(service, set, alias);
  const answer = responses;
  if (set.clear) return { io: await dial(service.ports.imap), answer };
  if (set.state === 'raw') return { io: await dial(service.ports.imaps, { secure: true }), answer };
  const c = await service.imap(alias, { login: set.state !== 'new' });
  if (set.state === 'selected') await c.cmd('SELECT INBOX');
  return { io: c.io, answer };
}

async function pop3(service, set, alias) {
  const io = await (set.clear ? dial(service.ports.pop3) : dial(service.ports.pop3s, { secure: true }));
  const answer = (lines) => lines.line(PATIENCE_MS);
  if (set.state === 'raw') return { io, answer };
  await answer(io);
  for (const line of set.state === 'new' ? [] : [`USER ${alias.address}`, `PASS ${alias.password}`]) {
    await io.write(`${line}\r\n`);
    const reply = await answer(io);
    if (!reply.startsWith('+OK')) throw new Error(`${line.slice(0, 4)}: ${reply}`);
  }
  return { io, answer };
}

async function submission(service, set, alias) {
  const io = await (set.clear ? dial(service.ports.submission) : dial(service.ports.submissions, { secure: true }));
  const c = new Smtp(io);
  if (set.state !== 'raw') {
    await c.reply();
    await c.cmd('EHLO client.example');
  }
  if (set.state === 'selected' || set.state === 'auth') {
    const r = await c.cmd(`AUTH PLAIN ${plainOf(alias)}`);
    if (r.code !== 235) throw new Error(r.text);
  }
  return { io, answer: (lines) => lines.line(PATIENCE_MS) };
}

async function responses(io) {
  let text = '';
  for (;;) {
    const l = await io.line(PATIENCE_MS);
    if (l === null) return text || null;
    text += l;
    const m = /\{(\d+)\}$/.exec(l);
    if (!m) return text;
    text += `\r\n${(await io.bytes(Number(m[1]))).toString('latin1')}`;
  }
}

const seen = (line) => line.replace(/\r\n/g, '\\r\\n').slice(0, 2000);

async function expect(c, steps, vars) {
  let skipping = false;
  for (const s of steps) {
    if (s.text === '…') { skipping = true; continue; }
    const pattern = substitute(s.text, { ADDRESS: vars.ADDRESS, PASSWORD: vars.PASSWORD, ADDRESS2: vars.ADDRESS2 });
    for (;;) {
      let line;
      try {
        line = await c.answer(c.io);
      } catch (e) {
        throw new Error(`line ${s.line}: expected: ${pattern}\n  ${e.message}`);
      }
      if (pattern === 'EOF') {
        if (line === null) break;
        if (!skipping) throw new Error(`line ${s.line}: expected the end, got: ${seen(line)}`);
        continue;
      }
      if (line === null) throw new Error(`line ${s.line}: expected: ${pattern}\n  the connection ended`);
      if (matches(pattern, line, vars)) break;
      if (!skipping) throw new Error(`line ${s.line}: expected: ${pattern}\n  got: ${seen(line)}`);
    }
    skipping = false;
  }
}

async function prepare(service, alias, set) {
  for (let i = 1; i <= set.messages; i++) await service.deliver(alias.address, sample(i, 200));
  if (!set.messages && !set.mail.length) return;
  const c = await service.imap(alias);
  // a login waits for the first of what came, not for all: SELECT must find them
  const all = `* STATUS INBOX (MESSAGES ${set.messages})`;
  await until(all, PATIENCE_MS, async () => (await c.cmd('STATUS INBOX (MESSAGES)')).includes(all));
  for (const name of set.mail) {
    const bytes = crlf(await readFile(path.join(here, 'data', `${name}.eml`)));
    await c.cmd(['APPEND INBOX " 2-Nov-2026 10:11:12 +0000" ', bytes]);
  }
  await c.logout();
}

const base64 = (text) => Buffer.from(text).toString('base64');
const plainOf = (alias) => base64(`\0${alias.address}\0${alias.password}`);

async function run(file) {
  const text = await readFile(file, 'utf8');
  const set = settings(text.split('\n', 1)[0]);
  const service = await serviceOf(set.service);
  const steps = parse(text);
  const proto = path.relative(here, file).split(path.sep)[0];
  const named = proto !== 'mx' || set.imap || set.messages || set.mail.length || /\$(ADDRESS|PASSWORD|PLAIN)\b/.test(text);
  const alias = named ? await service.alias() : { address: '', password: '' };
  const vars = {
    ADDRESS: alias.address, PASSWORD: alias.password, PLAIN: plainOf(alias),
    ADDRESS64: base64(alias.address), PASSWORD64: base64(alias.password),
  };
  if (text.includes('$ADDRESS2')) vars.ADDRESS2 = (await service.alias()).address;
  for (let i = 1; i <= set.others; i += 10)
    (await Promise.all(Array.from({ length: Math.min(10, set.others - i + 1) }, () => service.alias())))
      .forEach((a, k) => { vars[`OTHER${i + k}`] = a.address; });
  if (set.limit) await service.ctl(['alias', 'limit', alias.address, set.limit]);
  await prepare(service, alias, set);
  const conns = [];
  try {
    for (let i = 1; i <= set.clients; i++) {
      if (i === set.mx) conns.push({ io: (await service.smtp()).io, answer: (io) => io.line(PATIENCE_MS) });
      else conns.push(await open(service, i === set.imap ? 'imap' : proto, set, alias));
    }
    for (let i = 0; i < steps.length;) {
      const { kind, client } = steps[i];
      let n = i;
      while (n < steps.length && steps[n].kind === kind && steps[n].client === client) n++;
      const c = conns[client - 1];
      if (!c) throw new Error(`line ${steps[i].line}: there is no client ${client}`);
      if (kind === 'S') {
        await expect(c, steps.slice(i, n), vars);
      } else {
        const bytes = steps.slice(i, n).map(({ text: t }) =>
          Buffer.concat([unescape(substitute(t, vars)), Buffer.from(t.endsWith('\\c') ? '' : '\r\n')]));
        await send(c.io, Buffer.concat(bytes), set.whole);
      }
      i = n;
    }
    for (const [i, c] of conns.entries())
      if (c.io.size) throw new Error(`at the end client ${i + 1} has unread: ${seen(c.io.flat().toString('latin1'))}`);
  } finally {
    for (const c of conns) c.io.end();
  }
}

// ---- services -----------------------------------------------------------------------------------

const zone = {
  'good.example': { MX: [[10, 'mx.good.example']], TXT: 'v=spf1 ip4:192.0.2.7 -all' }, 'mx.good.example': { A: '192.0.2.7' },
  'client.example': { A: '192.0.2.7' }, 'host.example': { A: '192.0.2.8' }, 'empty.example': { TXT: 'nothing' },
  'bad.example': { MX: [[10, 'mx.good.example']] }, 'null.example': { MX: [[0, '.']] }, '66.113.0.203.bl.example': { A: '127.0.0.2' },
};
const front = { XCLIENT_FROM: '127.0.0.1', LOOKUP_TIMEOUT: '2s', AUTH_TIMEOUT: '2s' };
const SERVICES = {
  '': {},
  strict: { ...front, BLOCKLISTS: 'bl.example' },
  stricter: { ...front, HELO_CHECK: 'resolve', SENDER_CHECK: 'strict' },
  grey: { ...front, GREYLIST: 'yes', GREYLIST_DELAY: '0ms', GREYLIST_KNOWN: 'good.example' },
  rates: { ...front, RECIPIENT_RATE: '3', SENDER_RATE: '2', CONNECTION_RATE: '3' },
  lmtp: { LMTP_MODE: '0666' },
  aliases: front,
  proxied: { PROXY_FROM: '127.0.0.1', LOOKUP_TIMEOUT: '2s', GREET_DELAY: '100ms', ERROR_DELAY: '20ms' },
};
// What the command line sets up in one of them. @ is @example.test.
const SETUP = {
  aliases: `domain add other.test
    domain add example.net
    domain set example.net --alias-of example.test
    alias add ready@
    alias add waits@
    alias add list@
    alias add out@
    alias add gone@
    alias add soon@
    alias add quiet@
    alias target add ready@ ready@far.example
    alias target add list@ ready@
    alias target add list@ out@
    alias target add out@ https://hook.far.example/in
    alias set gone@ --disabled 550
    alias set soon@ --disabled 421
    alias set quiet@ --disabled 250
    domain pattern add example.test order-([0-9]+) ready+\\1@
    domain pattern add example.test round(.*) round\\1x@
    access deny example.test bad.example
    access deny example.test 198.51.100.0/24
    access allow ready@ friend@bad.example
    access deny out@ *
    access allow out@ <>
    domain set other.test --catch-all ready@`,
};
const services = new Map();
let dns;

async function startService(name) {
  const env = Object.fromEntries(Object.entries(SERVICES[name]).map(([k, v]) => [`LETTERLOCK_MX_${k}`, v]));
  if (!name) return Service.start({ pop3: true, submission: true });
  dns ??= DnsServer.start({ zone });
  const server = await dns, { upstream, ca } = server;
  server.say = (q) => (q.name === 'broken.example' ? 'servfail' : undefined);
  const dir = await mkdtemp(path.join(tmpdir(), 'lmtp-'));
  if (name === 'lmtp') env.LETTERLOCK_MX_LMTP_SOCKET = path.join(dir, 'lmtp.sock');
  const service = await Service.start({ serve: false, env: { ...env, LETTERLOCK_RESOLVER_UPSTREAMS: upstream, LETTERLOCK_RESOLVER_CA_FILE: ca } });
  if (name === 'proxied') { // a plain connection is none of the balancer's
    const answers = service.answers.bind(service);
    service.answers = async (port) => port === service.ports.mx || answers(port);
  }
  service.lmtp = env.LETTERLOCK_MX_LMTP_SOCKET;
  service.folder = dir;
  await service.serve();
  for (const line of (SETUP[name] ?? '').split('\n').filter(Boolean))
    await service.ctl(line.trim().split(' ').map((w) => w.replace(/@$/, '@example.test')));
  await until('the roles', 4 * PATIENCE_MS, async () => (await service.status()).roles.every((r) => r.state === 'ready'));
  return service;
}

function serviceOf(name) {
  if (!SERVICES[name]) throw new Error(`line 1: no such service: ${name}`);
  if (!services.has(name)) services.set(name, startService(name));
  return services.get(name);
}

// ---- all of them --------------------------------------------------------------------------------

const files = named.length ? named.map((f) => path.resolve(f)) : await find(here);
console.log(`1..${files.length}`);
const queue = [...files];
let done = 0;
let failed = 0;

async function worker() {
  for (let f = queue.shift(); f; f = queue.shift()) {
    const name = `${path.relative(root, f)}${bytewise ? ' byte by byte' : ''}`;
    try {
      await run(f);
      console.log(`ok ${++done} - ${name}`);
    } catch (e) {
      failed++;
      console.log(`not ok ${++done} - ${name}\n  ${e.message.split('\n').join('\n  ')}`);
    }
  }
}

await Promise.all(Array.from({ length: AT_ONCE }, worker));
for (const service of await Promise.all(services.values())) {
  if (failed) console.log(service.log.split('\n').slice(-40).map((l) => `# ${l}`).join('\n'));
  await service.stop();
  if (service.folder) await rm(service.folder, { recursive: true, force: true });
}
await (await dns)?.stop();
process.exit(failed ? 1 : 0);
