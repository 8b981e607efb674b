// Who gets what comes to an address, through a whole service: other names of a domain, tags, patterns, the catch-all,
// several addresses into one mailbox, what leaves again, disabled aliases, allow and deny lists. The rules themselves, case
// by case, are in src/directory/recipients_test.c; doc/recipients.md says them to people.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Service, until } from '../lib/service.mjs';

let service, ann, bob, n = 0;
const ctl = (...args) => service.ctl(args);
const json = async (...args) => JSON.parse((await service.ctl([...args, '--json'], { ok: false })).stdout);
const letter = (id, extra = '') => Buffer.from(`${extra}From: a@client.example\r\nSubject: ${id}\r\nMessage-ID: <${id}@client.example>\r\n\r\nhello\r\n`);
const next = () => `letter-${++n}`;

before(async () => {
  service = await Service.start({ env: { LETTERLOCK_MX_AUTH_CHECKS: 'no', LETTERLOCK_MX_MAX_ERRORS: '1000' } });
  ann = await service.alias('ann');
  bob = await service.alias('bob');
});
after(() => service?.stop());

// One message to several recipients; the reply to each RCPT, and to DATA when one was taken.
async function send(to, { from = 'a@client.example', body = letter(next()) } = {}) {
  const c = await service.smtp();
  const rcpt = [];
  await c.cmd(`MAIL FROM:<${from}>`);
  for (const t of [].concat(to)) rcpt.push((await c.cmd(`RCPT TO:<${t}>`)).text);
  let data = null;
  if (rcpt.some((r) => r.startsWith('250'))) {
    await c.cmd('DATA');
    await c.io.write(Buffer.concat([body, Buffer.from('.\r\n')]));
    data = (await c.reply()).text;
  }
  await c.cmd('QUIT');
  c.end();
  return { rcpt, data };
}
async function rcpt(to, { from = 'a@client.example' } = {}) {
  const c = await service.smtp();
  await c.cmd(`MAIL FROM:<${from}>`);
  const { text } = await c.cmd(`RCPT TO:<${to}>`);
  await c.cmd('QUIT');
  c.end();
  return text;
}

// Header blocks of what is in an inbox, and then it is empty.
async function inbox(alias) {
  const c = await service.imap(alias);
  const out = [];
  let exists = 0;
  await c.cmd('SELECT INBOX');
  for (const l of c.untagged) exists = Number(/^\* (\d+) EXISTS/.exec(l)?.[1] ?? exists);
  if (exists) {
    await c.cmd('FETCH 1:* BODY.PEEK[HEADER]');
    out.push(...c.literals.map((b) => b.toString('latin1')));
    await c.cmd('STORE 1:* +FLAGS.SILENT (\\Deleted)');
    await c.cmd('EXPUNGE');
  }
  await c.logout();
  return out;
}
const subjects = async (alias) => (await inbox(alias)).map((h) => /^Subject: (.*)\r$/m.exec(h)[1]).sort();
const accepted = () => [...service.log.matchAll(/mx\.accepted .*? rcpts=(\d+) duplicates=(\d+)/g)].map((m) => ({ rcpts: Number(m[1]), duplicates: Number(m[2]) }));

test('another name of a domain, tags, and which address it was', async () => {
  await ctl('domain', 'add', 'example.net');
  assert.match(await rcpt('ann@example.net'), /^550 5\.1\.1/);
  await ctl('domain', 'set', 'example.net', '--alias-of', 'example.test'); // counts at once
  for (const to of ['ann@example.net', 'Ann+news@example.test', 'ann+x+y@EXAMPLE.net']) assert.match((await send(to)).data, /^250/);
  const got = await inbox(ann);
  assert.equal(got.length, 3);
  for (const h of got) assert.match(h, /^Delivered-To: ann@example\.test\r$/m);
  assert.match(got[1], /^X-Original-To: Ann\+news@example\.test\r$/m);
  // whoever logs in may use that name, too
  const c = await service.imap({ address: 'ann@example.net', password: ann.password });
  await c.logout();
  // a domain that is another name has no addresses of its own
  assert.equal((await service.ctl(['alias', 'add', 'x@example.net'], { ok: false })).code !== 0, true);
  await ctl('domain', 'set', 'example.test', '--separators', '-');
  assert.match(await rcpt('ann+news@example.test'), /^550 5\.1\.1/);
  assert.match(await rcpt('ann-news@example.test'), /^250/);
  await ctl('domain', 'set', 'example.test', '--separators', '+');
});

