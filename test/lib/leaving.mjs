// Mail on its way out while roles are killed at random: from clients over submission and from other servers through
// forwards, by the queue and the relay, to a peer that knows which of its answers may have been lost. Every message has to be
// delivered or reported, once; twice only where such an answer was. Seeded: the seed is printed, LEAVING_SEED repeats its
// choices.
import { randomInt } from 'node:crypto';
import { random, runs } from './runs.mjs';
import { Smtp, dial, sleep, until } from './service.mjs';

const roles = ['courier', 'relay', 'submission', 'store', 'directory', 'mx', 'courier', 'relay', 'resolver', 'content'];
const CLIENTS = 6, DOMAINS = 20;
export const KILLS = 8; // at least

const letter = (id, from) => Buffer.from(`From: ${from}\r\nTo: somebody@sink.test\r\nSubject: ${id}\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n`
  + `Message-ID: <${id}@${from.split('@')[1]}>\r\nX-Leaving: ${id}\r\n\r\n${`${id} words\r\n`.repeat(20 + randomInt(200))}`);

// The sink: an answer that went out and was followed by nothing but the end of the connection may have been lost.
function sink(run, peer) {
  const read = (c) => { c.answered = []; }; // whatever it says next: it has heard us
  const lost = (c) => { for (const id of c.answered ?? []) run.lost.add(id); c.answered = []; };
  peer.say.greeting = (c, line, ok) => { c.answered = []; c.socket.on('close', () => lost(c)); return ok; };
  peer.say.line = read;
  peer.say.RCPT = (c, to, ok) => (to.startsWith('no') ? '550 5.1.1 nobody' : to.startsWith('later') && run.random() < 0.5 ? '451 4.2.1 busy' : ok);
  peer.say.end = (c, m, ok) => {
    const id = /^X-Leaving: (\S+)/m.exec(m.raw.toString('latin1'))?.[1];
    run.arrived.set(id, (run.arrived.get(id) ?? 0) + m.to.length);
    c.answered.push(id);
    if (run.random() < 0.02 && !run.over) { c.socket.destroy(); return null; }
    setTimeout(() => c.socket.destroyed || c.socket.write(`${ok}\r\n`), run.random() * 30);
    return null;
  };
}

async function connect(run, way) {
  const { ports } = run.service;
  const c = new Smtp(way === 'submitted' ? await dial(ports.submissions, { secure: true }) : await dial(ports.mx));
  const r = [await c.reply(10000), await c.cmd('EHLO client.example.net', 10000)];
  if (way === 'submitted') r.push(await c.cmd(`AUTH PLAIN ${Buffer.from(`\0${run.who.address}\0${run.who.password}`).toString('base64')}`, 30000));
  if (r.every((x) => x.code < 300)) return c;
  c.end();
  throw new Error(r.map((x) => x.text).join(' | '));
}

// Sends what is next until it hears 250, as RFC 5321 4.5.4.1 wants.
async function client(run) {
  const open = {};
  for (let i; (i = run.next++) < run.messages;) {
    const way = i % 3 === 2 ? 'forwarded' : 'submitted';
    const kind = i % 10 === 4 ? 'no' : i % 10 === 7 ? 'later' : 'm';
    const id = `${way}-${kind}-${i}`;
    const from = way === 'submitted' ? run.who.address : 'someone@far.sink.test';
    const to = way === 'submitted' ? `${kind}${i}@d${i % DOMAINS}.sink.test` : `fwd${i % 4}@example.test`;
    const body = letter(id, from);
    while (run.kills < Math.floor((i * (KILLS + 1)) / run.messages)) await sleep(20); // a fast machine must not be through before the killing began
    for (let sent = false; !sent;) {
      try {
        open[way] ??= await connect(run, way);
        const r = await open[way].send(from, to, body, 30000);
        if (r.code >= 500) run.problems.push(`${id}: ${r.text}`);
        sent = r.code === 250 || r.code >= 500;
        if (r.code === 421) throw new Error(r.text);
        if (!sent) { run.laters++; await sleep(30); }
      } catch (e) {
        run.cut++;
        run.last = e.message;
        open[way]?.end();
        delete open[way];
        await sleep(30);
      }
      if (Date.now() > run.end) { run.problems.push(`${id}: not taken in time (${run.last})`); return; }
    }
    run.taken.push(id);
  }
  for (const c of Object.values(open)) c.end();
}

