// More real clients, unattended: offlineimap and mbsync both ways with conflicts, neomutt, getmail.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Service, sample } from '../lib/service.mjs';

let service, cert;
before(async () => {
  service = await Service.start({ pop3: true });
  const pem = await run('openssl', ['s_client', '-connect', `127.0.0.1:${service.ports.imaps}`, '-showcerts']);
  cert = path.join(service.dir, 'cert.pem');
  await writeFile(cert, /-----BEGIN CERT[\s\S]+?-----END CERTIFICATE-----\n/.exec(pem.stdout)[0]);
});
after(() => service?.stop());

function run(command, args, { env, timeout = 60000 } = {}) {
  return new Promise((resolve) => {
    const p = execFile(command, args, { env: { ...process.env, ...env }, timeout, maxBuffer: 1 << 26 }, (e, stdout, stderr) =>
      resolve({ code: e ? e.code ?? -1 : 0, missing: e?.code === 'ENOENT', stdout, stderr }));
    p.stdin?.on('error', () => {});
    p.stdin?.end();
  });
}

async function has(t, command, args = ['--version']) {
  const r = await run(command, args);
  if (r.missing) t.skip(`${command} is not installed`);
  return !r.missing;
}

const all = async (dir) => (await Promise.all(['cur', 'new'].map(async (d) => (await readdir(path.join(dir, d)).catch(() => [])).map((f) => path.join(dir, d, f))))).flat();

async function holding(dir, text) {
  for (const f of await all(dir)) if ((await readFile(f, 'latin1')).includes(text)) return f;
  return null;
}

// Maildir's flags are the letters behind ":2,".
async function flag(file, letters) {
  const dir = path.join(path.dirname(path.dirname(file)), 'cur');
  const [name, old = ''] = path.basename(file).split(':2,');
  await rename(file, path.join(dir, `${name}:2,${[...new Set(old + letters)].sort().join('')}`));
}

// What both sides did meanwhile: each removes, marks and adds something, and both touch the same letter.
async function conflicts(me, inbox, sync) {
  await sync();
  assert.equal((await all(inbox)).length, 6);
  const imap = await service.imap(me);
  await imap.cmd('SELECT INBOX');
  await imap.cmd('UID STORE 1 +FLAGS (\\Deleted)');
  await imap.cmd('UID EXPUNGE 1');
  await imap.cmd('UID STORE 2 +FLAGS (\\Flagged)');
  await imap.cmd('UID STORE 3 +FLAGS (\\Deleted)'); // gone on one side, marked on the other
  await imap.cmd('UID EXPUNGE 3');
  await service.deliver(me.address, sample(77));
  await flag(await holding(inbox, 'Letter number 2'), 'S');
  await flag(await holding(inbox, 'Letter number 3'), 'F');
  await rm(await holding(inbox, 'Letter number 4'));
  await writeFile(path.join(inbox, 'new/99.local.host'), 'From: me@example.test\nSubject: written here\nMessage-ID: <here@example.test>\nDate: Mon, 2 Nov 2026 10:11:12 +0000\n\nlocal\n');
  await sync();
  await sync();
  await imap.cmd('NOOP');
  const seen = (await imap.cmd('UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])'));
  const flags = Object.fromEntries(seen.slice(0, -1).map((l, i) => [/Subject: (.*)/.exec(imap.literals[i]?.toString() ?? '')?.[1].trim(), /FLAGS \(([^)]*)\)/.exec(l)?.[1] ?? '']));
  await imap.logout();
  assert.ok(!('Letter number 1' in flags) && !await holding(inbox, 'Letter number 1'), 'what was removed there is gone here');
  assert.ok(!('Letter number 4' in flags) && !await holding(inbox, 'Letter number 4'), 'what was removed here is gone there');
  assert.match(flags['Letter number 2'], /\\Flagged/);
  assert.match(flags['Letter number 2'], /\\Seen/);
  assert.match(path.basename(await holding(inbox, 'Letter number 2')), /:2,.*F.*S/);
  assert.ok('written here' in flags && 'Letter number 77' in flags && await holding(inbox, 'Letter number 77'), 'what is new is on both sides');
  assert.equal(Object.keys(flags).length, (await all(inbox)).length, 'both sides hold the same');
}

test('mbsync both ways, with conflicts', async (t) => {
  if (!await has(t, 'mbsync')) return;
  const me = await service.alias();
  for (let i = 1; i <= 6; i++) await service.deliver(me.address, sample(i));
  const dir = path.join(service.dir, 'mbsync');
  await mkdir(path.join(dir, 'mail'), { recursive: true });
  await writeFile(path.join(dir, 'rc'), `IMAPAccount a\nHost 127.0.0.1\nPort ${service.ports.imaps}\nUser ${me.address}\nPass ${me.password}\nSSLType IMAPS\nCertificateFile ${cert}\n\n`
    + `IMAPStore far\nAccount a\n\nMaildirStore near\nPath ${dir}/mail/\nInbox ${dir}/mail/INBOX\nSubFolders Verbatim\n\n`
    + 'Channel c\nFar :far:\nNear :near:\nPatterns INBOX\nCreate Both\nExpunge Both\nSyncState *\n', { mode: 0o600 });
  await conflicts(me, path.join(dir, 'mail/INBOX'), async () => { const r = await run('mbsync', ['-c', path.join(dir, 'rc'), 'c']); assert.equal(r.code, 0, r.stderr); });
});

