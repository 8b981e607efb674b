// `make bench`: the figures, side by side in one run, as JSON and as a table for bench/RESULTS.md.
//   node bench/run.mjs [--quick] [NAME…]
// Every figure is the median of several rounds; the two sides of a comparison take turns.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { cpus, release, tmpdir } from 'node:os';
import path from 'node:path';
import { backup } from './backup_bench.mjs';
import { exports as exportAll } from './export_bench.mjs';
import { mx } from './mx_bench.mjs';
import { faults } from './faults_bench.mjs';
import { queue } from './queue_bench.mjs';
import { stall } from './stall_bench.mjs';
import { Imap, Service, build, corpus, dial, root, sample, sleep, until } from '../test/lib/service.mjs';

const quick = process.argv.includes('--quick');
const names = process.argv.slice(2).filter((a) => !a.startsWith('--'));
const seconds = quick ? 2 : 5;
const rounds = quick ? 1 : 3;
const rows = [];

const median = (v) => v.toSorted((a, b) => a - b)[Math.floor(v.length / 2)];
const quantile = (v, q) => v.toSorted((a, b) => a - b)[Math.min(v.length - 1, Math.floor(v.length * q))];
function tool(name, args) {
  return new Promise((resolve, reject) => {
    execFile(path.join(build, 'bench', name), args.map(String), { maxBuffer: 1 << 24 }, (e, stdout, stderr) =>
      (e ? reject(new Error(`${name}: ${stderr}`)) : resolve(JSON.parse(stdout))));
  });
}
function row(name, figure, aim, met) {
  rows.push({ name, figure, aim, met: met === undefined ? '' : met ? 'yes' : 'NO' });
  console.log(`${name}: ${figure}  (aim: ${aim}${met === undefined ? '' : met ? ', met' : ', MISSED'})`);
}
// Many aliases with their mailboxes, without two processes for each.
async function aliases(service, count) {
  const text = await new Promise((resolve, reject) => {
    execFile(path.join(build, 'bench', 'many_aliases'), [path.join(service.dir, 'letterlock.conf'), 'many', String(count)], { env: service.env, maxBuffer: 1 << 26 }, (e, out, err) => (e ? reject(new Error(err || e.message)) : resolve(out)));
  });
  return text.trim().split('\n').map((l) => { const [address, password] = l.split(' '); return { address, password }; });
}
const times = async (n, f) => { const out = []; for (let i = 0; i < n; i++) out.push(await f(i)); return out; };
const ms = (from) => Number(process.hrtime.bigint() - from) / 1e6;
const now = () => process.hrtime.bigint();

async function memory(service, key, roles) {
  let kb = 0;
  const all = (await service.status()).roles;
  const pids = roles ? all.filter((r) => roles.includes(r.name)).map((r) => r.pid) : [service.child.pid, ...all.map((r) => r.pid)];
  for (const pid of pids) {
    const text = await readFile(`/proc/${pid}/smaps_rollup`, 'latin1');
    kb += Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(text)[1]);
  }
  return kb * 1024;
}

// How long after the sender's 250 sessions hear of it: 20 of them, spread over all. The others' clients stand
// for other people's machines: their sockets are not read while it is measured.
async function pushes(service, alias, sessions, name, aim, spread) {
  const watchers = sessions.length > 100 && spread ? Array.from({ length: 20 }, (_, i) => sessions[Math.floor((i + 0.5) * sessions.length / 20)]) : sessions.slice(0, 20);
  for (const c of sessions) if (!watchers.includes(c)) c.io.socket.pause();
  const lag = [];
  const drop = async () => { for (const c of watchers) while (c.io.size) await c.io.line(); };
  for (let i = 0; i < (quick ? 10 : 50); i++) {
    const watch = watchers.map((c) => c.io.line(10000).then((l) => ({ l, at: now() })));
    const smtp = await service.smtp();
    await smtp.send('sender@example.net', alias.address, sample(i, 1000));
    const accepted = now();
    smtp.end();
    for (const w of watch) {
      const { l, at } = await w;
      if (!/EXISTS/.test(l)) throw new Error(l);
      lag.push(Math.max(0, Number(at - accepted) / 1e6));
    }
    await drop();
    await sleep(20);
    await drop();
  }
  const p99 = quantile(lag, 0.99);
  row(name, `p50 ${quantile(lag, 0.5).toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`, aim, p99 < 20);
}

// A tool with a folder of its own, which goes when it is done.
async function scratch(name, args) {
  const dir = await mkdtemp(path.join(tmpdir(), 'store-'));
  try { return await tool(name, args.map((a) => (a === 'DIR' ? dir : a))); } finally { await rm(dir, { recursive: true }); }
}
const kb = (n) => (n < 1 << 20 ? `${n / 1024} KB` : `${n / 1048576} MB`);

