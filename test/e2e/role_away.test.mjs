// What clients are told while directory or store are down or slow.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Service, Imap, dial, sample, until } from '../lib/service.mjs';

let service;
before(async () => { service = await Service.start({ env: { LETTERLOCK_MX_COMMIT_TIMEOUT: '20000' } }); });
after(() => service.stop());

async function login(a) {
  const c = await service.imap(a, { login: false });
  const last = (await c.cmd(`LOGIN "${a.address}" "${a.password}"`, { ok: false, ms: 60000 })).at(-1);
  c.io.end();
  return last.replace(/^\S+ /, '');
}

const fails = (l) => assert.match(l, /^NO \[UNAVAILABLE\]/);

for (const role of ['directory', 'store']) {
  test(`${role} killed in the middle of RCPT, DATA and LOGIN: try later, never a refusal`, async () => {
    const a = await service.alias();
    let later = 0;
    for (let round = 0; round < 10; round++) {
      const work = [];
      for (let i = 0; i < 4; i++) {
        work.push((async () => {
          const c = await service.smtp();
          const r = await c.send('sender@example.net', a.address, sample(round * 10 + i), 60000);
          c.end();
          assert.ok(r.code === 250 || (r.code >= 400 && r.code < 500), r.text);
          later += r.code !== 250;
        })());
        work.push((async () => {
          const l = await login(a);
          assert.match(l, /^(OK|NO \[UNAVAILABLE\])/);
          later += !l.startsWith('OK');
        })());
      }
      await service.kill(role);
      await Promise.all(work);
    }
    console.log(`# ${role}: ${later} of 80 were told to try later`);
    await until('all to be well', 10000, async () => (await login(a)).startsWith('OK'));
  });

  test(`${role} that does not answer: try later, never a refusal`, async () => {
    const a = await service.alias();
    const c = await service.smtp();
    const io = await dial(service.ports.imaps, { secure: true }), imap = new Imap(io);
    await io.line();
    await service.kill(role, 'SIGSTOP');
    const began = Date.now();
    try {
      const [r, l] = await Promise.all([
        c.send('sender@example.net', a.address, sample(1), 130000),
        imap.cmd(`LOGIN "${a.address}" "${a.password}"`, { ok: false, ms: 130000 }),
      ]);
      assert.ok(r.code >= 400 && r.code < 500, r.text);
      fails(l.at(-1).replace(/^\S+ /, ''));
    } finally { await service.kill(role, 'SIGCONT').catch(() => {}); }
    console.log(`# ${role} stopped: told after ${Date.now() - began} ms`);
    await until('all to be well', 20000, async () => (await login(a)).startsWith('OK'));
    const again = await service.deliver(a.address, sample(2));
    assert.equal(again.code, 250);
    c.end();
    io.end();
  });
}