async function killer(run) {
  while (!run.over) {
    await sleep(50 + run.random() * 350);
    const role = roles[Math.floor(run.random() * roles.length)];
    const n = await run.service.kill(role).catch(() => 0);
    run.kills += n;
    run.killed[role] = (run.killed[role] ?? 0) + n;
  }
}

// What came back to the sender: how often each message was reported.
async function reports(run) {
  const imap = await until('a login', 20000, () => run.service.imap(run.who).catch(() => null));
  const times = new Map();
  await imap.cmd('SELECT INBOX', { ms: 30000 });
  const exists = Number(/\* (\d+) EXISTS/.exec(imap.untagged.join('\n'))[1]);
  if (exists) await imap.cmd('FETCH 1:* BODY.PEEK[]', { ms: 120000 });
  for (const b of imap.literals) {
    const id = /^X-Leaving: (\S+)/m.exec(b.toString('latin1'))?.[1];
    times.set(id, (times.get(id) ?? 0) + 1);
  }
  await imap.logout();
  return times;
}

function judge(run, told) {
  for (const id of run.taken) {
    const n = run.arrived.get(id) ?? 0, t = told.get(id) ?? 0;
    const fails = id.includes('submitted-no');
    if (!fails && n === 0) run.problems.push(`${id} was taken and is lost`);
    if (fails && t === 0) run.problems.push(`${id} was refused and nobody was told`);
    if (n > 1 && !run.lost.has(id)) run.problems.push(`${id} was delivered ${n} times, and no answer was lost`);
    if (t > (fails ? 1 : 0)) run.problems.push(`${id} was reported ${t} times`);
    run.twice += n > 1;
  }
}

export async function leavingTest({ service, peer, messages, seed = Number(process.env.LEAVING_SEED ?? randomInt(2 ** 31)), log = console.log }) {
  const run = { service, messages, seed, random: random(seed), next: 0, kills: 0, killed: {}, cut: 0, laters: 0, twice: 0, taken: [],
    arrived: new Map(), lost: new Set(), problems: [], end: Date.now() + 60000 + messages * 1000 };
  log(`# leaving: seed ${seed}, ${messages} messages`);
  run.who = await service.alias('leaving');
  for (let i = 0; i < 4; i++) {
    await service.ctl(['alias', 'add', `fwd${i}@example.test`]);
    await service.ctl(['alias', 'target', 'add', `fwd${i}@example.test`, `to${i}@d${i}.sink.test`]);
  }
  sink(run, peer);
  const began = Date.now(), kills = killer(run);
  await Promise.all(Array.from({ length: CLIENTS }, () => client(run)));
  await sleep(500);
  run.over = true;
  await kills;
  await until('the queue to be empty', 120000 + messages * 20, async () => {
    const r = await service.ctl(['queue', 'retry', '--all'], { ok: false });
    await sleep(100);
    const l = r.code === 0 ? await service.ctl(['queue', 'list', '--json'], { ok: false }) : { code: 1 };
    return l.code === 0 && JSON.parse(l.stdout).length === 0;
  });
  for (const s of peer.open) s.end();
  let told = await reports(run);
  const want = run.taken.filter((id) => id.includes('submitted-no'));
  for (let i = 0; i < 20 && want.some((id) => !told.has(id)); i++) { await sleep(500); told = await reports(run); }
  judge(run, told);
  log(`# leaving: ${run.taken.length} messages in ${Math.round((Date.now() - began) / 1000)} s, ${run.kills} kills (${Object.entries(run.killed).map(([r, n]) => `${r} ${n}`).join(', ')}), `
    + `${run.lost.size} answers may have been lost, ${run.twice} arrived twice, ${told.size} were reported; ${run.cut} sessions cut, ${run.laters} told to try later, seed ${seed}`);
  runs('killed at any instant', 'mail that leaves', run.kills, `LEAVING_SEED=${seed}`);
  return { problems: run.problems, run };
}
