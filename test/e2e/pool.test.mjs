// Many attached mailboxes over few open files, and many sessions of one mailbox.
import assert from 'node:assert/strict';
import { readdir, readlink, rename } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { Service, sample, until } from '../lib/service.mjs';

async function openFiles(service) {
  const [pid] = await service.pids('store');
  const names = await Promise.all((await readdir(`/proc/${pid}/fd`)).map((n) => readlink(`/proc/${pid}/fd/${n}`).catch(() => '')));
  return [...new Set(names.filter((n) => /mailboxes\/.*\.sqlite$/.test(n) && !/-tmp-/.test(n)))];
}
const exists = (lines) => Number(/\* (\d+) EXISTS/.exec(lines.filter((l) => / EXISTS/.test(l)).at(-1))?.[1] ?? 0);

test('ten mailboxes attached over three open files', async () => {
  const service = await Service.start({ env: { LETTERLOCK_STORE_HANDLES: '3' } });
  try {
    const people = [];
    const sessions = [];
    for (let i = 0; i < 10; i++) people.push(await service.alias());
    for (const a of people) { const c = await service.imap(a); await c.cmd('SELECT INBOX'); sessions.push(c); }
    assert.ok((await openFiles(service)).length <= 3, 'the budget holds while all are attached');
    for (let round = 1; round <= 3; round++) {
      await Promise.all(people.map((a, i) => service.deliver(a.address, sample(100 * round + i))));
      for (const c of sessions) {
        c.untagged = [];
        await c.cmd('NOOP');
        const rows = await c.cmd('FETCH 1:* (UID BODY.PEEK[])');
        assert.equal(rows.filter((l) => /FETCH/.test(l) && l.startsWith('*')).length || c.untagged.filter((l) => /FETCH/.test(l)).length, round);
      }
      assert.ok((await openFiles(service)).length <= 3);
    }
    const { store } = await service.status();
    assert.equal(store.open_mailboxes, 10);
    assert.ok(store.open_files <= 3 && store.files_given_back > 20, JSON.stringify(store));

    // A file that cannot be opened again is "later" for its own session alone, and is there again when it can.
    const open = await openFiles(service);
    const all = (await readdir(service.dir, { recursive: true })).filter((n) => /mailboxes\/.*\.sqlite$/.test(n) && !/-tmp-/.test(n));
    const closed = all.map((n) => path.join(service.dir, n)).find((n) => !open.some((o) => o.endsWith(path.basename(n))));
    const dataFile = closed ?? assert.fail('none is closed');
    await rename(dataFile, `${dataFile}.away`);
    const answers = [];
    for (const c of sessions) answers.push((await c.cmd('STATUS Sent (MESSAGES)', { ok: false })).at(-1));
    assert.equal(answers.filter((l) => / NO /.test(l)).length, 1, answers.join('\n'));
    await rename(`${dataFile}.away`, dataFile);
    for (const c of sessions) await c.cmd('STATUS Sent (MESSAGES)');

    for (const c of sessions) await c.logout();
    await until('every file to be closed', 5000, async () => (await openFiles(service)).length === 0);
  } finally { await service.stop(); }
});

test('a delivery is told to all who idle, and is recent to one', async () => {
  const service = await Service.start();
  try {
    const a = await service.alias();
    const sessions = [];
    for (let i = 0; i < 30; i++) {
      const c = await service.imap(a);
      await c.cmd('SELECT INBOX');
      await c.io.write('i IDLE\r\n');
      await c.io.line();
      sessions.push(c);
    }
    for (let round = 1; round <= 20; round++) {
      await service.deliver(a.address, sample(round));
      await Promise.all(sessions.map(async (c) => {
        for (;;) {
          const l = await c.io.line(5000);
          const m = /^\* (\d+) RECENT/.exec(l);
          if (m) c.recent = Number(m[1]);
          if (/^\* (\d+) EXISTS/.exec(l)?.[1] === String(round)) c.seen = round;
          if (m && c.seen === round) return;
        }
      }));
    }
    const recent = sessions.map((c) => c.recent).reduce((x, y) => x + y, 0);
    assert.equal(recent, 20, `each message is recent to one session: ${sessions.map((c) => c.recent)}`);
    for (const c of sessions) {
      await c.io.write('DONE\r\n');
      await c.finish('i', true, 5000);
      assert.equal(exists([...await c.cmd('EXAMINE INBOX'), ...c.untagged]), 20);
      c.io.end();
    }
  } finally { await service.stop(); }
});
