// Mail sent to servers that others wrote: Debian's Postfix and npm's smtp-server. What they take, put off and refuse; without
// TLS, 8BITMIME, SMTPUTF8; and whether libopendkim and npm's mailauth find our signatures good in what arrived there.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import mailauth from 'mailauth';
import { SMTPServer } from 'smtp-server';
import { DnsServer } from '../lib/dns.mjs';
import { Postfix } from '../lib/postfix.mjs';
import { Service, build, freePort, sample, until } from '../lib/service.mjs';

const skip = Postfix.absent ? `SKIPPED: ${Postfix.absent}` : false;
const zone = {
  'pf.test': { MX: [[10, 'mx.pf.test']] }, 'mx.pf.test': { A: '127.0.0.2' },
  'grey.test': { A: '127.0.0.3' }, 'clear.test': { A: '127.0.0.4' }, 'old.test': { A: '127.0.0.5' },
  'npm.test': { A: '127.0.0.6' }, 'npmold.test': { A: '127.0.0.7' },
  'example.test': { MX: [[10, 'mail.example.test']] }, 'mail.example.test': { A: '127.0.0.1' },
  'far.example': { TXT: 'v=spf1 ip4:127.0.0.0/8 -all', A: '127.0.0.1' },
};
const keys = [];
let dns, service, postfix, policy, who;
const npm = [], got = [];
const list = async () => JSON.parse((await service.ctl(['queue', 'list', '--json'])).stdout);
const quiet = (ms = 15000) => until('an empty queue', ms, async () => (await list()).length === 0);
const add = async (to, body, { from = 'a@signed.test', sign = 'signed.test' } = {}) =>
  (await service.ctl(['queue', 'add', '--from', from, ...(sign ? ['--sign', sign] : []), to], { input: body })).stdout.trim();
const letter = (text, more = '') => Buffer.from(`From: a@signed.test\r\nTo: box@pf.test\r\nSubject: a letter\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <${Math.random()}@signed.test>\r\nMIME-Version: 1.0\r\n`
  + `Content-Type: text/plain; charset=utf-8\r\n${more}\r\n${text}\r\n`, 'utf8');
const arrived = async (box, n = 1) => { await until(`mail for ${box}`, 20000, () => postfix.mail(box).length >= n); return postfix.mail(box).at(-1); };
const reports = async () => {
  const c = await service.imap(who);
  await c.cmd('SELECT INBOX');
  await c.cmd('FETCH 1:* BODY.PEEK[]', { ok: false });
  const all = c.literals.map((b) => b.toString('latin1')).filter((t) => t.includes('multipart/report'));
  await c.logout();
  return all;
};

// A policy server of Postfix: who comes for the first time comes again.
function greylist() {
  const seen = new Set();
  return net.createServer((s) => {
    let text = '';
    s.on('error', () => {}).on('data', (d) => {
      text += d;
      for (let at; (at = text.indexOf('\n\n')) >= 0; text = text.slice(at + 2)) {
        const id = /^recipient=(.*)$/m.exec(text.slice(0, at))[1];
        s.write(seen.has(id) ? 'action=DUNNO\n\n' : 'action=451 4.7.1 greylisted, come again\n\n');
        seen.add(id);
      }
    });
  });
}

const smtpServer = (port, host, options) => new Promise((resolve, reject) => {
  const s = new SMTPServer({
    authOptional: true, disableReverseLookup: true, disabledCommands: ['AUTH'],
    onRcptTo: (a, session, done) => done(a.address.startsWith('no') ? Object.assign(new Error('nobody'), { responseCode: 550 }) : a.address.startsWith('later') && !session.server?.ready ? Object.assign(new Error('busy'), { responseCode: 451 }) : null),
    onData: (stream, session, done) => { const b = []; stream.on('data', (d) => b.push(d)).on('end', () => { got.push({ to: session.envelope.rcptTo.map((r) => r.address), secure: session.secure, raw: Buffer.concat(b) }); done(); }); },
    ...options,
  });
  s.on('error', () => {});
  s.listen(port, host, () => resolve(s));
  npm.push(s);
  setTimeout(reject, 10000).unref();
});