test('several addresses into one mailbox: each mailbox once', async () => {
  for (const a of ['sales', 'team']) await ctl('alias', 'add', `${a}@example.test`);
  assert.match(await rcpt('sales@example.test'), /^450 4\.2\.1/); // no password, no target
  await ctl('alias', 'target', 'add', 'sales@example.test', 'ann@example.test');
  for (const a of ['ann', 'sales', 'bob']) await ctl('alias', 'target', 'add', 'team@example.test', `${a}@example.test`);
  const id = next();
  assert.match((await send(['sales@example.test', 'team@example.test', 'ann+x@example.test'], { body: letter(id) })).data, /^250/);
  assert.deepEqual(await subjects(ann), [id]);
  assert.deepEqual(await subjects(bob), [id]);
  const circle = await service.ctl(['alias', 'target', 'add', 'sales@example.test', 'team@example.test'], { ok: false });
  assert.equal(circle.code, 65);
  assert.match(circle.stderr, /circles/);
});

test('patterns in their order, then the catch-all, and only what no alias takes', async () => {
  await ctl('domain', 'pattern', 'add', 'example.test', 'order-([0-9]+)', 'bob+\\1@example.test');
  await ctl('domain', 'pattern', 'add', 'example.test', 'order-.*', 'ann@example.test');
  assert.match(await rcpt('zork@example.test'), /^550 5\.1\.1/);
  await ctl('domain', 'set', 'example.test', '--catch-all', 'ann@example.test');
  const ids = [next(), next(), next(), next()];
  for (const [i, to] of ['Order-12@example.net', 'order-x@example.test', 'zork@example.test', 'bob@example.test'].entries()) assert.match((await send(to, { body: letter(ids[i]) })).data, /^250/);
  assert.deepEqual(await subjects(bob), [ids[0], ids[3]].sort());
  assert.deepEqual(await subjects(ann), [ids[1], ids[2]].sort());
  await ctl('domain', 'set', 'example.test', '--catch-all', 'none');
  assert.match(await rcpt('zork@example.test'), /^550 5\.1\.1/);
  assert.equal((await service.ctl(['domain', 'pattern', 'add', 'example.test', '(a', 'b@example.test'], { ok: false })).code, 65);
  await ctl('domain', 'pattern', 'remove', 'example.test', '2');
  assert.match(await rcpt('order-x@example.test'), /^550 5\.1\.1/);
  assert.deepEqual((await json('domain', 'pattern', 'list', 'example.test')).map((p) => p.position), [1]);
});

test('disabled aliases answer as set, and keep nobody else waiting', async () => {
  const off = await service.alias('off');
  await ctl('alias', 'set', off.address, '--disabled', '550');
  assert.match(await rcpt(off.address), /^550 5\.2\.1/);
  await ctl('alias', 'set', off.address, '--disabled', '421');
  const id = next();
  const r = await send([off.address, bob.address], { body: letter(id) });
  assert.match(r.rcpt[0], /^421 4\.2\.1/);
  assert.match(r.data, /^250/);
  await ctl('alias', 'set', off.address, '--disabled', '250');
  assert.match((await send(off.address)).data, /^250/);
  const both = next();
  assert.match((await send([off.address, bob.address], { body: letter(both) })).data, /^250/);
  await until('the log to tell', 5000, () => /mx\.discarded/.test(service.log));
  assert.deepEqual(await subjects(bob), [id, both].sort());
  assert.deepEqual(await subjects(off), []); // nothing came, and logging in goes on
  assert.equal((await json('alias', 'show', off.address)).disabled, 250);
  await ctl('alias', 'set', off.address, '--enabled');
  assert.match((await send(off.address)).data, /^250/);
  assert.equal((await subjects(off)).length, 1);
});

