// The schedule: what is done again and again is seen, done now, caught up, and what fails is told.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { createHmac } from 'node:crypto';
import http from 'node:http';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Service, build, sample, until } from '../lib/service.mjs';
import { DnsServer } from '../lib/dns.mjs';

let service, operator;
const list = async (s = service) => JSON.parse((await s.ctl(['jobs', '--json'])).stdout);
const one = async (name, s = service) => (await list(s)).find((j) => j.name === name);
before(async () => {
  service = await Service.start({ env: { LETTERLOCK_JOBS_OPERATOR: 'operator@example.test', LETTERLOCK_RESOLVER_UPSTREAMS: '' } });
  operator = await service.alias('operator');
  await until('the schedule', 10000, async () => (await service.ctl(['jobs', '--json'], { ok: false })).code === 0);
});
after(() => service.stop());

test('the schedule is there, with times to come', async () => {
  const all = await list();
  assert.deepEqual(all.map((j) => j.name), ['backups', 'backup-keys', 'retention', 'checks', 'orphans', 'dns', 'certificate', 'server-key', 'dmarc-reports', 'tls-reports']);
  for (const j of all) assert.ok(Date.parse(j.next) > Date.now() - 1000, `${j.name}: ${j.next}`);
  assert.match((await service.ctl(['jobs'])).stdout, /^orphans .*daily at 04:20$/m);
});

test('now: each of them, and what came of it stays known when everybody dies', async () => {
  for (const name of ['backups', 'backup-keys', 'retention', 'checks', 'orphans', 'certificate', 'server-key', 'dmarc-reports', 'tls-reports']) {
    const j = JSON.parse((await service.ctl(['jobs', 'run', name, '--json'])).stdout);
    assert.deepEqual([j.name, j.failed, j.bad, j.running], [name, false, false, false]);
    assert.ok(j.result && Math.abs(Date.parse(j.last) - Date.now()) < 60000);
  }
  assert.match((await one('certificate')).result, /good until \d{4}-/);
  const was = (await one('orphans')).last;
  await until('it to be remembered', 5000, async () => { try { return (await readFile(path.join(service.dir, 'data', 'jobs.state'))).includes('orphans'); } catch { return false; } });
  await service.kill('jobs');
  await until('the schedule', 10000, async () => (await service.ctl(['jobs', '--json'], { ok: false })).code === 0);
  assert.equal((await one('orphans')).last, was);
  assert.equal((await service.ctl(['jobs', 'run', 'nothing'], { ok: false })).code, 64);
});

