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
