// Runs transcripts (*.t) against a real service and prints TAP.
//   node test/transcripts/run.mjs [--bytes] [FILE…]      --bytes: the client's bytes go one at a time
//
// A transcript reads like the RFC:
//   # RFC 9051 7.5.1: no EXPUNGE during FETCH            clients 2, messages 3, state selected
//   C1: a STORE 2 +FLAGS.SILENT (\Deleted)     S1: a OK
//   C1: b EXPUNGE                              S1: * 2 EXPUNGE | b OK
// Settings stand at the end of the first line: clients N (1), messages N in INBOX (0), state new | auth |
// selected (selected), clear (no TLS). C: and S: are client 1. What follows S: are the response lines, in
// order, separated by " | " or on S: lines of their own. A tagged line and a numbered reply match by their
// beginning, others whole; "…" inside a line matches anything, "…" alone any number of lines; $name
// captures a word the first time and must equal it later. Lines that are not matched are an error. \r \n \t \xNN
// \\ are escapes in C lines; a C line that ends in \c sends no CRLF. "S1: EOF": the server hangs up.
// $ADDRESS and $PASSWORD are the alias's.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { Service, dial, root, sample } from '../lib/service.mjs';

const args = process.argv.slice(2);
const bytewise = args.includes('--bytes');
const named = args.filter((a) => !a.startsWith('--'));

async function find(dir) {
  const out = [];
  for (const e of await readdir(dir, { withFileTypes: true })) {
    if (e.isDirectory()) out.push(...await find(path.join(dir, e.name)));
    else if (e.name.endsWith('.t')) out.push(path.join(dir, e.name));
  }
  return out.sort();
}

function settings(line) {
  const num = (w, d) => Number(new RegExp(`\\b${w} (\\d+)`).exec(line)?.[1] ?? d);
  return {
    clients: num('clients', 1),
    messages: num('messages', 0),
    state: /\bstate (new|auth|selected)\b/.exec(line)?.[1] ?? 'selected',
    clear: /\bclear\b/.test(line.split('  ').at(-1)),
  };
}

// [{ kind: 'C' | 'S', client, text, line }]
function parse(text) {
  const steps = [];
  text.split('\n').forEach((raw, i) => {
    if (!raw.trim() || raw.startsWith('#')) return;
    const pieces = raw.split(/(?:^|\s{2,})(?=[CS]\d*: )/).filter((p) => p.trim());
    for (const p of pieces) {
      const m = /^([CS])(\d*): ?(.*)$/.exec(p.trimStart());
      if (!m) throw new Error(`line ${i + 1}: not a C: or S: line`);
      const client = Number(m[2] || 1);
      if (m[1] === 'C') steps.push({ kind: 'C', client, text: m[3], line: i + 1 });
      else for (const t of m[3].split(' | ')) steps.push({ kind: 'S', client, text: t.trim(), line: i + 1 });
    }
  });
  return steps;
}

function unescape(text) {
  return Buffer.from(text.replace(/\\(r|n|t|c$|\\|x[0-9a-f]{2})/gi, (_, e) =>
    ({ r: '\r', n: '\n', t: '\t', c: '', '\\': '\\' })[e] ?? String.fromCharCode(parseInt(e.slice(1), 16))), 'latin1');
}

const substitute = (text, vars) => text.replace(/\$(\w+)/g, (m, n) => vars[n] ?? m);

function matches(pattern, line, vars) {
  const byBeginning = /^(?:[\w.]+ (?:OK|NO|BAD)\b|\d{3}(?:[ -]|$))/.test(pattern) && !pattern.startsWith('*');
  const names = [];
  const source = pattern.split(/(\$\w+|…)/).map((p) => {
    if (p === '…') return '.*';
    if (/^\$\w+$/.test(p)) {
      const n = p.slice(1);
      if (vars[n] !== undefined) return vars[n].replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
      names.push(n);
      return '([^\\s()\\[\\]]+)';
    }
    return p.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  }).join('');
  const m = new RegExp(`^${source}${byBeginning ? '' : '$'}`, 's').exec(line);
  if (m) names.forEach((n, i) => { vars[n] = m[i + 1]; });
  return m !== null;
}

