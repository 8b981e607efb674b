// Forwards and their bounces: what leaves has a sender of ours, and a bounce to it finds its way to who sent it.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { DnsServer } from '../lib/dns.mjs';
import { Service, until } from '../lib/service.mjs';

let dns, service, peer, n = 0;
const got = [];
const ctl = (...args) => service.ctl(args);
const letter = (id) => Buffer.from(`From: a@one.test\r\nSubject: ${id}\r\nMessage-ID: <${id}@one.test>\r\n\r\nhello\r\n`);

// A peer that takes everything.
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
      if (verb === 'RCPT') m.to.push(/<(.*?)>/.exec(line)[1]);
      data = verb === 'DATA';
      if (verb === 'RCPT' && m.to.at(-1) === 'no@far.test') { s.write('550 5.1.1 nobody\r\n'); continue; }
      s.write(verb === 'EHLO' ? '250-peer.test\r\n250 8BITMIME\r\n' : data ? '354 go on\r\n' : verb === 'QUIT' ? '221 bye\r\n' : '250 ok\r\n');
    }
  });
}

async function send(from, to, body = letter(`m${++n}`)) {
  const c = await service.smtp();
  await c.cmd(`MAIL FROM:<${from}>`);
  let { text } = await c.cmd(`RCPT TO:<${to}>`);
  if (text.startsWith('250')) {
    await c.cmd('DATA');
    await c.io.write(Buffer.concat([body, Buffer.from('.\r\n')]));
    ({ text } = await c.reply());
  }
  await c.cmd('QUIT');
  c.end();
  return text;
}
const arrived = async (to) => {
  const m = await until(`a message to ${to}`, 15000, () => got.find((x) => x.to.includes(to)));
  got.splice(got.indexOf(m), 1);
  return m;
};
// The envelope sender at the peer, of a forward from there.
async function forward(from) {
  assert.match(await send(from, 'out@example.test'), /^250/);
  return (await arrived('me@far.test')).from;
}

before(async () => {
  peer = net.createServer(session);
  await new Promise((r) => peer.listen(0, '127.0.0.1', r));
  dns = await DnsServer.start({ zone: { 'far.test': { A: '127.0.0.1' }, 'one.test': { A: '127.0.0.1' }, 'two.test': { A: '127.0.0.1' } } });
  service = await Service.start({ env: {
    LETTERLOCK_RESOLVER_UPSTREAMS: dns.upstream, LETTERLOCK_RESOLVER_CA_FILE: dns.ca, LETTERLOCK_RELAY_SMTP_PORT: String(peer.address().port),
    LETTERLOCK_RELAY_PRIVATE_NETWORKS: 'yes', LETTERLOCK_MX_AUTH_CHECKS: 'no', LETTERLOCK_MX_MAX_ERRORS: '1000', LETTERLOCK_MX_DIRECTORY_TIMEOUT: '2s',
  } });
  await until('the roles', 10000, async () => (await service.status()).roles.every((r) => r.state === 'ready'));
  await ctl('alias', 'add', 'out@example.test');
  await ctl('alias', 'target', 'add', 'out@example.test', 'me@far.test');
});
after(async () => { await service?.stop(); await dns?.stop(); peer?.close(); if (process.env.SHOW_LOG) console.log(service.log); });

test('a forward has a sender of ours; its bounce comes to who sent it, lower-cased too', async () => {
  const from = await forward('Ann@one.test');
  assert.match(from, /^SRS0=[a-z2-7]{6}=[a-z2-7]{2}=one\.test=Ann@example\.test$/);
  assert.match(await send('', from), /^250/);
  const bounce = await arrived('Ann@one.test');
  assert.equal(bounce.from, '');
  assert.match(bounce.raw, new RegExp(`^Delivered-To: ${from}\r$`, 'm'));
  assert.match(await send('', from.toLowerCase()), /^250/);
  assert.equal((await arrived('ann@one.test')).from, '');
});

test('the null sender stays null, and ours stays ours', async () => {
  assert.equal(await forward(''), '');
  assert.equal(await forward('someone@example.test'), 'someone@example.test');
});

test('forged, changed, or no bounce: 550', async () => {
  const from = await forward('ann@one.test');
  assert.match(await send('', from.replace('=ann@', '=eve@')), /^550 5\.1\.1/);
  assert.match(await send('', 'SRS0=aaaaaa=aa=one.test=ann@example.test'), /^550 5\.1\.1/);
  assert.match(await send('', 'SRS1=aaaaaa=two.test==x=y=one.test=ann@example.test'), /^550 5\.1\.1/);
  assert.match(await send('', from.replace('@example.test', '@one.test')), /^550/);
  assert.match(await send('bob@one.test', from), /^550 5\.7\.1/);
  await ctl('alias', 'add', 'all@example.test');
  await ctl('alias', 'target', 'add', 'all@example.test', 'me@far.test');
  await ctl('domain', 'set', 'example.test', '--catch-all', 'all@example.test');
  assert.match(await send('', 'SRS0=aaaaaa=aa=one.test=ann@example.test'), /^550 5\.1\.1/); // not for the catch-all
  await ctl('domain', 'set', 'example.test', '--catch-all', 'none');
});

test('rewritten by others before: the bounce goes to the first of them', async () => {
  const from = await forward('SRS0=ab=cd=x.test=u@two.test');
  assert.match(from, /^SRS1=[a-z2-7]{6}=two\.test==ab=cd=x\.test=u@example\.test$/);
  assert.match(await send('', from), /^250/);
  await arrived('SRS0=ab=cd=x.test=u@two.test');
});

test('what is too long for an address is kept, through a restart of the courier', async () => {
  const long = `bounces+${'0123456789'.repeat(7)}@one.test`;
  const from = await forward(long);
  assert.match(from, /^SRS0=[a-z2-7]{6}=[a-z2-7]{2}==[a-z2-7]{16}@example\.test$/);
  await service.kill('courier');
  await until('it to be taken', 20000, async () => (await send('', from.toLowerCase())).startsWith('250'));
  assert.equal((await arrived(long)).from, '');
});

test('a bounce for one of ours stays here', async () => {
  await ctl('domain', 'add', 'other.test');
  const cat = await service.alias('cat@other.test');
  const from = await forward(cat.address);
  assert.match(from, /^SRS0=.*=other\.test=cat@example\.test$/);
  assert.match(await send('', from, letter('bounced')), /^250/);
  const c = await service.imap(cat);
  await c.cmd('SELECT INBOX');
  await c.cmd('FETCH 1 BODY.PEEK[HEADER]');
  assert.match(c.literals[0].toString(), /^Subject: bounced\r$/m);
  await c.logout();
});

test('a forward that is refused: who sent it hears', async () => {
  await ctl('alias', 'add', 'dead@example.test');
  await ctl('alias', 'target', 'add', 'dead@example.test', 'no@far.test');
  const long = `bounces+${'9876543210'.repeat(7)}@one.test`;
  for (const from of ['dan@one.test', long]) {
    assert.match(await send(from, 'dead@example.test'), /^250/);
    const report = await arrived(from);
    assert.equal(report.from, '');
    assert.ok(report.raw.includes(`To: <${from}>`));
  }
});

test('without the courier: try later', async () => {
  const from = await forward('ann@one.test');
  const [pid] = await service.pids('courier');
  process.kill(pid, 'SIGSTOP');
  assert.match(await send('', from), /^451/);
  process.kill(pid, 'SIGCONT');
  await until('it to be taken', 20000, async () => (await send('', from)).startsWith('250'));
});
