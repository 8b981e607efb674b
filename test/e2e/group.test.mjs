// Group commit: what fails halfway among others undoes itself and nothing else; a temporary mailbox whose -wal is
// moved into its file while its owner logs in.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Service, sample } from '../lib/service.mjs';

const KEYWORDS = 1000; // of a mailbox: one more is refused, and an append hears it after its message was written
let service;

before(async () => { service = await Service.start(); });
after(async () => { await service.stop(); });

test('appends that fail halfway, among others that do not', async () => {
  const alias = await service.alias();
  const first = await service.imap(alias);
  for (let i = 0; i < KEYWORDS / 50; i++) await first.cmd(['APPEND INBOX ', sample(0, 500)]);
  await first.cmd('SELECT INBOX');
  for (let i = 0; i < KEYWORDS; i += 50) await first.cmd(`STORE ${i / 50 + 1} +FLAGS.SILENT (${Array.from({ length: 50 }, (_, k) => `k${i + k}`).join(' ')})`);
  const stored = [];
  let refused = 0;
  await Promise.all(Array.from({ length: 16 }, async (_, w) => {
    const c = await service.imap(alias);
    for (let i = 0; i < 8; i++) {
      const n = 1 + w * 8 + i;
      const over = n % 3 === 0;
      const lines = await c.cmd([`APPEND INBOX (${over ? `over${n}` : 'k7'}) `, sample(n, 800 + n)], { ok: !over });
      if (over) { assert.match(lines.at(-1), / NO /); refused++; } else stored.push(sample(n, 800 + n).toString('latin1'));
    }
    await c.logout();
  }));
  assert.equal(refused, 42);
  await first.cmd('NOOP');
  await first.cmd(`FETCH ${KEYWORDS / 50 + 1}:* BODY.PEEK[]`);
  const got = first.literals.map((b) => b.toString('latin1')).toSorted();
  assert.deepEqual(got, stored.toSorted());
  await first.logout();
});

test('a login while what waits is checkpointed', async () => {
  const alias = await service.alias();
  const count = 500; // of 20 KB: some 3000 frames
  const senders = await Promise.all(Array.from({ length: 8 }, () => service.smtp()));
  let imap;
  await Promise.all(senders.map(async (smtp, s) => {
    for (let i = s; i < count; i += 8) {
      await smtp.send('sender@example.net', alias.address, sample(i, 20000));
      if (i === 400) imap = service.imap(alias);
    }
    smtp.end();
  }));
  const c = await imap;
  const until = Date.now() + 30000;
  let n = 0;
  while (n < count && Date.now() < until) {
    const lines = await c.cmd('STATUS INBOX (MESSAGES)');
    n = Number(/MESSAGES (\d+)/.exec(lines.join(' '))[1]);
  }
  assert.equal(n, count);
  await c.logout();
});

// Whoever moves a message is told where it went; nobody else is told the same, and none is lost or doubled.
test('eight sessions move messages between the same two folders', async () => {
  const alias = await service.alias();
  const c = await service.imap(alias);
  for (let i = 0; i < 40; i++) await c.cmd(['APPEND INBOX ', sample(i, 400)]);
  const took = { INBOX: new Map(), Archive: new Map() };
  const uids = (set) => set.split(',').flatMap((r) => { const [a, b = a] = r.split(':').map(Number); return Array.from({ length: b - a + 1 }, (_, k) => a + k); });
  await Promise.all(Array.from({ length: 8 }, async (_, w) => {
    const [from, to] = w % 2 ? ['Archive', 'INBOX'] : ['INBOX', 'Archive'], s = await service.imap(alias);
    await s.cmd(`SELECT ${from}`);
    for (let i = 0; i < 12; i++) {
      const lines = await s.cmd(w % 4 < 2 ? `UID MOVE ${1 + i}:* ${to}` : `UID MOVE ${1 + i * 3}:${20 + i * 9} ${to}`, { ok: false, ms: 30000 });
      assert.match(lines.at(-1), / (OK|NO \[EXPUNGEISSUED\]) /);
      for (const l of lines) {
        const m = /\[COPYUID \d+ (\S+) (\S+)\]/.exec(l);
        if (!m) continue;
        const [a, b] = [uids(m[1]), uids(m[2])];
        assert.equal(a.length, b.length);
        for (const uid of a) { assert.ok(!took[from].has(uid), `UID ${uid} of ${from} was moved twice`); took[from].set(uid, w); }
      }
    }
    await s.logout();
  }));
  const found = [];
  for (const f of ['INBOX', 'Archive']) {
    const n = Number(/\* (\d+) EXISTS/.exec((await c.cmd(`SELECT ${f}`)).join('\n'))[1]);
    if (n) await c.cmd('FETCH 1:* BODY.PEEK[]');
    if (n) found.push(...c.literals.map((b) => b.toString('latin1')));
  }
  assert.ok(took.INBOX.size > 0);
  assert.deepEqual(found.toSorted(), Array.from({ length: 40 }, (_, i) => sample(i, 400).toString('latin1')).toSorted());
  await c.logout();
  const r = await service.ctl(['mailbox', 'check', alias.address, '--json'], { input: `${alias.password}\n` });
  assert.equal(JSON.parse(r.stdout).whole, true);
});

// The literal was announced: all of its bytes come, or the connection ends; never others, never OK behind fewer.
test('a message is expunged while somebody reads it slowly', async () => {
  const alias = await service.alias(), large = sample(7, 12 << 20), body = large.subarray(large.indexOf('\r\n\r\n') + 4);
  const c = await service.imap(alias);
  await c.cmd(['APPEND INBOX ', large], { ms: 60000 });
  await c.cmd('SELECT INBOX');
  const readers = await Promise.all([['BODY.PEEK[]', large], ['BODY.PEEK[1]', body]].map(async ([item, want]) => {
    const s = await service.imap(alias);
    await s.cmd('SELECT INBOX');
    await s.io.write(`s FETCH 1 ${item}\r\n`);
    assert.equal(Number(/\{(\d+)\}$/.exec(await s.io.line())[1]), want.length);
    const first = Buffer.from(await s.io.bytes(1 << 16));
    s.io.socket.pause();
    return { s, want, first };
  }));
  await c.cmd('STORE 1 +FLAGS.SILENT (\\Deleted)');
  await c.cmd('EXPUNGE');
  await c.cmd(['APPEND INBOX ', sample(8, 12 << 20)], { ms: 60000 }); // its pages are used again
  for (const { s, want, first } of readers) {
    s.io.socket.resume();
    while (!s.io.closed && first.length + s.io.size < want.length) await s.io.more(20000);
    const got = Buffer.concat([first, s.io.take(Math.min(s.io.size, want.length - first.length))]);
    assert.ok(want.subarray(0, got.length).equals(got), 'what came is of the message');
    console.log(`# ${got.length} of ${want.length} bytes came`);
    if (got.length === want.length) while (!/^s OK/.test(await s.io.line() ?? assert.fail('no end'))) ;
    s.io.end();
  }
  const r = await service.ctl(['mailbox', 'check', alias.address, '--json'], { input: `${alias.password}\n` });
  assert.equal(JSON.parse(r.stdout).whole, true);
  await c.logout();
});
