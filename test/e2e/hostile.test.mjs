// The whole service against those who mean no good: silence, drips, garbage, half handshakes, and readers
// that do not read. Others are served meanwhile, memory is bounded, and no role dies. What only mx can
// show is in mx.test.mjs; what a dialogue can show, in test/transcripts.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import tls from 'node:tls';
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Service, Imap, Lines, Smtp, dial, sample, sanitized, sleep, until } from '../lib/service.mjs';

const CONNECTIONS = 10000;
const AT_ONCE = 2000;
const OTHERS_MS = 5000;                // a delivery and a login, start to end, while all that goes on
const PER_CONNECTION = 64 << 10;       // before login, in imap and mx
const SLACK = 4 << 20;                 // of a role: what an allocator keeps, not counted per connection
const ROLE_BIG = 512 << 10;            // a message of 50 MiB in any role but content and store, each session
const STORE_BIG = 4 << 20;             // in the store
const NOISE = 512 << 10;               // what other work and an allocator's rounding add to one measurement
const BIG = 50 * (1 << 20) - (64 << 10);

let service, reader;
before(async () => {
  service = await Service.start({ pop3: true });
  reader = await service.alias();
});
after(() => service?.stop());

// Bytes of anonymous memory: code that is paged in does not count.
async function anon(pids) {
  let kb = 0;
  for (const pid of pids)
    kb += Number(/RssAnon:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))[1]);
  return kb * 1024;
}

// From now on, so far: how much the roles have grown at most. An allocator keeps what was freed, so the
// beginning must be a service that has not done worse before: see restart().
async function watch(...roles) {
  const base = {}, top = {}, pids = {};
  let running = true;
  for (const r of roles) {
    pids[r] = await service.pids(r);
    base[r] = top[r] = await anon(pids[r]);
  }
  const look = async () => { for (const r of roles) top[r] = Math.max(top[r], await anon(pids[r])); };
  const loop = (async () => {
    while (running) {
      await look();
      await sleep(5);
    }
  })();
  const grown = async () => {
    await look();
    return Object.fromEntries(roles.map((r) => [r, top[r] - base[r]]));
  };
  grown.stop = async () => {
    running = false;
    await loop;
    return grown();
  };
  return grown;
}

async function alive() {
  return (await service.status()).roles.map((r) => `${r.name} ${r.pid} ${r.restarts}`).sort().join(', ');
}

// A letter in and a login, as others would: how long both take.
async function others(n) {
  const began = Date.now();
  const c = new Smtp(new Lines(await connect(service.ports.mx, '127.200.0.1')));
  assert.equal((await c.reply()).code, 220);
  await c.cmd('EHLO other.example');
  const r = await c.send('other@example.net', reader.address, sample(n, 500));
  assert.equal(r.code, 250, r.text);
  c.end();
  const i = await service.imap(reader);
  const lines = await i.cmd('SELECT INBOX');
  assert.ok(lines.some((l) => /^\* [1-9]\d* EXISTS/.test(l)), lines.join('\n'));
  await i.logout();
  return Date.now() - began;
}

function connect(port, localAddress) {
  return new Promise((resolve, reject) => {
    const s = net.connect({ port, host: '127.0.0.1', localAddress }, () => { s.off('error', reject); resolve(s); });
    s.once('error', reject);
  });
}

const every = (s, ms, what) => {
  const t = setInterval(() => s.write(what()), ms);
  s.once('close', () => clearInterval(t));
};
const hello = Buffer.from('1603010200010001fc0303', 'hex'); // the beginning of a ClientHello, its rest never comes
const handshake = (s) => new Promise((resolve) => {
  const t = tls.connect({ socket: s, rejectUnauthorized: false }, () => resolve(t));
  t.on('error', () => resolve(t));
  t.on('close', () => resolve(t));
});
const kinds = {
  imap: {
    silent: () => {},
    drip: (s) => every(s, 500, () => 'a'),
    garbage: (s) => every(s, 500, () => randomBytes(1000)),
    nonsense: (s) => s.write('x y z\r\n'.repeat(20)),
    'a long line': (s) => s.write(`a LOGIN "${'x'.repeat(30000)}`),
    'a literal without an end': (s) => s.write(`a LOGIN {8192+}\r\n${'x'.repeat(8000)}`),
  },
  imaps: {
    silent: () => {},
    drip: (s) => { let i = 0; every(s, 500, () => hello.subarray(i, ++i)); },
    garbage: (s) => s.write(randomBytes(1000)),
    'half a handshake': (s) => s.write(hello),
    'silence behind a handshake': async (s) => { await handshake(s); },
    'a long line behind a handshake': async (s) => { (await handshake(s)).write(`a LOGIN "${'x'.repeat(30000)}`, () => {}); },
  },
  mx: {
    silent: () => {},
    drip: (s) => every(s, 500, () => 'N'),
    garbage: (s) => every(s, 500, () => randomBytes(1000)),
    'a transaction': (s) => s.write('EHLO x\r\nMAIL FROM:<a@b.example>\r\n'),
    'a long line': (s) => s.write('N'.repeat(3000)),
    'replies unread': (s) => { s.write('EHLO x\r\n'.repeat(90)); s.pause(); },
  },
};

