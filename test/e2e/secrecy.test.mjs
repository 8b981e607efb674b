// No file under the data folder and, after the last detach, no role's memory holds a 16-byte run of a
// message's text, an address or a password.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rm, open } from 'node:fs/promises';
import path from 'node:path';
import { Service, build, dial, sanitized, until } from '../lib/service.mjs';

const RUN = 16;
const words = 'harbour lantern orchard copper meadow violet thunder marble cinnamon glacier saffron willow ember quartz'.split(' ');
const text = (i) => Array.from({ length: 60 }, (_, k) => words[(i * 31 + k * 17 + ((i * k) % 7)) % words.length] + ((i * 7919 + k * 104729) % 9973)).join(' ').replace(/(.{60,70}) /g, '$1\r\n');
const letters = Array.from({ length: 24 }, (_, i) => Buffer.from(
  `From: correspondent${i}.unusual@example.net\r\nTo: confidential.reader@example.test\r\nSubject: Matter ${text(i).slice(0, 50).replace(/\r\n/g, ' ')}\r\n`
  + `Message-ID: <private-${i}-matter@example.net>\r\n\r\n${text(i + 100).repeat(i % 5 === 0 ? 200 : 1)}\r\n`));

// Every 16-byte run of the needles, behind a bitmap of 4-byte beginnings so that gigabytes are quick.
class Runs {
  constructor() { this.bits = new Uint8Array(1 << 21); this.set = new Map(); }
  hash(b, i) { return (Math.imul(b[i] | (b[i + 1] << 8) | (b[i + 2] << 16) | (b[i + 3] << 24), 0x9e3779b1) >>> 8) & 0xffffff; }
  add(name, bytes) {
    for (let i = 0; i + RUN <= bytes.length; i++) {
      const h = this.hash(bytes, i);
      this.bits[h >> 3] |= 1 << (h & 7);
      this.set.set(bytes.toString('latin1', i, i + RUN), name);
    }
  }
  find(bytes) {
    for (let i = 0; i + RUN <= bytes.length; i++) {
      const h = this.hash(bytes, i);
      if (!(this.bits[h >> 3] & (1 << (h & 7)))) continue;
      const name = this.set.get(bytes.toString('latin1', i, i + RUN));
      if (name) return { name, at: i, run: bytes.toString('latin1', i, i + RUN) };
    }
    return null;
  }
}

let service;
const runs = new Runs();
const aliases = [];

before(async () => {
  service = await Service.start({ pop3: true });
  for (const name of ['confidential.reader', 'another.secret.person']) aliases.push(await service.alias(name));
  letters.forEach((l, i) => {
    for (const line of l.toString('latin1').split('\r\n')) runs.add(`letter ${i}`, Buffer.from(line, 'latin1'));
  });
  for (const a of aliases) { runs.add('an address', Buffer.from(a.address)); runs.add('a password', Buffer.from(a.password)); }
  runs.add('an own password', Buffer.from('correct zebra stapling wagon 71'));
  // closed, then open, appended, searched, copied, killed, drained, closed again
  for (const l of letters) await service.deliver(aliases[0].address, l, 'correspondent.unusual@example.net');
  const imap = await service.imap(aliases[0]);
  await imap.cmd('SELECT INBOX');
  for (const l of letters.slice(0, 8)) { await imap.cmd(['APPEND INBOX ', l]); await service.deliver(aliases[0].address, l); }
  await imap.cmd(['SEARCH TEXT ', Buffer.from(text(100).slice(10, 40).replace(/\r\n/g, ' '))]);
  await imap.cmd('CREATE "A folder with a telling name"');
  await imap.cmd('COPY 1:5 Archive');
  await imap.cmd('FETCH 1:* (ENVELOPE BODYSTRUCTURE BODY.PEEK[])', { ms: 30000 });
  await service.kill('store');
  await until('the session to live again', 10000, () => imap.cmd('NOOP', { ms: 8000 }).then(() => true, () => false));
  await imap.logout();
  await fetched(aliases[0], 5);
  for (const l of letters) await service.deliver(aliases[1].address, l, 'correspondent.unusual@example.net');
  runs.add('a folder name', Buffer.from('A folder with a telling name'));
});
after(() => service?.stop());

