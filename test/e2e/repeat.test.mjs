// An answer that was lost with the store: the request is repeated with its operation id, and what was done
// before is the answer. The store is killed at some instant while requests are under way: some were committed,
// some answered, some neither. Nothing that was answered yes may be missing, nothing may be there twice.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { Service, dial, until } from '../lib/service.mjs';

test('APPEND and DELIVER without Message-ID are there exactly once when they were answered yes', async () => {
  const service = await Service.start();
  try {
    const a = await service.alias();
    const yes = new Set();
    const asked = new Set();
    for (let round = 0; round < 8; round++) {
      const [pid] = await until('the store', 15000, async () => { const p = await service.pids('store'); return p.length ? p : null; });
      const imap = await Promise.all([1, 2, 3].map(() => service.imap(a)));
      const smtp = await service.smtp();
      const work = imap.map(async (c, i) => {
        for (let k = 0; k < 4; k++) {
          const id = `r${round}-a${i}-${k}`;
          asked.add(id);
          const r = await c.cmd(['APPEND INBOX ', Buffer.from(`Subject: ${id}\r\n\r\nx\r\n`)], { ok: false, ms: 20000 });
          if (/ OK /.test(r.at(-1))) yes.add(id);
        }
      });
      work.push((async () => {
        for (let k = 0; k < 4; k++) {
          const id = `r${round}-d-${k}`;
          asked.add(id);
          const r = await smtp.send('s@example.net', a.address, Buffer.from(`Subject: ${id}\r\n\r\nx\r\n`), 20000);
          if (r.code === 250) yes.add(id);
          else assert.equal(r.code, 451, r.text);
        }
      })());
      await new Promise((r) => setTimeout(r, 4 + round)); // somewhere in the middle: any instant must do
      process.kill(pid, 'SIGKILL');
      await Promise.all(work);
      await Promise.all(imap.map((c) => c.logout()));
      smtp.end();
    }
    const c = await until('a login', 10000, () => service.imap(a).catch(() => null));
    const seen = new Map();
    await until('the drain', 10000, async () => {
      await c.cmd('SELECT INBOX');
      await c.cmd('FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]');
      seen.clear();
      for (const b of c.literals) { const id = /Subject: (\S+)/.exec(b)[1]; seen.set(id, (seen.get(id) ?? 0) + 1); }
      return [...yes].every((id) => seen.has(id));
    });
    for (const [id, n] of seen) assert.equal(n, 1, `${id} is there ${n} times`);
    console.log(`# ${asked.size} asked, ${yes.size} answered yes, ${seen.size} there`);
    await c.logout();
  } catch (e) {
    console.log(service.log.split('\n').slice(-40).map((l) => `# ${l}`).join('\n'));
    throw e;
  } finally { await service.stop(); }
});

// One role's talk with another (proto/rpc.proto), by hand, on the command line's socket: numbers and bytes of a frame, by field.
const varint = (n) => { const b = []; for (n = BigInt(n); n > 127n; n >>= 7n) b.push(Number(n & 127n) | 128); return Buffer.from([...b, Number(n)]); };
const pack = (fields) => Buffer.concat(Object.entries(fields).flatMap(([k, v]) => (Buffer.isBuffer(v) ? [varint(k * 8 + 2), varint(v.length), v] : [varint(k * 8), varint(v)])));
function unpack(b) {
  let at = 0;
  const fields = {};
  const number = () => { let n = 0n; for (let shift = 0n; ; shift += 7n) { const x = b[at++]; n |= BigInt(x & 127) << shift; if (x < 128) return Number(n); } };
  while (at < b.length) {
    const tag = number(), n = number();
    fields[tag >> 3] = tag & 7 ? b.subarray(at, at += n) : n;
  }
  return fields;
}
const REQUEST = 1, DATA = 2, RESPONSE = 4, HELLO = 7, CTL = 7, STAGE = 2, ENQUEUE = 4;
class Rpc {
  static async open(socket) {
    const c = Object.assign(new Rpc(), { id: 0, io: await dial(socket) });
    await c.send({ 1: HELLO, 12: 1, 13: CTL });
    return c;
  }
  send(fields) {
    const b = pack(fields);
    return this.io.write(Buffer.concat([b.length < 126 ? Buffer.from([0x82, b.length]) : Buffer.from([0x82, 126, b.length >> 8, b.length & 255]), b]));
  }
  async answer() {
    for (;;) {
      const [, n] = await this.io.bytes(2);
      const f = unpack(await this.io.bytes(n < 126 ? n : (await this.io.bytes(2)).readUInt16BE()));
      if (f[1] === RESPONSE && f[2] === this.id) return { ok: !f[6], body: unpack(f[8] ?? Buffer.alloc(0)) };
    }
  }
  async stage(bytes) {
    await this.send({ 1: REQUEST, 2: ++this.id, 3: STAGE, 5: 10000, 8: pack({ 1: bytes.length }) });
    await this.send({ 1: DATA, 2: this.id, 9: bytes, 11: 1 });
    return (await this.answer()).body[1];
  }
  async enqueue(operation, stage, to) {
    const body = pack({ 1: stage, 4: 2, 5: pack({ 2: Buffer.from(to) }) });
    await this.send({ 1: REQUEST, 2: ++this.id, 3: ENQUEUE, 4: operation, 5: 10000, 8: body });
    return this.answer();
  }
}

test('ENQUEUE once more, to the same courier and to the one after it: the same message, once', async () => {
  const service = await Service.start();
  const open = async () => {
    await until('the courier', 10000, async () => (await service.pids('courier')).length > 0);
    return Rpc.open(path.join(service.dir, 'run/courier.sock'));
  };
  const queued = async () => JSON.parse((await service.ctl(['queue', 'list', '--json'])).stdout);
  try {
    const operation = randomBytes(16), text = Buffer.from('Subject: once\r\n\r\nwords\r\n');
    let c = await open();
    const stage = await c.stage(text);
    const first = await c.enqueue(operation, stage, 'a@far.example');
    assert.ok(first.ok);
    assert.equal(first.body[1].length, 16);
    for (let life = 0; life < 3; life++) { // the stage is used up: what the books say counts
      const again = await c.enqueue(operation, stage, 'a@far.example');
      assert.ok(again.ok, `life ${life}`);
      assert.deepEqual(again.body[1], first.body[1]);
      assert.equal((await queued()).length, 1);
      // whoever staged anew since the courier died gets the same answer, and the new bytes go nowhere
      const anew = await c.enqueue(operation, await c.stage(text), 'a@far.example');
      assert.deepEqual(anew.body[1], first.body[1]);
      assert.equal((await queued()).length, 1);
      assert.ok(!(await c.enqueue(randomBytes(16), stage, 'a@far.example')).ok, 'nobody asked that before, and there is no such stage');
      c.io.end();
      const [pid] = await service.pids('courier');
      await service.kill('courier');
      await until('another courier', 15000, async () => { const [p] = await service.pids('courier'); return p && p !== pid; });
      c = await open();
    }
    assert.ok((await c.enqueue(randomBytes(16), await c.stage(text), 'a@far.example')).ok);
    assert.equal((await queued()).length, 2);
    c.io.end();
  } finally { await service.stop(); }
});
