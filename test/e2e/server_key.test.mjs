// Another server key: what hung on the old one hangs on the new one, wherever a crash stops the exchange.
import { test, after } from 'node:test';
import assert from 'node:assert/strict';
import { cp, readFile, rm, mkdir, readdir, writeFile, access } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { Service, binary, build, sample } from '../lib/service.mjs';
import { random, runs } from '../lib/runs.mjs';

const EX_CONFIG = 78, EX_TEMPFAIL = 75, EX_DATAERR = 65;
const service = await Service.start();
after(() => service.stop());
const at = (...p) => path.join(service.dir, ...p);
const there = (p) => access(p).then(() => true, () => false);

function run(file, args, options = {}) {
  return new Promise((resolve) => {
    execFile(file, args, { cwd: service.dir, env: service.env, ...options }, (e, stdout, stderr) =>
      resolve({ code: e ? (typeof e.code === 'number' ? e.code : -1) : 0, stdout, stderr }));
  });
}

// LeakSanitizer cannot look while another process traces, which is how kill_step counts.
const traced = (args) => run(path.join(build, 'test/tools/kill_step'), args, {
  env: { ...service.env, ASAN_OPTIONS: `${service.env.ASAN_OPTIONS ?? ''}:detect_leaks=0` },
});

// What somebody with this key file gets out of this folder.
async function thief(key, data) {
  const out = at('loot');
  await rm(out, { recursive: true, force: true });
  await mkdir(out);
  const r = await run(path.join(build, 'test/tools/disk_thief'), [key, data, out]);
  await rm(out, { recursive: true });
  return { opened: Number(/opened (\d+)/.exec(r.stdout)?.[1] ?? -1), broken: Number(/broken (\d+)/.exec(r.stdout)?.[1] ?? -1) };
}

// Two mailboxes; mail waits in both; the second knows a delivery that it has drained already.
const closed = await service.alias(), known = await service.alias();
await service.ctl(['alias', 'password', closed.address, '--current', '--name', 'Phone, grün'], { input: `${closed.password}\n` });
await service.deliver(known.address, sample(1));
{ const c = await service.imap(known); await c.cmd('SELECT INBOX'); await c.logout(); }
for (let i = 2; i < 6; i++) await service.deliver([closed.address, known.address], sample(i));
const loud = /"?alarm"? |store\.(sealed_chain|temporary_|mailbox_older|keys_|notes_unreadable)/;

async function subjects(a) {
  const c = await service.imap(a);
  await c.cmd('SELECT INBOX');
  const lines = await c.cmd('FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])');
  const got = c.literals.map((l) => Number(/letter number (\d+)/i.exec(l.toString())?.[1])).sort((a, b) => a - b);
  assert.ok(lines.length);
  await c.logout();
  return got;
}

test('a service that runs keeps its key', async () => {
  const before = await readFile(at('server.key'), 'utf8');
  const r = await service.ctl(['server-key', 'rotate'], { ok: false });
  assert.equal(r.code, EX_TEMPFAIL);
  assert.match(r.stderr, /in use by letterlock serve/);
  assert.equal(await readFile(at('server.key'), 'utf8'), before);
});

test('it is killed after any step: whoever starts next ends it, and one key opens everything', async () => {
  await service.stop({ keep: true });
  service.exit = undefined;
  const base = at('..', `${path.basename(service.dir)}-base`);
  const fresh = async () => {
    for (const f of ['data', 'server.key']) { await rm(at(f), { recursive: true, force: true }); await cp(path.join(base, f), at(f), { recursive: true }); }
    await rm(at('server.key.next'), { force: true });
  };
  await mkdir(base);
  try {
    for (const f of ['data', 'server.key']) await cp(at(f), path.join(base, f), { recursive: true });
    const whole = await traced(['0', binary, 'server-key', 'rotate']);
    assert.equal(whole.code, 0, whole.stderr);
    const steps = Number(/steps (\d+)/.exec(whole.stderr)[1]);
    assert.ok(steps > 60, `${steps} steps`);
    const tries = Math.min(Number(process.env.ROTATE_KILLS ?? 12), steps), seed = Number(process.env.KILLED_SEED ?? Date.now() % 1e9), chance = random(seed);
    console.log(`# KILLED_SEED=${seed}`);
    let exchanged = 0;
    for (let i = 0; i < tries; i++) {
      const n = tries === steps ? i + 1 : 1 + Math.floor(((i + chance()) * steps) / tries);
      await fresh();
      const killed = await traced([String(n), binary, 'server-key', 'rotate']);
      assert.equal(killed.code, 137, `step ${n}: ${killed.stderr}`);
      const r = await run(binary, ['alias', 'list', '--json']);
      assert.equal(r.code, 0, `after step ${n} of ${steps}: ${r.stderr}`);
      assert.ok(r.stdout.includes(closed.address) && r.stdout.includes(known.address));
      assert.doesNotMatch(r.stderr.replace(/^.*server_key_exchanged.*$/m, ''), loud, `after step ${n}`);
      for (const f of ['server.key.next', 'data/server-key.rotation']) assert.ok(!await there(at(f)), `${f} after step ${n}`);
      const now = await readFile(at('server.key'), 'utf8');
      if (now === await readFile(path.join(base, 'server.key'), 'utf8')) continue;
      exchanged++;
      assert.equal((await thief(path.join(base, 'server.key'), at('data'))).opened, 0, `old key after step ${n}`);
      assert.equal((await thief(at('server.key'), at('data'))).opened, 6, `new key after step ${n}`);
    }
    console.log(`# ${tries} kills at ${steps} steps: ${exchanged} went on to the new key, ${tries - exchanged} had not begun`);
    runs('killed at a step', 'server key', tries, tries === steps ? '' : `KILLED_SEED=${seed}`);
    assert.ok(exchanged > 0);
    await fresh();
  } finally { await rm(base, { recursive: true, force: true }); }
});