// Over POP3: the first `n` messages whole, one of them deleted.
async function fetched(alias, n) {
  const io = await dial(service.ports.pop3s, { secure: true });
  const cmd = async (line) => { await io.write(`${line}\r\n`); assert.match(await io.line(30000), /^\+OK/, line.slice(0, 4)); };
  await io.line();
  await cmd(`USER ${alias.address}`);
  await cmd(`PASS ${alias.password}`);
  for (let i = 1; i <= n; i++) {
    await cmd(`RETR ${i}`);
    while (await io.line() !== '.');
  }
  await cmd('DELE 1');
  await cmd('QUIT');
  io.end();
}

async function* files(dir) {
  for (const e of await readdir(dir, { withFileTypes: true })) {
    const p = path.join(dir, e.name);
    if (e.isDirectory()) yield* files(p);
    else if (e.isFile()) yield p;
  }
}

test('no file holds a run of text, an address or a password', async () => {
  let n = 0;
  let bytes = 0;
  for await (const f of files(service.dir)) {
    const content = await readFile(f);
    const hit = runs.find(content);
    assert.equal(hit && `${path.relative(service.dir, f)} at ${hit.at}: ${hit.name}: ${hit.run}`, null);
    n++;
    bytes += content.length;
  }
  assert.ok(n >= 6, `${n} files`);
  console.log(`# ${n} files, ${bytes} bytes`);
});

test('no log line does', () => {
  const hit = runs.find(Buffer.from(service.log));
  assert.equal(hit && `${hit.name}: ${hit.run}`, null);
});

test('directory and server key together open no mailbox and no waiting message', async () => {
  const copy = path.join(service.dir, '..', `${path.basename(service.dir)}-stolen`);
  const loot = path.join(copy, 'loot');
  await cp(path.join(service.dir, 'data'), path.join(copy, 'data'), { recursive: true });
  await mkdir(loot);
  const r = await new Promise((resolve) => {
    execFile(path.join(build, 'test/tools/disk_thief'), [path.join(service.dir, 'server.key'), path.join(copy, 'data'), loot],
      (e, stdout, stderr) => resolve({ code: e?.code ?? 0, stdout, stderr }));
  });
  console.log(`# ${r.stdout.trim().split('\n').at(-1)}`);
  assert.equal(r.code, 0, r.stdout + r.stderr);
  assert.match(r.stdout, /directory: OK/);
  for (const own of ['temporary', 'queue', 'journal']) assert.match(r.stdout, new RegExp(`${own}: OK`));
  for (const f of await readdir(loot)) {
    const hit = runs.find(await readFile(path.join(loot, f)));
    assert.ok(hit === null || hit.name === 'an address', `${f} at ${hit?.at}: ${hit?.name}: ${hit?.run}`);
  }
  await rm(copy, { recursive: true });
});

test('no memory does after the last detach', async (t) => {
  if (process.getuid() !== 0) { t.skip('reading memory of others needs root'); return; }
  if (sanitized) { t.skip('ASan keeps freed memory as it was, on purpose'); return; }
  await until('the mailbox to be closed', 10000, async () => (await service.status()).store?.open_mailboxes === 0);
  for (const role of ['store', 'content', 'directory', 'imap', 'pop3', 'mx']) {
    const pids = await service.pids(role);
    assert.ok(pids.length > 0, role);
    for (const pid of pids) {
      const hit = await memory(pid, (role === 'directory') ? (h) => h.name === 'an address' : () => false);
      assert.equal(hit && `${role}[${pid}] ${hit.map}: ${hit.name}: ${hit.run}`, null);
    }
  }
});

// The directory knows addresses: that is what it is for. It must know nothing else.
async function memory(pid, allowed) {
  const mem = await open(`/proc/${pid}/mem`, 'r');
  try {
    for (const line of (await readFile(`/proc/${pid}/maps`, 'latin1')).split('\n')) {
      const m = /^([0-9a-f]+)-([0-9a-f]+) rw.. \S+ \S+ \S+\s*(.*)$/.exec(line);
      if (!m || m[3].startsWith('[v')) continue;
      const from = parseInt(m[1], 16);
      const size = parseInt(m[2], 16) - from;
      const step = 1 << 22;
      for (let at = 0; at < size; at += step) {
        const b = Buffer.alloc(Math.min(step + RUN, size - at));
        let got;
        try { got = (await mem.read(b, 0, b.length, from + at)).bytesRead; } catch { continue; } // guard pages
        const hit = runs.find(b.subarray(0, got));
        if (hit && !allowed(hit)) return { ...hit, map: m[3] || m[1] };
      }
    }
    return null;
  } finally { await mem.close(); }
}