before(async () => {
  const port = await freePort();
  dns = await DnsServer.start({ zone });
  if (!skip) {
    policy = greylist();
    await new Promise((r) => policy.listen(0, '127.0.0.1', r));
    postfix = await Postfix.start({ port, domains: ['pf.test', 'grey.test', 'clear.test', 'old.test'],
      boxes: ['box@pf.test', 'fwd@pf.test', 'later@pf.test', 'box@grey.test', 'box@clear.test', 'box@old.test'],
      settings: 'smtpd_recipient_restrictions = check_recipient_access inline:{{later@pf.test=450 4.2.1 full}}',
      listeners: { '127.0.0.2': '', '127.0.0.3': `-o smtpd_recipient_restrictions=check_policy_service,inet:127.0.0.1:${policy.address().port}`,
        '127.0.0.4': '-o smtpd_tls_security_level=none', '127.0.0.5': '-o smtpd_discard_ehlo_keywords=8bitmime,smtputf8,chunking,pipelining' } });
  } else console.log(`# ${skip}`);
  await smtpServer(port, '127.0.0.6', {});
  await smtpServer(port, '127.0.0.7', { hideSTARTTLS: true, hide8BITMIME: true, hideSMTPUTF8: true, hidePIPELINING: true, hideENHANCEDSTATUSCODES: true });
  service = await Service.start({ env: {
    LETTERLOCK_RESOLVER_UPSTREAMS: dns.upstream, LETTERLOCK_RESOLVER_CA_FILE: dns.ca, LETTERLOCK_RELAY_SMTP_PORT: String(port),
    LETTERLOCK_RELAY_PRIVATE_NETWORKS: 'yes', LETTERLOCK_SERVER_HOSTNAME: 'mail.example.test', LETTERLOCK_COURIER_RETRY_FIRST: '1s',
    LETTERLOCK_MX_AUTH_EXEMPT: '',
  } });
  await until('the roles', 10000, async () => (await service.status()).roles.every((r) => r.state === 'ready'));
  who = await service.alias('sender');
  for (const domain of ['signed.test', 'example.test']) {
    if (domain !== 'example.test') await service.ctl(['domain', 'add', domain]);
    for (const k of JSON.parse((await service.ctl(['domain', 'dkim', domain, '--json'])).stdout)) {
      keys.push({ ...k, domain });
      zone[`${k.selector}._domainkey.${domain}`] = { TXT: k.record };
    }
  }
});
after(async () => {
  await service?.stop();
  await dns?.stop();
  await postfix?.stop();
  policy?.close();
  for (const s of npm) s.close();
  if (process.env.SHOW_LOG) console.log(service?.log, postfix?.log);
});

const ofDomain = (domain) => keys.filter((k) => k.domain === domain);

function libopendkim(raw, domain) {
  const file = path.join(service.dir, 'dkim-keys');
  writeFileSync(file, keys.map((k) => `${k.selector}._domainkey.${k.domain} ${k.record}\n`).join(''));
  const r = spawnSync(path.join(build, 'test/tools/opendkim-verify'), [file], { input: raw });
  if (r.status === 77) { console.log('# SKIPPED: libopendkim-dev is not installed, so it was not asked'); return; }
  assert.deepEqual(r.stdout.toString().trim().split('\n').sort(), ofDomain(domain).map((k) => `${k.selector} ${k.algorithm} pass`).sort());
}
const resolver = async (name, type) => {
  const v = zone[name]?.[type];
  if (!v) throw Object.assign(new Error('no such record'), { code: 'ENODATA' });
  return type === 'TXT' ? [[].concat(v)] : [].concat(v);
};
async function authenticated(raw) {
  return mailauth.authenticate(raw, { resolver, ip: '127.0.0.1', helo: 'mail.example.test', sender: 'a@signed.test', mta: 'test', disableBimi: true });
}
async function signaturesGood(stored, domain = 'signed.test') {
  const raw = Buffer.from(stored.toString('latin1').replace(/\r?\n/g, '\r\n'), 'latin1');
  libopendkim(raw, domain);
  const { dkim } = await authenticated(raw);
  assert.deepEqual(dkim.results.map((r) => [r.selector, r.algo, r.status.result]).sort(), ofDomain(domain).map((k) => [k.selector, k.algorithm, 'pass']).sort());
}

