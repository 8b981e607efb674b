// The command line, the supervisor and the directory, as their users meet them.
import { test, before, after, afterEach } from 'node:test';
import assert from 'node:assert/strict';
import { spawn, execFile } from 'node:child_process';
import { mkdtemp, rm, readFile, writeFile, chmod, stat } from 'node:fs/promises';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { binary, freePort, root, until } from '../lib/service.mjs';

const EX = { USAGE: 64, DATAERR: 65, NOINPUT: 66, NOUSER: 67, NOHOST: 68, UNAVAILABLE: 69, CANTCREAT: 73, TEMPFAIL: 75,
             NOPERM: 77, CONFIG: 78 };
let dir, env;

before(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'letterlock-ctl-with-a-rather-long-name-so-that-sun_path-would-not-hold-it-'));
  env = {
    PATH: process.env.PATH,
    ...(process.env.ASAN_OPTIONS && { ASAN_OPTIONS: process.env.ASAN_OPTIONS }),
    LETTERLOCK_CONFIG: path.join(dir, 'letterlock.conf'),
    LETTERLOCK_IMAP_LISTEN: `127.0.0.1:${await freePort()}`,
    LETTERLOCK_IMAP_TLS_LISTEN: `127.0.0.1:${await freePort()}`,
    LETTERLOCK_MX_LISTEN: `127.0.0.1:${await freePort()}`,
  };
});
after(() => rm(dir, { recursive: true, force: true }));
// A test that failed leaves its service behind; the next one must find the folder free.
const services = new Set();
afterEach(async () => {
  for (const p of services) {
    if (!p.exit) p.kill('SIGKILL');
    await p.ended;
  }
  services.clear();
});

function run(args, { input = '', more = {}, cwd = dir } = {}) {
  return new Promise((resolve) => {
    const p = execFile(binary, args, { env: { ...env, ...more }, cwd }, (e, stdout, stderr) => {
      resolve({ code: e ? e.code : 0, stdout, stderr });
    });
    p.stdin.on('error', () => {});
    p.stdin.end(input);
  });
}
async function ok(args, options) {
  const r = await run(args, options);
  assert.equal(r.code, 0, `letterlock ${args.join(' ')}: ${r.stderr}`);
  return r;
}
const json = async (args) => JSON.parse((await ok([...args, '--json'])).stdout);
const status = () => json(['status']);

