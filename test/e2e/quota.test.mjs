// Quotas (doc/contract.md, "Leases"): limits hold, what is used is exact, and whatever is broken is "try later".
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Service, sample, until, sleep } from '../lib/service.mjs';
import { runs } from '../lib/runs.mjs';

const KIB = 1024;
let s;

before(async () => { s = await Service.start(); });
after(async () => { await s.stop(); });

const json = async (...args) => JSON.parse((await s.ctl([...args, '--json'])).stdout);
const account = (name) => json('account', 'show', name);
const store = async () => (await s.status()).store;
// What a client sees, message by message: the only truth.
async function recount(alias) {
  const c = await s.imap(alias);
  let bytes = 0;
  let messages = 0;
  for (const l of await c.cmd('LIST "" *')) {
    const name = /^\* LIST \(.*?\) "\/" "?(.*?)"?$/.exec(l)?.[1];
    if (!name) continue;
    const rows = (await c.cmd(`EXAMINE "${name}"`)) && await c.cmd('UID FETCH 1:* RFC822.SIZE');
    for (const r of rows) {
      const m = /RFC822\.SIZE (\d+)/.exec(r);
      if (m) { bytes += Number(m[1]); messages++; }
    }
  }
  await c.logout();
  return { bytes, messages };
}
const roots = (lines) => Object.fromEntries(lines.flatMap((l) => {
  const m = /^\* QUOTA "(.*?)" \((.*)\)$/.exec(l);
  return m ? [[m[1], Object.fromEntries([...m[2].matchAll(/(\w+) (\d+) (\d+)/g)].map((r) => [r[1], [Number(r[2]), Number(r[3])]]))]] : [];
}));
let pools = 0;
// Aliases in an account of their own.
async function pool(limit, n) {
  const name = `pool${++pools}`;
  await s.ctl(['account', 'add', name]);
  await s.ctl(['account', 'limit', name, limit]);
  const aliases = [];
  for (let i = 0; i < n; i++) {
    const a = await s.alias(`${name}-${i}`);
    await s.ctl(['account', 'give', name, a.address]);
    aliases.push(a);
  }
  return { name, aliases };
}
let letters = 0;
const letter = (size = 10 * KIB) => sample(++letters, size);
async function send(to, body, extra = '') {
  const c = await s.smtp();
  let r = await c.cmd(`MAIL FROM:<sender@example.net>${extra}`);
  if (r.code === 250) r = await c.cmd(`RCPT TO:<${to}>`);
  if (r.code === 250) {
    await c.cmd('RSET');
    r = await c.send('sender@example.net', to, body);
  }
  c.end();
  return r;
}
// The directory is told behind the last session's end.
const settled = (name, want) => until(`account ${name} to use ${want}`, 15000, async () => {
  const q = (await account(name)).quota;
  return q.used === want && q.leased >= want && q;
});
// What is used and what is given back may come in two reports.
const givenBack = (name, want) => until(`account ${name} to hold ${want} and no lease beyond`, 15000, async () => {
  const q = await settled(name, want);
  return q.leased === want && q;
});

test('filled up, refused, expunged, accepted: closed and open', async () => {
  const { name, aliases: [a] } = await pool('100K', 1);
  let n = 0;
  let r = await send(a.address, letter());
  for (; r.code === 250; n++) r = await send(a.address, letter());
  assert.match(r.text, /^452 4\.2\.2/);
  assert.ok(n >= 8 && n <= 9, `${n} letters of 10 KiB into 100 KiB`);
  assert.match((await send(a.address, letter(), ' SIZE=200000')).text, /^552 5\.2\.2/);
  const c = await s.imap(a);
  await c.cmd('SELECT INBOX');
  await until('the drain', 5000, async () => (await c.cmd('STATUS INBOX (MESSAGES)'))[0].includes(`MESSAGES ${n}`));
  const no = await c.cmd(['APPEND INBOX ', letter(30 * KIB)], { ok: false });
  assert.match(no.at(-1), /NO \[OVERQUOTA\]/);
  assert.match((await c.cmd('COPY 1:* Archive', { ok: false })).at(-1), /NO \[OVERQUOTA\]/);
  await c.cmd('MOVE 1 Archive'); // over or not: it adds nothing
  assert.match((await send(a.address, letter())).text, /^452 4\.2\.2/);
  await c.cmd('STORE 1:4 +FLAGS (\\Deleted)');
  const st = await c.cmd('STATUS INBOX (DELETED DELETED-STORAGE)');
  assert.match(st[0], /DELETED 4 DELETED-STORAGE 4\d/);
  await c.cmd('EXPUNGE');
  await until('room', 5000, async () => (await send(a.address, letter())).code === 250);
  await c.cmd('NOOP');
  const q = roots(await c.cmd('GETQUOTAROOT INBOX'));
  assert.equal(q.account.STORAGE[1], 100);
  await c.logout();
  const truth = await recount(a);
  const after = await givenBack(name, truth.bytes);
  assert.equal(q.account.STORAGE[0], Math.ceil(truth.bytes / KIB));
  assert.equal((await account(name)).messages, truth.messages);
  assert.equal(after.leased, truth.bytes, 'nothing stays leased to who is gone');
  assert.ok((await store()).quota_warnings > 0);
});

