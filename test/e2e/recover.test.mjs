// The service in one file, and every mailbox back on an empty machine from that file and the backups alone.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtemp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { existsSync, readdirSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Service, sample, sleep, until } from '../lib/service.mjs';
import { S3Fake, storageEnv } from '../lib/s3fake.mjs';

const EX_DATAERR = 65, EX_CANTCREAT = 73, EX_NOPERM = 77;
const passphrase = 'nine yellow bridges over quiet water\n';
let base;
before(async () => { base = await mkdtemp(path.join(tmpdir(), 'letterlock-recover-')); });
after(() => rm(base, { recursive: true, force: true }));

async function letters(s, a) {
  const c = await s.imap(a);
  await c.cmd('SELECT INBOX');
  const lines = (await c.cmd('FETCH 1:* (FLAGS BODY.PEEK[])')).filter((l) => / FETCH \(/.test(l));
  const flags = (l) => /FLAGS \(([^)]*)\)/.exec(l)[1].split(' ').filter((f) => f !== '\\Recent').sort().join(' ');
  const all = c.literals.map((l, i) => `${flags(lines[i])}\n${l.toString('latin1')}`).sort();
  await c.logout();
  return all;
}
async function fill(s, n) {
  const all = [];
  for (let i = 0; i < n; i++) {
    const a = await s.alias();
    const c = await s.imap(a);
    await c.cmd('SELECT INBOX');
    for (let k = 0; k < 3; k++) await s.deliver(a.address, sample(10 * i + k, 3000 * (k + 1)));
    await c.logout();
    await s.ctl(['mailbox', 'backup', a.address], { input: `${a.password}\n` });
    all.push({ ...a, letters: await letters(s, a) });
  }
  return all;
}
// After the last backup: more mail, flags, mail that waits sealed, one who was never backed up; all of it shipped.
async function since(s, people, lonely) {
  for (const [i, a] of [people[0], lonely].entries()) {
    const c = await s.imap(a);
    await c.cmd('SELECT INBOX');
    for (let k = 0; k < 3; k++) await s.deliver(a.address, sample(100 + 10 * i + k, 2000));
    await c.cmd('NOOP');
    await c.cmd('STORE 1 +FLAGS (\\Flagged)');
    await c.logout();
    a.letters = await letters(s, a);
  }
  await until('all to be closed', 10000, async () => (await s.status()).store.open_mailboxes === 0);
  await s.deliver(people[1].address, sample(200, 4000));
  people[1].waits = true;
  await until('all to be shipped', 20000, async () => { const { ship } = (await s.status()).store; return ship.packs > 2 && ship.waiting_packs === 0; });
  await sleep(1100);
  await until('the last second too', 20000, async () => (await s.status()).store.ship.waiting_packs === 0);
}
// Everything of the machine goes; ports and settings of the environment are the next one's.
async function lose(s) {
  await s.stop();
  assert.ok(!existsSync(s.dir));
}