test('offlineimap both ways, with conflicts', async (t) => {
  if (!await has(t, 'offlineimap')) return;
  const me = await service.alias();
  for (let i = 1; i <= 6; i++) await service.deliver(me.address, sample(i));
  const dir = path.join(service.dir, 'offlineimap');
  await mkdir(dir, { recursive: true });
  await writeFile(path.join(dir, 'rc'), `[general]\naccounts = a\nmetadata = ${dir}/state\nui = quiet\nmaxsyncaccounts = 1\nsocktimeout = 30\n\n[Account a]\nlocalrepository = near\nremoterepository = far\n\n`
    + `[Repository near]\ntype = Maildir\nlocalfolders = ${dir}/mail\n\n[Repository far]\ntype = IMAP\nremotehost = 127.0.0.1\nremoteport = ${service.ports.imaps}\nremoteuser = ${me.address}\n`
    + `remotepass = ${me.password}\nssl = yes\ncert_fingerprint = ${await fingerprint()}\nfolderfilter = lambda f: f in ['INBOX']\n`, { mode: 0o600 });
  await conflicts(me, path.join(dir, 'mail/INBOX'), async () => {
    const r = await run('offlineimap', ['-o', '-c', path.join(dir, 'rc')], { env: { HOME: dir } });
    assert.equal(r.code, 0, r.stderr + r.stdout);
  });
});

async function fingerprint() {
  const r = await run('openssl', ['x509', '-in', cert, '-noout', '-fingerprint', '-sha512']);
  return r.stdout.split('=')[1].trim().replace(/:/g, '').toLowerCase();
}

test('neomutt searches, tags, saves to another folder and copies to a Maildir', async (t) => {
  if (!await has(t, 'neomutt', ['-v'])) return;
  const me = await service.alias();
  for (let i = 1; i <= 4; i++) await service.deliver(me.address, sample(i));
  const dir = path.join(service.dir, 'neomutt');
  await mkdir(dir, { recursive: true });
  const url = `imaps://127.0.0.1:${service.ports.imaps}`;
  await writeFile(path.join(dir, 'rc'), `set imap_user="${me.address}"\nset imap_pass="${me.password}"\nset ssl_force_tls=yes\nset ssl_verify_host=no\nset ssl_verify_dates=no\nset certificate_file="${cert}"\n`
    + `set mbox_type=Maildir\nset confirm_create=no\nset confirm_append=no\nset quit=yes\nset folder="${url}"\nset spool_file="${url}/INBOX"\nset wait_key=no\nset delete=yes\nset header_cache="${dir}/cache"\n`
    + `set imap_condstore=yes\nset imap_qresync=yes\nset imap_idle=yes\nset mail_check_stats=yes\n`
    + `push "<tag-pattern>~s'number 2'|~s'number 3'<enter><tag-prefix><copy-message><kill-line>${dir}/copy<enter><untag-pattern>~A<enter>`
    + `<tag-pattern>~b'letter 4'<enter><tag-prefix><save-message><kill-line>${url}/Archive<enter><sync-mailbox><quit>"\n`, { mode: 0o600 });
  const r = await run('script', ['-qec', `neomutt -n -F ${dir}/rc`, '/dev/null'], { env: { TERM: 'xterm', HOME: dir }, timeout: 30000 });
  const imap = await service.imap(me);
  assert.equal((await all(path.join(dir, 'copy'))).length, 2, r.stdout.slice(-500));
  assert.match((await imap.cmd('STATUS Archive (MESSAGES)')).join(), /MESSAGES 1/);
  assert.match((await imap.cmd('STATUS INBOX (MESSAGES)')).join(), /MESSAGES 3/);
  await imap.logout();
});

test('getmail takes by POP3 and by IMAP', async (t) => {
  if (!await has(t, 'getmail')) return;
  for (const [type, port] of [['SimplePOP3SSLRetriever', service.ports.pop3s], ['SimpleIMAPSSLRetriever', service.ports.imaps]]) {
    const me = await service.alias();
    for (let i = 1; i <= 3; i++) await service.deliver(me.address, sample(i));
    const dir = path.join(service.dir, `getmail-${type}`);
    await mkdir(dir, { recursive: true });
    await writeFile(path.join(dir, 'getmailrc'), `[retriever]\ntype = ${type}\nserver = 127.0.0.1\nport = ${port}\nusername = ${me.address}\npassword = ${me.password}\n\n`
      + `[destination]\ntype = MDA_external\npath = /bin/sh\narguments = ("-c", "cat >> ${dir}/box")\nallow_root_commands = true\n\n[options]\nread_all = false\ndelete = false\n`, { mode: 0o600 });
    for (const expected of [3, 3]) { // the second run knows them all
      const r = await run('getmail', [`--getmaildir=${dir}`, '--rcfile=getmailrc'], { env: { HOME: dir } });
      assert.equal(r.code, 0, r.stderr + r.stdout);
      assert.equal((await readFile(path.join(dir, 'box'), 'latin1')).match(/^Subject: Letter number/gm).length, expected);
    }
  }
});
