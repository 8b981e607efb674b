// What the service says of itself: the journal of a person, the numbers for Prometheus, and that nobody waits for either.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Service, Smtp, dial, freePort, until } from '../lib/service.mjs';

let service, ann, port;
const log = async (address, ...more) => {
  const r = await service.ctl(['log', address, '--json', ...more]);
  return r.stdout.trim().split('\n').filter(Boolean).map((l) => JSON.parse(l));
};
const metrics = async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
const number = (text, name) => Number(new RegExp(`^${name.replace(/[{}"]/g, '\\$&')} (\\S+)$`, 'm').exec(text)?.[1]);

before(async () => {
  port = await freePort();
  service = await Service.start({ submission: true, env: { LETTERLOCK_MONITOR_LISTEN: `127.0.0.1:${port}`, LETTERLOCK_MX_MAX_MESSAGE: '100000' } });
  ann = await service.alias();
});
after(async () => { await service?.stop(); });

test('the person concerned reads what was decided', async () => {
  await service.deliver(ann.address, Buffer.from('From: Bob <bob@example.org>\r\nSubject: secret words\r\n\r\nhello\r\n'), 'bob@example.org');
  const mine = await until('the journal', 10000, async () => { const l = await log(ann.address); return l.length ? l : null; });
  assert.equal(mine.length, 1);
  assert.equal(mine[0].event, 'accepted');
  assert.equal(mine[0].service, 'mx');
  assert.equal(mine[0].other, 'bob@example.org');
  assert.ok(mine[0].bytes > 40);
  assert.equal(mine[0].client, '127.0.0.1');
  assert.ok(!JSON.stringify(mine).includes('secret words'));
  // today has it, another day has not, nor has another person
  assert.equal((await log(ann.address, '--day', mine[0].at.slice(0, 10))).length, 1);
  assert.equal((await log(ann.address, '--day', '2001-01-01')).length, 0);
  assert.equal((await log('nobody@example.org')).length, 0);
  assert.match((await service.ctl(['log', ann.address])).stdout, /mx: accepted from or to <bob@example\.org> at 127\.0\.0\.1/);
  const r = await service.ctl(['log', ann.address, '--day', 'monday'], { ok: false });
  assert.equal(r.code, 64);
});

test('what was refused is told with our words', async () => {
  const big = Buffer.concat([Buffer.from('Subject: big\r\n\r\n'), Buffer.from('x'.repeat(70) + '\r\n').toString().repeat(2000)].map((b) => Buffer.from(b)));
  await assert.rejects(service.deliver(ann.address, big, 'bob@example.org'));
  const no = await until('the refusal', 10000, async () => (await log(ann.address)).find((n) => n.event === 'refused'));
  assert.match(no.why, /^552 5\.3\.4 Message too big/);
});

test('who was not let in at RCPT is told, too', async () => {
  await service.ctl(['access', 'deny', ann.address, 'bad.example']);
  await assert.rejects(service.deliver(ann.address, Buffer.from('Subject: x\r\n\r\nx\r\n'), 'someone@bad.example'));
  const no = await until('the refusal', 10000, async () => (await log(ann.address)).find((n) => n.other === 'someone@bad.example'));
  assert.equal(no.event, 'refused');
  assert.match(no.why, /^550 5\.7\.1 That recipient takes no mail from this sender/);
  assert.equal(no.client, '127.0.0.1');
});

test('the file is noise without the server key', () => {
  const bytes = readFileSync(path.join(service.dir, 'data', 'journal.sqlite'));
  for (const word of ['SQLite format', 'bob@example.org', 'accepted', ann.address])
    assert.equal(bytes.includes(word), false, word);
});

