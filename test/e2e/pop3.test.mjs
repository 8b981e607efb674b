// POP3 with real clients (Python's poplib, curl, fetchmail, mpop), every byte of odd messages, what QUIT
// promises, and a store that dies under a session.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Service, corpus, crlf, dial, sample } from '../lib/service.mjs';

const SHARE = 150; // corpus messages tried here; test/e2e/corpus.test.mjs tries them all over IMAP
let service;
before(async () => { service = await Service.start({ pop3: true }); });
after(() => service?.stop());

function run(command, args, { input, env, timeout = 60000 } = {}) {
  return new Promise((resolve) => {
    const p = execFile(command, args, { env: { ...process.env, ...env }, timeout, maxBuffer: 1 << 26 }, (e, stdout, stderr) =>
      resolve({ code: e ? e.code ?? -1 : 0, missing: e?.code === 'ENOENT', stdout, stderr }));
    p.stdin?.on('error', () => {});
    p.stdin?.end(input ?? '');
  });
}

class Pop3 {
  static async open(alias, { login = true } = {}) {
    const c = new Pop3();
    c.io = await dial(service.ports.pop3s, { secure: true });
    c.greeting = await c.io.line();
    if (login) { await c.ok(`USER ${alias.address}`); await c.ok(`PASS ${alias.password}`); }
    return c;
  }
  async cmd(line) { await this.io.write(`${line}\r\n`); return this.io.line(); }
  async ok(line) { const r = await this.cmd(line); assert.match(r ?? 'EOF', /^\+OK/, `${line.slice(0, 4)}: ${r}`); return r; }
  async lines(line) {
    await this.ok(line);
    const out = [];
    for (;;) {
      const l = await this.io.line();
      assert.notEqual(l, null, 'cut off');
      if (l === '.') return out;
      out.push(l.startsWith('.') ? l.slice(1) : l);
    }
  }
  async retr(n) { return Buffer.from((await this.lines(`RETR ${n}`)).map((l) => `${l}\r\n`).join(''), 'latin1'); }
}

test("Python's poplib: STLS, UIDL, RETR, TOP, DELE", async (t) => {
  const a = await service.alias();
  for (let i = 1; i <= 3; i++) await service.deliver(a.address, sample(i));
  const script = `
import poplib, ssl, sys
host, port, user, password = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.stdin.readline().strip()
ctx = ssl._create_unverified_context()
p = poplib.POP3(host, port); assert 'STLS' in p.capa(); p.stls(ctx); p.user(user); p.pass_(password)
assert p.stat()[0] == 3
ids = [l.split()[1] for l in p.uidl()[1]]; assert len(set(ids)) == 3
body = b'\\r\\n'.join(p.retr(2)[1]); assert b'Letter number 2' in body
assert b'Letter number 1' in b'\\r\\n'.join(p.top(1, 0)[1])
p.dele(2); p.quit()
p = poplib.POP3_SSL(host, int(sys.argv[4]), context=ctx); p.user(user); p.pass_(password)
assert [l.split()[1] for l in p.uidl()[1]] == [ids[0], ids[2]]
p.quit(); print('fine')
`;
  const r = await run('python3', ['-c', script, '127.0.0.1', String(service.ports.pop3), a.address, String(service.ports.pop3s)], { input: `${a.password}\n` });
  if (r.missing) return t.skip('python3 is not installed');
  assert.equal(r.stdout.trim(), 'fine', r.stderr);
});

test('curl reads by POP3S and by STLS', async (t) => {
  const a = await service.alias();
  const body = sample(7);
  await service.deliver(a.address, body);
  const config = path.join(service.dir, 'curlrc-pop3');
  await writeFile(config, `user = "${a.address}:${a.password}"\n`, { mode: 0o600 });
  const tls = await run('curl', ['-sS', '-k', '-K', config, `pop3s://127.0.0.1:${service.ports.pop3s}/1`]);
  if (tls.missing) return t.skip('curl is not installed');
  assert.ok(tls.stdout.endsWith(body.toString()), tls.stderr);
  const stls = await run('curl', ['-sS', '-k', '--ssl-reqd', '-K', config, `pop3://127.0.0.1:${service.ports.pop3}/`]);
  assert.match(stls.stdout, /^1 \d+\r\n/, stls.stderr);
});

