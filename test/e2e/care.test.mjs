// What keeps mailboxes well: `mailbox check`, `mailbox rotate` with sessions at work, a WAL that was
// cut or damaged behind the store's back, a full disk.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { open, readFile, writeFile, stat, mkdtemp, rm, copyFile } from 'node:fs/promises';
import { readdirSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Service, build, sample, until, sleep } from '../lib/service.mjs';
import { runs } from '../lib/runs.mjs';

let service;
before(async () => { service = await Service.start({ env: { LETTERLOCK_MX_COMMIT_TIMEOUT: '20000' } }); });
after(() => service.stop());

const EX_DATAERR = 65, EX_NOPERM = 77;
const files = (s, end) => readdirSync(path.join(s.dir, 'data'), { recursive: true }).filter((f) => f.endsWith(end)).map((f) => path.join(s.dir, 'data', f));
async function known(s = service) { // an alias, and its files' common beginning
  const there = new Set(files(s, '.keys'));
  const a = await s.alias();
  return { ...a, base: files(s, '.keys').find((f) => !there.has(f)).slice(0, -5) };
}
const check = (a, s = service) => s.ctl(['mailbox', 'check', a.address, '--json'], { input: `${a.password}\n`, ok: false });
async function checked(a, s = service) {
  const r = await check(a, s);
  return { code: r.code, ...JSON.parse(r.stdout) };
}
async function exists(a, s = service) {
  const c = await s.imap(a);
  const lines = await c.cmd('SELECT INBOX');
  await c.logout();
  return Number(/\* (\d+) EXISTS/.exec(lines.find((l) => / EXISTS/.test(l)))[1]);
}
const counters = async (s = service) => (await s.status()).store;

test('a mailbox is checked: closed, open, under a wrong password, damaged', async () => {
  const a = await known();
  for (let i = 1; i <= 20; i++) await service.deliver(a.address, sample(i, 20000));
  await until('the drain', 10000, async () => (await exists(a)) === 20);
  const before = await counters();
  const closed = await checked(a);
  assert.deepEqual([closed.code, closed.whole, closed.messages, closed.findings], [0, true, 20, []]);
  assert.ok(closed.bytes > 20 * 20000);
  const c = await service.imap(a);
  await c.cmd('SELECT INBOX');
  assert.equal((await checked(a)).whole, true);
  await c.cmd('NOOP');
  await c.logout();
  assert.equal((await check({ ...a, password: 'not-the-password-of-this-one' })).code, EX_NOPERM);
  assert.equal((await counters()).checks, before.checks + 2);
  await until('it to be closed', 5000, () => !existsSync(`${a.base}.sqlite-wal`));
  const { size } = await stat(`${a.base}.sqlite`);
  const h = await open(`${a.base}.sqlite`, 'r+');
  for (let at = 4096 * 40 + 100; at < size; at += 4096 * 25) await h.write(Buffer.from([0x5a, 0xa5]), 0, 2, at);
  await h.close();
  const bad = await check(a);
  assert.equal(bad.code, EX_DATAERR, bad.stderr);
  if (bad.stdout) assert.ok(JSON.parse(bad.stdout).found > 0);
});

// A session that knows QRESYNC hears VANISHED, another one EXPUNGE; what came lately stays.
test('old mail in Trash goes while people look at it, and they are told', async () => {
  const told = async (idler, what) => { for (;;) { const l = (await idler.io.line(10000)) ?? assert.fail('it was cut off'); if (what.test(l)) return l; } };
  for (let attempt = 1; ; attempt++) {
    const a = await known(), c = await service.imap(a);
    for (let n = 0; n < 4; n++) await c.cmd(['APPEND Trash ', sample(n, 500)]);
    await c.logout();
    await until('it to be closed', 5000, () => !existsSync(`${a.base}.sqlite-wal`));
    execFileSync(path.join(build, 'test/tools/mailbox_deed'), [path.join(service.dir, 'data'), path.basename(a.base), a.password, 'aged']);
    const plain = await service.imap(a), resync = await service.imap(a);
    await resync.cmd('ENABLE QRESYNC');
    const seen = await Promise.all([plain, resync].map(async (s) => Number(/\* (\d+) EXISTS/.exec((await s.cmd('SELECT Trash')).join('\n'))[1])));
    if (seen.some((n) => n < 4) && attempt < 5) continue; // the round of every half minute came between: another mailbox
    for (const s of [plain, resync]) { await s.io.write('i IDLE\r\n'); assert.match(await s.io.line(), /^\+/); }
    await service.ctl(['jobs', 'run', 'retention']);
    assert.match(await told(resync, /VANISHED/), /^\* VANISHED 1:2$/);
    assert.match(await told(plain, /EXPUNGE/), /^\* [12] EXPUNGE$/);
    assert.match(await told(plain, /EXPUNGE/), /^\* 1 EXPUNGE$/);
    for (const s of [plain, resync]) { await s.io.write('DONE\r\n'); await told(s, /^i OK/); }
    assert.match((await plain.cmd('UID SEARCH ALL')).join('\n'), /\* SEARCH 3 4$/m);
    for (const s of [plain, resync]) await s.logout();
    return;
  }
});

