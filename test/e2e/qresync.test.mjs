// A client that keeps what it knows and comes back with QRESYNC ends equal to one that downloads afresh,
// whatever several sessions did meanwhile. Sequences are random; SEED repeats one,
// SOAK=N runs N of them.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Service } from '../lib/service.mjs';
import { runs as told } from '../lib/runs.mjs';

const runs = Number(process.env.SOAK ?? 4);
const steps = process.env.SOAK ? 120 : 60;

function generator(seed) { // mulberry32
  let a = seed >>> 0;
  return (n) => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

function* numbers(set) {
  for (const part of set.split(',')) {
    const [lo, hi = lo] = part.split(':').map(Number);
    for (let n = lo; n <= hi; n++) yield n;
  }
}

const flagsOf = (text) => text.split(' ').filter((f) => f && f !== '\\Recent').sort().join(' ');

// What a client makes of what it is told, as RFC 7162 has it: nothing else may be needed.
class Client {
  constructor(io, name) { Object.assign(this, { io, name, known: new Map(), selected: false, validity: 0, modseq: 0n, learned: 0 }); }
  take(line) {
    let m;
    if ((m = /^\* VANISHED (?:\(EARLIER\) )?([\d:,]+)$/.exec(line))) {
      for (const uid of numbers(m[1])) this.known.delete(uid);
    } else if (/^\* \d+ EXPUNGE$/.test(line)) {
      assert.fail(`${this.name}: EXPUNGE after ENABLE QRESYNC`);
    } else if ((m = /^\* (\d+) FETCH \((.*)\)$/.exec(line))) {
      const uid = Number(/\bUID (\d+)/.exec(m[2])?.[1]);
      const flags = /FLAGS \(([^)]*)\)/.exec(m[2]);
      const modseq = /MODSEQ \((\d+)\)/.exec(m[2]);
      assert(uid, `${this.name}: no UID in ${line}`);
      assert(modseq, `${this.name}: no MODSEQ in ${line}`);
      if (flags) this.known.set(uid, flagsOf(flags[1]));
      else if (this.silently && this.known.has(uid)) this.known.set(uid, this.silently(this.known.get(uid)));
      if (modseq && BigInt(modseq[1]) > this.modseq) this.modseq = BigInt(modseq[1]);
    } else if ((m = /\[HIGHESTMODSEQ (\d+)\]/.exec(line))) {
      this.modseq = BigInt(m[1]);
    }
  }
  async cmd(text) {
    const lines = await this.io.cmd(text, { ok: false });
    const select = /^(SELECT|EXAMINE)/.test(text);
    const highest = select && BigInt(/\[HIGHESTMODSEQ (\d+)\]/.exec(lines.join('\n'))?.[1] ?? 0);
    for (const l of lines) this.take(l);
    if (select) this.modseq = highest;
    assert(!/^\S+ BAD/.test(lines.at(-1)), `${this.name}: ${text}: ${lines.at(-1)}`);
    return lines;
  }
  async select() {
    const resume = this.validity && this.modseq ? ` (QRESYNC (${this.validity} ${this.modseq}))` : '';
    const lines = await this.cmd(`SELECT INBOX${resume}`);
    this.validity = Number(/UIDVALIDITY (\d+)/.exec(lines.join('\n'))[1]);
    await this.learn();
    this.selected = true;
  }
  // What is new is told by EXISTS only: ask for what is not known yet.
  async learn() {
    await this.cmd(`UID FETCH ${this.learned + 1}:* (FLAGS)`);
    this.learned = Math.max(this.learned, ...this.known.keys());
  }
  async leave() {
    // Whatever was held back is told now, so that the cache and its modseq are of one moment.
    await this.cmd('NOOP');
    await this.learn();
    await this.cmd('UNSELECT');
    this.selected = false;
  }
}

async function open(service, alias, name) {
  const c = new Client(await service.imap(alias), name);
  await c.cmd('ENABLE QRESYNC');
  return c;
}

// What a silent STORE did the client knows itself; which messages, the server says with their MODSEQ.
async function store(c, set, sign, silent, flag, unchanged = '') {
  const change = (was) => {
    const all = new Set(was.split(' ').filter(Boolean));
    if (sign === '') all.clear();
    if (sign === '-') all.delete(flag);
    else all.add(flag);
    return [...all].sort().join(' ');
  };
  c.silently = silent ? change : null;
  await c.cmd(`UID STORE ${set} ${unchanged}${sign}FLAGS${silent ? '.SILENT' : ''} (${flag})`);
  c.silently = null;
}

async function act(c, roll) {
  const set = () => { const lo = 1 + roll(40); return `${lo}:${lo + roll(5)}`; };
  const flags = () => ['\\Seen', '\\Flagged', '\\Deleted', '$One', 'two'][roll(5)];
  const acts = [
    () => c.io.cmd([`APPEND INBOX (${flags()}) `, Buffer.from('Subject: x\r\n\r\ntext\r\n')]).then((l) => l.forEach((x) => c.take(x))),
    () => c.io.cmd([`APPEND INBOX `, Buffer.from('Subject: y\r\n\r\ntext\r\n')]).then((l) => l.forEach((x) => c.take(x))),
    () => store(c, set(), ['+', '-', ''][roll(3)], roll(2) === 1, flags()),
    () => store(c, set(), '+', true, flags(), `(UNCHANGEDSINCE ${c.modseq}) `),
    () => c.cmd(`UID FETCH ${set()} (BODY[TEXT])`).then(() => {}),
    () => c.cmd(`UID COPY ${set()} INBOX`),
    () => c.cmd(`UID MOVE ${set()} ${['INBOX', 'Trash'][roll(2)]}`),
    () => c.cmd('EXPUNGE'),
    () => c.cmd(`UID EXPUNGE ${set()}`),
    () => c.cmd('NOOP'),
    () => c.cmd('SEARCH ALL'),
  ];
  await acts[roll(acts.length)]();
}

async function run(service, seed) {
  const roll = generator(seed);
  const alias = await service.alias();
  const clients = [];
  for (let i = 0; i < 3; i++) clients.push(await open(service, alias, `client ${i + 1}`));
  for (let i = 0; i < steps; i++) {
    const c = clients[roll(clients.length)];
    if (!c.selected) await c.select();
    else if (roll(12) === 0) await c.leave();
    else await act(c, roll);
  }
  for (const c of clients) { if (c.selected) await c.leave(); await c.select(); await c.leave(); }
  const fresh = await open(service, alias, 'fresh');
  await fresh.select();
  for (const c of clients) {
    assert.deepEqual([...c.known].sort((a, b) => a[0] - b[0]), [...fresh.known].sort((a, b) => a[0] - b[0]), c.name);
  }
  for (const c of [...clients, fresh]) await c.io.logout();
}

test('a cache kept with QRESYNC equals a fresh download', { timeout: 3600000 }, async (t) => {
  const service = await Service.start();
  try {
    const first = Number(process.env.SEED ?? Date.now() % 1e9);
    for (let i = 0; i < (process.env.SEED ? 1 : runs); i++) {
      t.diagnostic(`SEED=${first + i}`);
      try {
        await run(service, first + i);
      } catch (e) {
        e.message = `SEED=${first + i}: ${e.message}`;
        throw e;
      }
    }
    told('against a model', 'caches kept with QRESYNC', process.env.SEED ? 1 : runs, `SEED=${first} and on`);
  } finally {
    await service.stop();
  }
});
