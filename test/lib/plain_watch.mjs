// Looks at every file below some folders, again and again, for bytes that may stand in none: while others write them, and
// what was unlinked but is still open, too.
//
//   const w = await PlainWatch.start({ folders: [dir], needles: { 'a password': Buffer.from('…') } });
//   w.roles(pids);             // whose open files are looked at as well
//   …
//   const { hits, files, looks, bytes } = await w.stop();   // after a last look at everything
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import fs from 'node:fs';
import path from 'node:path';

const HEADER = Buffer.from('SQLite format 3\0');

export class PlainWatch {
  static async start({ folders, needles }) {
    const w = new PlainWatch();
    w.worker = new Worker(new URL(import.meta.url), { workerData: { folders, needles: { 'a header of SQLite': HEADER, ...needles } } });
    w.over = new Promise((resolve, reject) => { w.worker.on('error', reject); w.worker.on('message', (m) => (m === 'ready' ? w.ready() : resolve(m))); });
    await Promise.race([new Promise((r) => { w.ready = r; }), w.over]);
    return w;
  }
  roles(pids) { this.worker.postMessage({ pids }); }
  async stop() { this.worker.postMessage({ stop: true }); const r = await this.over; await this.worker.terminate(); return r; }
}

function main() {
  const { folders } = workerData, needles = Object.entries(workerData.needles).map(([name, b]) => [name, Buffer.from(b)]);
  const seen = new Map(), names = new Set(), hits = new Map();
  let pids = [], stop = false, looks = 0, bytes = 0;

  const look = (file, as = file) => {
    let fd;
    try {
      fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
      const st = fs.fstatSync(fd, { bigint: true }), state = `${st.size} ${st.mtimeNs}`;
      if (!st.isFile() || seen.get(st.ino) === state) return;
      const b = Buffer.alloc(Number(st.size));
      const n = fs.readSync(fd, b, 0, b.length, 0);
      seen.set(st.ino, state);
      names.add(as);
      looks++;
      bytes += n;
      for (const [name, needle] of needles) {
        const at = b.subarray(0, n).indexOf(needle);
        if (at >= 0) hits.set(`${as}: ${name}`, at);
      }
    } catch (e) {
      if (!['ENOENT', 'ENOTDIR', 'ESRCH', 'EACCES', 'ENXIO', 'ELOOP'].includes(e.code)) throw e;
    } finally { if (fd !== undefined) fs.closeSync(fd); }
  };
  const walk = (dir) => {
    let list;
    try { list = fs.readdirSync(dir, { withFileTypes: true }); } catch { return; }
    for (const e of list) {
      const p = path.join(dir, e.name);
      if (e.isDirectory()) walk(p); else if (e.isFile()) look(p);
    }
  };
  const open = (pid) => {
    let list;
    try { list = fs.readdirSync(`/proc/${pid}/fd`); } catch { return; }
    for (const n of list) {
      let to;
      try { to = fs.readlinkSync(`/proc/${pid}/fd/${n}`); } catch { continue; }
      if (to.endsWith(' (deleted)') && folders.some((f) => to.startsWith(f))) look(`/proc/${pid}/fd/${n}`, to);
    }
  };
  const round = () => {
    for (const f of folders) walk(f);
    for (const p of pids) open(p);
  };
  const again = () => {
    round();
    if (!stop) { setTimeout(again, 4); return; }
    seen.clear();
    round();
    parentPort.postMessage({ hits: [...hits].map(([k, at]) => `${k} at ${at}`), files: names.size, names: [...names], looks, bytes });
    parentPort.close();
  };
  parentPort.on('message', (m) => { pids = m.pids ?? pids; stop ||= Boolean(m.stop); });
  parentPort.postMessage('ready');
  again();
}
if (!isMainThread && workerData?.folders) main();