test('rotate: sessions pause and go on, and outlive the store with their new tickets', async () => {
  const a = await known();
  for (let i = 1; i <= 30; i++) await service.deliver(a.address, sample(i, 30000));
  const idle = await service.imap(a), busy = await service.imap(a);
  await until('the drain', 10000, async () => (await exists(a)) === 30);
  await idle.cmd('SELECT INBOX');
  await busy.cmd('SELECT INBOX');
  await idle.io.write('i1 IDLE\r\n');
  await until('IDLE', 5000, async () => (await idle.response(5000)).startsWith('+'));
  const first = await readFile(`${a.base}.sqlite`);
  let rotated = false;
  const rotation = service.ctl(['mailbox', 'rotate', a.address], { input: `${a.password}\n` }).then(() => { rotated = true; });
  for (let n = 0; !rotated; n++) { // reading and writing all the while
    await busy.cmd(`FETCH ${1 + (n % 30)} BODY.PEEK[]`, { ms: 20000 });
    assert.ok(busy.literals[0].length > 30000);
    await busy.cmd(`STORE ${1 + (n % 30)} FLAGS (\\Seen)`, { ms: 20000 });
    await service.deliver(a.address, sample(100 + n, 1000));
  }
  await rotation;
  const now = await readFile(`${a.base}.sqlite`);
  assert.notDeepEqual(first.subarray(0, 4096), now.subarray(0, 4096), 'written anew');
  await until('news of the letters', 5000, async () => / EXISTS/.test(await idle.response(5000)));
  await service.kill('store');
  await until('another store', 10000, async () => (await service.status()).roles.every((r) => r.state === 'ready'));
  await busy.cmd('FETCH 1 FLAGS', { ms: 20000 });
  await busy.cmd('NOOP', { ms: 20000 });
  assert.equal((await counters()).rotations, 0, 'it is another store');
  await busy.logout();
  idle.io.end();
  const c = await checked(a);
  assert.deepEqual([c.whole, c.findings], [true, []]);
  assert.ok(!files(service, '-next.sqlite').length);
});

test('killed at any instant of a rotation: the password opens all, and it checks clean', async () => {
  const a = await known();
  for (let i = 1; i <= 10; i++) await service.deliver(a.address, sample(i, 30000));
  const c = await service.imap(a);
  await until('the drain', 10000, async () => (await exists(a)) === 10);
  await c.logout();
  const rounds = Number(process.env.SOAK_ROTATIONS ?? 8);
  for (let round = 0; round < rounds; round++) {
    const rotation = service.ctl(['mailbox', 'rotate', a.address], { input: `${a.password}\n`, ok: false });
    await sleep(4 * round % 60);
    await service.kill('store');
    await rotation;
    await until('the mailbox to open', 30000, () => exists(a).then((n) => n === 10, () => false));
    const r = await until('a check', 30000, async () => { const x = await check(a); return x.stdout ? JSON.parse(x.stdout) : null; });
    assert.deepEqual([r.whole, r.messages], [true, 10]);
  }
  await service.ctl(['mailbox', 'rotate', a.address], { input: `${a.password}\n` });
  assert.equal(await exists(a), 10);
  runs('killed at any instant', 'rotate', rounds);
});