async function wave(n, name, from) {
  const all = [];
  const what = Object.values(kinds[name]);
  for (let i = 0; i < n; i++) {
    all.push(connect(service.ports[name], `127.${from + Math.floor(i / 5000)}.${1 + (i % 200)}.${1 + (i % 250)}`).then(async (s) => {
      s.on('error', () => {});
      s.resume();
      await what[i % what.length](s);
      return s;
    }, () => null));
    if (i % 50 === 49) await Promise.race([Promise.all(all.slice(-50)), sleep(2000)]);
  }
  return Promise.all(all);
}

test(`${CONNECTIONS} connections, ${AT_ONCE} at a time: others are served, memory is bounded, nobody dies`, async () => {
  await others(1); // everybody has done their work once
  const was = await alive();
  const memory = await watch('mx', 'imap');
  let slowest = 0, from = 20, letters = 1;
  for (let done = 0; done < CONNECTIONS; done += AT_ONCE) {
    const ports = ['mx', 'imap', 'imaps'];
    const share = Math.floor(AT_ONCE / 3);
    const waves = Promise.all(ports.map((p, k) => wave(share + (k === 0 ? AT_ONCE % 3 : 0), p, from++)));
    slowest = Math.max(slowest, await others(++letters)); // while they come
    const sockets = (await waves).flat();
    slowest = Math.max(slowest, await others(++letters)); // while they stay
    const open = sockets.filter((s) => s && !s.destroyed).length;
    const grown = await memory();
    console.log(`# ${done + AT_ONCE}: ${open} still open, mx grew by ${grown.mx >> 10} KiB, imap by ${grown.imap >> 10} KiB, slowest other ${slowest} ms`);
    if (!sanitized) {
      assert.ok(grown.mx <= share * PER_CONNECTION + SLACK, `mx grew by ${grown.mx}`);
      assert.ok(grown.imap <= 2 * share * PER_CONNECTION + SLACK, `imap grew by ${grown.imap}`);
    }
    sockets.forEach((s) => s?.destroy());
    await until('the service to be quiet', 10000, async () => (await others(++letters)) < OTHERS_MS);
  }
  await memory.stop();
  assert.ok(slowest < OTHERS_MS * (sanitized ? 4 : 1), `others waited ${slowest} ms`);
  assert.equal(await alive(), was, 'no role died');
});

test('clear text behind STARTTLS ends the connection (RFC 3207 6, RFC 9051 6.2.1, CVE-2011-0411)', async () => {
  const c = new Imap(await dial(service.ports.imap));
  await c.io.line();
  await c.io.write('a STARTTLS\r\nb NOOP\r\n');
  assert.match((await c.io.line()) ?? 'a OK', /^a OK/);
  assert.equal(await c.io.line(), null);

  const m = new Smtp(await dial(service.ports.mx));
  await m.reply();
  await m.cmd('EHLO a.example');
  await m.io.write('STARTTLS\r\nNOOP\r\n');
  assert.doesNotMatch((await m.io.line()) ?? '', /^220/); // an answer in clear to what came in clear, if any
  assert.equal(await m.io.line(), null);
});

test('STARTTLS in step, and what was said before it is forgotten (RFC 9051 6.2.1)', async () => {
  const raw = await connect(service.ports.imap, '127.0.0.1');
  const clear = new Lines(raw);
  assert.match(await clear.line(), /^\* OK \[CAPABILITY [^\]]*STARTTLS LOGINDISABLED/);
  await clear.write('a STARTTLS\r\n');
  assert.match(await clear.line(), /^a OK/);
  raw.removeAllListeners('data');
  const secure = await new Promise((resolve, reject) => {
    const s = tls.connect({ socket: raw, rejectUnauthorized: false }, () => resolve(s)).once('error', reject);
  });
  const c = new Imap(new Lines(secure));
  const lines = await c.cmd('CAPABILITY');
  assert.match(lines[0], /AUTH=PLAIN/);
  assert.doesNotMatch(lines[0], /STARTTLS|LOGINDISABLED/);
  await c.cmd(`LOGIN ${reader.address} ${reader.password}`);
  assert.match((await c.cmd('STARTTLS', { ok: false })).at(-1), / BAD /);
  await c.logout();
});

// ---- 50 MiB -------------------------------------------------------------------------------------

