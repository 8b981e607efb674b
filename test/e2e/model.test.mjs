// Random sequences of IMAP commands from several sessions against a model of IMAP in memory. The model knows what a
// folder holds; every session's view is kept from what it is told alone, and checked against the rules of RFC 9051:
// numbers that fit, EXPUNGE only when it may come, flags and UIDs as they are, modseqs that only grow, searches that
// find what they should, and after NOOP, IDLE or a return with QRESYNC nothing that was not told.
// SEED repeats a run, SOAK=N does N of them.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Service } from '../lib/service.mjs';
import { runs as told } from '../lib/runs.mjs';

const runs = Number(process.env.SOAK ?? 6);
const steps = 140;
const FLAGS = ['\\Seen', '\\Flagged', '\\Deleted', '\\Answered', '$One', 'two'];
const NAMES = ['INBOX', 'Work', 'Work/Deep', 'Other', 'Été'];

function generator(seed) { // mulberry32
  let a = seed >>> 0;
  return (n) => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

// ---- the model: folders as they are ---------------------------------------------------------------

class Folder {
  constructor(name) { this.name = name; this.messages = new Map(); this.next = 1; this.validity = 0; this.modseq = 0n; this.deleted = false; }
  add(uid, flags, text) {
    assert(uid >= this.next, `UID ${uid} below UIDNEXT ${this.next} in ${this.name}`);
    this.next = uid + 1;
    this.messages.set(uid, { uid, flags: new Set(flags), text, modseq: 0n });
  }
  uids() { return [...this.messages.keys()]; }
}

const key = (flags) => [...flags].filter((f) => f !== '\\Recent').sort().join(' ');
const utf7 = (name) => name.replace('Été', '&AMk-t&AOk-');

function* numbers(set) {
  for (const part of set.split(',')) {
    const [a, b = a] = part.split(':').map(Number);
    for (let n = Math.min(a, b); n <= Math.max(a, b); n++) yield n;
  }
}

// ---- a session: what its client was told ----------------------------------------------------------

class Session {
  constructor(world, name, qresync) {
    Object.assign(this, { world, name, qresync, folder: null, view: [], flags: new Map(), seen: 0n, kept: new Map(), log: [], validity: 0, found: null });
  }
  async open() {
    this.io = await this.world.service.imap(this.world.alias);
    this.folder = null;
    if (this.qresync) await this.cmd('ENABLE QRESYNC');
  }
  fail(why) { assert.fail(`${this.name}: ${why}\n  ${this.log.slice(-12).join('\n  ')}`); }
  must(ok, why) { if (!ok) this.fail(why); }

  // One untagged line. `during`: the command; EXPUNGE may not come in the middle of some.
  take(line, during) {
    this.log.push(`${this.name} < ${line.slice(0, 300)}`);
    let m;
    if (!this.folder && !/^(SELECT|EXAMINE)/.test(during)) return;
    if ((m = /^\* (\d+) EXISTS$/.exec(line))) this.exists(Number(m[1]), /^(SELECT|EXAMINE)/.test(during));
    else if ((m = /^\* (\d+) EXPUNGE$/.exec(line))) {
      this.must(!this.qresync, 'EXPUNGE after ENABLE QRESYNC (RFC 7162 3.2.10)');
      this.quiet(during);
      this.expunge(Number(m[1]));
    } else if ((m = /^\* VANISHED (\(EARLIER\) )?([\d:,]+)$/.exec(line))) {
      this.must(this.qresync, 'VANISHED without QRESYNC');
      if (m[1]) { for (const u of numbers(m[2])) this.flags.delete(u); return; }
      this.quiet(during);
      for (const u of numbers(m[2])) {
        const at = this.view.indexOf(u);
        if (at >= 0) this.expunge(at + 1);
        else {
          // One whose UID was not asked for yet: it stands behind all smaller ones that are known.
          let n = 0;
          this.view.forEach((x, k) => { if (x && x < u) n = k + 1; });
          this.must(n < this.view.length && this.view[n] === 0, `VANISHED ${u}, which this client has not`);
          this.expunge(n + 1);
        }
      }
    } else if ((m = /^\* (\d+) FETCH \((.*)\)$/.exec(line))) this.fetched(Number(m[1]), m[2], during);
    else if ((m = /^\* SEARCH(.*)$/.exec(line))) this.found = m[1].replace(/\(MODSEQ \d+\)/, '').trim().split(' ').filter(Boolean).map(Number);
    else if ((m = /^\* OK \[HIGHESTMODSEQ (\d+)\]/.exec(line))) this.highest = BigInt(m[1]);
    else if ((m = /^\* OK \[UIDVALIDITY (\d+)\]/.exec(line))) this.told = Number(m[1]);
  }
  quiet(during) { this.must(!/^(FETCH|STORE|SEARCH)/.test(during), `EXPUNGE during ${during} (RFC 9051 7.5.1)`); }
  exists(n, select) {
    if (select) this.view = new Array(n).fill(0);
    this.must(n >= this.view.length, `EXISTS ${n} after ${this.view.length}`);
    while (this.view.length < n) this.view.push(0);
  }
  expunge(n) {
    this.must(n >= 1 && n <= this.view.length, `EXPUNGE ${n} of ${this.view.length}`);
    const uid = this.view[n - 1];
    this.must(!uid || !this.world.calm || this.folder.deleted || !this.folder.messages.has(uid) || this.leaving?.has(uid), `EXPUNGE of ${uid}, which is there`);
    this.view.splice(n - 1, 1);
    this.flags.delete(uid);
  }
  fetched(n, text, during) {
    this.must(n >= 1 && n <= this.view.length, `FETCH ${n} of ${this.view.length}`);
    const uid = Number(/\bUID (\d+)/.exec(text)?.[1] ?? 0);
    const flags = /FLAGS \(([^)]*)\)/.exec(text);
    const modseq = /MODSEQ \((\d+)\)/.exec(text);
    if (uid) {
      this.must(!this.view[n - 1] || this.view[n - 1] === uid, `FETCH ${n} has UID ${uid}, was ${this.view[n - 1]}`);
      const at = this.view.indexOf(uid);
      this.must(at < 0 || at === n - 1, `UID ${uid} stands at ${at + 1} and ${n}`);
      this.view[n - 1] = uid;
      const known = this.view.filter(Boolean);
      this.must(known.every((u, i) => i === 0 || u > known[i - 1]), `UIDs do not ascend: ${this.view}`);
    }
    const id = this.view[n - 1];
    if (!id) return;
    const real = during === 'IDLE' || !this.world.calm ? null : this.folder.messages.get(id); // an idler may be told what was
    if (modseq) {
      const value = BigInt(modseq[1]);
      if (value > this.seen) this.seen = value;
      this.must(value >= (this.modseqs.get(id) ?? 0n), `modseq of ${id} went from ${this.modseqs.get(id)} to ${value} in one session`);
      this.modseqs.set(id, value);
      if (real) {
        this.must(value >= real.modseq, `modseq of ${id} went from ${real.modseq} to ${value}`);
        real.modseq = value;
      }
    }
    if (flags) {
      const told = key(flags[1].split(' ').filter(Boolean));
      this.flags.set(id, told);
      if (real) this.must(told === key(real.flags), `flags of ${id}: ${told}, should be ${key(real.flags)}`);
    }
  }
  async cmd(command, { literal, may = /^(OK)/ } = {}) {
    this.log.push(`${this.name} > ${command}`);
    this.world.said(`${this.name} > ${command}`);
    const lines = await this.io.cmd(literal ? [command, literal] : command, { ok: false });
    for (const l of lines.slice(0, -1)) this.take(l, command.replace(/^UID (FETCH|STORE|SEARCH)/, 'U-$1'));
    const end = lines.at(-1).replace(/^\S+ /, '');
    this.log.push(`${this.name} < ${end}`);
    this.must(may.test(end), `${command}: ${end}`);
    const h = /\[HIGHESTMODSEQ (\d+)\]/.exec(end);
    if (h) this.highest = BigInt(h[1]);
    return { end, lines };
  }

  // ---- what a client does
  async select(folder, examine) {
    const kept = this.qresync ? this.kept.get(folder) : null;
    const back = kept && kept.validity === folder.validity && kept.modseq ? ` (QRESYNC (${kept.validity} ${kept.modseq}))` : this.world.roll(2) ? ' (CONDSTORE)' : '';
    this.flags = new Map(back.includes('QRESYNC') ? kept.flags : []);
    this.modseqs = new Map();
    this.folder = folder;
    this.seen = 0n;
    // VANISHED (EARLIER) and FETCH come with numbers of the new view, which is not numbered yet: UIDs tell.
    const resumed = [];
    const take = this.take;
    this.take = function (line, during) {
      const m = /^\* \d+ FETCH \((.*)\)$/.exec(line);
      if (m) { this.log.push(`${this.name} < ${line}`); resumed.push(m[1]); } else take.call(this, line, during);
    };
    await this.cmd(`${examine ? 'EXAMINE' : 'SELECT'} "${utf7(folder.name)}"${back}`).finally(() => { delete this.take; });
    for (const text of resumed) this.flags.set(Number(/UID (\d+)/.exec(text)[1]), key(/FLAGS \(([^)]*)\)/.exec(text)[1].split(' ').filter(Boolean)));
    if (!folder.validity) folder.validity = this.told;
    this.must(this.told === folder.validity, `UIDVALIDITY ${this.told}, was ${folder.validity}`);
    this.must(this.highest >= folder.modseq, `HIGHESTMODSEQ ${this.highest} after ${folder.modseq}`);
    folder.modseq = this.highest;
    this.examined = examine;
    if (this.world.calm) this.must(this.view.length === folder.messages.size, `EXISTS ${this.view.length} of ${folder.messages.size}`);
    await this.ask();
    if (back.includes('QRESYNC')) this.same('after the return with QRESYNC');
  }
  // The UIDs and flags of what is not known yet.
  async ask() {
    const first = this.view.findIndex((u) => !u || !this.flags.has(u));
    if (this.view.length && first >= 0) {
      const last = Math.max(0, ...this.view.slice(0, first));
      await this.cmd(`UID FETCH ${last + 1}:* (UID FLAGS${this.world.roll(2) ? ' MODSEQ' : ''})`);
    }
    this.must(this.view.every((u) => u), `unknown numbers after FETCH: ${this.view}`);
  }
  async leave(how) {
    if (this.qresync) {
      await this.settle();
      const folder = this.folder;
      this.kept.set(folder, { validity: folder.validity, modseq: this.mark(), flags: new Map(this.flags) });
    }
    if (how === 'CLOSE' && !this.examined) this.world.expunged(this.folder, this);
    const folder = this.folder;
    this.folder = null;
    this.view = [];
    if (how === 'drop') { this.io.io.end(); await this.open(); } else await this.cmd(how);
    return folder;
  }
  mark() { return this.seen > this.highest ? this.seen : this.highest; }
  async settle() {
    await this.cmd('NOOP');
    await this.ask();
    if (this.world.calm) this.same('after NOOP');
  }
  same(when) {
    const real = this.folder.messages;
    assert.deepEqual(this.view, [...real.keys()], `${this.name}: UIDs ${when}\n  ${this.log.slice(-14).join('\n  ')}`);
    for (const [uid, m] of real) this.must(this.flags.get(uid) === key(m.flags), `${when}: flags of ${uid} are ${this.flags.get(uid)}, should be ${key(m.flags)}`);
    for (const uid of this.flags.keys()) this.must(real.has(uid), `${when}: ${uid} is kept, and gone`);
  }
}

