// A backup takes a mailbox's place: clients are told, UIDs are new ones, what was there comes back or goes on command.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { Service, sample, sleep, until } from '../lib/service.mjs';
import { runs } from '../lib/runs.mjs';

let service;
before(async () => { service = await Service.start({ env: { LETTERLOCK_STORE_BACKUP_INTERVAL: '0', LETTERLOCK_STORE_NOTE_INTERVAL: '1000' } }); });
after(() => service.stop());

const ctl = (args, options) => service.ctl(args, options);
const json = async (args, options) => JSON.parse((await ctl([...args, '--json'], options)).stdout);
const id = async (a) => (await json(['alias', 'show', a.address])).mailbox;
const files = async (a) => { const i = await id(a); return readdirSync(path.join(service.dir, 'data', 'mailboxes', i.slice(0, 2))).filter((f) => f.startsWith(i)); };
async function inbox(a, work = () => {}) {
  const c = await service.imap(a);
  const lines = await c.cmd('SELECT INBOX');
  const one = (re) => Number(re.exec(lines.find((l) => re.test(l)))[1]);
  const r = { exists: one(/\* (\d+) EXISTS/), uidvalidity: one(/UIDVALIDITY (\d+)/), uidnext: one(/UIDNEXT (\d+)/) };
  await work(c);
  await c.logout();
  return r;
}
const holds = (a, n) => until(`${n} messages`, 15000, async () => { const r = await inbox(a).catch(() => null); return r?.exists === n ? r : null; });
const deliver = async (a, from, to) => { for (let i = from; i <= to; i++) await service.deliver(a.address, sample(i, 9000)); };

test('restored, undone, restored, confirmed', async () => {
  const a = await service.alias();
  await deliver(a, 1, 3);
  const was = await holds(a, 3);
  const b = await json(['mailbox', 'backup', a.address], { input: `${a.password}\n` });
  await deliver(a, 4, 5);
  await holds(a, 5);
  const c = await service.imap(a);
  await c.cmd('SELECT INBOX');
  assert.notEqual((await ctl(['mailbox', 'restore', a.address, '--undo'], { ok: false })).code, 0, 'nothing to undo');
  await ctl(['mailbox', 'restore', a.address, '--backup', b.id]);
  const bye = await c.response(5000);
  assert.match(bye, /^\* BYE/);
  const now = await holds(a, 3);
  assert.ok(now.uidvalidity > was.uidvalidity, 'clients forget what they knew');
  assert.equal((await ctl(['mailbox', 'restore', a.address, '--backup', b.id], { ok: false })).code, 65, 'the first one waits still');
  await deliver(a, 6, 6);
  await holds(a, 4);
  await ctl(['mailbox', 'restore', a.address, '--undo']);
  const back = await holds(a, 5);
  assert.equal(back.uidvalidity, was.uidvalidity);
  await deliver(a, 7, 7);
  await holds(a, 6);
  await ctl(['mailbox', 'restore', a.address, '--backup', b.id]);
  await holds(a, 3);
  assert.ok((await files(a)).some((f) => f.endsWith('-before.sqlite')));
  await ctl(['mailbox', 'restore', a.address, '--confirm', '--yes']);
  assert.ok(!(await files(a)).some((f) => f.includes('-before')));
  await deliver(a, 4, 5);
  await holds(a, 5);
  const check = await json(['mailbox', 'check', a.address], { input: `${a.password}\n` });
  assert.deepEqual([check.whole, check.messages], [true, 5]);
  const again = await json(['mailbox', 'backup', a.address], { input: `${a.password}\n` });
  assert.equal(again.unchanged, false, 'what was counted before does not count now');
  assert.equal((await service.status()).store.alarms, 0, 'going back was wanted');
});

test('mail that waits sealed, and mail that comes meanwhile, is there afterwards', async () => {
  const a = await service.alias();
  await deliver(a, 1, 2);
  await holds(a, 2);
  const b = await json(['mailbox', 'backup', a.address], { input: `${a.password}\n` });
  await deliver(a, 3, 4); // sealed: nobody is logged in
  await ctl(['mailbox', 'restore', a.address, '--backup', b.id]);
  await deliver(a, 5, 5);
  await holds(a, 5);
});

test('a backup from before the data key was exchanged needs a password, and so does undoing across it', async () => {
  const a = await service.alias();
  await deliver(a, 1, 2);
  await holds(a, 2);
  const input = `${a.password}\n`;
  const b = await json(['mailbox', 'backup', a.address], { input });
  await ctl(['mailbox', 'rotate', a.address], { input });
  await deliver(a, 3, 3);
  await holds(a, 3);
  assert.equal((await ctl(['mailbox', 'restore', a.address, '--backup', b.id], { ok: false })).code, 66);
  assert.equal((await ctl(['mailbox', 'restore', a.address, '--backup', b.id], { input: 'not it at all\n', ok: false })).code, 77);
  await ctl(['mailbox', 'restore', a.address, '--backup', b.id], { input });
  await holds(a, 2);
  await ctl(['mailbox', 'rotate', a.address], { input });
  await ctl(['mailbox', 'restore', a.address, '--undo'], { input });
  await holds(a, 3);
});