const bigs = new Map();
function big(bytes) { // nothing to compress in it
  if (!bigs.has(bytes)) {
    const text = randomBytes(Math.floor(bytes * 0.73)).toString('base64').replace(/.{76}/g, '$&\r\n');
    bigs.set(bytes, Buffer.from(`From: a@example.net\r\nSubject: big ${bytes}\r\nMessage-ID: <big-${bytes}@example.net>\r\n\r\n${text}\r\n`));
  }
  return bigs.get(bytes);
}

async function deliverBig(alias, bytes) {
  const c = await service.smtp();
  assert.equal((await c.cmd('MAIL FROM:<a@example.net>')).code, 250);
  assert.equal((await c.cmd(`RCPT TO:<${alias.address}>`)).code, 250);
  assert.equal((await c.cmd('DATA')).code, 354);
  for (let at = 0; at < bytes.length; at += 1 << 16) {
    const part = bytes.subarray(at, at + (1 << 16));
    if (!c.io.socket.write(part)) await new Promise((r) => { c.io.socket.once('drain', r); });
  }
  await c.io.write('.\r\n');
  const r = await c.reply(120000);
  assert.equal(r.code, 250, r.text);
  c.end();
}

// A message of 1 MiB goes before, so that what
// a first time needs once and for all (page caches, compressors, TLS) is there.
test('a message of 50 MiB costs little memory on its way in', { timeout: 300000 }, async () => {
  const message = big(BIG);
  await service.restart();
  const attached = await service.imap(reader); // into the open mailbox: all of it is the store's work now
  await deliverBig(reader, big(1 << 20));
  const memory = await watch('mx', 'store', 'imap', 'content');
  await deliverBig(reader, message);
  const grown = await memory.stop();
  await attached.logout();
  console.log(`# in: ${Object.entries(grown).map(([r, n]) => `${r} ${n >> 10} KiB`).join(', ')}`);
  if (sanitized) return;
  assert.ok(grown.mx <= ROLE_BIG + NOISE, `mx grew by ${grown.mx}`);
  assert.ok(grown.store <= STORE_BIG + NOISE, `store grew by ${grown.store}`);
  assert.ok(grown.content <= 2 * (ROLE_BIG + NOISE), `content grew by ${grown.content}`); // of two workers
});

// What other work and the allocator do in the same moment only adds: the least of three counts.
test('a message of 50 MiB for a closed mailbox, sealed', { timeout: 300000 }, async () => {
  const round = async () => {
    const closed = await service.alias();
    await service.restart();
    const drainedTo = async (n) => {
      const c = await service.imap(closed);
      await until('the drain', 60000, async () => (await c.cmd('SELECT INBOX')).includes(`* ${n} EXISTS`));
      return c;
    };
    await deliverBig(closed, big(1 << 20));
    await (await drainedTo(1)).logout(); // the small one is in: what is measured is the big one alone
    const memory = await watch('mx', 'store');
    await deliverBig(closed, big(BIG));
    const sealed = await memory();
    const c = await drainedTo(2);
    const drained = await memory.stop();
    console.log(`# sealed: mx ${sealed.mx >> 10} KiB, store ${sealed.store >> 10} KiB, drained: store ${drained.store >> 10} KiB`);
    await c.logout();
    return { mx: sealed.mx, store: sealed.store, drain: drained.store };
  };
  const most = { mx: ROLE_BIG + NOISE, store: STORE_BIG + NOISE, drain: 2 * STORE_BIG + NOISE }; // and opened the mailbox
  const least = await round();
  if (sanitized) return;
  for (let i = 0; i < 2 && Object.keys(most).some((k) => least[k] > most[k]); i++) {
    const more = await round();
    for (const k of Object.keys(least)) least[k] = Math.min(least[k], more[k]);
  }
  for (const [k, n] of Object.entries(most)) assert.ok(least[k] <= n, `${k} grew by ${least[k]}`);
});

test('APPEND of 50 MiB costs little memory', { timeout: 300000 }, async () => {
  await service.restart();
  const c = await service.imap(reader);
  await c.cmd(['APPEND Archive ', big(1 << 20)], { ms: 60000 });
  const memory = await watch('imap', 'store');
  await c.cmd(['APPEND Archive ', big(BIG)], { ms: 120000 });
  const grown = await memory.stop();
  console.log(`# append: ${Object.entries(grown).map(([r, n]) => `${r} ${n >> 10} KiB`).join(', ')}`);
  await c.logout();
  if (sanitized) return;
  assert.ok(grown.imap <= ROLE_BIG + NOISE, `imap grew by ${grown.imap}`);
  assert.ok(grown.store <= STORE_BIG + NOISE, `store grew by ${grown.store}`);
});

