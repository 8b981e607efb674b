// What comes back: recipients that refuse for good, reports of other servers, and what is made of them.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import nodemailer from 'nodemailer';
import { DnsServer } from '../lib/dns.mjs';
import { Service, until } from '../lib/service.mjs';

let dns, service, peer, ann;
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
      if (to && refuse[to]) { s.write(`${refuse[to]}\r\n`); continue; }
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
  dns = await DnsServer.start({ zone: { 'far.test': { A: '127.0.0.1' }, 'mail.example.test': { A: '127.0.0.1' }, 'example.test': { MX: [[10, 'mail.example.test']] } } });
  service = await Service.start({ submission: true, env: {
    LETTERLOCK_RESOLVER_UPSTREAMS: dns.upstream, LETTERLOCK_RESOLVER_CA_FILE: dns.ca, LETTERLOCK_RELAY_SMTP_PORT: String(peer.address().port),
    LETTERLOCK_RELAY_PRIVATE_NETWORKS: 'yes', LETTERLOCK_MX_AUTH_CHECKS: 'no', LETTERLOCK_MX_MAX_ERRORS: '1000',
  } });
  await until('the roles', 10000, async () => (await service.status()).roles.every((r) => r.state === 'ready'));
  ann = await service.alias('ann');
});
after(async () => { await service?.stop(); await dns?.stop(); peer?.close(); if (process.env.SHOW_LOG) console.log(service.log); });

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
});
