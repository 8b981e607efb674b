// What comes back: recipients that refuse for good, reports of other servers, and what is made of them.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http from 'node:http';
import net from 'node:net';
import mailauth from 'mailauth';
import nodemailer from 'nodemailer';
import { DnsServer } from '../lib/dns.mjs';
import { Service, until } from '../lib/service.mjs';

let dns, service, peer, hook, ann, key;
const told = []; // bounce events
const got = [];
const refuse = {}; // address -> answer to RCPT
const ctl = (...args) => service.ctl(args);
const json = async (...args) => JSON.parse((await ctl(...args, '--json')).stdout);

function session(s) {
  let text = '', m = null, data = false;
  s.on('error', () => {});
  s.write('220 peer.test ESMTP\r\n');
  s.on('data', (d) => {
    text += d.toString('latin1');
    for (let at; (at = text.indexOf(data ? '\r\n.\r\n' : '\r\n')) >= 0;) {
      const line = text.slice(0, at);
      text = text.slice(at + (data ? 5 : 2));
      if (data) { got.push({ ...m, raw: line }); data = false; s.write('250 2.0.0 taken\r\n'); continue; }
      const verb = line.split(/[ :]/)[0].toUpperCase();
      if (verb === 'MAIL') m = { from: /<(.*?)>/.exec(line)[1], to: [] };
      const to = verb === 'RCPT' && /<(.*?)>/.exec(line)[1];
      const no = to && refuse[to];
      if (no) { s.write(`${no}\r\n`); continue; }
      if (to) m.to.push(to);
      data = verb === 'DATA';
      s.write(verb === 'EHLO' ? '250-peer.test\r\n250 8BITMIME\r\n' : data ? '354 go on\r\n' : verb === 'QUIT' ? '221 bye\r\n' : '250 ok\r\n');
    }
  });
}
const send = (options, who = ann) => nodemailer.createTransport({
  host: '127.0.0.1', port: service.ports.submissions, secure: true, tls: { rejectUnauthorized: false }, auth: { user: who.address, pass: who.password },
}).sendMail({ from: who.address, subject: 'hello', text: 'words', ...options });
const arrived = async (to) => {
  const m = await until(`a message to ${to}`, 15000, () => got.find((x) => x.to.includes(to)));
  got.splice(got.indexOf(m), 1);
  return m;
};
// Waits for a message in the mailbox with all these words, and gives it back.
const mail = (who, ...words) => until(`a message with ${words}`, 15000, async () => {
  const c = await service.imap(who);
  const { length } = c.literals;
  await c.cmd('SELECT INBOX');
  await c.cmd('FETCH 1:* BODY.PEEK[]').catch(() => {});
  const all = c.literals.slice(length).map(String);
  await c.logout();
  return all.find((x) => words.every((w) => x.includes(w)));
});

before(async () => {
  peer = net.createServer(session);
  await new Promise((r) => peer.listen(0, '127.0.0.1', r));
  hook = http.createServer((req, res) => {
    const parts = [];
    req.on('data', (d) => parts.push(d)).on('end', () => { told.push({ headers: req.headers, url: req.url, body: Buffer.concat(parts), json: JSON.parse(Buffer.concat(parts)) }); res.end('ok'); });
  });
  await new Promise((r) => hook.listen(0, '127.0.0.1', r));
  dns = await DnsServer.start({ zone: { 'hook.test': { A: '127.0.0.1' }, 'far.test': { A: '127.0.0.1' }, 'mail.example.test': { A: '127.0.0.1' }, 'example.test': { MX: [[10, 'mail.example.test']] } } });
  service = await Service.start({ submission: true, env: {
    LETTERLOCK_RESOLVER_UPSTREAMS: dns.upstream, LETTERLOCK_RESOLVER_CA_FILE: dns.ca, LETTERLOCK_RELAY_SMTP_PORT: String(peer.address().port),
    LETTERLOCK_RELAY_PRIVATE_NETWORKS: 'yes', LETTERLOCK_MX_AUTH_CHECKS: 'no', LETTERLOCK_MX_MAX_ERRORS: '1000', LETTERLOCK_COURIER_WEBHOOK_HTTP: 'yes', LETTERLOCK_DIRECTORY_WEBHOOK_HTTP: 'yes', LETTERLOCK_RELAY_WEBHOOK_PORTS: String(hook.address().port),
  } });
  await until('the roles', 10000, async () => (await service.status()).roles.every((r) => r.state === 'ready'));
  ann = await service.alias('ann');
  await ctl('domain', 'dkim', 'example.test');
  key = (await ctl('domain', 'webhook-key', 'example.test')).stdout.trim();
});
after(async () => { await service?.stop(); await dns?.stop(); peer?.close(); hook?.close(); if (process.env.SHOW_LOG) console.log(service.log); });

