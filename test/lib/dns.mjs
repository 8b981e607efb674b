// A name server of our own: DNS over HTTPS (node's http2) and plain DNS (UDP and TCP) from a table.
//
//   const dns = await DnsServer.start({ zone: { 'example.org': { A: '192.0.2.1', MX: [[10, 'mx.example.org']], ttl: 60 } } });
//   dns.upstream       // "https://dns.test:PORT/dns-query 127.0.0.1", as resolver.upstreams wants it
//   dns.plain          // "dns://127.0.0.1:PORT"
//   dns.ca             // path of the certificate that vouches for it: resolver.ca_file
//   dns.queries        // [{ name, type, by: 'post' | 'get' | 'udp' | 'tcp', bytes }]
//   dns.say = (q) => ...   // what to do instead; see ACTIONS
//   await dns.stop();
//
// A name in the zone: types (A, AAAA, MX, TXT, PTR, CNAME, NS, SRV, TLSA, CAA) to a value or a list of them, and
// ttl, ad. What is not there is NXDOMAIN, with an SOA whose minimum is `dns.no_ttl`; "*.example" takes all below.
import { execFileSync } from 'node:child_process';
import dgram from 'node:dgram';
import http2 from 'node:http2';
import net from 'node:net';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export const TYPES = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, MX: 15, TXT: 16, AAAA: 28, SRV: 33, TLSA: 52, CAA: 257 };
const NAMES = Object.fromEntries(Object.entries(TYPES).map(([k, v]) => [v, k]));
const u16 = (n) => Buffer.from([n >> 8 & 255, n & 255]);
const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32BE(n); return b; };
const counted = (b) => Buffer.concat([Buffer.from([b.length]), b]);
export const wireName = (name) => Buffer.concat([
  ...name.split('.').filter(Boolean).map((l) => counted(Buffer.from(l.replace(/\\(\d{3})/g, (_, d) => String.fromCharCode(Number(d))), 'latin1'))),
  Buffer.from([0])]);
const ipv6 = (text) => {
  const [head, tail] = text.split('::');
  const part = (s) => (s ? s.split(':') : []);
  const a = part(head), b = part(tail);
  const groups = text.includes('::') ? [...a, ...Array(8 - a.length - b.length).fill('0'), ...b] : a;
  return Buffer.concat(groups.map((g) => u16(parseInt(g, 16))));
};
const strings = (text) => {
  const b = Buffer.from(text, 'utf8'), out = [];
  for (let i = 0; i === 0 || i < b.length; i += 255) out.push(counted(b.subarray(i, i + 255)));
  return Buffer.concat(out);
};
const rdata = {
  A: (v) => Buffer.from(v.split('.').map(Number)),
  AAAA: ipv6,
  NS: wireName, CNAME: wireName, PTR: wireName,
  MX: ([preference, host]) => Buffer.concat([u16(preference), wireName(host)]),
  TXT: (v) => (Array.isArray(v) ? Buffer.concat(v.map(strings)) : strings(v)),
  SRV: ([priority, weight, port, target]) => Buffer.concat([u16(priority), u16(weight), u16(port), wireName(target)]),
  TLSA: ([usage, selector, matching, hex]) => Buffer.concat([Buffer.from([usage, selector, matching]), Buffer.from(hex, 'hex')]),
  CAA: ([flags, tag, value]) => Buffer.concat([Buffer.from([flags]), counted(Buffer.from(tag)), Buffer.from(value)]),
};

const record = (name, type, ttl, data) => Buffer.concat([wireName(name), u16(type), u16(1), u32(ttl), u16(data.length), data]);

function readQuery(message) {
  const labels = [];
  let at = 12;
  while (message[at] > 0) {
    labels.push(message.subarray(at + 1, at + 1 + message[at]).toString('latin1'));
    at += 1 + message[at];
  }
  return { id: message.readUInt16BE(0), name: labels.join('.').toLowerCase(), type: NAMES[message.readUInt16BE(at + 1)] ?? `TYPE${message.readUInt16BE(at + 1)}`,
    question: message.subarray(12, at + 5), bytes: message.length };
}

