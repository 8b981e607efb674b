// The spam scanner at the MX: what is refused, what goes to Junk, what the header says; and mail comes in without it.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { Service } from '../lib/service.mjs';

const gtube = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-' + 'ANTI-UBE-TEST-EMAIL*C.34X';
const eicar = 'X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-' + 'STANDARD-ANTIVIRUS-TEST-FILE!$H+H*';
let service, alias, other, n = 0;
before(async () => {
  service = await Service.start({ env: {
    LETTERLOCK_MX_SPAM_EXEMPT: '', LETTERLOCK_MX_AUTH_CHECKS: 'no', LETTERLOCK_MX_SENDER_CHECK: 'off', LETTERLOCK_MX_HELO_CHECK: 'off', LETTERLOCK_MX_SPAM_TIMEOUT: '1s',
  } });
  alias = await service.alias();
  other = await service.alias();
});
after(() => service?.stop());

function zip(name, text) {
  const data = deflateRawSync(Buffer.from(text)), head = Buffer.alloc(30);
  head.writeUInt32LE(0x04034b50, 0);
  head.writeUInt16LE(8, 8);
  head.writeUInt32LE(data.length, 18);
  head.writeUInt32LE(text.length, 22);
  head.writeUInt16LE(name.length, 26);
  return Buffer.concat([head, Buffer.from(name), data]);
}
const letter = (body, fields = []) => [`Date: ${new Date().toUTCString().replace('GMT', '+0000')}`, 'From: Ann <ann@example.net>', 'To: bob@example.test',
  `Subject: letter ${++n}`, `Message-ID: <${n}@example.net>`, ...fields, '', body, ''].join('\r\n');
const attached = (name, bytes) => letter(['--b', '', 'see the file', '--b', `Content-Type: application/zip; name="${name}"`,
  'Content-Transfer-Encoding: base64', '', bytes.toString('base64').replace(/.{76}/g, '$&\r\n'), '--b--'].join('\r\n'), ['Content-Type: multipart/mixed; boundary=b']);
async function send(text, ...to) {
  const c = await service.smtp();
  await c.cmd('EHLO client.example.net');
  await c.cmd('MAIL FROM:<ann@example.net>');
  for (const t of to) assert.equal((await c.cmd(`RCPT TO:<${t}>`)).code, 250);
  await c.cmd('DATA');
  await c.io.write(text.replace(/^\./gm, '..') + '.\r\n');
  const r = await c.reply();
  c.end();
  return r;
}
async function last(who, folder = 'INBOX', part = 'BODY.PEEK[]') {
  const i = await service.imap(who);
  const lines = (await i.cmd(`SELECT ${folder}`)).join('\n'), count = Number(/(\d+) EXISTS/.exec(lines)?.[1] ?? 0);
  if (count) await i.cmd(`FETCH ${count} ${part}`);
  const text = count ? i.literals[0].toString() : '';
  await i.logout();
  return { count, text };
}

test('an honest letter: INBOX, and the header says what was found', async () => {
  const said = await send(letter('See you at noon.'), alias.address);
  assert.equal(said.code, 250, said.lines?.join());
  const { text } = await last(alias);
  assert.match(text, /^X-Spam-Score: 0\.0\r$/m);
  assert.match(text, /^X-Spam-Status: No, score=0\.0, required=4\.0,\r\n\ttests=none\r$/m);
});

test('GTUBE is refused with the name of what was found', async () => {
  const r = await send(letter(`hello ${gtube} there`), alias.address);
  assert.equal(r.code, 550);
  assert.match(r.lines.join(), /5\.7\.1 Message refused as spam: GTUBE/);
});

test('EICAR inside a zip is refused', async () => {
  const r = await send(attached('a.zip', zip('a.txt', eicar)), alias.address);
  assert.equal(r.code, 550);
  assert.match(r.lines.join(), /EICAR/);
});