test('reports are in the language of who sent it: his own, that of his domain, that of the letter', async () => {
  refuse['niemand@far.test'] = '550 5.1.1 no such user';
  const cases = [[[], { headers: { 'Content-Language': 'nl' } }, 'nl', 'Niemand heeft dat adres.'], [['set', 'example.test', '--language', 'de-AT'], { headers: { 'Content-Language': 'nl' } }, 'de', 'Diese Adresse hat niemand.'],
    [['set', ann.address, '--language', 'fr'], {}, 'fr', "Personne n'a cette adresse."], [['set', ann.address, '--language', 'default'], {}, 'de', 'Diese Adresse hat niemand.']];
  for (const [set, more, tag, words] of cases) {
    if (set.length) await ctl('sending', ...set);
    await ctl('queue', 'suppressed', 'remove', 'niemand@far.test', '--domain', 'example.test').catch(() => {});
    const subject = `in ${tag} ${set.length ? set[3] : ''}`;
    await send({ to: 'niemand@far.test', subject, ...more });
    await mail(ann, `Subject: ${subject}`, `Content-Language: ${tag}`, words, 'Status: 5.1.1');
  }
  assert.equal((await json('sending', 'show', 'example.test')).language, 'de-AT');
  assert.equal((await json('sending', 'show', ann.address)).language, null);
  const no = await service.ctl(['sending', 'set', 'example.test', '--language', 'tlh'], { ok: false });
  assert.equal(no.code, 64);
  assert.match(no.stderr, /written in: en de fr es it nl pl pt/);
  await ctl('sending', 'set', 'example.test', '--language', 'default');
  await ctl('queue', 'suppressed', 'remove', 'niemand@far.test', '--domain', 'example.test');
});

test('who refuses for good is not written to again, until he is taken off the list', async () => {
  refuse['gone@far.test'] = '550 5.1.1 no such user';
  refuse['angry@far.test'] = '550 5.7.1 not from you';
  await send({ to: 'gone@far.test, angry@far.test', subject: 'first' });
  await mail(ann, 'Status: 5.1.1', 'gone@far.test', 'Status: 5.7.1');
  const [row, ...more] = await json('queue', 'suppressed', 'list', '--domain', 'example.test');
  assert.equal(more.length, 0);
  assert.equal(row.address, 'gone@far.test');
  assert.match(row.why, /^550 5\.1\.1 no such user/);
  assert.ok(Date.parse(row.until) - Date.now() > 29 * 86400000);

  delete refuse['gone@far.test'];
  await send({ to: 'Gone@FAR.test, fine@far.test', subject: 'second' });
  assert.deepEqual((await arrived('fine@far.test')).to, ['fine@far.test']);
  await mail(ann, 'not tried: since', 'Subject: second', 'Status: 5.1.1');
  await until('the journal to tell', 10000, async () => (await ctl('log', ann.address, '--json')).stdout.includes('not tried: since'));

  await ctl('queue', 'suppressed', 'remove', 'gone@far.test', '--domain', 'example.test');
  await send({ to: 'gone@far.test' });
  await arrived('gone@far.test');
  await ctl('queue', 'suppressed', 'add', 'Some@far.test', '--domain', 'Example.test', '--days', '3');
  assert.match((await ctl('queue', 'suppressed', 'list')).stdout, /example\.test {2}some@far\.test .*added by hand/);
  await send({ to: 'some@far.test' });
  await mail(ann, 'added by hand');
  assert.notEqual((await service.ctl(['queue', 'suppressed', 'remove', 'x@far.test', '--domain', 'example.test'], { ok: false })).code, 0);

  await ctl('domain', 'add', 'brief.test'); // the list goes with its domain
  await ctl('queue', 'suppressed', 'add', 'some@far.test', '--domain', 'brief.test');
  const lists = async () => (await json('queue', 'suppressed', 'list')).map((x) => x.domain);
  assert.deepEqual(await lists(), ['brief.test', 'example.test']);
  await ctl('domain', 'remove', 'Brief.test');
  assert.deepEqual(await lists(), ['example.test']);
});

