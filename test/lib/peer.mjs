// A mail server of a test's own.
import net from 'node:net';
import tls from 'node:tls';

// A server in forty lines, whose every answer a test can change: peer.say[command](session, line) -> reply or null.
// With peer.cert = { key, cert } it offers STARTTLS; say.handshake(session) -> true: it never answers the handshake.
export class Peer {
  constructor() { this.messages = []; this.say = {}; this.connections = 0; this.open = new Set(); }
  async start(port = 0, host = '127.0.0.1') {
    this.server = net.createServer((s) => this.session(s));
    await new Promise((r) => this.server.listen(port, host, r));
    this.port = this.server.address().port;
    return this;
  }
  stop() { for (const s of this.open) s.destroy(); return new Promise((r) => this.server.close(r)); }
  session(s) {
    this.connections++;
    this.open.add(s);
    s.on('close', () => this.open.delete(s)).on('error', () => {});
    const c = { from: null, to: [], data: null, buffer: Buffer.alloc(0), socket: s, lines: [], secure: false };
    const reply = (text) => { if (text !== null && !c.socket.destroyed) c.socket.write(`${text}\r\n`); };
    const ask = (what, line, normal) => reply(this.say[what] ? this.say[what](c, line, normal) : normal);
    ask('greeting', '', '220 peer.test ESMTP');
    const secure = () => {
      s.removeAllListeners('data');
      if (this.say.handshake?.(c)) return;
      c.secure = true;
      c.socket = new tls.TLSSocket(s, { isServer: true, secureContext: tls.createSecureContext(this.cert) });
      c.socket.on('error', () => {}).on('data', read);
    };
    const read = (d) => {
      c.buffer = Buffer.concat([c.buffer, d]);
      for (;;) {
        if (c.data !== null) {
          const at = c.buffer.indexOf('\r\n.\r\n');
          const empty = c.buffer.subarray(0, 3).equals(Buffer.from('.\r\n'));
          if (at < 0 && !empty) return;
          const body = empty ? Buffer.alloc(0) : c.buffer.subarray(0, at + 2);
          c.buffer = c.buffer.subarray(empty ? 3 : at + 5);
          c.data = null;
          const m = { from: c.from, to: c.to, secure: c.secure, raw: Buffer.from(body.toString('latin1').replace(/(^|\r\n)\.\./g, '$1.'), 'latin1') };
          const text = this.say.end ? this.say.end(c, m, '250 2.0.0 taken') : '250 2.0.0 taken';
          if (text?.startsWith('2') || this.takes) this.messages.push(m);
          c.from = null; c.to = [];
          reply(text);
          continue;
        }
        const at = c.buffer.indexOf('\r\n');
        if (at < 0) return;
        const line = c.buffer.subarray(0, at).toString();
        c.buffer = c.buffer.subarray(at + 2);
        c.lines.push(line);
        this.say.line?.(c, line);
        const verb = line.split(/[ :]/)[0].toUpperCase();
        if (verb === 'EHLO') ask('EHLO', line, `250-peer.test\r\n${this.cert && !c.secure ? '250-STARTTLS\r\n' : ''}250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE ${this.size ?? 50000000}`);
        else if (verb === 'HELO') ask('HELO', line, '250 peer.test');
        else if (verb === 'MAIL') { c.from = /<(.*?)>/.exec(line)[1]; c.to = []; ask('MAIL', line, '250 2.1.0 ok'); }
        else if (verb === 'RCPT') { const to = /<(.*?)>/.exec(line)[1]; const r = this.say.RCPT ? this.say.RCPT(c, to, '250 2.1.5 ok') : '250 2.1.5 ok'; if (r?.startsWith('2')) c.to.push(to); reply(r); }
        else if (verb === 'DATA') { const r = this.say.DATA ? this.say.DATA(c, line, '354 go on') : '354 go on'; if (r?.startsWith('3')) c.data = true; reply(r); }
        else if (verb === 'RSET') { c.from = null; c.to = []; reply('250 ok'); }
        else if (verb === 'QUIT') { reply('221 bye'); c.socket.end(); }
        else if (verb === 'STARTTLS' && this.cert) { const r = this.say.STARTTLS ? this.say.STARTTLS(c, line, '220 go') : '220 go'; reply(r); if (r?.startsWith('2')) { secure(); return; } }
        else if (verb === 'NOOP') reply('250 ok');
        else ask(verb, line, '502 5.5.1 what?');
      }
    };
    s.on('data', read);
  }
}
