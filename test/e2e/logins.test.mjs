// Who guesses waits longer each time, over both protocols together; the owner, from another network, does not.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { Lines, Service } from '../lib/service.mjs';

const BALANCER = '127.0.0.2';
let service, tlsOf;
before(async () => {
  const env = { LETTERLOCK_IMAP_PROXY_FROM: BALANCER, LETTERLOCK_POP3_PROXY_FROM: BALANCER };
  service = await Service.start({ pop3: true, env });
  tlsOf = await import('node:tls');
});
after(() => service?.stop());

function from(ip, port) {
  return new Promise((resolve, reject) => {
    const s = net.connect({ port, host: '127.0.0.1', localAddress: BALANCER }, () => {
      s.write(`PROXY TCP4 ${ip} 198.51.100.1 56324 993\r\n`);
      const t = tlsOf.connect({ socket: s, rejectUnauthorized: false }, async () => {
        const io = new Lines(t);
        await io.line();
        resolve(io);
      });
      t.on('error', reject);
    });
    s.on('error', reject);
  });
}

async function imap(ip, address, password) {
  const io = await from(ip, service.ports.imaps);
  await io.write(`a LOGIN ${address} ${password}\r\n`);
  return io;
}

async function pop3(ip, address, password) {
  const io = await from(ip, service.ports.pop3s);
  await io.write(`USER ${address}\r\n`);
  assert.match(await io.line(), /^\+OK/);
  await io.write(`PASS ${password}\r\n`);
  return io;
}

const answer = async (io, ms = 20000) => { const l = await io.line(ms); io.end(); return l; };

test('a guesser is held back over IMAP and POP3 together, the owner is let in at once', async () => {
  const me = await service.alias();
  const other = await service.alias();
  const guesses = [];
  for (let i = 0; i < 3; i++) { // side by side: 0, 250, 500, 1000, 2000… ms after one another all the same
    guesses.push(await imap(`192.0.2.${i}`, me.address, `wrong-${i}`));
    guesses.push(await pop3(`192.0.2.${100 + i}`, me.address, `wrong-${i}`));
  }
  const late = await imap('192.0.2.200', me.address, me.password); // behind them, even with the right one
  for (const [who, ip, a] of [['the owner', '203.0.113.5', me], ['a neighbour of the guesser', '192.0.2.7', other]]) {
    const began = process.hrtime.bigint();
    assert.match(await answer(await imap(ip, a.address, a.password)), /^a OK/, who);
    const ms = Number(process.hrtime.bigint() - began) / 1e6;
    assert.ok(ms < 2000, `${who} waited ${ms} ms`);
  }
  assert.match(await answer(await pop3('203.0.113.6', me.address, me.password)), /^\+OK/);
  assert.match(await answer(guesses[0]), /^a NO \[AUTHENTICATIONFAILED\]/);
  assert.match(await answer(guesses[1]), /^-ERR \[AUTH\]/);
  assert.equal(late.size ? await late.line() : '', '', 'who comes after six guesses from his network waits');
  for (const g of [...guesses.slice(2), late]) g.end();
});

test('several connections of one client that log in at once do not wait for each other', async () => {
  const me = await service.alias();
  const began = process.hrtime.bigint();
  const all = await Promise.all(Array.from({ length: 8 }, () => imap('198.51.100.77', me.address, me.password)));
  for (const io of all) assert.match(await answer(io), /^a OK/);
  const ms = Number(process.hrtime.bigint() - began) / 1e6;
  assert.ok(ms < 3000, `took ${ms} ms`);
});