for (const kind of ['a folder', 'S3']) {
  test(`from nothing but the file and ${kind}`, async () => {
    const fake = kind === 'S3' ? await S3Fake.start() : null;
    const kept = path.join(base, `kept-${fake ? 's3' : 'folder'}`), file = path.join(base, `service-${fake ? 's3' : 'folder'}`);
    const credentials = path.join(base, 'credentials');
    if (fake) await writeFile(credentials, fake.credentials(), { mode: 0o600 });
    const env = fake ? storageEnv(fake, credentials, { LETTERLOCK_STORE_SHIP: 'yes' }) : { LETTERLOCK_STORE_BACKUP_DIR: kept };
    const s = await Service.start({ env });
    let again;
    try {
      const people = await fill(s, 3), lonely = await s.alias(); // who was never backed up
      await s.ctl(['backup', file], { input: passphrase });
      if (fake) await since(s, people, lonely);
      assert.equal((await stat(file)).mode & 0o777, 0o600);
      const bytes = await readFile(file);
      for (const secret of [await readFile(path.join(s.dir, 'server.key')), 'example.test', 'PRIVATE KEY', 'SQLite format']) assert.ok(!bytes.includes(secret));
      assert.equal((await s.ctl(['backup', file], { input: passphrase, ok: false })).code, EX_CANTCREAT, 'never over another file');
      await lose(s);
      await rm(credentials, { force: true }); // it is in the file

      const dir = path.join(base, `again-${fake ? 's3' : 'folder'}`);
      await mkdir(dir);
      again = await Service.start({ dir, ports: s.ports, serve: false, env: fake ? env : {} });
      assert.equal((await again.ctl(['restore-service', file, '--dir', dir], { input: 'another passphrase\n', ok: false })).code, EX_NOPERM);
      const damaged = Buffer.from(bytes);
      damaged[damaged.length - 100] ^= 1;
      await writeFile(`${file}.damaged`, damaged);
      await writeFile(`${file}.short`, bytes.subarray(0, bytes.length - 70000));
      for (const bad of ['damaged', 'short']) assert.equal((await again.ctl(['restore-service', `${file}.${bad}`, '--dir', dir], { input: passphrase, ok: false })).code, EX_DATAERR);
      assert.deepEqual(readdirSync(dir), [], 'nothing is written from what is not whole');
      await again.ctl(['restore-service', file, '--dir', dir], { input: passphrase });
      assert.equal((await again.ctl(['restore-service', file, '--dir', dir], { input: passphrase, ok: false })).code, EX_CANTCREAT);

      // Whoever keeps the backups puts in one that is newer than all of them.
      const ids = (await again.ctl(['alias', 'list', '--json'])).stdout, victim = JSON.parse(ids).find((x) => x.address === people[0].address).mailbox, later = '00000000-0000-4000-8000-000000000001';
      const text = Buffer.from(`letterlock backup 2\nmailbox ${victim}\nid ${later}\ntaken 2999-01-01T00:00:00.000Z\nchanges 99\ngeneration 1\nbytes 8\nsha256 ${createHash('sha256').update('whatever').digest('hex')}\nmac ${'0'.repeat(64)}\n`);
      for (const [end, body] of [['info', text], ['sqlite', Buffer.from('whatever')]]) fake ? fake.put(`mail/${victim}/${later}.${end}`, body) : await writeFile(path.join(kept, victim, `${later}.${end}`), body);
      const from = fake ? [] : ['--from', kept];
      const told = JSON.parse((await again.ctl(['recover', ...from, '--json'])).stdout);
      assert.deepEqual(told.map((t) => [t.address, t.result]).sort(), [...people.map((p) => [p.address, 'is back']), [lonely.address, fake ? 'is back' : 'there is no backup']].sort());
      await again.serve();
      for (const p of [...people, ...(fake ? [lonely] : [])]) await until('all of it', 5000, async () => {
        const now = await letters(again, p);
        return now.length === p.letters.length + (p.waits ? 1 : 0) && p.letters.every((l) => now.includes(l));
      });
      assert.deepEqual(JSON.parse((await again.ctl(['recover', '--json'])).stdout).map((t) => t.address), fake ? [] : [lonely.address], 'what is here stays as it is');
      await again.deliver(people[0].address, sample(99));
      assert.equal((await letters(again, people[0])).length, people[0].letters.length + 1);
      assert.deepEqual(readdirSync(path.join(dir, 'data', 'restores')), [], 'nothing to confirm, where nothing was');
    } finally {
      await again?.stop();
      if (!s.exit) await s.stop();
      await fake?.stop();
    }
  });
}

