// All mail through one host: only to who proves to be that host.
import { test, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { Service, sample, until } from '../lib/service.mjs';

const dir = mkdtempSync('/tmp/letterlock-smarthost-');
const make = (name, san) => execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
  '-subj', `/CN=${name}`, '-addext', `subjectAltName=${san}`, '-keyout', path.join(dir, `${name}.key`), '-out', path.join(dir, `${name}.pem`)], { stdio: 'ignore' });
make('right', 'IP:127.0.0.1');
make('wrong', 'DNS:other.test');
after(() => rmSync(dir, { recursive: true }));

// STARTTLS with that certificate; messages it was given.
async function host(name) {
  const got = [], secure = tls.createSecureContext({ key: readFileSync(path.join(dir, `${name}.key`)), cert: readFileSync(path.join(dir, `${name}.pem`)) });
  const talk = (s, over) => {
    let text = '', data = false;
    s.on('error', () => {});
    s.on('data', (d) => {
      text += d;
      for (let at = text.indexOf('\r\n'); at >= 0; at = text.indexOf('\r\n')) {
        const line = text.slice(0, at);
        text = text.slice(at + 2);
        if (data) { if (line === '.') { data = false; got.push(over); s.write('250 ok\r\n'); } continue; }
        if (/^EHLO/i.test(line)) s.write(over ? '250 host\r\n' : '250-host\r\n250 STARTTLS\r\n');
        else if (/^STARTTLS/i.test(line)) { s.write('220 go\r\n'); s.removeAllListeners('data'); talk(new tls.TLSSocket(s, { isServer: true, secureContext: secure }), true); return; }
        else if (/^DATA/i.test(line)) { data = true; s.write('354 go\r\n'); }
        else s.write('250 ok\r\n');
      }
    });
  };
  const server = net.createServer((s) => { s.write('220 host\r\n'); talk(s, false); });
  await new Promise((r) => server.listen(0, '127.0.0.1', r));
  return { got, port: server.address().port, stop: () => server.close() };
}

for (const [name, ca, taken] of [['right', 'right', true], ['wrong', 'wrong', false], ['right', 'wrong', false]])
  test(`a certificate for ${name === 'right' ? 'that host' : 'another name'}, ${name === ca ? 'vouched for' : 'by whom nobody trusts'}: ${taken ? 'mail goes' : 'mail waits'}`, async () => {
    const h = await host(name);
    const service = await Service.start({ env: { LETTERLOCK_COURIER_SMARTHOST: `[127.0.0.1]:${h.port}`, LETTERLOCK_RELAY_CA_FILE: path.join(dir, `${ca}.pem`),
      LETTERLOCK_RELAY_PRIVATE_NETWORKS: 'yes', LETTERLOCK_COURIER_RETRY_FIRST: '60s' } });
    try {
      await until('the roles', 10000, async () => (await service.status()).roles.every((r) => r.state === 'ready'));
      await service.ctl(['queue', 'add', '--from', 'a@example.test', 'b@elsewhere.test'], { input: sample(1) });
      if (taken) {
        await until('the message', 15000, async () => h.got.length);
        assert.deepEqual(h.got, [true]);
      } else {
        const m = await until('an answer', 15000, async () => JSON.parse((await service.ctl(['queue', 'list', '--json'])).stdout).find((x) => x.list.some((t) => t.attempts > 0)));
        assert.match(m.list[0].answer, /TLS/);
        assert.deepEqual(h.got, []);
      }
    } finally { await service.stop(); h.stop(); }
  });
