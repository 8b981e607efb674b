// Every message goes in by SMTP and by APPEND and comes out of BODY.PEEK[] byte for byte, also after
// kill -9 of every role. With the corpus where it lies, else with samples of our own.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readFile, access } from 'node:fs/promises';
import path from 'node:path';
import { Service, corpus, crlf, until } from '../lib/service.mjs';
import { samples, forbidden } from '../lib/samples.mjs';

let service;
let messages; // { name, bytes, smtp: may go by DATA, literal: may go in a literal }

async function load() {
  const list = [...samples, ...forbidden].map(([name, bytes]) => ({ name, bytes }));
  const manifest = path.join(corpus, 'MANIFEST.tsv');
  try { await access(manifest); } catch {
    console.log('# corpus: not there; samples of our own only');
    return list;
  }
  for (const row of (await readFile(manifest, 'utf8')).split('\n').slice(1)) {
    const [name, split, file] = row.split('\t');
    if (split !== 'share') continue;
    list.push({ name: `${name}/${file}`, bytes: crlf(await readFile(path.join(corpus, name, 'share', file))) });
  }
  return list;
}

function classify(m) {
  const text = m.bytes.toString('latin1');
  m.nul = text.includes('\0');
  m.bareCr = /\r(?!\n)/.test(text);
  m.longLine = text.split('\r\n').some((l) => l.length > 998);
  m.unterminated = !text.endsWith('\r\n');
  m.loop = (text.split(/\r\n\r\n/, 1)[0].match(/^received:/gim) ?? []).length >= 100;
  m.smtp = !m.nul && !m.bareCr && !m.longLine && !m.loop && m.bytes.length > 0;
}

before(async () => {
  messages = (await load()).filter((m) => m.bytes.length > 0);
  messages.forEach(classify);
  service = await Service.start();
});
after(() => service?.stop());

async function pool(items, width, make, each) {
  let next = 0;
  await Promise.all(Array.from({ length: width }, async () => {
    const ctx = await make();
    while (next < items.length) { const i = next++; await each(ctx, items[i], i); }
    ctx.end?.();
  }));
}

async function bodies(imap, folder) {
  await imap.cmd(`EXAMINE ${folder}`);
  imap.untagged = [];
  const out = new Map();
  const lines = await imap.cmd('UID FETCH 1:* (UID BODY.PEEK[])', { ms: 120000 });
  const rows = lines.filter((l) => / FETCH \(/.test(l));
  rows.forEach((l, i) => out.set(Number(/UID (\d+)/.exec(l)[1]), imap.literals[i]));
  assert.equal(rows.length, imap.literals.length);
  return out;
}

const split = { data: 0, bdat: 0, literal: 0, literal8: 0, refused: 0 };
let open;
let closed;

test('in by SMTP, half while the mailbox is closed', async () => {
  closed = await service.alias('closed');
  open = await service.alias('open');
  const watcher = await service.imap(open);
  await watcher.cmd('SELECT INBOX');
  await pool(messages, 4, () => service.smtp(), async (smtp, m, i) => {
    const to = (m.to = i % 2 ? closed : open).address;
    const from = `m${i}@example.net`;
    if (m.smtp) {
      const r = await smtp.send(from, to, m.bytes);
      assert.equal(r.code, 250, `${m.name}: ${r.text}`);
      m.stored = m.unterminated ? Buffer.concat([m.bytes, Buffer.from('\r\n')]) : m.bytes;
      split.data++;
    } else {
      const refused = m.loop ? { code: 554 } : await smtp.send(from, to, m.bytes);
      assert.ok(refused.code >= 500 && refused.code < 600, `${m.name} by DATA: ${refused.text}`);
      split.refused++;
      if (m.loop) return;
      const r = await smtp.sendBdat(from, to, m.bytes, { binary: true });
      assert.equal(r.code, 250, `${m.name} by BDAT: ${r.text}`);
      m.stored = m.bytes;
      split.bdat++;
    }
  });
  await watcher.logout();
});

async function checkInbox(alias, mine) {
  const imap = await service.imap(alias);
  const got = await until('all to be drained', 60000, async () => {
    const b = await bodies(imap, 'INBOX');
    return b.size >= mine.length ? b : null;
  });
  assert.equal(got.size, mine.length);
  const bySender = new Map();
  for (const b of got.values()) bySender.set(/^Return-Path: <(m\d+)@/.exec(b.subarray(0, 100).toString('latin1'))?.[1], b);
  for (const m of mine) {
    const b = bySender.get(`m${messages.indexOf(m)}`);
    assert.ok(b, `${m.name} is not there`);
    const at = b.length - m.stored.length;
    assert.ok(at > 0 && b.subarray(at).equals(m.stored), `${m.name} differs`);
    const prepended = b.subarray(0, at).toString('latin1');
    assert.match(prepended, /^Return-Path: <.*>\r\n/);
    assert.match(prepended, new RegExp(`^Delivered-To: ${alias.address}\\r\\n`, 'm'));
    assert.match(prepended, /^Received: from /m);
    assert.ok(prepended.endsWith('\r\n') && !prepended.includes('\r\n\r\n'));
  }
  await imap.logout();
}

test('out of INBOX byte for byte', async () => {
  for (const alias of [open, closed]) await checkInbox(alias, messages.filter((m) => m.to === alias && m.stored));
});

test('in by APPEND, out byte for byte', async () => {
  const imap = await service.imap(open);
  for (const m of messages) {
    const literal = m.nul ? '~' : '';
    if (m.nul) {
      const refused = await imap.cmd(['APPEND Archive ', m.bytes], { ok: false }).catch((e) => [e.message]);
      assert.doesNotMatch(refused.at(-1), /OK/, `${m.name}: NUL in a literal`);
      if (imap.io.closed) assert.fail(`${m.name}: the connection is gone`);
      split.refused++;
    }
    await imap.io.write(Buffer.concat([
      Buffer.from(`x APPEND Archive (\\Seen) "03-Nov-2026 10:11:12 +0100" ${literal}{${m.bytes.length}+}\r\n`), m.bytes, Buffer.from('\r\n')]));
    const done = (await imap.finish('x', true, 15000)).at(-1);
    m.uid = Number(/\[APPENDUID \d+ (\d+)\]/.exec(done)[1]);
    if (m.nul) split.literal8++; else split.literal++;
  }
  const got = await bodies(imap, 'Archive');
  for (const m of messages) assert.ok(got.get(m.uid)?.equals(m.bytes), `${m.name} differs`);
  await imap.logout();
});

test('the same after kill -9 of every role', async () => {
  for (const role of ['store', 'directory', 'content', 'imap', 'mx']) {
    const before = (await service.pids(role)).join();
    await service.kill(role);
    await until(`${role} to be back`, 5000, async () => {
      const now = await service.pids(role).catch(() => []);
      return now.length > 0 && now.every((p) => p > 0) && now.join() !== before;
    });
  }
  await until('the service to answer', 5000, () => service.answers(service.ports.imap));
  const imap = await service.imap(open);
  const got = await bodies(imap, 'Archive');
  for (const m of messages) assert.ok(got.get(m.uid)?.equals(m.bytes), `${m.name} differs`);
  await imap.logout();
  for (const alias of [open, closed]) await checkInbox(alias, messages.filter((m) => m.to === alias && m.stored));
  console.log(`# ${messages.length} messages: ${split.data} by DATA, ${split.bdat} by BDAT, ${split.literal} by literal, `
    + `${split.literal8} by literal8; ${split.refused} refused where the protocol forbids them`);
});