test('nobody else asked: several at once are done one after the other', async () => {
  const all = await Promise.all(['orphans', 'backups', 'orphans', 'checks', 'backup-keys'].map(async (n) => JSON.parse((await service.ctl(['jobs', 'run', n, '--json'])).stdout)));
  const spans = all.map((j) => [Date.parse(j.last), Date.parse(j.last) + j.took_ms, j.name]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  for (let i = 1; i < spans.length; i++) if (spans[i][2] !== spans[i - 1][2]) assert.ok(spans[i][0] + 1 >= spans[i - 1][1], JSON.stringify(spans));
});

test('what is found is told to the operator, once; and that it is well again', async () => {
  const told = [];
  const hook = http.createServer((req, res) => {
    const parts = [];
    req.on('data', (d) => parts.push(d)).on('end', () => { told.push({ headers: req.headers, body: Buffer.concat(parts) }); res.end(); });
  });
  await new Promise((r) => hook.listen(0, '127.0.0.1', r));
  const s = await Service.start({ env: {
    LETTERLOCK_JOBS_OPERATOR: 'operator@example.test', LETTERLOCK_STORE_BACKUP_DIR: '/proc/nowhere/at/all',
    LETTERLOCK_JOBS_NOTIFY: `http://127.0.0.1:${hook.address().port}/told`, LETTERLOCK_RELAY_WEBHOOK_PORTS: String(hook.address().port), LETTERLOCK_RELAY_PRIVATE_NETWORKS: 'yes',
  } });
  try {
    const who = await s.alias('operator');
    await until('the schedule', 10000, async () => (await s.ctl(['jobs', '--json'], { ok: false })).code === 0);
    const r = await s.ctl(['jobs', 'run', 'backups'], { ok: false });
    assert.equal(r.code, 65);
    assert.match(r.stdout, /cannot be reached/);
    await s.ctl(['jobs', 'run', 'backups'], { ok: false });
    await until('the letter', 10000, () => /jobs\.operator_told/.test(s.log));
    assert.match(s.log, /jobs\.found job=backups/);
    const c = await s.imap(who);
    await c.cmd('SELECT INBOX');
    await until('it in the mailbox', 10000, async () => (await c.cmd('STATUS INBOX (MESSAGES)')).some((l) => /MESSAGES 1\b/.test(l)));
    await c.cmd('NOOP');
    await c.cmd('FETCH 1:* BODY.PEEK[]');
    const text = c.literals.map(String).join('');
    assert.equal(c.literals.length, 1);
    assert.match(text, /^Subject: Letterlock: backups: found something\r$/m);
    assert.match(text, /where backups go cannot be reached/);
    await c.logout();
    const key = (await s.ctl(['jobs', 'webhook-key'])).stdout.trim();
    const first = await until('the webhook to be called', 10000, () => told[0]), event = JSON.parse(first.body);
    assert.equal(first.headers['x-webhook-signature'], `sha256=${createHmac('sha256', key).update(first.body).digest('hex')}`);
    assert.equal(first.headers['x-webhook-id'], event.id);
    assert.deepEqual([event.event, event.job, event.state, event.error], ['job', 'backups', 'found', null]);
    assert.match(event.result, /cannot be reached/);
    await s.stop({ keep: true });
    s.exit = undefined;
    s.env.LETTERLOCK_STORE_BACKUP_DIR = path.join(s.dir, 'backups');
    await s.serve();
    await until('the schedule', 10000, async () => (await s.ctl(['jobs', '--json'], { ok: false })).code === 0);
    await s.ctl(['jobs', 'run', 'backups']);
    await s.ctl(['jobs', 'run', 'backups']);
    const second = await until('the webhook to be called again', 10000, () => told[1]);
    assert.deepEqual([JSON.parse(second.body).job, JSON.parse(second.body).state], ['backups', 'well']);
    assert.equal(told.length, 2);
  } finally { await s.stop(); hook.close(); }
});

test('a failed backup, a schema that is not as expected, a failed check: the operator is told in full: letter, webhook, log', async () => {
  const told = [];
  const hook = http.createServer((req, res) => {
    const parts = [];
    req.on('data', (d) => parts.push(d)).on('end', () => { told.push(JSON.parse(Buffer.concat(parts))); res.end(); });
  });
  await new Promise((r) => hook.listen(0, '127.0.0.1', r));
  const s = await Service.start({ env: {
    LETTERLOCK_JOBS_OPERATOR: 'operator@example.test', LETTERLOCK_STORE_BACKUP_INTERVAL: '0',
    LETTERLOCK_JOBS_NOTIFY: `http://127.0.0.1:${hook.address().port}/told`, LETTERLOCK_RELAY_WEBHOOK_PORTS: String(hook.address().port), LETTERLOCK_RELAY_PRIVATE_NETWORKS: 'yes',
  } });
  try {
    const operator_ = await s.alias('operator'), a = await s.alias(), b = await s.alias();
    const idOf = async (x) => JSON.parse((await s.ctl(['alias', 'show', x.address, '--json'])).stdout).mailbox;
    const ids = [await idOf(a), await idOf(b)], file = (id) => path.join(s.dir, 'data', 'mailboxes', id.slice(0, 2), `${id}.sqlite`);
    await until('the schedule', 10000, async () => (await s.ctl(['jobs', '--json'], { ok: false })).code === 0);
    for (const x of [a, b]) { const c = await s.imap(x); for (let i = 0; i < 30; i++) await c.cmd(['APPEND INBOX ', sample(i, 9000)]); await c.logout(); }
    await until('them to be closed', 10000, () => ids.every((id) => !existsSync(`${file(id)}-wal`)));
    const bytes = await readFile(file(ids[0])); // pages somewhere in its middle
    for (let at = 40 * 4096 + 100; at < bytes.length; at += 20 * 4096) bytes[at] ^= 0x5a;
    await writeFile(file(ids[0]), bytes);
    execFileSync(path.join(build, 'test/tools/mailbox_deed'), [path.join(s.dir, 'data'), ids[1], b.password, 'strange']);
    for (const args of [['backup'], ['check']]) assert.notEqual((await s.ctl(['mailbox', ...args, a.address], { input: `${a.password}\n`, ok: false })).code, 0);
    await s.imap(b, { login: false }).then((c) => c.cmd(`LOGIN "${b.address}" "${b.password}"`).then(() => assert.fail('it opens'), () => {}));
    const results = {};
    for (const name of ['backups', 'checks']) {
      const r = await s.ctl(['jobs', 'run', name, '--json'], { ok: false });
      assert.equal(r.code, 65, r.stdout);
      results[name] = JSON.parse(r.stdout).result;
    }
    assert.match(results.backups, new RegExp(`1 failed since the last look\\nmailbox ${ids[0]}: no backup: `));
    assert.match(results.checks, new RegExp(`mailbox ${ids[0]}: `));
    assert.match(results.checks, new RegExp(`mailbox ${ids[1]}: cannot be opened: .*strange`));
    assert.match(s.log, /store\.backup_failed mailbox=/);
    assert.match(s.log, /store\.schema why=.*strange/);
    await until('the webhooks', 20000, () => told.length >= 2);
    assert.deepEqual(told.map((e) => [e.job, e.state, e.result]).sort(), [['backups', 'found', results.backups], ['checks', 'found', results.checks]]);
    const c = await s.imap(operator_);
    await c.cmd('SELECT INBOX');
    await until('the letters', 10000, async () => (await c.cmd('STATUS INBOX (MESSAGES)')).some((l) => /MESSAGES 2\b/.test(l)));
    await c.cmd('NOOP');
    await c.cmd('FETCH 1:* BODY.PEEK[]');
    const text = c.literals.map(String).join('');
    for (const id of ids) assert.ok(text.includes(id));
    assert.ok(text.includes('strange'));
    await c.logout();
  } finally { await s.stop(); hook.close(); }
});

test('records of our domains', async () => {
  const dns = await DnsServer.start({ zone: { 'example.test': { MX: [[10, 'mail.example.test']], TXT: ['v=spf1 mx -all'] } } });
  const s = await Service.start({ env: { LETTERLOCK_RESOLVER_UPSTREAMS: dns.upstream, LETTERLOCK_RESOLVER_CA_FILE: dns.ca } });
  try {
    await until('the schedule', 10000, async () => (await s.ctl(['jobs', '--json'], { ok: false })).code === 0);
    const records = [...(await s.ctl(['domain', 'dkim', 'example.test'])).stdout.matchAll(/^(\S+)\. TXT (.*)$/gm)].map(([, name, text]) => [name, text.replace(/" "/g, '').replace(/"/g, '')]);
    const look = async () => JSON.parse((await s.ctl(['jobs', 'run', 'dns', '--json'], { ok: false })).stdout);
    const first = await look();
    assert.equal(first.bad, true);
    assert.match(first.result, /^1 domains looked at, 3 findings, 0 answers not known now\nexample\.test: it has no DMARC record/);
    assert.equal(first.result.match(/_domainkey has no DKIM record/g).length, 2);
    // Each key's record; then one of them is another key's.
    assert.equal(records.length, 2);
    dns.zone['_dmarc.example.test'] = { TXT: ['v=DMARC1; p=none'] };
    for (const [name, text] of records) dns.zone[name] = { TXT: [text.match(/.{1,200}/g)] };
    dns.zone[records[1][0]] = { TXT: [records[1][1].replace(/p=.*/, 'p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=')] };
    await s.restart(); // a resolver that remembers nothing
    await until('the schedule', 10000, async () => (await s.ctl(['jobs', '--json'], { ok: false })).code === 0);
    const second = await look();
    assert.match(second.result, /^1 domains looked at, 1 findings, 0 answers not known now\nexample\.test: \S+\._domainkey has another key than the one that signs/);
    assert.ok(second.result.includes(records[1][0].split('.')[0]));
  } finally { await s.stop(); await dns.stop(); }
});

test('a time that passed while nothing ran is caught up', async () => {
  const before_ = await one('retention');
  await service.stop({ keep: true });
  service.env.LETTERLOCK_JOBS_RETENTION = '* * * * *';
  const file = path.join(service.dir, 'data', 'jobs.state');
  assert.ok((await readFile(file)).includes('retention'));
  service.exit = undefined;
  await service.serve();
  await until('it again', 65000, async () => { const j = await one('retention').catch(() => null); return j && j.last !== before_.last; });
});

test('a time that nobody understands: the role says so, and mail goes on', async () => {
  const conf = path.join(service.dir, 'letterlock.conf');
  const text = await readFile(conf, 'utf8');
  await writeFile(conf, `${text}\n[jobs]\ndns = sometimes\n`);
  await service.stop({ keep: true });
  service.exit = undefined;
  await service.serve();
  await until('the reason', 10000, () => /jobs\.when_not_understood/.test(service.log));
  await service.deliver(operator.address, Buffer.from('Subject: x\r\n\r\ny\r\n'));
});