async function send(io, bytes) {
  if (!bytewise) return io.write(bytes);
  for (const b of bytes) await io.write(Buffer.from([b]));
}

async function open(service, proto, set, alias) {
  if (proto === 'mx') return dial(service.ports.mx);
  const c = set.clear
    ? { io: await dial(service.ports.imap) }
    : await service.imap(alias, { login: set.state !== 'new' });
  if (set.state === 'selected') await c.cmd('SELECT INBOX');
  return c.io;
}

async function responses(io) {
  let text = '';
  for (;;) {
    const l = await io.line(10000);
    if (l === null) return null;
    text += l;
    const m = /\{(\d+)\}$/.exec(l);
    if (!m) return text;
    text += `\r\n${(await io.bytes(Number(m[1]))).toString('latin1')}`;
  }
}

async function expect(io, steps, vars, proto) {
  let skipping = false;
  for (const s of steps) {
    if (s.text === '…') { skipping = true; continue; }
    const pattern = substitute(s.text, { ADDRESS: vars.ADDRESS, PASSWORD: vars.PASSWORD }).replace(/\\r\\n/g, '\r\n');
    for (;;) {
      const line = proto === 'mx' ? await io.line(10000) : await responses(io);
      if (pattern === 'EOF') {
        if (line !== null) throw new Error(`line ${s.line}: expected the end, got: ${line}`);
        break;
      }
      if (line === null) throw new Error(`line ${s.line}: expected: ${pattern}\n  the connection ended`);
      if (matches(pattern, line, vars)) break;
      if (!skipping) throw new Error(`line ${s.line}: expected: ${pattern}\n  got: ${line}`);
    }
    skipping = false;
  }
}

async function run(service, file) {
  const text = await readFile(file, 'utf8');
  const set = settings(text.split('\n', 1)[0]);
  const proto = path.relative(path.join(root, 'test/transcripts'), file).split(path.sep)[0];
  const alias = await service.alias();
  const vars = { ADDRESS: alias.address, PASSWORD: alias.password };
  for (let i = 1; i <= set.messages; i++) await service.deliver(alias.address, sample(i, 200));
  const io = [];
  try {
    for (let i = 0; i < set.clients; i++) io.push(await open(service, proto, set, alias));
    const steps = parse(text);
    for (let i = 0; i < steps.length;) {
      const { kind, client } = steps[i];
      let n = i;
      while (n < steps.length && steps[n].kind === kind && steps[n].client === client) n++;
      const group = steps.slice(i, n);
      if (kind === 'S') await expect(io[client - 1], group, vars, proto);
      else for (const s of group) {
        const t = substitute(s.text, vars);
        await send(io[client - 1], Buffer.concat([unescape(t), Buffer.from(t.endsWith('\\c') ? '' : '\r\n')]));
      }
      i = n;
    }
  } finally {
    for (const c of io) c.end();
  }
}

const files = named.length ? named.map((f) => path.resolve(f)) : await find(path.join(root, 'test/transcripts'));
const service = await Service.start();
let failed = 0;
console.log(`1..${files.length}`);
for (const [i, f] of files.entries()) {
  const name = `${path.relative(root, f)}${bytewise ? ' byte by byte' : ''}`;
  try {
    await run(service, f);
    console.log(`ok ${i + 1} - ${name}`);
  } catch (e) {
    failed++;
    console.log(`not ok ${i + 1} - ${name}\n  ${e.message.split('\n').join('\n  ')}`);
  }
}
if (failed) console.log(service.log.split('\n').slice(-40).map((l) => `# ${l}`).join('\n'));
await service.stop();
process.exit(failed ? 1 : 0);
