// Deliver and APPEND from several clients while roles are killed at random; then every acknowledged
// message must be there exactly once. Seeded: the seed is printed and CRASH_SEED repeats its choices
// (which role, when); what the clients were doing at that instant is the machine's.
import { randomInt } from 'node:crypto';
import { random, runs } from './runs.mjs';
import { Service, Smtp, Imap, dial, until, sleep } from './service.mjs';

export const roles = ['store', 'directory', 'content', 'imap', 'mx', 'resolver', 'courier', 'relay', 'monitor', 'jobs', 'filter'];

const letter = (id, size) => Buffer.from(
  `From: crash@example.net\r\nSubject: ${id}\r\nMessage-ID: <${id}@example.net>\r\nX-Crash: ${id}\r\n\r\n${`${id} `.repeat(Math.ceil(size / (id.length + 1))).replace(/(.{70})/g, '$1\r\n')}\r\n`);

// Where letter i of a sender goes, and who must have it: one mailbox; two at once; or an alias that leads to all of them by
// ways that meet, and out to somebody else.
function recipients(run, n, i) {
  const one = run.aliases[(n + i) % run.aliases.length].address, other = run.aliases[(n + i + 1) % run.aliases.length].address;
  const all = run.aliases.map((a) => a.address);
  switch (i % 4) {
    case 1: return { to: [one, other.replace('@', '+tag@')], who: [one, other] };
    case 3: return { to: [one, run.list], who: all };
    default: return { to: [one], who: [one] };
  }
}

// A peer that keeps its queue: resends until it hears 250, as RFC 5321 4.5.4.1 wants.
async function sender(run, n) {
  for (let i = 0; !run.over; i++) {
    const id = `smtp-${n}-${i}`;
    const { to, who } = recipients(run, n, i);
    const body = letter(id, 200 + ((i * 977) % 9000));
    for (let sent = false; !sent;) {
      try {
        run.tries++;
        const io = await dial(run.service.ports.mx);
        const c = new Smtp(io);
        const hello = await c.reply(10000);
        if (hello.code === 220) await c.cmd('EHLO crash.example.net', 10000);
        const r = hello.code === 220 ? await c.send('crash@example.net', to, body, 10000) : hello;
        io.end();
        if (r.code >= 500) run.wrong.push(`${id}: ${r.text}`);
        sent = r.code === 250;
        if (sent) run.acknowledged.set(id, who);
        else run.later++;
      } catch { run.cut++; }
      if (!sent) await sleep(20);
      if (!sent && run.over && run.giveUp) { run.unknown.add(id); return; }
    }
  }
}

async function appender(run, n) {
  const alias = run.aliases[n % run.aliases.length];
  let c = null;
  for (let i = 0; !run.over; i++) {
    const id = `append-${n}-${i}`;
    try {
      if (!c) {
        c = await run.service.imap(alias, { login: false });
        const r = (await c.cmd(`LOGIN "${alias.address}" "${alias.password}"`, { ok: false, ms: 10000 })).at(-1);
        if (/AUTHENTICATIONFAILED/.test(r)) run.wrong.push(`login: ${r}`);
        if (!/ OK/.test(r)) { c.io.end(); c = null; await sleep(50); continue; }
      }
      const r = (await c.cmd(['APPEND INBOX ', letter(id, 3000)], { ok: false, ms: 10000 })).at(-1);
      if (/ OK /.test(r)) run.acknowledged.set(id, [alias.address]);
      else { run.unknown.add(id); if (!/UNAVAILABLE|SERVERBUG/.test(r)) run.wrong.push(`${id}: ${r}`); }
    } catch {
      run.cut++;
      run.unknown.add(id);
      c?.io.end();
      c = null;
      await sleep(20);
    }
  }
  c?.io.end();
}

// Logs in and out, so that mailboxes open, drain and close while mail comes in.
async function reader(run, n) {
  while (!run.over) {
    try {
      const c = await run.service.imap(run.aliases[n % run.aliases.length]);
      await c.cmd('SELECT INBOX', { ms: 10000 });
      await c.cmd('UID FETCH 1:* (FLAGS)', { ms: 10000 });
      await sleep(30 + 40 * n);
      await c.logout();
    } catch { run.cut++; await sleep(30); }
  }
}