// A folder is where all backups go, and one domain has a bucket.
test('a domain with a place of its own: there and nowhere else; moved, purged, and back on an empty machine', async () => {
  const fake = await S3Fake.start();
  const kept = path.join(base, 'kept-all'), secrets = path.join(base, 'places'), file = path.join(base, 'service-places');
  const places = `[cloud]\ntarget = s3://backups/theirs\nendpoint = ${fake.endpoint}\nregion = ${fake.region}\n${fake.credentials().replace('[default]\n', '')}\n[disk]\ntarget = ${path.join(base, 'kept-disk')}\n`;
  await writeFile(secrets, places, { mode: 0o600 });
  const env = { LETTERLOCK_STORE_BACKUP_DIR: kept, LETTERLOCK_STORAGE_PLACES: secrets, LETTERLOCK_STORE_SHIP: 'yes', LETTERLOCK_STORAGE_BACKOFF: '10ms' };
  let s = await Service.start({ env }), again;
  const idOf = async (a) => JSON.parse((await s.ctl(['alias', 'show', a.address, '--json'])).stdout).mailbox;
  const backups = async (a) => JSON.parse((await s.ctl(['mailbox', 'backups', a.address, '--json'])).stdout);
  const inFolder = (folder, id) => { try { return readdirSync(folder, { recursive: true }).filter((f) => f.includes(id)); } catch { return []; } };
  const inCloud = (id) => fake.names().filter((n) => n.includes(id));
  const shipped = async () => { await sleep(1100); await until('all to be shipped', 20000, async () => (await s.status()).store.ship.waiting_packs === 0); };
  const backup = (a) => s.ctl(['mailbox', 'backup', a.address], { input: `${a.password}\n` });
  const give = async (a, n) => {
    const c = await s.imap(a);
    await c.cmd('SELECT INBOX');
    await s.deliver(a.address, sample(n, 4000));
    await c.logout();
    a.letters = await letters(s, a);
  };
  try {
    assert.equal((await s.ctl(['domain', 'set', 'example.test', '--backups', 'nowhere'], { ok: false })).code, EX_DATAERR);
    await s.ctl(['domain', 'add', 'elsewhere.test']);
    await s.ctl(['domain', 'set', 'elsewhere.test', '--backups', 'cloud']);
    assert.equal(JSON.parse((await s.ctl(['domain', 'list', '--json'])).stdout).find((d) => d.domain === 'elsewhere.test').backups, 'cloud');
    const ann = await s.alias('ann@elsewhere.test'), bob = await s.alias('bob@example.test'), cyd = await s.alias('cyd@elsewhere.test');
    const ids = { ann: await idOf(ann), bob: await idOf(bob), cyd: await idOf(cyd) };
    for (const [i, a] of [ann, bob, cyd].entries()) { await give(a, i + 1); await backup(a); }
    await shipped();
    // Whose is where: backups, keys, and the packs of each second.
    assert.deepEqual([(await backups(ann)).map((b) => b.place), (await backups(bob)).map((b) => b.place ?? null)], [['cloud'], [null]]);
    assert.ok(inCloud(ids.ann).some((n) => n.endsWith('/keys')) && inCloud(ids.ann).some((n) => n.endsWith('.sqlite')));
    assert.deepEqual([inCloud(ids.bob), inFolder(kept, ids.ann), inFolder(kept, ids.cyd)], [[], [], []]);
    const packs = readdirSync(kept, { recursive: true }).filter((f) => f.endsWith('.pack'));
    assert.ok(packs.length && fake.names().some((n) => n.endsWith('.pack')));
    for (const f of packs) assert.ok(!(await readFile(path.join(kept, f))).includes(Buffer.from(ids.ann, 'hex')), 'no frame of theirs in what is shared');
    for (const n of fake.names().filter((f) => f.endsWith('.pack'))) assert.ok(!fake.body(n).includes(Buffer.from(ids.bob, 'hex')));
    // A moment, out of the bucket.
    const then = Date.now(), before = ann.letters;
    await sleep(10);
    await give(ann, 7);
    await s.ctl(['mailbox', 'restore', ann.address, '--at', new Date(then).toISOString()]);
    assert.deepEqual(await letters(s, ann), before);
    await s.ctl(['mailbox', 'restore', ann.address, '--undo', '--yes']);
    // A password that is revoked opens nothing there either.
    await s.ctl(['alias', 'password', ann.address, '--current'], { input: `${ann.password}\n` });
    await s.ctl(['alias', 'password', ann.address, '--revoke', '2'], { input: `${ann.password}\n` });
    assert.deepEqual(fake.body(`theirs/${ids.ann}/keys`), await readFile(path.join(s.dir, 'data', 'mailboxes', ids.ann.slice(0, 2), `${ids.ann}.keys`)));
    // The bucket is away: only they wait.
    fake.answer = () => ({ status: 503 });
    await give(bob, 8);
    await backup(bob);
    await until('theirs to wait', 20000, async () => { await s.deliver(ann.address, sample(9)); return (await s.status()).store.ship.waiting_packs > 0; });
    const seen = readdirSync(kept, { recursive: true }).filter((f) => f.endsWith('.pack')).length;
    await s.deliver(bob.address, sample(10));
    await until('his to go', 20000, () => readdirSync(kept, { recursive: true }).filter((f) => f.endsWith('.pack')).length > seen);
    const failed = await s.ctl(['alias', 'remove', cyd.address, '--yes'], { ok: false });
    assert.notEqual(failed.code, 0, 'nothing is said to be gone that is not');
    fake.answer = null;
    const { purged } = JSON.parse((await s.ctl(['alias', 'remove', cyd.address, '--yes', '--json'])).stdout);
    assert.ok(purged.some((p) => p.where === 'backups cloud' && p.name.includes('.sqlite')));
    assert.deepEqual(inCloud(ids.cyd), []);
    // Moved: with the next start, and what was stays good.
    bob.letters = await letters(s, bob);
    ann.letters = await letters(s, ann);
    assert.match((await s.ctl(['domain', 'set', 'example.test', '--backups', 'disk'])).stderr, /1 mailboxes .* next start/);
    await backup(bob);
    assert.ok((await backups(bob)).every((b) => !b.place));
    await shipped();
    const moved = Date.now();
    await sleep(10);
    await s.restart();
    await give(bob, 11);
    await backup(bob);
    assert.deepEqual((await backups(bob)).map((b) => b.place ?? null).slice(0, 2), ['disk', null]);
    await shipped();
    const last = bob.letters;
    for (const [when, want] of [[moved, last.length - 1], [Date.now(), last.length]]) {
      await s.ctl(['mailbox', 'restore', bob.address, '--at', new Date(when).toISOString()]);
      assert.equal((await letters(s, bob)).length, want);
      await s.ctl(['mailbox', 'restore', bob.address, '--undo', '--yes']);
    }
    bob.letters = await letters(s, bob);
    // All of it is lost but the file of the service, and the places.
    await s.ctl(['backup', file], { input: passphrase });
    await shipped();
    await lose(s);
    await rm(secrets);
    const dir = path.join(base, 'again-places');
    await mkdir(dir);
    again = await Service.start({ dir, ports: s.ports, serve: false, env });
    await again.ctl(['restore-service', file, '--dir', dir], { input: passphrase });
    assert.equal(await readFile(secrets, 'utf8'), places);
    assert.equal((await stat(secrets)).mode & 0o777, 0o600);
    const told = JSON.parse((await again.ctl(['recover', '--json'])).stdout);
    assert.deepEqual(told.map((t) => [t.address, t.result]).sort(), [[ann.address, 'is back'], [bob.address, 'is back']]);
    await again.serve();
    for (const p of [ann, bob]) assert.deepEqual(await letters(again, p), p.letters);
    s = again;
    assert.ok((await backups(bob)).length > 1, 'those of before it moved, too');
  } finally {
    await again?.stop();
    if (!s.exit) await s.stop();
    await fake.stop();
  }
});