test('numbers for Prometheus', async () => {
  const c = await service.imap(ann);
  await c.cmd('SELECT INBOX');
  const text = await until('the counts of the roles', 20000, async () => {
    const t = await metrics();
    return number(t, 'letterlock_logins_total{role="imap",instance="0",result="good"}') === 1 && t.includes('role="mx"') ? t : null;
  });
  await c.logout();
  assert.equal(number(text, 'letterlock_messages_total{role="mx",instance="0",result="taken"}'), 1);
  assert.equal(number(text, 'letterlock_messages_total{role="mx",instance="0",result="refused"}'), 1);
  assert.equal(number(text, 'letterlock_message_seconds_count{role="mx",instance="0"}'), 1);
  assert.equal(number(text, 'letterlock_connections{role="imap",instance="0"}'), 1);
  assert.equal(number(text, 'letterlock_role_answers{role="store"}'), 1);
  assert.equal(number(text, 'letterlock_store_delivered_sealed') + number(text, 'letterlock_store_delivered_open'), 1);
  // each name is told of once, before its numbers
  const typed = [...text.matchAll(/^# TYPE (\S+)/gm)].map((m) => m[1]);
  assert.equal(new Set(typed).size, typed.length);
  assert.ok(text.split('\n').every((l) => l === '' || l.startsWith('#') || /^letterlock_[a-z0-9_]+(\{[^}]*\})? [0-9.e+]+$/.test(l)));
  for (const [method, url, status] of [['GET', '/', 404], ['POST', '/metrics', 405], ['HEAD', '/metrics', 200]])
    assert.equal((await fetch(`http://127.0.0.1:${port}${url}`, { method })).status, status);
});

test('who sends reads what became of his letters, and by whom he was not taken', async () => {
  const bob = await service.alias();
  const c = new Smtp(await dial(service.ports.submissions, { secure: true }));
  await c.reply();
  await c.cmd('EHLO client.test');
  const plain = (password) => Buffer.from(`\0${ann.address}\0${password}`).toString('base64');
  assert.equal((await c.cmd(`AUTH PLAIN ${plain('wrong')}`)).code, 535);
  assert.equal((await c.cmd(`AUTH PLAIN ${plain(ann.password)}`)).code, 235);
  const send = async (from) => {
    await c.cmd(`MAIL FROM:<${ann.address}>`);
    const no = await c.cmd('RCPT TO:<nobody-here@example.test>');
    await c.cmd(`RCPT TO:<${bob.address}>`);
    await c.cmd('DATA');
    return [no.code, (await c.cmd(`From: ${from}\r\n\r\nx\r\n.`)).code];
  };
  assert.deepEqual(await send(bob.address), [550, 550]);
  assert.deepEqual(await send(ann.address), [550, 250]);
  const mine = await until('the journal', 10000, async () => {
    const l = (await log(ann.address)).filter((n) => n.service === 'submission');
    return l.length === 4 ? l : null;
  });
  assert.deepEqual(mine.map((n) => `${n.event} ${n.other}`).sort(),
    [`accepted ${bob.address}`, 'refused nobody-here@example.test', 'refused nobody-here@example.test', `refused ${bob.address}`].sort());
  assert.match(mine.find((n) => n.event === 'refused' && n.other === bob.address).why, /^550 5\.7\.1 From or Sender/);
  assert.deepEqual((await log(bob.address)).map((n) => `${n.event} ${n.other}`), [`accepted ${ann.address}`]);
  const text = await until('the counts', 20000, async () => {
    const t = await metrics();
    return number(t, 'letterlock_logins_total{role="submission",instance="0",result="good"}') === 1
      && number(t, 'letterlock_messages_total{role="submission",instance="0",result="taken"}') === 1 ? t : null;
  });
  assert.equal(number(text, 'letterlock_logins_total{role="submission",instance="0",result="bad"}'), 1);
  assert.equal(number(text, 'letterlock_connections_total{role="submission",instance="0"}'), 1);
  assert.equal(number(text, 'letterlock_connections{role="submission",instance="0"}'), 1);
  c.end();
});

test('nobody waits for the monitor', async () => {
  const pid = (await service.status()).roles.find((r) => r.name === 'monitor').pid;
  process.kill(pid, 'SIGSTOP');
  await service.deliver(ann.address, Buffer.from('Subject: while it stands still\r\n\r\nhello\r\n'), 'eve@example.org');
  process.kill(pid, 'SIGKILL');
  await service.deliver(ann.address, Buffer.from('Subject: while it is gone\r\n\r\nhello\r\n'), 'mal@example.org');
  await until('the monitor to be back', 20000, async () => (await service.status()).roles.find((r) => r.name === 'monitor' && r.state === 'ready'));
  await service.deliver(ann.address, Buffer.from('Subject: again\r\n\r\nhello\r\n'), 'zoe@example.org');
  await until('the last', 20000, async () => (await log(ann.address)).some((n) => n.other === 'zoe@example.org'));
});