test('everything that hung on the old key hangs on the new one, twice in a row', async () => {
  await cp(at('server.key'), at('first.key'));
  let r = await run(binary, ['server-key', 'rotate', '--json']);
  assert.equal(r.code, 0, r.stderr);
  assert.deepEqual(JSON.parse(r.stdout), { databases: 4, temporary_mailboxes: 2, key_files: 2, labels_lost: 0 });
  assert.match(r.stderr, /Every copy of the former server key is stale/);
  r = await run(binary, ['server-key', 'rotate']);
  assert.equal(r.code, 0, r.stderr);
  assert.equal((await thief(at('first.key'), at('data'))).opened, 0);
  assert.ok((await readdir(at('data'))).every((f) => !/rekey|rotation|tmp$/.test(f)));
  const wrong = await run(binary, ['alias', 'list'], { env: { ...service.env, LETTERLOCK_SERVER_KEY: (await readFile(at('first.key'), 'utf8')).trim() } });
  assert.equal(wrong.code, EX_CONFIG);
  assert.match(wrong.stderr, /closed under another server key/);
  service.log = '';
  await service.serve();
  const slots = JSON.parse((await service.ctl(['alias', 'password', closed.address, '--list', '--json'])).stdout);
  assert.deepEqual((slots.slots ?? slots.passwords ?? slots).map((s) => s.name), ['', 'Phone, grün']);
  // sealed to a closed mailbox after the exchange; the known state in the directory still holds
  await service.deliver(closed.address, sample(6));
  assert.deepEqual(await subjects(closed), [2, 3, 4, 5, 6]);
  // a peer that missed our 250 sends again: known in the mailbox, and where it had waited
  for (const i of [1, 2]) await service.deliver(known.address, sample(i));
  assert.deepEqual(await subjects(known), [1, 2, 3, 4, 5]);
  assert.doesNotMatch(service.log, loud);
});

test('the copy under a passphrase is renewed, and only a key in its file is exchanged', async () => {
  await service.stop({ keep: true });
  service.exit = undefined;
  const input = 'Zwölf Boxkämpfer jagen Viktor 99\n';
  const ctl = (args, o) => service.ctl(args, { ok: false, ...o });
  await ctl(['server-key', 'copy', 'server.key.copy'], { input });
  const stale = await ctl(['server-key', 'rotate']);
  assert.match(stale.stderr, /server\.key\.copy is a copy of the former server key/);
  const weak = await ctl(['server-key', 'rotate', '--passphrase'], { input: 'password\n' });
  assert.equal(weak.code, EX_DATAERR);
  const r = await ctl(['server-key', 'rotate', '--passphrase'], { input });
  assert.equal(r.code, 0, r.stderr);
  const key = await readFile(at('server.key'), 'utf8');
  await rm(at('server.key'));
  assert.equal((await ctl(['server-key', 'recover', 'server.key.copy'], { input })).code, 0);
  assert.equal(await readFile(at('server.key'), 'utf8'), key);
  const env = await run(binary, ['server-key', 'rotate'], { env: { ...service.env, LETTERLOCK_SERVER_KEY: key.trim() } });
  assert.equal(env.code, EX_CONFIG);
  assert.match(env.stderr, /comes from the environment/);
  // a damaged file is named, and nothing changes
  const notes = await readFile(at('data/notes.sqlite'));
  const bad = Buffer.from(notes);
  bad[5000] ^= 1;
  await writeFile(at('data/notes.sqlite'), bad);
  const damaged = await ctl(['server-key', 'rotate']);
  assert.equal(damaged.code, EX_DATAERR);
  assert.match(damaged.stderr, /notes\.sqlite: damaged.*nothing was changed/);
  await writeFile(at('data/notes.sqlite'), notes);
  assert.equal(await readFile(at('server.key'), 'utf8'), key);
  await service.serve();
  assert.deepEqual(await subjects(known), [1, 2, 3, 4, 5]);
});
