// The mx role against those who mean no good: floods, silence, drips, garbage, and things that only raw
// sockets and time can show. The dialogue itself is in test/transcripts/mx and src/mx/session_test.c.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import tls from 'node:tls';
import { readFile } from 'node:fs/promises';
import { Service, Lines, Smtp, dial, sanitized, sleep, until } from '../lib/service.mjs';

let service;
before(async () => {
  service = await Service.start({ env: {
    LETTERLOCK_MX_COMMAND_TIMEOUT: '3s', LETTERLOCK_MX_DATA_TIMEOUT: '2s', LETTERLOCK_MX_MAX_CONNECTIONS: '500',
    LETTERLOCK_MX_DIRECTORY_TIMEOUT: '2s',
  } });
});
after(() => service?.stop());

// From a source address of our choice: every 127.x.y.0/24 is a network of its own.
const from = (address) => new Promise((resolve, reject) => {
  const s = net.connect({ port: service.ports.mx, host: '127.0.0.1', localAddress: address }, () => { s.off('error', reject); resolve(new Lines(s)); });
  s.once('error', reject);
});
const resident = async (role) => {
  let kb = 0;
  for (const pid of await service.pids(role)) kb += Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))[1]);
  return kb * 1024;
};
const others = async (ms) => {
  const t = Date.now(), c = new Smtp(await from('127.99.99.1'));
  assert.equal((await c.reply(ms)).code, 220);
  assert.equal((await c.cmd('EHLO other.example', ms)).code, 250);
  assert.equal((await c.cmd('QUIT', ms)).code, 221);
  c.end();
  return Date.now() - t;
};

test('a network gets its share and no more', async () => {
  const held = [];
  for (let i = 0; i < 100; i++) held.push(await from('127.1.1.1'));
  for (const c of held) assert.match(await c.line(), /^220 /);
  const more = await from('127.1.1.2');
  assert.match(await more.line(), /^421 4\.7\.0 /);
  assert.equal(await more.line(), null);
  await others(1000);
  held.forEach((c) => c.end());
  more.end();
  await until('the share to be free again', 5000, async () => {
    const c = await from('127.1.1.3');
    const l = await c.line();
    c.end();
    return l.startsWith('220');
  });
});

test('10,000 connections that say nothing, drip or send garbage leave room for others', async () => {
  const before = await resident('mx');
  let open = 0, worst = 0, refused = 0;
  const all = [];
  const kinds = [() => {}, (s) => { const t = setInterval(() => s.write('N'), 200); s.once('close', () => clearInterval(t)); },
    (s) => s.write(Buffer.alloc(3000, 0xa5)), (s) => s.write('MAIL FROM:<>\r\n'.repeat(50)), (s) => s.write('EHLO x\r\nMAIL FROM:<a@b.example>\r\n')];
  for (let i = 0; i < 10000; i++) {
    const s = net.connect({ port: service.ports.mx, host: '127.0.0.1', localAddress: `127.${10 + Math.floor(i / 25000)}.${1 + (i % 200)}.1` });
    s.on('error', () => { refused++; });
    s.on('connect', () => { open++; kinds[i % kinds.length](s); });
    s.on('close', () => { open--; });
    s.resume();
    all.push(s);
    if (i % 250 === 249) {
      await sleep(20);
      worst = Math.max(worst, await others(10000));
    }
  }
  const grown = await resident('mx') - before;
  console.log(`# open at the end ${open}, slowest answer to others ${worst} ms, memory grown by ${Math.round(grown / 1024)} KiB`);
  all.forEach((s) => s.destroy());
  assert.ok(worst < 3000, `others waited ${worst} ms`);
  if (!sanitized) // ASan keeps what was freed for a while, on purpose
    assert.ok(grown < 48 << 20, `memory grew by ${grown}`);
  await until('quiet', 10000, async () => (await others(2000)) < 200);
});

test('a drip of bytes is not a command', async () => {
  const c = await from('127.2.0.1');
  assert.match(await c.line(), /^220 /);
  const drip = setInterval(() => c.write('N').catch(() => {}), 100);
  const began = Date.now();
  assert.match(await c.line(), /^421 4\.4\.2 /);
  clearInterval(drip);
  assert.ok(Date.now() - began < 5000);
  c.end();
});

test('a line without an end is given up', async () => {
  const c = await from('127.2.0.2');
  assert.match(await c.line(), /^220 /);
  c.write(Buffer.alloc(200000, 0x41)).catch(() => {});
  assert.match((await c.line().catch(() => null)) ?? '421 4.7.0 (reset)', /^421 4\.7\.0 /);
  c.end();
});

test('clear text pipelined behind STARTTLS ends the connection', async () => {
  const c = new Smtp(await from('127.2.0.3'));
  await c.reply();
  await c.cmd('EHLO a.example');
  assert.equal((await c.cmd('STARTTLS\r\nMAIL FROM:<evil@b.example>')).code, 554);
  assert.equal(await c.io.line(), null);
});