test('a session is warned at steps, once each', async () => {
  const { aliases: [a] } = await pool('200K', 1);
  const c = await s.imap(a);
  await c.cmd('SELECT INBOX');
  const said = [];
  for (let i = 0; i < 18; i++) {
    const lines = await c.cmd(['APPEND INBOX ', letter()]);
    said.push(...lines.filter((l) => l.startsWith('* NO [OVERQUOTA]')));
    said.push(...(await c.cmd('GETQUOTAROOT INBOX')).filter((l) => l.startsWith('* NO [OVERQUOTA]')));
    said.push(...(await c.cmd('NOOP')).filter((l) => l.startsWith('* NO [OVERQUOTA]')));
  }
  assert.deepEqual(said.map((l) => /(\d+) %/.exec(l)[1]), ['80', '90']);
  await c.logout();
});

test('what one does not use another one gets', async () => {
  const { name, aliases } = await pool('1M', 4);
  const clients = [];
  for (const a of aliases) clients.push(await s.imap(a));
  for (const c of clients) await c.cmd(['APPEND INBOX ', letter()]); // each holds more than it uses now
  assert.ok((await account(name)).quota.leased > 400 * KIB);
  let used = 4 * 10 * KIB;
  for (;;) { // the first one may have all the rest
    const r = (await clients[0].cmd(['APPEND INBOX ', letter(40 * KIB)], { ok: false })).at(-1);
    if (/OVERQUOTA/.test(r)) break;
    assert.match(r, / OK /);
    used += 40 * KIB;
    assert.ok(used < 1200 * KIB);
  }
  assert.ok(used > 960 * KIB, `only ${used} bytes could be used`);
  for (const c of clients) await c.logout();
  let sum = 0;
  for (const a of aliases) sum += (await recount(a)).bytes;
  assert.ok(sum <= 1024 * KIB);
  await settled(name, sum);
});

test('no trip to the directory while a lease lasts', async () => {
  const { aliases: [a] } = await pool('1G', 1);
  const c = await s.smtp();
  await c.send('sender@example.net', a.address, letter());
  const before = await store();
  for (let i = 0; i < 100; i++) assert.equal((await c.send('sender@example.net', a.address, letter())).code, 250);
  assert.equal((await store()).lease_requests, before.lease_requests, 'closed');
  const i = await s.imap(a);
  await i.cmd(['APPEND INBOX ', letter()]);
  const open = await store();
  for (let k = 0; k < 100; k++) assert.equal((await c.send('sender@example.net', a.address, letter())).code, 250);
  const trips = (await store()).lease_requests - open.lease_requests;
  assert.ok(trips <= 2, `open: ${trips} trips; the reports behind the drain at most`);
  c.end();
  await i.logout();
});