async function serve(more = {}) {
  const p = spawn(binary, ['serve'], { env: { ...env, ...more }, cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
  services.add(p);
  p.log = '';
  p.stderr.on('data', (d) => { p.log += d; });
  p.ended = new Promise((r) => p.on('exit', (code, signal) => { p.exit = { code, signal }; r(p.exit); }));
  await until('serve', 20000, async () => {
    if (p.exit) throw new Error(`serve ended: ${JSON.stringify(p.exit)}\n${p.log}`);
    const r = await run(['status', '--json']);
    return r.code === 0 && JSON.parse(r.stdout).ready;
  });
  return p;
}
async function stop(p) {
  p.kill('SIGTERM');
  return p.ended;
}
// Not a zombie, not gone.
const alive = (pid) => {
  try { return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')); } catch { return false; }
};

test('help, version and usage', async () => {
  assert.match((await ok(['--version'])).stdout, /^letterlock \d+\.\d+\.\d+\n$/);
  assert.match((await ok(['--help'])).stdout, /alias password/);
  assert.match((await ok(['alias', 'password', '--help'])).stdout, /--start-over/);
  for (const args of [[], ['nonsense'], ['domain', 'add'], ['domain', 'add', 'a', 'b'], ['status', '--nonsense']])
    assert.equal((await run(args)).code, EX.USAGE, args.join(' '));
});

test('the man page has every command with all its options', async () => {
  const page = (await readFile(path.join(root, 'doc/letterlock.1'), 'utf8')).replace(/\\-/g, '-').replace(/\\f[BIRP]/g, '');
  const names = [...(await ok(['--help'])).stdout.matchAll(/^ {2}([a-z-]+(?: [a-z-]+)?) +/gm)].map((m) => m[1]);
  assert.ok(names.includes('import imap') && names.includes('demo'));
  for (const name of names) {
    const heads = new RegExp(`^\\.[BIRT]+ +"?${name.replace(' ', '[ "]+')}(?![a-z-])`, 'm');
    const text = page.split('\n.TP\n').filter((x) => heads.test(x)).join('\n');
    assert.ok(text, name);
    const options = (await ok(['help', ...name.split(' ')])).stdout.match(/(?<![\w-])--[a-z][a-z-]*/g);
    for (const o of options.filter((x) => x !== '--config')) assert.ok(text.includes(o), `${name} ${o}`);
  }
});

test('init makes a folder that nobody else can read, and never overwrites', async () => {
  const before = await run(['status']);
  assert.equal(before.code, EX.NOINPUT);
  assert.match(before.stderr, /letterlock\.conf/);
  await ok(['init', '--dir', dir, '--domain', 'example.test']);
  for (const f of ['server.key', 'tls/key.pem', 'letterlock.conf'])
    assert.equal((await stat(path.join(dir, f))).mode & 0o077, 0, f);
  const key = await readFile(path.join(dir, 'server.key'));
  assert.equal((await run(['init', '--dir', dir])).code, EX.CANTCREAT);
  assert.deepEqual(await readFile(path.join(dir, 'server.key')), key);
});

test('a copy of the server key under a passphrase, and the way back', async () => {
  const own = path.join(dir, 'copy'), file = (f) => path.join(own, f);
  const more = { LETTERLOCK_CONFIG: file('letterlock.conf') };
  const passphrase = 'quartz lantern 7 harbour weasel\n';
  const weak = await run(['init', '--dir', own, '--passphrase'], { input: 'password\n' });
  assert.equal(weak.code, EX.DATAERR);
  await assert.rejects(stat(own), 'nothing was made');
  assert.equal((await run(['init', '--dir', own, '--passphrase'])).code, EX.NOINPUT);
  await ok(['init', '--dir', own, '--passphrase'], { input: passphrase });
  const key = await readFile(file('server.key'), 'utf8'), copy = await readFile(file('server.key.copy'), 'utf8');
  assert.match(copy, /^LLSW1-/);
  assert.ok(!copy.includes(key.slice(6, 40)));
  const recover = (f, input) => run(['server-key', 'recover', file(f)], { input, more });
  assert.equal((await recover('server.key.copy', passphrase)).code, EX.CANTCREAT, 'a key that is there stays');
  await rm(file('server.key'));
  assert.equal((await recover('server.key.copy', 'another passphrase 99\n')).code, EX.NOPERM);
  await writeFile(file('damaged'), copy.replace(/[0-9a-f](?=-)/, (c) => (c === '0' ? '1' : '0')));
  assert.equal((await recover('damaged', passphrase)).code, EX.DATAERR);
  assert.equal((await recover('nothing', passphrase)).code, EX.NOINPUT);
  await assert.rejects(stat(file('server.key')));
  assert.equal((await recover('server.key.copy', passphrase)).code, 0);
  assert.equal(await readFile(file('server.key'), 'utf8'), key);
  assert.equal((await stat(file('server.key'))).mode & 0o077, 0);
  assert.equal((await run(['server-key', 'copy', file('server.key.copy')], { input: passphrase, more })).code, EX.CANTCREAT);
  await ok(['server-key', 'copy', file('second')], { input: passphrase, more });
  await rm(file('server.key'));
  assert.equal((await recover('second', passphrase)).code, 0);
  assert.equal(await readFile(file('server.key'), 'utf8'), key);
  await ok(['domain', 'list'], { more });
});

test('configuration that is wrong is refused with file, line and what was expected', async () => {
  const bad = async (text, expected) => {
    const file = path.join(dir, 'bad.conf');
    await writeFile(file, text);
    const r = await run(['serve', '--config', file]);
    assert.equal(r.code, EX.CONFIG);
    assert.match(r.stderr, expected);
  };
  await bad('[server]\nnonsense = 1\n', /bad\.conf:2: unknown key server\.nonsense/);
  await bad('[imap]\nworkers = 99\n', /bad\.conf:2: imap\.workers = 99: expected a number from 1 to 16/);
  await bad('[imap]\nworkers = 1\nworkers = 2\n', /bad\.conf:3: imap\.workers is given twice/);
  const r = await run(['serve'], { more: { LETTERLOCK_NO_SUCH: '1' } });
  assert.equal(r.code, EX.CONFIG);
  assert.match(r.stderr, /LETTERLOCK_NO_SUCH/);
  assert.match((await ok(['config'])).stdout, /^\[server\]\nhostname = mail\.example\.test\n/m);
});

test('a server key that others can read is refused', async () => {
  await chmod(path.join(dir, 'server.key'), 0o644);
  const r = await run(['serve']);
  assert.equal(r.code, EX.CONFIG);
  assert.match(r.stderr, /0600/);
  await chmod(path.join(dir, 'server.key'), 0o600);
});

test('commands work while the service is stopped, one after the other', async () => {
  assert.equal((await run(['status'])).code, EX.UNAVAILABLE);
  assert.deepEqual((await json(['domain', 'list'])).map((d) => d.domain), ['example.test']);
  await Promise.all([1, 2, 3, 4].map((n) => ok(['alias', 'add', `stopped${n}@example.test`])));
  assert.equal((await json(['alias', 'list'])).length, 4);
  assert.equal((await run(['status'])).code, EX.UNAVAILABLE, 'nothing stays behind');
  assert.equal((await run(['alias', 'add', 'x@elsewhere.test'])).code, EX.NOHOST);
  assert.equal((await run(['alias', 'add', 'STOPPED1@example.test'])).code, EX.DATAERR);
  assert.equal((await run(['alias', 'show', 'nobody@example.test'])).code, EX.NOUSER);
  assert.equal((await run(['alias', 'add', 'no address'])).code, EX.DATAERR);
});

test('help, and words that are no command', async () => {
  const group = await run(['alias']);
  assert.equal(group.code, EX.USAGE);
  assert.match(group.stderr, /^Usage: letterlock alias add ADDRESS\n {7}letterlock alias list/);
  for (const args of [['alias', '--help'], ['help', 'alias'], ['help'], ['--help'], ['help', 'alias', 'add'], ['status', '-h']]) {
    const r = await ok(args);
    assert.match(r.stdout, /^Usage: letterlock /, args.join(' '));
    assert.equal(r.stderr, '');
  }
  assert.equal((await run([])).code, EX.USAGE);
  assert.equal((await run(['frob'])).code, EX.USAGE);
  assert.match((await run(['status', '-x'])).stderr, /unknown option -x/);
});

test('--config before the command, and -- before words with dashes', async () => {
  const more = { LETTERLOCK_CONFIG: '/nowhere' };
  const c = env.LETTERLOCK_CONFIG;
  for (const args of [['--config', c, 'domain', 'list'], [`--config=${c}`, 'domain', 'list', '--'], ['domain', 'list', '--config', c]])
    assert.match((await ok(args, { more })).stdout, /^example\.test /);
  const folder = await run(['status', '--config', dir]);
  assert.equal(folder.code, EX.NOINPUT);
  assert.match(folder.stderr, /is a folder/);
  await ok(['alias', 'add', '--', '--dash@example.test']);
  await ok(['alias', 'remove', '--', '--dash@example.test']);
});

test('init with a name that is none makes nothing', async () => {
  const own = path.join(dir, 'bad-domain');
  for (const d of ['', 'a b', 'a\n[mx]', '[127.0.0.1]']) {
    assert.equal((await run(['init', '--dir', own, '--domain', d])).code, EX.DATAERR, JSON.stringify(d));
    await assert.rejects(stat(own));
  }
  const more = { LETTERLOCK_CONFIG: path.join(own, 'letterlock.conf') };
  await ok(['init', '--dir', own, '--domain', 'Bücher.example'], { more });
  assert.match(await readFile(more.LETTERLOCK_CONFIG, 'utf8'), /^hostname = mail\.xn--bcher-kva\.example$/m);
  assert.match((await ok(['domain', 'list'], { more })).stdout, /^xn--bcher-kva\.example /);
  await rm(own, { recursive: true });
});

test('the configuration in effect can be read again', async () => {
  const one = (await ok(['config'])).stdout;
  const file = path.join(dir, 'again.conf');
  await writeFile(file, one);
  assert.equal((await ok(['config', '--config', file])).stdout, one);
  assert.equal((await run(['config'], { more: { LETTERLOCK_SERVER_DATA_DIR: '' } })).code, EX.CONFIG);
  assert.equal((await run(['config'], { more: { LETTERLOCK_SERVER_HOSTNAME: 'a b' } })).code, EX.CONFIG);
});

test('status waits for nobody', async () => {
  const p = await serve();
  const store = (await status()).roles.find((r) => r.name === 'store').pid;
  process.kill(store, 'SIGSTOP');
  try {
    const s = await status();
    assert.equal(s.running, true);
    assert.equal(s.store, null);
  } finally {
    process.kill(store, 'SIGCONT');
  }
  process.kill(p.pid, 'SIGSTOP');
  try {
    assert.equal((await run(['status'])).code, EX.TEMPFAIL);
  } finally {
    process.kill(p.pid, 'SIGCONT');
  }
  await stop(p);
});

test('domains and aliases of a running service', async () => {
  const p = await serve();
  try {
    for (const name of ['localhost', '192.0.2.1', '12345', 'mail.7']) {
      const r = await run(['domain', 'add', name]);
      assert.equal(r.code, EX.DATAERR, name);
      assert.match(r.stderr, /two labels or more/);
    }
    await ok(['domain', 'add', 'Bücher.example']);
    assert.deepEqual((await json(['domain', 'list'])).map((d) => d.domain), ['example.test', 'xn--bcher-kva.example']);
    await ok(['alias', 'add', 'Zoë@bücher.example']);
    assert.equal((await json(['alias', 'show', 'ZOë@xn--bcher-kva.example'])).address, 'Zoë@xn--bcher-kva.example');
    assert.equal((await run(['domain', 'remove', 'bücher.example'])).code, EX.DATAERR);
    assert.equal((await run(['domain', 'remove', 'nowhere.example'])).code, EX.NOHOST);
    await ok(['alias', 'remove', 'zoë@bücher.example']);
    await ok(['domain', 'remove', 'bücher.example']);
    assert.equal((await json(['alias', 'list', '--domain', 'example.test'])).length, 4);
  } finally {
    assert.deepEqual(await stop(p), { code: 0, signal: null });
  }
});

test('status tells roles, confinement and listeners', async () => {
  const p = await serve({ LETTERLOCK_MX_RSPAMD: '127.0.0.1:11333' });
  // the service is ready without its resolver
  const s = await until('every role', 10000, async () => {
    const now = await status();
    return now.roles.every((r) => r.state === 'ready') && now;
  });
  assert.deepEqual([...new Set(s.roles.map((r) => r.name))].sort(), ['content', 'courier', 'directory', 'filter', 'imap', 'jobs', 'monitor', 'mx', 'relay', 'resolver', 'store']);
  for (const r of s.roles) {
    assert.equal(r.state, 'ready');
    assert.ok(alive(r.pid));
    if (r.sandbox === 'on') {
      const kernel = readFileSync(`/proc/${r.pid}/status`, 'utf8');
      assert.equal(r.seccomp, /^Seccomp:\s+2$/m.test(kernel), `${r.name} says what the kernel says`);
      assert.match(kernel, /^NoNewPrivs:\s+1$/m);
    }
  }
  assert.deepEqual(s.listeners.map((l) => l.key), ['imap.listen', 'imap.tls_listen', 'mx.listen']);
  for (const sock of ['status.sock', 'store.sock', 'directory.sock'])
    assert.equal((await stat(path.join(dir, 'run', sock))).mode & 0o777, 0o600);
  await stop(p);
});

test('a role has only the descriptors it was given, and an empty environment', async () => {
  const p = await serve();
  const s = await status();
  const mx = s.roles.find((r) => r.name === 'mx');
  if (s.roles.every((r) => r.sandbox === 'on')) {
    const environ = readFileSync(`/proc/${mx.pid}/environ`, 'utf8');
    assert.equal(environ, 'TZ=UTC0\0');
  }
  const targets = readdirSync(`/proc/${mx.pid}/fd`).map((f) => {
    try { return readlinkSync(`/proc/${mx.pid}/fd/${f}`); } catch { return ''; }
  });
  assert.ok(!targets.some((t) => t.startsWith(dir)), `no file of the data folder: ${targets}`);
  await stop(p);
});


test('a killed supervisor takes its roles with it, and a new one starts cleanly', async () => {
  const p = await serve();
  const roles = (await status()).roles;
  p.kill('SIGKILL');
  await p.ended;
  const next = await serve(); // while the last of the old roles may still be ending
  for (const r of roles) assert.ok(!alive(r.pid), `${r.name} lingers`);
  assert.equal((await json(['alias', 'list'])).length, 4);
  await stop(next);
});

test('a second serve says who holds the folder, and leaves it alone', async () => {
  const p = await serve();
  const pid = (await status()).pid;
  const second = await run(['serve'], { more: {
    LETTERLOCK_IMAP_LISTEN: '', LETTERLOCK_IMAP_TLS_LISTEN: '', LETTERLOCK_MX_LISTEN: '' } });
  assert.equal(second.code, EX.TEMPFAIL);
  assert.match(second.stderr, new RegExp(`in use by letterlock serve \\(process ${pid}\\)`));
  assert.equal((await status()).pid, pid);
  await stop(p);
});

test('Ctrl-C to the whole group ends in order', async () => {
  const p = spawn(binary, ['serve'], { env, cwd: dir, stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  services.add(p);
  p.log = '';
  p.stderr.on('data', (d) => { p.log += d; });
  p.ended = new Promise((r) => p.on('exit', (code) => { p.exit = { code }; r(code); }));
  await until('serve', 20000, async () => { const r = await run(['status', '--json']); return r.code === 0 && JSON.parse(r.stdout).ready; });
  process.kill(-p.pid, 'SIGINT');
  assert.equal(await p.ended, 0);
  assert.match(p.log, /supervisor\.stopped/);
  assert.doesNotMatch(p.log, /role_killed|role_ended/);
});

test('started as root, roles run under the user that is named', { skip: process.getuid() !== 0 && 'needs root' }, async () => {
  const own = path.join(tmpdir(), `letterlock-user-${process.pid}`);
  const more = { LETTERLOCK_CONFIG: path.join(own, 'letterlock.conf'), LETTERLOCK_SERVER_USER: 'nobody' };
  try {
    await ok(['init', '--dir', own, '--domain', 'example.test'], { more });
    await ok(['alias', 'add', 'a@example.test'], { more });
    assert.match((await ok(['alias', 'password', 'a@example.test'], { more })).stdout, /^\S+\n$/);
    await chmod(own, 0o700);
    const r = await run(['alias', 'list'], { more });
    assert.equal(r.code, EX.NOPERM);
    assert.match(r.stderr, /nobody cannot reach/);
  } finally {
    await rm(own, { recursive: true, force: true });
  }
});

test('passwords: first, further, list, revoke, start over', async (t) => {
  const p = await serve();
  const a = 'keys@example.test';
  const list = async () => (await json(['alias', 'password', a, '--list'])).map((s) => `${s.name}:${s.kind}`);
  try {
    await ok(['alias', 'add', a]);
    for (const name of ['x'.repeat(65), 'a\n', '\u001b[31m'])
      assert.equal((await run(['alias', 'password', a, '--name', name])).code, EX.DATAERR);
    const probe = await run(['alias', 'password', a, '--name', 'first']);
    assert.equal(probe.code, 0, probe.stderr);
    const first = probe.stdout;
    assert.match(first, /^[0-9a-z]{5}(-[0-9a-z]{5}){7}\n$/, 'alone on its line');
    assert.equal((await json(['alias', 'show', a])).ready, true);
    const without = await run(['alias', 'password', a]);
    assert.equal(without.code, EX.NOINPUT);
    assert.equal((await run(['alias', 'password', a, '--current'], { input: 'wrong password\n' })).code, EX.NOPERM);
    const second = (await ok(['alias', 'password', a, '--current', '--name', 'second'], { input: first })).stdout;
    assert.notEqual(second, first);
    assert.equal((await run(['alias', 'password', a, '--own'], { input: `${first}letterlock1\n` })).code, EX.DATAERR);
    await ok(['alias', 'password', a, '--own', '--name', 'mine'], { input: `${second}Zwölf Boxkämpfer jagen Viktor 77\n` });
    assert.deepEqual(await list(), ['first:generated', 'second:generated', 'mine:own']);
    const slot = (await json(['alias', 'password', a, '--list'])).find((s) => s.name === 'first').slot;
    await ok(['alias', 'password', a, '--revoke', String(slot)], { input: second });
    assert.deepEqual(await list(), ['second:generated', 'mine:own']);
    assert.equal((await run(['alias', 'password', a, '--current'], { input: first })).code, EX.NOPERM);
    await ok(['alias', 'password', a, '--rotate'], { input: second });
    assert.equal((await run(['alias', 'password', a, '--start-over'], { input: 'no\n' })).code, EX.USAGE);
    const over = await ok(['alias', 'password', a, '--start-over', '--name', 'new'], { input: `${a}\n` });
    assert.match(over.stderr, /can no longer\s+be read/);
    assert.match(over.stderr, /kept until \d{4}-\d\d-\d\d/);
    assert.deepEqual(await list(), ['new:generated']);
    assert.equal((await run(['alias', 'password', a, '--current'], { input: second })).code, EX.NOPERM);
    await ok(['alias', 'password', a, '--current'], { input: over.stdout });
    await ok(['alias', 'remove', a, '--yes']);
    assert.equal((await run(['alias', 'show', a])).code, EX.NOUSER);
  } finally {
    await stop(p);
  }
});