const event = async (recipient) => {
  const e = await until(`an event of ${recipient}`, 15000, () => told.find((x) => x.json.recipient === recipient));
  told.splice(told.indexOf(e), 1);
  assert.equal(e.headers['x-webhook-signature'], `sha256=${crypto.createHmac('sha256', key).update(e.body).digest('hex')}`);
  assert.equal(e.headers['x-webhook-id'], e.json.id);
  return e.json;
};
const report = (to, status, recipient, action = 'failed') => [`From: MAILER-DAEMON@far.test`, `To: ${to}`, `Subject: Undelivered ${recipient}`, `Message-ID: <${crypto.randomUUID()}@far.test>`,
  'MIME-Version: 1.0', 'Content-Type: multipart/report; report-type=delivery-status; boundary=b', '', '--b', '', 'sorry', '--b', 'Content-Type: message/delivery-status', '',
  'Reporting-MTA: dns; inner.far.test', '', `Final-Recipient: rfc822; ${recipient}`, `Action: ${action}`, `Status: ${status}`, 'Diagnostic-Code: smtp; 550 nobody there', '', '--b--', ''].join('\r\n');
async function rcpt(from, to, body) {
  const c = await service.smtp();
  await c.cmd(`MAIL FROM:<${from}>`);
  let { text } = await c.cmd(`RCPT TO:<${to}>`);
  if (text.startsWith('250') && body) {
    await c.cmd('DATA');
    await c.io.write(Buffer.from(`${body}.\r\n`));
    ({ text } = await c.reply());
  }
  await c.cmd('QUIT');
  c.end();
  return text;
}

test('what fails is posted to the webhook of the domain', async () => {
  const url = `http://hook.test:${hook.address().port}/bounces`;
  await ctl('domain', 'bounce-webhook', 'example.test', '--to', url);
  assert.equal((await json('domain', 'bounce-webhook', 'example.test')).url, url);
  assert.notEqual((await service.ctl(['domain', 'bounce-webhook', 'example.test', '--to', 'ftp://x'], { ok: false })).code, 0);
  refuse['angry@far.test'] = '550 5.7.1 not from you';
  await send({ to: 'angry@far.test', messageId: '<one@example.test>' });
  const e = await event('angry@far.test');
  assert.deepEqual([e.event, e.domain, e.alias, e.status, e.code, e.source, e.hard], ['bounce', 'example.test', ann.address, '5.7.1', 550, 'smtp', false]);
  assert.deepEqual([e.message.message_id, e.message.sender], ['<one@example.test>', ann.address]);
  await ctl('queue', 'suppressed', 'add', 'listed@far.test', '--domain', 'example.test');
  await send({ to: 'listed@far.test' });
  assert.equal((await event('listed@far.test')).source, 'suppressed');
});

test('a report that comes later is matched, told, and in the mailbox', async () => {
  await send({ to: 'later@far.test, other@far.test', messageId: '<two@example.test>' });
  const { from } = await arrived('later@far.test');
  assert.match(from, /^bounce\+[a-z2-7]{16}@example\.test$/);
  assert.match(await rcpt('', from.toUpperCase().replace('EXAMPLE.TEST', 'example.test'), report(from, '5.1.1', 'Later@far.test')), /^250/);
  const e = await event('Later@far.test');
  assert.deepEqual([e.alias, e.status, e.code, e.source, e.hard, e.server, e.message.message_id], [ann.address, '5.1.1', null, 'report', true, 'inner.far.test', '<two@example.test>']);
  await mail(ann, 'Undelivered Later@far.test');
  assert.ok((await json('queue', 'suppressed', 'list')).some((x) => x.address === 'later@far.test'));
  await until('the journal to tell', 10000, async () => (await ctl('log', ann.address, '--json')).stdout.split('\n').some((x) => x.includes('"bounced"') && x.includes('Later@far.test')));

  // Who is written in another way is the same.
  assert.match(await rcpt('', from, report(from, '5.1.1', 'lATER@far.test')), /^250/);
  // Of a delay nothing is made, nor of somebody whom that message was not for.
  assert.match(await rcpt('', from, report(from, '4.4.1', 'other@far.test', 'delayed')), /^250/);
  assert.match(await rcpt('', from, report(from, '5.1.1', 'eve@far.test')), /^250/);
  await mail(ann, 'Undelivered eve@far.test');
  await until('the queue to be empty', 10000, async () => (await json('queue', 'list')).length === 0);
  assert.equal(told.length, 0);
  assert.ok(!(await json('queue', 'suppressed', 'list')).some((x) => /eve|other/.test(x.address)));
});

