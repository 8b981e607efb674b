// Whole IMAP sessions made at random, against the real service and its store: commands of the transcripts, some of them as they
// are and some bent, in any order, cut anywhere. Whatever comes in, the answers are IMAP's, a connection that its client ends
// does end, no role dies, and the mailbox is whole afterwards. SEED repeats a run, SOAK=N makes N sessions.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { randomInt } from 'node:crypto';
import path from 'node:path';
import { Service, root, sample } from '../lib/service.mjs';
import { runs } from '../lib/runs.mjs';

const seed = Number(process.env.SEED ?? randomInt(2 ** 31));
const sessions = Number(process.env.SOAK ?? 60);
const AT_ONCE = 4;
const WORDS = ['0', '1', '4294967295', '4294967296', '*', '1:*', '$', '""', 'NIL', '()', '{3}\r\n', '{0+}\r\n', '~{2+}\r\n\0\r', '"\\', '\x80\xff', '(', ')', '[', ']<0.1>',
  'INBOX', 'UID ', 'BODY[]', 'BODY.PEEK[1.MIME]<5.9>', 'RETURN (SAVE)', 'FUZZY ', 'NOT ', 'OR ', '(((((((((('];
// what turns the stream into something else, or the test's own clock against it
const LEFT_OUT = /COMPRESS|STARTTLS|AUTHENTICATE|UNAUTHENTICATE|LOGIN|LOGOUT/i;

let service, alias, answered = 0;
before(async () => { service = await Service.start({ env: { LETTERLOCK_SERVER_RESTART_MAX: '100' } }); alias = await service.alias(); });
after(() => service?.stop());

function generator(state) { // mulberry32
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

function* files(dir) {
  for (const e of readdirSync(dir, { withFileTypes: true })) {
    if (e.isDirectory()) yield* files(path.join(dir, e.name));
    else if (e.name.endsWith('.t')) yield path.join(dir, e.name);
  }
}

// Every command of a client, without its tag.
function commands() {
  const all = new Set();
  for (const f of files(path.join(root, 'test/transcripts/imap')))
    for (const line of readFileSync(f, 'latin1').split('\n')) {
      const m = /^C\d*: \S+ (.*?)(?:\s{2,}S\d*:.*)?$/.exec(line);
      if (m && !LEFT_OUT.test(m[1])) all.add(m[1].replace(/\\r\\n/g, '\r\n').replace(/\\c$/, ''));
    }
  return [...all].sort();
}

const SELECT = 'SELECT INBOX';
function bent(text, pick, all) {
  for (let n = 1 + pick(3); n > 0; n--) {
    const at = pick(text.length + 1), end = at + pick(12);
    const by = [
      () => String.fromCharCode(pick(256)), () => '', () => text.slice(at, end).repeat(2 + pick(3)),
      () => WORDS[pick(WORDS.length)], () => all[pick(all.length)].slice(pick(10)),
    ][pick(5)]();
    text = text.slice(0, at) + by + text.slice(by ? at : end);
  }
  return text;
}

function session(pick, all) {
  const lines = [SELECT];
  for (let n = 8 + pick(30); n > 0; n--) {
    const text = all[pick(all.length)];
    lines.push(pick(5) === 0 ? SELECT : pick(3) === 0 ? bent(text, pick, all) : text);
    if (/IDLE/i.test(lines.at(-1))) lines.push(null);
  }
  return Buffer.from(`${lines.map((l, i) => (l === null ? 'DONE' : `z${i} ${l}`)).join('\r\n')}\r\n`, 'latin1');
}

// The answers until the connection ends; `said` was sent.
async function answers(c, said) {
  for (;;) {
    let line;
    try { line = await c.response(60000); } catch (e) {
      if (/ECONNRESET|EPIPE|closed inside/.test(`${e.code} ${e.message}`)) return; // it was ended by the other side while we wrote
      throw e;
    }
    if (line === null) return;
    if (/^\S+ (OK|NO|BAD)/.test(line) && !line.startsWith('*')) answered++;
    assert.match(line, /^(\* |\+|[^\s(){%*"\\]+ (OK|NO|BAD) )/, `said: ${said.toString('latin1')}\n`);
  }
}

async function play(pick, all) {
  const c = await service.imap(alias);
  const said = session(pick, all);
  const heard = answers(c, said);
  for (let at = 0; at < said.length;) {
    const n = 1 + pick(pick(4) === 0 ? 3 : 900);
    await c.io.write(said.subarray(at, at + n)).catch(() => {});
    at += n;
  }
  c.io.socket.end();
  await heard;
  c.io.end();
}

const pids = async () => Object.fromEntries((await service.status()).roles.map((r) => [`${r.name} ${r.number ?? 0}`, r.pid]));

test('whatever a client says, the service lives and the mailbox is whole', { timeout: 600000 + sessions * 2000 }, async () => {
  console.log(`# seed ${seed}, ${sessions} sessions`);
  const all = commands();
  assert.ok(all.length > 500, `${all.length} commands`);
  for (let i = 1; i <= 5; i++) await service.deliver(alias.address, sample(i));
  const began = await pids();
  for (let i = 0; i < sessions; i += AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, sessions - i) }, (_, k) => play(generator(seed + i + k), all)));
  assert.deepEqual(await pids(), began, 'no role was started again');
  console.log(`# ${answered} commands were answered`);
  runs('against a model', 'sessions of bent commands: all roles live, folders are what they say', sessions, `SEED=${seed}`);
  const c = await service.imap(alias);
  const names = (await c.cmd('LIST "" * RETURN (STATUS (MESSAGES))')).map((l) => /^\* STATUS (.*) \(MESSAGES (\d+)\)$/.exec(l)).filter(Boolean);
  for (const [, name, n] of names) {
    const exists = (await c.cmd(`EXAMINE ${name}`)).find((l) => / EXISTS$/.test(l));
    assert.equal(exists, `* ${n} EXISTS`, name);
    if (n === '0') continue;
    assert.equal((await c.cmd('FETCH 1:* (UID FLAGS RFC822.SIZE)')).filter((l) => / FETCH /.test(l)).length, Number(n), name);
  }
  await c.logout();
  const r = await service.ctl(['mailbox', 'check', alias.address], { input: `${alias.password}\n`, ok: false });
  assert.equal(r.code, 0, r.stdout + r.stderr);
});