// The core's appends, beside what stores less: all five take turns.
async function storeAppends() {
  const stock = existsSync(path.join(build, 'bench', 'store_stock'));
  if (!stock) console.log('# the stock cipher is left out: ninja -C build bench/store_stock');
  const single = {};
  for (const bytes of [4096, 10240, 102400, 1048576]) {
    for (const boxes of [1, 100]) {
      for (const writers of [1, 4, 16]) {
        const load = ['DIR', writers, 1, bytes, boxes];
        const sides = {
          files: () => scratch('maildir', ['DIR', writers, 1, bytes, boxes]),
          plain: () => scratch('store_bench', ['bare', ...load, 1, 0]),
          ...(stock && { stock: () => scratch('store_stock', load) }),
          fast: () => scratch('store_bench', ['bare', ...load, 0, 0]),
          indexed: () => scratch('store_bench', ['bare', ...load, 0, 1]),
          ours: () => scratch('store_bench', ['append', ...load]),
        };
        const got = Object.fromEntries(Object.keys(sides).map((k) => [k, []]));
        for (let i = 0; i < rounds; i++) for (const [k, f] of Object.entries(sides)) got[k].push(await f());
        const of = (k, f = (r) => r.rate) => median(got[k].map(f));
        const ours = of('ours');
        const indexed = of('ours', (r) => r.rate_indexed);
        const what = `${kb(bytes)} into ${boxes} mailbox${boxes > 1 ? 'es' : ''}, ${writers} writer${writers > 1 ? 's' : ''}`;
        const ratio = ours / of('fast');
        row(`appends/s, ${what}`,
          `${ours.toFixed(0)} (${of('ours', (r) => r.cpu_us).toFixed(0)} us of processor) against: plain files ${of('files').toFixed(0)}, plain SQLite ${of('plain').toFixed(0)}${stock ? `, stock cipher ${of('stock').toFixed(0)}` : ''}, fast cipher ${of('fast').toFixed(0)} (${of('fast', (r) => r.cpu_us).toFixed(0)} us): ${ratio.toFixed(2)} of the last`,
          'at least 0.5 of the bare insert', ratio >= 0.5);
        row(`the same until the index is current, ${what}`, `${indexed.toFixed(0)} against ${of('indexed').toFixed(0)} with FTS5 in the same insert: ${(indexed / of('indexed')).toFixed(2)}`,
          'at least 0.5', indexed / of('indexed') >= 0.5);
        if (bytes === 10240) row(`acknowledged against write+fsync+rename, ${what}`, (ours / of('files')).toFixed(2), 'above 1', ours > of('files'));
        if (writers === 1) single[`${bytes} ${boxes}`] = ours;
        if (writers === 16 && boxes === 1) { // of large letters the bytes are what takes the time, not the sync
          const gain = ours / single[`${bytes} ${boxes}`];
          row(`group commit, ${what}, against one writer`, gain.toFixed(2), bytes > 10240 ? '-' : 'at least 2', bytes > 10240 ? undefined : gain >= 2);
        }
      }
    }
  }
}

async function storeReads() {
  const count = quick ? 1000 : 10000;
  const got = await times(rounds, () => scratch('store_bench', ['read', 'DIR', count, 10240]));
  const of = (k) => median(got.map((r) => r[k]));
  const ratio = of('select_us') / of('bodies_us');
  row(`all bodies of ${count} x 10 KB, processor time each`, `${of('bodies_us').toFixed(1)} us against ${of('select_us').toFixed(1)} of a bare SELECT over the same cipher: ${ratio.toFixed(2)} of its speed`, 'at least 0.5', ratio >= 0.5);
  row('headers only', `${of('headers_us').toFixed(1)} us: ${(of('bodies_us') / of('headers_us')).toFixed(1)} times as fast as bodies`, 'at least 4 times', of('bodies_us') >= 4 * of('headers_us'));
}

// Every message of the corpus, or letters of our own where it is absent.
async function storeSizes() {
  const dir = await mkdtemp(path.join(tmpdir(), 'store-'));
  const names = [];
  for (const f of existsSync(corpus) ? await readdir(corpus, { recursive: true, withFileTypes: true }) : []) {
    const at = path.join(f.parentPath ?? f.path, f.name);
    if (f.isFile() && at.includes(`${path.sep}share${path.sep}`)) names.push(at);
  }
  if (!names.length) {
    console.log('# corpus: not there; samples of our own only');
    for (let i = 0; i < 500; i++) {
      names.push(path.join(dir, `${i}.eml`));
      await writeFile(names.at(-1), sample(i, 2000 + (i * 37) % 30000));
    }
  }
  const list = path.join(dir, 'names');
  await writeFile(list, `${names.join('\n')}\n`);
  const r = await tool('store_bench', ['size', dir, list]);
  await rm(dir, { recursive: true });
  row(`disk bytes of ${r.messages} messages, with the text index, against a Maildir`, `${(r.ours / 1e6).toFixed(1)} MB against ${(r.maildir / 1e6).toFixed(1)}: ${r.ratio.toFixed(2)}`, 'at most 0.7', r.ratio <= 0.7);
}

async function storeMany() {
  const m = await scratch('store_bench', ['memory', 'DIR', quick ? 50 : 300]);
  row(`RSS of an open mailbox (${m.mailboxes}; writing and one reading handle)`, `${(m.bytes / 1024).toFixed(0)} KB (${(m.writer_bytes / 1024).toFixed(0)} + ${(m.reader_bytes / 1024).toFixed(0)}; ${(m.shed_bytes / 1024).toFixed(0)} with page caches given back)`, 'under 300 KB', m.bytes < 300 * 1024);
  const cost = [];
  for (const n of quick ? [1, 1000] : [1, 1000, 100000]) {
    const r = await scratch('store_bench', ['folders', 'DIR', n]);
    cost.push(r.cpu_us);
    row(`delivery to a closed mailbox with ${n} on disk`, `${r.cpu_us} us of processor (p90 ${r.p90_us})`, cost.length > 1 ? 'within 1.2 of one' : '-', cost.length > 1 ? r.cpu_us <= cost[0] * 1.2 : undefined);
  }
}