// What `say` may return for a query: nothing (answer it), or one of these.
export const ACTIONS = {
  drop: 'drop',             // no answer, ever
  reset: 'reset',           // break the connection
  garbage: 'garbage',       // bytes that are no message
  servfail: 'servfail',
  refused: 'refused',
  bogus: 'bogus',           // SERVFAIL that speaks of signatures (RFC 8914)
  truncate: 'truncate',     // UDP: TC; the rest by TCP
  forge: 'forge',           // first answers with wrong ids, then the right one
};

export class DnsServer {
  static async start({ zone = {}, host = '127.0.0.1', port = 0, plainPort = 0 } = {}) {
    const s = new DnsServer();
    Object.assign(s, { zone, host, queries: [], no_ttl: 60, delay_ms: 0, status: 200, age: 0, say: () => undefined, sessions: new Set(), sockets: new Set() });
    s.makeCertificates();
    await s.listenHttps(port);
    await s.listenPlain(plainPort);
    return s;
  }
  makeCertificates() {
    this.dir = mkdtempSync(path.join(tmpdir(), 'letterlock-dns-'));
    const at = (f) => path.join(this.dir, f), run = (...a) => execFileSync('openssl', a, { stdio: 'ignore' });
    this.ca = at('ca.pem');
    run('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', at('ca.key'), '-out', this.ca,
      '-days', '7', '-subj', '/CN=Test authority');
    run('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', at('key.pem'), '-out', at('csr.pem'), '-subj', '/CN=dns.test');
    writeFileSync(at('ext'), 'subjectAltName=DNS:dns.test\nextendedKeyUsage=serverAuth\n');
    run('x509', '-req', '-in', at('csr.pem'), '-CA', this.ca, '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '7', '-out', at('cert.pem'), '-extfile', at('ext'));
    execFileSync('chmod', ['-R', 'a+rX', this.dir]); // a role with a user of its own reads it, too
  }
  async listenHttps(port) {
    const at = (f) => readFileSync(path.join(this.dir, f));
    this.https = http2.createSecureServer({ key: at('key.pem'), cert: at('cert.pem') });
    this.https.on('session', (one) => { this.sessions.add(one); one.on('close', () => this.sessions.delete(one)); one.on('error', () => {}); });
    this.https.on('sessionError', () => {});
    this.https.on('stream', (stream, headers) => { stream.on('error', () => {}); this.request(stream, headers); });
    await new Promise((resolve) => this.https.listen(port, this.host, resolve));
    this.port = this.https.address().port;
  }
  async listenPlain(port) {
    this.tcp = net.createServer((socket) => this.tcpClient(socket));
    await new Promise((resolve) => this.tcp.listen(port, this.host, resolve));
    this.plainPort = this.tcp.address().port;
    this.udp = dgram.createSocket('udp4');
    this.udp.on('message', (m, from) => this.datagram(m, from));
    await new Promise((resolve) => this.udp.bind(this.plainPort, this.host, resolve));
  }
  get upstream() { return `https://dns.test:${this.port}/dns-query ${this.host}`; }
  get plain() { return `dns://${this.host}:${this.plainPort}`; }
  asked(name) { return this.queries.filter((q) => q.name === name).length; }

  find(name) {
    if (this.zone[name]) return this.zone[name];
    for (let at = name.indexOf('.'); at >= 0; at = name.indexOf('.', at + 1))
      if (this.zone[`*${name.slice(at)}`]) return this.zone[`*${name.slice(at)}`];
    return undefined;
  }
  answer(q, { rcode = 0, flags = 0, empty = false, extra = [] } = {}) {
    const answers = [];
    let name = q.name, at = this.find(name), code = rcode, ad = false;
    for (let hop = 0; at?.CNAME && q.type !== 'CNAME' && hop < 20; hop++) {
      answers.push(record(name, TYPES.CNAME, at.ttl ?? 300, wireName(at.CNAME)));
      name = at.CNAME;
      at = this.find(name);
    }
    if (at?.[q.type] !== undefined && !empty) {
      const v = at[q.type], list = Array.isArray(v) && (q.type === 'TXT' || typeof v[0] !== 'number') ? v : [v];
      for (const one of list) answers.push(record(name, TYPES[q.type], at.ttl ?? 300, rdata[q.type](one)));
      ad = at.ad ?? false;
    } else if (!at && rcode === 0) code = 3;
    const found = answers.length > 0 && at?.[q.type] !== undefined;
    const soa = found || rcode ? [] : [record('test', TYPES.SOA, this.no_ttl, Buffer.concat([wireName('ns.test'), wireName('root.test'), u32(1), u32(2), u32(3), u32(4), u32(this.no_ttl)]))];
    return Buffer.concat([u16(q.id), Buffer.from([0x81 | flags, 0x80 | (ad ? 0x20 : 0) | code]), u16(1), u16(answers.length), u16(soa.length), u16(extra.length),
      q.question, ...answers, ...soa, ...extra]);
  }
  // Bytes to send, or null for none; `cut` breaks the connection.
  async respond(message, by, cut) {
    const q = readQuery(message);
    this.queries.push({ name: q.name, type: q.type, by, bytes: q.bytes, id: q.id, raw: q.question });
    const action = this.say(q, by);
    if (this.delay_ms) await new Promise((r) => setTimeout(r, this.delay_ms));
    const opt = Buffer.concat([Buffer.from([0]), u16(41), u16(1232), u32(0), u16(6), u16(15), u16(2), u16(6)]);
    switch (action) {
      case 'drop': return null;
      case 'reset': cut(); return null;
      case 'garbage': return Buffer.from('this is no message at all');
      case 'servfail': return this.answer(q, { rcode: 2, empty: true });
      case 'refused': return this.answer(q, { rcode: 5, empty: true });
      case 'bogus': return this.answer(q, { rcode: 2, empty: true, extra: [opt] });
      case 'truncate': return by === 'udp' ? this.answer(q, { flags: 2, empty: true }) : this.answer(q);
      default: return this.answer(q);
    }
  }

  async request(stream, headers) {
    const get = headers[':method'] === 'GET';
    const chunks = [];
    for await (const c of stream) chunks.push(c);
    const message = get ? Buffer.from(new URL(headers[':path'], 'https://dns.test').searchParams.get('dns') ?? '', 'base64url') : Buffer.concat(chunks);
    const ok = headers[':path'].startsWith('/dns-query') && (get || headers['content-type'] === 'application/dns-message');
    if (!ok || message.length < 17 || this.status !== 200) {
      this.failed = (this.failed ?? 0) + 1;
      stream.respond({ ':status': ok ? this.status : 400 });
      stream.end();
      return;
    }
    const body = await this.respond(message, get ? 'get' : 'post', () => stream.session?.destroy());
    if (!body || stream.destroyed) return;
    stream.respond({ ':status': 200, 'content-type': 'application/dns-message', ...(this.age && { age: String(this.age) }) });
    stream.end(body);
  }
  async datagram(m, from) {
    const send = (b) => this.udp.send(b, from.port, from.address);
    if (this.say(readQuery(m), 'udp') === 'forge')
      for (let i = 1; i <= 3; i++) send(Buffer.concat([u16(m.readUInt16BE(0) ^ i), this.answer(readQuery(m)).subarray(2)]));
    const b = await this.respond(m, 'udp', () => {});
    if (b && !this.stopped) send(b);
  }
  tcpClient(socket) {
    let had = Buffer.alloc(0);
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('data', async (d) => {
      had = Buffer.concat([had, d]);
      if (had.length < 2 || had.length < 2 + had.readUInt16BE(0)) return;
      const m = had.subarray(2, 2 + had.readUInt16BE(0));
      had = had.subarray(2 + m.length);
      const b = await this.respond(m, 'tcp', () => socket.destroy());
      if (b && !socket.destroyed) { // in two pieces, as a network may
        const all = Buffer.concat([u16(b.length), b]);
        socket.write(all.subarray(0, 1));
        setTimeout(() => socket.write(all.subarray(1)), 5);
      }
    });
  }
  // Nobody answers at the ports any more; they are kept for start().
  async stop() {
    this.stopped = true;
    for (const s of this.sessions) s.destroy();
    for (const s of this.sockets) s.destroy();
    await new Promise((r) => this.https.close(r));
    await new Promise((r) => this.tcp.close(r));
    await new Promise((r) => this.udp.close(r));
    rmSync(this.dir, { recursive: true, force: true });
  }
  // HTTPS alone goes away, and comes back at the same port.
  async down() {
    for (const s of this.sessions) s.destroy();
    await new Promise((r) => this.https.close(r));
  }
  up() { return this.listenHttps(this.port); }
}
