// A mailbox is what it was at any moment: a busy history, and moments of it brought back one after the other, each compared with
// what a client saw then: every folder, message, flag, UID and date. The store is killed now and then while it ships and while
// it restores. SHIP_MOMENTS (12) of them; SHIP_STEPS (60) things happen before. SHIP_SEED repeats the choices.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { PlainWatch } from '../lib/plain_watch.mjs';
import { random as chances, runs } from '../lib/runs.mjs';
import { Service, binary, sample, sleep, until } from '../lib/service.mjs';

const moments = Number(process.env.SHIP_MOMENTS ?? 12), steps = Number(process.env.SHIP_STEPS ?? 60);
const seed = Number(process.env.SHIP_SEED ?? Math.floor(Math.random() * 2 ** 31));
const random = chances(seed);
const pick = (list) => list[Math.floor(random() * list.length)];

let service;
before(async () => {
  console.log(`# SHIP_SEED=${seed}`);
  service = await Service.start({ env: { LETTERLOCK_STORE_SHIP: 'yes', LETTERLOCK_STORE_BACKUP_INTERVAL: '0', LETTERLOCK_STORE_NOTE_INTERVAL: '1000' } });
});
after(() => service.stop());

const ctl = (args, options) => service.ctl(args, options);
const json = async (args, options) => JSON.parse((await ctl([...args, '--json'], options)).stdout);
const shipped = async () => (await service.status()).store?.ship;
const targetFiles = (folder) => { try { return readdirSync(path.join(service.dir, 'data', 'backups', folder)); } catch { return []; } };

// What a client sees of all of it.
async function look(a) {
  const c = await until('a login', 20000, () => service.imap(a).catch(() => null));
  const folders = (await c.cmd('LIST "" "*"')).filter((l) => l.startsWith('* LIST')).map((l) => /"([^"]+)"$|(\S+)$/.exec(l).slice(1).find(Boolean));
  const seen = {};
  for (const f of folders.sort()) {
    await c.cmd(`EXAMINE "${f}"`);
    const lines = await c.cmd('UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])');
    let n = 0;
    seen[f] = lines.filter((l) => / FETCH \(/.test(l)).map((l) => ({
      uid: Number(/UID (\d+)/.exec(l)[1]),
      flags: /FLAGS \(([^)]*)\)/.exec(l)[1].split(' ').filter((x) => x && x !== '\\Recent').sort().join(' '),
      date: /INTERNALDATE "([^"]+)"/.exec(l)[1],
      size: Number(/RFC822.SIZE (\d+)/.exec(l)[1]),
      hash: createHash('sha256').update(c.literals[n++]).digest('hex'),
    })).sort((x, y) => x.uid - y.uid);
  }
  await c.logout();
  return seen;
}

async function step(a, state) {
  const c = state.c;
  const uids = c ? (await c.cmd('UID SEARCH ALL')).find((l) => l.startsWith('* SEARCH')).split(' ').slice(2).map(Number) : [];
  const i = ++state.n;
  switch (pick(c ? ['deliver', 'deliver', 'append', 'append', 'flag', 'flag', 'expunge', 'copy', 'folder', 'big', 'leave'] : ['deliver', 'deliver', 'come', 'come'])) {
    case 'deliver': await service.deliver(a.address, sample(i, 200 + Math.floor(random() * 20000))); break;
    case 'append': await c.cmd([`APPEND INBOX (\\Flagged) "0${1 + i % 9}-Mar-2024 10:00:00 +0100" `, sample(i, 300 + Math.floor(random() * 3000))]); break;
    case 'big': await c.cmd(['APPEND INBOX ', sample(i, 400000)]); break;
    case 'flag': if (uids.length) await c.cmd(`UID STORE ${pick(uids)} ${pick(['+', '-', ''])}FLAGS (${pick(['\\Seen', '\\Answered', 'work', '\\Deleted'])})`); break;
    case 'expunge': if (uids.length) { await c.cmd(`UID STORE ${pick(uids)} +FLAGS (\\Deleted)`); await c.cmd('EXPUNGE'); } break;
    case 'copy': if (uids.length) await c.cmd(`UID COPY ${pick(uids)} "${pick(state.folders)}"`); break;
    case 'folder': { const f = `Folder ${i}`; await c.cmd(`CREATE "${f}"`); state.folders.push(f); break; }
    case 'leave': await c.logout(); state.c = null; break;
    case 'come': state.c = await service.imap(a); await state.c.cmd('SELECT INBOX'); break;
  }
}