test('Postfix takes it, over TLS, and both signatures are good', { skip }, async () => {
  await add('box@pf.test', letter('words with an \u00e4\r\n.dots\r\n..\r\n and  blanks \r\n\r\n\r\n', 'Content-Transfer-Encoding: 8bit\r\n'));
  const raw = await arrived('box@pf.test');
  assert.match(raw.toString(), /by mx\.pf\.test \(Postfix\) with ESMTPS id/);
  assert.ok(raw.includes(Buffer.from('an \u00e4\n.dots\n..\n')));
  await signaturesGood(raw);
  await quiet();
});

test('Postfix puts off, refuses, greylists', { skip }, async () => {
  const later = await add('later@pf.test', letter('later'), { from: who.address });
  await add('nobody@pf.test', letter('no'), { from: who.address });
  await add('box@grey.test', letter('grey'));
  assert.ok((await arrived('box@grey.test')).includes('grey'));
  const m = await until('a second try', 15000, async () => (await list()).find((x) => x.message === later && x.list[0].attempts > 1));
  assert.equal(m.list[0].code, 450);
  assert.match(m.list[0].answer, /full/);
  const [text] = await until('the report', 15000, async () => { const r = await reports(); return r.length && r; });
  assert.match(text, /Final-Recipient: rfc822; nobody@pf\.test\r\nAction: failed\r\nStatus: 5\.1\.1/);
  assert.match(text, /Remote-MTA: dns; mx\.pf\.test/);
  await service.ctl(['queue', 'delete', '--all']);
});

test('Postfix without TLS: in the clear; without 8BITMIME: encoded, then signed; without SMTPUTF8: refused, and told', { skip }, async () => {
  await add('box@clear.test', letter('clear'));
  assert.match((await arrived('box@clear.test')).toString(), /\(Postfix\) with ESMTP id/);
  await add('box@old.test', letter('an old server, and \u00e4\u00f6\u00fc for it to read', 'Content-Transfer-Encoding: 8bit\r\n'));
  const raw = await arrived('box@old.test');
  assert.match(raw.toString('latin1'), /quoted-printable\r?\n\r?\nan old server, and =C3=A4=C3=B6=C3=BC/);
  await signaturesGood(raw);
  const before = (await reports()).length;
  await add('gr\u00fcn@old.test', letter('utf8'), { from: who.address });
  const [text] = await until('the report', 15000, async () => { const r = await reports(); return r.length > before && r.slice(before); });
  assert.match(text, /Status: 5\.6\.7/);
  await quiet();
});

test('smtp-server: over TLS; old, in the clear and in 7 bits; refused and put off', async () => {
  await add('box@npm.test', letter('an \u00e4 for npm', 'Content-Transfer-Encoding: 8bit\r\n'));
  await add('box@npmold.test', letter('an \u00e4 for an old npm', 'Content-Transfer-Encoding: 8bit\r\n'));
  await until('both', 15000, () => got.length === 2);
  const [tls, old] = ['box@npm.test', 'box@npmold.test'].map((to) => got.find((m) => m.to[0] === to));
  assert.equal(tls.secure, true);
  assert.equal(old.secure, false);
  assert.ok(tls.raw.includes('an \u00e4 for npm'));
  assert.ok(old.raw.every((c) => c < 128));
  await signaturesGood(tls.raw);
  await signaturesGood(old.raw);
  const before = (await reports()).length;
  await add('no@npm.test', letter('no'), { from: who.address });
  const later = await add('later@npm.test', letter('later'));
  await until('the report', 15000, async () => (await reports()).length > before);
  assert.equal((await until('put off', 15000, async () => (await list()).find((x) => x.message === later && x.list[0].attempts > 0))).list[0].code, 451);
  await service.ctl(['queue', 'delete', '--all']);
});

test('a forward is sealed (ARC), and mailauth finds the chain good', { skip }, async () => {
  await service.ctl(['alias', 'add', 'fwd@example.test']);
  await service.ctl(['alias', 'target', 'add', 'fwd@example.test', 'fwd@pf.test']);
  await service.deliver('fwd@example.test', sample(1), 'someone@far.example');
  const raw = Buffer.from((await arrived('fwd@pf.test')).toString('latin1').replace(/\r?\n/g, '\r\n'), 'latin1');
  assert.match(raw.toString('latin1'), /^ARC-Seal:/m);
  const { arc } = await authenticated(raw);
  assert.equal(arc.status.result, 'pass', JSON.stringify(arc.status));
  await quiet();
});