// Servers to put the same load on: a start that gives HOST PORT and logins, for `people` users.
const dovecotScript = process.env.BENCH_PEERS ? path.join(process.env.BENCH_PEERS, 'dovecot.sh') : path.resolve(root, '../shared/peers/dovecot.sh');
const peers = {
  async ours(people) {
    const service = await Service.start({ pop3: true });
    const logins = (await times(people, () => service.alias())).map((a) => `${a.address} ${a.password}`);
    return { port: service.ports.imaps, pop3: service.ports.pop3s, logins, stop: () => service.stop() };
  },
  async dovecot(people) {
    const base = await mkdtemp(path.join(tmpdir(), 'dovecot-'));
    const env = { ...process.env, BASE: base, PORTBASE: '21' };
    const run = (verb) => new Promise((resolve, reject) => { execFile('bash', [dovecotScript, verb], { env }, (e, out, err) => (e ? reject(new Error(err || out)) : resolve())); });
    await run('start');
    return {
      port: 21993,
      pop3: 21995,
      logins: Array.from({ length: people }, (_, i) => `user${i + 1} pass`),
      async stop() { await run('stop'); await rm(base, { recursive: true, force: true }); },
    };
  },
};

// One load on each server in turn: what imap_load printed, by server.
function servers(what) {
  const names = ['ours'];
  if (existsSync(dovecotScript) && ['/usr/sbin/dovecot', '/usr/bin/dovecot'].some(existsSync)) names.push('dovecot');
  else console.log(`# ${what}: Dovecot is not measured beside us: ${dovecotScript} or the program is not there`);
  return names;
}

// Each server in turn, `rounds` times, with `people` mailboxes: what `work` gives, by server.
async function inTurn(names, people, work) {
  const got = Object.fromEntries(names.map((n) => [n, []]));
  for (let i = 0; i < rounds; i++) {
    for (const n of names) {
      const peer = await peers[n](people);
      const dir = await mkdtemp(path.join(tmpdir(), 'imap-'));
      peer.list = path.join(dir, 'logins');
      try {
        await writeFile(peer.list, `${peer.logins.join('\n')}\n`, { mode: 0o600 });
        got[n].push(await work(peer));
      } finally {
        await peer.stop();
        await rm(dir, { recursive: true });
      }
    }
  }
  return got;
}

const imapLoads = (names, connections, people, prepare, mode, length) => inTurn(names, people, async (peer) => {
  await tool('imap_load', ['127.0.0.1', peer.port, 'tls', 1, peer.list, 'prepare', prepare]);
  return tool('imap_load', ['127.0.0.1', peer.port, 'tls', connections, peer.list, mode, length]);
});