// ---- the world --------------------------------------------------------------------------------------

class World {
  constructor(service, alias, roll) { Object.assign(this, { service, alias, roll, folders: new Map(), sessions: [], calm: true, texts: 0, script: [] }); }
  said(text) { this.script.push(text); }
  pick(list) { return list[this.roll(list.length)]; }
  some(from, n) { return from.filter(() => this.roll(from.length) < n); }
  // [text, uids] of a set in numbers of this session, UIDs or sequence numbers.
  set(s, uid) {
    const n = s.view.length;
    if (!n) return uid ? ['1:*', []] : null;
    const at = this.roll(n), to = Math.min(n - 1, at + this.roll(4));
    const uids = s.view.slice(at, to + 1);
    const odd = this.roll(n);
    if (this.roll(3) === 0 && !uids.includes(s.view[odd])) uids.push(s.view[odd]);
    if (this.roll(8) === 0) return [uid ? `${s.view[at]}:*` : `*:${at + 1}`, s.view.slice(at), true];
    return [uids.map((u) => (uid ? u : s.view.indexOf(u) + 1)).join(','), uids];
  }
  alive(s, uids) { return uids.filter((u) => s.folder.messages.has(u)); }
  expunged(folder, by, only) {
    const gone = [...folder.messages.values()].filter((m) => m.flags.has('\\Deleted') && (!only || only.includes(m.uid))).map((m) => m.uid);
    for (const u of gone) folder.messages.delete(u);
    return gone;
  }
}