// The mailbox of a store that was killed keeps its -wal. What somebody does to it before the next store
// comes is noticed when it takes away what was noted, and what is left is served.
async function withWal(harm) {
  const s = await Service.start({ env: { LETTERLOCK_STORE_NOTE_INTERVAL: '1000' } });
  try {
    const a = await known(s);
    const c = await s.imap(a);
    await c.cmd('SELECT INBOX');
    for (let i = 1; i <= 12; i++) await s.deliver(a.address, sample(i, 9000));
    await sleep(4500); // three rounds: gathered, written, and once more
    s.child.kill('SIGKILL');
    await s.exited;
    c.io.end();
    await until('its roles to end', 10000, () => s.answers(s.ports.mx).then((yes) => !yes));
    await harm(`${a.base}.sqlite-wal`);
    s.exit = undefined;
    s.log = '';
    await s.serve();
    const n = await exists(a, s);
    const { alarms } = await counters(s);
    const taken = await s.deliver(a.address, sample(50)).then(() => true);
    const r = await checked(a, s);
    return { n, alarms, taken, whole: r.whole, log: s.log };
  } finally { await s.stop(); }
}

test('a WAL that is left as it was: no alarm', async () => {
  const r = await withWal(async () => {});
  assert.deepEqual([r.n, r.alarms, r.whole, r.taken], [12, 0, true, true]);
});

test('a WAL that was cut is an alarm, and mail goes on', async () => {
  const r = await withWal(async (wal) => {
    const { size } = await stat(wal);
    const h = await open(wal, 'r+');
    await h.truncate(Math.floor(size / 2));
    await h.close();
  });
  assert.ok(r.n < 12 && r.alarms === 1 && r.whole && r.taken, JSON.stringify(r));
  assert.match(r.log, /store\.mailbox_older_than_noted/);
});

test('a bit flipped in a WAL takes away what came after it: an alarm, and mail goes on', async () => {
  const r = await withWal(async (wal) => {
    const { size } = await stat(wal);
    const h = await open(wal, 'r+');
    const b = Buffer.alloc(1), at = Math.floor(size * 0.6);
    await h.read(b, 0, 1, at);
    b[0] ^= 4;
    await h.write(b, 0, 1, at);
    await h.close();
  });
  assert.ok(r.n < 12 && r.alarms === 1 && r.whole && r.taken, JSON.stringify(r));
  assert.match(r.log, /store\.mailbox_older_than_noted/);
});

// A data folder on a small file system of its own: filled to the brim, and emptied again.
test('a full disk: try later at SMTP and IMAP, reading goes on, and no restart is needed', async (t) => {
  const dir = await mkdtemp(path.join(tmpdir(), 'letterlock-full-'));
  try { execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m,mode=0700', 'letterlock-test', dir], { stdio: 'pipe' }); }
  catch { await rm(dir, { recursive: true }); t.skip('no tmpfs can be mounted here (not root)'); return; }
  let s;
  try {
    const was = process.env.TMPDIR;
    process.env.TMPDIR = dir; // the service's folder lies there
    try { s = await Service.start(); } finally {
      if (was === undefined) delete process.env.TMPDIR; else process.env.TMPDIR = was;
    }
    const a = await known(s);
    for (let i = 1; i <= 3; i++) await s.deliver(a.address, sample(i, 50000));
    const c = await s.imap(a);
    await until('the drain', 10000, async () => (await exists(a, s)) === 3);
    await c.cmd('SELECT INBOX');
    const brim = path.join(dir, 'brim');
    try { execFileSync('dd', ['if=/dev/zero', `of=${brim}`, 'bs=64k'], { stdio: 'pipe' }); } catch { /* that is the point */ }
    const closed = await known(s).catch(() => null);
    assert.equal(closed, null, 'no mailbox is made where there is no room');
    await assert.rejects(s.deliver(a.address, sample(4, 200000)), /^Error: 4/);
    const r = (await c.cmd(['APPEND INBOX ', sample(5, 200000)], { ok: false, ms: 20000 })).at(-1);
    assert.match(r, / NO /);
    await c.cmd('FETCH 1:3 BODY.PEEK[]', { ms: 20000 });
    assert.equal(c.literals.length, 3);
    await rm(brim);
    await until('it to take mail again', 20000, () => s.deliver(a.address, sample(6, 200000)).then(() => true, () => false));
    await c.cmd(['APPEND INBOX ', sample(7, 200000)], { ms: 20000 });
    await c.logout();
    assert.equal(await exists(a, s), 5);
    assert.equal((await checked(a, s)).whole, true);
  } finally {
    await s?.stop();
    execFileSync('umount', ['-l', dir]);
    await rm(dir, { recursive: true, force: true });
  }
});