test('a service that does not run, and one whose addresses change meanwhile', async () => {
  const s = await Service.start();
  try {
    const file = path.join(base, 'stopped'), busy = path.join(base, 'busy');
    const adding = (async () => { for (let i = 0; i < 10; i++) await s.ctl(['alias', 'add', `more${i}@example.test`]); })();
    await s.ctl(['backup', busy], { input: passphrase });
    await adding;
    await s.stop({ keep: true });
    await s.ctl(['backup', file], { input: passphrase });
    const dir = await mkdtemp(path.join(base, 'two-')), two = await Service.start({ dir, serve: false });
    await two.ctl(['restore-service', file, '--dir', dir], { input: passphrase });
    assert.equal(JSON.parse((await two.ctl(['alias', 'list', '--json'])).stdout).length, 10);
    assert.deepEqual(readdirSync(path.join(dir, 'data')).filter((f) => f.endsWith('.dump')), []);
    // A file of the service's own that is new is either in the backup or here, with a reason: the lock; the journal and the
    // schedule of this machine; numbers against a roll-back of files that are not here either.
    const left = new Set(['lock', 'journal.sqlite', 'jobs.state', 'notes.sqlite']);
    const own = (d) => readdirSync(path.join(d, 'data'), { withFileTypes: true }).filter((e) => e.isFile()).map((e) => e.name);
    assert.deepEqual(own(s.dir).filter((f) => !/-(wal|shm)$/.test(f) && !left.has(f) && !own(dir).includes(f)), []);
    assert.deepEqual(await readFile(path.join(dir, 'data', 'spam.model')), await readFile(path.join(s.dir, 'data', 'spam.model')));
  } finally { await s.stop(); }
});