async function killer(run, kills, ms) {
  const rnd = random(run.seed);
  const end = Date.now() + ms;
  while (run.kills < kills && Date.now() < end) {
    await sleep(50 + rnd() * 350);
    const role = roles[Math.floor(rnd() * roles.length)];
    try {
      const n = await run.service.kill(role);
      run.kills += n;
      run.killed[role] = (run.killed[role] ?? 0) + n;
    } catch { /* it was just being started */ }
  }
}

export async function count(service, alias) {
  const imap = await until(`a login of ${alias.address}`, 15000, () => service.imap(alias).catch(() => null));
  let stable = -1;
  const found = await until('the drain to end', 60000, async () => {
    await imap.cmd('SELECT INBOX', { ms: 30000 });
    const exists = Number(/\* (\d+) EXISTS/.exec(imap.untagged.join('\n').split('\n').filter((l) => /EXISTS/.test(l)).at(-1))[1]);
    if (exists !== stable) { stable = exists; await sleep(300); return null; }
    const ids = [];
    if (exists) {
      await imap.cmd('FETCH 1:* BODY.PEEK[HEADER.FIELDS (X-Crash)]', { ms: 60000 });
      for (const b of imap.literals) ids.push(/X-Crash: (\S+)/.exec(b.toString('latin1'))?.[1]);
    }
    return { ids };
  });
  await imap.logout();
  const times = new Map();
  for (const id of found.ids) times.set(id, (times.get(id) ?? 0) + 1);
  return times;
}

// An alias without a mailbox: to the first two, to another alias that leads to the last two, and to somebody elsewhere.
async function leadToAll(run) {
  const [list, part] = ['list', 'part'].map((n) => `${n}${randomInt(2 ** 31)}@example.test`);
  const [a, b, c] = run.aliases.map((x) => x.address);
  run.list = list;
  for (const x of [list, part]) await run.service.ctl(['alias', 'add', x]);
  for (const [from, to] of [[list, a], [list, b], [list, part], [part, b], [part, c], [list, 'somebody@far.example']])
    await run.service.ctl(['alias', 'target', 'add', from, to]);
}

// Returns { problems: [], summary }.
export async function crashTest({ service, kills = Infinity, ms = 40000, seed = Number(process.env.CRASH_SEED ?? randomInt(2 ** 31)), log = console.log }) {
  const run = { service, seed, over: false, kills: 0, killed: {}, tries: 0, cut: 0, later: 0, acknowledged: new Map(), unknown: new Set(), wrong: [] };
  log(`# crash test: seed ${seed}`);
  run.aliases = [await service.alias(), await service.alias(), await service.alias()];
  await leadToAll(run);
  const work = [0, 1, 2, 3].map((n) => sender(run, n)).concat([0, 1].map((n) => appender(run, n)), [1, 2].map((n) => reader(run, n)));
  await killer(run, kills, ms);
  run.over = true;
  const timer = setTimeout(() => { run.giveUp = true; }, 20000);
  await Promise.all(work);
  clearTimeout(timer);
  const problems = run.wrong.map((w) => `never a permanent refusal: ${w}`);
  for (const alias of run.aliases) {
    const lost = (times) => [...run.acknowledged].filter(([id, to]) => to.includes(alias.address) && !times.has(id)).map(([id]) => id);
    let times = await count(service, alias);
    for (let i = 0; i < 10 && lost(times).length; i++) { // what waited may still be coming in
      await sleep(1000);
      times = await count(service, alias);
    }
    for (const [id, n] of times) if (n > 1) problems.push(`${id} is there ${n} times (${run.acknowledged.has(id) ? 'acknowledged' : 'not acknowledged'})`);
    for (const id of lost(times)) problems.push(`${id} was acknowledged and is lost to ${alias.address}`);
  }
  const summary = `${run.kills} kills (${Object.entries(run.killed).map(([r, n]) => `${r} ${n}`).join(', ')}), ${run.acknowledged.size} acknowledged, `
    + `${run.later} told to try later, ${run.cut} cut off, seed ${seed}`;
  log(`# crash test: ${summary}`);
  runs('killed at any instant', 'deliver, append and read', run.kills, `CRASH_SEED=${seed}`);
  return { problems, summary, run };
}
