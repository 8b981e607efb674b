// Backup, restore, a moment, purge: killed after a step, all processes at once, as by a power cut, and done again: nothing lost,
// nothing left behind, and the receipt says all. A step is a call that changes the disk or sends something. KILLED_STEPS (2) of
// them each, spread (KILLED_SEED repeats which); `make soak` takes every one. KILLED_TARGET=s3: the storage is S3, in parts.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { Service, binary, build, sample, sleep, until } from '../lib/service.mjs';
import { S3Fake, storageEnv } from '../lib/s3fake.mjs';
import { random, runs } from '../lib/runs.mjs';

const seed = Number(process.env.KILLED_SEED ?? Date.now() % 1e9), chance = random(seed);
const per = Number(process.env.KILLED_STEPS ?? 2), remote = process.env.KILLED_TARGET === 's3';
let service, fake, base, a, id, moment, first, objects;
const data = () => path.join(service.dir, 'data');
const run = (file, args, input) => new Promise((resolve) => {
  const child = execFile(file, args, { cwd: service.dir, env: { ...service.env, KILL_STEP_SENDS: '1', ASAN_OPTIONS: `${service.env.ASAN_OPTIONS ?? ''}:detect_leaks=0` }, maxBuffer: 1 << 26 },
    (e, stdout, stderr) => resolve({ code: e ? (typeof e.code === 'number' ? e.code : -1) : 0, stdout, stderr }));
  child.stdin.on('error', () => {});
  child.stdin.end(input ?? '');
});
const config = () => ['--config', path.join(service.dir, 'letterlock.conf')];
const ctl = (...args) => run(binary, [...args, ...config()], `${a.password}\n`);
const killed = (n, ...args) => run(path.join(build, 'test/tools/kill_step'), [String(n), binary, ...args, ...config()], `${a.password}\n`);
const inData = () => readdirSync(data(), { recursive: true });
const inTarget = () => (remote ? fake.names().map((n) => n.replace(/^mail\//, '')) : readdirSync(path.join(data(), 'backups'), { recursive: true }).filter((f) => /\/./.test(f)));
const snapshot = () => (remote ? { keys: new Map([...fake.keys].map(([k, v]) => [k, [...v]])) } : null);
const backups = async () => JSON.parse((await ctl('mailbox', 'backups', a.address, '--json')).stdout);
async function contents() {
  const out = path.join(service.dir, 'export');
  await rm(out, { recursive: true, force: true });
  const r = await ctl('mailbox', 'export', a.address, '--format', 'Maildir', '--output', out, '--json');
  assert.equal(r.code, 0, r.stderr);
  return JSON.parse(r.stdout).messages;
}

before(async () => {
  base = await mkdtemp(path.join(tmpdir(), 'letterlock-killed-'));
  fake = remote ? await S3Fake.start() : null;
  if (fake) await writeFile(path.join(base, 'credentials'), fake.credentials(), { mode: 0o600 });
  service = await Service.start({ env: { LETTERLOCK_STORE_BACKUP_INTERVAL: '0', LETTERLOCK_STORE_SHIP: 'yes', ...(fake ? storageEnv(fake, path.join(base, 'credentials')) : {}) } });
  a = await service.alias();
  id = JSON.parse((await service.ctl(['alias', 'show', a.address, '--json'])).stdout).mailbox;
  const give = async (...letters) => {
    const c = await service.imap(a);
    await c.cmd('SELECT INBOX');
    for (const l of letters) await service.deliver(a.address, l);
    await c.logout();
  };
  await give(sample(1, 3000), sample(2, 3000));
  if (remote) await give(Buffer.concat([sample(3), Buffer.from(randomBytes(6 << 20).toString('base64').replace(/.{76}/g, '$&\r\n')), Buffer.from('\r\n')]));
  first = JSON.parse((await service.ctl(['mailbox', 'backup', a.address, '--json'], { input: `${a.password}\n` })).stdout).id;
  await sleep(1200);
  moment = new Date().toISOString();
  await sleep(20);
  await give(sample(4, 3000));
  await until('it to be closed', 10000, async () => (await service.status()).store.open_mailboxes === 0);
  await service.deliver(a.address, sample(5, 3000)); // waits sealed
  await until('all to be shipped', 20000, async () => (await service.status()).store.ship.waiting_packs === 0);
  await service.stop({ keep: true });
  await cp(data(), path.join(base, 'data'), { recursive: true });
  objects = snapshot();
});
after(async () => { await service.stop(); await fake?.stop(); await rm(base, { recursive: true, force: true }); });

async function fresh() {
  await rm(data(), { recursive: true, force: true });
  await cp(path.join(base, 'data'), data(), { recursive: true, preserveTimestamps: true });
  if (remote) { fake.keys = new Map([...objects.keys].map(([k, v]) => [k, [...v]])); fake.uploads.clear(); }
}

// `again`: the same command once more; `holds`: what must be so then.
async function sweep(name, args, again, holds) {
  await fresh();
  const whole = await killed(0, ...args);
  assert.equal(whole.code, 0, whole.stderr);
  const steps = Number(/steps (\d+)/.exec(whole.stderr)[1]), tries = Math.min(per, steps);
  assert.ok(steps > 30, `${steps} steps`);
  let cut = 0;
  for (let i = 0; i < tries; i++) {
    const n = tries === steps ? i + 1 : 1 + Math.floor(((i + (process.env.KILLED_STEPS ? chance() : 0.5)) * steps) / tries); // in the middle of each half, unless more are asked for
    await fresh();
    const there = inData();
    const r = await killed(n, ...args);
    if (r.code !== 137) { assert.equal(r.code, 0, `${name}, step ${n}: ${r.stderr}`); continue; } // it had fewer this time
    cut++;
    const second = await again();
    await holds(second, `${name}, after step ${n} of ${steps}`, there);
  }
  console.log(`# ${name}: ${steps} steps, killed after ${cut} of them`);
  runs('killed at a step', remote ? `${name}, S3` : name, cut, tries === steps || !process.env.KILLED_STEPS ? '' : `KILLED_SEED=${seed}`);
}

test('a backup', { timeout: 7200000 }, async () => {
  await sweep('backup', ['mailbox', 'backup', a.address], () => ctl('mailbox', 'backup', a.address, '--json'), async (r, what) => {
    assert.equal(r.code, 0, `${what}: ${r.stderr}`);
    const list = await backups();
    assert.ok(list.length === 1 && list[0].id !== first, `${what}: two of one day are one, the later`);
    assert.deepEqual(inTarget().filter((n) => n.startsWith(`${id}/`)).sort(), [`${id}/keys`, ...list.flatMap((b) => [`${id}/${b.id}.info`, `${id}/${b.id}.sqlite`])].sort(), what);
    if (remote) assert.deepEqual([...fake.uploads.values()].map((u) => u.key).filter((k) => k.startsWith(`mail/${id}/`)), [], `${what}: nothing half sent`); // of what is shipped: with the next pack, or base
    assert.deepEqual(inData().filter((f) => /\.(part|new)$|^uploads\/.+\//.test(f)), [], what);
  });
});

for (const [name, how, messages] of [['a backup restored', () => ['--backup', first], remote ? 3 : 2], ['a moment restored', () => ['--at', moment], remote ? 3 : 2]]) {
  test(name, { timeout: 7200000 }, async () => {
    const args = ['mailbox', 'restore', a.address, ...how()];
    await sweep(name, args, () => ctl(...args), async (r, what) => {
      assert.ok(r.code === 0 || /restored before/.test(r.stderr), `${what}: ${r.code} ${r.stderr}`);
      const n = await contents();
      const settled = await ctl('mailbox', 'restore', a.address, '--confirm', '--yes');
      assert.equal(settled.code, 0, `${what}: ${settled.stderr}`);
      assert.ok(n === messages || n === messages + 1, `${what}: ${n} messages (the one that waits may be among them)`);
      assert.deepEqual(inData().filter((f) => /-before|-restore|^restores\//.test(f)), [], what);
      assert.equal(JSON.parse((await ctl('mailbox', 'check', a.address, '--json')).stdout).whole, true, what);
    });
  });
}

test('an address removed: the receipt has all of it, those before it included', { timeout: 7200000 }, async () => {
  const args = ['alias', 'remove', a.address, '--yes', '--json'];
  const objectsThen = inTarget().filter((n) => n.startsWith(`${id}/`) && !n.endsWith('.part'));
  await sweep('purge', args, () => ctl(...args), async (r, what, there) => {
    assert.ok([0, 67].includes(r.code), `${what}: ${r.code} ${r.stderr}`);
    assert.deepEqual(inData().filter((f) => f.includes(id) && !f.startsWith('ship')), [], what);
    assert.deepEqual(inTarget().filter((n) => n.includes(id)), [], what);
    if (remote) assert.ok(![...fake.keys.keys()].some((k) => k.includes(id)) && fake.uploads.size === 0, what);
    if (r.code === 67) return; // all was said by the one that was killed
    const { purged } = JSON.parse(r.stdout), said = purged.map((p) => p.name.split(' ')[0]);
    for (const f of there.filter((x) => x.startsWith('mailboxes/') && x.includes(id) && !/-(wal|shm)$/.test(x))) assert.ok(said.includes(f), `${what}: ${f}`);
    for (const n of objectsThen) assert.ok(said.includes(n), `${what}: ${n}`);
  });
  await fresh();
});

test('what is shipped while it is killed is there', { timeout: 7200000 }, async () => {
  await sweep('ship', ['alias', 'password', a.address, '--current', '--name', 'another'], () => ctl('mailbox', 'check', a.address, '--json'), async (r, what) => {
    assert.equal(JSON.parse(r.stdout).whole, true, `${what}: ${r.stderr}`);
    const back = await ctl('mailbox', 'restore', a.address, '--at', new Date().toISOString());
    assert.equal(back.code, 0, `${what}: ${back.stderr}`);
    assert.equal(await contents(), remote ? 5 : 4, what);
    assert.equal((await ctl('mailbox', 'restore', a.address, '--confirm', '--yes')).code, 0, what);
    assert.ok(!existsSync(path.join(data(), 'ship')) || inData().filter((f) => /^ship\/.*\.new$/.test(f)).length === 0, what);
  });
});