async function restoreAt(a, ms, { kill = false, password = '' } = {}) {
  const at = new Date(ms).toISOString();
  for (let tries = 0; ; tries++) {
    const doing = ctl(['mailbox', 'restore', a.address, '--at', at], { ok: false, input: password && `${password}\n` });
    if (kill && tries === 0) { await sleep(Math.floor(random() * 120)); await service.kill('store'); }
    const r = await doing;
    if (r.code === 0) return r;
    if (kill && tries > 0 && /restored before/.test(r.stderr)) return r; // it went on by itself
    assert.ok((kill || r.code === 75) && tries < 30, `${at}: ${r.code} ${r.stderr}`);
    await sleep(300);
  }
}

test('moments of a busy history', { timeout: 3600000 }, async () => {
  const a = await service.alias();
  const state = { n: 0, folders: ['INBOX'], c: await service.imap(a) };
  await state.c.cmd('SELECT INBOX');
  await until('the first copy', 20000, async () => targetFiles('').some((f) => f.startsWith('ship-')) && (await shipped())?.packs > 0);
  await sleep(1200);
  let history = [];
  for (let i = 0; i < steps || history.length < 4; i++) {
    await step(a, state);
    if (random() < 0.3) {
      await sleep(5);
      history.push({ ms: Date.now(), seen: await look(a) });
      await sleep(5);
    }
    if (random() < 0.04) { // what was committed in its last second is one moment, of when the file was written last
      if (state.c) await state.c.logout();
      const at = Date.now();
      history = history.filter((h) => h.ms < at - 1500);
      await service.kill('store');
      state.c = await until('a login', 20000, () => service.imap(a).catch(() => null));
      await state.c.cmd('SELECT INBOX');
      await sleep(1200);
    }
  }
  await sleep(5);
  history.push({ ms: Date.now(), seen: await look(a) });
  if (state.c) await state.c.logout();
  for (let i = 0; i < moments; i++) {
    const h = i === 0 ? history.at(-1) : pick(history);
    await restoreAt(a, h.ms, { kill: random() < 0.2 });
    assert.deepEqual(await look(a), h.seen, `as it was at ${new Date(h.ms).toISOString()} (${history.indexOf(h)} of ${history.length})`);
    await until('confirmed', 20000, async () => (await ctl(['mailbox', 'restore', a.address, '--confirm', '--yes'], { ok: false })).code === 0);
  }
  const check = await json(['mailbox', 'check', a.address], { input: `${a.password}\n` });
  assert.equal(check.whole, true);
  assert.equal((await shipped()).gaps, 0);
  runs('killed at any instant', 'a moment brought back', moments, `SHIP_SEED=${seed}`);
});

test('mail that waits sealed is shipped too, and comes back to where it waited', async () => {
  const a = await service.alias();
  await look(a);
  await sleep(2500);
  await service.deliver(a.address, sample(1, 5000));
  await service.deliver(a.address, sample(2, 5000));
  await sleep(10);
  const waited = Date.now();
  await sleep(10);
  const both = await look(a); // drained
  assert.equal(both.INBOX.length, 2);
  await until('the mailbox to be closed', 10000, async () => (await service.status()).store?.open_mailboxes === 0);
  await service.deliver(a.address, sample(3, 5000)); // waits now
  await restoreAt(a, waited);
  // They wait in two files: who logs in waits for the first one.
  await until('both of then, and what waited when it was restored', 5000, async () => (await look(a)).INBOX.length === 3);
});

test('a moment before the data key was exchanged, without a password; a revoked one opens nothing', async () => {
  const a = await service.alias();
  await look(a);
  await sleep(2200);
  await service.deliver(a.address, sample(1, 3000));
  const seen = await look(a);
  await sleep(20);
  const then = Date.now();
  await sleep(20);
  await ctl(['mailbox', 'rotate', a.address], { input: `${a.password}\n` });
  await service.deliver(a.address, sample(2, 3000));
  assert.equal((await look(a)).INBOX.length, 2);
  await sleep(1500);
  const r = await restoreAt(a, then);
  assert.doesNotMatch(r.stderr, /[Pp]assword/);
  assert.deepEqual(await look(a), seen);
});

