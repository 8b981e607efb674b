// Other people's programs bring mail: swaks, Postfix's smtp-source, a Postfix that relays to us by SMTP and by LMTP and an Exim
// (which speaks BDAT) while roles of ours are killed. Debian's Exim and Postfix cannot both be installed: EXIM names one that is elsewhere. What is not installed is skipped, and says so.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Service, Smtp, dial, freePort, sample, sleep, until } from '../lib/service.mjs';

let service, dir;
before(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'letterlock-peers-'));
  await chmod(dir, 0o755);
  service = await Service.start({ env: { LETTERLOCK_MX_LMTP_SOCKET: path.join(dir, 'lmtp.sock'), LETTERLOCK_MX_LMTP_MODE: '0666' } });
});
after(async () => { await service?.stop(); await rm(dir, { recursive: true, force: true, maxRetries: 10 }); /* Exim may still be writing */ });

const program = (...names) => names.find((n) => existsSync(n));
const SWAKS = program('/usr/bin/swaks'), SOURCE = program('/usr/sbin/smtp-source'), POSTFIX = process.getuid() === 0 && program('/usr/sbin/postfix');
const EXIM = process.getuid() === 0 && program(process.env.EXIM ?? '/usr/sbin/exim4', '/usr/local/sbin/exim4');
const run = (file, args) => new Promise((resolve) => {
  execFile(file, args, { timeout: 60000 }, (e, stdout, stderr) => resolve({ code: e ? e.code ?? -1 : 0, text: stdout + stderr }));
});
async function messages(alias, want) {
  const c = await service.imap(alias);
  try {
    let bodies;
    await until(`${want} messages`, 60000, async () => {
      const n = Number(/^\* (\d+) EXISTS/m.exec((await c.cmd('SELECT INBOX')).join('\n'))?.[1] ?? 0);
      if (n < want) return false;
      c.literals.length = 0;
      await c.cmd('FETCH 1:* BODY.PEEK[]', { ms: 30000 });
      bodies = c.literals.map((b) => b.toString('latin1'));
      return true;
    });
    return bodies;
  } finally { await c.logout(); }
}

test('swaks: plain, pipelined, over TLS with an attachment, refused', { skip: SWAKS ? false : 'swaks is not installed' }, async () => {
  const a = await service.alias(), file = path.join(dir, 'letter');
  const to = (...more) => run(SWAKS, ['--server', '127.0.0.1', '--port', String(service.ports.mx), '--from', 'ann@example.net', '--to', a.address, ...more]);
  await writeFile(file, sample(7, 4000));
  for (const more of [['--data', `@${file}`], ['--pipeline'], ['--tls', '--attach', `@${file}`]]) {
    const r = await to(...more);
    assert.equal(r.code, 0, r.text);
  }
  assert.equal((await run(SWAKS, ['--server', '127.0.0.1', '--port', String(service.ports.mx), '--from', 'ann@example.net', '--to', 'nobody@example.test'])).code, 24);
  const all = await messages(a, 3);
  assert.equal(all.length, 3);
  const body = sample(7, 4000).toString('latin1').split('\r\n\r\n').slice(1).join('\r\n\r\n').trimEnd();
  assert.ok(all.some((b) => b.includes(body)), 'its text as it was');
});

test('smtp-source: 300 messages over 20 connections', { skip: SOURCE ? false : 'smtp-source (postfix) is not installed' }, async () => {
  const a = await service.alias();
  const r = await run(SOURCE, ['-s', '20', '-m', '300', '-l', '3000', '-f', 'load@example.net', '-t', a.address, `inet:127.0.0.1:${service.ports.mx}`]);
  assert.equal(r.code, 0, r.text);
  assert.equal((await messages(a, 300)).length, 300);
});

// A Postfix of its own that takes what it is told for example.test and passes it on by `transport`.
async function postfix(name, transport) {
  const base = path.join(dir, name), etc = path.join(base, 'etc'), port = await freePort();
  for (const d of ['etc', 'spool', 'data']) await mkdir(path.join(base, d), { recursive: true });
  for (const f of ['postfix-files', 'dynamicmaps.cf', 'postfix-files.d', 'dynamicmaps.cf.d'])
    if (existsSync(`/etc/postfix/${f}`)) await cp(`/etc/postfix/${f}`, path.join(etc, f), { recursive: true });
  execFileSync('chown', ['postfix', path.join(base, 'data')]);
  await writeFile(path.join(etc, 'main.cf'), `compatibility_level = 3.6
queue_directory = ${base}/spool
data_directory = ${base}/data
maillog_file = ${base}/log
maillog_file_prefixes = ${base}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = relay.example.net
mydestination =
mynetworks = 127.0.0.0/8
always_add_missing_headers = yes
relay_domains = example.test
relay_transport = ${transport}
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
transport_retry_time = 1s
relay_destination_concurrency_limit = 10
`);
  const service = (n, type, command) => `${n} ${type} ${command}`;
  await writeFile(path.join(etc, 'master.cf'), [
    service(`127.0.0.1:${port}`, 'inet n - n - -', 'smtpd'), service('pickup', 'unix n - n 60 1', 'pickup'), service('cleanup', 'unix n - n - 0', 'cleanup'),
    service('qmgr', 'unix n - n 1 1', 'qmgr'), service('tlsmgr', 'unix - - n 1000? 1', 'tlsmgr'), service('rewrite', 'unix - - n - -', 'trivial-rewrite'),
    ...['bounce', 'defer', 'trace'].map((n) => service(n, 'unix - - n - 0', 'bounce')), service('proxymap', 'unix - - n - -', 'proxymap'),
    ...['smtp', 'lmtp', 'error', 'discard'].map((n) => service(n, 'unix - - n - -', n)), service('retry', 'unix - - n - -', 'error'),
    service('anvil', 'unix - - n - 1', 'anvil'), service('scache', 'unix - - n - 1', 'scache'), service('postlog', 'unix-dgram n - n - 1', 'postlogd'), ''].join('\n'));
  const r = await run('/usr/sbin/postfix', ['-c', etc, 'start']);
  await until('Postfix', 10000, async () => /daemon started/.test(await readFile(path.join(base, 'log'), 'latin1').catch(() => '')));
  assert.equal(r.code, 0, r.text);
  return { port, log: () => readFile(path.join(base, 'log'), 'latin1'), stop: () => run('/usr/sbin/postfix', ['-c', etc, 'stop']) };
}