test('everything of a mailbox is lost but its backup', async () => {
  const a = await service.alias();
  await deliver(a, 1, 2);
  await holds(a, 2);
  const b = await json(['mailbox', 'backup', a.address], { input: `${a.password}\n` });
  await until('it to be closed', 5000, async () => !(await files(a)).some((f) => f.endsWith('-wal')));
  const i = await id(a);
  for (const f of await files(a)) await rm(path.join(service.dir, 'data', 'mailboxes', i.slice(0, 2), f));
  await ctl(['mailbox', 'restore', a.address, '--backup', b.id]);
  await holds(a, 2);
});

// Everything below a folder, as a client sees it.
async function below(a, under) {
  const c = await service.imap(a), out = {};
  for (const line of (await c.cmd(`LIST "" "${under}*"`)).filter((l) => /^\* LIST/.test(l))) {
    const name = /"\/" "?(.*?)"?$/.exec(line)[1];
    await c.cmd(`EXAMINE "${name}"`);
    const lines = await c.cmd('UID FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[])', { ok: false }), bodies = [...c.literals];
    out[name.slice(under.length).replace(/^\//, '')] = lines.filter((l) => /FETCH \(/.test(l)).map((l) => `${/INTERNALDATE "([^"]*)"/.exec(l)[1]} ${/FLAGS \(([^)]*)\)/.exec(l)[1].split(' ').filter((f) => f !== '\\Recent').sort().join(' ')} ${bodies.shift().toString('base64')}`);
  }
  await c.logout();
  return out;
}

test('beside: what a backup has comes in below a folder of its own, once however often it is said, and no further than the limit', async () => {
  const a = await service.alias(), input = `${a.password}\n`;
  await deliver(a, 1, 2);
  await inbox(a, async (c) => {
    await c.cmd('CREATE Work/Deep');
    await c.cmd('CREATE Empty');
    for (const i of [10, 11, 11, 12]) await c.cmd([`APPEND Work/Deep (\\Flagged $Forwarded blue) "02-Nov-2024 10:11:12 +0000" `, sample(i, 30000)]);
    await c.cmd('STORE 1 +FLAGS (\\Seen)');
  });
  const was = await below(a, '');
  const b = await json(['mailbox', 'backup', a.address], { input });
  await inbox(a, async (c) => { await c.cmd('STORE 1 +FLAGS (\\Deleted)'); await c.cmd('EXPUNGE'); await c.cmd('DELETE Work/Deep'); });
  await ctl(['mailbox', 'rotate', a.address], { input });
  const args = ['mailbox', 'restore', a.address, '--backup', b.id, '--beside'];
  assert.equal((await ctl(args, { input: 'not it at all\n', ok: false })).code, 77);
  await ctl(['alias', 'limit', a.address, '70K']);
  const short = await ctl(args, { input, ok: false });
  assert.equal(short.code, 73, short.stderr);
  await ctl(['alias', 'limit', a.address, 'none']);
  const rest = await json(args, { input });
  assert.ok(rest.there_already > 0 && rest.messages > 0 && rest.messages + rest.there_already === 6, JSON.stringify(rest));
  const again = await json(args, { input });
  assert.deepEqual([again.messages, again.there_already, again.skipped], [0, 6, 0]);
  const under = `Restored ${b.taken.slice(0, 10)} ${b.taken.slice(11, 19).replaceAll(':', '.')}`;
  const now = await below(a, under);
  delete now[''];
  assert.deepEqual(now, was);
  assert.equal((await inbox(a)).exists, 1, 'what was there is as it was');
});

test('killed at any instant: the mailbox is the one or the other, and goes on', async () => {
  const a = await service.alias();
  await deliver(a, 1, 2);
  await holds(a, 2);
  const b = await json(['mailbox', 'backup', a.address], { input: `${a.password}\n` });
  await deliver(a, 3, 3);
  await holds(a, 3);
  const rounds = Number(process.env.SOAK_RESTORES ?? 6);
  for (let round = 0; round < rounds; round++) {
    const running = ctl(['mailbox', 'restore', a.address, '--backup', b.id], { ok: false });
    await sleep((7 * round) % 50);
    await service.kill('store');
    await running;
    const r = await until('the mailbox to open', 30000, () => inbox(a).catch(() => null));
    assert.ok(r.exists === 2 || r.exists === 3, `${r.exists}`);
    const undone = await until('an answer', 30000, async () => { const u = await ctl(['mailbox', 'restore', a.address, '--undo'], { ok: false }); return [0, 65].includes(u.code) ? u : null; });
    assert.equal(undone.code === 0, r.exists === 2, undone.stderr);
    await holds(a, 3);
  }
  assert.ok(!existsSync(path.join(service.dir, 'data', 'restores', await id(a))));
  runs('killed at any instant', 'restore', rounds);
});