test('limits come and go while a mailbox is open', async () => {
  const a = await s.alias('comes');
  const c = await s.imap(a);
  await c.cmd(['APPEND INBOX ', letter(50 * KIB)]);
  assert.deepEqual(Object.keys(roots(await c.cmd('GETQUOTAROOT INBOX'))), ['mailbox']);
  await s.ctl(['alias', 'limit', a.address, '40K']);
  assert.match((await c.cmd(['APPEND INBOX ', letter(1 * KIB)], { ok: false })).at(-1), /OVERQUOTA/);
  assert.match((await send(a.address, letter(1 * KIB))).text, /^452 4\.2\.2/);
  assert.equal(roots(await c.cmd('GETQUOTA mailbox')).mailbox.STORAGE[1], 40);
  await s.ctl(['alias', 'limit', a.address, 'none']);
  await until('no limit', 5000, async () => !(await c.cmd('GETQUOTA mailbox'))[0].includes('STORAGE'));
  await c.cmd(['APPEND INBOX ', letter(1 * KIB)]);
  await c.logout();
  assert.equal((await s.ctl(['alias', 'limit', a.address, '12X'], { ok: false })).code, 65);
  assert.equal((await s.ctl(['domain', 'limit', 'nobody.test', '1G'], { ok: false })).code, 67);
  assert.equal((await s.ctl(['account', 'remove', 'default'], { ok: false })).code, 65);
});

test('the directory away: the lease in hand is used up, then it is "later", never "no"', async () => {
  const { aliases: [a] } = await pool('800K', 1);
  const c = await s.imap(a);
  await c.cmd(['APPEND INBOX ', letter()]);
  const [pid] = await s.pids('directory');
  process.kill(pid, 'SIGSTOP');
  try {
    let n = 0;
    let r;
    do {
      r = (await c.cmd(['APPEND INBOX ', letter(20 * KIB)], { ok: false })).at(-1);
      n++;
    } while (/ OK /.test(r));
    assert.ok(n > 3, `${n} letters under the lease`);
    assert.match(r, /NO \[UNAVAILABLE\]/);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await c.cmd(['APPEND INBOX ', letter(20 * KIB)]);
  await c.logout();
});

// Long versions: QUOTA_ROUNDS=40
test('killed in the middle of it, again and again: what is used is exact and no limit is passed', async () => {
  const limit = 3000 * KIB;
  const { name, aliases } = await pool('3000K', 3);
  const rounds = Number(process.env.QUOTA_ROUNDS ?? 3);
  let over = false;
  const busy = aliases.flatMap((a, k) => [(async () => {
    while (!over) {
      const r = await send(a.address, letter(((letters * 7919) % 60 + 1) * KIB)).catch(() => null);
      assert.ok(!r || r.code < 500, r?.text);
      if (!r || r.code !== 250) await sleep(50);
    }
  })(), (async () => {
    while (!over) {
      let c;
      try {
        c = await s.imap(a);
        await c.cmd('SELECT INBOX');
        for (let i = 0; i < 12 && !over; i++) {
          await c.cmd(['APPEND INBOX ', letter(((letters * 104729) % 60 + 1) * KIB)], { ok: false });
          if (i % 3 === k) await c.cmd('COPY 1:3 Archive', { ok: false });
          if (i % 4 === 3) {
            await c.cmd('STORE 1:8 +FLAGS.SILENT (\\Deleted)', { ok: false });
            await c.cmd('EXPUNGE', { ok: false });
          }
        }
        await c.logout();
      } catch { c?.io.end(); await sleep(30); }
    }
  })()]);
  for (let i = 0; i < rounds; i++) {
    for (const role of ['directory', 'store']) {
      await sleep(600 + ((i * 331) % 400));
      await s.kill(role);
    }
  }
  await sleep(500);
  over = true;
  await Promise.all(busy);
  let sum = 0;
  let messages = 0;
  for (const a of aliases) {
    const t = await until(`${a.address} to open`, 15000, () => recount(a).catch(() => null));
    const again = await recount(a); // the first one drained
    sum += again.bytes;
    messages += again.messages;
    assert.ok(again.messages >= t.messages);
  }
  assert.ok(sum <= limit, `${sum} of ${limit}`);
  assert.ok(sum > limit / 4, `only ${sum}: nothing was tried`);
  const q = await givenBack(name, sum);
  assert.equal((await account(name)).messages, messages);
  assert.equal(q.leased, sum);
  runs('killed at any instant', 'quota under deliveries, appends, copies and expunges', 2 * rounds);
});
