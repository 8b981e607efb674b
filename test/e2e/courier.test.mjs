// Mail that leaves: through the queue, by the relay, to servers of this test's own; names from a name server of
// this test's own. Peers that refuse, hang, break off, and what is told of it.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { DnsServer } from '../lib/dns.mjs';
import { KILLS, leavingTest } from '../lib/leaving.mjs';
import { Peer } from '../lib/peer.mjs';
import { Service, sample, sleep, until } from '../lib/service.mjs';

const zone = {
  'one.test': { MX: [[10, 'mx.one.test']] }, 'mx.one.test': { A: '127.0.0.1' },
  'nomx.test': { A: '127.0.0.1' }, 'null.test': { MX: [[0, '.']] },
  'several.test': { MX: [[10, 'dead.test'], [20, 'mx.one.test']] }, 'dead.test': { A: '127.0.0.2' },
  'loop.test': { MX: [[10, 'mail.example.test'], [20, 'mx.one.test']] }, 'mail.example.test': { A: '127.0.0.1' },
};
for (let i = 0; i < 300; i++) zone[`d${i}.test`] = { A: '127.0.0.1' };
let dns, service, peer;
const add = async (to, body = sample(1), from = 'a@example.test') =>
  (await service.ctl(['queue', 'add', '--from', from, [].concat(to).join(',')], { input: body })).stdout.trim();
const list = async () => JSON.parse((await service.ctl(['queue', 'list', '--json'])).stdout);
const find = async (name) => (await list()).find((m) => m.message === name);
const gone = (name, ms = 10000) => until('the message to leave the queue', ms, async () => !(await find(name)));
const answered = (name, ms = 10000) => until('an answer', ms, async () => { const m = await find(name); return m?.list.some((t) => t.attempts > 0) && m; });
const quiet = () => { peer.say = {}; peer.messages = []; peer.takes = false; peer.size = undefined; };
const empty = () => service.ctl(['queue', 'delete', '--all']);

before(async () => {
  peer = await new Peer().start();
  dns = await DnsServer.start({ zone });
  service = await Service.start({ submission: true, env: {
    LETTERLOCK_RESOLVER_UPSTREAMS: dns.upstream, LETTERLOCK_RESOLVER_CA_FILE: dns.ca, LETTERLOCK_RELAY_SMTP_PORT: String(peer.port),
    LETTERLOCK_RELAY_PRIVATE_NETWORKS: 'yes', LETTERLOCK_SERVER_HOSTNAME: 'mail.example.test', LETTERLOCK_COURIER_RETRY_FIRST: '1s',
    LETTERLOCK_RELAY_PATIENCE: '1', LETTERLOCK_COURIER_MAX_ATTEMPTS: '1000', LETTERLOCK_SUBMISSION_ALIAS_MESSAGES: '0', LETTERLOCK_SUBMISSION_ALIAS_RECIPIENTS: '0',
    LETTERLOCK_MX_AUTH_CHECKS: 'no', LETTERLOCK_SERVER_RESTART_MAX: '100',
  } });
  await until('the roles', 10000, async () => (await service.status()).roles.every((r) => r.state === 'ready'));
});
after(async () => { await service?.stop(); await dns?.stop(); await peer?.stop(); if (process.env.SHOW_LOG) console.log(service.log); });

test('a message arrives byte for byte, dots and all', async () => {
  const body = Buffer.concat([sample(1), Buffer.from('.\r\n..two\r\n.one\r\nend\r\n')]);
  const name = await add('b@one.test', body);
  assert.match(name, /^[0-9a-f]{32}$/);
  await gone(name);
  assert.equal(peer.messages.length, 1);
  assert.deepEqual(peer.messages[0].to, ['b@one.test']);
  assert.equal(peer.messages[0].from, 'a@example.test');
  assert.ok(peer.messages[0].raw.toString('latin1').endsWith(body.toString('latin1')), 'the same bytes');
  quiet();
});

