// IMAP beyond what a transcript can say: compression, with IDLE and pipelining.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import zlib from 'node:zlib';
import { Duplex } from 'node:stream';
import { Imap, Lines, Service, sample } from '../lib/service.mjs';

let service;
before(async () => { service = await Service.start(); });
after(() => service?.stop());

// The rest of a connection, DEFLATEd both ways (RFC 4978).
function compressed(lines) {
  const { socket } = lines;
  const out = zlib.createDeflateRaw({ flush: zlib.constants.Z_SYNC_FLUSH });
  const back = zlib.createInflateRaw({ flush: zlib.constants.Z_SYNC_FLUSH });
  const counted = { came: 0 };
  socket.removeAllListeners('data');
  socket.on('data', (d) => { counted.came += d.length; back.write(d); });
  socket.on('close', () => back.end());
  out.on('data', (d) => socket.write(d));
  const both = new Duplex({
    read() {},
    write(chunk, _, done) { out.write(chunk); out.flush(zlib.constants.Z_SYNC_FLUSH, () => done()); },
    final(done) { socket.end(); done(); },
  });
  back.on('data', (d) => both.push(d));
  back.on('end', () => both.destroy());
  back.on('error', () => both.destroy());
  return Object.assign(new Lines(both), { counted });
}

async function compressing(alias) {
  const c = await service.imap(alias);
  assert.match((await c.cmd('CAPABILITY')).join(), /COMPRESS=DEFLATE/);
  await c.cmd('COMPRESS DEFLATE');
  const z = new Imap(compressed(c.io));
  z.n = 100;
  return z;
}

test('COMPRESS, IDLE and pipelining together', async () => {
  const a = await service.alias();
  const big = sample(1, 400000);
  await service.deliver(a.address, big);
  const z = await compressing(a);
  await z.cmd('SELECT INBOX');
  await z.cmd('FETCH 1 BODY.PEEK[]');
  assert.ok(z.literals[0].subarray(-big.length).equals(big));
  assert.ok(z.io.counted.came < big.length, `${z.io.counted.came} bytes came for ${big.length}`);
  const again = await z.cmd('COMPRESS DEFLATE', { ok: false });
  assert.match(again.at(-1), /NO \[COMPRESSIONACTIVE\]/);
  assert.doesNotMatch((await z.cmd('CAPABILITY')).join(), /COMPRESS/);
  await z.io.write('p1 NOOP\r\np2 UID FETCH 1 (FLAGS)\r\np3 IDLE\r\n');
  for (const want of [/^p1 OK/, /FETCH/, /^p2 OK/, /^\+/]) assert.match(await z.response(), want);
  await service.deliver(a.address, sample(2));
  assert.match(await z.response(), /^\* 2 EXISTS/);
  await z.io.write('DONE\r\n');
  for (let l = await z.response(); !l.startsWith('p3 OK'); l = await z.response()) assert.match(l, /^\* /);
  const m = sample(3, 200000);
  await z.cmd(['APPEND INBOX ', m]);
  await z.cmd('FETCH 3 BODY.PEEK[]');
  assert.ok(z.literals[0].equals(m));
  z.io.end();
});

test('a small input that stands for a large one costs what a large one costs', async () => {
  const a = await service.alias();
  const z = await compressing(a);
  const pid = (await service.pids('imap'))[0];
  const rss = async () => Number(/VmRSS:\s+(\d+)/.exec(await (await import('node:fs/promises')).readFile(`/proc/${pid}/status`, 'utf8'))[1]);
  const was = await rss();
  await z.io.write(Buffer.alloc(64 << 20, 'x')); // no line end: refused when the line is too long
  const l = await z.response(20000).catch(() => null);
  if (l !== null) assert.match(l, /BAD|BYE/);
  assert.ok(await rss() - was < 16 * 1024, `grew by ${await rss() - was} KiB`);
  const other = await service.imap(a);
  await other.cmd('NOOP');
  await other.logout();
  z.io.end();
});

test('what is no DEFLATE stream ends the connection', async () => {
  const a = await service.alias();
  const c = await service.imap(a);
  await c.cmd('COMPRESS DEFLATE');
  await c.io.write('t9 NOOP\r\n');
  assert.equal(await c.io.line(), null);
  const bad = await (await service.imap(a)).cmd('COMPRESS LZ4', { ok: false });
  assert.match(bad.at(-1), /BAD/);
});

test('UNAUTHENTICATE ends a compressed connection', async () => {
  const z = await compressing(await service.alias());
  await z.io.write('u UNAUTHENTICATE\r\n');
  assert.match(await z.response(), /^\* BYE/);
  z.io.end();
});

// A command on many messages is several transactions of the store (a megabyte or so of rows is one): its answer is one.
test('commands on 65,536 messages', { timeout: 120000 }, async () => {
  const COUNT = 65536;
  const c = await service.imap(await service.alias());
  const messages = async (name, n) => assert.match((await c.cmd(`STATUS ${name} (MESSAGES)`)).join(), new RegExp(`MESSAGES ${n}\\b`));
  await c.cmd(['APPEND INBOX ', Buffer.from('Subject: one of many\r\n\r\none\r\n')]);
  await c.cmd('SELECT INBOX');
  for (let n = 1; n < COUNT; n *= 2)
    assert.match((await c.cmd('COPY 1:* INBOX', { ms: 60000 })).at(-1), new RegExp(`COPYUID \\d+ 1(:${n})? ${n + 1}(:${2 * n})?\\]`));
  await c.cmd('STORE 1:* +FLAGS.SILENT (\\Seen)', { ms: 60000 });
  assert.match((await c.cmd('STATUS INBOX (MESSAGES UNSEEN)')).join(), new RegExp(`MESSAGES ${COUNT} UNSEEN 0`));
  await c.cmd('COPY 1:* Archive', { ms: 60000 });
  assert.match((await c.cmd('MOVE 1:* Trash', { ms: 60000 })).join(), new RegExp(`COPYUID \\d+ 1:${COUNT} 1:${COUNT}`));
  await messages('INBOX', 0);
  await messages('Trash', COUNT);
  await c.cmd('SELECT Trash');
  await c.cmd('STORE 1:* +FLAGS.SILENT (\\Deleted)', { ms: 60000 });
  await c.cmd('CLOSE', { ms: 60000 });
  await messages('Trash', 0);
  await c.cmd('DELETE Archive', { ms: 60000 });
  assert.doesNotMatch((await c.cmd('LIST "" *')).join(), /Archive/);
  await c.logout();
});
