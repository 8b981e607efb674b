// The spam scanner at the MX: what is refused, what goes to Junk, what the header says; and mail comes in without it.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { DnsServer } from '../lib/dns.mjs';
import { missing, startClamd, startRspamd } from '../lib/real_scanners.mjs';
import { Scanners } from '../lib/scanners.mjs';
import { Service, freePort, sleep, until } from '../lib/service.mjs';

const gtube = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-' + 'ANTI-UBE-TEST-EMAIL*C.34X';
const eicar = 'X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-' + 'STANDARD-ANTIVIRUS-TEST-FILE!$H+H*';
let service, alias, other, dns, scanners, port, socket, n = 0;
before(async () => {
  port = await freePort();
  socket = path.join(await mkdtemp(path.join(tmpdir(), 'letterlock-')), 'clamd');
  scanners = await Scanners.start({ clamd: socket, rspamd: port });
  dns = await DnsServer.start({ zone: { 'bad.example.hosts.test': { A: '127.0.0.2' }, 'refuses.example.hosts.test': { A: '127.255.255.254' } } });
  service = await Service.start({ env: {
    LETTERLOCK_MX_SPAM_EXEMPT: '', LETTERLOCK_MX_AUTH_CHECKS: 'no', LETTERLOCK_MX_SENDER_CHECK: 'off', LETTERLOCK_MX_HELO_CHECK: 'off', LETTERLOCK_MX_SPAM_TIMEOUT: '1s',
    LETTERLOCK_RESOLVER_UPSTREAMS: dns.plain, LETTERLOCK_MX_SPAM_URL_LISTS: 'hosts.test',
    LETTERLOCK_MX_CLAMAV: socket, LETTERLOCK_MX_RSPAMD: `127.0.0.1:${port}`, LETTERLOCK_MX_FILTER_TIMEOUT: '1s',
  } });
  alias = await service.alias();
  other = await service.alias();
});
after(async () => { await service?.stop(); await dns?.stop(); await scanners?.stop(); });

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
  assert.match((await last(sure, 'Junk')).text, /X-Spam-Status: Yes, score=7\.0, required=1\.0/); // whoever wants it refused has it there, though the domain says never
  assert.deepEqual(await ctl(domain, '--junk', 'default'), { header: 0, junk: 0, reject: 0 });
  assert.equal((await send(bad(), other.address, sure.address)).code, 250);
  assert.equal((await last(sure, 'Junk')).count, 2);
});

test('a link to a host that a list has counts; what the list says of itself does not', async () => {
  assert.equal((await send(letter('see http://bad.example/a'), other.address)).code, 250);
  assert.match((await last(other)).text, /^X-Spam-Status: Yes, score=4\.0, required=4\.0,\r\n\ttests=URL_LISTED\r$/m);
  assert.equal((await send(letter('see http://refuses.example/a'), other.address)).code, 250);
  assert.match((await last(other)).text, /^X-Spam-Status: No, score=0\.0/m);
  assert.equal(dns.asked('refuses.example.hosts.test') > 0, true);
});

test('what ClamAV finds something in is refused; it is shown what is stored, byte for byte', async () => {
  scanners.clam = (b) => (b.includes('carrier') ? 'stream: Win.Test.\u0007Thing FOUND' : 'stream: OK');
  const r = await send(letter('a carrier of it'), other.address);
  assert.equal(r.code, 550);
  assert.match(r.lines.join(), /5\.7\.1 Message refused: infected \(Win\.Test\.\?Thing\)/);
  const text = letter(`long ${'0123456789 '.repeat(6)}\r\n`.repeat(6000));
  assert.equal((await send(text, other.address)).code, 250);
  assert.equal(scanners.seen.at(-1).toString().endsWith(text.slice(text.indexOf('Subject:'))), true);
  assert.match((await last(other)).text, /^X-Virus-Status: Clean\r$/m);
  scanners.clam = () => 'stream: OK';
});

