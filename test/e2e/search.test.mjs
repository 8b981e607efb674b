// `mailbox search`: what is found, in which order, and the lines that say where.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Service, crlf } from '../lib/service.mjs';

let service, alias;
const letters = [
  `From: =?utf-8?Q?Ren=C3=A9?= <rene@example.net>
Subject: Picnic
Date: Mon, 2 Nov 2026 10:00:00 +0000
Message-ID: <a@example.net>
MIME-Version: 1.0
Content-Type: text/html; charset=utf-8

<style>invoice { color: red }</style>
<p>We had the <b>INVOICE</b> of the Stra\u00dfe in our bag \u001b[31mall the time</p>
`,
  `From: Billing <billing@example.net>
Subject: Your invoice 4711
Date: Tue, 3 Nov 2026 10:00:00 +0000
Message-ID: <b@example.net>

Please find it attached.
`,
  `From: Carla <carla@example.net>
Subject: holiday
Date: Wed, 4 Nov 2026 10:00:00 +0000
Message-ID: <c@example.net>

Nothing but sun and sea.
`,
];

before(async () => {
  service = await Service.start();
  alias = await service.alias();
  for (const l of letters) await service.deliver(alias.address, crlf(Buffer.from(l, 'utf8')));
});
after(() => service?.stop());

const search = async (query, ...more) => {
  const r = await service.ctl(['mailbox', 'search', alias.address, query, '--json', ...more], { input: `${alias.password}\n`, ok: false });
  assert.ok(r.code === 0 || r.code === 1, r.stderr);
  const found = JSON.parse(r.stdout);
  assert.equal(r.code, found.length ? 0 : 1);
  // Byte offsets; everything is one line, and no terminal obeys it.
  for (const l of found.flatMap((f) => f.lines)) {
    const text = Buffer.from(l.text, 'utf8');
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(l.text, /[\x00-\x1f]/);
    l.marked = l.matches.map(([a, b]) => text.subarray(a, b).toString('utf8'));
  }
  return found;
};
const subjects = (found) => found.map((f) => f.subject);

test('fuzzy: typos, ranked, with the lines', async () => {
  const found = await search('invocie');
  assert.deepEqual(subjects(found), ['Your invoice 4711', 'Picnic']);
  assert.equal(found[0].relevance, 100);
  assert.ok(found[1].relevance < 100 && found[1].relevance > 0);
  assert.deepEqual(found[0].lines.map((l) => [l.field, l.text, l.marked]), [['Subject', 'Your invoice 4711', ['invoice']]]);
  assert.deepEqual(found[1].lines.map((l) => l.marked), [['INVOICE']]);
  assert.equal(found[1].lines[0].text, 'We had the INVOICE of the Straße in our bag [31mall the time');
  assert.match(found[1].from, /^René </);
  assert.equal(found[1].folder, 'INBOX');
});

test('exact and regular expressions', async () => {
  assert.deepEqual((await search('STRASSE IN', '--exact')).map((f) => f.lines[0].marked), [['Straße in']]);
  assert.deepEqual(subjects(await search('invocie', '--exact')), []);
  assert.deepEqual((await search('s[aeu]{1,2}n? and', '--regex')).map((f) => f.lines[0].marked), [['sun and']]);
  assert.deepEqual(subjects(await search('invoice', '--folder', 'Trash')), []);
  assert.equal((await search('invoice', '--limit', '1')).length, 1);
});

test('refused', async () => {
  const ask = (args, input = `${alias.password}\n`) => service.ctl(['mailbox', 'search', alias.address, ...args], { input, ok: false });
  assert.equal((await ask(['invoice'], 'not the password\n')).code, 77);
  assert.equal((await ask(['(', '--regex'])).code, 65);
  assert.equal((await ask(['x', '--folder', 'Nowhere'])).code, 65);
  assert.equal((await ask(['x', '--limit', '0'])).code, 64);
  const text = await ask(['holyday']);
  assert.equal(text.code, 0);
  assert.match(text.stdout, /^INBOX 3 {2}100% .*holiday\n {4}Subject: holiday\n$/);
});
