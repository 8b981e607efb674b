import { readFile, readdir } from 'node:fs/promises';

// Seconds of processor of the processes that `of` takes by name.
export async function processor(of) {
  const got = {};
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
      const name = of(Number(pid), /\((.*)\)/.exec(stat)[1]);
      const f = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (name) got[name] = (got[name] ?? 0) + (Number(f[11]) + Number(f[12])) / 100;
    } catch { /* it has ended */ }
  }
  return got;
}
