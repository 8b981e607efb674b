// Debian's OpenSMTPD as a mail server that ours sends to, inside a namespace of a test's own (netns.mjs: its spool is one
// fixed folder, which is mounted over here). It takes mail for its domains and hands it to a server of the test's.
//
// Debian's packages of mail servers exclude each other; `dpkg-deb -x opensmtpd_*.deb DIR` is enough for this one, DIR being
// `opensmtpd` in the folder that BENCH_PEERS names. It wants users opensmtpd and opensmtpq, which are made in the namespace's own /etc/passwd.
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, appendFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { root, until } from './service.mjs';

const beside = path.join(process.env.BENCH_PEERS ?? path.resolve(root, '../shared/peers'), 'opensmtpd');
const smtpd = ['/', beside].map((d) => path.join(d, 'usr/sbin/smtpd')).find((f) => existsSync(f) && readFileSync(f).includes('OpenSMTPD'));

export class OpenSmtpd {
  static get absent() { return smtpd ? null : 'OpenSMTPD is not installed, nor unpacked in BENCH_PEERS'; }
  static async start({ host, domains, sink, certificate }) {
    const p = new OpenSmtpd();
    p.dir = mkdtempSync('/tmp/letterlock-opensmtpd-');
    const at = (f) => path.join(p.dir, f);
    for (const d of ['spool', 'empty', 'libexec']) mkdirSync(at(d), 0o711);
    writeFileSync(at('key.pem'), certificate.key, { mode: 0o600 });
    writeFileSync(at('cert.pem'), certificate.cert);
    for (const f of ['passwd', 'group']) copyFileSync(`/etc/${f}`, at(f));
    for (const [name, id] of [['opensmtpd', 64101], ['opensmtpq', 64102]]) {
      if (new RegExp(`^${name}:`, 'm').test(readFileSync(at('passwd'), 'utf8'))) continue;
      appendFileSync(at('passwd'), `${name}:x:${id}:${id}::/var/lib/opensmtpd/empty:/usr/sbin/nologin\n`);
      appendFileSync(at('group'), `${name}:x:${id}:\n`);
    }
    const over = (from, to) => { mkdirSync(to, { recursive: true }); execFileSync('mount', ['--bind', from, to]); };
    for (const f of ['passwd', 'group']) execFileSync('mount', ['--bind', at(f), `/etc/${f}`]);
    over(at('spool'), '/var/spool/smtpd');
    over(at('empty'), '/var/lib/opensmtpd/empty');
    writeFileSync(at('conf'), `pki ours cert "${at('cert.pem')}"
pki ours key "${at('key.pem')}"
listen on ${host} port 25 tls pki ours hostname "mx.open.test"
action "on" relay host "smtp://${sink}"
match from any for domain { ${domains.map((d) => `"${d}"`).join(' ')} } action "on"
match from any for any reject
`);
    p.child = spawn(smtpd, ['-d', '-f', at('conf')], { stdio: ['ignore', 'pipe', 'pipe'] });
    p.log = '';
    for (const s of [p.child.stdout, p.child.stderr]) s.on('data', (d) => { p.log += d; });
    await until('OpenSMTPD', 10000, () => new Promise((resolve) => {
      const s = net.connect(25, host, () => { s.destroy(); resolve(true); }).on('error', () => resolve(false));
    })).catch((e) => { throw new Error(`${e.message}\n${p.log}`); });
    return p;
  }
  async stop() {
    this.child.kill('SIGTERM');
    await new Promise((r) => { if (this.child.exitCode !== null) r(); this.child.on('exit', r); setTimeout(r, 3000).unref(); });
    for (const d of ['/var/spool/smtpd', '/var/lib/opensmtpd/empty', '/etc/passwd', '/etc/group']) execFileSync('umount', ['-l', d]);
    rmSync(this.dir, { recursive: true, force: true });
  }
}