for (const [name, transport] of [['SMTP', () => `smtp:[127.0.0.1]:${service.ports.mx}`], ['LMTP', () => `lmtp:unix:${path.join(dir, 'lmtp.sock')}`]]) {
  test(`Postfix relays by ${name} while roles are killed: every message once`, { skip: POSTFIX && SOURCE ? false : 'Postfix is not installed, or this is not root' }, async () => {
    const a = await service.alias(), peer = await postfix(name, transport());
    try {
      const sending = run(SOURCE, ['-s', '5', '-m', '150', '-l', '3000', '-f', 'relay@example.net', '-t', a.address, `inet:127.0.0.1:${peer.port}`]);
      for (const role of ['store', 'mx', 'directory', 'content', 'store']) {
        await sleep(300);
        await service.kill(role);
      }
      const r = await sending;
      assert.equal(r.code, 0, r.text);
      const ids = (await messages(a, 150)).map((b) => /^Message-ID: (\S+)/im.exec(b)[1]);
      assert.equal(new Set(ids).size, 150, await peer.log());
      assert.equal(ids.length, 150, 'none twice');
      assert.doesNotMatch(await peer.log(), /status=bounced/);
    } finally { await peer.stop(); }
  });
}

// An Exim of its own that takes what it is told and passes it on to our mx, and comes again every second.
async function exim() {
  const base = path.join(dir, 'exim'), conf = path.join(base, 'conf'), port = await freePort();
  for (const d of ['spool', 'log']) await mkdir(path.join(base, d), { recursive: true });
  await writeFile(conf, `primary_hostname = exim.example.net
exim_path = ${EXIM}
spool_directory = ${base}/spool
log_file_path = ${base}/log/%slog
pid_file_path = ${base}/pid
daemon_smtp_ports = ${port}
local_interfaces = 127.0.0.1
tls_advertise_hosts =
keep_environment =
smtp_accept_queue_per_connection = 0
acl_smtp_rcpt = take
begin acl
take:
  accept
begin routers
on:
  driver = manualroute
  route_list = * 127.0.0.1 byname
  self = send
  transport = smtp
begin transports
smtp:
  driver = smtp
  port = ${service.ports.mx}
  allow_localhost
  hosts_avoid_tls = *
begin retry
* * F,1h,1s
`, { mode: 0o644 });
  for (const d of ['spool', 'log']) execFileSync('chown', ['Debian-exim', path.join(base, d)]);
  const child = spawn(EXIM, ['-C', conf, '-bdf', '-q1s'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '', ended = false;
  for (const s of [child.stdout, child.stderr]) s.on('data', (d) => { said += d; });
  const gone = new Promise((r) => { child.on('exit', () => { ended = true; r(); }); });
  await until('Exim', 20000, async () => { assert.equal(ended, false, said); try { (await dial(port)).end(); return true; } catch { return false; } });
  return { port, log: () => readFile(path.join(base, 'log', 'mainlog'), 'latin1'), stop: async () => { child.kill(); await gone; } };
}

test('Exim relays while roles are killed: every message once', { skip: EXIM ? false : 'Exim is not installed, or this is not root' }, async () => {
  const a = await service.alias(), peer = await exim(), want = Array.from({ length: 60 }, (_, i) => `<${i}@exim.test>`);
  const send = async (ids) => {
    const c = new Smtp(await dial(peer.port));
    await c.reply();
    await c.cmd('EHLO client.example.net');
    for (const id of ids) assert.equal((await c.send('relay@example.net', a.address, Buffer.from(`From: relay@example.net\r\nMessage-ID: ${id}\r\n\r\n${'0123456789\r\n'.repeat(300)}`), 60000)).code, 250);
    c.end();
  };
  try {
    const sending = Promise.all([0, 1, 2].map((k) => send(want.filter((_, i) => i % 3 === k))));
    for (const role of ['store', 'mx', 'directory', 'store']) {
      await sleep(300);
      await service.kill(role);
    }
    await sending;
    const ids = (await messages(a, want.length)).map((b) => /^Message-ID: (\S+)/im.exec(b)[1]);
    assert.deepEqual(ids.sort(), want.sort(), await peer.log());
    assert.doesNotMatch(await peer.log(), / \*\* /, 'Exim gave nothing up');
    assert.match(await peer.log(), / => .* K /, 'it spoke BDAT');
  } finally { await peer.stop(); }
});
