// What leaves: clients over TLS -> submission -> the queue -> a sink, at 10 KB, signed with DKIM, to 1 and 50 destinations, in turns with
// Debian's Postfix and OpenDKIM as its milter, on the same disk and to the same sink (Postfix's own smtp-sink). Ours signs twice
// (RSA and Ed25519) and asks for a login once a connection; theirs signs once (RSA) and trusts the client's address. Then a
// queue of 1,000,000 messages by itself (BENCH_QUEUE: another number).
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { DnsServer } from '../test/lib/dns.mjs';
import { Postfix } from '../test/lib/postfix.mjs';
import { Service, dial, freePort, sleep, until } from '../test/lib/service.mjs';
import { processor } from './processor.mjs';

const host = (i) => `127.0.9.${i + 1}`, domain = (i) => `d${i}.sink.test`;

// Postfix's: it takes everything, says nothing of TLS, and counts.
async function startSink() {
  const port = await freePort();
  const child = spawn('smtp-sink', ['-u', userInfo().username === 'root' ? 'nobody' : userInfo().username, '-c', `0.0.0.0:${port}`, '1000'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const sink = { port, got: 0, last: 0, stop: () => child.kill() };
  let rest = '';
  child.stdout.on('data', (d) => { // "sess=1 quit=0 mesg=17\r"
    rest += d;
    const lines = rest.split('\r'), n = Number(/mesg=(\d+)/.exec(lines.at(-2) ?? '')?.[1] ?? 0);
    rest = lines.at(-1);
    if (n > sink.got) { sink.got = n; sink.last = Date.now(); }
  });
  await until('the sink', 10000, async () => { try { (await dial(port)).end(); return true; } catch { return false; } });
  return sink;
}

async function ours(dns, sink) {
  const service = await Service.start({ submission: true, env: {
    LETTERLOCK_RESOLVER_UPSTREAMS: dns.upstream, LETTERLOCK_RESOLVER_CA_FILE: dns.ca, LETTERLOCK_RELAY_SMTP_PORT: String(sink.port), LETTERLOCK_RELAY_PRIVATE_NETWORKS: 'yes',
    LETTERLOCK_SUBMISSION_ALIAS_MESSAGES: '0', LETTERLOCK_SUBMISSION_ALIAS_RECIPIENTS: '0', LETTERLOCK_SUBMISSION_MAX_CONNECTIONS_PER_NETWORK: '2000',
  } });
  await until('the roles', 10000, async () => (await service.status()).roles.every((r) => r.state === 'ready'));
  const who = await service.alias();
  const roles = new Map((await service.status()).roles.map((r) => [r.pid, r.name]));
  return { port: service.ports.submissions, sender: who.address, login: Buffer.from(`\0${who.address}\0${who.password}`).toString('base64'),
    processor: () => processor((pid) => roles.get(pid)), stop: () => service.stop(),
    async check() { const c = (await service.status()).courier; if (c.deferred || c.failed || c.uncertain) throw new Error(`not all went well: ${JSON.stringify(c)}`); } };
}

async function theirs(dns, sink) {
  const port = await freePort(), milter = await freePort();
  const dir = await mkdtemp('/run/letterlock-opendkim-'); // it takes no key below a folder that others write to
  const id = (flag) => Number(execFileSync('id', [flag, 'opendkim']));
  await mkdir(path.join(dir, 'keys'));
  execFileSync('openssl', ['genrsa', '-out', path.join(dir, 'keys', 'bench.private'), '2048'], { stdio: 'ignore' });
  await writeFile(path.join(dir, 'conf'), `Domain bench.test\nSelector bench\nKeyFile ${dir}/keys/bench.private\nMode s\nCanonicalization relaxed/relaxed\nSocket inet:${milter}@127.0.0.1\n`
    + `InternalHosts 127.0.0.0/8\nSyslog no\nBackground no\nOversignHeaders From\nUserID opendkim\n`);
  for (const f of ['', 'keys', 'keys/bench.private', 'conf']) await chown(path.join(dir, f), id('-u'), id('-g'));
  await chmod(dir, 0o700);
  const child = spawn('opendkim', ['-f', '-x', path.join(dir, 'conf')], { stdio: 'ignore' });
  await until('OpenDKIM', 15000, async () => { try { (await dial(milter)).end(); return true; } catch { return false; } });
  await writeFile(path.join(tmpdir(), `transport-${port}`), Array.from({ length: 50 }, (_, i) => `${domain(i)} smtp:[${host(i)}]:${sink.port}\n`).join(''));
  const postfix = await Postfix.start({ port, domains: ['pf.test'], boxes: [],
    listeners: { '127.0.0.1': '-o smtpd_tls_wrappermode=yes -o smtpd_relay_restrictions=permit_mynetworks,reject -o smtpd_recipient_restrictions=permit_mynetworks,reject' },
    settings: `mynetworks = 127.0.0.0/8\ndefault_transport = smtp\ntransport_maps = texthash:${path.join(tmpdir(), `transport-${port}`)}\nsmtpd_milters = inet:127.0.0.1:${milter}\nmilter_default_action = tempfail\nmilter_protocol = 6\n`
      + 'smtp_dns_support_level = disabled\nsmtpd_peername_lookup = no\nsmtpd_client_message_rate_limit = 0\nin_flow_delay = 0\n' });
  const kinds = { smtpd: 'smtpd', cleanup: 'cleanup', qmgr: 'qmgr', smtp: 'smtp', opendkim: 'opendkim', master: 'others', 'trivial-rewrite': 'others', tlsmgr: 'others', anvil: 'others', scache: 'others', postlogd: 'others' };
  return { port, sender: 'bench@bench.test', login: '-', processor: () => processor((_, name) => kinds[name]),
    async check() { if (/status=(deferred|bounced)/.test(postfix.log)) throw new Error(`not all went well: ${/.*status=(?:deferred|bounced).*/.exec(postfix.log)[0]}`); },
    async stop() { child.kill(); await postfix.stop(); await rm(dir, { recursive: true, force: true }); await rm(path.join(tmpdir(), `transport-${port}`), { force: true }); } };
}

// Messages/s from the first command until the last is at the sink; what is said to be taken in, too.
async function measure(start, dns, tool, connections, seconds, destinations) {
  const sink = await startSink(), side = await start(dns, sink);
  try {
    const load = ['-t', side.login, '-f', side.sender, side.port], to = Array.from({ length: destinations }, (_, i) => `somebody@${domain(i)}`);
    const send = async (n, s) => {
      const r = await tool('smtp_load', [...load, n, s, 10240, ...to]);
      if (r.failed) throw new Error(`${r.failed} were not taken`);
      return r;
    };
    const warm = await send(4, 1);
    await until('the first ones at the sink', 60000, () => sink.got >= warm.sent);
    const before = await side.processor(), began = Date.now(), had = sink.got;
    const r = await send(connections, seconds);
    await until('all to be at the sink', 300000, () => sink.got - had >= r.sent);
    await sleep(300);
    if (sink.got - had !== r.sent) throw new Error(`${r.sent} were sent and ${sink.got - had} came`);
    await side.check();
    const after = await side.processor();
    return { ...r, through: r.sent / ((sink.last - began) / 1000), stages: Object.fromEntries(Object.keys(after).map((k) => [k, (after[k] - (before[k] ?? 0)) * 1e6 / r.sent]).filter(([, us]) => us >= 5)) };
  } finally { await side.stop(); sink.stop(); }
}

async function many({ row, tool, median, rounds, quick }) {
  const count = Number(process.env.BENCH_QUEUE ?? (quick ? 10000 : 1000000));
  const got = [];
  for (let i = 0; i < Math.min(rounds, count > 100000 ? 1 : rounds); i++) {
    const dir = await mkdtemp(path.join(tmpdir(), 'queue-'));
    try { got.push(await tool('queue_bench', [path.join(dir, 'queue.sqlite'), count, Math.ceil(count / 20), 2048])); } finally { await rm(dir, { recursive: true }); }
  }
  const small = await mkdtemp(path.join(tmpdir(), 'queue-'));
  const few = await tool('queue_bench', [path.join(small, 'queue.sqlite'), 1000, 50, 2048]).finally(() => rm(small, { recursive: true }));
  const of = (k) => median(got.map((r) => r[k]));
  const what = `a queue of ${count} messages, ${Math.ceil(count / 20)} destinations`;
  row(`memory, ${what}`, `${(of('memory') / 1048576).toFixed(1)} MB (1,000 messages: ${(few.memory / 1048576).toFixed(1)} MB); ${(of('disk') / 1073741824).toFixed(2)} GB of disk`, 'under 64 MB', of('memory') < 64 << 20);
  row(`start-up, ${what}`, `${of('open_ms').toFixed(1)} ms until the first look at it`, 'under 100 ms', of('open_ms') < 100);
  row(`one retry, ${what}`, `${of('retry_us').toFixed(0)} us of processor, two commits (1,000 messages: ${few.retry_us.toFixed(0)} us); one more message ${of('fill_us').toFixed(0)} us`, 'at most twice that of 1,000', of('retry_us') < 2 * few.retry_us);
}

export async function queue(b) {
  const { row, tool, median, rounds, seconds } = b;
  await many(b);
  if (!existsSync('/usr/sbin/smtp-sink')) { console.log('# queue: no sink (smtp-sink comes with Postfix): not measured'); return; }
  const lacks = Postfix.absent ?? (existsSync('/usr/sbin/opendkim') ? null : 'OpenDKIM is not installed');
  if (lacks) console.log(`# queue: Postfix and OpenDKIM are not measured beside us: ${lacks}`);
  const zone = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [domain(i), { A: host(i), ttl: 3600 }]));
  const dns = await DnsServer.start({ zone });
  const sides = lacks ? { ours } : { ours, theirs };
  try {
    for (const destinations of [1, 50]) {
      const got = { ours: [], theirs: [] };
      for (let i = 0; i < rounds; i++) for (const [name, start] of Object.entries(sides)) got[name].push(await measure(start, dns, tool, 20, seconds, destinations));
      const of = (name, f) => median(got[name].map(f));
      const say = (name) => `${of(name, (r) => r.through).toFixed(0)} (taken ${of(name, (r) => r.rate).toFixed(0)}, p99 ${(of(name, (r) => r.p99_us) / 1000).toFixed(1)} ms to the 250)`;
      const ratio = lacks ? undefined : of('ours', (r) => r.through) / of('theirs', (r) => r.through);
      const what = `${destinations} destination${destinations > 1 ? 's' : ''}`;
      row(`messages/s, submission to queue to sink, 10 KB, DKIM, 20 connections, ${what}`, `${say('ours')}${lacks ? '' : ` against ${say('theirs')}: ${ratio.toFixed(2)}`}`, 'at least 2.0', ratio === undefined ? undefined : ratio >= 2);
      for (const name of Object.keys(sides)) {
        const { stages } = got[name].at(-1), all = Object.values(stages).reduce((x, y) => x + y, 0);
        row(`processor a message that leaves, ${name}, ${what}`, `${all.toFixed(0)} us: ${Object.entries(stages).sort((x, y) => y[1] - x[1]).map(([k, us]) => `${k} ${us.toFixed(0)}`).join(', ')}`, '-');
      }
    }
  } finally { await dns.stop(); }
}
