// The whole service on a network of its own: real ports (25, 465, 587, 993), real addresses of both families, no exception for
// private networks, a name server, a web server and mail servers at addresses of their own; and ways that lead nowhere.
// Two network namespaces: root only, skipped elsewhere.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import nodemailer from 'nodemailer';
import { SMTPServer } from 'smtp-server';
import { Authority, spki } from '../lib/certificates.mjs';
import { DnsServer } from '../lib/dns.mjs';
import { Network, inNamespace } from '../lib/netns.mjs';
import { OpenSmtpd } from '../lib/opensmtpd.mjs';
import { Peer } from '../lib/peer.mjs';
import { Postfix } from '../lib/postfix.mjs';
import { Lines, Service, Smtp, sample, until } from '../lib/service.mjs';

const absent = await inNamespace(import.meta.url);
if (absent) console.log(`# ${absent}`);
const on = { skip: absent ?? false };
const onPostfix = { skip: absent ?? (Postfix.absent ? `SKIPPED: ${Postfix.absent}` : false) };
const onOpen = { skip: absent ?? (OpenSmtpd.absent ? `SKIPPED: ${OpenSmtpd.absent}` : false) };

const zone = { 'example.test': { MX: [[10, 'mail.example.test']] }, 'mail.example.test': { A: '25.25.0.25', AAAA: '2c01:25:25::25' } };
const peers = {}, npm = [];
let dir, ca, right, wrong, network, dns, web, service, postfix, open, alice;

const domain = (name, A, more = {}) => { zone[name] = { MX: [[10, `mx.${name}`]], ...more }; zone[`mx.${name}`] = { ...(A && { A }), ...more }; };
let last = 1;
async function peer(name, { say = {}, cert = null, address = `25.25.1.${++last}`, ...more } = {}) {
  domain(`${name}.test`, network.address(address), more);
  peers[name] = Object.assign(new Peer(), { say, cert, address });
  return peers[name].start(25, address);
}
const policy = (name, mode) => {
  zone[`_mta-sts.${name}.test`] = { TXT: 'v=STSv1; id=1;' };
  zone[`mta-sts.${name}.test`] = { A: '25.25.0.80' };
  web.policies[`${name}.test`] = `version: STSv1\r\nmode: ${mode}\r\nmx: mx.${name}.test\r\nmax_age: 86400\r\n`;
};
const add = async (to, body = sample(1), from = 'a@example.test') =>
  (await service.ctl(['queue', 'add', '--from', from, [].concat(to).join(',')], { input: body })).stdout.trim();
const list = async () => JSON.parse((await service.ctl(['queue', 'list', '--json'])).stdout);
const find = async (name) => (await list()).find((m) => m.message === name);
const gone = (name, ms = 15000) => until('the message to leave the queue', ms, async () => !(await find(name)));
const tried = async (name, ms = 20000) => (await until('an answer', ms, async () => { const m = await find(name); return m?.list[0].attempts > 0 && m.list[0].answer && m; })).list[0];
const drop = (name) => service.ctl(['queue', 'delete', '--message', name]);
async function inbox(who, text, ms = 15000) {
  return until(`a letter with ${text}`, ms, async () => {
    const c = await service.imap(who);
    await c.cmd('SELECT INBOX');
    await c.cmd('FETCH 1:* BODY.PEEK[]', { ok: false });
    const all = c.literals;
    await c.logout();
    return all.map((b) => b.toString('utf8')).find((t) => t.includes(text));
  });
}
const transport = (port, more = {}) => nodemailer.createTransport({ host: service.host, port, secure: port === 465, requireTLS: true, tls: { rejectUnauthorized: false }, auth: { user: alice.address, pass: alice.password }, ...more });

