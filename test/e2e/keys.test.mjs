// Passwords, their slots and data keys as their owner meets them.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { open, readFile, writeFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { readdirSync } from 'node:fs';
import { Service, sample, until } from '../lib/service.mjs';

let service;
before(async () => { service = await Service.start({ env: { LETTERLOCK_MX_COMMIT_TIMEOUT: '20000' } }); });
after(() => service.stop());

const EX_DATAERR = 65, EX_NOPERM = 77;
const pass = (a, args, input, options = {}) => service.ctl(['alias', 'password', a.address, ...args], { input: input.map((l) => `${l}\n`).join(''), ...options });
const slots = async (a) => JSON.parse((await pass(a, ['--list', '--json'], [])).stdout);
async function further(a, name) {
  const { stdout } = await pass(a, ['--current', '--name', name], [a.password]);
  const { slot } = (await slots(a)).find((s) => s.name === name);
  return { address: a.address, password: stdout.trim(), slot };
}
async function login(a) {
  const c = await service.imap(a, { login: false });
  const last = (await c.cmd(`LOGIN "${a.address}" "${a.password}"`, { ok: false, ms: 60000 })).at(-1);
  c.io.end();
  return last.replace(/^\S+ /, '');
}
// Every letter by its Message-ID, sorted.
async function letters(a) {
  const c = await service.imap(a);
  let ids = [];
  await until('the drain', 15000, async () => {
    const lines = await c.cmd('SELECT INBOX');
    const n = Number(/^\* (\d+) EXISTS/.exec(lines.find((l) => / EXISTS/.test(l)))[1]);
    if (!n) return false;
    await c.cmd('FETCH 1:* BODY.PEEK[]', { ms: 30000 });
    ids = c.literals.map((b) => Number(/^Message-ID: <letter-(\d+)@/m.exec(b.toString('latin1'))[1])).sort((x, y) => x - y);
    c.literals.forEach((b) => assert.ok(b.includes(sample(Number(/<letter-(\d+)@/.exec(b.toString('latin1'))[1])))));
    return letters.expected === undefined || n >= letters.expected;
  });
  await c.logout();
  return ids;
}
async function expectLetters(a, ids) {
  letters.expected = ids.length;
  assert.deepEqual(await letters(a), ids);
}

test('slots have numbers, kinds, dates and names', async () => {
  const a = await service.alias();
  await further(a, 'Phone, grün');
  await pass(a, ['--own', '--name', 'mine'], [a.password, 'Zwölf Boxkämpfer jagen Viktor 77']);
  const list = await slots(a);
  assert.deepEqual(list.map((s) => [s.name, s.kind]), [['', 'generated'], ['Phone, grün', 'generated'], ['mine', 'own']]);
  assert.equal(new Set(list.map((s) => s.slot)).size, 3);
  for (const s of list) assert.ok(Math.abs(Date.parse(s.created) - Date.now()) < 600e3, s.created);
  const text = (await pass(a, ['--list'], [])).stdout;
  assert.match(text, /^ *\d+ +generated +since \d{4}-\d\d-\d\d +Phone, grün$/m);
  assert.match(await login({ ...a, password: 'Zwölf Boxkämpfer jagen Viktor 77' }), /^OK/);
});

test('a wrong --current changes nothing, and the last password stays', async () => {
  const a = await service.alias();
  const [{ slot }] = await slots(a);
  const wrong = ['not-the-password-of-this-one'];
  for (const args of [['--current'], ['--revoke', String(slot)], ['--rotate']])
    assert.equal((await pass(a, args, wrong, { ok: false })).code, EX_NOPERM, args.join(' '));
  const r = await pass(a, ['--revoke', String(slot)], [a.password], { ok: false });
  assert.equal(r.code, EX_DATAERR);
  assert.match(r.stderr, /last password cannot be revoked/);
  assert.equal((await pass(a, ['--revoke', '999'], [a.password], { ok: false })).code, EX_DATAERR);
  assert.equal((await slots(a)).length, 1);
  assert.match(await login(a), /^OK/);
});

