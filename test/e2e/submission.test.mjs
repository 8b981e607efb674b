// Sending: nodemailer and curl as clients, on both ports; what may be sent as whom, what is put right on the way, limits,
// and where a letter goes. What waits for other servers is looked at in the courier's queue.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import tls from 'node:tls';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import nodemailer from 'nodemailer';
import { Service, Lines, Smtp, until } from '../lib/service.mjs';

let service, ann, bob;
before(async () => {
  service = await Service.start({ submission: true });
  ann = await service.alias('ann');
  bob = await service.alias('bob');
});
after(() => service?.stop());

const transport = (who, options = {}) => nodemailer.createTransport({
  host: '127.0.0.1', port: service.ports.submissions, secure: true, tls: { rejectUnauthorized: false },
  auth: { user: who.address, pass: who.password }, ...options,
});
const code = (promise) => promise.then(() => 250, (e) => e.responseCode ?? e);
const inbox = async (who, folder = 'INBOX') => {
  const c = await service.imap(who);
  await c.cmd(`SELECT ${folder}`);
  const lines = await c.cmd('UID FETCH 1:* (FLAGS BODY.PEEK[])');
  const text = [...lines, ...c.literals.map((x) => x.toString('latin1'))].join('\r\n');
  await c.logout();
  return text;
};
// A client that says just what it is told.
const raw = async ({ secure = true } = {}) => {
  const port = secure ? service.ports.submissions : service.ports.submission;
  const s = await new Promise((resolve, reject) => {
    const c = secure ? tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => resolve(c)) : net.connect({ port, host: '127.0.0.1' }, () => resolve(c));
    c.once('error', reject);
  });
  const c = new Smtp(new Lines(s));
  assert.equal((await c.reply()).code, 220);
  c.hello = await c.cmd('EHLO client.test');
  return c;
};
const plain = (who) => Buffer.from(`\0${who.address}\0${who.password}`).toString('base64');
test('implicit TLS and PLAIN: a letter to a mailbox here', async () => {
  const t = transport(ann);
  const r = await t.sendMail({ from: ann.address, to: bob.address, bcc: ann.address, subject: 'hello bob', text: 'words' });
  assert.match(r.response, /^250 2\.0\.0/);
  const text = await inbox(bob);
  assert.match(text, /hello bob/);
  assert.match(text, /Received: by /);
  assert.match(text, /with ESMTPSA/);
  assert.doesNotMatch(text, /127\.0\.0\.1/);
  assert.doesNotMatch(text, /^Bcc:/mi);
});

test('STARTTLS and LOGIN', async () => {
  const t = transport(ann, { port: service.ports.submission, secure: false, requireTLS: true, authMethod: 'LOGIN' });
  await t.sendMail({ from: ann.address, to: bob.address, subject: 'by LOGIN', text: 'words' });
  assert.match(await inbox(bob), /by LOGIN/);
});

test('curl is a client, too', async () => {
  const file = path.join(service.dir, 'letter.eml');
  await writeFile(file, `From: ${ann.address}\r\nTo: ${bob.address}\r\nSubject: by curl\r\nBcc: secret@example.org\r\nReturn-Path: <x@y>\r\n\r\nwords\r\n`);
  await new Promise((resolve, reject) => execFile('curl', ['-sS', '-k', '--url', `smtps://127.0.0.1:${service.ports.submissions}`, '--user', `${ann.address}:${ann.password}`,
    '--mail-from', ann.address, '--mail-rcpt', bob.address, '--upload-file', file], (e, out, err) => (e ? reject(new Error(err)) : resolve(out))));
  const text = await inbox(bob);
  assert.match(text, /by curl/);
  assert.match(text, /Date: /);
  assert.match(text, /Message-ID: <[0-9a-f]{32}@example\.test>/i);
  assert.doesNotMatch(text, /secret@example\.org|x@y/);
});

test('nobody sends in the clear, or without a password, or with a wrong one', async () => {
  const c = await raw({ secure: false });
  assert.doesNotMatch(c.hello.text, /AUTH|REQUIRETLS/);
  assert.equal((await c.cmd(`AUTH PLAIN ${plain(ann)}`)).code, 538);
  assert.equal((await c.cmd(`MAIL FROM:<${ann.address}>`)).code, 530);
  c.end();
  const s = await raw();
  assert.match(s.hello.text, /AUTH PLAIN LOGIN/);
  assert.match(s.hello.text, /FUTURERELEASE 2592000 /);
  assert.equal((await s.cmd(`MAIL FROM:<${ann.address}>`)).code, 530);
  assert.equal((await s.cmd(`AUTH PLAIN ${plain({ ...ann, password: 'wrong' })}`)).code, 535);
  assert.equal((await s.cmd(`AUTH PLAIN ${plain({ address: 'nobody@example.test', password: 'x' })}`)).code, 535);
  assert.equal((await s.cmd('AUTH PLAIN')).code, 334);
  assert.equal((await s.cmd('*')).code, 501);
  assert.equal((await s.cmd('AUTH PLAIN')).code, 334);
  assert.equal((await s.cmd(plain(ann))).code, 235);
  assert.equal((await s.cmd(`AUTH PLAIN ${plain(ann)}`)).code, 503);
  assert.equal((await s.cmd(`MAIL FROM:<${bob.address}>`)).code, 553);
  assert.equal((await s.cmd(`MAIL FROM:<${ann.address}> HOLDFOR=99999999`)).code, 501);
  assert.equal((await s.cmd(`MAIL FROM:<${ann.address}> RET=HDRS ENVID=q1 MT-PRIORITY=3 BY=60;N AUTH=<>`)).code, 250);
  assert.equal((await s.cmd('RCPT TO:<no-such@example.test>')).code, 550);
  assert.equal((await s.cmd(`RCPT TO:<${bob.address}> NOTIFY=NEVER`)).code, 250);
  s.end();
});