before(async () => {
  if (absent) return;
  dir = mkdtempSync('/tmp/letterlock-netns-');
  ca = new Authority(dir);
  right = ca.certificate('right', ['mx.strict.test', 'mx.dane.test', 'mx.clear.test', ...['strict', 'wrong', 'none'].map((n) => `mta-sts.${n}.test`)].map((n) => `DNS:${n}`).join(','));
  wrong = ca.certificate('wrong', 'DNS:elsewhere.test');
  network = await Network.start();
  dns = await DnsServer.start({ zone, host: network.address('25.25.0.53'), port: 443 });
  web = https.createServer(right, (q, r) => {
    const text = web.policies[q.headers.host.replace(/^mta-sts\./, '')];
    r.writeHead(text && q.url === '/.well-known/mta-sts.txt' ? 200 : 404, { 'content-type': 'text/plain' });
    r.end(text);
  });
  web.policies = {};
  await new Promise((r) => web.listen(443, network.address('25.25.0.80'), r));
  service = await Service.start({ run: network.run, host: network.host, ports: { imap: 143, imaps: 993, mx: 25, submission: 587, submissions: 465 }, env: {
    LETTERLOCK_MX_LISTEN: ':25', LETTERLOCK_RESOLVER_UPSTREAMS: dns.upstream, LETTERLOCK_RESOLVER_CA_FILE: dns.ca, LETTERLOCK_RELAY_CA_FILE: ca.file,
    LETTERLOCK_SERVER_HOSTNAME: 'mail.example.test', LETTERLOCK_COURIER_RETRY_FIRST: '1s', LETTERLOCK_RELAY_PATIENCE: '2', LETTERLOCK_RELAY_IDLE: '0',
  } });
  await until('the roles', 15000, async () => (await service.status()).roles.every((r) => r.state === 'ready'));
  alice = await service.alias('alice');
  zone['_dmarc.example.test'] = { TXT: 'v=DMARC1; p=reject' };
  for (const k of JSON.parse((await service.ctl(['domain', 'dkim', 'example.test', '--json'])).stdout)) zone[`${k.selector}._domainkey.example.test`] = { TXT: k.record };
});
after(async () => {
  if (absent) return;
  await service?.stop();
  await Promise.all([dns?.stop(), postfix?.stop(), open?.stop(), ...Object.values(peers).map((p) => p.stop())]);
  for (const s of npm) s.close();
  web?.close();
  network?.stop();
  rmSync(dir, { recursive: true });
  if (process.env.SHOW_LOG) console.log(service?.log, postfix?.log, open?.log);
});

test('in by both families and by STARTTLS, out by 465 and 587, a reply back', on, async () => {
  await peer('far', { cert: right });
  for (const host of [network.host, network.host6]) {
    const raw = net.connect(25, host);
    const c = new Smtp(new Lines(raw));
    assert.match((await c.reply()).text, /^220 mail\.example\.test/);
    await c.cmd('EHLO far.test');
    assert.equal((await c.cmd('STARTTLS')).code, 220);
    raw.removeAllListeners('data');
    const secure = await new Promise((resolve, reject) => { const s = tls.connect({ socket: raw, rejectUnauthorized: false }, () => resolve(s)); s.once('error', reject); });
    const d = new Smtp(new Lines(secure));
    await d.cmd('EHLO far.test');
    assert.match((await d.send('someone@far.test', alice.address, Buffer.from(`Subject: by ${host}\r\n\r\nhello\r\n`))).text, /^250/);
    d.end();
    assert.match(await inbox(alice, `Subject: by ${host}`), new RegExp(`Received: from far\\.test .*\\[(IPv6:)?${host}`.replace(host, host.includes(':') ? '2c01:25:25::1' : '25.25.0.1')));
  }
  for (const port of [465, 587]) await transport(port).sendMail({ from: alice.address, to: 'bob@far.test', subject: `by ${port}`, text: 'hello' });
  await until('both', 15000, () => peers.far.messages.length === 2);
  for (const m of peers.far.messages) {
    assert.equal(m.secure, true);
    assert.match(m.raw.toString(), /^DKIM-Signature: [^]*d=example\.test/m);
    assert.match(m.from, /^bounce\+.*@example\.test$/);
  }
});

// Set off first and looked at last: everything in between goes on beside them.
const hangs = {
  greeting: { greeting: () => null }, ehlo: { EHLO: () => null }, starttls: { STARTTLS: () => null }, mail: { MAIL: () => null }, rcpt: { RCPT: () => null },
  data: { DATA: () => null }, end: { end: () => null }, body: { DATA: (c, line, ok) => { c.socket.pause(); return ok; } }, // it reads no further
};
const steps = [...Object.keys(hangs).map((n) => `hang${n}`), 'lost', 'cut', 'hangtls'], hung = {};

test('mail for servers that hang at every step, and where everything is lost', on, async () => {
  for (const [name, say] of Object.entries(hangs)) await peer(`hang${name}`, { say, cert: name === 'starttls' ? right : null });
  await peer('hangtls', { say: { handshake: () => true }, cert: right });
  domain('lost.test', '25.25.66.1'); // whatever goes there is never heard of again
  await peer('cut', { say: { DATA: () => { network.vanish(peers.cut.address); return null; } } }); // and here from DATA on
  const large = sample(2, 12 << 20);
  for (const n of steps) hung[n] = await add(`b@${n}.test`, n === 'hangbody' ? large : sample(1));
});