test('fetchmail takes everything and leaves nothing', async (t) => {
  const a = await service.alias();
  for (let i = 1; i <= 4; i++) await service.deliver(a.address, sample(i));
  const rc = path.join(service.dir, 'fetchmailrc');
  const box = path.join(service.dir, 'fetched');
  await writeFile(rc, `poll 127.0.0.1 service ${service.ports.pop3s} proto pop3 user "${a.address}" password "${a.password}" `
    + `ssl no sslcertck mda "/bin/sh -c 'cat >> ${box}'" fetchall no keep\n`);
  await chmod(rc, 0o600);
  const r = await run('fetchmail', ['-f', rc, '--pidfile', path.join(service.dir, 'fetchmail.pid'), '-i', path.join(service.dir, 'fetchids')],
    { env: { FETCHMAILHOME: service.dir, HOME: service.dir } });
  if (r.missing) return t.skip('fetchmail is not installed');
  assert.equal(r.code, 0, r.stderr + r.stdout);
  const text = await readFile(box, 'latin1');
  for (let i = 1; i <= 4; i++) assert.ok(text.includes(`Letter number ${i}`));
  const c = await Pop3.open(a);
  assert.match(await c.cmd('STAT'), /^\+OK 0 0/);
  await c.ok('QUIT');
});

test('mpop into a Maildir, by UIDL', async (t) => {
  const a = await service.alias();
  const home = path.join(service.dir, 'mpop');
  await mkdir(home, { recursive: true });
  for (const d of ['cur', 'new', 'tmp']) await mkdir(path.join(home, 'Maildir', d), { recursive: true });
  for (let i = 1; i <= 3; i++) await service.deliver(a.address, sample(i));
  const rc = path.join(home, 'mpoprc');
  await writeFile(rc, `account default\nhost 127.0.0.1\nport ${service.ports.pop3s}\ntls on\ntls_starttls off\ntls_certcheck off\nauth plain\n`
    + `user ${a.address}\npasswordeval cat ${home}/pw\nkeep on\nuidls_file ${home}/uidls\ndelivery maildir ${home}/Maildir\n`, { mode: 0o600 });
  await writeFile(path.join(home, 'pw'), `${a.password}\n`, { mode: 0o600 });
  for (const expected of [3, 3]) { // the second run knows them all
    const r = await run('mpop', ['-C', rc], { env: { HOME: home } });
    if (r.missing) return t.skip('mpop is not installed');
    assert.equal(r.code, 0, r.stderr + r.stdout);
    assert.equal((await readdir(path.join(home, 'Maildir', 'new'))).length, expected);
  }
});

test('UIDL stays through sessions, and through moves away and back', async () => {
  const a = await service.alias();
  for (let i = 1; i <= 3; i++) await service.deliver(a.address, sample(i));
  const ids = async () => {
    const c = await Pop3.open(a);
    const list = (await c.lines('UIDL')).map((l) => l.split(' ')[1]);
    await c.ok('QUIT');
    return list;
  };
  const before_ = await ids();
  const c = await service.imap(a);
  await c.cmd('SELECT INBOX');
  await c.cmd('MOVE 2 Archive');
  assert.deepEqual(await ids(), [before_[0], before_[2]]);
  await c.cmd('SELECT Archive');
  await c.cmd('MOVE 1 INBOX');
  await c.logout();
  assert.deepEqual((await ids()).sort(), before_.sort());
});