test('a moment beside, and downloaded: with the password, and the mailbox goes on as it is', async () => {
  const a = await service.alias(), input = `${a.password}\n`;
  await service.deliver(a.address, sample(1, 5000));
  await service.deliver(a.address, sample(2, 50000));
  assert.equal((await look(a)).INBOX.length, 2);
  await sleep(10);
  const then = new Date().toISOString();
  await sleep(10);
  const c = await service.imap(a);
  await c.cmd('SELECT INBOX');
  await c.cmd('STORE 1 +FLAGS (\\Deleted)');
  await c.cmd('EXPUNGE');
  assert.equal((await json(['mailbox', 'restore', a.address, '--at', then, '--beside'], { input })).messages, 2);
  assert.equal((await json(['mailbox', 'restore', a.address, '--at', then, '--beside'], { input })).there_already, 2);
  await c.cmd('NOOP');
  await c.logout();
  const seen = await look(a);
  assert.equal(seen.INBOX.length, 1);
  assert.equal(Object.entries(seen).find(([k]) => /^Restored .*\/INBOX$/.test(k))[1].length, 2);
  const file = path.join(service.dir, 'then.backup');
  await ctl(['mailbox', 'backups', a.address, '--download', file, '--at', then]);
  assert.equal(JSON.parse((await ctl(['mailbox', 'convert', file, '--output', `${file}.sqlite`, '--json'], { input })).stdout).messages, 2);
});

test('what is shipped says nothing in the clear, and goes with the mailbox', async () => {
  const a = await service.alias('purged');
  const id = (await json(['alias', 'show', a.address])).mailbox;
  await service.deliver(a.address, Buffer.from('From: x@example.net\r\nSubject: zebrafish\r\nMessage-ID: <z@x>\r\n\r\nflamingo zebrafish\r\n'));
  await look(a);
  await until('it is shipped', 20000, async () => (await shipped()).waiting_packs === 0 && targetFiles(id).includes('keys'));
  for (const folder of targetFiles('').filter((f) => f.startsWith('ship-'))) {
    for (const f of targetFiles(folder)) {
      const bytes = readFileSync(path.join(service.dir, 'data', 'backups', folder, f));
      assert.ok(!bytes.includes('zebrafish') && !bytes.includes('flamingo') && !bytes.includes('purged@'));
    }
  }
  await ctl(['alias', 'remove', a.address, '--yes']);
  assert.deepEqual([targetFiles(id), targetFiles(`${id}-log`)], [[], []]);
  assert.ok(readdirSync(path.join(service.dir, 'data', 'ship', 'purged')).includes(id), 'what is in shared packs goes with the night');
});

test('a storage that is away keeps nobody from mail', async () => {
  const a = await service.alias();
  const folder = path.join(service.dir, 'data', 'backups');
  await look(a);
  const log = targetFiles('').find((f) => f.startsWith('ship-'));
  await chmod(path.join(folder, log), 0o500);
  try {
    if (process.getuid() === 0) await rename(path.join(folder, log), path.join(folder, `${log}x`)), await import('node:fs/promises').then((f) => f.writeFile(path.join(folder, log), ''));
    for (let i = 1; i <= 5; i++) await service.deliver(a.address, sample(i, 3000));
    await until('packs to wait', 20000, async () => (await shipped()).waiting_packs > 0);
    assert.equal((await look(a)).INBOX.length, 5);
  } finally {
    if (process.getuid() === 0) { const f = await import('node:fs/promises'); await f.rm(path.join(folder, log)); await rename(path.join(folder, `${log}x`), path.join(folder, log)); }
    await chmod(path.join(folder, log), 0o700);
  }
  await until('none to wait', 30000, async () => (await shipped()).waiting_packs === 0);
  assert.equal((await shipped()).gaps, 0);
});

const killed = (args, input, ms) => new Promise((r) => {
  execFile(binary, args, { env: service.env, cwd: service.dir, timeout: ms, killSignal: 'SIGKILL' }, () => r()).stdin.on('error', () => {}).end(input);
});

