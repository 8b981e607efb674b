// Backups: on request and by themselves, in a folder of their own, under names that tell nothing; with keys that
// follow every change of passwords.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { readdirSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Service, sample, until } from '../lib/service.mjs';

const EX_NOINPUT = 66, EX_NOPERM = 77;
let service, folder;
before(async () => {
  folder = path.join(await mkdtemp(path.join(tmpdir(), 'letterlock-backups-')), 'kept'); // made by the service
  service = await Service.start({ env: { LETTERLOCK_STORE_BACKUP_DIR: folder, LETTERLOCK_STORE_BACKUP_INTERVAL: '0' } });
});
after(async () => { await service.stop(); await rm(path.dirname(folder), { recursive: true, force: true }); });

const json = async (args, options) => JSON.parse((await service.ctl([...args, '--json'], options)).stdout);
const backup = (a, options) => json(['mailbox', 'backup', a.address], options);
const backups = (a) => json(['mailbox', 'backups', a.address]);
const idOf = async (a) => (await json(['alias', 'show', a.address])).mailbox;
const keysOf = async (a, s = service) => readFile(path.join(s.dir, 'data', 'mailboxes', (await idOf(a)).slice(0, 2), `${await idOf(a)}.keys`));
async function attached(a, work) {
  const c = await service.imap(a);
  await c.cmd('SELECT INBOX');
  try { return await work(c); } finally { await c.logout(); }
}

test('a mailbox nobody is logged in to needs a password, an attached one none', async () => {
  const a = await service.alias();
  for (let i = 1; i <= 5; i++) await service.deliver(a.address, sample(i, 20000));
  assert.equal((await service.ctl(['mailbox', 'backup', a.address], { ok: false })).code, EX_NOINPUT);
  assert.equal((await service.ctl(['mailbox', 'backup', a.address], { input: 'wrong password\n', ok: false })).code, EX_NOPERM);
  assert.deepEqual(await backups(a), []);
  const first = await backup(a, { input: `${a.password}\n` });
  assert.equal(first.unchanged, false);
  const second = await attached(a, async (c) => {
    await until('the drain', 10000, async () => { await c.cmd('NOOP'); return c.untagged.some((l) => /\* 5 EXISTS/.test(l)); });
    const b = await backup(a);
    assert.equal((await backup(a)).unchanged, true);
    return b;
  });
  assert.equal(second.unchanged, false);
  assert.notEqual(second.id, first.id);
  assert.ok(second.changes > first.changes);
  assert.deepEqual((await backups(a)).map((b) => b.id), [second.id], 'the last one of the day');
});

test('names tell nothing, and what lies there is what was told', async () => {
  const a = await service.alias();
  const b = await backup(a, { input: `${a.password}\n` });
  const id = await idOf(a);
  const names = readdirSync(folder, { recursive: true });
  assert.deepEqual(readdirSync(path.join(folder, id)).sort(), [`${b.id}.info`, `${b.id}.sqlite`, 'keys'].sort());
  for (const n of names) assert.match(n, /^[0-9a-f]{24}(\/(keys|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.(sqlite|info)))?$/);
  const there = await readFile(path.join(folder, id, `${b.id}.sqlite`));
  assert.ok(!there.includes('SQLite format 3') && !there.includes('INBOX'), 'nothing in the clear');
  const file = path.join(path.dirname(folder), 'mine');
  await service.ctl(['mailbox', 'backups', a.address, '--download', file, '--backup', b.id.slice(0, 8)]);
  assert.deepEqual(await readFile(file), await readFile(path.join(folder, id, `${b.id}.sqlite`)));
  assert.deepEqual(await readFile(`${file}.keys`), await keysOf(a));
  assert.equal((await stat(file)).size, b.bytes);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.notEqual((await service.ctl(['mailbox', 'backups', a.address, '--download', file], { ok: false })).code, 0, 'never over another file');
});