test('a program in a zip goes to Junk', async () => {
  const before = (await last(alias)).count;
  assert.equal((await send(attached('bill.zip', zip('bill.pdf.exe', 'MZ')), alias.address)).code, 250);
  const { text, count } = await last(alias, 'Junk');
  assert.equal(count, 1);
  assert.match(text, /^X-Spam-Status: Yes, score=7\.0, required=4\.0,\r\n\ttests=EXE_DISGUISED\r$/m);
  assert.equal((await last(alias)).count, before);
});

test('what a domain and an address set decides, each for its own', async () => {
  const sure = await service.alias(), domain = sure.address.split('@')[1];
  const ctl = async (...args) => JSON.parse((await service.ctl(['spam', 'limits', ...args, '--json'])).stdout);
  assert.deepEqual(await ctl(sure.address, '--reject', '7', '--header', '1'), { header: 1, junk: 0, reject: 7 });
  assert.deepEqual(await ctl(domain, '--junk', 'never'), { header: 0, junk: 10000, reject: 0 });
  assert.deepEqual(await ctl(sure.address), { header: 1, junk: 10000, reject: 7 });
  const bad = () => attached('bill.zip', zip('bill.pdf.exe', 'MZ'));
  assert.equal((await send(bad(), sure.address)).code, 550);
  const before = (await last(other)).count;
  assert.equal((await send(bad(), other.address)).code, 250); // never Junk, for the whole domain
  assert.equal((await last(other)).count, before + 1);
  assert.equal((await send(bad(), other.address, sure.address)).code, 250); // one would refuse, one would not
  assert.match((await last(sure)).text, /X-Spam-Status: Yes, score=7\.0, required=1\.0/);
  assert.deepEqual(await ctl(domain, '--junk', 'default'), { header: 0, junk: 0, reject: 0 });
  assert.equal((await send(bad(), other.address, sure.address)).code, 250);
  assert.equal((await last(sure, 'Junk')).count, 1);
});

test('the classifier learns what it is shown', async () => {
  const mbox = (make) => Array.from({ length: 220 }, (_, i) => `From x Thu Jan  1 00:00:00 2026\nSubject: ${make(i)}\n\n${make(i)} ${make(i + 1)}\n`).join('\n');
  const dir = await mkdtemp(path.join(tmpdir(), 'letterlock-'));
  await writeFile(path.join(dir, 'spam'), mbox((i) => `cheap pills number ${i % 7} order now without prescription`));
  await writeFile(path.join(dir, 'ham'), mbox((i) => `minutes of meeting ${i % 7} about the garden fence`));
  await service.ctl(['spam', 'learn', 'spam', path.join(dir, 'spam')]);
  await service.ctl(['spam', 'learn', 'ham', path.join(dir, 'ham')]);
  assert.equal((await send(letter('Please order cheap pills now: no prescription, without prescription, number 3'), alias.address)).code, 250);
  assert.equal((await send(letter('Here are the minutes of our meeting about the garden fence'), alias.address)).code, 250);
  assert.match((await last(alias)).text, /BAYES_(00|10)/);
});

test('fields of ours that others wrote are taken out', async () => {
  assert.equal((await send(letter('hi', ['X-Spam-Status: No, score=-50', 'X-Spam-Score: -50']), alias.address)).code, 250);
  const { text } = await last(alias);
  assert.equal(text.match(/X-Spam-Status/g).length, 1);
  assert.doesNotMatch(text, /-50/);
});

test('without the scanner mail comes in, and its header says that nobody looked', async () => {
  const pids = await service.pids('content');
  for (const p of pids) process.kill(p, 'SIGSTOP');
  try {
    assert.equal((await send(letter(gtube), other.address)).code, 250);
  } finally {
    for (const p of pids) process.kill(p, 'SIGCONT');
  }
  const { text } = await last(other);
  assert.match(text, /^X-Spam-Status: No, not scanned \(scanner slow\)\r$/m);
});