test('a guesser is hung up on', async () => {
  const s = await raw();
  let r;
  for (let i = 0; i < 5; i++) r = await s.cmd(`AUTH PLAIN ${plain({ address: 'nobody@example.test', password: `x${i}` })}`, 60000);
  assert.equal(r.code, 535);
  assert.equal((await s.reply()).code, 421);
  s.end();
});

test('From belongs to who sends, or to his domain where that is allowed', async () => {
  const send = (message) => code(transport(ann).sendMail({ to: bob.address, text: 'x', envelope: { from: ann.address, to: bob.address }, ...message }));
  assert.equal(await send({ from: 'someone@example.org' }), 550);
  assert.equal(await send({ from: bob.address }), 550);
  assert.equal(await send({ from: ann.address, sender: bob.address }), 550);
  assert.equal(await send({ from: ann.address.toUpperCase() }), 250);
  await service.ctl(['sending', 'set', 'example.test', '--as-domain', 'yes']);
  assert.equal(await send({ from: 'anything@example.test' }), 250);
  assert.equal(await send({ from: 'someone@example.org' }), 550);
  await service.ctl(['sending', 'set', ann.address, '--as-domain', 'no']);
  assert.equal(await send({ from: 'anything@example.test' }), 550);
});

test('a copy goes to Sent, with its Bcc, read already', async () => {
  const eve = await service.alias('eve');
  await service.ctl(['sending', 'set', eve.address, '--copy', 'yes']);
  await transport(eve).sendMail({ from: eve.address, to: eve.address, subject: 'to myself', text: 'x' });
  await transport(eve).sendMail({ raw: `From: ${eve.address}\r\nTo: ${bob.address}\r\nBcc: hidden@example.test\r\nSubject: with a copy\r\n\r\nx\r\n`, envelope: { from: eve.address, to: bob.address } });
  const sent = await inbox(eve, 'Sent');
  assert.match(sent, /to myself/);
  assert.match(sent, /with a copy/);
  assert.match(sent, /Bcc: hidden@example\.test/);
  assert.match(sent, /\\Seen/);
  assert.match(await inbox(eve), /to myself/);
});

test('limits of the day say when they open again', async () => {
  const max = await service.alias('max');
  await service.ctl(['sending', 'set', max.address, '--messages', '2', '--recipients', '3']);
  const send = (to) => transport(max).sendMail({ from: max.address, to, text: 'x' }).then(() => '250', (e) => e.response);
  assert.equal(await send(bob.address), '250');
  assert.match(await send([bob.address, ann.address, max.address]), /^450 4\.7\.1 .*3 recipients a day of this address.*opens again at \d{4}-\d\d-\d\dT00:00:00Z/);
  assert.equal(await send(bob.address), '250');
  assert.match(await send(bob.address), /^450 4\.7\.1 .*2 messages a day/);
  await service.kill('directory');
  await until('the directory is back', 20000, async () => /^450 4\.7\.1/.test(await send(bob.address)));
  await service.ctl(['sending', 'set', max.address, '--messages', 'none', '--recipients', 'none']);
  assert.equal(await send(bob.address), '250');
});

test('what is for elsewhere waits in the queue; who sends it again does not send it twice', async () => {
  const once = async (id) => {
    const s = await raw();
    assert.equal((await s.cmd(`AUTH PLAIN ${plain(ann)}`)).code, 235);
    assert.equal((await s.cmd(`MAIL FROM:<${ann.address}> RET=FULL ENVID=abc HOLDFOR=3600 REQUIRETLS`)).code, 250);
    assert.equal((await s.cmd('RCPT TO:<someone@elsewhere.invalid> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;someone@elsewhere.invalid')).code, 250);
    assert.equal((await s.cmd(`RCPT TO:<${bob.address}>`)).code, 250);
    assert.equal((await s.cmd('DATA')).code, 354);
    const r = await s.cmd(`From: ${ann.address}\r\nMessage-ID: <${id}@example.test>\r\nSubject: held\r\n\r\nx\r\n.`);
    assert.equal(r.code, 250);
    s.end();
  };
  await once('held');
  await service.kill('courier');
  await until('the courier is back', 20000, async () => { try { await once('held'); return true; } catch { return false; } });
  await until('the log to say so', 5000, () => /mx\.accepted .*rcpts=2 duplicates=2/.test(service.log));
  assert.doesNotMatch(await inbox(bob), /Subject: held/); /* it waits: for him, too */
});
