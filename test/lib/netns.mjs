// A network of a test's own: two namespaces and a wire. This process is the Internet, with as many addresses as its
// servers want; the service lives behind the wire with two addresses of its own, a default route and port 25.
//
//   const absent = await inNamespace(import.meta.url);   // runs the file again inside; null there, elsewhere why not
//   const net = await Network.start();                   // inside
//   net.address('25.25.2.1');                            // one more of the Internet's: servers listen there
//   Service.start({ run: net.run, host: net.host, … });  // the service, behind the wire
//
// The addresses are no private ones, so that whoever refuses those needs no exception; they lead nowhere out of here.
// What nobody has is not answered at all (nothing is forwarded): whoever dials it waits. Everything ends with the
// processes; nothing is left on the machine.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const INSIDE = 'TEST_NETNS';
const ip = (...args) => execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });

function absence() {
  if (process.getuid() !== 0) return 'network namespaces want root';
  if (spawnSync('ip', ['-V']).status !== 0) return 'there is no ip (iproute2)';
  const r = spawnSync('unshare', ['--net', 'ip', 'link', 'add', 'w0', 'type', 'veth', 'peer', 'name', 'w1']);
  return r.status === 0 ? null : `this machine lets us make no network namespace: ${r.stderr}`.trim();
}

export async function inNamespace(url) {
  if (process.env[INSIDE]) return null;
  const absent = absence();
  if (absent) return `SKIPPED: ${absent}`;
  const child = spawn('unshare', ['--net', '--mount', '--fork', '--kill-child', '--', process.execPath, ...process.execArgv, fileURLToPath(url)],
    { stdio: 'inherit', env: { ...process.env, [INSIDE]: 'yes' } });
  const stop = () => child.kill('SIGTERM');
  process.on('SIGTERM', stop).on('SIGINT', stop);
  process.exit(await new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 1))));
}

export class Network {
  static async start({ v4 = '25.25.0.25', v6 = '2c01:25:25::25' } = {}) {
    const n = new Network();
    Object.assign(n, { host: v4, host6: v6 });
    n.keeper = spawn('unshare', ['--net', '--', 'sh', '-c', 'echo here; exec sleep 100000'], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => n.keeper.stdout.once('data', resolve));
    n.run = ['nsenter', `--net=/proc/${n.keeper.pid}/ns/net`, '--'];
    const there = (...args) => execFileSync(n.run[0], [...n.run.slice(1), 'ip', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    ip('link', 'set', 'lo', 'up');
    there('link', 'set', 'lo', 'up');
    ip('link', 'add', 'wire', 'type', 'veth', 'peer', 'name', 'wire1');
    ip('link', 'set', 'wire1', 'netns', String(n.keeper.pid));
    ip('address', 'add', '25.25.0.1/24', 'dev', 'wire');
    ip('-6', 'address', 'add', '2c01:25:25::1/64', 'dev', 'wire', 'nodad');
    there('address', 'add', `${v4}/24`, 'dev', 'wire1');
    there('-6', 'address', 'add', `${v6}/64`, 'dev', 'wire1', 'nodad');
    ip('link', 'set', 'wire', 'up');
    there('link', 'set', 'wire1', 'up');
    there('route', 'add', 'default', 'via', '25.25.0.1');
    there('-6', 'route', 'add', 'default', 'via', '2c01:25:25::1');
    n.there = there;
    return n;
  }
  address(a) { ip('address', 'add', a.includes(':') ? `${a}/128` : `${a}/32`, 'dev', 'lo', ...(a.includes(':') ? ['nodad'] : [])); return a; }
  // From now on whatever is sent there is lost, in connections that stand, too.
  vanish(a) { ip('address', 'del', a.includes(':') ? `${a}/128` : `${a}/32`, 'dev', 'lo'); }
  stop() { this.keeper.kill('SIGKILL'); }
}
