// A mailbox of BENCH_EXPORT_MB (1000) megabytes is exported in every format: MB/s, and what the command and the store need of memory.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Service, build } from '../test/lib/service.mjs';

const LETTER = 256 << 10; // of bytes that nothing compresses
const LIMIT = 64 << 10;   // KiB, of the command

export async function fill(service, who, mb) {
  const file = path.join(service.dir, 'fill.mbox'), parts = [];
  for (let i = 0; i < mb * 4; i++) {
    const body = randomBytes(LETTER * 3 / 4).toString('base64').replace(/.{76}/g, '$&\n');
    parts.push(`From x@example.net Mon Nov  2 10:11:12 2026\nFrom: x@example.net\nSubject: ${i}\nMIME-Version: 1.0\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n${body}\n\n`);
    if (parts.length === 64 || i === mb * 4 - 1) { await writeFile(file, parts.join(''), { flag: 'a' }); parts.length = 0; }
  }
  await service.ctl(['mailbox', 'import', who.address, '--format', 'mbox', '--input', file, '--json'], { input: `${who.password}\n` });
  await rm(file);
}

async function peakOf(pid) { // KiB
  return Number(/^VmHWM:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'latin1').catch(() => ''))?.[1] ?? 0);
}

async function exported(service, who, format, output) {
  const from = Date.now();
  const child = execFile(path.join(build, 'letterlock'), ['mailbox', 'export', who.address, '--format', format, '--output', output, '--json'], { env: service.env, cwd: service.dir }, () => {});
  const ended = new Promise((r) => { child.on('exit', r); });
  let peak = 0;
  const poll = setInterval(async () => { peak = Math.max(peak, await peakOf(child.pid)); }, 20);
  child.stdin.end(`${who.password}\n`);
  const code = await ended;
  clearInterval(poll);
  if (code !== 0) throw new Error(`export: ${format}: ${code}`);
  return { ms: Date.now() - from, peak };
}

export async function exports({ row, quick }) {
  const mb = Number(process.env.BENCH_EXPORT_MB ?? (quick ? 40 : 1000));
  const service = await Service.start({ env: { LETTERLOCK_STORE_BACKUP_INTERVAL: '0' } });
  try {
    const who = await service.alias();
    await fill(service, who, mb);
    const id = JSON.parse((await service.ctl(['alias', 'show', who.address, '--json'])).stdout).mailbox;
    const bytes = (await stat(path.join(service.dir, 'data', 'mailboxes', id.slice(0, 2), `${id}.sqlite`))).size;
    for (const format of ['mbox', 'Maildir', 'eml', 'sqlite']) {
      const output = path.join(service.dir, `out.${format}`);
      const { ms, peak } = await exported(service, who, format, output);
      row(`export of ${(bytes / 1e6).toFixed(0)} MB as ${format}`, `${(bytes / 1e3 / ms).toFixed(0)} MB/s; memory of the command at most ${(peak / 1024).toFixed(1)} MiB`, 'memory under 64 MiB', peak < LIMIT);
      await rm(output, { recursive: true });
    }
    row('memory of the store after all that', `${(await peakOf((await service.pids('store'))[0]) / 1024).toFixed(0)} MiB at most`, '-');
  } finally { await service.stop(); }
}
