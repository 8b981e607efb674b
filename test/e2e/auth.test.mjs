// Who sent this? SPF, DKIM and DMARC at the MX, with a name server of our own and signatures made by nodemailer. Clients
// from the Internet come by the PROXY protocol.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { generateKeyPairSync } from 'node:crypto';
import nodemailer from 'nodemailer';
import { DnsServer } from '../lib/dns.mjs';
import { gunzipSync } from 'node:zlib';
import { Lines, Service, Smtp, until } from '../lib/service.mjs';

const BALANCER = '127.0.0.2', GOOD = '192.0.2.77', BAD = '198.51.100.66';
const { privateKey, publicKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'der' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const zone = {
  'good.example': { TXT: `v=spf1 ip4:${GOOD} -all`, A: GOOD, MX: [[10, 'sink.example']] },
  'key._domainkey.good.example': { TXT: `v=DKIM1; k=rsa; p=${publicKey.toString('base64')}` },
  '_dmarc.good.example': { TXT: 'v=DMARC1; p=reject; aspf=s; rua=mailto:rua@good.example!10m,mailto:tiny@good.example!100,mailto:a%2Bb@third.example, mailto:no@refuses.example,https://x.example/,mailto:old@moves.example,mailto:y@steals.example' },
  'good.example._report._dmarc.moves.example': { TXT: 'v=DMARC1; rua=mailto:new@moves.example' },
  'moves.example': { A: '127.0.0.1' },
  'good.example._report._dmarc.steals.example': { TXT: 'v=DMARC1; rua=mailto:y@steals.example,mailto:x@good.example' },
  'steals.example': { A: '127.0.0.1' },
  'good.example._report._dmarc.third.example': { TXT: 'v=DMARC1' },
  'third.example': { MX: [[10, 'sink.example']] },
  'sink.example': { A: '127.0.0.1' },
  'other.example': { TXT: 'v=spf1 +all' },
};
let dns, service, sink;
const reports = []; // { to, from, raw }
// A server that takes every mail.
function take(s) {
  let text = '', m = {}, data = false;
  s.on('error', () => {});
  s.write('220 sink.example ESMTP\r\n');
  s.on('data', (d) => {
    text += d.toString('latin1');
    for (let at; (at = text.indexOf(data ? '\r\n.\r\n' : '\r\n')) >= 0;) {
      const line = text.slice(0, at), verb = line.split(/[ :]/)[0].toUpperCase();
      text = text.slice(at + (data ? 5 : 2));
      if (data) { reports.push({ ...m, raw: line.replace(/^\.\./gm, '.') }); data = false; s.write('250 2.0.0 taken\r\n'); continue; }
      if (verb === 'MAIL') m = { from: /<(.*?)>/.exec(line)[1] };
      if (verb === 'RCPT') m.to = /<(.*?)>/.exec(line)[1];
      data = verb === 'DATA';
      s.write(verb === 'EHLO' ? '250-sink.example\r\n250 8BITMIME\r\n' : data ? '354 go on\r\n' : '250 ok\r\n');
    }
  });
}
before(async () => {
  sink = net.createServer(take);
  await new Promise((r) => sink.listen(0, '127.0.0.1', r));
  dns = await DnsServer.start({ zone });
  service = await Service.start({ env: {
    LETTERLOCK_MX_PROXY_FROM: BALANCER, LETTERLOCK_RESOLVER_UPSTREAMS: dns.upstream, LETTERLOCK_RESOLVER_CA_FILE: dns.ca,
    LETTERLOCK_RESOLVER_CACHE_MEMORY: '0', LETTERLOCK_RESOLVER_PATIENCE: '300ms', LETTERLOCK_MX_AUTH_TIMEOUT: '1500ms',  LETTERLOCK_MX_SENDER_CHECK: 'off', LETTERLOCK_MX_HELO_CHECK: 'off', LETTERLOCK_MX_GREET_DELAY: '0ms',
    LETTERLOCK_MX_DMARC_REPORTS: 'yes', LETTERLOCK_MX_DMARC_REPORT_FROM: 'dmarc@example.test', LETTERLOCK_MX_DMARC_REPORT_INTERVAL: '1s',
    LETTERLOCK_RELAY_SMTP_PORT: String(sink.address().port), LETTERLOCK_RELAY_PRIVATE_NETWORKS: 'yes',
  } });
  await until('the resolver', 10000, async () => (await service.status()).roles.find((r) => r.name === 'resolver' && r.state === 'ready'));
});
after(async () => { await service?.stop(); await dns?.stop(); sink?.close(); });

async function client(ip) {
  const s = await new Promise((resolve, reject) => {
    const c = net.connect({ port: service.ports.mx, host: '127.0.0.1', localAddress: ip ? BALANCER : '127.0.0.1' }, () => {
      if (ip) c.write(`PROXY TCP4 ${ip} 198.51.100.1 56324 25\r\n`);
      resolve(new Lines(c));
    });
    c.on('error', reject);
  });
  const c = new Smtp(s);
  assert.equal((await c.reply()).code, 220);
  assert.equal((await c.cmd('EHLO mail.good.example')).code, 250);
  return c;
}

async function letter(options = {}) {
  const dkim = options.signed ? { domainName: 'good.example', keySelector: 'key', privateKey } : undefined;
  const t = nodemailer.createTransport({ streamTransport: true, buffer: true, newline: 'windows', dkim });
  const r = await t.sendMail({ from: 'Ann <ann@good.example>', to: 'me@example.test', subject: 'Hello  there', text: 'Dear reader,\n\nbye \n' });
  return (options.before ?? '') + r.message.toString('latin1');
}

// Sends and returns the reply, and the header as the recipient sees it.
async function deliver(ip, sender, message) {
  const a = await service.alias(), c = await client(ip);
  const reply = await c.send(sender, a.address, message);
  c.end();
  if (reply.code !== 250) return { reply };
  const i = await service.imap(a);
  await i.cmd('SELECT INBOX');
  await i.cmd('FETCH 1 BODY.PEEK[]');
  const text = i.literals[0].toString('latin1');
  await i.logout();
  return { reply, text, header: text.slice(0, text.indexOf('\r\n\r\n')) };
}

test('a message that is what it says', async () => {
  const forged = 'Authentication-Results: mx.other.example; dkim=none\r\n';
  const { reply, header } = await deliver(GOOD, 'ann@good.example', await letter({ signed: true, before: forged }));
  assert.equal(reply.code, 250);
  assert.match(header, /spf=pass smtp\.mailfrom=ann@good\.example;/);
  assert.match(header, /dkim=pass header\.d=good\.example\s+header\.s=key\s+header\.a=rsa-sha256/);
  assert.match(header, /dmarc=pass \(p=reject, asks for none\) header\.from=good\.example\r\nReceived-SPF: pass /);
  assert.ok(header.includes(forged.trim()), 'results of others stay');
  assert.ok(header.indexOf('Authentication-Results') < header.indexOf('Received:'));
});

test('a signature alone does, when another server sends it on', async () => {
  const { header } = await deliver(BAD, 'list@other.example', await letter({ signed: true }));
  assert.match(header, /spf=pass smtp\.mailfrom=list@other\.example;/);
  assert.match(header, /dmarc=pass/);
});

test('forged: refused, as the domain wants; nothing is stored', async () => {
  assert.equal((await deliver(BAD, 'x@other.example', await letter())).reply.text, '550 5.7.1 The domain in From wants mail like this refused (DMARC): it is not proved to be its own');
  const changed = (await letter({ signed: true })).replace('Dear', 'Poor');
  assert.equal((await deliver(BAD, 'ann@good.example', changed)).reply.code, 550);
});

test('of a list: taken, and marked', async () => {
  const { header } = await deliver(BAD, 'x@other.example', await letter({ before: 'List-Id: <l.other.example>\r\n' }));
  assert.match(header, /dmarc=fail \(p=reject, asks for reject\)/);
});

test('results in our name are taken out', async () => {
  const name = (await deliver(GOOD, 'ann@good.example', await letter({ signed: true }))).header.match(/^Authentication-Results: (\S+);/m)[1];
  const { header } = await deliver(BAD, 'x@other.example', await letter({ before: `List-Id: <l.x>\r\nAuthentication-Results: (ha) ${name.toUpperCase()};\r\n dmarc=pass\r\n` }));
  assert.equal(header.match(/^Authentication-Results:/mg).length, 1);
  assert.doesNotMatch(header, /dmarc=pass/);
});

test('our own machine is not checked', async () => {
  const { header } = await deliver(null, 'x@other.example', await letter());
  assert.doesNotMatch(header, /Authentication-Results|Received-SPF/);
});

// Counts of all reports that came so far, by address and what was done.
function counted(to) {
  const sum = {};
  for (const m of reports.filter((x) => x.to === to)) {
    const gz = Buffer.from(/filename="[^"]+"\r\n\r\n([\s\S]+?)\r\n--/.exec(m.raw)[1], 'base64');
    m.xml = gunzipSync(gz).toString();
    for (const [, row] of m.xml.matchAll(/<record>([\s\S]+?)<\/record>/g)) {
      const of = (tag) => new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(row)?.[1];
      const key = [of('source_ip'), of('disposition'), of('type')].filter(Boolean).join(' ');
      sum[key] = (sum[key] ?? 0) + Number(of('count'));
    }
  }
  return sum;
}

test('the domain hears of it: reports, to whom its record names and who agrees', async () => {
  const r = await service.ctl(['jobs', 'run', 'dmarc-reports'], { ok: false });
  assert.equal(r.code, 65); // a report that nobody signs is dropped
  assert.match(r.stdout, /mx\.dmarc_report_from names a domain without DKIM keys.*: letterlock domain dkim example\.test/);
  await service.ctl(['domain', 'dkim', 'example.test']);
  assert.equal((await deliver(GOOD, 'ann@good.example', await letter({ signed: true }))).reply.code, 250); // whatever ran before
  // What comes to where reports come from is not reported about, wherever that alias leads.
  await service.ctl(['alias', 'add', 'dmarc@example.test']);
  await service.ctl(['alias', 'target', 'add', 'dmarc@example.test', (await service.alias()).address]);
  const report = await client(GOOD);
  assert.equal((await report.send('ann@good.example', 'dmarc@example.test', await letter({ signed: true }))).code, 250);
  report.end();
  await until('the journal', 15000, async () => {
    const j = JSON.parse((await service.ctl(['jobs', 'run', 'dmarc-reports', '--json'], { ok: false })).stdout);
    assert.equal(j.bad, false, j.result);
    return Object.values(counted('rua@good.example')).reduce((a, b) => a + b, 0) >= 8;
  });
  const sum = { [`${GOOD} pass`]: 3, [`${BAD} pass`]: 1, [`${BAD} reject`]: 2, [`${BAD} none mailing_list`]: 2 };
  assert.deepEqual(counted('rua@good.example'), sum);
  for (const other of ['a+b@third.example', 'new@moves.example']) await until(other, 10000, () => reports.filter((m) => m.to === other).length === reports.filter((m) => m.to === 'rua@good.example').length);
  assert.deepEqual(counted('a+b@third.example'), sum);
  assert.deepEqual([...new Set(reports.map((m) => m.to))].sort(), ['a+b@third.example', 'new@moves.example', 'rua@good.example']);
  assert.ok(dns.asked('good.example._report._dmarc.refuses.example') > 0);
  const [m] = reports, head = m.raw.slice(0, m.raw.indexOf('\r\n\r\n')).replace(/\r\n[ \t]/g, ' ');
  assert.equal(m.from, '');
  assert.match(head, /^DKIM-Signature: .*\bd=example\.test;/m);
  assert.match(head, /^From: <dmarc@example\.test>$/m);
  assert.match(head, /^Subject: Report Domain: good\.example Submitter: (\S+) Report-ID: <\d+\.1\.[0-9a-f]{24}>$/m);
  assert.match(m.raw, /^Content-Type: application\/gzip; name="[^"]+!good\.example!(\d+)!\1!\d+[0-9a-f]{24}\.xml\.gz"\r$/m);
  assert.match(m.xml, /<generator>Letterlock \S+<\/generator>[^]*<domain>good\.example<\/domain>\n<discovery_method>treewalk<\/discovery_method>\n<p>reject<\/p>\n<sp>reject<\/sp>\n<np>reject<\/np>\n<fo>0<\/fo>\n<adkim>r<\/adkim>\n<aspf>s<\/aspf>\n<testing>n<\/testing>/);
  assert.match(m.xml, /<dkim>\n<domain>good\.example<\/domain>\n<selector>key<\/selector>\n<result>pass<\/result>\n<\/dkim>/);
  const again = reports.length;
  assert.match((await service.ctl(['jobs', 'run', 'dmarc-reports'])).stdout, /\b0 reports sent/);
  assert.equal(reports.length, again);
});

test('without a name server mail is taken, soon, and nobody is answered for who is away', async () => {
  const away = await service.alias(), c = await client(BAD);
  await service.ctl(['alias', 'vacation', 'set', away.address, '--text', 'away']);
  await dns.down();
  const began = Date.now();
  const { reply, header } = await deliver(BAD, 'x@other.example', await letter());
  assert.equal(reply.code, 250);
  assert.match(header, /spf=temperror/);
  assert.match(header, /dmarc=temperror/);
  assert.ok(Date.now() - began < 6000, `${Date.now() - began} ms`);
  assert.equal((await c.send('x@other.example', away.address, `From: x@other.example\r\nTo: ${away.address}\r\nSubject: x\r\nMessage-ID: <away@other.example>\r\n\r\nx\r\n`)).code, 250);
  c.end();
  await new Promise((r) => setTimeout(r, 300)); // what would be queued is queued by then
  assert.deepEqual(JSON.parse((await service.ctl(['queue', 'list', '--json'])).stdout || '[]').filter((x) => JSON.stringify(x).includes('x@other.example')), []);
  await dns.up();
});
