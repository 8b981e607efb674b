// Forwards and their bounces: what leaves has a sender of ours, and a bounce to it finds its way to who sent it. And who asked
// for it hears that his mail arrived (RFC 3461).
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
      if (verb === 'MAIL') m = { from: /<(.*?)>/.exec(line)[1], to: [], lines: [line] };
      if (verb === 'RCPT') m.lines.push(line);
      if (verb === 'RCPT') m.to.push(/<(.*?)>/.exec(line)[1]);
      data = verb === 'DATA';
      if (verb === 'RCPT' && m.to.at(-1) === 'no@far.test') { s.write('550 5.1.1 nobody\r\n'); continue; }
      s.write(verb === 'EHLO' ? '250-peer.test\r\n250-DSN\r\n250 8BITMIME\r\n' : data ? '354 go on\r\n' : verb === 'QUIT' ? '221 bye\r\n' : '250 ok\r\n');
    }
  });
}

async function send(from, to, body = letter(`m${++n}`), mail = '', rcpt = '') {
  const c = await service.smtp();
  await c.cmd(`MAIL FROM:<${from}>${mail}`);
  let { text } = await c.cmd(`RCPT TO:<${to}>${rcpt}`);
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

const drained = () => until('the queue to be empty', 15000, async () => JSON.parse((await ctl('queue', 'list', '--json')).stdout).length === 0);
const inbox = async (alias) => {
  const c = await service.imap(alias);
  const lines = (await c.cmd('SELECT INBOX')).join('\n');
  await c.logout();
  return Number(/^\* (\d+) EXISTS/m.exec(lines)[1]);
};

test('NOTIFY=SUCCESS: "delivered" for a mailbox, once for a message that comes twice', async () => {
  const eve = await service.alias('eve'), again = letter('arrives');
  await drained(); // of the tests before
  got.length = 0;
  for (let i = 0; i < 2; i++)
    assert.match(await send('dora@one.test', 'eve+tag@example.test', again, ' ENVID=q+2B1 RET=FULL', ' NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Old+2BEve@one.test'), /^250/);
  assert.match(await send('dora@one.test', eve.address, letter('silent'), '', ' NOTIFY=FAILURE,DELAY'), /^250/);
  assert.match(await send('', eve.address, letter('from nobody'), '', ' NOTIFY=SUCCESS'), /^250/);
  await drained();
  const told = got.splice(0).filter((m) => m.to[0] !== 'me@far.test');
  assert.equal(told.length, 1);
  assert.deepEqual([told[0].from, told[0].to], ['', ['dora@one.test']]);
  assert.match(told[0].raw, /^Content-Type: multipart\/report; report-type=delivery-status;/m);
  assert.match(told[0].raw, /\r\nOriginal-Envelope-Id: q\+1\r\nReporting-MTA: dns; [^\r]*\r\nArrival-Date: [^\r]*\r\n\r\nOriginal-Recipient: rfc822; Old\+Eve@one\.test\r\nFinal-Recipient: rfc822; eve\+tag@example\.test\r\nAction: delivered\r\nStatus: 2\.0\.0\r\n/);
  assert.match(told[0].raw, /Content-Type: text\/rfc822-headers\r\n[^]*Subject: arrives\r\n/);
  assert.doesNotMatch(told[0].raw, /^hello/m);
  assert.equal(await inbox(eve), 3);
});

test('NOTIFY=SUCCESS: "expanded" for several, "relayed" for a forward, and never where it went', async () => {
  await service.alias('fay');
  await ctl('alias', 'target', 'add', 'fay@example.test', 'fay@far.test');
  assert.match(await send('dora@one.test', 'fay@example.test', letter('two'), ' ENVID=e2', ' NOTIFY=SUCCESS ORCPT=rfc822;fay@example.test'), /^250/);
  let copy = await arrived('fay@far.test'), told = await arrived('dora@one.test');
  assert.match(copy.lines[0], / ENVID=e2$/);
  assert.match(copy.lines[1], / NOTIFY=NEVER ORCPT=rfc822;fay@example\.test$/);
  assert.match(told.raw, /\r\nFinal-Recipient: rfc822; fay@example\.test\r\nAction: expanded\r\n/);
  assert.doesNotMatch(told.raw, /far\.test/);
  assert.match(await send('dora@one.test', 'out@example.test', undefined, ' ENVID=e3 RET=HDRS', ' NOTIFY=SUCCESS,DELAY'), /^250/);
  copy = await arrived('me@far.test');
  told = await arrived('dora@one.test');
  assert.match(copy.lines.join(), / RET=HDRS ENVID=e3,RCPT TO:<me@far\.test> NOTIFY=DELAY$/);
  assert.match(told.raw, /\r\nOriginal-Envelope-Id: e3\r\n[^]*\r\nFinal-Recipient: rfc822; out@example\.test\r\nAction: relayed\r\n/);
  assert.doesNotMatch(told.raw, /far\.test/);
  assert.match(await send('dora@one.test', 'out@example.test', undefined, '', ' NOTIFY=NEVER'), /^250/);
  await arrived('me@far.test');
  await drained();
  assert.equal(got.length, 0);
});

test('a courier that dies: the message and the report are there, each once', async () => {
  const gil = await service.alias('gil');
  for (const id of ['k1', 'k2', 'k3']) {
    await service.kill('courier');
    await until('it to be taken', 20000, async () => (await send('dora@one.test', gil.address, letter(id), ` ENVID=${id}`, ' NOTIFY=SUCCESS')).startsWith('250'));
  }
  await drained();
  assert.deepEqual(got.splice(0).map((m) => /^Original-Envelope-Id: (.*)\r$/m.exec(m.raw)[1]).sort(), ['k1', 'k2', 'k3']);
  assert.equal(await inbox(gil), 3);
});