const benches = {
  // A local mbox into an empty mailbox: IMPORT_MESSAGES of them, 4 KB each. Memory is that of the command and of the store at
  // their largest, after a tenth and at the end: flat means that it did not grow with what came.
  async import() {
    const n = Number(process.env.IMPORT_MESSAGES ?? (quick ? 5000 : 20000));
    const service = await Service.start({ env: { LETTERLOCK_STORE_BACKUP_INTERVAL: '0' } });
    const a = await service.alias(), dir = await mkdtemp(path.join(tmpdir(), 'import-')), file = path.join(dir, 'All.mbox');
    for (let i = 0; i < n; i += 1000) // a mail of its own each: no two of one Message-ID
      await writeFile(file, Array.from({ length: Math.min(1000, n - i) }, (_, k) => `From x@example.net Mon Nov  2 10:11:12 2026\n${sample(i + k, 4000).toString('latin1').replaceAll('\r\n', '\n').replace(/^From /gm, '>From ')}\n\n`).join(''), { flag: 'a' });
    const child = execFile(path.join(build, 'letterlock'), ['mailbox', 'import', a.address, '--format', 'mbox', '--input', file, '--json', '--config', path.join(service.dir, 'letterlock.conf')], () => {});
    let out = '', early = 0, late = 0, store = 0;
    const marks = [], size = (await stat(file)).size, [pid] = await service.pids('store'); // how far, when, at what cost: does a late message cost what an early one does?
    const of = async (id, name) => Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(await readFile(`/proc/${id}/io`, 'latin1').catch(() => ''))?.[1] ?? NaN);
    const look = async () => {
      const t = await readFile(`/proc/${pid}/stat`, 'latin1'), f = t.slice(t.lastIndexOf(')') + 2).split(' ');
      marks.push({ at: await of(child.pid, 'rchar') / size, ms: Date.now(), cpu: (Number(f[11]) + Number(f[12])) * 10000, written: await of(pid, 'wchar') });
    };
    const began = Date.now(), ended = new Promise((r) => { child.on('exit', r); });
    child.stdout.on('data', (d) => { out += d; });
    child.stdin.end(`${a.password}\n`);
    const poll = setInterval(async () => {
      await look();
      const kb = Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${child.pid}/status`, 'latin1').catch(() => ''))?.[1] ?? 0);
      if (Date.now() - began < 2000) early = Math.max(early, kb);
      late = Math.max(late, kb);
      store = Math.max(store, await memory(service, 'Pss', ['store']).catch(() => 0));
    }, 250);
    await ended;
    clearInterval(poll);
    const r = JSON.parse(out);
    row(`import of ${r.messages} messages from an mbox`, `${(r.messages * 1000 / r.took_ms).toFixed(0)} a second`, 'at least 1000', r.messages === n && r.messages * 1000 / r.took_ms >= 1000);
    const between = (from, to) => { // of the messages in this part of the file
      const [a, b] = [from, to].map((x) => marks.find((m) => m.at >= x) ?? marks.filter((m) => m.at >= 0).at(-1)), k = (b.at - a.at) * n;
      return `${(k * 1000 / (b.ms - a.ms)).toFixed(0)} a second, ${((b.cpu - a.cpu) / k).toFixed(0)} us of the store's processor, ${((b.written - a.written) / k / 1024).toFixed(1)} KiB written`;
    };
    row('a message, in the second tenth of them', between(0.1, 0.2), '-');
    row('and in the last but one', between(0.8, 0.9), 'the same');
    row('memory of the command, in its first two seconds and at most', `${(early / 1024).toFixed(1)} and ${(late / 1024).toFixed(1)} MiB (the store: ${(store / 1048576).toFixed(0)} MiB)`, 'flat', late <= early * 1.5 + 8192);
    await service.stop();
    await rm(dir, { recursive: true, force: true });
  },
  async deliveries() {
    for (const boxes of [1, 100]) {
      for (const open of boxes === 1 ? [false, true] : [false]) {
        const ours = [];
        const files = [];
        const single = [];
        const latency = [];
        for (let i = 0; i < rounds; i++) {
          const service = await Service.start();
          const to = await times(boxes, () => service.alias());
          const watcher = open ? await service.imap(to[0]) : null;
          const r = await tool('smtp_load', [service.ports.mx, 16, seconds, 10240, ...to.map((a) => a.address)]);
          if (r.failed) throw new Error(`${r.failed} deliveries failed`);
          ours.push(r.rate);
          latency.push(r.p99_us);
          await watcher?.logout();
          await service.stop();
          for (const [threads, into] of [[16, files], [1, single]]) {
            const dir = await mkdtemp(path.join(tmpdir(), 'maildir-'));
            into.push((await tool('maildir', [dir, threads, seconds, 10240, boxes])).rate);
            await rm(dir, { recursive: true });
          }
        }
        const ratio = median(ours) / median(files);
        row(`deliveries/s, 10 KB over SMTP, 16 connections, ${boxes} ${open ? 'open' : 'closed'} mailbox${boxes > 1 ? 'es' : ''}`,
          `${median(ours).toFixed(0)} against ${median(files).toFixed(0)} by 16 threads of write+fsync+rename: ${ratio.toFixed(2)}; by one: ${median(single).toFixed(0)}: ${(median(ours) / median(single)).toFixed(2)} (our p99 ${(median(latency) / 1000).toFixed(1)} ms)`,
          'at least 1.0', ratio >= 1);
      }
    }
  },
  // The same deliveries with and without shipping, in turns; and the way back.
  async ship() {
    const cpu = async (service) => { // microseconds of processor of the store
      const fields = (await readFile(`/proc/${(await service.pids('store'))[0]}/stat`, 'latin1')).split(') ')[1].split(' ');
      return (Number(fields[11]) + Number(fields[12])) * 10000;
    };
    const run = async (ship, boxes, open) => {
      const service = await Service.start({ env: { LETTERLOCK_STORE_SHIP: ship, LETTERLOCK_STORE_BACKUP_INTERVAL: '0' } });
      const to = await times(boxes, () => service.alias());
      const watcher = open ? await service.imap(to[0]) : null;
      await sleep(2500); // the mailboxes that were made are shipped: a service makes them once
      await until('shipped', 60000, async () => ship === 'no' || !(await service.status()).store.ship.waiting_packs);
      const before = await cpu(service);
      const r = await tool('smtp_load', [service.ports.mx, 16, seconds, 10240, ...to.map((a) => a.address)]);
      if (r.failed) throw new Error(`${r.failed} deliveries failed`);
      await sleep(2500); // what was shipped late counts
      const used = ((await cpu(service)) - before) / (r.rate * seconds);
      let back = 0;
      if (ship === 'yes' && open) {
        await watcher.logout();
        const from = now();
        await service.ctl(['mailbox', 'restore', to[0].address, '--at', new Date().toISOString()]);
        back = ms(from) / 1000 / ((await service.status()).store.ship.bytes / 2 ** 30);
      } else {
        await watcher?.logout();
      }
      await service.stop();
      return { rate: r.rate, used, back };
    };
    for (const [boxes, open] of [[1, true], [1, false], [100, false]]) {
      const got = { no: [], yes: [] };
      for (let i = 0; i < rounds; i++) for (const ship of ['no', 'yes']) got[ship].push(await run(ship, boxes, open));
      const of = (ship, f) => median(got[ship].map(f));
      const lost = 100 * (1 - of('yes', (r) => r.rate) / of('no', (r) => r.rate));
      row(`deliveries/s while commits are shipped, 10 KB, ${boxes} ${open ? 'open' : 'closed'}`,
        `${of('yes', (r) => r.rate).toFixed(0)} against ${of('no', (r) => r.rate).toFixed(0)}: ${lost.toFixed(1)} % less; the store's processor ${of('yes', (r) => r.used).toFixed(0)} against ${of('no', (r) => r.used).toFixed(0)} us a message`,
        'under 3 %', lost < 3);
      if (open) row('mailbox restore --at, out of packs alone', `${of('yes', (r) => r.back).toFixed(1)} s a GB that was shipped`, '-');
    }
  },
  async cipher() {
    // the median page of each path, in turns within one run; of several runs again the median
    const dir = await mkdtemp(path.join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'cipher-'));
    const runs = await times(rounds, () => tool('page_cipher', [dir]));
    await rm(dir, { recursive: true });
    for (const [i, { path: name, op }] of runs[0].rows.entries()) {
      const of = (f) => median(runs.map((r) => f(r.rows[i])));
      const ratio = of((r) => r.ratio);
      row(`page cipher, ${name}, ${op}`, `${of((r) => r.mb_s)} MB/s against ${of((r) => r.bare_mb_s)} by OpenSSL's ChaCha20 and Poly1305 on bare 4 KB buffers: ${ratio.toFixed(2)} (its ChaCha20-Poly1305: ${median(runs.map((r) => r.aead_mb_s))})`, 'at least 0.9', ratio >= 0.9);
    }
  },
  async store() {
    for (const f of [storeAppends, storeReads, storeSizes, storeMany]) await f();
  },
  async folder() {
    const messages = quick ? 50000 : 1000000;
    const dir = await mkdtemp(path.join(tmpdir(), 'folder-'));
    const r = await tool('folder_bench', [dir, messages]);
    await rm(dir, { recursive: true });
    const of = (name, key, aim, met) => row(`${name}, a folder of ${messages} messages`, `${(r[`${key}_us`] / 1000).toFixed(2)} ms`, aim, met);
    of('SELECT', 'select', 'under 5 ms', r.select_us < 5000);
    of('SELECT, every hundredth message gone', 'select_gaps', 'under 20 ms', r.select_gaps_us < 20000);
    of('append, synced', 'append', '-');
    of('STORE of one flag, synced', 'flag', '-');
    of('SYNC, one change behind', 'sync', 'under 5 ms', r.sync_us < 5000);
    of('QRESYNC, one change behind', 'resync', 'under 5 ms', r.resync_us < 5000);
    row(`memory of all this, ${messages} messages`, `${(r.peak_rss / 2 ** 20).toFixed(1)} MB`, '-');
  },
  async imap() {
    const names = servers('imap');
    const against = (got, f) => (got.dovecot ? ` against ${median(got.dovecot.map(f)).toFixed(0)} by Dovecot: ${(median(got.ours.map(f)) / median(got.dovecot.map(f))).toFixed(2)}` : '');
    const met = (got, f, times = 1) => (got.dovecot ? median(got.ours.map(f)) >= times * median(got.dovecot.map(f)) : undefined);
    for (const connections of [20, 200]) {
      const got = await imapLoads(names, connections, 20, quick ? 50 : 200, 'mixed', seconds);
      const rate = (r) => r.rate;
      row(`IMAP commands/s, mixed, ${connections} TLS connections of 20 people`, `${median(got.ours.map(rate)).toFixed(0)}${against(got, rate)}`, 'at least 2.0', met(got, rate, 2));
      for (const { name } of got.ours[0].each) {
        const each = (n, k) => median(got[n].map((r) => r.each.find((e) => e.name === name)?.[k] ?? 0));
        const say = (n) => `p50 ${(each(n, 'p50_us') / 1000).toFixed(1)} ms, p99 ${(each(n, 'p99_us') / 1000).toFixed(1)} ms${each(n, 'refused') ? `, ${each(n, 'refused')} of ${each(n, 'n')} refused` : ''}`;
        row(`${name}, ${connections} connections`, names.map((n) => `${n} ${say(n)}`).join('; '), '-');
      }
    }
    const got = await imapLoads(names, 4, 4, quick ? 200 : 2500, 'fetch', seconds);
    row('FETCH of all bodies over TLS, 4 connections, MB/s', `${median(got.ours.map((r) => r.mb_s)).toFixed(0)}${against(got, (r) => r.mb_s)}`, 'at least 1.0', met(got, (r) => r.mb_s));
  },
  async search() {
    for (const n of quick ? [2000] : [10000, 100000]) {
      const dir = await mkdtemp(path.join(tmpdir(), 'search-'));
      const r = await tool('search_bench', [dir, n, ...(quick ? [5] : [])]);
      await rm(dir, { recursive: true });
      const most = n > 10000 ? 3000 : 500;
      row(`search, ${n} messages, index${n > 10000 ? ' (in large transactions, to be ready sooner)' : ''}`, `${r.index_cpu_ms.toFixed(2)} ms CPU a message, ${(100 * r.index_share).toFixed(0)} % of the text`, 'under 1.2 ms, about half', r.index_cpu_ms < 1.2);
      for (const c of r.cases) {
        const rare = c.name.startsWith('rare') && n <= 10000;
        row(`search, ${n} messages, ${c.name}`, `p50 ${c.p50_ms} ms, p99 ${c.p99_ms} ms (CPU ${c.cpu_p50_ms}, ${c.cpu_p99_ms}); ${c.found} found, ${c.looked_at} looked at`,
          rare ? 'p50 under 10 ms, p99 under 20 ms' : `p99 under ${most} ms`, rare ? c.p50_ms < 10 && c.p99_ms < 20 : c.p99_ms < most);
      }
    }
  },
  async spam() {
    if (!existsSync(path.join(corpus, 'spam-ham-2002'))) return console.log('# spam: SKIPPED, the corpus is not there');
    for (const seed of [42, 1, 2]) { // three ways to cut the corpus in two
      const r = await tool('spam_bench', [corpus, seed]);
      const say = (t) => `precision ${(100 * t.precision).toFixed(2)} %, recall ${(100 * t.recall).toFixed(1)} % (${t.wronged} honest letters of ${t.wronged + t.spared}, ${t.caught} of ${t.caught + t.missed} spam)`;
      row(`spam: goes to Junk (6 points), half ${seed}, ${r.learnt} letters learnt`, say(r.junk_at_6), 'precision at least 99 %', r.junk_at_6.precision >= 0.99);
      row(`spam: a person's own classifier, half ${seed}, all of the other half learnt`, say(r.person), 'precision at least 99 %', r.person.precision >= 0.99);
      row(`spam: a person's own classifier, half ${seed}, what the server calls junk stays in INBOX`, `${r.person_kept.ham} of ${r.person_kept.of} honest letters, ${r.person_kept.spam} spam`, 'under 1 % of the spam', r.person_kept.spam * 100 < r.person.caught + r.person.missed);
      for (const [kind, what] of [['person_100', '100 of each'], ['person_30', '30 of each'], ['person_uneven', '200 junk, 30 ham']])
        row(`spam: a person's own classifier, half ${seed}, ${what} learnt`, say(r[kind]), 'under 1 % of the honest', r[kind].wronged * 100 < r[kind].wronged + r[kind].spared);
      row(`spam: a person's own classifier, half ${seed}, CPU a letter`, `${r.person_kept.cpu_us} us`, 'under 1 ms', r.person_kept.cpu_us < 1000);
      row(`spam: is marked (4 points), half ${seed}`, say(r.header_at_4), 'precision at least 98 %', r.header_at_4.precision >= 0.98);
      row(`spam: would be refused (15 points), half ${seed}`, say(r.reject_at_15), 'nothing honest', r.reject_at_15.wronged === 0);
      row(`spam: CPU a letter, half ${seed}`, `${r.cpu_ms_per_letter.toFixed(2)} ms, ${r.cpu_us_per_kib.toFixed(0)} us a KiB`, 'under 2 ms', r.cpu_ms_per_letter < 2);
    }
  },
  async login() {
    const service = await Service.start();
    const a = await service.alias();
    await service.ctl(['alias', 'add', 'own@example.test']);
    const own = { address: 'own@example.test', password: 'tractor velvet 93 umbrella quiet' };
    await service.ctl(['alias', 'password', own.address, '--own'], { input: `${own.password}\n` });
    for (let i = 0; i < 20; i++) await service.deliver(a.address, sample(i, 8000));
    const one = async (alias) => {
      const c = await service.imap(alias, { login: false });
      const from = now();
      await c.cmd(`LOGIN "${alias.address}" "${alias.password}"`);
      await c.cmd('SELECT INBOX');
      const t = ms(from);
      return { t, c };
    };
    const first = [];
    const next = [];
    for (let i = 0; i < (quick ? 5 : 21); i++) {
      const f = await one(a);
      const n = await one(a);
      first.push(f.t);
      next.push(n.t);
      await n.c.logout();
      await f.c.logout();
      await until('the mailbox to close', 5000, async () => (await service.status()).store?.open_mailboxes === 0);
    }
    row('login to SELECT, generated password, closed mailbox', `${median(first).toFixed(1)} ms (p99 ${quantile(first, 0.99).toFixed(1)})`, 'under 30 ms', median(first) < 30);
    row('the same while it is open', `${median(next).toFixed(1)} ms`, '-');
    const slow = [];
    for (let i = 0; i < (quick ? 3 : 7); i++) {
      const o = await one(own);
      slow.push(o.t);
      await o.c.logout();
      await until('the mailbox to close', 5000, async () => (await service.status()).store?.open_mailboxes === 0);
    }
    row('login to SELECT, own password (Argon2id)', `${median(slow).toFixed(0)} ms`, 'under 400 ms', median(slow) < 400);
    await service.stop();
  },
  async idle() {
    const service = await Service.start({ env: { LETTERLOCK_STORE_CONNECTIONS_PER_ALIAS: '100000' } });
    await sleep(1000);
    const pss = await memory(service, 'Pss');
    row('PSS of the idle service, all processes', `${(pss / 1048576).toFixed(1)} MB`, 'under 80 MB', pss < 80 * 1048576);
    const a = await service.alias();
    const count = quick ? 200 : 2000;
    const many = quick ? 400 : 10000;
    const warm = await service.imap(a);
    await warm.cmd('SELECT INBOX');
    const before = await memory(service, 'Rss');
    const frontBefore = await memory(service, 'Rss', ['imap']);
    const sessions = [];
    for (let i = 0; i < count; i += 20) {
      sessions.push(...await Promise.all(Array.from({ length: 20 }, async () => {
        const c = await service.imap(a);
        await c.cmd('SELECT INBOX');
        await c.io.write('i IDLE\r\n');
        await c.io.line();
        return c;
      })));
    }
    await pushes(service, a, sessions, `IDLE push after the 250, one mailbox that all ${count} sessions watch`, 'p99 under 20 ms', true);
    const others = await times(Math.ceil((many - count) / 50), () => service.alias());
    for (let i = count; i < many; i += 20) {
      sessions.push(...await Promise.all(Array.from({ length: 20 }, async () => {
        const c = await service.imap(others[Math.floor((i - count) / 50)]);
        await c.cmd('SELECT INBOX');
        await c.io.write('i IDLE\r\n');
        await c.io.line();
        return c;
      })));
    }
    const each = (await memory(service, 'Rss') - before) / many;
    const front = (await memory(service, 'Rss', ['imap']) - frontBefore) / many;
    row(`RSS per idle TLS session (${many} sessions of ${others.length + 1} mailboxes)`, `${(each / 1024).toFixed(1)} KB, of it ${(front / 1024).toFixed(1)} KB in the IMAP process`, 'at most 40 KB', each <= 40960);
    for (const c of sessions) c.io.end();
    warm.io.end();
    await service.stop();
  },
  // A folder of 100,000: opened by who knows nothing of it, and by who comes back with QRESYNC.
  async resync() {
    const size = quick ? 4000 : 100000, names = servers('resync'), opens = quick ? 3 : 10, piece = size / 100;
    const got = await inTurn(names, 1, async (peer) => {
      const [user, password] = peer.logins[0].split(' ');
      const open = async () => {
        const c = new Imap(await dial(peer.port, { secure: true }));
        await c.io.line();
        await c.cmd(`LOGIN "${user}" "${password}"`);
        return c;
      };
      const c = await open();
      await c.cmd('CREATE Big');
      for (let i = 0; i < 500; i++) await c.cmd(['APPEND Big (\\Seen) ', sample(i, 600)]);
      await c.cmd('SELECT Big');
      for (let n = 500; n < size; n *= 2) await c.cmd(`COPY 1:${Math.min(n, size - n)} Big`, { ms: 600000 });
      await c.cmd('NOOP', { ms: 60000 });
      await c.cmd('UNSELECT');
      const select = [];
      for (let i = 0; i < opens; i++) {
        const d = await open(), from = now();
        await d.cmd('SELECT Big', { ms: 60000 });
        select.push(ms(from));
        await d.logout();
      }
      const state = (await c.cmd('SELECT Big (CONDSTORE)', { ms: 60000 })).join('\n');
      const [validity, modseq] = [/UIDVALIDITY (\d+)/.exec(state)[1], /HIGHESTMODSEQ (\d+)/.exec(state)[1]];
      await c.cmd(`STORE 1:${piece} +FLAGS.SILENT (\\Flagged)`, { ms: 60000 });
      await c.cmd(`STORE ${size / 2}:${size / 2 + piece} +FLAGS.SILENT (\\Deleted)`, { ms: 60000 });
      await c.cmd('EXPUNGE', { ms: 60000 });
      await c.cmd('UNSELECT');
      const resync = [];
      let lines = 0;
      for (let i = 0; i < opens; i++) {
        const d = await open();
        await d.cmd('ENABLE QRESYNC');
        const from = now();
        lines = (await d.cmd(`SELECT Big (QRESYNC (${validity} ${modseq}))`, { ms: 60000 })).length;
        resync.push(ms(from));
        await d.logout();
      }
      await c.logout();
      return { select: median(select), resync: median(resync), lines };
    });
    const of = (n, k) => median(got[n].map((r) => r[k]));
    const say = (k) => `${of('ours', k).toFixed(1)} ms${got.dovecot ? ` against ${of('dovecot', k).toFixed(1)} by Dovecot` : ''}`;
    const met = (k) => (got.dovecot ? of('ours', k) <= of('dovecot', k) : undefined);
    row(`SELECT of a folder of ${size} over TLS`, say('select'), 'as fast', met('select'));
    row(`QRESYNC after ${piece} changes and ${piece + 1} removals, a folder of ${size}`, say('resync'), 'as fast', met('resync'));
  },
  async pop3() {
    const people = 4, letters = quick ? 100 : 1000, names = servers('pop3');
    const got = await inTurn(names, people, async (peer) => {
      await tool('imap_load', ['127.0.0.1', peer.port, 'tls', 1, peer.list, 'prepare', letters]);
      return tool('pop3_load', ['127.0.0.1', peer.pop3, people, peer.list, seconds]);
    });
    const of = (n, k) => median(got[n].map((r) => r[k]));
    row(`POP3 full download over TLS, ${people} mailboxes of ${letters} x 10 KB, MB/s`,
      `${of('ours', 'mb_s').toFixed(0)} (${of('ours', 'rate').toFixed(0)} messages/s)${got.dovecot ? ` against ${of('dovecot', 'mb_s').toFixed(0)} by Dovecot: ${(of('ours', 'mb_s') / of('dovecot', 'mb_s')).toFixed(2)}` : ''}`,
      'at least 1.0', got.dovecot ? of('ours', 'mb_s') >= of('dovecot', 'mb_s') : undefined);
  },
  async push() {
    const service = await Service.start();
    const people = await times(quick ? 10 : 100, () => service.alias());
    const count = quick ? 200 : 2000;
    const sessions = [];
    for (let i = 0; i < count; i += 20) {
      sessions.push(...await Promise.all(Array.from({ length: 20 }, async () => {
        const c = await service.imap(people[(i / 20) % people.length]);
        await c.cmd('SELECT INBOX');
        await c.io.write('i IDLE\r\n');
        await c.io.line();
        return c;
      })));
    }
    await pushes(service, people[0], sessions, `IDLE push after the 250, ${count} sessions of ${people.length} mailboxes, 20 of them watch this one`, 'p99 under 20 ms');
    for (const c of sessions) c.io.end();
    await service.stop();
  },
  async restart() {
    const service = await Service.start();
    const people = await times(quick ? 20 : 100, () => service.alias());
    const count = quick ? 200 : 1000;
    const sessions = [];
    for (let i = 0; i < count; i += 20) {
      sessions.push(...await Promise.all(Array.from({ length: 20 }, async (_, k) => {
        const c = await service.imap(people[(i + k) % people.length]);
        await c.cmd('SELECT INBOX');
        return c;
      })));
    }
    const took = [];
    for (let i = 0; i < rounds; i++) {
      await service.kill('store');
      const from = now();
      await Promise.all(sessions.map((c) => c.cmd('UID SEARCH ALL', { ms: 30000 })));
      took.push(ms(from));
      await sleep(1000);
    }
    row(`store killed under ${count} sessions of ${people.length} mailboxes: all answer again after`, `${median(took).toFixed(0)} ms`, '2,000 ms', median(took) < 2000);
    for (const c of sessions) c.io.end();
    await service.stop();
  },
  // What waits for a closed mailbox comes in at the next login.
  async drain() {
    const service = await Service.start();
    const a = await service.alias();
    const want = quick ? 1000 : 10000;
    let waiting = 0;
    while (waiting < want) waiting += (await tool('smtp_load', [service.ports.mx, 16, 2, 10240, a.address])).sent;
    const from = now();
    const c = await service.imap(a);
    await c.cmd('SELECT INBOX');
    const select = ms(from);
    const count = async () => Number(/MESSAGES (\d+)/.exec((await c.cmd('STATUS INBOX (MESSAGES)', { ms: 60000 })).join(' '))[1]);
    await until('all of it', 120000, async () => (await count()) === waiting);
    const all = ms(from);
    row(`SELECT with ${waiting} messages waiting`, `${select.toFixed(0)} ms`, 'under 300 ms', select < 300);
    row(`${waiting} waiting messages of 10 KB come in`, `${(waiting / all * 1000).toFixed(0)}/s`, 'at least 700/s', waiting / all * 1000 >= 700);
    await c.logout();
    await service.stop();
  },
  // Many attached mailboxes over a small pool of open files.
  async pool() {
    const count = Number(process.env.BENCH_POOL ?? (quick ? 100 : 10000)), handles = count * 0.4;
    const service = await Service.start({ env: { LETTERLOCK_STORE_HANDLES: String(handles), LETTERLOCK_STORE_HANDLE_MEMORY: '4294967296' } });
    const people = await aliases(service, count);
    const sessions = [];
    const attach = async (a) => { const c = await service.imap(a); await c.cmd('SELECT INBOX', { ms: 60000 }); return c; };
    const one = async (c) => { const from = now(); await c.cmd('STATUS Sent (MESSAGES)'); return ms(from); };
    const rssOf = async () => Number(/^Rss:\s+(\d+)/m.exec(await readFile(`/proc/${(await service.pids('store'))[0]}/smaps_rollup`, 'latin1'))[1]);
    const before = await rssOf();
    const alone = await service.imap(people[0]);
    await alone.cmd('SELECT INBOX');
    const single = [];
    for (let i = 0; i < 500; i++) single.push(await one(alone));
    for (let i = 0; i < count; i += 20) sessions.push(...await Promise.all(people.slice(i, i + 20).map(attach)));
    const [pid] = await service.pids('store');
    const fds = (await readdir(`/proc/${pid}/fd`)).length;
    const rss = (await rssOf()) - before;
    const near = sessions.slice(-Math.floor(handles / 8));
    const hit = [];
    const miss = [];
    for (const c of near) await one(c);
    for (const c of near) hit.push(await one(c));
    for (const c of sessions.slice(0, near.length)) miss.push(await one(c));
    const { store } = await service.status();
    const q = (v) => `p50 ${quantile(v, 0.5).toFixed(2)} ms, p99 ${quantile(v, 0.99).toFixed(2)} ms`;
    row('STATUS of a folder of a mailbox, one alone', q(single), '-');
    row(`the same, ${count} attached, its file open`, q(hit), 'as alone', quantile(hit, 0.99) < quantile(single, 0.99) * 1.5);
    row('the same, its file given back', q(miss), 'under 1 ms more', quantile(miss, 0.99) < quantile(single, 0.99) + 1);
    row(`files open with ${count} mailboxes attached`, `${store.open_files}; ${fds} descriptors`, `at most ${handles}`, store.open_files <= handles && fds < 3 * handles + 256);
    row('RSS of the store, more than with none attached, for each open file', `${(rss / 1024).toFixed(0)} MB, ${(rss / store.open_files).toFixed(0)} KB`, '300 KB', rss / store.open_files < 300);
    for (const c of sessions) c.io.end();
    await service.stop();
  },
  async flood() {
    // a refused login is answered late: 200 a second take some hundred connections
    const service = await Service.start();
    const people = await times(10, () => service.alias());
    await service.ctl(['alias', 'add', 'target@example.test']);
    const own = { address: 'target@example.test', password: 'tractor velvet 93 umbrella quiet' };
    await service.ctl(['alias', 'password', own.address, '--own'], { input: `${own.password}\n` });
    const known = await service.imap(own);
    await known.logout();
    const load = () => tool('smtp_load', [service.ports.mx, 4, seconds, 10240, ...people.map((a) => a.address)]);
    const calm = [];
    const flooded = [];
    const login = [];
    for (let i = 0; i < rounds; i++) {
      calm.push((await load()).p99_us);
      let over = false;
      let bad = 0;
      let turn = Date.now();
      const pace = async () => { turn = Math.max(turn + 5, Date.now()); await sleep(turn - Date.now()); }; // 200/s of them all
      const attackers = Array.from({ length: 320 }, async () => {
        while (!over) {
          try {
            const c = new Imap(await dial(service.ports.imaps, { secure: true }));
            await c.io.line();
            for (let k = 0; k < 5 && !over; k++) { await pace(); await c.cmd(`LOGIN "${own.address}" "wrong horse battery ${bad++}"`, { ok: false, ms: 30000 }); }
            c.io.end();
          } catch { await sleep(50); }
        }
      });
      await sleep(3000); // the flood has begun
      bad = 0;
      flooded.push((await load()).p99_us);
      const rate = bad / seconds;
      over = true;
      await Promise.all(attackers);
      const from = now();
      const c = await service.imap(own);
      login.push(ms(from));
      await c.logout();
      row(`bad logins offered in round ${i + 1}`, `${rate.toFixed(0)}/s`, '200/s');
    }
    const ratio = median(flooded) / median(calm);
    row('p99 of deliveries under bad logins, against without', `${ratio.toFixed(2)}`, 'at most 1.2', ratio <= 1.2);
    row('a known client logs in right after', `${median(login).toFixed(0)} ms`, 'under 1,000 ms', median(login) < 1000);
    await service.stop();
  },
};

