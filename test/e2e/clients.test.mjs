// Real clients against a real service: curl, Python's smtplib and imaplib, nodemailer, imapflow, mbsync, mutt.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Service, sample } from '../lib/service.mjs';

let service;
let alias;
before(async () => { service = await Service.start(); alias = await service.alias('clients'); });
after(() => service?.stop());

function run(command, args, { input, env, timeout = 60000, cwd } = {}) {
  return new Promise((resolve) => {
    const p = execFile(command, args, { env: { ...process.env, ...env }, timeout, maxBuffer: 1 << 26, cwd }, (e, stdout, stderr) =>
      resolve({ code: e ? e.code ?? -1 : 0, missing: e?.code === 'ENOENT', stdout, stderr }));
    p.stdin?.on('error', () => {});
    p.stdin?.end(input ?? '');
  });
}

async function has(t, command, args = ['--version']) {
  const r = await run(command, args);
  if (r.missing) t.skip(`${command} is not installed`);
  return !r.missing;
}

test('curl sends by SMTP with STARTTLS and reads by IMAPS', async (t) => {
  if (!await has(t, 'curl')) return;
  const body = sample(1);
  const sent = await run('curl', ['-sS', '-k', '--ssl-reqd', `smtp://127.0.0.1:${service.ports.mx}/client.example.net`, '--mail-from', 'curl@example.net',
    '--mail-rcpt', alias.address, '-T', '-'], { input: body });
  assert.equal(sent.code, 0, sent.stderr);
  const config = path.join(service.dir, 'curlrc');
  await writeFile(config, `user = "${alias.address}:${alias.password}"\n`, { mode: 0o600 });
  const got = await run('curl', ['-sS', '-k', '-K', config, `imaps://127.0.0.1:${service.ports.imaps}/INBOX;UID=1`]);
  assert.equal(got.code, 0, got.stderr);
  assert.ok(got.stdout.endsWith(body.toString()));
  const starttls = await run('curl', ['-sS', '-k', '--ssl-reqd', '-K', config, `imap://127.0.0.1:${service.ports.imap}/`, '-X', 'STATUS INBOX (MESSAGES)']);
  assert.equal(starttls.code, 0, starttls.stderr);
  assert.match(starttls.stdout, /MESSAGES 1/);
});

test("Python's smtplib and imaplib", async (t) => {
  if (!await has(t, 'python3')) return;
  const script = `
import imaplib, smtplib, ssl, sys, time
host, mx, imap, imaps, user, password = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], sys.stdin.readline().strip()
ctx = ssl._create_unverified_context()
s = smtplib.SMTP(host, mx); s.starttls(context=ctx); s.ehlo('python.example.net')
s.sendmail('py@example.net', [user], b'Subject: from python\\r\\n\\r\\nHello\\r\\n.dot\\r\\n'); s.quit()
class Plain(imaplib.IMAP4): pass
imaplib.MapCRLF = __import__('re').compile(b'(?!)')
m = imaplib.IMAP4(host, imap); m.starttls(ctx); m.login(user, password)
assert m.create('"Python Folder"')[0] == 'OK'
assert m.append('"Python Folder"', '(\\\\Flagged)', imaplib.Time2Internaldate(1700000000), b'Subject: appended\\r\\n\\r\\nbody\\r\\n')[0] == 'OK'
assert m.select('"Python Folder"')[1] == [b'1']
assert m.search(None, 'FLAGGED', 'SUBJECT', '"append"')[1] == [b'1']
t, d = m.fetch('1', '(FLAGS INTERNALDATE BODY.PEEK[])'); assert d[0][1] == b'Subject: appended\\r\\n\\r\\nbody\\r\\n', d
assert m.store('1', '+FLAGS', '(\\\\Deleted custom)')[0] == 'OK'
assert m.copy('1', 'Archive')[0] == 'OK'
assert m.expunge()[1] == [b'1']
assert m.close()[0] == 'OK'
assert m.rename('"Python Folder"', 'Renamed')[0] == 'OK'
assert any(b'Renamed' in l for l in m.list()[1])
assert m.delete('Renamed')[0] == 'OK'
assert m.status('Archive', '(MESSAGES UNSEEN)')[1] == [b'Archive (MESSAGES 1 UNSEEN 1)'], m.status('Archive', '(MESSAGES UNSEEN)')
m.logout()
m = imaplib.IMAP4_SSL(host, imaps, ssl_context=ctx)
try: m.login(user, 'wrong'); assert False
except imaplib.IMAP4.error: pass
m.authenticate('PLAIN', lambda _: b'\\0' + user.encode() + b'\\0' + password.encode())
m.select('INBOX'); t, d = m.search(None, 'SUBJECT', 'python'); t, d = m.fetch(d[0].split()[0], '(RFC822)')
assert d[0][1].endswith(b'Hello\\r\\n.dot\\r\\n'), d
m.logout()
print('fine')
`;
  const r = await run('python3', ['-c', script, '127.0.0.1', ...['mx', 'imap', 'imaps'].map((p) => String(service.ports[p])), alias.address], { input: `${alias.password}\n` });
  assert.equal(r.stdout.trim(), 'fine', r.stderr);
});