test('Postfix: delivery, deferral, bounce', onPostfix, async () => {
  const [address, plain] = [network.address('25.25.2.1'), network.address('25.25.2.2')];
  for (const [name, A] of [['pf', address], ['pfplain', plain]]) domain(`${name}.test`, A);
  postfix = await Postfix.start({ port: 25, domains: ['pf.test', 'pfplain.test'], boxes: ['box@pf.test', 'later@pf.test', 'box@pfplain.test'],
    settings: 'smtpd_recipient_restrictions = check_recipient_access inline:{{later@pf.test=450 4.2.1 full}}', listeners: { [address]: '', [plain]: '-o smtpd_tls_security_level=none' } });
  await transport(465).sendMail({ from: alice.address, to: ['box@pf.test', 'box@pfplain.test', 'nobody@pf.test', 'later@pf.test'], subject: 'to Postfix', text: 'hello' });
  await until('delivery', 15000, () => postfix.mail('box@pf.test').length && postfix.mail('box@pfplain.test').length);
  assert.match(postfix.mail('box@pf.test')[0].toString(), /Received: from mail\.example\.test \([^)]*\[25\.25\.0\.25\]\)[^]*with ESMTPS/);
  assert.match(postfix.mail('box@pfplain.test')[0].toString(), /with ESMTP id/);
  const report = await inbox(alice, 'Final-Recipient: rfc822; nobody@pf.test');
  assert.match(report, /Status: 5\.1\.1[^]*Remote-MTA: dns; mx\.pf\.test/);
  const waits = (await list()).find((m) => m.list[0].to === 'later@pf.test');
  assert.deepEqual(waits.list.map((t) => [t.to, t.code]), [['later@pf.test', 450]]);
  await drop(waits.message);
});

test('OpenSMTPD: delivery, bounce', onOpen, async () => {
  const address = network.address('25.25.2.3'), got = await new Peer().start(25, network.address('25.25.2.4'));
  peers.sink = got;
  domain('open.test', address);
  open = await OpenSmtpd.start({ host: address, domains: ['open.test'], sink: '25.25.2.4', certificate: ca.certificate('open', 'DNS:mx.open.test', { rsa: true }) });
  await transport(587).sendMail({ from: alice.address, to: ['box@open.test'], subject: 'to OpenSMTPD', text: 'hello' });
  const m = await until('delivery', 15000, () => got.messages[0]);
  assert.match(m.raw.toString(), /Received: from mail\.example\.test \([^)]*\[25\.25\.0\.25\]\)[^]*OpenSMTPD\) with ESMTPS?/); // Debian 12's breaks every handshake off (openssl s_client's, too): then in the clear
  assert.match(m.raw.toString(), /^DKIM-Signature: /m);
  domain('notthere.test', address);
  await transport(587).sendMail({ from: alice.address, to: ['box@notthere.test'], subject: 'nobody', text: 'hello' });
  assert.match(await inbox(alice, 'Final-Recipient: rfc822; box@notthere.test'), /Action: failed/);
});

test('smtp-server: greylisting, then taken; refused, and told', on, async () => {
  const seen = new Set(), got = [];
  const s = new SMTPServer({ authOptional: true, disableReverseLookup: true, disabledCommands: ['AUTH'],
    onRcptTo: (a, session, done) => {
      const first = !seen.has(a.address);
      seen.add(a.address);
      done(a.address.startsWith('no') ? Object.assign(new Error('nobody'), { responseCode: 550 }) : first ? Object.assign(new Error('greylisted'), { responseCode: 450 }) : null);
    },
    onData: (stream, session, done) => { stream.on('data', () => {}).on('end', () => { got.push(session.secure); done(); }); } });
  npm.push(s);
  s.on('error', () => {});
  await new Promise((r) => s.listen(25, network.address('25.25.2.5'), r));
  domain('npm.test', '25.25.2.5');
  await transport(465).sendMail({ from: alice.address, to: ['grey@npm.test', 'no@npm.test'], text: 'hello' });
  await until('it to be taken', 15000, () => got.length === 1);
  assert.deepEqual(got, [true]);
  await inbox(alice, 'Final-Recipient: rfc822; no@npm.test');
});

test('MTA-STS enforce: the right certificate, a wrong one, no TLS; who asks for nothing gets it in the clear', on, async () => {
  await peer('strict', { cert: right });
  await peer('wrong', { cert: wrong });
  await peer('none');
  await peer('clear');
  for (const name of ['strict', 'wrong', 'none']) policy(name, 'enforce');
  const names = {};
  for (const name of ['strict', 'wrong', 'none', 'clear']) names[name] = await add(`b@${name}.test`);
  await gone(names.strict);
  await gone(names.clear);
  assert.match((await tried(names.wrong)).answer, /^MTA-STS: certificate-host-mismatch/);
  assert.match((await tried(names.none)).answer, /^MTA-STS: .*offers no TLS/);
  assert.deepEqual(['strict', 'wrong', 'none', 'clear'].map((n) => peers[n].messages.map((m) => m.secure)), [[true], [], [], [false]]);
  await drop(names.wrong);
  await drop(names.none);
});

