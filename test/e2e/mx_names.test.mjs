// What the MX finds out of the host that connects: its verified name, and lists that have it; and mail comes in
// whatever becomes of the name servers.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { DnsServer } from '../lib/dns.mjs';
import { Lines, Service, Smtp, sample, until } from '../lib/service.mjs';

const zone = {
  '7.2.0.192.in-addr.arpa': { PTR: ['forged.example.net', 'mx.sender.example'] },
  'mx.sender.example': { A: ['192.0.2.1', '192.0.2.7'] }, 'forged.example.net': { A: '192.0.2.200' },
  '9.2.0.192.bl.example': { A: '127.0.0.2' }, '10.2.0.192.bl.example': { A: '127.0.0.2' }, '10.2.0.192.wl.example': { A: '127.0.0.3' },
  '11.2.0.192.bl.example': { A: '127.255.255.254' },
};
let dns, service, alias, letters = 0;
before(async () => {
  dns = await DnsServer.start({ zone });
  service = await Service.start({ env: {
    LETTERLOCK_RESOLVER_UPSTREAMS: dns.upstream, LETTERLOCK_RESOLVER_CA_FILE: dns.ca, LETTERLOCK_MX_PROXY_FROM: '127.0.0.1',
    LETTERLOCK_MX_REVERSE_NAME: 'yes', LETTERLOCK_MX_BLOCKLISTS: 'bl.example', LETTERLOCK_MX_ALLOWLISTS: 'wl.example', LETTERLOCK_MX_LOOKUP_TIMEOUT: '1s', LETTERLOCK_MX_AUTH_CHECKS: 'no', LETTERLOCK_MX_SENDER_CHECK: 'off', LETTERLOCK_MX_HELO_CHECK: 'off', LETTERLOCK_MX_GREET_DELAY: '0ms',
  }, serve: false });
  const answers = service.answers.bind(service); // a plain connection is none of the balancer's
  service.answers = async (port) => port === service.ports.mx || answers(port);
  await service.serve();
  await until('the roles', 10000, async () => (await service.status()).roles.every((r) => r.state === 'ready'));
  alias = await service.alias();
});
after(async () => { await service?.stop(); await dns?.stop(); });

function from(ip) {
  return new Promise((resolve, reject) => {
    const s = net.connect({ port: service.ports.mx, host: '127.0.0.1' }, () => {
      s.write(`PROXY TCP4 ${ip} 198.51.100.1 56324 25\r\n`);
      resolve(new Smtp(new Lines(s)));
    });
    s.on('error', reject);
  });
}
async function send(ip, to = alias.address) {
  const c = await from(ip);
  assert.equal((await c.reply()).code, 220);
  await c.cmd('EHLO client.example.net');
  const r = await c.send('x@example.net', to, sample(++letters));
  c.end();
  return r;
}
async function received() {
  const i = await service.imap(alias);
  const n = Number(/(\d+) EXISTS/.exec((await i.cmd('SELECT INBOX')).join('\n'))[1]);
  await i.cmd(`FETCH ${n} BODY.PEEK[HEADER.FIELDS (RECEIVED)]`);
  const text = i.literals[0].toString();
  await i.logout();
  return text;
}

test('a name that leads back to the address stands in Received, another one does not', async () => {
  assert.equal((await send('192.0.2.7')).code, 250);
  assert.match(await received(), /\(mx\.sender\.example \[192\.0\.2\.7\]\)/);
  assert.equal((await send('192.0.2.8')).code, 250);
  assert.match(await received(), /\(\[192\.0\.2\.8\]\)/);
});

test('a listed host is refused at RCPT, and told by whom; unknown recipients hear the same as ever', async () => {
  const r = await send('192.0.2.9');
  assert.equal(r.code, 550);
  assert.match(r.text, /^550 5\.7\.1 .*192\.0\.2\.9.*bl\.example/);
  assert.match((await send('192.0.2.9', 'nobody@example.test')).text, /^550 5\.1\.1/);
  assert.match(service.log, /mx\.listed .*list=bl\.example/);
});

test('one that another list allows is not, nor is one that the list only declines to speak of', async () => {
  assert.equal((await send('192.0.2.10')).code, 250);
  assert.equal((await send('192.0.2.11')).code, 250);
});

test('name servers that say nothing, or a dead resolver, hold no mail up for longer than set', { timeout: 60000 }, async () => {
  dns.say = () => 'drop';
  let began = Date.now();
  assert.equal((await send('192.0.2.20')).code, 250);
  assert.ok(Date.now() - began < 5000);
  await service.kill('resolver');
  began = Date.now();
  assert.equal((await send('192.0.2.21')).code, 250);
  assert.ok(Date.now() - began < 5000);
  dns.say = () => undefined;
});