test('nodemailer sends, imapflow reads', async () => {
  const { createTransport } = await import('nodemailer');
  const { ImapFlow } = await import('imapflow');
  const smtp = createTransport({ host: '127.0.0.1', port: service.ports.mx, secure: false, requireTLS: true, tls: { rejectUnauthorized: false }, name: 'node.example.net' });
  await smtp.sendMail({
    from: 'Node <node@example.net>', to: alias.address, subject: 'Grüße von nodemailer', text: 'Hallo', html: '<b>Hallo</b>',
    attachments: [{ filename: 'ä.bin', content: Buffer.alloc(300000, 7) }],
  });
  const client = new ImapFlow({ host: '127.0.0.1', port: service.ports.imaps, secure: true, logger: false,
    tls: { rejectUnauthorized: false }, auth: { user: alias.address, pass: alias.password } });
  await client.connect();
  const lock = await client.getMailboxLock('INBOX');
  const uids = await client.search({ subject: 'nodemailer' }, { uid: true });
  assert.equal(uids.length, 1);
  const m = await client.fetchOne(String(uids[0]), { envelope: true, bodyStructure: true, source: true, flags: true }, { uid: true });
  assert.equal(m.envelope.subject, 'Grüße von nodemailer');
  assert.equal(m.bodyStructure.type, 'multipart/mixed');
  const part = m.bodyStructure.childNodes.find((n) => n.disposition === 'attachment');
  const { content } = await client.download(String(uids[0]), part.part, { uid: true });
  const chunks = [];
  for await (const c of content) chunks.push(c);
  assert.ok(Buffer.concat(chunks).equals(Buffer.alloc(300000, 7)));
  await client.messageFlagsAdd(String(uids[0]), ['\\Flagged', '$Label1'], { uid: true });
  const list = await client.list();
  for (const use of ['\\Drafts', '\\Sent', '\\Archive', '\\Junk', '\\Trash']) assert.ok(list.some((f) => f.specialUse === use), use);
  await client.messageMove(String(uids[0]), 'Archive', { uid: true });
  const arrived = new Promise((r) => client.once('exists', r));
  const idle = client.idle();
  await service.deliver(alias.address, sample(77));
  await arrived;
  lock.release();
  await client.logout();
  await idle.catch(() => {});
});

