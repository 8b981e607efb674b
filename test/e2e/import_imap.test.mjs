// A mailbox on another server comes into ours: our own IMAP service as the source, and Dovecot where it is installed.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { Service, root, sample, crlf, freePort } from '../lib/service.mjs';

let service, ca, dir;
before(async () => {
  service = await Service.start({ env: { LETTERLOCK_STORE_BACKUP_INTERVAL: '0' } });
  ca = path.join(service.dir, 'tls', 'cert.pem');
  dir = await mkdtemp(path.join(tmpdir(), 'letterlock-imap-'));
});
after(async () => { await service.stop(); await rm(dir, { recursive: true, force: true }); });

const bring = async (who, from, { port = service.ports.imaps, more = [], ok = true, host = '127.0.0.1', cert = ca, password = from.password } = {}) => {
  const r = await service.ctl(['import', 'imap', who.address, '--host', host, '--port', String(port), '--user', from.address, '--ca', cert, '--json', ...more], { input: `${who.password}\n${password}\n`, ok: false });
  if (ok) assert.equal(r.code, 0, r.stderr);
  return { ...r, ...(r.stdout ? JSON.parse(r.stdout) : {}) };
};
// Everything a client can see, without UIDs.
async function all(who) {
  const c = await service.imap(who);
  await c.cmd('ENABLE UTF8=ACCEPT');
  const out = {};
  for (const line of (await c.cmd('LIST "" "*"')).filter((l) => /^\* LIST/.test(l))) {
    const name = Buffer.from(/"\/" "?(.*?)"?$/.exec(line)[1], 'latin1').toString('utf8');
    await c.cmd(`EXAMINE "${name}"`);
    const lines = await c.cmd('UID FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[])', { ok: false }), bodies = [...c.literals];
    const rows = lines.filter((x) => /FETCH \(/.test(x)).map((l) => `${/INTERNALDATE "([^"]*)"/.exec(l)[1]} [${/FLAGS \(([^)]*)\)/.exec(l)[1].split(' ').filter((f) => f && f !== '\\Recent').map((f) => f.toLowerCase()).sort().join(' ')}] ${bodies.shift().toString('base64')}`);
    if (rows.length) out[name] = rows;
  }
  await c.logout();
  return out;
}
const fill = async (c, folder, from, to, bytes = (i) => 300 + i * 700) => {
  for (let i = from; i <= to; i++) await c.cmd([`APPEND "${folder}" (${['\\Seen', '\\Flagged', '\\Answered $Forwarded', '\\Deleted blue', '\\Draft', ''][i % 6]}) "0${1 + (i % 9)}-Nov-2024 10:11:12 +0100" `, crlf(sample(i, bytes(i)))]);
};

test('all of it, once: folders, flags, keywords, dates; later only what is new', async () => {
  const a = await service.alias(), b = await service.alias();
  const c = await service.imap(a);
  await c.cmd('ENABLE UTF8=ACCEPT');
  await c.cmd('CREATE "Work/Größe: 50.5"');
  await fill(c, 'INBOX', 1, 90);
  await fill(c, 'Sent', 91, 95);
  await fill(c, 'Work/Größe: 50.5', 96, 100, () => 300000);
  await fill(c, 'INBOX', 7, 7); // once more, as it was: two equal messages are two
  assert.deepEqual([(await bring(b, a)).messages], [101]);
  assert.deepEqual(await all(b), await all(a));
  const again = await bring(b, a);
  assert.deepEqual([again.messages, again.there_already, again.skipped], [0, 0, 0], 'not even looked at');
  await fill(c, 'INBOX', 101, 103);
  await c.cmd('SELECT INBOX');
  await c.cmd('STORE 1 +FLAGS (\\Deleted)');
  await c.cmd('UID EXPUNGE 1');
  const d = await service.imap(b); // what is deleted or moved here does not come back
  await d.cmd('SELECT INBOX');
  await d.cmd('STORE 1:2 +FLAGS (\\Deleted)');
  await d.cmd('UID EXPUNGE 1:2');
  await d.cmd('RENAME Work Old');
  await fill(c, 'Work/Größe: 50.5', 104, 104);
  assert.equal((await bring(b, a)).messages, 4);
  assert.match((await d.cmd('STATUS "Old/Gr&APYA3w-e: 50.5" (MESSAGES)')).join('\n'), /MESSAGES 6/);
  assert.match((await d.cmd('STATUS INBOX (MESSAGES)')).join('\n'), /MESSAGES 92/);
  await c.logout();
  await d.logout();
});

test('a limit, a wrong password, a certificate of nobody: said, and nothing is lost', async () => {
  const a = await service.alias(), b = await service.alias();
  const c = await service.imap(a);
  await fill(c, 'INBOX', 1, 12, () => 40000);
  await c.logout();
  assert.equal((await bring(b, a, { ok: false, password: 'wrong' })).code, 77);
  const stranger = path.join(dir, 'stranger.pem');
  await promisified('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', '/dev/null', '-out', stranger, '-subj', '/CN=x', '-days', '2']);
  const r = await bring(b, a, { ok: false, cert: stranger });
  assert.equal(r.code, 69);
  assert.match(r.stderr, /certificate/);
  await service.ctl(['alias', 'limit', b.address, '200K']);
  assert.equal((await bring(b, a, { ok: false })).code, 73);
  await service.ctl(['alias', 'limit', b.address, 'none']);
  const rest = await bring(b, a);
  assert.ok(rest.messages > 0 && rest.messages < 12);
  assert.deepEqual(await all(b), await all(a));
  const file = path.join(dir, 'password');
  await writeFile(file, `${a.password}\n`);
  const d = await service.alias();
  assert.equal((await bring(d, a, { more: ['--starttls', '--password-file', file, '--under', 'From elsewhere', '--folder', 'INBOX'], port: service.ports.imap })).messages, 12);
  assert.deepEqual((await all(d))['From elsewhere/INBOX'], (await all(a)).INBOX);
});
const promisified = (f, args) => new Promise((resolve, reject) => { execFile(f, args, (e, out) => (e ? reject(e) : resolve(out))); });

