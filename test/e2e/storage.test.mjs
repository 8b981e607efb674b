// Backups in S3: with a server of npm's (s3rver), and with one of ours that verifies signatures, keeps versions, fails,
// lies and is slow.
import { describe, test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { Service, sample, sleep, until, freePort } from '../lib/service.mjs';
import { S3Fake, storageEnv } from '../lib/s3fake.mjs';
import { DnsServer } from '../lib/dns.mjs';
import { execFileSync } from 'node:child_process';

let fake, folder, service;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'letterlock-storage-'));
  fake = await S3Fake.start({ token: 'to/ken==', pageSize: 3, region: 'auto' });
  service = await serve(fake, 'one');
});
after(async () => { await service.stop(); await fake.stop(); await rm(folder, { recursive: true, force: true }); });

async function serve(storage, name, more = {}) {
  const file = path.join(folder, name);
  await writeFile(file, storage.credentials(), { mode: 0o600 });
  return Service.start({ env: { ...storageEnv(storage, file), LETTERLOCK_STORE_BACKUP_INTERVAL: '0', ...more } });
}
const json = async (s, args, options) => JSON.parse((await s.ctl([...args, '--json'], options)).stdout);
const backup = (s, a, ok = true) => s.ctl(['mailbox', 'backup', a.address, '--json'], { input: `${a.password}\n`, ok });
const idOf = async (s, a) => (await json(s, ['alias', 'show', a.address])).mailbox;
const keysOf = async (s, id) => readFile(path.join(s.dir, 'data', 'mailboxes', id.slice(0, 2), `${id}.keys`));
// While its owner is logged in, so that it is in the mailbox and not sealed beside it.
async function give(s, a, ...letters) {
  const c = await s.imap(a);
  await c.cmd('SELECT INBOX');
  for (const l of letters) await s.deliver(a.address, l);
  await c.logout();
}
async function box(s, n = 2, bytes = 0) {
  const a = await s.alias();
  await give(s, a, ...Array.from({ length: n }, (_, i) => sample(i + 1, 5000)));
  if (bytes) await give(s, a, Buffer.concat([sample(99), Buffer.from(randomBytes(bytes).toString('base64').replace(/.{76}/g, '$&\r\n')), Buffer.from('\r\n')]));
  return a;
}
async function uids(s, a) {
  const c = await s.imap(a);
  await c.cmd('SELECT INBOX');
  const lines = await c.cmd('FETCH 1:* (RFC822.SIZE)');
  await c.logout();
  return new Set(lines.map((l) => /^\* (\d+) FETCH/.exec(l)?.[1]).filter(Boolean)).size;
}

// ---- shipping ----
const shipped = async (s) => (await s.status()).store.ship;
const quiet = (s) => until('all to be there', 20000, async () => { const f = await shipped(s); return f.packs > 0 && f.waiting_packs === 0; });
const at = (s, a, ms) => s.ctl(['mailbox', 'restore', a.address, '--at', new Date(ms).toISOString()], { ok: false });
const settle = (s, a, how) => s.ctl(['mailbox', 'restore', a.address, how, '--yes']);
async function moment(s, a, ...letters) {
  await give(s, a, ...letters);
  const n = await uids(s, a);
  await sleep(5);
  return { ms: Date.now(), n, done: await sleep(1100) };
}

