// Export and import: what goes out comes back the same, once; and other programs read it.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, symlink, writeFile, mkdir } from 'node:fs/promises';
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';
import path from 'node:path';
import { Service, sample, crlf, build, sleep, until } from '../lib/service.mjs';

let service, dir, a;
const FOLDERS = { INBOX: 6, Work: 3, 'Work/Größe: 50.5': 2 };
before(async () => {
  service = await Service.start({ env: { LETTERLOCK_STORE_BACKUP_INTERVAL: '0' } });
  dir = await mkdtemp(path.join(tmpdir(), 'letterlock-port-'));
  a = await service.alias();
  const c = await service.imap(a);
  await c.cmd('ENABLE UTF8=ACCEPT');
  let n = 0;
  for (const [folder, count] of Object.entries(FOLDERS)) {
    if (folder !== 'INBOX') await c.cmd(`CREATE "${folder}"`);
    for (let i = 0; i < count; i++, n++) {
      const flags = ['\\Seen', '\\Flagged', '\\Answered $Forwarded', '\\Deleted blue', '\\Draft', ''][n % 6];
      await c.cmd([`APPEND "${folder}" (${flags}) "0${1 + (n % 9)}-Nov-2026 10:11:12 +0000" `, n === 4 ? sample(n, 400000) : crlf(sample(n, 500 + n * 900) + '\r\nFrom here\r\n>From there\r\n')]);
    }
  }
  await c.logout();
});
after(async () => { await service.stop(); await rm(dir, { recursive: true, force: true }); });

const ctl = (args, who = a, options = {}) => service.ctl(args, { input: `${who.password}\n`, ...options });
const exportTo = async (who, format, name) => { await ctl(['mailbox', 'export', who.address, '--format', format, '--output', path.join(dir, name)], who); return path.join(dir, name); };
const importFrom = async (who, format, file, more = []) => JSON.parse((await ctl(['mailbox', 'import', who.address, '--format', format, '--input', file, ...more, '--json'], who, { input: `${who.password}\n${a.password}\n` })).stdout);
// Everything a client can see, without UIDs and what a session makes.
async function all(who) {
  const c = await service.imap(who);
  await c.cmd('ENABLE UTF8=ACCEPT');
  const out = {};
  for (const line of (await c.cmd('LIST "" "*"')).filter((l) => /^\* LIST/.test(l))) {
    const name = Buffer.from(/"\/" "?(.*?)"?$/.exec(line)[1], 'latin1').toString('utf8');
    await c.cmd(`EXAMINE "${name}"`);
    const rows = [];
    const lines = await c.cmd('UID FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[])', { ok: false });
    const bodies = [...c.literals];
    for (const l of lines.filter((x) => /FETCH \(/.test(x))) {
      const flags = /FLAGS \(([^)]*)\)/.exec(l)[1].split(' ').filter((f) => f && f !== '\\Recent').map((f) => f.toLowerCase()).sort().join(' ');
      rows.push(`${/INTERNALDATE "([^"]*)"/.exec(l)[1]} [${flags}] ${bodies.shift().toString('base64')}`);
    }
    if (rows.length) out[name] = rows;
  }
  await c.logout();
  return out;
}