const acts = {
  async append(w, s) {
    const folder = w.pick([...w.folders.values()]), flags = w.some(FLAGS, 1), text = `letter ${++w.texts}`;
    const { end } = await s.cmd(`APPEND "${utf7(folder.name)}" (${flags.join(' ')}) `, { literal: Buffer.from(`Subject: ${text}\r\n\r\n${text}\r\n`) });
    const m = /\[APPENDUID (\d+) (\d+)\]/.exec(end);
    s.must(m, 'no APPENDUID');
    folder.validity ||= Number(m[1]);
    s.must(Number(m[1]) === folder.validity, 'UIDVALIDITY of APPENDUID');
    folder.add(Number(m[2]), flags, text);
  },
  async store(w, s) {
    if (!s.folder || s.examined) return;
    const uid = w.roll(2) === 0, set = w.set(s, uid);
    if (!set) return;
    const sign = w.pick(['+', '-', '']), flags = w.some(FLAGS, 2), silent = w.roll(3) === 0;
    const alive = w.alive(s, set[1]);
    for (const u of alive) {
      const f = s.folder.messages.get(u).flags;
      if (sign === '') f.clear();
      for (const x of flags) if (sign === '-') f.delete(x); else f.add(x);
      if (silent) s.flags.set(u, key(f));
    }
    await s.cmd(`${uid ? 'UID ' : ''}STORE ${set[0]} ${sign}FLAGS${silent ? '.SILENT' : ''} (${flags.join(' ')})`, { may: alive.length < set[1].length ? /^(OK|NO)/ : /^OK/ });
    if (!silent) for (const u of alive) s.must(s.flags.get(u) === key(s.folder.messages.get(u).flags), `STORE did not tell ${u}`);
  },
  async fetch(w, s) {
    if (!s.folder) return;
    const uid = w.roll(2) === 0, set = w.set(s, uid);
    if (!set) return;
    const text = w.roll(3) === 0;
    const { lines } = await s.cmd(`${uid ? 'UID ' : ''}FETCH ${set[0]} (UID FLAGS${text ? ' BODY.PEEK[TEXT]' : ''})`, { may: /^(OK|NO \[EXPUNGEISSUED\])/ });
    for (const u of w.alive(s, set[1])) s.must(s.flags.has(u), `${u} was not fetched`);
    if (text) {
      const bodies = lines.filter((l) => /BODY\[TEXT\] \{\d+\}/.test(l)).map((l) => Number(/UID (\d+)/.exec(l)[1]));
      bodies.forEach((u, i) => { const m = s.folder.messages.get(u); if (m) s.must(s.io.literals[i].toString() === `${m.text}\r\n`, `body of ${u}`); });
    }
  },
  async search(w, s) {
    if (!s.folder) return;
    const uid = w.roll(2) === 0, x = w.pick(FLAGS), y = w.pick(FLAGS);
    const name = (f) => (f[0] === '\\' ? f.slice(1).toUpperCase() : `KEYWORD ${f}`);
    const set = w.set(s, true)[0] || '1:*';
    const uids = new Set(set === '1:*' ? s.view : set.endsWith('*') ? s.view.filter((u) => u >= Number(set.split(':')[0]) || u === s.view.at(-1)) : numbers(set));
    const [text, hit] = w.pick([
      ['ALL', () => true], [name(x), (f) => f.has(x)], [`NOT ${name(x)}`, (f) => !f.has(x)], [`OR ${name(x)} NOT ${name(y)}`, (f) => f.has(x) || !f.has(y)],
      [`NOT (${name(x)} ${name(y)})`, (f) => !(f.has(x) && f.has(y))], [`UID ${set} ${name(x)}`, (f, u) => uids.has(u) && f.has(x)],
    ]);
    const view = [...s.view];
    s.found = null;
    await s.cmd(`${uid ? 'UID ' : ''}SEARCH ${text}`);
    s.must(s.found, 'no SEARCH response');
    const got = new Set(uid ? s.found : s.found.map((n) => { s.must(n >= 1 && n <= view.length, `SEARCH found number ${n} of ${view.length}`); return view[n - 1]; }));
    for (const u of view) {
      const m = s.folder.messages.get(u);
      if (m) s.must(got.has(u) === hit(m.flags, u), `SEARCH ${text}: ${u} (${key(m.flags)}) ${got.has(u) ? '' : 'not '}found`);
    }
    for (const u of got) s.must(view.includes(u), `SEARCH found ${u}, which this client was not told of`);
  },
  copy: (w, s) => transfer(w, s, 'COPY'),
  move: (w, s) => transfer(w, s, 'MOVE'),
  async expunge(w, s) {
    if (!s.folder || s.examined) return;
    w.expunged(s.folder, s);
    await s.cmd('EXPUNGE');
    for (const u of s.view) s.must(!u || s.folder.messages.has(u), `${u} is gone, which EXPUNGE did not tell`);
  },
  async uidExpunge(w, s) {
    if (!s.folder || s.examined) return;
    const set = w.set(s, true);
    const only = set[1]; // '*' is the last one that this client knows of
    w.expunged(s.folder, s, only);
    await s.cmd(`UID EXPUNGE ${set[0]}`);
  },
  async noop(w, s) { if (s.folder) await s.settle(); else await s.cmd('NOOP'); },
  async idle(w, s) {
    if (!s.folder) return;
    await s.io.io.write('idle IDLE\r\n');
    w.said(`${s.name} > IDLE`);
    s.log.push(`${s.name} > IDLE`);
    let line;
    while (!/^\+/.test(line = await s.io.response())) s.take(line, 'IDLE');
    for (let i = w.roll(3); i > 0; i--) {
      const other = w.pick(w.sessions.filter((o) => o !== s));
      await act(w, other, ['append', 'store', 'move', 'expunge', 'copy', 'fetch']);
    }
    await s.io.io.write('DONE\r\n');
    w.said(`${s.name} > DONE`);
    while (!/^idle OK/.test(line = await s.io.response())) s.take(line, 'IDLE');
    await s.ask();
    s.same('after IDLE');
  },
  async select(w, s) { if (s.folder) await s.leave(w.pick(['CLOSE', 'UNSELECT', 'UNSELECT', 'drop'])); await s.select(w.pick([...w.folders.values()]), w.roll(6) === 0); },
  async create(w, s) {
    const free = NAMES.filter((n) => !w.folders.has(n));
    if (!free.length) return;
    const name = w.pick(free);
    await s.cmd(`CREATE "${utf7(name)}"`);
    w.folders.set(name, new Folder(name));
    if (name === 'Work/Deep' && !w.folders.has('Work')) w.folders.set('Work', new Folder('Work'));
  },
  async rename(w, s) {
    const from = w.pick([...w.folders.keys()].filter((n) => n !== 'INBOX' && n !== 'Work'));
    const to = w.pick(NAMES.filter((n) => !w.folders.has(n) && n !== 'Work/Deep' && n !== 'Work'));
    if (!from || !to) return;
    await s.cmd(`RENAME "${utf7(from)}" "${utf7(to)}"`);
    const folder = w.folders.get(from);
    w.folders.delete(from);
    folder.name = to;
    w.folders.set(to, folder);
  },
  async delete(w, s) {
    const name = w.pick([...w.folders.keys()].filter((n) => n !== 'INBOX' && n !== 'Work'));
    if (!name) return;
    const folder = w.folders.get(name);
    if (s.folder === folder) await s.leave('UNSELECT');
    await s.cmd(`DELETE "${utf7(name)}"`);
    w.folders.delete(name);
    for (const o of w.sessions.filter((x) => x.folder === folder)) { // it is told with BYE, or the next command is
      await o.io.cmd('NOOP', { ok: false }).then(() => o.fail('the folder was deleted, and nothing told')).catch((e) => { if (!/connection closed/.test(e.message)) throw e; });
      o.io.io.end();
      await o.open();
      o.view = [];
    }
    for (const o of w.sessions) o.kept.delete(folder);
  },
  async status(w, s) {
    const folder = w.pick([...w.folders.values()]);
    const { lines } = await s.cmd(`STATUS "${utf7(folder.name)}" (MESSAGES UIDNEXT UNSEEN HIGHESTMODSEQ)`);
    const m = /MESSAGES (\d+) UIDNEXT (\d+) UNSEEN (\d+) HIGHESTMODSEQ (\d+)/.exec(lines.join());
    const unseen = [...folder.messages.values()].filter((x) => !x.flags.has('\\Seen')).length;
    s.must(Number(m[1]) === folder.messages.size && Number(m[3]) === unseen, `STATUS of ${folder.name}: ${m[0]}, should be ${folder.messages.size} and ${unseen}`);
    s.must(Number(m[2]) >= folder.next, `UIDNEXT ${m[2]}, was ${folder.next}`);
    s.must(BigInt(m[4]) >= folder.modseq, `HIGHESTMODSEQ ${m[4]} after ${folder.modseq}`);
    folder.modseq = BigInt(m[4]);
  },
};

