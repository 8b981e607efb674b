// Each role under a user of its own: whose files are whose, what one role's user can do to another's, and
// what `status` says. Needs root, and users that every Debian has.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { Scanners } from '../lib/scanners.mjs';
import { Service, freePort, until } from '../lib/service.mjs';

const users = { store: 'daemon', directory: 'bin', content: 'nobody', imap: 'games', pop3: 'man', mx: 'mail', resolver: 'news', courier: 'uucp', relay: 'proxy', monitor: 'list', jobs: 'irc', filter: 'www-data' };
const ids = (name) => ({
  uid: Number(execFileSync('id', ['-u', name], { encoding: 'utf8' })), gid: Number(execFileSync('id', ['-g', name], { encoding: 'utf8' })),
});
const missing = Object.values(users).filter((u) => spawnSync('id', [u]).status !== 0);
const why = process.getuid() !== 0 ? 'only root starts roles as other users' : missing.length ? `no user ${missing}`
  : spawnSync('setpriv', ['true']).status !== 0 ? 'no setpriv' : false;
if (why) console.log(`# SKIPPED: ${why}`);

let service, scanners, alias, key;
const data = (...p) => path.join(service.dir, 'data', ...p);
const set = (values) => { for (const r of Object.keys(users)) service.env[`LETTERLOCK_${r.toUpperCase()}_USER`] = values[r] ?? ''; };
const ready = () => until('every role', 10000, async () => {
  const s = await service.status();
  return s.roles.every((r) => r.state === 'ready') ? s : null;
});
function* below(dir) {
  for (const e of readdirSync(dir, { withFileTypes: true })) {
    yield path.join(dir, e.name);
    if (e.isDirectory()) yield* below(path.join(dir, e.name));
  }
}
const ofStore = () => [...below(data('mailboxes')), data('mailboxes')];
const ofDirectory = () => readdirSync(data()).filter((f) => f.startsWith('directory.')).map((f) => data(f));
async function letters(n) {
  const c = await service.imap(alias);
  const r = await c.cmd('SELECT INBOX');
  await c.logout();
  assert.ok(r.some((l) => l === `* ${n} EXISTS`), `${n} letters`);
}

before(async () => {
  if (why) return;
  scanners = await Scanners.start({ clamd: await freePort(), rspamd: await freePort() });
  const [clamd, rspamd] = [scanners.clamd, scanners.rspamd].map((s) => `127.0.0.1:${s.address().port}`);
  service = await Service.start({ pop3: true, serve: false, env: { LETTERLOCK_MX_CLAMAV: clamd, LETTERLOCK_MX_RSPAMD: rspamd, LETTERLOCK_MX_SPAM_EXEMPT: '', LETTERLOCK_MX_AUTH_CHECKS: 'no' } }); // by root alone: files are root's until roles have users
  chmodSync(service.dir, 0o711);
  key = path.join(service.dir, 'server.key');
  alias = await service.alias();
  set(users);
  await service.serve();
});
after(async () => { await service?.stop(); await scanners?.stop(); });

test('each role runs as its user, and nobody else', { skip: why }, async () => {
  const s = await ready();
  assert.equal(s.own_users, true);
  for (const r of s.roles) {
    const { uid, gid } = ids(users[r.name]);
    const status = readFileSync(`/proc/${r.pid}/status`, 'utf8');
    const of = (k) => new RegExp(`^${k}:[ \\t]*(.*?)[ \\t]*$`, 'm').exec(status)[1];
    assert.equal(r.user, users[r.name]);
    assert.equal(of('Uid'), `${uid}\t${uid}\t${uid}\t${uid}`, r.name);
    assert.equal(of('Gid'), `${gid}\t${gid}\t${gid}\t${gid}`, r.name);
    assert.equal(of('Groups'), ['directory', 'courier', 'monitor'].includes(r.name) ? `${ids(users.store).gid}` : '', r.name);
    assert.equal(of('CapPrm'), '0000000000000000', r.name);
  }
  assert.doesNotMatch((await service.ctl(['status'])).stdout, /share/);
});

