// What is promised within a second: nothing else runs beside this file.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Service, until } from '../lib/service.mjs';

let service;
before(async () => { service = await Service.start(); });
after(() => service.stop());

const roles = async () => (await service.status()).roles;
// Not a zombie, not gone.
const alive = (pid) => {
  try { return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')); } catch { return false; }
};
const relaxed = async () => (await roles()).some((r) => r.sandbox === 'relaxed'); // a sanitizer build: all is slower
const allReady = () => until('every role', 10000, async () => (await roles()).every((r) => r.state === 'ready'));

test('every role killed with kill -9 is back within a second', async () => {
  await allReady();
  const first = await roles(), seconds = await relaxed() ? 5 : 1;
  for (const role of first) {
    const began = Date.now();
    process.kill(role.pid, 'SIGKILL');
    const now = await until(`${role.name} to be back`, 5000, async () => {
      const r = (await roles()).find((x) => x.name === role.name && x.instance === role.instance);
      return r.state === 'ready' && r.pid !== role.pid ? r : null;
    });
    assert.ok(Date.now() - began < 1000 * seconds, `${role.name}: ${Date.now() - began} ms`);
    assert.equal(now.restarts, 1);
  }
  await service.ctl(['domain', 'list']);
  assert.equal(service.exit, undefined);
  await service.stop({ keep: true });
  for (const role of first) assert.ok(!alive(role.pid), `${role.name} lingers`);
  service.exit = undefined;
  await service.serve();
});

test('revoking ends the sessions of that slot within a second, and only those', async () => {
  const a = await service.alias();
  const password = (args, input) => service.ctl(['alias', 'password', a.address, ...args], { input: `${input}\n` });
  const phone = { ...a, password: (await password(['--current', '--name', 'phone'], a.password)).stdout.trim() };
  const { slot } = JSON.parse((await password(['--list', '--json'], '')).stdout).find((s) => s.name === 'phone');
  const refused = async () => {
    const c = await service.imap(phone, { login: false });
    assert.match((await c.cmd(`LOGIN "${a.address}" "${phone.password}"`, { ok: false, ms: 60000 })).at(-1), /^\S+ NO \[AUTHENTICATIONFAILED\]/);
    c.io.end();
  };
  const gone = await service.imap(phone), second = await service.imap(phone), stays = await service.imap(a);
  await gone.cmd('SELECT INBOX');
  await stays.cmd('SELECT INBOX');
  await second.io.write('t9 IDLE\r\n');
  const bye = Promise.all([gone, second].map(async (c) => {
    for (;;) {
      const l = await c.response(10000);
      if (l === null) throw new Error('closed without BYE');
      if (l.startsWith('* BYE')) return Date.now();
    }
  }));
  await password(['--revoke', String(slot)], a.password);
  const told = Date.now();
  for (const at of await bye) assert.ok(at - told < 1000, `${at - told} ms`);
  await stays.cmd('NOOP');
  // while the mailbox is open for the other one: a verifier that was kept would let it in
  await refused();
  await stays.logout();
  await refused();
  await (await service.imap(a)).logout();
});

test('a role that dies at once is started ever more slowly', async () => {
  await allReady();
  const kill = async () => {
    const r = (await roles()).find((x) => x.name === 'directory');
    if (r.pid > 0) try { process.kill(r.pid, 'SIGKILL'); } catch { /* it is dead already */ }
    return r;
  };
  const least = await relaxed() ? 1 : 3, end = Date.now() + 2500;
  let seen;
  while (Date.now() < end) seen = await kill();
  assert.ok(seen.restarts >= least && seen.restarts < 12, `${seen.restarts} restarts in 2.5 s`);
  await allReady();
  await service.ctl(['domain', 'list']);
});