benches.backup = () => backup({ row, median, quantile, rounds, quick });
benches.export = () => exportAll({ row, quick });
benches.stall = () => stall({ row, quantile, rounds, quick });
benches.faults = () => faults({ row, quick });
benches.queue = () => queue({ row, tool, median, rounds, seconds, quick });
benches.mx = () => mx({ row, tool, median, rounds, seconds, quick });

const wanted = names.length ? names : Object.keys(benches);
for (const n of wanted) {
  console.log(`# ${n}`);
  try { await benches[n](); } catch (e) { row(n, `failed: ${e.message}`, '-', false); }
}
const machine = `${cpus().length} cores (${cpus()[0].model.trim()}), Linux ${release()}, Node ${process.version}`;
const date = new Date().toISOString().slice(0, 10);
const table = ['| what | figure | aim | met |', '|---|---|---|---|', ...rows.map((r) => `| ${r.name} | ${r.figure} | ${r.aim} | ${r.met} |`)].join('\n');
const out = path.join(build, 'bench-results.md');
await writeFile(out, `\`node bench/run.mjs${quick ? ' --quick' : ''} ${wanted.join(' ')}\`, ${date}, ${machine}\n\n${table}\n`);
console.log(`\n${table}\n\nwritten to ${path.relative(root, out)}`);