test('what was said before STARTTLS is forgotten', async () => {
  const raw = net.connect({ port: service.ports.mx, host: '127.0.0.1' });
  const clear = new Smtp(new Lines(raw));
  await clear.reply();
  await clear.cmd('EHLO a.example');
  await clear.cmd('MAIL FROM:<a@b.example>');
  assert.equal((await clear.cmd('STARTTLS')).code, 220);
  raw.removeAllListeners('data');
  const secure = await new Promise((resolve, reject) => { const s = tls.connect({ socket: raw, rejectUnauthorized: false }, () => resolve(s)); s.once('error', reject); });
  const c = new Smtp(new Lines(secure));
  assert.equal((await c.cmd('RCPT TO:<a@example.test>')).code, 503);
  const hello = await c.cmd('EHLO a.example');
  assert.ok(!hello.text.includes('STARTTLS'));
  assert.equal((await c.cmd('RCPT TO:<a@example.test>')).code, 503);
  // REQUIRETLS is for here, and goes on with what goes on (RFC 8689), as the priority does (RFC 6710)
  assert.match(hello.text, /REQUIRETLS/);
  await service.ctl(['alias', 'add', 'onward@example.test']);
  await service.ctl(['alias', 'target', 'add', 'onward@example.test', 'me@far.example']);
  assert.equal((await c.cmd('MAIL FROM:<a@b.example> REQUIRETLS=1')).code, 501);
  assert.equal((await c.cmd('MAIL FROM:<a@b.example> REQUIRETLS MT-PRIORITY=4')).code, 250);
  assert.equal((await c.cmd('RCPT TO:<onward@example.test>')).code, 250);
  assert.equal((await c.cmd('DATA')).code, 354);
  assert.equal((await c.cmd('Subject: onward\r\n\r\nx\r\n.')).code, 250);
  const waiting = JSON.parse((await service.ctl(['queue', 'list', '--json'])).stdout);
  assert.equal((waiting.messages ?? waiting).at(-1).priority, 4);
  assert.equal((await c.cmd('QUIT')).code, 221);
  assert.equal(await c.io.line(), null);
});

test('<Postmaster> without a domain is the first that our domains have (RFC 5321 4.5.1)', async () => {
  const c = await service.smtp();
  const rcpt = async (to) => { await c.cmd('RSET'); await c.cmd('MAIL FROM:<a@b.example>'); return (await c.cmd(`RCPT TO:<${to}>`)).text; };
  assert.match(await rcpt('Postmaster'), /^550 5\.1\.1 /);
  await service.ctl(['alias', 'add', 'postmaster@example.test']);
  assert.match(await rcpt('postmaster'), /^450 4\.2\.1 /); // no password yet
  const { stdout } = await service.ctl(['alias', 'password', 'postmaster@example.test']);
  for (const to of ['Postmaster', 'POSTMASTER', 'postmaster@example.test']) assert.match(await rcpt(to), /^250 /);
  await c.cmd('RSET');
  assert.equal((await c.send('a@b.example', 'Postmaster', 'Subject: to the postmaster\r\n\r\nx\r\n')).code, 250);
  c.end();
  const box = await service.imap({ address: 'postmaster@example.test', password: stdout.trim() });
  await box.cmd('SELECT INBOX');
  await box.cmd('FETCH 1 BODY.PEEK[]');
  assert.match(box.literals[0].toString(), /^Delivered-To: postmaster@example\.test\r$/m);
  await box.logout();
});

test('a directory that is gone or slow means 451, and it comes back', async () => {
  const c = new Smtp(await dial(service.ports.mx));
  await c.reply();
  await c.cmd('EHLO a.example');
  await c.cmd('MAIL FROM:<a@b.example>');
  assert.equal((await c.cmd('RCPT TO:<nobody@example.test>')).code, 550);
  await service.kill('directory', 'SIGSTOP');
  const r = await c.cmd('RCPT TO:<nobody@example.test>');
  assert.match(r.text, /^451 4\.3\.0 /);
  await service.kill('directory', 'SIGCONT');
  await service.kill('directory');
  assert.equal((await c.cmd('RCPT TO:<nobody@example.test>', 10000)).code, 550); // the link repeats it to the new one
  assert.equal((await c.cmd('RCPT TO:<a@elsewhere.example>')).text.slice(0, 9), '550 5.7.1');
  c.end();
});

test('mx comes back after kill -9 and stops politely', async () => {
  await service.kill('mx');
  await until('mx', 3000, () => service.answers(service.ports.mx));
  const c = new Smtp(await dial(service.ports.mx));
  await c.reply();
  await service.stop({ keep: true });
  assert.equal((await c.reply()).code, 421);
});
