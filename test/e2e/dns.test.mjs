// Names looked up by the running service, as an operator does it (letterlock dns), of name servers of our own.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DnsServer } from '../lib/dns.mjs';
import { Service, sleep, until } from '../lib/service.mjs';

const zone = {
  'example.org': {
    A: ['192.0.2.1', '192.0.2.2'], AAAA: '2001:db8::1', MX: [[20, 'b.example.org'], [10, 'a.example.org']], TXT: ['v=spf1 -all', 'x'.repeat(300)],
    NS: 'ns.example.org', CAA: [0, 'issue', 'ca.example'], ad: true,
  },
  'www.example.org': { CNAME: 'web.example.org', ttl: 30 }, 'web.example.org': { A: '192.0.2.9', ttl: 600 },
  'null.example.org': { MX: [0, '.'] },
  '_25._tcp.mx.example.org': { TLSA: [3, 1, 1, 'ab'.repeat(32)] },
  '_imaps._tcp.example.org': { SRV: [0, 1, 993, 'imap.example.org'] },
  '1.2.0.192.in-addr.arpa': { PTR: 'mail.example.org' },
  'xn--bcher-kva.example': { A: '192.0.2.3' },
  'short.example.org': { A: '192.0.2.4', ttl: 1 },
  '*.any.example.org': { A: '192.0.2.5', ttl: 3600 },
  'big.example.org': { TXT: Array.from({ length: 60 }, (_, i) => `${i} ${'y'.repeat(200)}`) },
};
let one, two, service;
const dns = async (name, type, { code = 0, json = true } = {}) => {
  const r = await service.ctl(['dns', name, type, ...(json ? ['--json'] : [])], { ok: false });
  assert.equal(r.code, code, `${name} ${type}: ${r.stdout}${r.stderr}`);
  return json ? JSON.parse(r.stdout) : r.stdout;
};
const texts = (a) => a.records.map((r) => r.text);
const upstreams = async () => Object.fromEntries((await service.status()).resolver.upstreams.map((u) => [u.name.replace(/.*:/, ''), u]));
const configure = async (env) => {
  Object.assign(service.env, env);
  if (service.child && !service.exit) await service.stop({ keep: true });
  service.exit = undefined;
  await service.serve();
  await resolver();
};
const resolver = () => until('the resolver', 10000, async () => (await service.status()).roles.find((r) => r.name === 'resolver' && r.state === 'ready'));

before(async () => {
  [one, two] = [await DnsServer.start({ zone }), await DnsServer.start({ zone })];
  // one authority for both
  for (const f of ['ca.pem', 'cert.pem', 'key.pem']) writeFileSync(path.join(two.dir, f), (await import('node:fs')).readFileSync(path.join(one.dir, f)));
  await two.down();
  await two.up();
  service = await Service.start({ serve: false });
  await configure({ LETTERLOCK_RESOLVER_UPSTREAMS: `${one.upstream}, ${two.upstream}`, LETTERLOCK_RESOLVER_CA_FILE: one.ca, LETTERLOCK_RESOLVER_PATIENCE: '300ms', LETTERLOCK_RESOLVER_TIMEOUT: '3s' });
});
after(async () => { await service?.stop(); await one?.stop(); await two?.stop(); });

test('records of every type', async () => {
  const a = await dns('Example.ORG.', 'a');
  assert.deepEqual(texts(a).sort(), ['192.0.2.1', '192.0.2.2']);
  assert.equal(a.authenticated, true);
  assert.ok(a.ttl > 290 && a.ttl <= 300);
  assert.deepEqual(texts(await dns('example.org', 'AAAA')), ['2001:db8::1']);
  assert.deepEqual(texts(await dns('example.org', 'MX')), ['10 a.example.org', '20 b.example.org']);
  assert.deepEqual(texts(await dns('null.example.org', 'MX')), ['0 .']);
  assert.deepEqual(texts(await dns('example.org', 'TXT')), ['"v=spf1 -all"', `"${'x'.repeat(255)}" "${'x'.repeat(45)}"`]);
  assert.deepEqual(texts(await dns('example.org', 'NS')), ['ns.example.org']);
  assert.deepEqual(texts(await dns('example.org', 'CAA')), ['0 issue "ca.example"']);
  assert.deepEqual(texts(await dns('_25._tcp.mx.example.org', 'TLSA')), [`3 1 1 ${'ab'.repeat(32)}`]);
  assert.deepEqual(texts(await dns('_imaps._tcp.example.org', 'SRV')), ['0 1 993 imap.example.org']);
  assert.deepEqual(texts(await dns('192.0.2.1', 'PTR')), ['mail.example.org']);
  assert.deepEqual(texts(await dns('www.example.org', 'CNAME')), ['web.example.org']);
  const www = await dns('www.example.org', 'A');
  assert.deepEqual([www.name, www.records[0].text], ['web.example.org', '192.0.2.9']);
  assert.ok(www.ttl <= 30);
  assert.deepEqual(texts(await dns('bücher.example', 'A')), ['192.0.2.3']);
  assert.match(await dns('example.org', 'MX', { json: false }), /^example\.org: ok, validated, for \d+ s\n10 a\.example\.org\n20 b\.example\.org\n$/);
});