test('a connection that breaks off goes on, and nothing comes twice', async () => {
  const a = await service.alias(), b = await service.alias();
  const c = await service.imap(a);
  await fill(c, 'INBOX', 1, 30, () => 60000);
  await c.logout();
  let left = 2, port;
  const cut = net.createServer((s) => { // each connection ends after so many bytes
    const up = net.connect(service.ports.imaps, '127.0.0.1');
    let n = left-- > 0 ? 700000 : Infinity;
    s.on('error', () => {}).on('close', () => up.destroy());
    up.on('error', () => {}).on('close', () => s.destroy());
    s.pipe(up);
    up.on('data', (d) => { s.write(d); n -= d.length; if (n < 0) { s.destroy(); up.destroy(); } });
  });
  port = await freePort();
  await new Promise((r) => { cut.listen(port, '127.0.0.1', r); });
  const r = await bring(b, a, { port });
  cut.close();
  assert.deepEqual([r.messages, r.skipped], [30, 0]);
  assert.deepEqual(await all(b), await all(a));
});

// A server that says what it likes.
async function hostile(script) {
  const { readFile } = await import('node:fs/promises');
  const pem = { cert: await readFile(ca), key: await readFile(path.join(service.dir, 'tls', 'key.pem')) };
  const server = tls.createServer(pem, (s) => {
    s.on('error', () => {});
    s.write('* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hello\r\n');
    let text = '';
    s.on('data', (d) => {
      text += d;
      for (let i; (i = text.indexOf('\r\n')) >= 0; text = text.slice(i + 2)) {
        const [tag, ...words] = text.slice(0, i).split(' '), line = words.join(' ');
        const say = script(line);
        s.write(say === undefined ? `${tag} OK\r\n` : say.replaceAll('TAG', tag));
      }
    });
  });
  const port = await freePort();
  await new Promise((r) => { server.listen(port, '127.0.0.1', r); });
  return { port, close: () => server.close() };
}