test('a ticket of a revoked slot, or of a data key before, does not attach again', async () => {
  for (const how of ['revoke', 'rotate']) {
    const a = await service.alias();
    const phone = await further(a, 'phone');
    const c = await service.imap(phone);
    await c.cmd('SELECT INBOX');
    await service.kill('imap', 'SIGSTOP'); // its ticket waits
    try {
      const [old] = await service.pids('store');
      await service.kill('store');
      await until('another store', 10000, async () => { const [p] = await service.pids('store'); return p && p !== old && (await service.status()).roles.every((r) => r.state === 'ready'); });
      await pass(a, how === 'revoke' ? ['--revoke', String(phone.slot)] : ['--rotate'], [a.password]);
    } finally { await service.kill('imap', 'SIGCONT'); }
    const began = Date.now();
    let last = null;
    for (;;) {
      const l = await c.response(10000);
      if (l === null) break;
      last = l;
    }
    assert.match(last, /^\* BYE/, how);
    assert.ok(Date.now() - began < 5000, `${Date.now() - began} ms`);
    assert.match(await login(phone), how === 'revoke' ? /^NO \[AUTHENTICATIONFAILED\]/ : /^OK/);
  }
});

test('mail that came while the mailbox was closed is readable after rotate and revoke', async () => {
  const a = await service.alias();
  const phone = await further(a, 'phone');
  for (let i = 1; i <= 3; i++) await service.deliver(a.address, sample(i));
  await pass(a, ['--rotate'], [phone.password]);
  for (let i = 4; i <= 6; i++) await service.deliver(a.address, sample(i));
  await pass(a, ['--revoke', String(phone.slot)], [a.password]);
  await pass(a, ['--rotate'], [a.password]);
  for (let i = 7; i <= 9; i++) await service.deliver(a.address, sample(i));
  await expectLetters(a, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  await pass(a, ['--rotate'], [a.password]);
  await service.restart();
  await expectLetters(a, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('rotate with clients at work, and the store killed in the middle of it', async () => {
  const a = await service.alias();
  const ids = [];
  for (let i = 1; i <= 12; i++) {
    await service.deliver(a.address, sample(i, 40000));
    ids.push(i);
  }
  await expectLetters(a, ids);
  for (let round = 0; round < 8; round++) {
    const c = await service.imap(a);
    await c.cmd('SELECT INBOX');
    const n = 100 + round;
    const rotated = pass(a, ['--rotate'], [a.password], { ok: false });
    const killed = new Promise((r) => setTimeout(r, 15 * round)).then(() => service.kill('store'));
    await until(`a letter to be taken in round ${round}`, 30000, () => service.deliver(a.address, sample(n)).then(() => true, (e) => {
      assert.match(e.message, /^4/);
      return false;
    }));
    ids.push(n);
    await Promise.all([rotated, killed]);
    c.io.end();
    await until('the password to open it', 30000, async () => {
      const l = await login(a);
      assert.doesNotMatch(l, /AUTHENTICATIONFAILED/);
      return l.startsWith('OK');
    });
  }
  await until('a rotation to the end', 30000, async () => (await pass(a, ['--rotate'], [a.password], { ok: false })).code === 0);
  await expectLetters(a, ids);
  assert.doesNotMatch(service.log, /store\.(keys_refused|keys_older|sealed_)/);
});

const files = (end) => readdirSync(path.join(service.dir, 'data'), { recursive: true }).filter((f) => f.endsWith(end)).map((f) => path.join(service.dir, 'data', f));
// An alias, and its files' common beginning.
async function known() {
  const before = new Set(files('.keys'));
  const a = await service.alias();
  return { ...a, base: files('.keys').find((f) => !before.has(f)).slice(0, -5) };
}

test('mailbox keys that no waiting mail names are forgotten', async () => {
  const a = await known();
  const size = async () => (await stat(`${a.base}.keys`)).size;
  const first = await size();
  for (let i = 1; i <= 4; i++) {
    await service.deliver(a.address, sample(i)); // names the key before each rotation
    await pass(a, ['--rotate'], [a.password]);
  }
  const waiting = await size();
  assert.ok(waiting - first > 4 * 1216, 'all are kept while their mail waits');
  await expectLetters(a, [1, 2, 3, 4]);
  await until('the old ones to go', 10000, async () => (await size()) < waiting - 4 * 1216);
  for (let i = 0; i < 4; i++) await pass(a, ['--rotate'], [a.password]);
  assert.ok((await size()) - first < 4 * 1216, 'nothing waits: none is kept');
  await service.deliver(a.address, sample(5));
  await expectLetters(a, [1, 2, 3, 4, 5]);
});

test('files older than what was noted of them are an alarm, and mail goes on', async () => {
  const a = await known(), b = await known();
  const temp = () => files('.sqlite').find((f) => f.startsWith(`${b.base}-tmp-`));
  await service.deliver(a.address, sample(1));
  await expectLetters(a, [1]);
  await service.deliver(b.address, sample(1));
  await service.stop({ keep: true });
  const keep = await readFile(`${a.base}.sqlite`), keepTemp = await readFile(temp());
  service.exit = undefined;
  await service.serve();
  await service.deliver(a.address, sample(2));
  await expectLetters(a, [1, 2]);
  await service.deliver(b.address, sample(2));
  await service.stop({ keep: true });
  assert.doesNotMatch(service.log, /than_noted|temporary_missing|notes_unreadable/);
  await writeFile(`${a.base}.sqlite`, keep);
  await writeFile(temp(), keepTemp);
  service.exit = undefined;
  await service.serve();
  await service.deliver(b.address, sample(3));
  await until('the line', 5000, () => /store\.temporary_older_than_noted/.test(service.log));
  await expectLetters(a, [1]);
  assert.match(service.log, /store\.mailbox_older_than_noted/);
  await service.stop({ keep: true });
  await rm(temp());
  service.log = '';
  service.exit = undefined;
  await service.serve();
  assert.match(await login(b), /^OK/);
  await until('the line', 5000, () => /store\.temporary_missing/.test(service.log));
  await service.restart();
  service.log = '';
  await service.deliver(b.address, sample(4));
  await expectLetters(b, [4]);
  await expectLetters(a, [1]);
  assert.doesNotMatch(service.log, /than_noted|temporary_missing/, 'said once');
});

test('starting over: empty, under a new password; the old ones open nothing', async () => {
  const a = await service.alias();
  await service.deliver(a.address, sample(1));
  const c = await service.imap(a);
  const over = await pass(a, ['--start-over', '--name', 'new'], [a.address]);
  let last = null;
  for (let l; (l = await c.response(10000)) !== null;) last = l;
  assert.match(last, /^\* BYE/);
  assert.match(await login(a), /^NO \[AUTHENTICATIONFAILED\]/);
  const now = { ...a, password: over.stdout.trim() };
  await service.deliver(a.address, sample(2));
  await expectLetters(now, [2]);
});

test('damage in one copy of .keys is mended and told', async () => {
  const a = await service.alias();
  const b = await known();
  const file = `${b.base}.keys`;
  const spoil = async () => {
    const h = await open(file, 'r+');
    await h.write(Buffer.from([0xff, 0x00, 0xff, 0x00]), 0, 4, 200);
    await h.close();
  };
  await spoil();
  assert.match(await login(b), /^OK/);
  await until('the line', 5000, () => /store\.keys_mended/.test(service.log));
  assert.match(await login(a), /^OK/);
  const marks = service.log.match(/store\.keys_mended/g).length;
  assert.match(await login(b), /^OK/);
  assert.equal(service.log.match(/store\.keys_mended/g).length, marks, 'it is whole again');
});