test('"no" is an answer, and kept', async () => {
  for (let i = 0; i < 3; i++) {
    assert.equal((await dns('nobody.example.org', 'A', { code: 68 })).status, 'nxdomain');
    assert.equal((await dns('web.example.org', 'MX', { code: 68 })).status, 'nodata');
  }
  assert.equal(one.asked('nobody.example.org') + two.asked('nobody.example.org'), 1);
  assert.equal((await dns('a..b', 'A', { code: 68 })).status, 'badname');
  assert.equal((await dns('a'.repeat(64), 'A', { code: 68 })).status, 'badname');
  const r = await service.ctl(['dns', 'example.org', 'AXFR'], { ok: false });
  assert.equal(r.code, 64);
});

test('queries are padded, have id 0 and repeat nothing that is kept', async () => {
  const before = one.queries.length + two.queries.length;
  await dns('www.example.org', 'A');
  assert.equal(one.queries.length + two.queries.length, before);
  for (const q of [...one.queries, ...two.queries]) {
    assert.equal(q.bytes % 128, 0);
    assert.equal(q.id, 0);
    assert.equal(q.by, 'post');
  }
});

test('what is over is asked for anew', async () => {
  await dns('short.example.org', 'A');
  await sleep(1100);
  await dns('short.example.org', 'A');
  assert.equal(one.asked('short.example.org') + two.asked('short.example.org'), 2);
});

test('equal questions at once are one', async () => {
  one.delay_ms = two.delay_ms = 200;
  await Promise.all(Array.from({ length: 5 }, () => dns('same.any.example.org', 'A')));
  one.delay_ms = two.delay_ms = 0;
  assert.equal(one.asked('same.any.example.org') + two.asked('same.any.example.org'), 1);
});

test('a server that is gone, silent or mad is left for the other', { timeout: 60000 }, async () => {
  let n = 0;
  const ask = async (count) => { for (let i = 0; i < count; i++) assert.deepEqual(texts(await dns(`f${n++}.any.example.org`, 'A')), ['192.0.2.5']); };
  await one.down();
  // Who is asked is drawn, the faster the likelier: the other is slowed until the one that is gone is tried.
  two.delay_ms = 20;
  await until('the one that is gone to be tried', 20000, async () => { await ask(5); return (await upstreams())[`${one.port}`].failures > 0; });
  two.delay_ms = 0;
  await one.up();
  one.status = 500;
  await sleep(1100);
  await ask(4);
  one.status = 200;
  for (const action of ['garbage', 'reset', 'servfail', 'refused', 'drop']) {
    one.say = () => action;
    await ask(3);
  }
  one.say = () => undefined;
  // and it comes back
  await until('it to be asked again', 20000, async () => { await ask(1); return (await upstreams())[`${one.port}`].failed === 0; });
});

test('nobody answers: told in time, and nothing is kept', async () => {
  one.say = two.say = () => 'drop';
  const began = Date.now();
  assert.equal((await dns('silent.any.example.org', 'A', { code: 75 })).status, 'timeout');
  assert.ok(Date.now() - began < 6000);
  one.say = two.say = () => 'servfail';
  assert.equal((await dns('broken.any.example.org', 'A', { code: 75 })).status, 'servfail');
  one.say = two.say = () => 'bogus';
  assert.equal((await dns('bogus.any.example.org', 'A', { code: 75 })).status, 'bogus');
  one.say = two.say = () => undefined;
  assert.deepEqual(texts(await dns('silent.any.example.org', 'A')), ['192.0.2.5']);
});