test('another password, a revoked one, another data key: the keys beside the backups follow', async () => {
  const a = await service.alias();
  await backup(a, { input: `${a.password}\n` });
  const there = async () => readFile(path.join(folder, await idOf(a), 'keys'));
  const steps = [
    [['alias', 'password', a.address, '--current'], `${a.password}\n`],
    [['alias', 'password', a.address, '--revoke', '2'], `${a.password}\n`],
    [['alias', 'password', a.address, '--rotate'], `${a.password}\n`],
  ];
  for (const [args, input] of steps) {
    const was = await there();
    await service.ctl(args, { input });
    assert.notDeepEqual(await there(), was, args.join(' '));
    assert.deepEqual(await there(), await keysOf(a), args.join(' '));
  }
  const after = await backup(a, { input: `${a.password}\n` });
  assert.deepEqual([after.unchanged, after.generation], [false, 2], 'under the new data key');
});

test('by itself: when a mailbox that changed is used, and only when it changed; old ones go', async () => {
  const s = await Service.start({ env: { LETTERLOCK_STORE_BACKUP_INTERVAL: '200', LETTERLOCK_STORE_BACKUP_DAILY: '1' } });
  try {
    const a = await s.alias();
    const list = async () => JSON.parse((await s.ctl(['mailbox', 'backups', a.address, '--json'])).stdout);
    const seen = new Set();
    for (let i = 1; i <= 3; i++) {
      await s.deliver(a.address, sample(i));
      await until('a backup', 10000, async () => {
        await (await s.imap(a)).logout();
        const [b] = await list();
        return b && !seen.has(b.id) && seen.add(b.id);
      });
    }
    await until('the last one alone', 5000, async () => { await (await s.imap(a)).logout(); return (await list()).length === 1; });
    assert.ok(existsSync(path.join(s.dir, 'data', 'backups')), 'in the data folder, when nothing else is said');
    assert.ok((await s.status()).store.backups >= 3);
  } finally { await s.stop(); }
});

test('an address that is removed takes everything with it, keys first, whenever the store dies', async () => {
  const everything = (i) => [path.join(service.dir, 'data'), folder].flatMap((d) => readdirSync(d, { recursive: true })).filter((f) => f.includes(i));
  for (const ms of [null, 0, 5, 15]) {
    const a = await service.alias();
    const id = await idOf(a);
    await service.deliver(a.address, sample(1));
    await backup(a, { input: `${a.password}\n` });
    await service.deliver(a.address, sample(2)); // sealed
    const removal = service.ctl(['alias', 'remove', a.address, '--yes', '--json'], { ok: false });
    if (ms !== null) {
      await new Promise((r) => setTimeout(r, ms));
      await service.kill('store');
    }
    const r = await removal;
    if (r.code !== 0) await until('the rest to go', 20000, async () => [0, 67].includes((await service.ctl(['alias', 'remove', a.address, '--yes'], { ok: false })).code));
    assert.deepEqual(everything(id), []);
    if (ms !== null) continue;
    const { purged } = JSON.parse(r.stdout);
    assert.deepEqual(purged.slice(0, 2).map((p) => [p.where, p.name]), [['backups', `${id}/keys`], ['data', `mailboxes/${id.slice(0, 2)}/${id}.keys`]]);
    assert.ok(purged.length >= 6 && purged.some((p) => p.name.includes('-tmp-')) && purged.some((p) => p.where === 'backups' && p.name.endsWith('.sqlite')));
  }
});

test('a folder that cannot be reached: mail goes on, and the command says so', async () => {
  const s = await Service.start({ env: { LETTERLOCK_STORE_BACKUP_DIR: '/proc/nowhere/at/all' } });
  try {
    const a = await s.alias();
    await s.deliver(a.address, sample(1));
    await (await s.imap(a)).logout();
    const r = await s.ctl(['mailbox', 'backup', a.address], { input: `${a.password}\n`, ok: false });
    assert.equal(r.code, 75);
    assert.match(s.log, /store\.backups_not_reachable/);
  } finally { await s.stop(); }
});