// A plain text of one part, stored in many rows: whole, and a piece from deep inside, over IMAP and POP3. The small one
// goes before, by each way.
test('a message of 50 MiB costs little memory on its way out', { timeout: 300000 }, async () => {
  const message = big(BIG);
  const digest = (b) => createHash('sha256').update(b).digest('hex');
  await service.restart();
  const c = await service.imap(reader);
  const p = await dial(service.ports.pop3s, { secure: true });
  const pop3 = async (line) => {
    if (line) await p.write(`${line}\r\n`);
    const answer = await p.line();
    assert.match(answer, /^\+OK/);
    return answer;
  };
  const retr = async (n) => {
    const size = Number((await pop3(`LIST ${n}`)).split(' ')[2]);
    await pop3(`RETR ${n}`);
    const bytes = Buffer.from(await p.bytes(size, 120000));
    assert.equal(await p.line(), '.');
    return bytes;
  };
  const out = async (number, from) => {
    await c.cmd(`FETCH ${number} BODY.PEEK[]`, { ms: 120000 });
    const whole = c.literals[0];
    await c.cmd(`FETCH ${number} BODY.PEEK[]<${from}.300000>`);
    assert.ok(c.literals[0].equals(whole.subarray(from, from + 300000)), 'a piece from deep inside');
    const popped = await retr(number);
    assert.equal(digest(popped), digest(whole));
    return whole;
  };
  await pop3();
  await pop3(`USER ${reader.address}`);
  await pop3(`PASS ${reader.password}`);
  await c.cmd('SELECT INBOX');
  const find = async (size) => Number((await c.cmd(`SEARCH ${size}`))[0].split(' ').at(-1));
  const number = await find('LARGER 40000000');
  await out(await find('SMALLER 2000000 LARGER 500000'), 500001);
  const memory = await watch('imap', 'pop3', 'store');
  const whole = await out(number, BIG - 1234567);
  const grown = await memory.stop();
  assert.equal(digest(whole.subarray(whole.length - message.length)), digest(message));
  console.log(`# out: ${Object.entries(grown).map(([r, n]) => `${r} ${n >> 10} KiB`).join(', ')}`);
  await c.logout();
  p.end();
  if (sanitized) return;
  assert.ok(grown.imap <= ROLE_BIG + NOISE, `imap grew by ${grown.imap}`);
  assert.ok(grown.pop3 <= ROLE_BIG + NOISE, `pop3 grew by ${grown.pop3}`);
  assert.ok(grown.store <= STORE_BIG + NOISE, `store grew by ${grown.store}`);
});

test('clients that do not read cost a window each, and get every byte when they do', { timeout: 300000 }, async () => {
  const SLOW = 4;
  const message = big(BIG);
  await service.restart();
  const clients = [];
  for (let i = 0; i < SLOW; i++) {
    const c = await service.imap(reader);
    await c.cmd('SELECT INBOX');
    await c.cmd('SEARCH LARGER 40000000');
    clients.push(c);
  }
  const number = (await clients[0].cmd('SEARCH LARGER 40000000'))[0].split(' ').at(-1);
  await clients[0].cmd(`FETCH ${number} BODY.PEEK[]<0.1000000>`);
  const memory = await watch('imap', 'store');
  for (const c of clients) {
    c.io.socket.pause();
    c.io.socket.write(`big FETCH ${number} BODY.PEEK[]\r\n`);
  }
  await sleep(2000); // not for anything to happen: for everything to have come to a stop
  const c = await service.imap(reader);
  await c.cmd('SELECT INBOX');
  const began = Date.now();
  await c.cmd(`FETCH ${number} (BODYSTRUCTURE FLAGS)`);
  assert.ok(Date.now() - began < 2000, 'others are not held up');
  await c.logout();
  const grown = await memory.stop();
  console.log(`# ${SLOW} slow readers: imap ${grown.imap >> 10} KiB, store ${grown.store >> 10} KiB`);
  if (!sanitized) {
    assert.ok(grown.imap <= (SLOW + 1) * ROLE_BIG + NOISE, `imap grew by ${grown.imap}`);
    assert.ok(grown.store <= SLOW * STORE_BIG, `store grew by ${grown.store}`);
  }
  clients[0].io.socket.resume();
  const line = await clients[0].io.line(60000);
  const size = Number(/\{(\d+)\}$/.exec(line)[1]);
  const bytes = await clients[0].io.bytes(size, 120000);
  const digest = (b) => createHash('sha256').update(b).digest('hex');
  assert.equal(digest(bytes.subarray(size - message.length)), digest(message));
  assert.equal(await clients[0].io.line(), ')');
  assert.match(await clients[0].io.line(), /^big OK/);
  clients.forEach((x) => x.io.end());
});