test('an answer to the return path finds the person; a made-up token nobody', async () => {
  await send({ to: 'away@far.test' });
  const { from } = await arrived('away@far.test');
  assert.match(await rcpt('away@far.test', from, 'Subject: I am away\r\nMessage-ID: <away@far.test>\r\n\r\nwords\r\n'), /^250/);
  await mail(ann, 'I am away');
  const courier = await service.pids('courier'); // asked so often that the answer is there before the question was put away
  await Promise.all([1, 2, 3, 4].map(async () => {
    for (let i = 0; i < 30; i++) assert.match(await rcpt('', from), /^250/);
  }));
  assert.deepEqual(await service.pids('courier'), courier);
  assert.match(await rcpt('', from.replace(/\+../, '+zz')), /^550 5\.1\.1/);
  assert.match(await rcpt('', from.replace(/..@/, 'aa@')), /^550 5\.1\.1/);
  const bounce = await service.alias('bounce');
  assert.match(await rcpt('a@far.test', 'bounce+aaaaaaaaaaaaaaaa@example.test', 'Subject: a tag\r\nMessage-ID: <tag@far.test>\r\n\r\nwords\r\n'), /^250/);
  await mail(bounce, 'a tag');
});

test('#raw: the webhook gets the bytes, too', async () => {
  const raw = await service.alias('raw');
  await ctl('alias', 'target', 'add', raw.address, `http://hook.test:${hook.address().port}/raw#raw`);
  const body = `From: a@far.test\r\nSubject: raw\r\nMessage-ID: <raw@far.test>\r\n\r\n${'0123456789'.repeat(60)}\r\n`;
  assert.match(await rcpt('a@far.test', raw.address, body), /^250/);
  const e = await until('the webhook to be called', 10000, () => told.find((x) => x.url === '/raw'));
  assert.equal(e.json.message.subject, 'raw');
  assert.ok(Buffer.from(e.json.raw, 'base64').toString().endsWith(body));
  assert.equal(e.json.raw_left_out, false);
});

test('who is away is answered for, once, and not to lists or machines', async () => {
  const cat = await service.alias('cat');
  const letter = (id, extra = '', to = cat.address) => `From: Zoe <zoe@far.test>\r\nTo: ${to}\r\nSubject: question ${id}\r\nMessage-ID: <${id}@far.test>\r\n${extra}\r\nwords\r\n`;
  const day = (n) => new Date(Date.now() + n * 86400000).toISOString().slice(0, 10);
  const queued = async () => (await json('queue', 'list')).length;
  await ctl('alias', 'vacation', 'set', cat.address, '--subject', 'Weg für länger', '--text', 'Bis März.', '--from', day(-1), '--until', day(1));
  assert.equal((await json('alias', 'vacation', 'show', cat.address)).text, 'Bis März.');
  await ctl('alias', 'add', 'shop@example.test');
  await ctl('alias', 'target', 'add', 'shop@example.test', cat.address);
  // Whom an alias leads to is nobody's business; what a header as long as this holds at its end nobody saw.
  assert.match(await rcpt('zoe@far.test', 'shop@example.test', letter('l0', '', 'shop@example.test')), /^250/);
  assert.match(await rcpt('zoe@far.test', cat.address, letter('l6', `X-A: ${'x'.repeat(70)}\r\n`.repeat(900) + 'List-Id: <x.far.test>\r\n')), /^250/);
  for (const [id, extra, to, from] of [['l1', 'List-Id: <x.far.test>\r\n'], ['l2', 'Precedence: bulk\r\n'], ['l3', 'Auto-Submitted: auto-generated\r\n'], ['l4', '', 'list@far.test'], ['l5', '', undefined, '']])
    assert.match(await rcpt(from ?? 'zoe@far.test', cat.address, letter(id, extra, to)), /^250/);
  assert.match(await rcpt('zoe@far.test', cat.address, letter('q1', 'References: <q0@far.test>\r\n')), /^250/); // its mailbox is closed
  const m = await arrived('zoe@far.test');
  assert.equal(m.from, '');
  for (const x of [/^Auto-Submitted: auto-replied/m, /^In-Reply-To: <q1@far\.test>\r$/m, /^References: <q0@far\.test>\r\n <q1@far\.test>\r$/m, /^Subject: =\?utf-8\?B\?/m, /^From: <cat@example\.test>\r$/m, /^DKIM-Signature: [^]*d=example\.test/m]) assert.match(m.raw, x);
  assert.match(Buffer.from(m.raw.split('\r\n\r\n')[1], 'base64').toString(), /^Bis März\.\r\n$/);
  assert.match(await rcpt('zoe@far.test', cat.address, letter('q2')), /^250/);
  await service.kill('courier');
  await until('it to be taken', 20000, async () => /^250/.test(await rcpt('bounce+tag@far.test', cat.address, letter('q3'))));
  await send({ to: cat.address, subject: 'from next door' });
  await mail(ann, 'Auto-Submitted: auto-replied', 'To: <bounce+');
  await mail(cat, 'from next door');
  await until('the queue to be empty', 10000, async () => (await queued()) === 0);
  assert.equal(got.filter((x) => x.to.some((t) => t.endsWith('far.test'))).length, 0, 'zoe heard once');
  await ctl('alias', 'vacation', 'set', cat.address, '--text', 'later', '--from', day(2));
  assert.match(await rcpt('zoe@far.test', cat.address, letter('q4')), /^250/);
  await ctl('alias', 'vacation', 'off', cat.address);
  assert.equal((await json('alias', 'vacation', 'show', cat.address)).on, false);
  assert.equal(await queued(), 0);
});

