// Debian's Postfix in a folder of its own, as a mail server that ours sends to: several listeners, each with its own ways,
// and mailboxes as files. Needs root, like Postfix; Postfix.absent says why there is none.
//
//   const p = await Postfix.start({ port, domains: ['pf.test'], listeners: { '127.0.0.2': '', '127.0.0.4': '-o smtpd_tls_security_level=none' } });
//   await p.mail('box@pf.test')   // what lies there, as Buffers
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync, chownSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { until } from './service.mjs';

const SERVICES = `pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`;

export class Postfix {
  static get absent() {
    if (!existsSync('/usr/sbin/postfix')) return 'Postfix is not installed';
    return process.getuid() === 0 ? null : 'Postfix wants root';
  }
  static async start({ port, domains, boxes, listeners, settings = '' }) {
    const p = new Postfix();
    p.dir = mkdtempSync('/tmp/letterlock-postfix-');
    chmodSync(p.dir, 0o755);
    const at = (...x) => path.join(p.dir, ...x);
    const id = (flag) => Number(execFileSync('id', [flag, 'postfix']));
    for (const d of ['etc', 'spool', 'data', 'mail']) mkdirSync(at(d));
    for (const d of ['data', 'mail']) chownSync(at(d), id('-u'), id('-g'));
    for (const f of ['postfix-files', 'dynamicmaps.cf', 'postfix-files.d', 'dynamicmaps.cf.d'])
      if (existsSync(`/etc/postfix/${f}`)) execFileSync('cp', ['-r', `/etc/postfix/${f}`, at('etc')]);
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=pf.test', '-keyout', at('key.pem'), '-out', at('cert.pem')], { stdio: 'ignore' });
    writeFileSync(at('boxes'), boxes.map((b) => `${b} ${b}/\n`).join(''));
    writeFileSync(at('etc', 'main.cf'), `compatibility_level = 3.6
queue_directory = ${at('spool')}
data_directory = ${at('data')}
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = ${at('log')}
maillog_file_prefixes = ${p.dir}
inet_interfaces = all
inet_protocols = ipv4
myhostname = mx.pf.test
mydestination =
mynetworks =
virtual_mailbox_domains = ${domains.join(', ')}
virtual_mailbox_maps = texthash:${at('boxes')}
virtual_mailbox_base = ${at('mail')}
virtual_minimum_uid = 1
virtual_uid_maps = static:${id('-u')}
virtual_gid_maps = static:${id('-g')}
virtual_transport = virtual
smtpd_tls_cert_file = ${at('cert.pem')}
smtpd_tls_key_file = ${at('key.pem')}
smtpd_tls_security_level = may
smtpd_relay_restrictions = reject_unauth_destination
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
alias_maps =
default_transport = discard
${settings}
`);
    writeFileSync(at('etc', 'master.cf'), `${Object.entries(listeners).map(([host, more]) => `${host}:${port} inet n - n - - smtpd ${more}\n`).join('')}${SERVICES}`);
    await new Promise((resolve, reject) => execFile('postfix', ['-c', at('etc'), 'start'], { timeout: 30000 }, (e, out, err) => (e ? reject(new Error(err)) : resolve())));
    for (const host of Object.keys(listeners))
      await until(`Postfix at ${host}`, 15000, () => new Promise((resolve) => {
        const s = net.connect(port, host, () => { s.destroy(); resolve(true); }).on('error', () => resolve(false));
      })).catch((e) => { throw new Error(`${e.message}\n${p.log}`); });
    return p;
  }
  get log() { try { return readFileSync(path.join(this.dir, 'log'), 'utf8'); } catch { return ''; } }
  mail(box) {
    const dir = path.join(this.dir, 'mail', box, 'new');
    return existsSync(dir) ? readdirSync(dir).sort().map((f) => readFileSync(path.join(dir, f))) : [];
  }
  async stop() {
    await new Promise((resolve) => execFile('postfix', ['-c', path.join(this.dir, 'etc'), 'stop'], { timeout: 30000 }, resolve));
    rmSync(this.dir, { recursive: true, force: true });
  }
}