test('many recipients of a domain go in one transaction; several messages over one connection', async () => {
  const before = peer.connections;
  const to = Array.from({ length: 30 }, (_, i) => `r${i}@one.test`);
  await gone(await add(to));
  assert.deepEqual(peer.messages.map((m) => m.to.length), [30]);
  for (let i = 0; i < 5; i++) await gone(await add('b@one.test', sample(i)));
  assert.ok(peer.connections - before <= 2, `${peer.connections - before} connections`);
  quiet();
});

test('a large message streams', async () => {
  const body = sample(7, 6 << 20);
  await gone(await add('b@one.test', body), 30000);
  assert.equal(peer.messages[0].raw.length, body.length);
  assert.ok(peer.messages[0].raw.equals(body));
  quiet();
});

test('an address record where there is no MX; the next host when the first does not answer', async () => {
  await gone(await add('b@nomx.test'));
  await gone(await add('b@several.test'));
  assert.equal(peer.messages.length, 2);
  quiet();
});

test('null MX, no such domain, and ourselves: refused for good', async () => {
  for (const to of ['b@null.test', 'b@nothing.test', 'b@loop.test']) await gone(await add(to, sample(1), ''));
  assert.equal(peer.messages.length, 0);
});

test('each recipient has an answer of its own', async () => {
  peer.say.RCPT = (c, to, ok) => (to.startsWith('no') ? '550 5.1.1 nobody' : to.startsWith('later') ? '451 4.2.1 busy' : ok);
  const name = await add(['yes@one.test', 'no@one.test', 'later@one.test']);
  const m = await answered(name);
  assert.deepEqual(peer.messages[0].to, ['yes@one.test']);
  assert.deepEqual(m.list.map((t) => [t.to, t.code, t.answer]), [['later@one.test', 451, 'busy']]);
  quiet();
  await gone(name);
  assert.deepEqual(peer.messages.map((x) => x.to), [['later@one.test']]);
  quiet();
});

test('greylisting: refused once, taken later', async () => {
  let first = true;
  peer.say.RCPT = (c, to, ok) => { const was = first; first = false; return was ? '450 4.7.1 greylisted' : ok; };
  await gone(await add('b@one.test'));
  assert.equal(peer.messages.length, 1);
  quiet();
});

for (const [what, how] of Object.entries({
  'the greeting': { greeting: () => null }, EHLO: { EHLO: () => null }, MAIL: { MAIL: () => null }, RCPT: { RCPT: () => null },
  DATA: { DATA: () => null }, 'the end': { end: () => null },
})) test(`a peer that hangs at ${what}`, async () => {
  peer.say = { ...how };
  for (const s of peer.open) s.destroy(); // a connection of before would be used again
  const name = await add('b@one.test');
  await answered(name, 20000);
  quiet();
  await service.ctl(['queue', 'retry', '--all']);
  await gone(name, 15000);
  assert.equal(peer.messages.length, 1);
  quiet();
});

test('a peer that drops the connection after the last dot: sent again, and counted', async () => {
  const before = (await service.status()).courier.uncertain;
  peer.takes = true;
  let first = true;
  peer.say.end = (c, m, ok) => { if (!first) return ok; first = false; c.socket.destroy(); return null; };
  const name = await add('b@one.test');
  await answered(name);
  await service.ctl(['queue', 'retry', '--all']);
  await gone(name);
  assert.equal(peer.messages.length, 2);
  assert.equal((await service.status()).courier.uncertain, before + 1);
  quiet();
});

test('SIZE: what is larger than a server takes is not tried', async () => {
  await service.kill('relay'); // no connection of before, which knew another size
  peer.size = 1000;
  await service.kill('relay'); // no connection of before
  await gone(await add('b@one.test', sample(1), ''));
  assert.equal(peer.messages.length, 0);
  quiet();
});