test('the supervisor keeps what it needs to start and end them', { skip: why }, async () => {
  const s = await ready();
  const status = readFileSync(`/proc/${s.pid}/status`, 'utf8');
  const caps = BigInt(`0x${/^CapPrm:\s*(\S+)/m.exec(status)[1]}`);
  if (s.roles[0].sandbox === 'relaxed') return; // a sanitizer build keeps all
  assert.equal(caps, (1n << 1n) | (1n << 5n) | (1n << 6n) | (1n << 7n)); // DAC_OVERRIDE, KILL, SETGID, SETUID
});

test('files: store and directory own theirs, and mail goes in and out', { skip: why }, async () => {
  await service.deliver(alias.address, Buffer.from('Subject: one\r\n\r\ntext\r\n'));
  await letters(1);
  assert.ok(scanners.seen.length === 1 && scanners.url, 'both scanners were asked');
  const folder = statSync(data());
  assert.equal(folder.uid, 0);
  assert.equal(folder.gid, ids(users.store).gid);
  assert.equal(folder.mode & 0o7777, 0o1770);
  for (const [role, list] of [['store', ofStore()], ['directory', ofDirectory()]]) {
    // a mailbox that closes takes its -wal and -shm away
    const there = list.map((f) => [f, statSync(f, { throwIfNoEntry: false })]).filter(([, st]) => st);
    assert.ok(there.length > 0, role);
    for (const [f, st] of there) {
      assert.equal(st.uid, ids(users[role]).uid, f);
      assert.equal(st.mode & 0o077, 0, f);
    }
  }
});

test("no role's user can read, rename or remove another's files, or the server key", { skip: why }, () => {
  const mailbox = ofStore().find((f) => f.endsWith('.sqlite')), directory = data('directory.sqlite');
  const as = (role, ...cmd) => {
    const { uid, gid } = ids(users[role]);
    const groups = role === 'directory' ? [`--groups=${ids(users.store).gid}`] : ['--clear-groups'];
    return spawnSync('setpriv', [`--reuid=${uid}`, `--regid=${gid}`, ...groups, ...cmd]).status;
  };
  assert.equal(as('store', 'cat', mailbox), 0, 'the way there is open');
  assert.equal(as('directory', 'cat', directory), 0, 'the way there is open');
  for (const role of Object.keys(users)) {
    const others = [role !== 'store' && mailbox, role !== 'store' && data('mailboxes'), role !== 'directory' && directory, data('lock'), key];
    for (const f of others.filter(Boolean)) {
      assert.notEqual(as(role, statSync(f).isDirectory() ? 'ls' : 'cat', f), 0, `${role} reads ${f}`);
      assert.notEqual(as(role, 'mv', f, `${f}.gone`), 0, `${role} renames ${f}`);
      assert.notEqual(as(role, 'rm', '-rf', f), 0, `${role} removes ${f}`);
    }
  }
});

test('another server key: each part as the user whose files they are', { skip: why }, async () => {
  await service.deliver(alias.address, Buffer.from('Subject: two\r\n\r\nsealed\r\n'));
  await service.stop({ keep: true });
  service.exit = undefined;
  await service.ctl(['server-key', 'rotate']);
  for (const f of ofStore()) assert.equal(statSync(f).uid, ids(users.store).uid, f);
  for (const f of ofDirectory()) assert.equal(statSync(f).uid, ids(users.directory).uid, f);
  assert.equal(statSync(key).uid, 0);
  await service.serve();
  await letters(2);
});

test('a server key that belongs to a role is refused', { skip: why }, async () => {
  await service.stop({ keep: true });
  service.exit = undefined;
  chownSync(key, ids(users.imap).uid, 0);
  const r = await service.ctl(['serve'], { ok: false });
  chownSync(key, 0, 0);
  assert.equal(r.code, 78, r.stderr);
  assert.match(r.stderr, /belongs to a user that a role runs as/);
});

test('one user for all again: files follow, and status says so', { skip: why }, async () => {
  set({});
  service.env.LETTERLOCK_SERVER_USER = 'nobody';
  await service.serve();
  const s = await ready();
  assert.equal(s.own_users, false);
  assert.match((await service.ctl(['status'])).stdout, /All roles share one user/);
  assert.equal(statSync(data()).mode & 0o7777, 0o700);
  for (const f of [data(), ...ofStore(), ...ofDirectory()]) assert.equal(statSync(f).uid, ids('nobody').uid, f);
  await letters(2);
});