test('allow and deny lists: the most exact row decides', async () => {
  await ctl('access', 'deny', ann.address, 'bad.example');
  await ctl('access', 'allow', ann.address, 'friend@bad.example');
  await ctl('access', 'deny', 'example.test', '127.0.0.0/8');
  await ctl('access', 'allow', bob.address, '127.0.0.1');
  assert.match(await rcpt(ann.address, { from: 'x@mail.bad.example' }), /^550 5\.7\.1/);
  assert.match(await rcpt(ann.address, { from: 'x@good.example' }), /^550 5\.7\.1/); // her domain's row
  assert.match(await rcpt(ann.address, { from: 'Friend@bad.example' }), /^250/);
  assert.match(await rcpt(bob.address, { from: 'x@good.example' }), /^250/);
  assert.equal((await json('alias', 'resolve', ann.address, '--sender', 'x@bad.example', '--peer', '192.0.2.1')).result, 'refused');
  assert.deepEqual(await json('access', 'list', ann.address), [{ who: 'bad.example', allow: false }, { who: 'friend@bad.example', allow: true }]);
  await ctl('access', 'remove', 'example.test', '127.0.0.0/8'); // counts at once
  assert.match(await rcpt(ann.address, { from: 'x@good.example' }), /^250/);
  await ctl('access', 'deny', ann.address, '*');
  assert.match(await rcpt(ann.address, { from: '' }), /^550 5\.7\.1/);
  await ctl('access', 'allow', ann.address, '<>');
  assert.match(await rcpt(ann.address, { from: '' }), /^250/);
  for (const who of ['*', '<>', 'bad.example', 'friend@bad.example']) await ctl('access', 'remove', ann.address, who);
});

test('what leaves again is in the queue before 250, once', async () => {
  await ctl('alias', 'add', 'out@example.test');
  await ctl('alias', 'target', 'add', 'out@example.test', 'me@far.example');
  await ctl('alias', 'target', 'add', 'out@example.test', 'https://hook.far.example/in');
  assert.equal((await service.ctl(['alias', 'target', 'add', 'out@example.test', 'http://hook.far.example/'], { ok: false })).code, 65);
  await ctl('alias', 'target', 'add', bob.address, 'bob@far.example'); // beside his mailbox
  assert.deepEqual((await json('alias', 'show', 'out@example.test')).targets, [
    { kind: 'address', to: 'me@far.example' }, { kind: 'webhook', to: 'https://hook.far.example/in' }]);
  const id = next();
  const to = ['out+tag@example.test', bob.address, ann.address];
  assert.match((await send(to, { body: letter(id) })).data, /^250/); // no password was ever made for out@
  await until('the log to tell', 5000, () => accepted().at(-1)?.rcpts === 5);
  assert.equal(accepted().at(-1).duplicates, 0);
  // the peer lost our answer and comes again; in between the courier was killed: what it took, it has
  await service.kill('courier');
  const again = await until('the courier to be back', 20000, async () => {
    const r = await send(to, { body: letter(id) });
    return r.data.startsWith('250') && r;
  });
  assert.match(again.data, /^250/);
  await until('the log to tell', 5000, () => accepted().at(-1).duplicates === 5);
  assert.deepEqual(await subjects(ann), [id]);
  assert.deepEqual(await subjects(bob), [id]);
});

test('a forward that comes back is refused; the others in the message get it', async () => {
  const back = (id) => letter(id, 'Delivered-To: OUT@example.test\r\n');
  assert.match((await send('out@example.test', { body: back(next()) })).data, /^554 5\.4\.6/);
  const id = next();
  assert.match((await send(['out@example.test', ann.address], { body: back(id) })).data, /^250/);
  assert.deepEqual(await subjects(ann), [id]);
});

test('without the courier: try later, and nobody gets it twice', async () => {
  const id = next();
  const [pid] = await service.pids('courier');
  process.kill(pid, 'SIGSTOP');
  const waiting = send(['out@example.test', ann.address], { body: letter(id) });
  await service.kill('mx'); // the peer is cut off
  await waiting.catch(() => null);
  process.kill(pid, 'SIGCONT');
  await until('it to be taken', 20000, async () => {
    const r = await send(['out@example.test', ann.address], { body: letter(id) }).catch(() => null);
    return r?.data?.startsWith('250');
  });
  assert.deepEqual(await subjects(ann), [id]);
});
