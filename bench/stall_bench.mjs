// FETCH of one session while others of the same mailbox search all of it, and while backups of it are made: BENCH_STALL (100,000) messages
// that look real (mail_maker), brought in by `mailbox import`, which takes some minutes.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Service, build, sample, sleep, until } from '../test/lib/service.mjs';

const run = (file, args) => new Promise((resolve, reject) => { execFile(file, args, (e, out, err) => (e ? reject(new Error(err || e.message)) : resolve(out))); });
// Each reads every text: no index excludes any.
const SEARCHES = ['NOT BODY zq', 'X-REGEX BODY "^(a+)+$"', 'NOT BODY qz', 'X-REGEX BODY "z[qx]{3}"'];

// The index is current when the store has nothing more to do.
async function quiet(service) {
  const [pid] = await service.pids('store');
  const ticks = async () => { const t = await readFile(`/proc/${pid}/stat`, 'latin1'), f = t.slice(t.lastIndexOf(')') + 2).split(' '); return Number(f[11]) + Number(f[12]); };
  let still = 0;
  await until('the index to be current', 1200000, async () => { const was = await ticks(); await sleep(1000); still = await ticks() - was > 3 ? 0 : still + 1; return still >= 4; });
}

export async function stall({ row, quantile, rounds, quick }) {
  const want = Number(process.env.BENCH_STALL ?? (quick ? 2000 : 100000)), fetches = quick ? 200 : 2000;
  const service = await Service.start({ env: { LETTERLOCK_STORE_BACKUP_INTERVAL: '0' } });
  const dir = await mkdtemp(path.join(tmpdir(), 'stall-'));
  try {
    const a = await service.alias(), file = path.join(dir, 'Many.mbox');
    await run(path.join(build, 'bench', 'mail_mbox'), [file, String(want)]);
    await service.ctl(['mailbox', 'import', a.address, '--format', 'mbox', '--input', file, '--json'], { input: `${a.password}\n` });
    await rm(file);
    const open = async () => { const c = await service.imap(a); await c.cmd('SELECT Many', { ms: 60000 }); return c; };
    const reader = await open();
    await quiet(service);
    const searchers = await Promise.all(SEARCHES.map(open));
    const fetch = async (v, i) => {
      const from = process.hrtime.bigint();
      await reader.cmd(`FETCH ${1 + (i * 7919) % want} BODY.PEEK[]`, { ms: 60000 });
      v.push(Number(process.hrtime.bigint() - from) / 1e6);
    };
    const calm = [], searched = [], backed = [];
    for (let i = 0; i < 50; i++) await fetch([], i);
    for (let i = 0; i < fetches; i++) await fetch(calm, i);

    let over = false, answers = 0;
    const loads = searchers.map(async (c, k) => { while (!over) { await c.cmd(`UID SEARCH ${SEARCHES[k]}`, { ms: 300000, ok: false }); answers++; } });
    for (let i = 0; i < fetches; i++) await fetch(searched, i + 3);
    over = true;
    await Promise.all(loads);

    for (let i = 0; i < rounds; i++) {
      let done = false;
      await reader.cmd(['APPEND INBOX ', Buffer.from(`Subject: ${i}\r\n\r\nsomething new\r\n`)]); // of nothing new there is no backup
      const b = service.ctl(['mailbox', 'backup', a.address]).finally(() => { done = true; });
      for (let k = 0; !done; k++) await fetch(backed, k + 5);
      await b;
    }
    const large = sample(1, 49 << 20), deep = [];
    await reader.cmd(['APPEND INBOX ', large], { ms: 120000 });
    await reader.cmd('SELECT INBOX', { ms: 60000 });
    const last = Number(/\* (\d+) EXISTS/.exec((await reader.cmd('SELECT INBOX')).join('\n'))[1]);
    for (let i = 0; i < (quick ? 50 : 500); i++) {
      const from = process.hrtime.bigint();
      await reader.cmd(`FETCH ${last} BODY.PEEK[]<${(i * 7919 * 4096) % ((49 << 20) - 65536)}.65536>`);
      deep.push(Number(process.hrtime.bigint() - from) / 1e6);
    }
    for (const c of [reader, ...searchers]) await c.logout();
    const say = (v) => `p50 ${quantile(v, 0.5).toFixed(2)} ms, p99 ${quantile(v, 0.99).toFixed(2)} ms (${v.length})`;
    const met = (v) => quantile(v, 0.99) <= 2 * quantile(calm, 0.99);
    row(`FETCH of a message, ${want} messages: nothing else`, say(calm), '-');
    row('the same while four sessions search all of them', `${say(searched)}; ${answers} searches were answered`, 'p99 at most twice', met(searched));
    row('the same while backups are made', `${say(backed)}; ${rounds} backup${rounds > 1 ? 's' : ''}`, 'p99 at most twice', met(backed));
    row('FETCH of 64 KiB anywhere in a message of 49 MiB', say(deep), 'p50 under 10 ms', quantile(deep, 0.5) < 10);
  } finally {
    await service.stop();
    await rm(dir, { recursive: true, force: true });
  }
}
