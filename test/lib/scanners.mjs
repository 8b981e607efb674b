// A clamd and an rspamd made up here, in one server: both protocols on a port (or a socket's path) of its own.
//   const s = await Scanners.start({ clamd: 'path or port', rspamd: port });
//   s.clam = (bytes) => 'stream: OK'       // what clamd answers, for all it was shown
//   s.spam = (bytes, headers) => object    // what rspamd answers, as JSON
//   s.mood = 'hang' | 'garbage' | 'close' | undefined
import http from 'node:http';
import net from 'node:net';

export class Scanners {
  static async start({ clamd, rspamd } = {}) {
    const s = Object.assign(new Scanners(), { seen: [], sockets: new Set(), asked: 0 });
    s.clam = (b) => (b.includes('$EICAR-STANDARD') ? 'stream: Eicar-Test-Signature FOUND' : 'stream: OK');
    s.spam = () => ({ score: 0, action: 'no action', symbols: {} });
    s.clamd = net.createServer((c) => s.clamClient(c));
    s.rspamd = http.createServer((q, a) => s.spamRequest(q, a));
    s.rspamd.on('connection', (c) => { s.keep(c); if (s.mood === 'close') c.destroy(); if (s.mood === 'garbage') c.end('\x16\x03\x01garbage'); });
    await new Promise((r) => s.clamd.listen(clamd, r));
    await new Promise((r) => s.rspamd.listen(rspamd, '127.0.0.1', r));
    return s;
  }
  keep(c) { this.sockets.add(c); c.on('close', () => this.sockets.delete(c)); c.on('error', () => {}); }
  clamClient(c) {
    let held = Buffer.alloc(0), message = Buffer.alloc(0);
    this.keep(c);
    this.asked++;
    if (this.mood === 'close') return c.destroy();
    if (this.mood === 'garbage') return c.end(Buffer.from([0, 255, 254, 0, 1, 2, 3]));
    c.on('data', (b) => {
      held = Buffer.concat([held, b]);
      if (held.length < 10) return;
      if (held.subarray(0, 10).toString() === 'zINSTREAM\0') { held = held.subarray(10); c.told = true; }
      if (!c.told) return c.destroy();
      for (;;) {
        if (held.length < 4) return;
        const n = held.readUInt32BE(0);
        if (n === 0) {
          this.seen.push(message);
          if (this.mood !== 'hang') c.end(`${this.clam(message)}\0`);
          return;
        }
        if (held.length < 4 + n) return;
        message = Buffer.concat([message, held.subarray(4, 4 + n)]);
        held = held.subarray(4 + n);
      }
    });
  }
  spamRequest(q, a) {
    const parts = [];
    q.on('error', () => {});
    q.on('data', (b) => parts.push(b));
    q.on('end', () => {
      if (this.mood === 'hang') return;
      this.headers = q.headers;
      this.url = `${q.method} ${q.url}`;
      a.end(JSON.stringify(this.spam(Buffer.concat(parts), q.headers)));
    });
  }
  async stop() {
    for (const c of this.sockets) c.destroy();
    await Promise.all([this.clamd, this.rspamd].map((x) => new Promise((r) => x.close(r))));
  }
}