test('a server without 8BITMIME: the parts that need it are encoded, the rest stays', async () => {
  await service.kill('relay'); // no connection of before
  peer.say.EHLO = () => '250 peer.test';
  const head = 'Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--b\r\n\r\nplain = plain\r\n--b\r\n';
  const image = Buffer.alloc(300000, '\x00\xff\xfe\r\n'.slice(1), 'latin1');
  const body = Buffer.concat([Buffer.from(`${head}Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nan \u00e4 and more of it\r\n--b\r\nContent-Type: image/png\r\n\r\n`, 'utf8'), image, Buffer.from('\r\n--b--\r\n')]);
  await gone(await add('b@one.test', body, ''));
  await gone(await add('c@one.test', Buffer.from('Subject: \xe9\r\n\r\nthe word \xe9 here\r\n', 'latin1'), ''));
  const [mixed, raw] = peer.messages.map((m) => m.raw.toString('latin1'));
  assert.equal(peer.messages.length, 2);
  assert.ok(peer.messages.every((m) => m.raw.every((c) => c < 128)));
  assert.ok(mixed.includes(head.replace('Content-Transfer-Encoding: 8bit\r\n', '')), mixed.slice(0, 400));
  assert.match(mixed, /quoted-printable\r\n\r\nan =C3=A4 and more of it\r\n--b/);
  assert.ok(Buffer.from(/base64\r\n\r\n([^-]*)\r\n--b--/.exec(mixed)[1], 'base64').equals(image));
  assert.match(raw, /Subject: \?\r\n[^]*unknown-8bit[^]*=E9/);
  assert.equal(peer.messages.length, 2);
  quiet();
});

test('an old server: EHLO refused, HELO taken', async () => {
  await service.kill('relay');
  peer.say.EHLO = () => '502 5.5.1 what?';
  await gone(await add('b@one.test'));
  assert.equal(peer.messages.length, 1);
  quiet();
});

test('hold, release, delete, show', async () => {
  peer.say.MAIL = () => '451 4.3.0 later';
  const name = await add('b@one.test');
  await answered(name);
  await service.ctl(['queue', 'hold', '--message', name]);
  quiet();
  assert.equal((await find(name)).list[0].state, 'held');
  const shown = JSON.parse((await service.ctl(['queue', 'show', name, '--json'])).stdout);
  assert.match(shown.header, /^Subject: Letter number 1/m);
  await sleep(1500);
  assert.equal(peer.messages.length, 0);
  await service.ctl(['queue', 'release', '--message', name]);
  await gone(name);
  assert.equal(peer.messages.length, 1);
  quiet();
});

test('a signed message carries both signatures of its domain, whose records are told', async () => {
  await service.ctl(['domain', 'add', 'signed.test']);
  const keys = JSON.parse((await service.ctl(['domain', 'dkim', 'signed.test', '--json'])).stdout);
  assert.deepEqual(keys.map((k) => k.algorithm).sort(), ['ed25519-sha256', 'rsa-sha256']);
  const body = Buffer.from('From: a@signed.test\r\nTo: b@one.test\r\nSubject: signed\r\n\r\nhello\r\n');
  const r = await service.ctl(['queue', 'add', '--from', 'a@signed.test', '--sign', 'signed.test', 'b@one.test'], { input: body });
  await gone(r.stdout.trim());
  const raw = peer.messages[0].raw.toString('latin1');
  assert.ok(raw.endsWith(body.toString('latin1')));
  for (const k of keys) {
    assert.ok(raw.replace(/\r\n\s+/g, '').includes(`s=${k.selector}`), k.selector);
    zone[`${k.selector}._domainkey.signed.test`] = { TXT: k.record };
  }
  const after = JSON.parse((await service.ctl(['domain', 'dkim', 'signed.test', '--rotate', '--json'])).stdout);
  assert.equal(after.length, 4);
  assert.equal(after.filter((k) => k.signs_until_ms > 0).length, 2);
  quiet();
});