// Every folder that anything of it goes through: the data folder with staging and spools, the target, where exports go, TMPDIR.
test('at no moment a page or a word stands in the clear: delivery, backup, shipping, restoring, export, and killed in each', async () => {
  const a = await service.alias('observed.reader'), input = `${a.password}\n`;
  const out = path.join(service.dir, 'out'), temp = path.join(service.dir, 'temp');
  await mkdir(out);
  await mkdir(temp);
  const words = ['Quokkasubject', 'wombatbody', 'numbatattachment', 'bandicootflagged'];
  const attached = Buffer.from(`${words[2]} `.repeat(20000));
  const letter = (i, n) => Buffer.from(`From: x@example.net\r\nTo: ${a.address}\r\nSubject: ${words[0]} ${i}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n`
    + `--b\r\n\r\n${`${words[1]} ${i}\r\n`.repeat(n)}\r\n--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n${attached.toString('base64').replace(/.{76}/g, '$&\r\n')}\r\n--b--\r\n`);
  const needles = { 'the password': Buffer.from(a.password), 'the address': Buffer.from('observed.reader@'), 'encoded': Buffer.from(attached.toString('base64', 0, 30)) };
  for (const w of words) needles[w] = Buffer.from(w);
  const watch = await PlainWatch.start({ folders: [service.dir], needles });
  const look_ = async () => watch.roles((await service.status()).roles.map((r) => r.pid).filter((p) => p > 0));
  const was = service.env.TMPDIR;
  let r;
  try {
    service.env.TMPDIR = temp;
    await look_();
    for (let i = 0; i < 3; i++) await service.deliver(a.address, letter(i, 20)); // sealed
    const c = await until('a login', 20000, () => service.imap(a).catch(() => null));
    await c.cmd('CREATE bandicootflagged');
    await c.cmd('SELECT INBOX');
    await until('what waited', 10000, async () => (await c.cmd('STATUS INBOX (MESSAGES)')).some((l) => /MESSAGES 3\b/.test(l)));
    await c.cmd(['APPEND INBOX (wombatbody) ', letter(4, 4000)]);
    for (let i = 5; i < 8; i++) await service.deliver(a.address, letter(i, 200));
    await c.cmd(['SEARCH TEXT ', Buffer.from(words[1])]);
    await c.cmd('COPY 1:3 bandicootflagged');
    await c.logout();
    const then = Date.now();
    await sleep(1200);
    // Each is begun, and the store (or the command, where that writes) dies under it; then it is done.
    const newest = async () => (await json(['mailbox', 'backups', a.address])).at(-1).id; // one a day is kept
    for (const [what, words_, stdin] of [
      ['backup', ['mailbox', 'backup', a.address], input],
      ['restore', ['mailbox', 'restore', a.address, '--backup', newest, '--yes'], ''],
      ['moment', ['mailbox', 'restore', a.address, '--at', new Date(then).toISOString()], ''],
      ['rotate', ['mailbox', 'rotate', a.address], input],
      ['download', ['mailbox', 'backups', a.address, '--download', path.join(out, 'down')], ''],
      ['sqlite', ['mailbox', 'export', a.address, '--format', 'sqlite', '--output', path.join(out, 'all.sqlite')], input],
      ['zip', ['mailbox', 'export', a.address, '--format', 'eml', '--output', path.join(out, 'all.zip')], input],
    ]) {
      await service.deliver(a.address, letter(what, 50));
      const args = await Promise.all(words_.map((w) => (typeof w === 'function' ? w() : w)));
      const here = ['download', 'sqlite', 'zip'].includes(what); // it is the command that writes, and is killed
      const doing = here ? killed(args, stdin, 20 + Math.floor(random() * 150)) : ctl(args, { ok: false, input: stdin });
      if (!here) { await sleep(20 + Math.floor(random() * 150)); await service.kill('store'); }
      await doing;
      await until('the store', 20000, async () => (await look(a).catch(() => null)) !== null);
      await look_();
      if (here) for (const f of readdirSync(out)) await rm(path.join(out, f), { recursive: true });
      r = await ctl(args, { ok: false, input: stdin });

      assert.ok(r.code === 0 || /restored before/.test(r.stderr), `${what}: ${r.code} ${r.stderr}`);
      // Who has not seen it cannot confirm it, and it may be only now that it was restored.
      if (what === 'restore' || what === 'moment') await until('confirmed', 20000, async () => { await look(a).catch(() => null); return (await ctl(['mailbox', 'restore', a.address, '--confirm', '--yes'], { ok: false })).code === 0; });
    }
    await until('all to be shipped', 20000, async () => (await shipped()).waiting_packs === 0);
  } finally {
    service.env.TMPDIR = was;
    if (was === undefined) delete service.env.TMPDIR;
    r = await watch.stop();
  }
  // A zip names its files in the clear, folders among them (doc/export.md).
  assert.deepEqual(r.hits.filter((h) => !/all\.zip\S*: bandicootflagged at/.test(h)), []);
  const kinds = [/\/backups\/ship-.*\.pack$/, /\/backups\/[0-9a-f]+\/.*\.sqlite$/, /\/mailboxes\/.*-wal$/, /\/out\/all\.sqlite/, /\/out\/all\.zip/, /\/out\/down$/];
  for (const k of kinds) assert.ok(r.names.some((n) => k.test(n)), `${k} was looked at: ${r.files} files, ${r.looks} looks`);
  console.log(`# ${r.files} files, ${r.looks} looks, ${r.bytes} bytes`);
});