test('what is refused for DMARC goes once more under a From of ours; the person sees it', async () => {
  await ctl('alias', 'add', 'out@example.test');
  await ctl('alias', 'target', 'add', 'out@example.test', 'strict@far.test');
  await ctl('alias', 'target', 'add', 'out@example.test', 'never@far.test');
  refuse['never@far.test'] = '550 5.7.26 rejected by DMARC policy of one.test';
  let n = 0;
  Object.defineProperty(refuse, 'strict@far.test', { configurable: true, get: () => (n++ ? undefined : '550-5.7.1 not accepted due to\r\n550 5.7.1 the DMARC policy of one.test') });
  const big = 'x'.repeat(70) + '\r\n';
  assert.match(await rcpt('zoe@one.test', 'out@example.test', `From: Zoe Z <zoe@one.test>\r\nTo: out@example.test\r\nSubject: strict\r\nMessage-ID: <s@one.test>\r\n\r\n${big.repeat(9000)}`), /^250/);
  const m = await arrived('strict@far.test');
  const [head, ...body] = m.raw.split('\r\n\r\n');
  assert.equal(head.match(/^From:/mg).length, 1);
  assert.match(head, /^From: "Zoe Z via example\.test"\r\n <SRS0=[^>]*=one\.test=zoe@example\.test>\r$/m);
  assert.match(head, /^Reply-To: Zoe Z <zoe@one\.test>\r$/m);
  assert.match(head, /^X-Original-From: Zoe Z <zoe@one\.test>\r$/m);
  assert.match(head, /^Subject: strict\r$/m);
  assert.match(head, /^DKIM-Signature: [^]*d=example\.test/m);
  assert.doesNotMatch(head, /^ARC-/m);
  assert.equal(body.join('\r\n\r\n'), big.repeat(9000).slice(0, -2));
  const { dkim } = await mailauth.authenticate(Buffer.from(`${m.raw}\r\n`), { resolver: async (name) => {
    const found = (await json('domain', 'dkim', 'example.test')).find((k) => name.startsWith(k.selector));
    if (!found) throw Object.assign(new Error('none'), { code: 'ENOTFOUND' });
    return [[found.record]];
  } });
  const ours = dkim.results.filter((x) => x.signingDomain === 'example.test');
  assert.ok(ours.length > 0 && ours.every((x) => x.status.result === 'pass'), JSON.stringify(dkim.results.map((x) => x.status)));
  const log = async () => (await ctl('log', 'out@example.test', '--forwards', '--json')).stdout.trim().split('\n').filter(Boolean).map((x) => JSON.parse(x));
  const seen = await until('the log to tell all', 15000, async () => { const l = await log(); return l.some((x) => x.event === 'forward-failed') && l.some((x) => x.event === 'forwarded') && l; });
  const of = (to) => seen.filter((x) => x.other === to).map((x) => x.event);
  assert.deepEqual(of('strict@far.test'), ['forward-rewritten', 'forwarded']);
  assert.deepEqual(of('never@far.test'), ['forward-rewritten', 'forward-failed']);
});
