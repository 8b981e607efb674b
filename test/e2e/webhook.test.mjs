// Webhooks through a whole service: what comes to an alias is posted as signed JSON to a server of this test's own.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { DnsServer } from '../lib/dns.mjs';
import { Service, sleep, until } from '../lib/service.mjs';

const zone = { 'hook.test': { A: '127.0.0.1' }, 'dns.test': { A: '127.0.0.1' } };
let dns, service, plain, secure, key, n = 0;
const got = []; // { url, headers, body, json }
let say = () => 200;

function listen(server) {
  server.on('request', (req, res) => {
    const parts = [];
    req.on('data', (d) => parts.push(d)).on('end', () => {
      const body = Buffer.concat(parts);
      const r = { url: req.url, headers: req.headers, body, json: JSON.parse(body.toString()) };
      got.push(r);
      const answer = say(r);
      if (typeof answer === 'number') res.writeHead(answer).end('ok');
      else if (answer) res.writeHead(answer.status, answer.headers).end();
    });
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}
const signature = (r, k = key) => `sha256=${crypto.createHmac('sha256', k).update(r.body).digest('hex')}`;
const list = async () => JSON.parse((await service.ctl(['queue', 'list', '--json'])).stdout);
const empty = () => until('the queue to be empty', 20000, async () => (await list()).length === 0);
const hook = async (url) => {
  const a = await service.alias(`hooked${++n}`);
  await service.ctl(['alias', 'target', 'add', a.address, url]);
  return a.address;
};
const letter = (extra = '', body = 'hello\r\n') => Buffer.from(`From: =?utf-8?q?J=C3=BC?= <jue@client.example>\r\nTo: x@example.test\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <${crypto.randomUUID()}@client.example>\r\n${extra}\r\n${body}`);
const env = () => ({
  LETTERLOCK_RESOLVER_UPSTREAMS: dns.upstream, LETTERLOCK_RESOLVER_CA_FILE: dns.ca, LETTERLOCK_RELAY_CA_FILE: dns.ca,
  LETTERLOCK_RELAY_PRIVATE_NETWORKS: 'yes', LETTERLOCK_DIRECTORY_WEBHOOK_HTTP: 'yes', LETTERLOCK_MX_AUTH_CHECKS: 'no',
  LETTERLOCK_COURIER_RETRY_FIRST: '1s', LETTERLOCK_RELAY_WEBHOOK_TIMEOUT: '1500ms', LETTERLOCK_COURIER_WEBHOOK_SIZE: '1MiB',
  LETTERLOCK_RELAY_WEBHOOK_PORTS: `${plain.address().port},${secure.address().port}`,
});

before(async () => {
  dns = await DnsServer.start({ zone });
  const dir = path.dirname(dns.ca);
  plain = await listen(http.createServer());
  secure = await listen(https.createServer({ key: readFileSync(path.join(dir, 'key.pem')), cert: readFileSync(path.join(dir, 'cert.pem')) }));
  service = await Service.start({ env: env() });
  await until('the roles', 10000, async () => (await service.status()).roles.every((r) => r.state === 'ready'));
  key = (await service.ctl(['domain', 'webhook-key', 'example.test'])).stdout.trim();
});
after(async () => { await service?.stop(); await dns?.stop(); plain?.close(); secure?.close(); if (process.env.SHOW_LOG) console.log(service.log); });

async function once(to, body) {
  got.length = 0;
  await service.deliver(to, body);
  await until('the webhook to be called', 10000, () => got.length > 0);
  return got[0];
}

test('a message arrives as signed JSON, over TLS by name', async () => {
  assert.match(key, /^[0-9a-f]{64}$/);
  const to = await hook(`https://dns.test:${secure.address().port}/in?a=b`);
  const type = 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n';
  const r = await once(to, letter(type, '--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\ngrüße\r\n--b\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8gaGVsbG8=\r\n--b--\r\n'));
  assert.equal(r.url, '/in?a=b');
  assert.equal(r.headers['content-type'], 'application/json');
  assert.equal(r.headers['user-agent'], 'Letterlock');
  assert.equal(r.headers['x-webhook-signature'], signature(r));
  assert.equal(r.headers['x-webhook-id'], r.json.id);
  assert.equal(r.json.event, 'message');
  assert.equal(r.json.alias, to);
  assert.equal(r.json.envelope.sender, 'sender@example.net');
  assert.equal(r.json.session.peer, '127.0.0.1');
  const m = r.json.message;
  assert.deepEqual(m.from, [{ name: 'Jü', address: 'jue@client.example' }]);
  assert.equal(m.subject, 'grüße');
  assert.match(m.text, /^grüße/);
  assert.equal(m.html, null);
  assert.equal(m.attachments.length, 1);
  assert.equal(m.attachments[0].name, 'a.pdf');
  assert.equal(Buffer.from(m.attachments[0].content, 'base64').toString(), 'hello hello');
  assert.equal(m.attachments[0].bytes, 11);
  assert.ok(m.headers.some((h) => h.name === 'Received'));
  await empty();
});

test('tried again after 500 and after silence, with the same id and body; 410 ends it', async () => {
  const to = await hook(`http://hook.test:${plain.address().port}/again`);
  let calls = 0;
  say = () => (++calls === 1 ? 500 : calls === 2 ? null : 200);
  await once(to, letter());
  await until('three calls', 20000, () => got.length === 3);
  assert.equal(new Set(got.map((r) => r.headers['x-webhook-id'])).size, 1);
  assert.equal(new Set(got.map((r) => r.body.toString())).size, 1);
  await empty();
  say = () => 410;
  await once(to, letter());
  await empty();
  assert.equal(got.length, 1);
  say = () => 200;
});

test('Retry-After is waited for', async () => {
  const to = await hook(`http://hook.test:${plain.address().port}/later`);
  say = () => ({ status: 503, headers: { 'Retry-After': '3600' } });
  await once(to, letter());
  const m = await until('an answer', 5000, async () => (await list()).find((x) => x.list[0].attempts > 0));
  assert.ok(Date.parse(m.list[0].due) - Date.now() > 3000000, m.list[0].due);
  say = () => 200;
  await service.ctl(['queue', 'delete', '--all']);
});

test('a redirect is not followed', async () => {
  const to = await hook(`http://hook.test:${plain.address().port}/redirect`);
  say = () => ({ status: 302, headers: { Location: `http://hook.test:${plain.address().port}/elsewhere` } });
  await once(to, letter());
  await empty();
  assert.deepEqual(got.map((r) => r.url), ['/redirect']);
  say = () => 200;
});

test('what does not fit is left out, and said to be', async () => {
  const to = await hook(`http://hook.test:${plain.address().port}/big`);
  const big = crypto.randomBytes(2 << 20).toString('base64').replace(/.{76}/g, '$&\r\n');
  const r = await once(to, letter('MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n', `--b\r\n\r\nsee below\r\n--b\r\nContent-Type: image/png; name=big.png\r\nContent-Transfer-Encoding: base64\r\n\r\n${big}\r\n--b\r\nContent-Type: image/png; name=small.png\r\nContent-Transfer-Encoding: base64\r\n\r\naGk=\r\n--b--\r\n`));
  const [a, b] = r.json.message.attachments;
  assert.ok(r.body.length < 1 << 20);
  assert.deepEqual([a.name, a.content, a.bytes, a.left_out], ['big.png', null, 2 << 20, true]);
  assert.deepEqual([b.name, b.content, b.left_out], ['small.png', 'aGk=', false]);
  assert.equal(r.headers['x-webhook-signature'], signature(r));
  await empty();
});

test('many at once; relay, content and courier are killed and nothing is lost', async () => {
  const to = await hook(`http://127.0.0.1:${plain.address().port}/many`);
  got.length = 0;
  for (let i = 0; i < 40; i++) await service.deliver(to, letter());
  for (const role of ['relay', 'content', 'courier']) { await service.kill(role); await sleep(150); }
  await until('all of them', 30000, () => new Set(got.map((r) => r.json.id)).size === 40);
  await empty();
});

test('a new key signs at once, and stays over a new server key', async () => {
  const former = key;
  key = (await service.ctl(['domain', 'webhook-key', 'example.test', '--rotate'])).stdout.trim();
  assert.notEqual(key, former);
  await service.stop({ keep: true });
  service.exit = undefined;
  await service.ctl(['server-key', 'rotate']);
  await service.serve();
  assert.equal((await service.ctl(['domain', 'webhook-key', 'example.test'])).stdout.trim(), key);
  const r = await once(await hook(`http://hook.test:${plain.address().port}/key`), letter());
  assert.equal(r.headers['x-webhook-signature'], signature(r));
  await empty();
});

test('private addresses are refused without relay.private_networks, by name and as they are; other ports always', async () => {
  await service.stop({ keep: true });
  service.exit = undefined;
  service.env.LETTERLOCK_RELAY_PRIVATE_NETWORKS = 'no';
  await service.serve();
  got.length = 0;
  for (const url of [`http://hook.test:${plain.address().port}/`, `http://127.0.0.1:${plain.address().port}/`, 'https://hook.test:9/']) {
    await service.deliver(await hook(url), letter());
    await empty();
  }
  await sleep(100);
  assert.equal(got.length, 0);
  assert.equal((service.log.match(/courier\.attempt.*failed=1/g) ?? []).length >= 3, true);
});