test('DANE: a certificate that the record names, and one that it does not', on, async () => {
  await peer('dane', { cert: wrong, ad: true }); // nobody need vouch for it but the record
  await peer('mismatch', { cert: right, ad: true });
  for (const n of ['dane', 'mismatch']) zone[`_25._tcp.mx.${n}.test`] = { TLSA: [[3, 1, 1, spki(wrong.cert)]], ad: true };
  const [match, mismatch] = [await add('b@dane.test'), await add('b@mismatch.test')];
  await gone(match);
  assert.match((await tried(mismatch)).answer, /^DANE: validation-failure/);
  assert.deepEqual(['dane', 'mismatch'].map((n) => peers[n].messages.map((m) => m.secure)), [[true], []]);
  await drop(mismatch);
});

test('servers that break off: before DATA, within it, and behind the last dot, where it is sent again and counted', on, async () => {
  const before = (await service.status()).courier.uncertain;
  const once = (f) => { let first = true; return (c, x, ok) => { if (!first) return ok; first = false; return f(c, x, ok); }; };
  const cut = once.bind(null, (c) => { c.socket.destroy(); return null; });
  await peer('dropdata', { say: { DATA: cut() } });
  await peer('dropbody', { say: { DATA: once((c, line, ok) => { setTimeout(() => c.socket.destroy(), 20); c.socket.pause(); return ok; }) } });
  await peer('dropend', { say: { end: cut() } });
  peers.dropend.takes = true;
  const all = [];
  for (const n of ['dropdata', 'dropbody', 'dropend']) all.push(await add(`b@${n}.test`, n === 'dropbody' ? sample(2, 12 << 20) : sample(1)));
  for (const name of all) await gone(name, 20000);
  assert.deepEqual(['dropdata', 'dropbody', 'dropend'].map((n) => peers[n].messages.length), [1, 1, 2]);
  assert.ok((await service.status()).courier.uncertain > before);
});

test('two families: where one is lost the other takes it at once; one alone will do', on, async () => {
  const v6 = network.address('2c01:25:25:1::9');
  await peer('deadsix', { AAAA: '2c01:25:66::1' });
  zone['deadsix.test'] = { MX: [[10, 'mx.deadsix.test']] };
  domain('deadfour.test', '25.25.66.2', { AAAA: v6 });
  domain('onlysix.test', null, { AAAA: v6 });
  peers.six = await new Peer().start(25, v6);
  const all = [];
  for (const n of ['deadsix', 'deadfour', 'onlysix']) all.push(await add(`b@${n}.test`));
  for (const name of all) await gone(name, 15000);
  assert.deepEqual(peers.deadsix.messages.map((m) => m.to[0]), ['b@deadsix.test']);
  assert.deepEqual(peers.six.messages.map((m) => m.to[0]).sort(), ['b@deadfour.test', 'b@onlysix.test']);
});

test('private addresses are not dialled, whoever leads there', on, async () => {
  domain('inside.test', '10.0.0.1');
  domain('self.test', '127.0.0.1');
  const before = (await service.status()).courier.delivered;
  for (const n of ['inside', 'self']) {
    const name = await add(`b@${n}.test`);
    assert.match((await tried(name)).answer, /private/);
    await drop(name);
  }
  assert.equal((await service.status()).courier.delivered, before);
});

test('where a server hung, or everything was lost, mail was put off, and goes when they are well again', on, async () => {
  await gone(hung.hangtls, 30000); // nobody asks for TLS there: without it then
  assert.deepEqual(peers.hangtls.messages.map((m) => m.secure), [false]);
  const others = steps.filter((n) => n !== 'hangtls');
  for (const n of others) {
    await tried(hung[n]);
    assert.deepEqual(peers[n]?.messages ?? [], [], n);
    if (peers[n]) peers[n].say = {};
  }
  network.address(peers.cut.address);
  for (const p of Object.values(peers)) for (const s of p.open) s.destroy();
  for (const n of others.filter((x) => x !== 'lost')) {
    await until(n, 20000, async () => { await service.ctl(['queue', 'retry', '--message', hung[n]], { ok: false }); return !(await find(hung[n])); });
    assert.equal(peers[n].messages.length, 1, n);
  }
  assert.match((await tried(hung.lost)).answer, /took too long/);
});
