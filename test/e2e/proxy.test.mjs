// The PROXY protocol, versions 1 and 2, on every listener: a balancer says who the client is, nobody else can.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import tls from 'node:tls';
import { Lines, Service, Smtp, sample, until } from '../lib/service.mjs';

const BALANCER = '127.0.0.2';
let service;
before(async () => {
  const env = Object.fromEntries(['IMAP', 'POP3', 'MX'].map((s) => [`LETTERLOCK_${s}_PROXY_FROM`, `${BALANCER}, 10.0.0.0/8`]));
  Object.assign(env, { LETTERLOCK_MX_AUTH_CHECKS: 'no', LETTERLOCK_MX_SENDER_CHECK: 'off', LETTERLOCK_MX_HELO_CHECK: 'off', LETTERLOCK_MX_GREET_DELAY: '0ms', LETTERLOCK_IMAP_MAX_CONNECTIONS_PER_NETWORK: '2', LETTERLOCK_POP3_MAX_CONNECTIONS_PER_NETWORK: '2' });
  service = await Service.start({ pop3: true, env });
});
after(() => service?.stop());

const v1 = (ip) => Buffer.from(`PROXY TCP4 ${ip} 198.51.100.1 56324 25\r\n`);
const v2 = (ip) => Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), Buffer.from([0x21, 0x11, 0, 12]),
  Buffer.from(ip.split('.').map(Number)), Buffer.from([198, 51, 100, 1, 0xdc, 4, 0, 25])]);

function balanced(port, header, { secure = false } = {}) {
  return new Promise((resolve, reject) => {
    const s = net.connect({ port, host: '127.0.0.1', localAddress: BALANCER }, () => {
      if (header) s.write(header);
      if (!secure) return resolve(new Lines(s));
      const t = tls.connect({ socket: s, rejectUnauthorized: false }, () => resolve(new Lines(t)));
      t.on('error', reject);
    });
    s.on('error', reject);
  });
}

for (const [name, header] of [['version 1', v1('192.0.2.77')], ['version 2', v2('192.0.2.77')]]) {
  test(`${name}: the trace of a message names the client`, async () => {
    const a = await service.alias();
    const c = new Smtp(await balanced(service.ports.mx, header));
    assert.equal((await c.reply()).code, 220);
    await c.cmd('EHLO client.example.net');
    assert.equal((await c.send('x@example.net', a.address, sample(1))).code, 250);
    c.end();
    const i = await service.imap(a);
    await i.cmd('SELECT INBOX');
    await i.cmd('FETCH 1 BODY.PEEK[HEADER]');
    assert.match(i.literals[0].toString(), /^Received: from [^\n]*192\.0\.2\.77/m);
    await i.logout();
  });
}

test('IMAP and POP3, also when TLS comes first: refusals are counted by the client', async () => {
  const imap = await balanced(service.ports.imaps, v2('203.0.113.9'), { secure: true });
  assert.match(await imap.line(), /^\* OK/);
  await imap.write('a LOGIN nobody@example.test x\r\n');
  assert.match(await imap.line(), /^a NO/);
  const pop3 = await balanced(service.ports.pop3s, v1('203.0.113.10'), { secure: true });
  assert.match(await pop3.line(), /^\+OK/);
  await pop3.write('USER nobody@example.test\r\nPASS x\r\n');
  assert.match(await pop3.line(), /^\+OK/);
  assert.match(await pop3.line(), /^-ERR \[AUTH\]/);
  await until('both lines of the log', 3000, () => /imap\.login_refused network=203\.0\.113\.0\/24/.test(service.log)
    && /pop3\.login_refused network=203\.0\.113\.0\/24/.test(service.log));
  imap.end();
  pop3.end();
});

test('a balancer without a header, or with a wrong one, is not let in', async () => {
  const c = await balanced(service.ports.mx, Buffer.from('EHLO x\r\n'));
  assert.equal(await c.line(), null);
  const late = await balanced(service.ports.mx, null); // 5 seconds
  assert.equal(await late.line(9000), null);
});

test('nobody else can say it', async () => {
  const s = await new Promise((resolve) => { const t = net.connect({ port: service.ports.mx, host: '127.0.0.1' }, () => resolve(new Lines(t))); });
  await s.write(v1('192.0.2.1'));
  assert.match(await s.line(), /^220/);
  assert.match(await s.line(), /^5\d\d/);
  s.end();
});

test('connections of one network are counted, others are not in its way', async () => {
  for (const [port, hello, full] of [[service.ports.imap, /^\* OK/, /^\* BYE/], [service.ports.pop3, /^\+OK/, /^-ERR \[SYS\/TEMP\]/]]) {
    const open = [];
    for (let i = 1; i <= 2; i++) open.push(await balanced(port, v1(`198.51.100.${i}`)));
    for (const c of open) assert.match(await c.line(), hello);
    const third = await balanced(port, v1('198.51.100.3'));
    assert.match(await third.line(), full);
    const other = await balanced(port, v1('203.0.113.200'));
    assert.match(await other.line(), hello);
    open[0].end();
    await until('room again', 3000, async () => {
      const again = await balanced(port, v1('198.51.100.4'));
      const l = await again.line();
      again.end();
      return hello.test(l);
    });
    for (const c of [...open, third, other]) c.end();
  }
});
