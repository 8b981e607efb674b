// The sandbox of every live role, tried from inside: a system call is put into the running process
// (test/tools/inject.c), as somebody would make it who had taken the role over.
import { test, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Scanners } from '../lib/scanners.mjs';
import { Service, build, freePort, until } from '../lib/service.mjs';

const K = 'KILLED', EACCES = 'E13', EBADF = 'E9', ENOTSOCK = 'E88', OK = 'OK';
const roles = ['store', 'directory', 'content', 'imap', 'mx', 'resolver', 'courier', 'relay', 'jobs', 'filter'];
// What comes of a call, in the order of `roles`; one word: in each of them.
const table = {
  // the network: nobody makes a socket but resolver, relay and filter, of the Internet and no other (the filter's scanner has a path here), and they listen nowhere (descriptor 0 is
  // none to connect); who may accept gets as far as "no such descriptor"
  'socket-inet': [K, K, K, K, K, OK, K, OK, K, OK], 'socket-unix': [K, K, K, K, K, K, K, K, K, OK], 'socket-packet': K, connect: [K, K, K, K, K, ENOTSOCK, K, ENOTSOCK, K, ENOTSOCK], bind: K, listen: K,
  accept: [EBADF, EBADF, K, EBADF, EBADF, EBADF, EBADF, K, EBADF, K],
  // files: nothing outside the data folder, and for those without files nothing at all
  'open-passwd': EACCES, 'open-tls-key': EACCES, 'open-server-key': EACCES, 'open-proc-maps': EACCES, 'create-outside': EACCES,
  'open-data': [OK, OK, EACCES, EACCES, EACCES, EACCES, OK, EACCES, EACCES, EACCES],
  'rename-outside': [EACCES, EACCES, K, K, K, K, EACCES, K, K, K], 'unlink-outside': [EACCES, EACCES, K, K, K, K, EACCES, K, K, K],
  symlink: K, mknod: K, chmod: K, chroot: K, mount: K,
  // other programs and processes
  execve: K, fork: K, 'new-namespace': K, 'ptrace-parent': K, 'kill-parent': K, 'read-parent': K,
  // code that was not in the program; what would undo the rest; large corners of the kernel
  'executable-memory': K, 'make-executable': K, dumpable: K, setuid: K, io_uring: K, bpf: K, keyctl: K, userfaultfd: K,
  mlock: [OK, K, K, K, K, K, K, K, K, K],
  // the tool itself: an allowed call goes through, and the role lives on
  getpid: OK,
};

const tool = path.join(build, 'test/tools/inject'), outside = '/tmp/letterlock-injected';
const scanners = await Scanners.start({ clamd: path.join(mkdtempSync('/tmp/letterlock-'), 'clamd'), rspamd: await freePort() });
const service = await Service.start({ env: {
  LETTERLOCK_MX_CLAMAV: scanners.clamd.address(), LETTERLOCK_MX_RSPAMD: `127.0.0.1:${scanners.rspamd.address().port}`, LETTERLOCK_MX_SPAM_EXEMPT: '', LETTERLOCK_MX_AUTH_CHECKS: 'no',
} });
after(async () => {
  rmSync(outside, { force: true });
  await service.stop();
  const dir = path.dirname(scanners.clamd.address());
  await scanners.stop();
  rmSync(dir, { recursive: true });
});
const ready = () => until('every role', 10000, async () => {
  const s = await service.status();
  return s.roles.every((r) => r.state === 'ready') ? Object.fromEntries(s.roles.map((r) => [r.name, r])) : null;
});
const first = await ready();
const probe = spawnSync(tool, [String(first.mx.pid), 'getpid'], { encoding: 'utf8' });
const why = !Object.values(first).every((r) => r.seccomp && r.landlock_abi > 0) ? 'no sandbox here (a sanitizer build, or the kernel)'
  : probe.status === 77 ? `cannot look inside: ${probe.stdout.trim()}` : probe.status !== 0 ? `${probe.error ?? probe.stderr}` : false;
if (why) console.log(`# SKIPPED: ${why}`);

test('the kernel says so: seccomp, no new privileges, no rights of root', { skip: why }, () => {
  for (const [name, r] of Object.entries(first)) {
    const status = readFileSync(`/proc/${r.pid}/status`, 'utf8');
    const of = (key) => new RegExp(`^${key}:\\s*(\\S+)`, 'm').exec(status)?.[1];
    assert.equal(of('Seccomp'), '2', name);
    assert.equal(of('NoNewPrivs'), '1', name);
    const caps = BigInt(`0x${of('CapEff')}`) | BigInt(`0x${of('CapPrm')}`);
    const files = ['store', 'directory', 'courier', 'monitor'].includes(name); // as root, they open what another user left in the data folder
    assert.equal(caps & ~(files ? 2n : 0n), 0n, `${name} ${of('CapEff')}`);
    for (const task of execFileSync('ls', [`/proc/${r.pid}/task`], { encoding: 'utf8' }).trim().split('\n'))
      assert.match(readFileSync(`/proc/${r.pid}/task/${task}/status`, 'utf8'), /^Seccomp:\s*2$/m, `${name}, thread ${task}`);
  }
});

test('what a role must not do is refused, or ends it', { skip: why, timeout: 180000 }, async () => {
  assert.deepEqual(execFileSync(tool, ['--list'], { encoding: 'utf8' }).trim().split('\n').sort(), Object.keys(table).sort());
  for (const [call, outcome] of Object.entries(table)) {
    const live = await ready();
    writeFileSync(outside, 'as it was');
    roles.forEach((role, i) => {
      const want = Array.isArray(outcome) ? outcome[i] : outcome;
      const got = execFileSync(tool, [String(live[role].pid), call], { encoding: 'utf8' }).trim();
      assert.equal(got.split(' ')[0], want, `${call} in ${role}: ${got}`);
    });
    assert.equal(readFileSync(outside, 'utf8'), 'as it was');
    if ([].concat(outcome).includes(K)) {
      await until('the alarm', 3000, () => /role_broke_sandbox/.test(service.log));
      await service.restart(); // no back-off to wait for
      service.log = '';
    }
  }
  console.log(`# ${Object.keys(table).length} calls in each of ${roles.length} live roles`);
});

test('after all that the service serves', { skip: why }, async () => {
  await ready();
  const a = await service.alias();
  await service.deliver(a.address, Buffer.from('Subject: one\r\n\r\ntext\r\n'));
  assert.ok(scanners.seen.length > 0 && scanners.url, 'the scanners were asked');
  const c = await service.imap(a);
  await c.cmd('SELECT INBOX');
  await c.logout();
});
