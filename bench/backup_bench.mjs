// A mailbox of BENCH_BACKUP_MB (300) megabytes to a folder: MB/s of the backup, seconds per GB of bringing it back, and FETCH of 10 KB in a
// session of it, before and while backups of it are made and four other sessions write.
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { Service, sample, until } from '../test/lib/service.mjs';
import { fill } from './export_bench.mjs';

async function cpu(service) { // of the store, seconds
  let s = 0;
  for (const pid of await service.pids('store')) {
    const t = await readFile(`/proc/${pid}/stat`, 'latin1'), f = t.slice(t.lastIndexOf(')') + 2).split(' ');
    s += (Number(f[11]) + Number(f[12])) / 100;
  }
  return s;
}

export async function backup({ row, median, quantile, rounds, quick }) {
  const mb = Number(process.env.BENCH_BACKUP_MB ?? (quick ? 40 : 300));
  const service = await Service.start({ env: { LETTERLOCK_STORE_BACKUP_INTERVAL: '0' } });
  try {
    const who = await service.alias(), input = `${who.password}\n`;
    await fill(service, who, mb);
    const id = JSON.parse((await service.ctl(['alias', 'show', who.address, '--json'])).stdout).mailbox;
    const bytes = (await stat(path.join(service.dir, 'data', 'mailboxes', id.slice(0, 2), `${id}.sqlite`))).size;
    const reader = await service.imap(who);
    await reader.cmd('SELECT INBOX');
    for (let i = 0; i < 20; i++) await reader.cmd(['APPEND INBOX ', sample(i, 10240)]);
    const last = Number(/\* (\d+) EXISTS/.exec((await reader.cmd('SELECT INBOX')).join('\n'))[1]);
    const fetch = async (out) => {
      const from = process.hrtime.bigint();
      await reader.cmd(`FETCH ${last - Math.floor(Math.random() * 20)} BODY.PEEK[]`, { ms: 60000 });
      out.push(Number(process.hrtime.bigint() - from) / 1e6);
    };
    const took = () => [...service.log.matchAll(/store\.backup_taken .*bytes=(\d+) took_ms=(\d+)/g)].at(-1);

    const rates = [], works = [];
    for (let i = 0; i < rounds; i++) {
      await reader.cmd(['APPEND Trash ', sample(i, 1000)], { ok: false }); // something changed
      await reader.cmd(['APPEND INBOX ', sample(i, 1000)]);
      const before = await cpu(service);
      await service.ctl(['mailbox', 'backup', who.address]);
      const [, n, ms] = took();
      rates.push(Number(n) / 1e6 / (Number(ms) / 1000));
      works.push((await cpu(service) - before) / (Number(n) / 1e9));
    }
    row(`a backup to a folder, mailbox of ${Math.round(bytes / 1e6)} MB`, `${median(rates).toFixed(0)} MB/s (${median(works).toFixed(1)} s of the store's processor per GB)`, 'at least 300 MB/s', quick ? undefined : median(rates) >= 300);

    const writers = await Promise.all(Array.from({ length: 4 }, async () => { const c = await service.imap(who); await c.cmd('SELECT INBOX'); return c; }));
    let over = false, written = 0;
    const load = writers.map(async (c, k) => { while (!over) { await c.cmd(['APPEND INBOX ', sample(k, 10240)], { ms: 60000 }); written++; } });
    const before = [], during = [];
    for (let i = 0; i < (quick ? 200 : 1000); i++) await fetch(before);
    for (let i = 0; i < rounds; i++) {
      let done = false;
      const b = service.ctl(['mailbox', 'backup', who.address]).finally(() => { done = true; });
      while (!done) await fetch(during);
      await b;
    }
    over = true;
    await Promise.all(load);
    for (const c of [reader, ...writers]) await c.logout();
    const say = (v) => `p50 ${quantile(v, 0.5).toFixed(2)} ms, p99 ${quantile(v, 0.99).toFixed(2)} ms (${v.length})`;
    row('FETCH of 10 KB while four sessions write', say(before), '-');
    row('the same during backups', `${say(during)}; ${written} were appended meanwhile`, 'p99 at most twice', quantile(during, 0.99) <= 2 * quantile(before, 0.99));

    const list = JSON.parse((await service.ctl(['mailbox', 'backups', who.address, '--json'])).stdout), back = [];
    for (let i = 0; i < rounds; i++) {
      const from = process.hrtime.bigint();
      await service.ctl(['mailbox', 'restore', who.address, '--backup', list[0].id, '--yes'], { input });
      back.push(Number(process.hrtime.bigint() - from) / 1e9 / (list[0].bytes / 1e9));
      await (await service.imap(who)).logout(); // who has not seen it cannot confirm it
      await until('confirmed', 20000, async () => (await service.ctl(['mailbox', 'restore', who.address, '--confirm', '--yes'], { ok: false })).code === 0);
    }
    row('a backup restored from a folder', `${median(back).toFixed(1)} s per GB`, '-');
  } finally { await service.stop(); }
}