// Each has a service and a storage of its own, and waits for seconds that are the clock's: they do so side by side.
describe('storage', { concurrency: 4 }, () => {
describe('of one service', { concurrency: 1 }, () => {
test('there and back: in parts, downloaded, restored; nothing stays behind here', async () => {
  const a = await box(service, 3, 6 << 20), id = await idOf(service, a);
  const b = JSON.parse((await backup(service, a)).stdout);
  assert.ok(b.bytes > 5 << 20);
  assert.deepEqual(fake.names().filter((n) => n.includes(id)), [`mail/${id}/${b.id}.info`, `mail/${id}/${b.id}.sqlite`, `mail/${id}/keys`].sort());
  const parts = fake.requests.filter((r) => r.method === 'PUT' && r.query.has('partNumber'));
  assert.ok(parts.length >= 2 && parts.slice(0, -1).every((p) => p.bytes === 5 << 20), 'parts of one size');
  assert.equal(fake.uploads.size, 0);
  // What follows its mail (the index) is changes, too; then nothing has changed, and the counter says so before any copy.
  const same = await until('nothing to change any more', 15000, async () => { const n = fake.requests.length, r = JSON.parse((await backup(service, a)).stdout); return r.unchanged ? { n, ...r } : Object.assign(b, r) && null; });
  const requests = same.n;
  assert.ok(fake.requests.slice(requests).every((r) => r.method === 'GET' || r.method === 'HEAD'));
  assert.deepEqual(readdirSync(path.join(service.dir, 'data', 'uploads'), { recursive: true }).filter((f) => f.includes('.')), []);
  const file = path.join(folder, 'mine');
  await service.ctl(['mailbox', 'backups', a.address, '--download', file]);
  assert.deepEqual(await readFile(file), fake.body(`mail/${id}/${b.id}.sqlite`));
  assert.deepEqual(await readFile(`${file}.keys`), await keysOf(service, id));
  await give(service, a, sample(7));
  assert.equal(await uids(service, a), 5);
  await service.ctl(['mailbox', 'restore', a.address, '--backup', b.id]);
  assert.equal(await uids(service, a), 4);
});

test('a revoked password: the keys there are exchanged, and no old version of them is left', async () => {
  const a = await box(service), id = await idOf(service, a);
  await backup(service, a);
  await service.ctl(['alias', 'password', a.address, '--current'], { input: `${a.password}\n` });
  await service.ctl(['alias', 'password', a.address, '--revoke', '2'], { input: `${a.password}\n` });
  assert.deepEqual(fake.keys.get(`mail/${id}/keys`).map((v) => v.body), [await keysOf(service, id)]);
});

test('an address that is removed: every object, every version, every upload; the receipt says so', async () => {
  const a = await box(service), id = await idOf(service, a);
  for (let i = 0; i < 3; i++) { await give(service, a, sample(20 + i)); await backup(service, a); }
  fake.put(`mail/${id}/keys`, Buffer.from('older'));
  fake.keys.get(`mail/${id}/keys`).reverse(); // somebody kept one
  fake.keys.set(`mail/${id}/gone.info`, [{ id: 'v901', mark: true }, { id: 'v900', body: Buffer.from('x') }]);
  fake.keys.set(`mail/${id}/odd.info`, [{ id: 'v\u009b31m\n"', body: Buffer.from('x') }]); // what a terminal would obey
  fake.uploads.set('u/left', { key: `mail/${id}/left.sqlite`, parts: new Map() });
  const { purged } = JSON.parse((await service.ctl(['alias', 'remove', a.address, '--yes', '--json'])).stdout);
  assert.deepEqual([...fake.keys.keys()].filter((k) => k.includes(id)), []);
  assert.ok(![...fake.uploads.values()].some((u) => u.key.includes(id)));
  assert.equal(purged[0].name, `${id}/keys`, 'keys first');
  assert.ok(purged.some((p) => p.name === `${id}/odd.info version v??31m?"`), JSON.stringify(purged));
  assert.ok(purged.some((p) => / version v\d+$/.test(p.name)) && purged.some((p) => / mark v\d+$/.test(p.name)) && purged.some((p) => / upload u\/left$/.test(p.name)));
});

test('what fails for a while is tried again; what fails for good leaves nothing, and says why', async () => {
  const a = await box(service, 1, 6 << 20), id = await idOf(service, a);
  let n = 0;
  fake.answer = () => (++n % 3 === 0 ? [{ status: 503, code: 'SlowDown' }, { drop: true }, { status: 500 }][n % 9 / 3 | 0] : {});
  assert.equal(JSON.parse((await backup(service, a)).stdout).unchanged, false);
  fake.answer = (r) => (r.method === 'POST' && r.query.has('uploadId') ? { swallow: true } : {});
  await give(service, a, sample(2));
  await backup(service, a); // it was there, and nobody said so
  const kept = fake.names().filter((k) => k.includes(id));
  for (const answer of [
    (r) => (r.query.has('partNumber') && r.query.get('partNumber') === '2' ? { status: 500 } : {}),
    (r) => (r.method === 'POST' && r.query.has('uploadId') ? { late: true } : {}), // 200, and then an error
    (r) => (r.method === 'PUT' ? { status: 403, code: 'AccessDenied' } : {}),
    () => ({ status: 404, code: 'NoSuchBucket' }),
  ]) {
    await give(service, a, sample(3));
    fake.answer = answer;
    const r = await backup(service, a, false);
    fake.answer = null;
    assert.notEqual(r.code, 0);
    assert.deepEqual(fake.names().filter((k) => k.includes(id)), kept);
    assert.equal(fake.uploads.size, 0, 'called off');
  }
  assert.match(service.log, /storage\.request_failed request=put error=E_DENIED http=403 code=AccessDenied/);
  assert.ok(!service.log.includes(fake.secret) && !service.log.includes(fake.token));
  await backup(service, a);
});

test('storage that lies: what it swallows or cuts is no backup; what it changes is not restored', async () => {
  const a = await box(service), id = await idOf(service, a);
  await backup(service, a);
  const kept = fake.names().filter((k) => k.includes(id));
  for (const [i, lie] of [{ forget: true }, { truncate: true }].entries()) {
    await give(service, a, sample(30 + i));
    fake.answer = (r) => (r.method === 'PUT' && r.key.endsWith('.sqlite') ? lie : {});
    assert.notEqual((await backup(service, a, false)).code, 0);
    fake.answer = null;
    assert.deepEqual((await json(service, ['mailbox', 'backups', a.address])).length, kept.length / 3 | 0);
  }
  const [b] = await json(service, ['mailbox', 'backups', a.address]);
  fake.answer = (r) => (r.method === 'GET' && r.key.endsWith('.sqlite') ? { flip: true } : {});
  const r = await service.ctl(['mailbox', 'restore', a.address, '--backup', b.id], { ok: false });
  fake.answer = null;
  assert.equal(r.code, 65);
  assert.equal(await uids(service, a), 4);
});

// Whoever keeps the backups may put in, exchange and bring back what he likes.
test('somebody writes to the storage: what is not ours counts for nothing, and nothing of another mailbox is taken', async () => {
  const [a, b] = [await box(service, 2), await box(service, 3)], [ida, idb] = [await idOf(service, a), await idOf(service, b)];
  const [ba, bb] = [JSON.parse((await backup(service, a)).stdout), JSON.parse((await backup(service, b)).stdout)];
  const restore = (x, id, options) => service.ctl(['mailbox', 'restore', x.address, '--backup', id], { ok: false, ...options });
  const list = async (x) => (await json(service, ['mailbox', 'backups', x.address])).map((y) => [y.id, y.ours]);
  const info = (n, version, more = '') => Buffer.from(`letterlock backup ${version}\nmailbox ${ida}\nid 00000000-0000-4000-8000-00000000000${n}\ntaken 2999-01-0${n}T00:00:00.000Z\nchanges ${ba.changes + 1}\ngeneration 1\nbytes ${n === 1 ? '18446744073709551615' : 9}\nsha256 ${'0'.repeat(64)}\n${more}mac ${'0'.repeat(64)}\n`);
  const fakes = [[1, info(1, 2)], [2, info(2, 3, `service ${'0'.repeat(64)}\n`)]];
  for (const [n, text] of fakes) {
    fake.put(`mail/${ida}/00000000-0000-4000-8000-00000000000${n}.info`, text);
    fake.put(`mail/${ida}/00000000-0000-4000-8000-00000000000${n}.sqlite`, Buffer.from('not a file'));
  }
  assert.deepEqual((await list(a)).map(([, ours]) => ours), [false, false, true]);
  for (const n of [1, 2]) assert.equal((await restore(a, `00000000-0000-4000-8000-00000000000${n}`)).code, 66, 'nobody can say what it is');
  for (const n of [1, 2]) assert.equal((await restore(a, `00000000-0000-4000-8000-00000000000${n}`, { input: `${a.password}\n` })).code, 65);
  const file = path.join(folder, 'newest');
  assert.match((await service.ctl(['mailbox', 'backups', a.address, '--download', `${file}-x`, '--backup', '00000000-0000-4000-8000-000000000002'], { ok: false })).stderr, /somebody else put it there/);
  assert.equal((await service.ctl(['mailbox', 'backups', a.address, '--download', file])).stderr.includes('somebody else'), false);
  assert.deepEqual(await readFile(file), fake.body(`mail/${ida}/${ba.id}.sqlite`), 'the newest one that is ours');
  await give(service, a, sample(8));
  const next = JSON.parse((await backup(service, a)).stdout);
  assert.deepEqual([next.unchanged, (await list(a)).filter(([, ours]) => ours).map(([i]) => i)], [false, [next.id]], 'one of the future holds nothing up, and thins nothing out');
  assert.match(service.log, /store\.backup_not_ours/);
  for (const [n] of fakes) for (const end of ['info', 'sqlite']) fake.keys.delete(`mail/${ida}/00000000-0000-4000-8000-00000000000${n}.${end}`);
  // Those of two mailboxes, exchanged.
  const names = (id, x) => ['sqlite', 'info'].map((end) => `mail/${id}/${x}.${end}`);
  const swap = (x, y) => { const was = fake.keys.get(x); fake.keys.set(x, fake.keys.get(y)); fake.keys.set(y, was); };
  swap(names(ida, next.id)[0], names(idb, bb.id)[0]);
  assert.equal((await restore(a, next.id)).code, 65);
  swap(names(ida, next.id)[1], names(idb, bb.id)[1]);
  assert.notEqual((await restore(a, next.id)).code, 0);
  for (const i of [0, 1]) swap(names(ida, next.id)[i], names(idb, bb.id)[i]);
  // Keys of another mailbox, and older ones, where the ones here are lost.
  await service.ctl(['alias', 'password', a.address, '--current'], { input: `${a.password}\n` });
  const old = fake.body(`mail/${ida}/keys`), keysb = await keysOf(service, idb);
  await service.ctl(['alias', 'password', a.address, '--revoke', '2'], { input: `${a.password}\n` });
  const now = await keysOf(service, ida), here = path.join(service.dir, 'data', 'mailboxes', ida.slice(0, 2), `${ida}.keys`);
  assert.notDeepEqual(now, old);
  for (const bad of [old, keysb, Buffer.from('nothing')]) {
    fake.keys.set(`mail/${ida}/keys`, [{ id: 'v0', body: bad }]);
    await rm(here);
    assert.notEqual((await restore(a, next.id)).code, 0);
    await writeFile(here, now, { mode: 0o600 });
    assert.deepEqual(await keysOf(service, idb), keysb, 'nobody else is touched');
  }
  await service.ctl(['jobs', 'run', 'backup-keys'], { ok: false });
  assert.deepEqual(fake.body(`mail/${ida}/keys`), now, 'an older one does not stay there');
  assert.equal((await restore(a, next.id)).code, 0);
  assert.equal(await uids(service, a), 3);
});

test('what cannot be read for a moment is not taken for rubbish', async () => {
  const a = await box(service), id = await idOf(service, a);
  const first = JSON.parse((await backup(service, a)).stdout);
  await give(service, a, sample(9));
  fake.answer = (r) => (r.method === 'GET' && r.key.endsWith('.info') ? { status: 500 } : {});
  assert.notEqual((await backup(service, a, false)).code, 0);
  fake.put(`mail/${id}/${first.id}.info`, Buffer.from('letterlock backup 9\nof a newer program\n'));
  fake.answer = null;
  await backup(service, a);
  assert.ok(fake.names().includes(`mail/${id}/${first.id}.sqlite`));
});

test('lists that are no lists: bombs, depth, rounds without end', async () => {
  const a = await box(service);
  await backup(service, a);
  const laughs = `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "${'ha'.repeat(1000)}">${[...'bcdefghij'].map((c, i) => `<!ENTITY ${c} "${`&${'abcdefghi'[i]};`.repeat(10)}">`).join('')}]><ListBucketResult><Contents><Key>&j;</Key></Contents></ListBucketResult>`;
  const before_ = (await service.status()).roles.map((r) => r.pid).join();
  for (const raw of [laughs, '<a>'.repeat(200000), `<ListBucketResult>${'<Contents/>'.repeat(100000)}</ListBucketResult>`, `<ListBucketResult><Contents><Key>${'x'.repeat(1500000)}</Key></Contents></ListBucketResult>`,
    'x'.repeat(5 << 20), '<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>', '<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken></ListBucketResult>']) {
    fake.answer = (r) => (r.method === 'GET' && !r.key ? { raw } : {});
    assert.notEqual((await service.ctl(['mailbox', 'backups', a.address], { ok: false })).code, 0, raw.slice(0, 60));
  }
  fake.answer = null;
  assert.equal((await json(service, ['mailbox', 'backups', a.address])).length, 1);
  assert.equal((await service.status()).roles.map((r) => r.pid).join(), before_, 'nobody died of it');
});

test('storage that is slow, or away: mail and reading go on; a revoked password waits for it no longer than a moment', async () => {
  const a = await box(service);
  await backup(service, a);
  await service.ctl(['alias', 'password', a.address, '--current'], { input: `${a.password}\n` });
  fake.answer = () => ({ drop: true });
  await service.ctl(['alias', 'password', a.address, '--revoke', '2'], { input: `${a.password}\n` });
  assert.match(service.log, /store\.backup_keys_behind/);
  fake.answer = () => ({ wait: 3000 });
  await give(service, a, sample(5));
  const slow = backup(service, a, false);
  const began = Date.now();
  await give(service, a, sample(6));
  assert.equal(await uids(service, a), 4);
  assert.ok(Date.now() - began < 3000);
  fake.answer = null;
  await slow;
});
});

test('shipped: every moment is there; what is missing, exchanged or changed is refused; removed in every version', async () => {
  const far = await S3Fake.start();
  const s = await serve(far, 'ships', { LETTERLOCK_STORE_SHIP: 'yes' });
  try {
    const a = await s.alias(), id = await idOf(s, a), moments = [];
    for (let i = 0; i < 4; i++) moments.push(await moment(s, a, sample(i + 1, 20000)));
    await quiet(s);
    assert.ok(far.names().includes(`mail/${id}/keys`), 'what opens it');
    for (const m of [moments[1], moments[3]]) {
      assert.equal((await at(s, a, m.ms)).code, 0);
      assert.equal(await uids(s, a), m.n);
      await settle(s, a, '--undo');
    }
    await quiet(s);
    await s.stop({ keep: true }); // what is in the target goes from the spool
    s.exit = undefined;
    const [log] = (await readFile(path.join(s.dir, 'data', 'ship', 'logs'), 'utf8')).split('\n');
    far.uploads.set('u/cut', { key: `mail/ship-${log}/ffffffffffffffff.pack`, parts: new Map() }); // half sent when somebody was killed
    await s.serve();
    await until('what was cut off to be called off', 10000, () => far.uploads.size === 0);
    await until('the spool to be empty', 10000, () => !readdirSync(path.join(s.dir, 'data', 'ship')).some((f) => f.endsWith('.pack')));
    const packs = far.names().filter((n) => n.endsWith('.pack')).sort(), last = moments[3];
    const refused = async (why) => {
      assert.equal((await at(s, a, last.ms)).code, 65, why);
      assert.equal(await uids(s, a), last.n, 'nothing was changed');
    };
    const with_ = async (key, body, why) => {
      const was = far.keys.get(key);
      far.keys.set(key, [{ id: 'v0', body }]);
      await refused(why);
      far.keys.set(key, was);
    };
    const needed = []; // of the chain that led there
    for (const k of packs) {
      const was = far.keys.get(k);
      far.keys.delete(k); // a gap
      const { code } = await at(s, a, last.ms);
      far.keys.set(k, was);
      if (code === 0) await settle(s, a, '--undo'); else needed.push(k);
      assert.ok(code === 0 || code === 65);
      if (needed.length === 3) break;
    }
    assert.equal(needed.length, 3);
    const [, one, two] = needed, changed = Buffer.from(far.body(one));
    changed[changed.length - 3000] ^= 4;
    await with_(one, far.body(two), 'another one in its place');
    await with_(one, changed, 'a bit');
    await with_(one, far.body(one).subarray(0, far.body(one).length - 3000), 'its end is missing');
    const [x, y] = [far.keys.get(one), far.keys.get(two)];
    far.keys.set(one, y).set(two, x);
    assert.equal((await at(s, a, last.ms)).code, 0, 'two that were exchanged say themselves which they are');
    assert.equal(await uids(s, a), last.n);
    far.keys.set(one, x).set(two, y);
    await settle(s, a, '--confirm');
    far.put(`mail/${id}-log/old.base`, Buffer.from('x'));
    far.put(`mail/${id}-log/old.base`, Buffer.from('y'));
    const { purged } = JSON.parse((await s.ctl(['alias', 'remove', a.address, '--yes', '--json'])).stdout);
    assert.deepEqual([...far.keys.keys()].filter((k) => k.includes(id)), []);
    assert.ok(purged.some((p) => p.name.startsWith(`${id}-log/old.base version`)));
    const purgedNotes = path.join(s.dir, 'data', 'ship', 'purged'), repacked = path.join(s.dir, 'data', 'ship', 'repacked');
    assert.ok(readdirSync(purgedNotes).includes(id), 'shared packs: with the night');
    await quiet(s); // what still waits in the spool is of a later night
    await s.stop({ keep: true });
    const ago = (h) => Date.now() / 1000 - 3600 * h;
    await utimes(path.join(purgedNotes, id), ago(2), ago(2));
    if (existsSync(repacked)) await utimes(repacked, ago(50), ago(50)); // the last night is long ago
    s.exit = undefined;
    await s.serve();
    await until('the night', 20000, () => !readdirSync(purgedNotes).includes(id));
    for (const [n, versions] of far.keys) for (const v of versions) assert.ok(!v.body?.includes(Buffer.from(id, 'hex')), n);
  } finally { await s.stop(); await far.stop(); }
});

test('shipped to storage that fails, lies, is slow or away: mail is accepted, the spool is bounded, and then all is there', async () => {
  const far = await S3Fake.start();
  const s = await serve(far, 'fails', { LETTERLOCK_STORE_SHIP: 'yes', LETTERLOCK_STORE_SHIP_SPOOL: '16MiB' });
  try {
    const a = await s.alias();
    await moment(s, a, sample(1, 5000));
    let n = 0;
    far.answer = (r) => (r.method === 'PUT' && ++n % 2 ? [{ status: 503, code: 'SlowDown' }, { forget: true }, { truncate: true }, { wait: 300 }][(n >> 1) % 4] : {});
    for (let i = 2; i < 5; i++) await moment(s, a, sample(i, 5000));
    await quiet(s);
    far.answer = () => ({ drop: true });
    for (let i = 0; i < 3; i++) await give(s, a, Buffer.concat([sample(50 + i), Buffer.from(randomBytes(1 << 20).toString('base64').replace(/.{76}/g, '$&\r\n')), Buffer.from('\r\n')]));
    assert.ok((await shipped(s)).waiting_bytes > 1 << 20);
    assert.ok((await shipped(s)).waiting_bytes <= 16 << 20);
    far.answer = null;
    await until('the spool to be empty', 60000, async () => { const f = await shipped(s); return !f.full && f.waiting_packs === 0; });
    const after = await moment(s, a, sample(60));
    await quiet(s);
    assert.equal(after.n, 8, 'every letter was taken');
    const back = await at(s, a, after.ms);
    assert.equal(back.code, 0, back.stderr);
    assert.equal(await uids(s, a), after.n);
  } finally { await s.stop(); await far.stop(); }
});

test('no versions there (as R2), and no service running', async () => {
  const plain = await S3Fake.start({ versioned: false, versionsKnown: false });
  const s = await serve(plain, 'plain');
  try {
    const a = await box(s), id = await idOf(s, a);
    await backup(s, a);
    await s.stop({ keep: true });
    assert.equal((await json(s, ['mailbox', 'backups', a.address])).length, 1);
    await s.ctl(['alias', 'remove', a.address, '--yes']);
    assert.deepEqual(plain.names().filter((k) => k.includes(id)), []);
  } finally { await s.stop(); await plain.stop(); }
});

test('s3rver: a server of somebody else', async () => {
  const { default: S3rver } = await import('s3rver');
  const dir = await mkdtemp(path.join(tmpdir(), 'letterlock-s3rver-')), port = await freePort();
  const other = new S3rver({ port, address: '127.0.0.1', silent: true, directory: dir, configureBuckets: [{ name: 'backups' }] });
  await other.run();
  const s = await serve({ endpoint: `http://127.0.0.1:${port}`, credentials: () => 'aws_access_key_id = S3RVER\naws_secret_access_key = S3RVER\n' }, 'other', { LETTERLOCK_STORE_SHIP: 'yes' });
  try {
    const a = await box(s, 2, 6 << 20);
    const b = JSON.parse((await backup(s, a)).stdout);
    assert.deepEqual((await json(s, ['mailbox', 'backups', a.address])).map((x) => x.id), [b.id]);
    await give(s, a, sample(9));
    assert.equal(await uids(s, a), 4);
    const then = Date.now();
    await s.ctl(['mailbox', 'restore', a.address, '--backup', b.id]);
    assert.equal(await uids(s, a), 3);
    await settle(s, a, '--confirm');
    await quiet(s);
    assert.equal((await at(s, a, then)).code, 0);
    assert.equal(await uids(s, a), 4);
    await s.ctl(['alias', 'remove', a.address, '--yes']);
    assert.deepEqual(readdirSync(path.join(dir, 'backups'), { recursive: true }).filter((f) => f.includes('sqlite')), []);
  } finally { await s.stop(); await other.close(); await rm(dir, { recursive: true, force: true }); }
});

test('wrong settings are said before anything starts', async () => {
  for (const [env, what] of [
    [{ LETTERLOCK_STORAGE_ENDPOINT: 'http://storage.example' }, /storage\.target, storage\.endpoint/],
    [{ LETTERLOCK_STORAGE_CREDENTIALS: '/nowhere' }, /storage\.credentials/],
  ]) {
    const file = path.join(folder, 'wrong');
    await writeFile(file, fake.credentials(), { mode: 0o600 });
    await assert.rejects(Service.start({ env: { ...storageEnv(fake, file), ...env } }), what);
  }
});

test('by its name, over TLS: looked up by the resolver, verified, the bucket before the name', async () => {
  const dir = await mkdtemp(path.join(folder, 'tls-')), key = path.join(dir, 'key'), cert = path.join(dir, 'cert');
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=s3', '-addext', 'subjectAltName=DNS:backups.s3.example.org'], { stdio: 'ignore' });
  const dns = await DnsServer.start({ zone: { 'backups.s3.example.org': { A: '127.0.0.1' } } });
  const far = await S3Fake.start({ tls: { key: await readFile(key), cert: await readFile(cert) }, host: 's3.example.org' });
  const names = { LETTERLOCK_RESOLVER_UPSTREAMS: dns.upstream, LETTERLOCK_RESOLVER_CA_FILE: dns.ca };
  const s = await serve(far, 'far', { ...names, LETTERLOCK_STORAGE_CA_FILE: cert });
  try {
    const a = await box(s), id = await idOf(s, a);
    await backup(s, a);
    assert.equal(far.names().filter((n) => n.includes(id)).length, 3);
    assert.ok(far.requests.every((r) => r.headers.host.startsWith('backups.s3.example.org:')));
    assert.ok(dns.queries.some((q) => q.name === 'backups.s3.example.org'));
    const n = far.requests.length;
    await s.stop({ keep: true });
    delete s.env.LETTERLOCK_STORAGE_CA_FILE; // nobody vouches for it
    s.exit = undefined;
    await s.serve();
    await give(s, a, sample(40));
    assert.notEqual((await backup(s, a, false)).code, 0);
    assert.match(s.log, /storage\.request_failed .*error=E_AUTH/);
    assert.equal(far.requests.length, n);
  } finally { await s.stop(); await far.stop(); await dns.stop(); }
});
});
