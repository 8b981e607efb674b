// An answer that was lost with the store: the request is repeated with its operation id, and what was done
// before is the answer. The store is killed at some instant while requests are under way: some were committed,
// some answered, some neither. Nothing that was answered yes may be missing, nothing may be there twice.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Service, until } from '../lib/service.mjs';

test('APPEND and DELIVER without Message-ID are there exactly once when they were answered yes', async () => {
  const service = await Service.start();
  try {
    const a = await service.alias();
    const yes = new Set();
    const asked = new Set();
    for (let round = 0; round < 8; round++) {
      const [pid] = await until('the store', 15000, async () => { const p = await service.pids('store'); return p.length ? p : null; });
      const imap = await Promise.all([1, 2, 3].map(() => service.imap(a)));
      const smtp = await service.smtp();
      const work = imap.map(async (c, i) => {
        for (let k = 0; k < 4; k++) {
          const id = `r${round}-a${i}-${k}`;
          asked.add(id);
          const r = await c.cmd(['APPEND INBOX ', Buffer.from(`Subject: ${id}\r\n\r\nx\r\n`)], { ok: false, ms: 20000 });
          if (/ OK /.test(r.at(-1))) yes.add(id);
        }
      });
      work.push((async () => {
        for (let k = 0; k < 4; k++) {
          const id = `r${round}-d-${k}`;
          asked.add(id);
          const r = await smtp.send('s@example.net', a.address, Buffer.from(`Subject: ${id}\r\n\r\nx\r\n`), 20000);
          if (r.code === 250) yes.add(id);
          else assert.equal(r.code, 451, r.text);
        }
      })());
      await new Promise((r) => setTimeout(r, 4 + round)); // somewhere in the middle: any instant must do
      process.kill(pid, 'SIGKILL');
      await Promise.all(work);
      await Promise.all(imap.map((c) => c.logout()));
      smtp.end();
    }
    const c = await until('a login', 10000, () => service.imap(a).catch(() => null));
    const seen = new Map();
    await until('the drain', 10000, async () => {
      await c.cmd('SELECT INBOX');
      await c.cmd('FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]');
      seen.clear();
      for (const b of c.literals) { const id = /Subject: (\S+)/.exec(b)[1]; seen.set(id, (seen.get(id) ?? 0) + 1); }
      return [...yes].every((id) => seen.has(id));
    });
    for (const [id, n] of seen) assert.equal(n, 1, `${id} is there ${n} times`);
    console.log(`# ${asked.size} asked, ${yes.size} answered yes, ${seen.size} there`);
    await c.logout();
  } catch (e) {
    console.log(service.log.split('\n').slice(-40).map((l) => `# ${l}`).join('\n'));
    throw e;
  } finally { await service.stop(); }
});