test('after another server key the queue opens, and its keys still sign', async () => {
  await service.stop({ keep: true });
  service.exit = undefined;
  await service.ctl(['server-key', 'rotate']);
  await service.serve();
  const body = Buffer.from('From: a@signed.test\r\nSubject: signed\r\n\r\nhello\r\n');
  const r = await service.ctl(['queue', 'add', '--from', 'a@signed.test', '--sign', 'signed.test', 'b@one.test'], { input: body });
  await gone(r.stdout.trim());
  assert.equal(peer.messages[0].raw.toString('latin1').match(/^DKIM-Signature:/gm).length, 2);
  quiet();
});

const reports = () => peer.messages.filter((m) => m.from === '' && m.raw.includes('multipart/report'));

test('what a server refuses for good is reported to who sent it, once; to nobody, when that is who sent it', async () => {
  peer.say.RCPT = (c, to, ok) => (to.startsWith('no') ? '550 5.1.1 nobody of that name' : ok);
  await gone(await add(['yes@one.test', 'no@one.test'], sample(1), 'sender@nomx.test'));
  await until('the report', 10000, () => reports().length > 0);
  await gone(await add('no@one.test', sample(1), ''));
  await until('an empty queue', 10000, async () => (await list()).length === 0);
  assert.equal(reports().length, 1);
  const [{ to, raw }] = reports();
  assert.deepEqual(to, ['sender@nomx.test']);
  const text = raw.toString('latin1');
  for (const line of ['From: Mail Delivery System <MAILER-DAEMON@mail.example.test>', 'To: <sender@nomx.test>', 'Auto-Submitted: auto-replied', 'Reporting-MTA: dns; mail.example.test',
    'Final-Recipient: rfc822; no@one.test', 'Action: failed', 'Status: 5.1.1', 'Remote-MTA: dns; mx.one.test', 'Diagnostic-Code: smtp; 550 5.1.1 nobody of that name'])
    assert.ok(text.includes(`\r\n${line}\r\n`) || text.startsWith(`${line}\r\n`), `${line}\n${text}`);
  assert.ok(!text.includes('yes@one.test'));
  assert.ok(text.includes(sample(1).toString('latin1')), 'the message came back whole');
  quiet();
});

test('a report to somebody here comes through our own MX, wherever our name leads', async () => {
  zone['example.test'] = { MX: [[10, 'mail.example.test']] };
  const who = await service.alias();
  peer.say.RCPT = () => '550 5.1.1 nobody of that name';
  await gone(await add('no@one.test', sample(1), who.address));
  await until('an empty queue', 10000, async () => (await list()).length === 0);
  const c = await service.imap(who);
  await c.cmd('SELECT INBOX');
  await c.cmd('FETCH 1 (BODY[])');
  const text = c.literals[0].toString('latin1');
  await c.logout();
  assert.match(text, /Final-Recipient: rfc822; no@one\.test/);
  assert.match(text, /Return-Path: <>/i);
  assert.equal(peer.messages.length, 0);
  quiet();
});

test('a stop in good order: what has gone out whole is waited for, what has not goes later; nothing twice, nothing lost', { timeout: 60000 }, async () => {
  let whole = 0;
  peer.say.end = (c, m, ok) => { whole++; peer.messages.push(m); setTimeout(() => c.socket.destroyed || c.socket.write(`${ok}\r\n`), 1500); return null; };
  await add('slow@one.test');
  await until('the last dot', 10000, () => whole === 1);
  peer.say.DATA = () => null; // another one hangs before its body
  await add('hung@nomx.test');
  await sleep(300);
  const began = Date.now();
  await service.stop({ keep: true });
  assert.ok(Date.now() - began < 8000, 'bounded');
  service.exit = undefined;
  quiet();
  await service.serve();
  await until('the queue to be empty', 20000, async () => { const r = await service.ctl(['queue', 'retry', '--all'], { ok: false }); return r.code === 0 && (await list()).length === 0; });
  assert.deepEqual(peer.messages.map((m) => m.to[0]), ['hung@nomx.test'], 'only the one that had not gone out');
  assert.equal((await service.status()).courier.uncertain, 0);
  assert.equal(whole, 1);
  quiet();
});