async function transfer(w, s, verb) {
  if (!s.folder || (verb === 'MOVE' && s.examined)) return;
  const uid = w.roll(2) === 0, set = w.set(s, uid);
  if (!set) return;
  const to = w.pick([...w.folders.values()]), from = s.folder;
  const before = new Map([...from.messages].map(([u, m]) => [u, { ...m, flags: new Set(m.flags) }]));
  if (verb === 'MOVE') s.leaving = new Set(from.uids());
  const { end, lines } = await s.cmd(`${uid ? 'UID ' : ''}${verb} ${set[0]} "${utf7(to.name)}"`, { may: /^(OK|NO)/ });
  s.leaving = null;
  const m = /\[COPYUID (\d+) ([\d:,]+) ([\d:,]+)\]/.exec([end, ...lines].find((l) => /COPYUID/.test(l)) ?? '');
  if (!m) {
    s.must(w.alive(s, set[1]).length === 0 || (/^NO/.test(end) && w.alive(s, set[1]).length < set[1].length), `${verb} of messages that are there: ${end}`);
    return;
  }
  to.validity ||= Number(m[1]);
  s.must(Number(m[1]) === to.validity, 'UIDVALIDITY of COPYUID');
  const was = [...numbers(m[2])], is = [...numbers(m[3])];
  s.must(was.length === is.length, `COPYUID ${m[2]} ${m[3]}`);
  const want = w.alive(s, set[1]);
  for (const u of want) s.must(was.includes(u), `${verb} left ${u} out`);
  for (const u of was) s.must(want.includes(u), `${verb} took ${u}, which was not named`);
  is.forEach((u, i) => to.add(u, before.get(was[i]).flags, before.get(was[i]).text));
  if (verb === 'MOVE') for (const u of was) from.messages.delete(u);
}