for (const [format, name] of [['mbox', 'mboxes'], ['Maildir', 'maildir'], ['eml', 'letters.zip'], ['sqlite', 'letters.sqlite']]) {
  test(`${format}: export, import, export: nothing is lost and nothing comes twice`, async () => {
    const b = await service.alias();
    const file = await exportTo(a, format, name);
    const r = await importFrom(b, format, file, []);
    assert.deepEqual([r.messages, r.there_already, r.skipped], [11, 0, 0]);
    assert.deepEqual(await all(b), await all(a));
    const again = await importFrom(b, format, file);
    assert.deepEqual([again.messages, again.there_already, again.skipped], [0, 11, 0]);
    assert.deepEqual(await all(b), await all(a));
    const back = await exportTo(b, format, `${name}-2`);
    if (format === 'sqlite') assert.equal(await rows(back, b.password), await rows(file, a.password));
    if (format === 'mbox') for (const f of readdirSync(file, { recursive: true }).filter((n) => n.endsWith('.mbox'))) assert.ok((await readFile(path.join(back, f))).equals(await readFile(path.join(file, f))), f);
    const c = await service.alias(); // what came back says the same as what went out first
    await ctl(['mailbox', 'import', c.address, '--format', format, '--input', back], c, { input: `${c.password}\n${b.password}\n` });
    assert.deepEqual(await all(c), await all(a));
    if ((await stat(file)).isDirectory()) {
      const list = (d) => readdirSync(d, { recursive: true, withFileTypes: true }).filter((f) => f.isFile()).map((f) => path.join(f.parentPath ?? f.path, f.name));
      for (const f of list(file)) assert.equal((await stat(f)).mode & 0o077, 0, 'for the owner alone');
      assert.equal(list(file).length, list(back).length);
    }
    assert.notEqual((await ctl(['mailbox', 'export', a.address, '--format', format, '--output', file], a, { ok: false })).code, 0, 'never over something');
  });
}

test('Maildir and mbox of other programs', async () => {
  const b = await service.alias();
  const maildir = path.join(dir, 'other');
  for (const d of ['cur', 'new', 'tmp', '.Sent', '.Sent/cur', '.Sent/new']) await mkdir(path.join(maildir, d), { recursive: true });
  await writeFile(path.join(maildir, 'cur/1793000000.1.host:2,FS'), 'Subject: one\n\nhello\n');
  await writeFile(path.join(maildir, 'new/1793000001.2.host'), 'Subject: two\n\nhello\n');
  await writeFile(path.join(maildir, '.Sent/cur/1793000002.3.host:2,S'), 'Subject: three\r\n\r\nhello\r\n');
  assert.equal((await importFrom(b, 'maildir', maildir)).messages, 3);
  const mbox = path.join(dir, 'Lists.mbox');
  await writeFile(mbox, 'From x@y Mon Nov  2 10:11:12 2026\nSubject: m\n\na\n>From b\n\nFrom x@y Mon Nov  2 10:11:13 2026\nSubject: n\n\nb\n\n');
  const r = await importFrom(b, 'mbox', mbox);
  assert.deepEqual([r.messages, r.skipped], [2, 0]);
  assert.equal((await importFrom(b, 'mbox', mbox, ['--folder', 'Elsewhere'])).messages, 2);
  const has = await all(b);
  assert.deepEqual(Object.keys(has).sort(), ['Elsewhere', 'INBOX', 'Lists', 'Sent']);
  assert.match(Buffer.from(has.Lists[0].split('] ')[1], 'base64').toString(), /\r\nFrom b\r\n$/);
  assert.match(has.INBOX.find((m) => m.includes('flagged')) ?? '', /\\flagged \\seen/);
});

test('a Maildir of somebody who means harm: told without a word to the terminal, and the rest comes in', async () => {
  const b = await service.alias(), maildir = path.join(dir, 'hostile');
  for (const d of ['cur', 'new', '.Sent', '.Sent/new']) await mkdir(path.join(maildir, d), { recursive: true });
  await writeFile(path.join(maildir, 'cur/1.good:2,S'), 'Subject: one\n\nhello\n');
  execFileSync('mkfifo', [path.join(maildir, 'cur/1.\x1b]0;title\x07\x7f\u009b31m:2,S')]);
  await symlink('/etc', path.join(maildir, '.Sent/cur'));
  await symlink('/etc/passwd', path.join(maildir, 'new/2.link'));
  const r = await ctl(['mailbox', 'import', b.address, '--format', 'maildir', '--input', maildir, '--json'], b, { ok: false });
  assert.equal(r.code, 65, r.stderr);
  assert.deepEqual([JSON.parse(r.stdout).messages, JSON.parse(r.stdout).skipped], [1, 3], r.stderr);
  assert.match(r.stderr, /skipped: .*1\.\?\]0;title\?\?\?31m/);
  assert.ok(!/[\x00-\x09\x0b-\x1f\x7f\u0080-\u009f]/.test(r.stderr));
  assert.deepEqual(Object.keys(await all(b)), ['INBOX']);
});