test('a server that is not to be trusted: bounded, told, and what is good comes in', async () => {
  const odd = (line) => {
    if (/^CAPABILITY/.test(line)) return '* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\nTAG OK\r\n';
    if (/^LIST/.test(line)) return '* LIST (\\HasNoChildren) "." INBOX\r\n* LIST (\\All) "." Everything\r\n* LIST () "." "a..b"\r\n* LIST (\\Sent) "." "INBOX.Gesendet"\r\n* LIST () "." Locked\r\nTAG OK\r\n';
    if (/^EXAMINE "Locked"/.test(line)) return 'TAG NO [NOPERM] \x1b[31mnot for you\r\n';
    if (/^EXAMINE/.test(line)) return '* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\nTAG OK\r\n';
    if (/RFC822\.SIZE/.test(line)) return '* 1 FETCH (UID 5 RFC822.SIZE 9)\r\n* 2 FETCH (UID 6 RFC822.SIZE 9)\r\n* 3 FETCH (UID 9 RFC822.SIZE 9)\r\nTAG OK\r\n';
    if (/FLAGS/.test(line)) return '* 1 FETCH (UID 5 FLAGS (\\Seen bad]word) INTERNALDATE "99-Foo-2024 10:11:12 +0000")\r\n* 2 FETCH (UID 6 FLAGS (\\*))\r\n* 77 FETCH (UID 77 FLAGS ())\r\nTAG OK\r\n';
    if (/BODY/.test(line) && /5,6,9/.test(line)) return '* 1 FETCH (UID 5 BODY[] {9}\r\nA: b\r\n\r\nx)\r\nTAG NO one of them is broken {5}\r\n';
    if (/FETCH 6 .*BODY/.test(line)) return 'TAG NO still broken\r\n';
    if (/FETCH 9 .*BODY/.test(line)) return '* 3 FETCH (BODY[] {9}\r\nC: d\r\n\r\ny UID 9)\r\n* 3 FETCH (UID 9 BODY[] {9}\r\nC: d\r\n\r\ny)\r\n* 3 FETCH (UID 9 BODY[] {9}\r\nC: d\r\n\r\ny)\r\nTAG OK\r\n';
    return undefined;
  };
  const b = await service.alias();
  let s = await hostile(odd);
  const r = await bring(b, { address: 'x', password: 'y' }, { port: s.port, ok: false });
  s.close();
  assert.equal(r.code, 65, r.stderr);
  assert.deepEqual([r.messages, r.skipped], [4, 4], r.stderr);
  assert.match(r.stderr, /INBOX, UID 6: still broken/);
  assert.match(r.stderr, /left out: Everything/);
  assert.ok(!r.stderr.includes('\x1b'));
  const has = await all(b);
  assert.deepEqual(Object.keys(has).sort(), ['INBOX', 'Sent']);
  assert.equal(has.INBOX.length, 2);
  // One says 9 bytes and sends as many as it likes: told, and the others come in over another connection.
  s = await hostile((line) => (/BODY/.test(line) && /\b6\b/.test(line) ? '* 2 FETCH (UID 6 BODY[] {99999999999}\r\nand so on' : /FETCH 5,?9? .*BODY/.test(line) || /FETCH [59] .*BODY/.test(line) ? '* 1 FETCH (UID 5 BODY[] {9}\r\nA: b\r\n\r\nx)\r\n* 3 FETCH (UID 9 BODY[] {9}\r\nC: d\r\n\r\ny)\r\nTAG OK\r\n' : odd(line)));
  const lies = await service.alias(), told = await bring(lies, { address: 'x', password: 'y' }, { port: s.port, ok: false, more: ['--folder', 'INBOX'] });
  s.close();
  assert.equal(told.code, 65, told.stderr);
  assert.match(told.stderr, /INBOX, UID 6: it is far larger than the server said/);
  assert.equal((await all(lies)).INBOX.length, 2);
  const flood = '* 3 EXISTS\r\n'.repeat(100000);
  for (const bad of [
    (line) => (/BODY/.test(line) ? `${flood.repeat(12)}TAG OK\r\n` : odd(line)),
    (line) => (/RFC822\.SIZE/.test(line) ? `* LIST () "." {999999999}\r\n` : odd(line)),
    (line) => (/RFC822\.SIZE/.test(line) ? `* OK ${'x'.repeat(400000)}\r\nTAG OK\r\n` : odd(line)),
    (line) => (/^LIST/.test(line) ? '* LIST nonsense\r\nTAG BAD no\r\n' : odd(line)),
  ]) {
    s = await hostile(bad);
    const e = await bring(await service.alias(), { address: 'x', password: 'y' }, { port: s.port, ok: false });
    s.close();
    assert.equal(e.code, 76, e.stderr);
  }
});

const dovecotScript = process.env.BENCH_PEERS ? path.join(process.env.BENCH_PEERS, 'dovecot.sh') : path.resolve(root, '../shared/peers/dovecot.sh');
const dovecot = existsSync(dovecotScript) && ['/usr/sbin/dovecot', '/usr/bin/dovecot'].some(existsSync);
test('from Dovecot, and again', { skip: dovecot ? false : 'Dovecot or the script that starts it is not here' }, async () => {
  const base = await mkdtemp(path.join(tmpdir(), 'dovecot-'));
  const run = (verb) => new Promise((resolve, reject) => { execFile('bash', [dovecotScript, verb], { env: { ...process.env, BASE: base, PORTBASE: '23' } }, (e, out, err) => (e ? reject(new Error(err || out)) : resolve())); });
  await run('start');
  try {
    const b = await service.alias(), from = { address: 'user3', password: 'pass' };
    const c = await service.imap(from, { login: false, port: 23993 });
    await c.cmd('LOGIN user3 pass');
    await c.cmd('CREATE Lists/gr&APYA3w-e');
    await fill(c, 'INBOX', 1, 70);
    await fill(c, 'Lists/gr&APYA3w-e', 71, 80);
    const cert = path.join(base, 'cert.pem');
    assert.equal((await bring(b, from, { port: 23993, cert })).messages, 80);
    await fill(c, 'INBOX', 81, 81);
    assert.equal((await bring(b, from, { port: 23993, cert })).messages, 1);
    await c.logout();
    const has = await all(b);
    assert.deepEqual(Object.entries(has).map(([k, v]) => [k, v.length]), [['INBOX', 71], ['Lists/größe', 10]]);
    assert.ok(has.INBOX.every((m) => / 09:11:12 \+0000 \[(\\seen|\\flagged|\$forwarded \\answered|\\deleted blue|\\draft|)\]/.test(m)), has.INBOX.map((m) => m.slice(0, 60)).join("\n"));
  } finally {
    await run('stop');
    await rm(base, { recursive: true, force: true });
  }
});