async function act(w, s, among) {
  if (!s.folder && w.roll(3)) return acts.select(w, s);
  const weights = among ?? ['append', 'append', 'append', 'store', 'store', 'store', 'fetch', 'search', 'search', 'copy', 'move', 'expunge', 'uidExpunge',
    'noop', 'idle', 'select', 'create', 'rename', 'delete', 'status'];
  await acts[w.pick(weights)](w, s);
  if (s.folder && !s.view.every((u) => u)) await s.ask();
}

// All at once: whatever the order was, afterwards everybody sees what a fresh download sees.
async function storm(w) {
  w.calm = false;
  const inbox = w.folders.get('INBOX');
  for (const s of w.sessions) if (s.folder !== inbox || s.examined) { if (s.folder) await s.leave('UNSELECT'); await s.select(inbox, false); }
  await Promise.all(w.sessions.map(async (s) => {
    for (let i = 0; i < 4; i++) {
      const n = s.view.length;
      const set = () => { const a = 1 + w.roll(n || 1); return `${a}:${Math.min(n || 1, a + w.roll(4))}`; };
      const flag = w.pick(FLAGS);
      const what = w.pick([`STORE ${set()} +FLAGS (${flag})`, `STORE ${set()} -FLAGS (${flag})`, `FETCH ${set()} (FLAGS)`, `SEARCH ${flag[0] === '\\' ? flag.slice(1) : 'ALL'}`,
        'EXPUNGE', 'NOOP', `UID COPY 1:* INBOX`.replace('1:*', '1:3'), `MOVE ${set()} INBOX`, 'append']);
      if (what === 'append') await s.cmd(`APPEND INBOX (${flag}) `, { literal: Buffer.from('Subject: storm\r\n\r\nstorm\r\n') });
      else if (n || !/ \d/.test(what)) await s.cmd(what, { may: /^(OK|NO|BAD)/ });
    }
  }));
  for (const s of w.sessions) { await s.cmd('NOOP'); await s.ask(); }
  const fresh = new Session(w, 'fresh', false);
  await fresh.open();
  fresh.folder = inbox;
  fresh.kept = new Map();
  await fresh.select(inbox, true);
  const { lines } = await fresh.cmd('FETCH 1:* (UID FLAGS BODY.PEEK[TEXT])', { may: /^(OK|BAD)/ });
  const bodies = new Map(lines.filter((l) => /BODY\[TEXT\]/.test(l)).map((l, i) => [Number(/UID (\d+)/.exec(l)[1]), fresh.io.literals[i].toString().trimEnd()]));
  const modseqs = new Map([...inbox.messages].map(([u, m]) => [u, m.modseq]));
  inbox.messages = new Map(fresh.view.map((uid) => [uid, { uid, flags: new Set(fresh.flags.get(uid).split(' ').filter(Boolean)), text: bodies.get(uid), modseq: modseqs.get(uid) ?? 0n }]));
  inbox.next = Math.max(inbox.next, 1 + Math.max(0, ...fresh.view));
  for (const s of w.sessions) s.same('after a storm');
  await fresh.io.logout();
  w.calm = true;
}

async function run(service, seed) {
  const roll = generator(seed), w = new World(service, await service.alias(), roll);
  w.folders.set('INBOX', new Folder('INBOX'));
  for (let i = 0; i < 4; i++) w.sessions.push(new Session(w, `s${i + 1}`, i > 1));
  for (const s of w.sessions) await s.open();
  try {
    for (let i = 0; i < steps; i++) await (i % 35 === 34 ? storm(w) : act(w, w.pick(w.sessions)));
    for (const s of w.sessions) if (s.folder) await s.settle();
  } catch (e) {
    e.message += `\n  script:\n    ${w.script.slice(-40).join('\n    ')}`;
    throw e;
  }
  for (const s of w.sessions) await s.io.logout();
}

test('random commands of several sessions follow the model', { timeout: 36000000 }, async (t) => {
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
    told('against a model', 'random commands of several sessions', process.env.SEED ? 1 : runs, `SEED=${first} and on`);
  } finally {
    await service.stop();
  }
});