test('the role is killed: it comes back, others do not notice', async () => {
  const a = await service.alias();
  const before = (await service.status()).roles;
  await service.kill('resolver');
  await service.deliver(a.address, Buffer.from('Subject: without names\r\n\r\ntext\r\n'));
  await resolver();
  assert.deepEqual(texts(await dns('example.org', 'NS')), ['ns.example.org']);
  for (const r of (await service.status()).roles)
    if (r.name !== 'resolver') assert.equal(r.pid, before.find((x) => x.name === r.name && x.instance === r.instance).pid);
});

test('a resolver that cannot start: mail comes in, people log in, status says so', async () => {
  await service.stop({ keep: true });
  service.exit = undefined;
  const ca = service.env.LETTERLOCK_RESOLVER_CA_FILE;
  service.env.LETTERLOCK_RESOLVER_CA_FILE = path.join(service.dir, 'none.pem');
  await service.serve();
  const a = await service.alias();
  await service.deliver(a.address, Buffer.from('Subject: no resolver\r\n\r\ntext\r\n'));
  const c = await service.imap(a);
  assert.ok((await c.cmd('SELECT INBOX')).some((l) => l === '* 1 EXISTS'));
  await c.logout();
  const s = await service.status();
  assert.equal(s.ready, true);
  assert.equal(s.resolver, null);
  assert.match((await service.ctl(['status'])).stdout, /resolver does not answer now/);
  assert.match(service.log, /no_authorities/);
  await configure({ LETTERLOCK_RESOLVER_CA_FILE: ca });
});

test('a certificate that nobody vouches for is not believed', async () => {
  const stranger = await DnsServer.start({ zone });
  await configure({ LETTERLOCK_RESOLVER_UPSTREAMS: stranger.upstream });
  assert.equal((await dns('example.org', 'A', { code: 75 })).status, 'timeout');
  assert.equal(stranger.queries.length, 0);
  assert.match(service.log, /upstream_fails.*E_AUTH/);
  await configure({ LETTERLOCK_RESOLVER_UPSTREAMS: one.upstream.replace('dns.test', 'other.test') });
  assert.equal((await dns('example.org', 'A', { code: 75 })).status, 'timeout');
  await stranger.stop();
});

test('GET, and the age of what a cache on the way had', async () => {
  await configure({ LETTERLOCK_RESOLVER_UPSTREAMS: one.upstream, LETTERLOCK_RESOLVER_METHOD: 'get' });
  one.age = 100;
  const a = await dns('example.org', 'A');
  one.age = 0;
  assert.ok(a.ttl <= 200);
  assert.equal(one.queries.at(-1).by, 'get');
});

test('plain DNS: UDP, TCP for what does not fit, forged answers pass by', async () => {
  await configure({ LETTERLOCK_RESOLVER_UPSTREAMS: one.plain, LETTERLOCK_RESOLVER_MIX_CASE: 'yes' });
  const from = one.queries.length;
  const a = await dns('example.org', 'A');
  assert.equal(a.records.length, 2);
  assert.equal(a.authenticated, true); // this machine's own
  one.say = () => 'truncate';
  assert.equal(texts(await dns('big.example.org', 'TXT')).length, 60);
  one.say = () => 'forge';
  assert.deepEqual(texts(await dns('forged.any.example.org', 'A')), ['192.0.2.5']);
  one.say = () => undefined;
  const q = one.queries.slice(from);
  assert.deepEqual(q.map((x) => x.by), ['udp', 'udp', 'tcp', 'udp']);
  assert.ok(new Set(q.map((x) => x.id)).size > 1);
  assert.ok(q.some((x) => /[A-Z]/.test(x.raw.toString('latin1'))));
});

test('a setting that makes no sense is refused with its reason', async () => {
  for (const [text, why] of [['https://dns.test/q', /needs the addresses/], ['dns://localhost', /expected dns:/], ['1.1.1.1', /expected https/]]) {
    const r = await service.ctl(['config'], { ok: false, ...(service.env.LETTERLOCK_RESOLVER_UPSTREAMS = text, {}) });
    assert.notEqual(r.code, 0);
    assert.match(r.stderr, why);
  }
  rmSync(path.join(service.dir, 'none.pem'), { force: true });
  service.env.LETTERLOCK_RESOLVER_UPSTREAMS = one.plain;
});