test('the score of rspamd is a named reason, and it hears what is known of the sender', async () => {
  scanners.spam = () => ({ score: 4.6, action: 'add header', symbols: { A: { score: 4 }, B: { score: 0.6 } } });
  assert.equal((await send(letter('hello from there'), other.address)).code, 250);
  assert.match((await last(other)).text, /^X-Spam-Status: Yes, score=4\.6, required=4\.0,\r\n\ttests=RSPAMD\r$/m);
  assert.equal(scanners.url, 'POST /checkv2');
  assert.deepEqual([scanners.headers.ip, scanners.headers.helo, scanners.headers.from, scanners.headers.rcpt],
    ['127.0.0.1', 'client.example.net', 'ann@example.net', other.address]);
  scanners.spam = () => ({ score: 1e99, action: 'reject', symbols: 7 });
  assert.equal((await send(letter('as bad as can be'), other.address)).code, 550);
  scanners.spam = () => ({ score: 0 });
});

for (const mood of ['close', 'garbage', 'hang'])
  test(`scanners that ${mood}: mail comes in, and nothing is said of them`, async () => {
    scanners.mood = mood;
    assert.equal((await send(letter(`in a ${mood} mood: carrier`), other.address)).code, 250);
    scanners.mood = undefined;
    const { text } = await last(other);
    assert.match(text, /^X-Spam-Status: No, score=0\.0, required=4\.0,\r\n\ttests=none\r$/m);
    assert.doesNotMatch(text, /X-Virus-Status|RSPAMD/);
    assert.equal(service.log.includes('filter.down scanner=clamav'), true);
    assert.equal((await send(letter('and back'), other.address)).code, 250);
    assert.match((await last(other)).text, /^X-Virus-Status: Clean\r$/m);
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

test('a person\'s own classifier learns from moves and marks, outlives the store, and places what comes', async () => {
  const who = await service.alias(), i = await service.imap(who);
  const made = (words, k) => letter(`${words} number${k} part${k * 7}\r\n${words}`);
  const junk = (k = ++n) => made('your lottery jackpot transfer awaits confirmation, hurry lucky winner', k);
  const ham = (k = ++n) => made('agenda of the allotment committee, compost and greenhouse repairs', k);
  const put = async (folder, text) => i.cmd([`APPEND ${folder} `, Buffer.from(text)]);
  for (let k = 0; k < 20; k++) await put('Junk', junk());
  for (let k = 0; k < 10; k++) await put('INBOX', junk());
  for (let k = 0; k < 30; k++) await put('INBOX', ham());
  await i.cmd('SELECT INBOX');
  await i.cmd('STORE 1:4 +FLAGS.SILENT ($Junk)');
  await i.cmd('STORE 5:6 +FLAGS.SILENT (Junk)');
  await i.cmd('STORE 11:20 +FLAGS.SILENT ($NotJunk)');
  await i.cmd('STORE 21:40 +FLAGS.SILENT (NonJunk)');
  await i.cmd('COPY 7:8 Junk');
  await i.cmd('MOVE 1:10 Junk');
  for (const pid of await service.pids('store')) process.kill(pid, 'SIGKILL'); // what was said waits in the mailbox
  i.io.end();
  const count = async (folder) => (await last(who, folder)).count;
  const was = await until('the store', 15000, () => count('Junk').catch(() => 0));
  assert.equal(was, 32);
  const j = await service.imap(who);
  const moved = await until('what was learnt', 20000, async () => {
    await sleep(400);
    return (await send(junk(), who.address)).code === 250 && await count('Junk') > was;
  });
  assert.ok(moved);
  const came = await last(who, 'Junk');
  assert.match(came.text, /^X-Spam-Status: No/m); // the server thinks nothing of it, and no byte was changed
  assert.doesNotMatch(came.text, /Yes|jackpot.*X-/s);
  let inbox = await count('INBOX');
  assert.equal((await send(ham(), who.address)).code, 250);
  assert.equal(await count('INBOX'), ++inbox);
  const bill = letter(['--b', '', 'agenda of the allotment committee, compost and greenhouse repairs', '--b', 'Content-Type: application/zip; name="bill.zip"', 'Content-Transfer-Encoding: base64', '',
    zip('bill.pdf.exe', 'MZ').toString('base64'), '--b--'].join('\r\n'), ['Content-Type: multipart/mixed; boundary=b']);
  assert.equal((await send(bill, who.address)).code, 250);
  assert.equal(await count('INBOX'), ++inbox); // the server's 7 points would have it in Junk
  assert.match((await last(who)).text, /^X-Spam-Status: Yes, score=7\.0/m);
  await j.logout();
  await service.ctl(['mailbox', 'rotate', who.address], { input: `${who.password}\n` }); // under another key: all is there
  const full = await count('Junk');
  await sleep(100);
  assert.equal((await send(junk(), who.address)).code, 250); // waits, sealed, and is judged when it comes in
  assert.equal((await send(ham(), who.address)).code, 250);
  assert.equal(await count('Junk'), full + 1);
  assert.equal(await count('INBOX'), ++inbox);
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

test('without scanners, and without the role that asks them, mail comes in', async () => {
  await scanners.stop();
  assert.equal((await send(letter('nobody there'), other.address)).code, 250);
  assert.doesNotMatch((await last(other)).text, /X-Virus-Status|RSPAMD/);
  await service.kill('filter');
  assert.equal((await send(letter('nobody at all'), other.address)).code, 250);
  await until('the filter', 10000, async () => (await service.pids('filter')).length > 0);
});

// Real ones, where the made-up ones listened. How fast they are is their business: what is late is left out, and comes again.
const sentUntil = (what, text, good) => until(what, 60000, async () => {
  const r = await send(letter(text()), other.address);
  return good(r, r.code === 250 ? (await last(other)).text : '');
});

test('a real clamd: a finding, a pass, and mail without it', { skip: missing.clamd }, async () => {
  await scanners.stop();
  const marker = 'carrier-of-a-virus-made-up-here', clamd = await startClamd({ socket, marker });
  try {
    await sentUntil('a finding', () => `this is a ${marker}`, (r) => r.code === 550 && /infected \(Letterlock-Test\.UNOFFICIAL\)/.test(r.lines.join()));
    await until('a finding in what base64 hides', 60000, async () => (await send(attached('a.bin', Buffer.from(`\0\x01${marker}`)), other.address)).code === 550);
    await sentUntil('a pass', () => 'as clean as can be', (r, text) => /^X-Virus-Status: Clean\r$/m.test(text));
  } finally { await clamd.stop(); }
  const r = await send(letter(`${marker} again, and nobody to see it`), other.address);
  assert.equal(r.code, 250);
  assert.doesNotMatch((await last(other)).text, /X-Virus-Status/);
});

test('a real rspamd: its symbol counts, a pass, and mail without it', { skip: missing.rspamd }, async () => {
  await scanners.stop();
  const began = service.log.length, said = (pattern) => pattern.test(service.log.slice(began)); // the classifier says more: it was taught above
  const word = 'offer-nobody-else-makes', rspamd = await startRspamd({ port, word });
  try {
    await sentUntil('its score', () => `an ${word} to you`, () => said(/mx\.filter id=(\S+) .* rspamd=1 score=450 .*LETTERLOCK_WORD[^]*mx\.spam id=\1 .*RSPAMD/));
    await sentUntil('a pass', () => 'nothing to see', () => said(/mx\.filter id=(\S+) .* rspamd=1 score=0 [^]*mx\.spam id=\1 (?!.*RSPAMD)/));
  } finally { await rspamd.stop(); }
  assert.equal((await send(letter(`the ${word} without it`), other.address)).code, 250);
  assert.doesNotMatch((await last(other)).text, /RSPAMD/);
});
