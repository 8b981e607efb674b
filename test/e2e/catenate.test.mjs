// CATENATE and MULTIAPPEND of what is large: byte for byte, in bounded memory.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { Service, sanitized } from '../lib/service.mjs';

let service;
before(async () => { service = await Service.start(); });
after(() => service?.stop());

// The most that the role ever took, in KiB.
async function peak(role) {
  const [pid] = await service.pids(role);
  return Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))[1]);
}

test('a message of 45 MiB made of others goes through a window', async () => {
  const c = await service.imap(await service.alias());
  const body = Buffer.alloc(15 << 20);
  for (let i = 0; i < body.length; i++) body[i] = i % 61 === 60 ? 10 : i % 61 === 59 ? 13 : 33 + (i * 7 + (i >> 13)) % 90;
  const whole = Buffer.concat([Buffer.from('Subject: large\r\n\r\n'), body]);
  await c.cmd(['APPEND INBOX ', whole]);
  const [imap, store] = [await peak('imap'), await peak('store')];
  await c.cmd(['APPEND INBOX CATENATE (URL /INBOX/;UID=1 URL "/INBOX/;UID=1/;SECTION=TEXT" TEXT ', Buffer.from('between'),
    ' URL /INBOX/;UID=1/;SECTION=TEXT/;PARTIAL=7)']);
  if (!sanitized) {
    assert.ok(await peak('imap') - imap < 4096, `imap grew by ${await peak('imap') - imap} KiB`);
    assert.ok(await peak('store') - store < 48 * 1024, `store grew by ${await peak('store') - store} KiB`);
  }
  await c.cmd('SELECT INBOX');
  await c.cmd('FETCH 2 BODY.PEEK[]');
  const want = Buffer.concat([whole, body, Buffer.from('between'), body.subarray(7)]);
  assert.ok(c.literals.at(-1).equals(want), 'every byte comes back');
  // above imap.max_message: nothing of it is kept
  const no = await c.cmd('APPEND INBOX CATENATE (URL /INBOX/;UID=2 URL /INBOX/;UID=1)', { ok: false });
  assert.match(no.at(-1), /NO \[TOOBIG\]/);
  assert.match((await c.cmd('STATUS INBOX (MESSAGES)')).join(), /MESSAGES 2/);
  await c.logout();
});

test('several large ones in one command', async () => {
  const c = await service.imap(await service.alias());
  const some = [3 << 20, 5 << 20, 100].map((n, i) => Buffer.concat([Buffer.from(`A: ${i}\r\n\r\n`), Buffer.alloc(n, 97 + i)]));
  await c.cmd(['APPEND INBOX ', some[0], ' (\\Seen) ', some[1], ' ', some[2]]);
  await c.cmd('SELECT INBOX');
  for (const [i, m] of some.entries()) {
    await c.cmd(`FETCH ${i + 1} BODY.PEEK[]`);
    assert.ok(c.literals.at(-1).equals(m));
  }
  await c.logout();
});
