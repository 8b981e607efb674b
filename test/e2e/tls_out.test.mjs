// What other domains ask of TLS on the way to them: MTA-STS (policies from a web server of this test's own), DANE (records from a
// name server of this test's own, signed or not), a peer with the right and the wrong certificate, one without TLS.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { gunzipSync } from 'node:zlib';
import { DnsServer } from '../lib/dns.mjs';
import { Lines, Service, Smtp, sample, until } from '../lib/service.mjs';

const dir = mkdtempSync('/tmp/letterlock-tls-out-');
const at = (f) => path.join(dir, f);
const openssl = (...a) => execFileSync('openssl', a, { stdio: 'ignore' });
const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
openssl('req', '-x509', ...ec, '-subj', '/CN=authority', '-keyout', at('ca.key'), '-out', at('ca.pem'));
// By the authority, but for one that nobody vouches for.
function certificate(name, san, own = false) {
  openssl('req', ...(own ? ['-x509'] : []), ...ec, '-subj', `/CN=${name}`, '-addext', `subjectAltName=${san}`, '-keyout', at(`${name}.key`), '-out', at(own ? `${name}.pem` : `${name}.csr`));
  if (!own) openssl('x509', '-req', '-in', at(`${name}.csr`), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2', '-copy_extensions', 'copy', '-out', at(`${name}.pem`));
  return { key: readFileSync(at(`${name}.key`)), cert: readFileSync(at(`${name}.pem`)) };
}
const right = certificate('right', 'DNS:mx.peer.test,DNS:mta-sts.sts.test,DNS:mta-sts.testing.test,DNS:mta-sts.lost.test,DNS:mta-sts.elsewhere.test,DNS:reports.peer.test');
const own = certificate('own', 'DNS:other.test', true);
const digest = (pem) => createHash('sha256').update(new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' })).digest('hex');

// A mail server: what it was given, and over what. `cert` null: no STARTTLS.
class Peer {
  constructor() { this.got = []; this.cert = right; this.sni = []; this.refuse = 0; this.requiretls = false; }
  async start() {
    this.server = net.createServer((s) => { s.write('220 peer.test ESMTP\r\n'); this.talk(s, false); });
    await new Promise((r) => this.server.listen(0, '127.0.0.1', r));
    this.port = this.server.address().port;
    return this;
  }
  talk(s, secure) {
    let text = '', data = null;
    s.on('error', () => {});
    s.on('data', (d) => {
      text += d.toString('latin1');
      for (let end = text.indexOf('\r\n'); end >= 0; end = text.indexOf('\r\n')) {
        const line = text.slice(0, end);
        text = text.slice(end + 2);
        if (data !== null) {
          if (line !== '.') { data += `${line}\r\n`; continue; }
          this.got.push({ secure, resumed: secure && s.isSessionReused(), mail: this.mail, data });
          data = null;
          s.write('250 2.0.0 taken\r\n');
        } else if (/^EHLO/i.test(line)) s.write(`250-peer.test\r\n${secure || !this.cert ? '' : '250-STARTTLS\r\n'}${this.requiretls && secure ? '250-REQUIRETLS\r\n' : ''}250 8BITMIME\r\n`);
        else if (/^STARTTLS/i.test(line)) {
          s.write('220 go\r\n');
          s.removeAllListeners('data');
          const context = this.cert.context ??= tls.createSecureContext(this.cert); // tickets are its own
          this.talk(new tls.TLSSocket(s, { isServer: true, secureContext: context, SNICallback: (name, cb) => { this.sni.push(name); cb(null, context); } }), true);
          return;
        } else if (/^MAIL/i.test(line)) { this.mail = line; s.write('250 ok\r\n'); }
        else if (/^RCPT/i.test(line)) s.write(this.refuse-- > 0 ? '450 4.7.1 greylisted\r\n' : '250 ok\r\n');
        else if (/^DATA/i.test(line)) { data = ''; s.write('354 go\r\n'); }
        else if (/^QUIT/i.test(line)) { s.write('221 bye\r\n'); s.end(); }
        else s.write('250 ok\r\n');
      }
    });
  }
}

const policies = {}, fetched = [], posted = [];
const policy = (mode, mx = 'mx.peer.test', age = 86400) => `version: STSv1\r\nmode: ${mode}\r\nmx: ${mx}\r\nmax_age: ${age}\r\n`;
const zone = { 'mx.peer.test': { A: '127.0.0.1' }, 'mx.signed.test': { A: '127.0.0.1', ad: true } };
const domain = (name, record) => { zone[name] = { MX: [[10, 'mx.peer.test']] }; if (record) { zone[`_mta-sts.${name}`] = { TXT: `v=STSv1; id=${record};`, ttl: 0 }; zone[`mta-sts.${name}`] = { A: '127.0.0.1' }; } };
let dns, service, peer, web;
const start = () => until('the roles', 15000, async () => (await service.status()).roles.every((r) => r.state === 'ready'));
const add = async (to, body = sample(1), more = []) => (await service.ctl(['queue', 'add', '--from', 'a@example.test', ...more, to], { input: body })).stdout.trim();
const find = async (name) => JSON.parse((await service.ctl(['queue', 'list', '--json'])).stdout).find((m) => m.message === name);
const gone = (name) => until('the message to leave the queue', 10000, async () => !(await find(name)));
const answer = async (name) => (await until('an answer', 10000, async () => { const m = await find(name); return m?.list[0].attempts > 0 && m; })).list[0].answer;
const anew = async () => { await service.ctl(['queue', 'delete', '--all']); peer.got.length = 0; peer.cert = right; };

before(async () => {
  peer = await new Peer().start();
  web = https.createServer(right, (q, r) => {
    if (q.method === 'POST') {
      const b = [];
      q.on('data', (d) => b.push(d)).on('end', () => { posted.push({ url: q.url, headers: q.headers, body: Buffer.concat(b) }); r.writeHead(posted.length > 1 ? 201 : 503).end(); });
      return;
    }
    const name = q.headers.host.replace(/:\d+$/, '').replace(/^mta-sts\./, ''), p = policies[name];
    fetched.push(name);
    if (q.url !== '/.well-known/mta-sts.txt' || !p) { r.writeHead(p === undefined ? 404 : 302, { location: 'https://elsewhere.test/' }); r.end(); return; }
    r.writeHead(200, { 'content-type': p.type ?? 'text/plain; charset=us-ascii' });
    r.end(p.text ?? p);
  });
  await new Promise((r) => web.listen(0, '127.0.0.1', r));
  dns = await DnsServer.start({ zone });
  service = await Service.start({ env: {
    LETTERLOCK_RESOLVER_UPSTREAMS: dns.upstream, LETTERLOCK_RESOLVER_CA_FILE: dns.ca, LETTERLOCK_RELAY_SMTP_PORT: String(peer.port), LETTERLOCK_RELAY_MTA_STS_PORT: String(web.address().port),
    LETTERLOCK_RELAY_PRIVATE_NETWORKS: 'yes', LETTERLOCK_RELAY_CA_FILE: at('ca.pem'), LETTERLOCK_SERVER_HOSTNAME: 'mail.example.test', LETTERLOCK_COURIER_RETRY_FIRST: '1s', LETTERLOCK_RELAY_IDLE: '0',
    LETTERLOCK_RELAY_WEBHOOK_PORTS: String(web.address().port), LETTERLOCK_RELAY_TLS_REPORTS: 'yes', LETTERLOCK_RELAY_TLS_REPORT_FROM: 'tls@example.test',
  } });
  await start();
});
after(async () => { await service?.stop(); await dns?.stop(); peer?.server.close(); web?.close(); rmSync(dir, { recursive: true }); if (process.env.SHOW_LOG) console.log(service.log); });

test('MTA-STS enforce: the right certificate only, and never in the clear', async () => {
  domain('sts.test', 'a1');
  policies['sts.test'] = policy('enforce');
  await gone(await add('b@sts.test'));
  assert.deepEqual(peer.got.map((m) => m.secure), [true]);
  assert.equal(peer.sni.at(-1), 'mx.peer.test');
  await gone(await add('b@sts.test'));
  assert.deepEqual(peer.got.map((m) => m.resumed), [false, true], 'a ticket of a proven session');
  await anew();
  for (const [cert, why] of [[own, /^MTA-STS: certificate-/], [null, /^MTA-STS: .*offers no TLS/]]) {
    peer.cert = cert;
    assert.match(await answer(await add('b@sts.test')), why);
    assert.deepEqual(peer.got, []);
    await anew();
  }
});

test('the policy outlives a failed refresh, and the whole service', async () => {
  zone['_mta-sts.sts.test'] = { TXT: 'v=STSv1; id=a2;', ttl: 0 };
  delete policies['sts.test'];
  await service.kill('relay');
  await service.stop({ keep: true });
  service.exit = undefined;
  await service.serve();
  await start();
  const before = fetched.length;
  peer.cert = own;
  assert.match(await answer(await add('b@sts.test')), /^MTA-STS: certificate-/);
  assert.ok(fetched.length > before, 'a newer one was looked for');
  await anew();
  peer.refuse = 1; // greylisted: later, and just as safe
  await gone(await add('b@sts.test'));
  assert.deepEqual(peer.got.map((m) => m.secure), [true]);
  await anew();
});

test('testing: mail goes; a policy that cannot be had is none; hosts that are not named get nothing', async () => {
  domain('testing.test', 't1');
  policies['testing.test'] = policy('testing');
  domain('lost.test', 'l1');
  policies['lost.test'] = { type: 'text/html', text: policy('enforce') };
  domain('elsewhere.test', 'e1');
  policies['elsewhere.test'] = policy('enforce', '*.other.test');
  peer.cert = own;
  await gone(await add('b@testing.test'));
  await gone(await add('b@lost.test'));
  assert.deepEqual(peer.got.map((m) => m.secure), [true, true]);
  peer.cert = null;
  await gone(await add('b@testing.test'));
  assert.deepEqual(peer.got.map((m) => m.secure), [true, true, false]);
  peer.cert = right;
  assert.match(await answer(await add('b@elsewhere.test')), /^MTA-STS: .*not among those/);
  assert.equal(peer.got.length, 3);
  await anew();
});

test('TLS-Required: No goes whatever policies say', async () => {
  const letter = Buffer.concat([Buffer.from('TLS-Required: No\r\n'), sample(1)]);
  peer.cert = null;
  await gone(await add('b@sts.test', letter));
  assert.deepEqual(peer.got.map((m) => m.secure), [false]);
  await anew();
});

test('DANE: the record that is signed decides, whoever vouches for the certificate', async () => {
  const records = `_${peer.port}._tcp.mx.signed.test`;
  zone['dane.test'] = { MX: [[10, 'mx.signed.test']], ad: true };
  zone[records] = { TLSA: [[3, 1, 1, digest(own.cert)]], ad: true, ttl: 0 };
  peer.cert = own;
  await gone(await add('b@dane.test'));
  assert.deepEqual(peer.got.map((m) => m.secure), [true]);
  await anew(); // right for others, and not the one that was named
  assert.match(await answer(await add('b@dane.test')), /^DANE: validation-failure/);
  await anew();
  peer.cert = null;
  assert.match(await answer(await add('b@dane.test')), /^DANE: .*offers no TLS/);
  assert.deepEqual(peer.got, []);
  await anew();
  dns.say = (q) => (q.name === records ? 'servfail' : undefined); // somebody may want us not to know
  zone['dane2.test'] = { MX: [[10, 'mx2.signed.test']], ad: true };
  zone['mx2.signed.test'] = { A: '127.0.0.1', ad: true };
  dns.say = (q) => (q.name.startsWith('_') && q.name.endsWith('mx2.signed.test') ? 'servfail' : undefined);
  assert.match(await answer(await add('b@dane2.test')), /^DANE: .*cannot be looked up/);
  dns.say = () => undefined;
  await anew();
});

test('DANE: unusable records ask for TLS of whoever; what is not signed counts as nothing', async () => {
  zone['mx3.signed.test'] = { A: '127.0.0.1', ad: true };
  zone['dane3.test'] = { MX: [[10, 'mx3.signed.test']], ad: true };
  zone[`_${peer.port}._tcp.mx3.signed.test`] = { TLSA: [[1, 1, 1, '00'.repeat(32)]], ad: true };
  peer.cert = own;
  await gone(await add('b@dane3.test'));
  assert.deepEqual(peer.got.map((m) => m.secure), [true]);
  await anew();
  peer.cert = null;
  assert.match(await answer(await add('b@dane3.test')), /^DANE: .*offers no TLS/);
  await anew();
  zone['mx4.signed.test'] = { A: '127.0.0.1', ad: true };
  zone['dane4.test'] = { MX: [[10, 'mx4.signed.test']], ad: true };
  zone[`_${peer.port}._tcp.mx4.signed.test`] = { TLSA: [[3, 1, 1, '00'.repeat(32)]] };
  zone['dane5.test'] = { MX: [[10, 'mx5.signed.test']] }; // nor where the way there is not
  zone['mx5.signed.test'] = { A: '127.0.0.1', ad: true };
  zone[`_${peer.port}._tcp.mx5.signed.test`] = { TLSA: [[3, 1, 1, '00'.repeat(32)]], ad: true };
  peer.cert = null;
  await gone(await add('b@dane4.test'));
  await gone(await add('b@dane5.test'));
  assert.deepEqual(peer.got.map((m) => m.secure), [false, false]);
  await anew();
});

test('REQUIRETLS: only where somebody vouches for the host, its certificate is good, and it goes on with it', async () => {
  zone['plain.test'] = { MX: [[10, 'mx.peer.test']] };
  const targets = { sts: 'b@sts.test', plain: 'b@plain.test' };
  for (const [who, to] of Object.entries(targets)) {
    await service.ctl(['alias', 'add', `${who}@example.test`]);
    await service.ctl(['alias', 'target', 'add', `${who}@example.test`, to]);
  }
  const raw = net.connect({ port: service.ports.mx, host: '127.0.0.1' });
  const clear = new Smtp(new Lines(raw));
  await clear.reply();
  await clear.cmd('EHLO a.example');
  assert.equal((await clear.cmd('STARTTLS')).code, 220);
  raw.removeAllListeners('data');
  const secure = await new Promise((resolve, reject) => { const s = tls.connect({ socket: raw, rejectUnauthorized: false }, () => resolve(s)); s.once('error', reject); });
  const c = new Smtp(new Lines(secure));
  await c.cmd('EHLO a.example');
  const send = async (who, from = 'b@plain.test') => {
    for (const line of [`MAIL FROM:<${from}> REQUIRETLS`, `RCPT TO:<${who}@example.test>`]) assert.equal((await c.cmd(line)).code, 250);
    assert.equal((await c.cmd('DATA')).code, 354);
    assert.equal((await c.cmd(`Subject: ${who}\r\nTLS-Required: No\r\n\r\nx\r\n.`)).code, 250);
  };
  const left = () => until('an empty queue', 10000, async () => JSON.parse((await service.ctl(['queue', 'list', '--json'])).stdout).length === 0);
  peer.requiretls = true;
  await send('sts');
  await left();
  assert.deepEqual(peer.got.map((m) => [m.secure, /REQUIRETLS/.test(m.mail)]), [[true, true]]);
  await send('plain'); // nobody vouches for its server
  peer.requiretls = false;
  await left();
  await send('sts'); // which would not go on with it
  await left();
  assert.equal(peer.got.length, 1);
  await send('sts', ''); // a bounce goes there, though (RFC 8689 5), still over TLS with a good certificate
  await left();
  assert.deepEqual(peer.got.slice(1).map((m) => [m.secure, m.mail.startsWith('MAIL FROM:<>'), /REQUIRETLS/.test(m.mail)]), [[true, true, false]]);
  c.end();
  await anew();
});

test('a day later each domain that asks for it hears how TLS went (RFC 8460)', async () => {
  zone['_smtp._tls.testing.test'] = { TXT: `v=TLSRPTv1; rua=mailto:reports@peer.test,https://reports.peer.test:${web.address().port}/tls` };
  zone['reports.peer.test'] = { A: '127.0.0.1' };
  zone['peer.test'] = { MX: [[10, 'mx.peer.test']] };
  await service.stop({ keep: true });
  service.exit = undefined;
  service.env.LETTERLOCK_COURIER_CLOCK_AHEAD = '25h';
  await service.serve();
  await start();
  assert.match((await service.ctl(['jobs', 'run', 'tls-reports'], { ok: false })).stdout, /relay\.tls_report_from names a domain without DKIM keys/);
  await service.ctl(['domain', 'dkim', 'example.test']);
  assert.match((await service.ctl(['jobs', 'run', 'tls-reports'])).stdout, /2 reports sent, 0 not possible now/);
  const { mail, data } = await until('the report', 10000, () => peer.got[0]);
  assert.match(mail, /FROM:<>/);
  for (const field of [/^DKIM-Signature: [^]*\bd=example\.test;/m, /^From: .*tls@example\.test/m, /^TLS-Report-Domain: testing\.test\r/m, /^TLS-Report-Submitter: mail\.example\.test\r/m, /report-type="?tlsrpt/, /application\/tlsrpt\+gzip/]) assert.match(data, field);
  const part = /Content-Type: application\/tlsrpt\+gzip[^]*?\r\n\r\n([A-Za-z0-9+/=\r\n]+)/.exec(data)[1];
  const report = JSON.parse(gunzipSync(Buffer.from(part, 'base64')).toString());
  const [sts] = report.policies;
  assert.equal(sts.policy['policy-type'], 'sts');
  assert.deepEqual(sts.policy['mx-host'], ['mx.peer.test']);
  assert.equal(sts.policy['policy-domain'], 'testing.test');
  assert.deepEqual(sts.summary, { 'total-successful-session-count': 0, 'total-failure-session-count': 2 });
  assert.deepEqual(sts['failure-details'].map((f) => [f['result-type'], f['receiving-mx-hostname'], f['failed-session-count']]).sort(),
    [['certificate-not-trusted', 'mx.peer.test', 1], ['starttls-not-supported', 'mx.peer.test', 1]]);
  await until('the second try, the first being refused for now', 15000, async () => { await service.ctl(['queue', 'retry', '--all']); return posted.length > 1; });
  for (const { url, headers, body } of posted) {
    assert.deepEqual([url, headers['content-type'], headers['x-webhook-id']], ['/tls', 'application/tlsrpt+gzip', undefined]);
    assert.deepEqual(JSON.parse(gunzipSync(body).toString()), report);
  }
  assert.match((await service.ctl(['jobs', 'run', 'tls-reports'])).stdout, /^[^]*0 reports sent/);
});