test('a message that brings the relay down each time is set aside, and holds nobody up', { timeout: 60000 }, async () => {
  let deaths = 0;
  peer.say.RCPT = (c, to, ok) => {
    if (!to.startsWith('poison')) return ok;
    deaths++;
    service.kill('relay').catch(() => {});
    return null;
  };
  const poison = await add('poison@one.test');
  await until('a first death', 10000, () => deaths > 0);
  await gone(await add('other@one.test'), 20000); // while the other one goes on
  const held = await until('it to be set aside', 40000, async () => { const m = await find(poison).catch(() => null); return m?.list[0].state === 'held' && m; });
  assert.equal(deaths, 5);
  assert.match(held.list[0].answer, /set aside/);
  assert.match(service.log, /courier\.set_aside/);
  assert.deepEqual(peer.messages.map((m) => m.to[0]), ['other@one.test']);
  quiet();
  await service.ctl(['queue', 'release', '--message', poison]);
  await gone(poison);
  quiet();
});

test('a courier that is killed hears of 300 deliveries from the relay: none is made again', { timeout: 60000 }, async () => {
  const waiting = [];
  peer.say.end = (c, m, ok) => { waiting.push([c, ok]); peer.messages.push(m); return null; };
  await add(Array.from({ length: 300 }, (_, i) => `b@d${i}.test`), sample(1), '');
  await until('300 last dots', 30000, () => waiting.length === 300);
  const before = (await service.status()).courier.uncertain;
  await service.kill('courier');
  for (const [c, ok] of waiting) c.socket.write(`${ok}\r\n`);
  peer.say.end = undefined;
  await until('an empty queue', 20000, async () => (await list().catch(() => [1])).length === 0);
  assert.equal(new Set(peer.messages.map((m) => m.to[0])).size, 300);
  assert.equal(peer.messages.length, 300, 'each once');
  assert.ok((await service.status()).courier.uncertain <= before);
  quiet();
});

test('five days, by a clock that leaps: the delay is told after hours, the end after days, and nothing waits any more', { timeout: 60000 }, async () => {
  await empty();
  const at = async (hours) => {
    await service.stop({ keep: true });
    service.exit = undefined;
    service.env.LETTERLOCK_COURIER_CLOCK_AHEAD = `${hours}h`;
    await service.serve();
  };
  const told = (action) => peer.messages.filter((m) => m.from === '' && m.raw.includes(`Action: ${action}`)).length;
  peer.say.RCPT = (c, to, ok) => (to.startsWith('later') ? '451 4.2.1 busy' : ok);
  const name = await add('later@one.test', sample(1), 'sender@nomx.test');
  await answered(name);
  const tries = [(await find(name)).list[0].attempts];
  for (const hours of [5, 119]) {
    await at(hours);
    await until('one more try', 15000, async () => (await find(name).catch(() => null))?.list[0].attempts > tries.at(-1));
    tries.push((await find(name)).list[0].attempts);
    await until('the word of the delay', 10000, () => told('delayed') === 1);
  }
  assert.equal(told('failed'), 0);
  await at(121);
  await gone(name);
  await until('the word of the end', 10000, () => told('failed') === 1);
  assert.equal(told('delayed'), 1);
  await until('an empty queue', 10000, async () => (await list()).length === 0);
  quiet();
});

// Long: LEAVING_MESSAGES=5000, which `make soak` sets.
test('whatever is killed, every message is delivered once or reported once; twice only where an answer was lost', { timeout: 3600000 }, async () => {
  await empty();
  zone['example.test'] = { MX: [[10, 'mail.example.test']] };
  zone['*.sink.test'] = { A: '127.0.0.1' };
  peer.messages = [];
  const { problems, run } = await leavingTest({ service, peer, messages: Number(process.env.LEAVING_MESSAGES ?? 400) });
  if (problems.length) console.log(service.log.split('\n').slice(-80).map((l) => `# ${l}`).join('\n'));
  assert.ok(run.kills >= KILLS, `only ${run.kills} kills`);
  assert.deepEqual(problems.slice(0, 20), []);
  quiet();
});
