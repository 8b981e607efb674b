// Who sent this? SPF, DKIM and DMARC at the MX, with a name server of our own and signatures made by nodemailer. Clients
// from the Internet come by the PROXY protocol.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { generateKeyPairSync } from 'node:crypto';
import nodemailer from 'nodemailer';
import { DnsServer } from '../lib/dns.mjs';
import { Lines, Service, Smtp, until } from '../lib/service.mjs';

const BALANCER = '127.0.0.2', GOOD = '192.0.2.77', BAD = '198.51.100.66';
const { privateKey, publicKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'der' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const zone = {
  'good.example': { TXT: `v=spf1 ip4:${GOOD} -all`, A: GOOD },
  'key._domainkey.good.example': { TXT: `v=DKIM1; k=rsa; p=${publicKey.toString('base64')}` },
  '_dmarc.good.example': { TXT: 'v=DMARC1; p=reject; aspf=s' },
  'other.example': { TXT: 'v=spf1 +all' },
};
let dns, service;
before(async () => {
  dns = await DnsServer.start({ zone });
  service = await Service.start({ env: {
    LETTERLOCK_MX_PROXY_FROM: BALANCER, LETTERLOCK_RESOLVER_UPSTREAMS: dns.upstream, LETTERLOCK_RESOLVER_CA_FILE: dns.ca,
    LETTERLOCK_RESOLVER_CACHE_MEMORY: '0', LETTERLOCK_RESOLVER_PATIENCE: '300ms', LETTERLOCK_MX_AUTH_TIMEOUT: '1500ms',  LETTERLOCK_MX_SENDER_CHECK: 'off', LETTERLOCK_MX_HELO_CHECK: 'off', LETTERLOCK_MX_GREET_DELAY: '0ms',
  } });
  await until('the resolver', 10000, async () => (await service.status()).roles.find((r) => r.name === 'resolver' && r.state === 'ready'));
});
after(async () => { await service?.stop(); await dns?.stop(); });

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

test('without a name server mail is taken, soon', async () => {
  await dns.down();
  const began = Date.now();
  const { reply, header } = await deliver(BAD, 'x@other.example', await letter());
  assert.equal(reply.code, 250);
  assert.match(header, /spf=temperror/);
  assert.match(header, /dmarc=temperror/);
  assert.ok(Date.now() - began < 6000, `${Date.now() - began} ms`);
  await dns.up();
});