test('a bar on the terminal tells how far it is, and a file nothing of it', async () => {
  const b = await service.alias(), quote = (x) => `'${x.replaceAll("'", "'\\''")}'`;
  const onTerminal = (who, args) => new Promise((resolve) => {
    const child = spawn('script', ['-qec', [path.join(build, 'letterlock'), ...args, '--config', path.join(service.dir, 'letterlock.conf')].map(quote).join(' '), '/dev/null'], { stdio: ['pipe', 'pipe', 'ignore'] });
    let said = '', given = false;
    child.stdout.on('data', (d) => { said += d; if (!given && /password/i.test(said)) { given = true; child.stdin.write(`${who.password}\n`); } });
    child.on('close', (code) => resolve({ code, said }));
  });
  const out = path.join(dir, 'seen');
  const told = await onTerminal(a, ['mailbox', 'export', a.address, '--format', 'mbox', '--output', out]);
  assert.equal(told.code, 0, told.said);
  assert.match(told.said, /\r\[#+\s*\] +\d+%/);
  assert.match(told.said, /100%  11 .*messages|100%/);
  const back = await onTerminal(b, ['mailbox', 'import', b.address, '--format', 'mbox', '--input', out]);
  assert.match(back.said, /\r\[#{40}\] 100%  11 messages, 0 there already, 0 skipped/);
  assert.ok(!told.said.includes(a.password) && !back.said.includes(b.password), 'and no password');
  assert.ok(!(await ctl(['mailbox', 'import', b.address, '--format', 'mbox', '--input', out], b)).stderr.includes('['));
});

test('a quota is kept, and the same command goes on when there is room', async () => {
  const b = await service.alias();
  await service.ctl(['alias', 'limit', b.address, '300K']);
  const file = path.join(dir, 'mboxes');
  const r = await ctl(['mailbox', 'import', b.address, '--format', 'mbox', '--input', file], b, { ok: false });
  assert.equal(r.code, 73);
  assert.match(r.stderr, /limit is reached/);
  await service.ctl(['alias', 'limit', b.address, 'none']);
  const rest = await importFrom(b, 'mbox', file);
  assert.equal(rest.messages + rest.there_already, 11);
  assert.deepEqual(await all(b), await all(a));
});

test('what waits sealed is waited for, however long it takes to go in', async () => {
  const b = await service.alias();
  for (let i = 0; i < 30; i++) await service.deliver(b.address, sample(i, 400000));
  const r = JSON.parse((await ctl(['mailbox', 'export', b.address, '--format', 'mbox', '--output', path.join(dir, 'waited'), '--json'], b)).stdout);
  assert.equal(r.messages, 30);
});

test('a wrong password opens nothing, and nothing is written', async () => {
  const out = path.join(dir, 'never');
  const r = await service.ctl(['mailbox', 'export', a.address, '--format', 'mbox', '--output', out], { input: 'wrong password\n', ok: false });
  assert.equal(r.code, 77);
  await assert.rejects(stat(out));
});

test('sqlite: stock SQLite3MultipleCiphers opens it with the password and reads a body; nothing in it is in the clear', async () => {
  const file = await exportTo(a, 'sqlite', 'mine.sqlite');
  const bytes = await readFile(file);
  assert.ok(!bytes.includes('Letter number') && !bytes.includes('SQLite format 3'));
  const tool = path.join(build, 'test/tools/sqlite-stock');
  const ask = async (sql, password = a.password) => (await promisify(execFile)(tool, [file, sql], { input: '', env: { ...process.env, PASSWORD: password } })).stdout;
  assert.equal((await ask('SELECT count(*) FROM message')).trim(), '11');
  assert.equal((await ask("SELECT flags || '|' || keywords FROM message JOIN folder f ON f.id = folder_id WHERE f.name = 'INBOX' AND uid = 3")).trim(), '\\Answered|$Forwarded');
  assert.match(await ask("SELECT message FROM message WHERE uid = 2 AND folder_id = (SELECT id FROM folder WHERE name = 'INBOX')"), /Subject: Letter number 1\r\n/);
  assert.equal((await ask('PRAGMA integrity_check')).trim(), 'ok');
  assert.notEqual(spawnSync(tool, [file, 'SELECT 1 FROM folder'], { env: { ...process.env, PASSWORD: 'wrong' } }).status, 0);
});

// What sqlite holds, as one string: two files of equal mailboxes give the same, up to when they were written.
const tool = path.join(build, 'test/tools/sqlite-stock');
const rows = async (file, password) => (await promisify(execFile)(tool, [file, "SELECT f.name || '|' || uid || '|' || date || '|' || flags || '|' || keywords || '|' || bytes || '|' || hex(message) FROM message JOIN folder f ON f.id = folder_id ORDER BY 1"], { input: '', maxBuffer: 1 << 26, env: { ...process.env, PASSWORD: password } })).stdout;

test('convert: a downloaded backup, its keys and the password give what export gives; no service, no server key', async () => {
  const input = `${a.password}\n`, there = path.join(dir, 'away');
  await mkdir(there);
  const backup = path.join(there, 'mine.backup'), out = path.join(there, 'mine.sqlite');
  await service.ctl(['mailbox', 'backup', a.address], { input });
  await service.ctl(['mailbox', 'rotate', a.address], { input }); // today's keys open an earlier data key
  await service.ctl(['mailbox', 'backups', a.address, '--download', backup]);
  const before = await readFile(backup);
  const convert = (args, line = input) => { const r = spawnSync(path.join(build, 'letterlock'), ['mailbox', 'convert', backup, ...args], { input: line, cwd: there, env: { PATH: process.env.PATH } }); return { code: r.status, err: String(r.stderr), out: String(r.stdout) }; };
  assert.equal(convert(['--output', out], 'wrong\n').code, 77);
  await assert.rejects(stat(out));
  const r = convert(['--output', out, '--json']);
  assert.equal(r.code, 0, r.err);
  assert.equal(JSON.parse(r.out).messages, 11);
  assert.equal(await rows(out, a.password), await rows(await exportTo(a, 'sqlite', 'same.sqlite'), a.password));
  assert.equal((await stat(out)).mode & 0o077, 0);
  assert.notEqual(convert(['--output', out]).code, 0, 'never over something');
  assert.deepEqual(await readFile(backup), before, 'the backup is only read');
  assert.deepEqual(readdirSync(there).sort(), ['mine.backup', 'mine.backup.keys', 'mine.sqlite']);
  assert.equal(convert(['--format', 'mbox', '--output', path.join(there, 'm')]).code, 0);
  await writeFile(backup, Buffer.concat([before.subarray(0, 5000), Buffer.alloc(4096), before.subarray(9096)]));
  assert.equal(convert(['--output', path.join(there, 'bad.sqlite')]).code, 65);
});

test('the store is killed under an export: it says so at once, and the same command goes on', async () => {
  const b = await service.alias(), c = await service.imap(b), out = path.join(dir, 'store-killed');
  for (let i = 0; i < 12; i++) await c.cmd(['APPEND INBOX ', sample(i, 2 << 20)]);
  await c.logout();
  const run = () => {
    const child = spawn(path.join(build, 'letterlock'), ['mailbox', 'export', b.address, '--format', 'Maildir', '--output', out, '--config', path.join(service.dir, 'letterlock.conf')], { stdio: ['pipe', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (d) => { said += d; });
    child.stdin.end(`${b.password}\n`);
    return { child, end: new Promise((r) => { child.on('close', (code) => r({ code, said })); }) };
  };
  const { child, end } = run();
  while (!existsSync(`${out}.resume`) && child.exitCode === null) await sleep(1);
  child.kill('SIGSTOP');
  await service.kill('store');
  const killed = Date.now();
  child.kill('SIGCONT');
  const { code, said } = await end;
  if (code !== 0) { // it had not read all of it
    assert.equal(code, 75, said);
    assert.match(said, /the same command goes on where this one was/);
    assert.ok(Date.now() - killed < 30000, 'and not after its patience');
  }
  await until('the store again', 20000, () => service.imap(b).then((x) => x.logout().then(() => true), () => false));
  if (code !== 0) assert.equal((await run().end).code, 0);
  assert.equal(readdirSync(path.join(out, 'cur')).length + readdirSync(path.join(out, 'new')).length, 12);
  assert.ok(!existsSync(`${out}.resume`));
});

test('an export that was killed goes on where it was, and ends as one that was not', async () => {
  const b = await service.alias(), c = await service.imap(b);
  for (const f of ['INBOX', 'Sent', 'Drafts']) for (let i = 0; i < 25; i++) await c.cmd([`APPEND ${f} (\\Seen k${i % 7}) "02-Nov-2024 10:11:12 +0000" `, sample(i, 20000)]);
  await c.logout();
  const list = (d) => readdirSync(d, { recursive: true, withFileTypes: true }).filter((f) => f.isFile()).map((f) => path.join(f.parentPath ?? f.path, f.name).slice(d.length)).sort();
  const other = (await service.ctl(['alias', 'password', b.address, '--name', 'other'], { input: `${b.password}\n` })).stdout.trim();
  for (const format of ['mbox', 'Maildir', 'eml', 'sqlite']) {
    const whole = await exportTo(b, format, `whole-${format}`), out = path.join(dir, `killed-${format}`);
    let cut = 0;
    for (let round = 0; ; round++) {
      const child = spawn(path.join(build, 'letterlock'), ['mailbox', 'export', b.address, '--format', format, '--output', out, '--config', path.join(service.dir, 'letterlock.conf')], { stdio: ['pipe', 'ignore', 'ignore'] });
      child.stdin.end(`${b.password}\n`);
      const t = setTimeout(() => child.kill('SIGKILL'), 15 + 9 * round);
      const code = await new Promise((r) => { child.on('exit', r); });
      clearTimeout(t);
      // Killed between its last step and its exit (long under a sanitizer, which looks for leaks there): it was done.
      if (code === 0 || (code === null && existsSync(out) && !existsSync(`${out}.resume`))) break;
      assert.equal(code, null, 'killed, and nothing else');
      if (format === 'sqlite' && existsSync(`${out}.resume`)) assert.doesNotMatch(await readFile(`${out}.resume`, 'utf8'), /INBOX|Sent|Drafts/);
      cut++;
      assert.ok(round < 200);
      // Something of it is safe: another password of the same mailbox is not the file's, and changes nothing.
      if (format === 'eml' && existsSync(`${out}.resume`) && /^\d+ \d+ \d+ [1-9]/m.test(await readFile(`${out}.resume`, 'utf8'))) {
        const was = [await readFile(out), await readFile(`${out}.resume`)];
        const r = await ctl(['mailbox', 'export', b.address, '--format', format, '--output', out], { address: b.address, password: other }, { ok: false });
        assert.equal(r.code, 77, r.stderr);
        assert.match(r.stderr, /begun with another password/);
        assert.deepEqual([await readFile(out), await readFile(`${out}.resume`)], was);
      }
    }
    assert.deepEqual(readdirSync(dir).filter((f) => f.startsWith(`killed-${format}.`)), []); // neither .resume nor half of one
    if (format === 'sqlite') {
      assert.equal(await rows(out, b.password), await rows(whole, b.password));
    } else if (format === 'eml') {
      const into = await service.alias();
      const r = JSON.parse((await ctl(['mailbox', 'import', into.address, '--format', format, '--input', out, '--json'], into, { input: `${into.password}\n${b.password}\n` })).stdout);
      assert.deepEqual([r.messages, r.there_already, r.skipped], [75, 0, 0], `after ${cut}`);
      assert.deepEqual(await all(into), await all(b));
    } else {
      assert.deepEqual(list(out), list(whole), `${format} after ${cut}`);
      for (const f of list(out)) assert.deepEqual(await readFile(out + f), await readFile(whole + f), f);
    }
  }
});