test('mbsync mirrors both ways', async (t) => {
  if (!await has(t, 'mbsync')) return;
  const me = await service.alias('mbsync');
  for (let i = 0; i < 5; i++) await service.deliver(me.address, sample(i));
  const dir = path.join(service.dir, 'mbsync');
  await mkdir(path.join(dir, 'mail'), { recursive: true });
  const cert = path.join(dir, 'cert.pem');
  const pem = await run('openssl', ['s_client', '-connect', `127.0.0.1:${service.ports.imaps}`, '-showcerts']);
  await writeFile(cert, /-----BEGIN CERT[\s\S]+?-----END CERTIFICATE-----\n/.exec(pem.stdout)[0]);
  await writeFile(path.join(dir, 'rc'), `IMAPAccount a
Host 127.0.0.1
Port ${service.ports.imaps}
User ${me.address}
Pass ${me.password}
SSLType IMAPS
CertificateFile ${cert}

IMAPStore far
Account a

MaildirStore near
Path ${dir}/mail/
Inbox ${dir}/mail/INBOX
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
`, { mode: 0o600 });
  const sync = async () => { const r = await run('mbsync', ['-c', path.join(dir, 'rc'), 'c']); assert.equal(r.code, 0, r.stderr); };
  await sync();
  const inbox = path.join(dir, 'mail/INBOX');
  const files = (await readdir(path.join(inbox, 'new'))).concat(await readdir(path.join(inbox, 'cur')));
  assert.equal(files.length, 5);
  await writeFile(path.join(inbox, 'new/1.local.host'), 'Subject: written here\n\nlocal\n');
  await sync();
  const imap = await service.imap(me);
  const status = await imap.cmd('STATUS INBOX (MESSAGES)');
  assert.match(status.join(), /MESSAGES 6/);
  await imap.cmd('SELECT INBOX');
  await imap.cmd('STORE 1 +FLAGS (\\Deleted \\Seen)');
  await imap.cmd('EXPUNGE');
  await imap.logout();
  await sync();
  const left = (await readdir(path.join(inbox, 'new'))).concat(await readdir(path.join(inbox, 'cur')));
  assert.equal(left.length, 5);
});

test('mutt reads the inbox', async (t) => {
  if (!await has(t, 'mutt', ['-v'])) return;
  for (const i of [91, 92]) await service.deliver(alias.address, sample(i));
  const rc = path.join(service.dir, 'muttrc');
  const cache = path.join(service.dir, 'mutt-copy');
  await writeFile(rc, `set imap_user="${alias.address}"\nset imap_pass="${alias.password}"\nset ssl_force_tls=yes\nset ssl_verify_host=no\nset ssl_verify_dates=no\n`
    + `set certificate_file="${service.dir}/mutt-certs"\nset mbox_type=maildir\nset confirmcreate=no\nset confirmappend=no\nset quit=yes\n`
    + `set folder="imaps://127.0.0.1:${service.ports.imaps}"\nset spoolfile="imaps://127.0.0.1:${service.ports.imaps}/INBOX"\nset wait_key=no\nset copy=no\nset delete=no\n`
    + `push "<tag-pattern>~A<enter><tag-prefix><copy-message><kill-line>${cache}<enter><quit>"\n`, { mode: 0o600 });
  const pem = await run('openssl', ['s_client', '-connect', `127.0.0.1:${service.ports.imaps}`, '-showcerts']);
  await writeFile(path.join(service.dir, 'mutt-certs'), /-----BEGIN CERT[\s\S]+?-----END CERTIFICATE-----\n/.exec(pem.stdout)[0]);
  const r = await run('script', ['-qec', `mutt -n -F ${rc}`, '/dev/null'], { env: { TERM: 'xterm', HOME: service.dir }, timeout: 30000 });
  const copied = await readdir(path.join(cache, 'cur')).catch(() => []);
  const fresh = await readdir(path.join(cache, 'new')).catch(() => []);
  assert.ok(copied.length + fresh.length >= 2, `mutt copied ${copied.length + fresh.length}; ${r.stdout.slice(-500)}`);
  const text = await readFile(path.join(cache, copied.length ? 'cur' : 'new', (copied.length ? copied : fresh)[0]), 'utf8');
  assert.match(text, /Delivered-To: clients@example\.test/);
});
