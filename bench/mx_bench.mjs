// The whole MX against Debian's Postfix, with Dovecot's LMTP behind it storing to Maildir, in turns on the same cores: with the
// checks of both (ours; rspamd as their milter, which looks at SPF, DKIM, DMARC and the content) and with none.
// DNS answers come from a server of our own: over HTTPS for us, plain for rspamd.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { generateKeyPairSync } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import nodemailer from 'nodemailer';
import { DnsServer } from '../test/lib/dns.mjs';
import { Service, dial, freePort, root, sleep, until } from '../test/lib/service.mjs';
import { processor } from './processor.mjs';

const CLIENT = '192.0.2.77', BALANCER = '127.0.0.2', MAILBOXES = 100;
const WORDS = 'letter harbour window Tuesday please invoice garden meeting attached regards station number'.split(' ');
const folder = process.env.BENCH_PEERS ?? path.resolve(root, '../shared/peers');

const { privateKey, publicKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'der' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const zone = {
  'example.net': { TXT: `v=spf1 ip4:${CLIENT} -all`, A: CLIENT, MX: [[10, 'bench.example.net']] },
  'bench.example.net': { A: CLIENT },
  'key._domainkey.example.net': { TXT: `v=DKIM1; k=rsa; p=${publicKey.toString('base64')}` },
  '_dmarc.example.net': { TXT: 'v=DMARC1; p=reject' },
  '77.2.0.192.in-addr.arpa': { PTR: 'bench.example.net' },
};

// Letters of `bytes`, no two alike, signed but for their Message-ID, which the load gives each.
async function writeLetters(file, count, bytes) {
  const t = nodemailer.createTransport({ streamTransport: true, buffer: true, newline: 'windows',
    dkim: { domainName: 'example.net', keySelector: 'key', privateKey, skipFields: 'message-id' } });
  const out = [];
  for (let i = 0; i < count; i++) {
    let x = i + 1, text = '';
    while (text.length < bytes - 1100) {
      x = (x * 48271) % 2147483647;
      text += `${WORDS[x % WORDS.length]}${(x >> 8 & 0xfff).toString(16)}${x % 9 ? ' ' : '\n'}`;
    }
    const r = await t.sendMail({ from: 'Bench <bench@example.net>', to: 'reader@example.test', subject: `bench ${i}`, text });
    const wire = r.message.toString('latin1').replace(/^Message-ID:.*\r\n/im, '').replace(/^\./gm, '..').replace(/\r\n$|$/, '\r\n');
    out.push(`${wire.length}\n${wire}`);
  }
  await writeFile(file, out.join(''), 'latin1');
}

async function ours(dns, checks) {
  const service = await Service.start({ env: {
    LETTERLOCK_MX_PROXY_FROM: BALANCER, LETTERLOCK_RESOLVER_UPSTREAMS: dns.upstream, LETTERLOCK_RESOLVER_CA_FILE: dns.ca,
    LETTERLOCK_MX_GREET_DELAY: '0ms', LETTERLOCK_MX_CONNECTION_RATE: '100000', LETTERLOCK_MX_MAX_CONNECTIONS_PER_NETWORK: '2000', LETTERLOCK_MX_RECIPIENT_RATE: '0',
    ...(!checks && { LETTERLOCK_MX_AUTH_CHECKS: 'no', LETTERLOCK_MX_SPAM: 'no', LETTERLOCK_MX_SENDER_CHECK: 'off', LETTERLOCK_MX_HELO_CHECK: 'off' }),
  } });
  await until('the resolver', 10000, async () => (await service.status()).roles.find((r) => r.name === 'resolver' && r.state === 'ready'));
  const to = [];
  for (let i = 0; i < MAILBOXES; i++) to.push((await service.alias()).address);
  const roles = new Map((await service.status()).roles.map((r) => [r.pid, r.name]));
  return { port: service.ports.mx, to, processor: () => processor((pid) => roles.get(pid)), stored: async () => {}, stop: () => service.stop() };
}

const shell = (script, verb, env) => new Promise((resolve, reject) => {
  execFile('bash', [path.join(folder, script), verb], { env: { ...process.env, ...env } }, (e, out, err) => (e ? reject(new Error(err || out)) : resolve()));
});

// It takes half a minute of processor to begin: once for all rounds. Its own Bayes would want a Redis, and is left out.
async function startRspamd(base, dns) {
  const port = await freePort();
  const local = path.join(base, 'rspamd'), at = (f) => path.join(local, 'local.d', f);
  await mkdir(path.join(local, 'local.d'), { recursive: true });
  const files = {
    'options.inc': `dns { nameserver = ["127.0.0.1:${dns.plainPort}"]; }\nlocal_addrs = [];\npidfile = "${local}/pid";\ncontrol_socket = "${local}/control";\n`,
    'logging.inc': `type = "file"; filename = "${local}/log"; level = "error";\n`,
    'worker-normal.inc': 'enabled = false;\n',
    'worker-controller.inc': `bind_socket = "${local}/controller";\n`,
    'worker-proxy.inc': `bind_socket = "127.0.0.1:${port}"; milter = yes; timeout = 120s; count = 2; upstream "local" { default = yes; self_scan = yes; }\n`,
    // What asks servers of other people for an opinion has no counterpart here.
    'rbl.conf': 'enabled = false;\n', 'surbl.conf': 'enabled = false;\n', 'fuzzy_check.conf': 'enabled = false;\n', 'greylist.conf': 'enabled = false;\n',
    'asn.conf': 'enabled = false;\n', 'phishing.conf': 'openphish_enabled = false; phishtank_enabled = false;\n', 'actions.conf': 'reject = null; greylist = null;\n',
  };
  for (const [f, text] of Object.entries(files)) await writeFile(at(f), text);
  execFileSync('chown', ['-R', '_rspamd:_rspamd', local]);
  const child = spawn('rspamd', ['-f', '-u', '_rspamd', '-g', '_rspamd', `--var=LOCAL_CONFDIR=${local}`, `--var=RUNDIR=${local}`, `--var=DBDIR=${local}`, `--var=LOGDIR=${local}`], { stdio: 'ignore' });
  await until('rspamd', 120000, async () => { try { (await dial(port)).end(); return true; } catch { return false; } });
  return { port, stop: () => { child.kill(); } };
}

async function theirs(dns, rspamd) {
  const base = await mkdtemp(path.join(tmpdir(), 'postfix-'));
  execFileSync('chmod', ['a+rx', base]);
  const env = { BASE: path.join(base, 'postfix'), DOVECOT_BASE: path.join(base, 'dovecot') };
  const dovecot = { BASE: env.DOVECOT_BASE };
  const count = async () => {
    let n = 0;
    for (const u of await readdir(path.join(env.DOVECOT_BASE, 'mail'))) {
      const box = path.join(env.DOVECOT_BASE, 'mail', u, 'maildir');
      for (const d of ['new', 'cur']) if (existsSync(path.join(box, d))) n += (await readdir(path.join(box, d))).length;
    }
    return n;
  };
  const kinds = { smtpd: 'smtpd', cleanup: 'cleanup', qmgr: 'qmgr', lmtp: 'lmtp', rspamd: 'rspamd', master: 'others', 'trivial-rewrite': 'others', auth: 'others', proxymap: 'others', anvil: 'others' };
  const side = {
    port: 10025, to: Array.from({ length: MAILBOXES }, (_, i) => `user${i + 1}@example.test`),
    processor: () => processor((_, name) => (name.startsWith('rspamd') ? 'rspamd' : kinds[name])),
    stored: (n) => until('all to be stored', 120000, async () => (await count()) >= n),
    async stop() {
      await shell('postfix.sh', 'stop', env);
      await shell('dovecot.sh', 'stop', dovecot);
      await sleep(500);
      await rm(base, { recursive: true, force: true });
    },
  };
  try {
    await shell('dovecot.sh', 'start', dovecot);
    await shell('postfix.sh', 'start', env);
    let more = '\nsmtpd_upstream_proxy_protocol = haproxy\nsmtpd_client_message_rate_limit = 0\n';
    if (rspamd) more += `smtpd_milters = inet:127.0.0.1:${rspamd.port}\nmilter_default_action = tempfail\nmilter_protocol = 6\n`;
    await appendFile(path.join(env.BASE, 'etc', 'main.cf'), more);
    await new Promise((r) => { execFile('postfix', ['-c', path.join(env.BASE, 'etc'), 'reload'], r); });
    await sleep(1500);
    return side;
  } catch (e) {
    await side.stop().catch(() => {});
    throw e;
  }
}

// One load on one server: messages/s acknowledged, and until the last is in its mailbox; microseconds of processor by stage.
async function measure(start, tool, connections, seconds, letters) {
  const side = await start();
  try {
    const load = ['-p', CLIENT, '-l', letters, side.port, connections];
    await tool('smtp_load', [...load, 1, 10240, ...side.to]); // both are warm: processes, names, connections to each other
    await sleep(1500);
    const before = await side.processor(), began = Date.now();
    const r = await tool('smtp_load', [...load, seconds, 10240, ...side.to]);
    if (r.failed) throw new Error(`${r.failed} deliveries failed`);
    await side.stored(r.sent);
    const took = (Date.now() - began) / 1000, after = await side.processor();
    const stages = Object.fromEntries(Object.keys(after).map((k) => [k, (after[k] - (before[k] ?? 0)) * 1e6 / r.sent]).filter(([, us]) => us >= 5));
    return { ...r, stored: r.sent / took, stages };
  } finally { await side.stop(); }
}

export async function mx({ row, tool, median, rounds, seconds, quick }) {
  const dir = await mkdtemp(path.join(tmpdir(), 'letters-')), letters = path.join(dir, 'letters');
  execFileSync('chmod', ['a+rx', dir]);
  const dns = await DnsServer.start({ zone });
  const lacks = [['postfix.sh', folder], ['postfix', '/usr/sbin'], ['dovecot', '/usr/sbin'], ['rspamd', '/usr/bin']].find(([f, d]) => !existsSync(path.join(d, f)));
  if (lacks) console.log(`# mx: Postfix, Dovecot and rspamd are not measured beside us: ${lacks.join(' is not in ')}`);
  const sides = lacks ? { ours } : { ours, theirs };
  let rspamd;
  try {
    await writeLetters(letters, quick ? 500 : 4000, 10240);
    for (const checks of [true, false]) {
      rspamd?.stop();
      rspamd = checks && !lacks ? await startRspamd(dir, dns) : undefined;
      for (const connections of [1, 20, 100]) {
        const got = { ours: [], theirs: [] };
        for (let i = 0; i < rounds; i++)
          for (const [name, start] of Object.entries(sides)) got[name].push(await measure(() => start(dns, name === 'ours' ? checks : rspamd), tool, connections, seconds, letters));
        const of = (name, f) => median(got[name].map(f));
        const say = (name) => `${of(name, (r) => r.rate).toFixed(0)} (p50 ${(of(name, (r) => r.p50_us) / 1000).toFixed(1)}, p99 ${(of(name, (r) => r.p99_us) / 1000).toFixed(1)} ms to the 250)`;
        const ratio = lacks ? undefined : of('ours', (r) => r.rate) / of('theirs', (r) => r.stored);
        const what = `${checks ? 'all checks' : 'no checks'}, ${connections} connection${connections > 1 ? 's' : ''}`;
        row(`messages/s over SMTP into ${MAILBOXES} mailboxes, 10 KB, ${what}`,
          `${say('ours')}${lacks ? '' : ` against ${say('theirs')}, ${of('theirs', (r) => r.stored).toFixed(0)} until stored: ${ratio.toFixed(2)}`}`,
          'at least 2.0', ratio === undefined ? undefined : ratio >= 2);
        for (const name of Object.keys(sides)) {
          const stages = got[name].at(-1).stages;
          const all = Object.values(stages).reduce((a, b) => a + b, 0);
          row(`processor a message, ${name}, ${what}`, `${all.toFixed(0)} us: ${Object.entries(stages).sort((a, b) => b[1] - a[1]).map(([k, us]) => `${k} ${us.toFixed(0)}`).join(', ')}`, '-');
        }
      }
    }
  } finally {
    rspamd?.stop();
    await dns.stop();
    await rm(dir, { recursive: true, force: true });
  }
}