test('every byte comes back', async (t) => {
  const a = await service.alias();
  const share = existsSync(corpus) ? (await readdir(corpus, { recursive: true })).filter((f) => /\/share\/.*\.eml$/.test(f)).sort() : [];
  if (!share.length) t.diagnostic('no corpus: samples of our own only');
  const step = Math.max(1, Math.floor(share.length / SHARE));
  const messages = [sample(1), Buffer.from('.\r\n\r\n.\r\n..\r\n.x\r\n'), Buffer.from('A: b\r\n\r\nno line end'), sample(2, 300000)];
  for (let i = 0; i < share.length; i += step) messages.push(crlf(await readFile(path.join(corpus, share[i]))));
  const c = await service.imap(a);
  const taken = [];
  for (const m of messages) {
    const r = await c.cmd(['APPEND INBOX ', m], { ok: false });
    if (/ OK /.test(r.at(-1))) taken.push(m);
  }
  await c.logout();
  assert.ok(taken.length > messages.length * 0.9, `${taken.length} of ${messages.length} were taken`);
  const p = await Pop3.open(a);
  for (const [i, m] of taken.entries()) {
    const whole = m.subarray(-2).equals(Buffer.from('\r\n')) ? m : Buffer.concat([m, Buffer.from('\r\n')]);
    assert.match(await p.cmd(`LIST ${i + 1}`), new RegExp(`^\\+OK ${i + 1} ${m.length}$`));
    assert.ok((await p.retr(i + 1)).equals(whole), `message ${i + 1}`);
  }
  t.diagnostic(`${taken.length} messages`);
  await p.ok('QUIT');
});

test('a store that dies under a session: deleted messages go at QUIT all the same, once', async () => {
  const a = await service.alias();
  for (let i = 1; i <= 3; i++) await service.deliver(a.address, sample(i));
  const c = await Pop3.open(a);
  await c.ok('DELE 2');
  assert.equal(await service.kill('store'), 1);
  assert.ok((await c.retr(1)).includes('Letter number 1'));
  await c.ok('QUIT');
  const again = await Pop3.open(a);
  assert.match(await again.cmd('STAT'), /^\+OK 2 /);
  await again.ok('QUIT');
});

test('revoking a password ends the session', async () => {
  const a = await service.alias();
  const c = await Pop3.open(a);
  const more = (await service.ctl(['alias', 'password', a.address, '--current'], { input: `${a.password}\n` })).stdout.trim();
  await service.ctl(['alias', 'password', a.address, '--revoke', '1', '--current'], { input: `${more}\n` });
  assert.match(await c.io.line(), /^-ERR \[AUTH\]/);
  assert.equal(await c.io.line(), null);
});

test('pop3.delete = trash keeps what was deleted', async () => {
  const s = await Service.start({ pop3: true, env: { LETTERLOCK_POP3_DELETE: 'trash', LETTERLOCK_POP3_LOGIN_DELAY: '60000' } });
  const was = service;
  service = s;
  try {
    const a = await s.alias();
    await s.deliver(a.address, sample(1));
    const c = await Pop3.open(a);
    await c.ok('DELE 1');
    await c.ok('QUIT');
    const i = await s.imap(a);
    assert.ok((await i.cmd('STATUS Trash (MESSAGES)')).some((l) => l.includes('MESSAGES 1')));
    await i.logout();
    const soon = await Pop3.open(a, { login: false });
    await soon.ok(`USER ${a.address}`);
    assert.match(await soon.cmd(`PASS ${a.password}`), /^-ERR \[LOGIN-DELAY\]/);
  } finally {
    service = was;
    await s.stop();
  }
});

test('what came while nobody was here is in the first maildrop, all of it', async () => {
  const a = await service.alias();
  for (let i = 1; i <= 120; i++) await service.deliver(a.address, sample(i)); // many batches, more than a login waits for by itself
  const c = await Pop3.open(a);
  assert.match(await c.cmd('STAT'), /^\+OK 120 /);
  await c.ok('QUIT');
});
