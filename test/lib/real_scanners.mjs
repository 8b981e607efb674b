// A real clamd and a real rspamd, each with one rule made here and nothing else: no signatures of others are fetched, nobody is
// asked. Where a program is not installed, its name is `missing`.
//   const p = await startClamd({ socket, marker: 'text' });   // "Letterlock-Test.UNOFFICIAL" for what holds the text
//   const p = await startRspamd({ port, word: 'text' });      // LETTERLOCK_WORD, 4.5, for a body that holds it
//   await p.stop();
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { until } from './service.mjs';

const CLAMD = '/usr/sbin/clamd', RSPAMD = '/usr/bin/rspamd';
export const missing = { clamd: existsSync(CLAMD) ? false : 'clamd (clamav-daemon) is not installed', rspamd: existsSync(RSPAMD) ? false : 'rspamd is not installed' };

const answers = (where) => new Promise((resolve) => {
  const s = net.connect(where, () => { s.destroy(); resolve(true); });
  s.on('error', () => resolve(false));
});

async function start(name, file, args, dir, where) {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, TMPDIR: dir } });
  let said = '', ended = false;
  for (const s of [child.stdout, child.stderr]) s.on('data', (d) => { said += d; });
  const gone = new Promise((r) => { child.on('exit', () => { ended = true; r(); }); });
  await until(name, 60000, async () => { assert.equal(ended, false, said); return answers(where); });
  return { stop: async () => { child.kill(); await gone; await rm(dir, { recursive: true, force: true }); } };
}

export async function startClamd({ socket, marker }) {
  const dir = await mkdtemp(path.join(tmpdir(), 'clamd-')), conf = path.join(dir, 'conf');
  await mkdir(path.join(dir, 'db'));
  await writeFile(path.join(dir, 'db', 'test.ndb'), `Letterlock-Test:0:*:${Buffer.from(marker).toString('hex')}\n`);
  await writeFile(conf, `LocalSocket ${socket}\nLocalSocketMode 666\nDatabaseDirectory ${path.join(dir, 'db')}\nForeground yes\nLogFile ${path.join(dir, 'log')}\nTemporaryDirectory ${dir}\n`);
  await rm(socket, { force: true });
  return start('clamd', CLAMD, ['-c', conf], dir, socket);
}

async function userOf(name) {
  const row = (await readFile('/etc/passwd', 'latin1')).split('\n').find((l) => l.startsWith(`${name}:`)).split(':');
  return { uid: Number(row[2]), gid: Number(row[3]) };
}

export async function startRspamd({ port, word }) {
  const dir = await mkdtemp(path.join(tmpdir(), 'rspamd-')), at = (f) => path.join(dir, f), conf = at('conf'), root = process.getuid() === 0;
  await mkdir(at('languages')); // its own are 33,000 trigrams, and half a minute of processor
  await writeFile(at('tld'), 'com\nnet\ntest\nexample\n');
  await writeFile(conf, `options { filters = "regexp"; pidfile = "${at('pid')}"; control_socket = "${at('control')}"; url_tld = "${at('tld')}"; tempdir = "${dir}";
  cache_file = "${at('cache')}"; hs_cache_dir = "${dir}"; local_addrs = []; dns { nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 0; } }
logging { type = "console"; level = "error"; }
worker "normal" { bind_socket = "127.0.0.1:${port}"; count = 1; }
lang_detection { languages = "${at('languages')}"; }
regexp { LETTERLOCK_WORD = { re = "/${word}/i{body}"; score = 4.5; } }
group "test" { symbol "LETTERLOCK_WORD" { weight = 4.5; } }
actions { reject = 150; add_header = 6; }
`);
  if (root) {
    const { uid, gid } = await userOf('_rspamd');
    await chmod(dir, 0o755);
    for (const f of ['', 'conf', 'tld', 'languages']) await chown(at(f), uid, gid);
  }
  return start('rspamd', RSPAMD, ['-f', ...(root ? ['-i', '-u', '_rspamd', '-g', '_rspamd'] : []), '-c', conf], dir, { port, host: '127.0.0.1' });
}
