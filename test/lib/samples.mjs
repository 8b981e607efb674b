// Messages of our own making, each with one oddity that has broken mail software before. CRLF form.
const head = (subject, more = '') =>
  `From: Ada Example <ada@example.net>\r\nTo: reader@example.test\r\nSubject: ${subject}\r\n`
  + `Date: Tue, 3 Nov 2026 09:08:07 +0100\r\nMessage-ID: <${subject.replace(/\W+/g, '-')}@example.net>\r\n${more}`;
const mixed = (b, ...parts) => parts.map((p) => `--${b}\r\n${p}\r\n`).join('') + `--${b}--\r\n`;
const bin = (s) => Buffer.from(s, 'latin1');
const utf = (s) => Buffer.from(s, 'utf8');

export const samples = [
  ['plain', bin(`${head('plain')}\r\nHello.\r\n`)],
  ['no body', bin(head('no body'))],
  ['empty line only', bin(`${head('empty line only')}\r\n`)],
  ['empty body line', bin(`${head('empty body line')}\r\n\r\n`)],
  ['dots', bin(`${head('dots')}\r\n.\r\n..\r\n.a\r\n...\r\n. \r\nend\r\n`)],
  ['trailing blank lines', bin(`${head('trailing')}\r\ntext\r\n\r\n\r\n\r\n`)],
  ['header line folded oddly', bin(`${head('folded', 'X-Long: a\r\n\tb\r\n  c\r\n \r\n d\r\n')}\r\nbody\r\n`)],
  ['no header at all', bin('\r\njust text\r\n')],
  ['body that looks like a header', bin(`${head('looks')}\r\nSubject: not me\r\n\r\n--not a boundary\r\n`)],
  ['line of 998', bin(`${head('998')}\r\n${'x'.repeat(998)}\r\n`)],
  ['many lines', bin(`${head('many lines')}\r\n${'0123456789abcdef\r\n'.repeat(4000)}`)],
  ['8-bit utf-8', utf(`${head('utf8', 'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n')}\r\nGrüße, 日本語, emoji 📬\r\n`)],
  ['8-bit latin1', bin(`${head('latin1', 'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n')}\r\nGr\xfc\xdfe\r\n`)],
  ['raw 8-bit header', bin('From: Andr\xe9 <andre@example.net>\r\nSubject: caf\xe9\r\n\r\nbody\r\n')],
  ['encoded words', bin(`${head('=?utf-8?Q?Gr=C3=BC=C3=9Fe?= =?utf-8?B?8J+TrA==?=')}\r\nbody\r\n`)],
  ['quoted printable', bin(`${head('qp', 'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n')}\r\nGr=C3=BC=C3=9Fe =\r\nsoft =3D break=20\r\n`)],
  ['base64', bin(`${head('b64', 'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n')}\r\nSGVsbG8sIHdvcmxkIQo=\r\n`)],
  ['alternative', bin(`${head('alternative', 'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b1\r\n')}\r\npreamble\r\n`
    + mixed('b1', 'Content-Type: text/plain\r\n\r\nplain', 'Content-Type: text/html\r\n\r\n<p>rich &amp; <b>bold</b></p>') + 'epilogue\r\n')],
  ['nested boundaries that are prefixes', bin(`${head('prefixes', 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="aa"\r\n')}\r\n`
    + mixed('aa', `Content-Type: multipart/mixed; boundary="aab"\r\n\r\n${mixed('aab', '\r\none', '\r\ntwo')}`, '\r\nthree'))],
  ['unclosed multipart', bin(`${head('unclosed', 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n')}\r\n--x\r\n\r\nfirst\r\n--x\r\n\r\nsecond, and no end\r\n`)],
  ['message in message', bin(`${head('outer', 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n')}\r\n`
    + mixed('m', '\r\ncover', `Content-Type: message/rfc822\r\n\r\n${head('inner')}\r\ninner body`))],
  ['attachment with encoded name', bin(`${head('attached', 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=q\r\n')}\r\n`
    + mixed('q', '\r\nsee file', "Content-Type: application/octet-stream\r\nContent-Disposition: attachment;\r\n filename*0*=utf-8''gr%C3%BC;\r\n filename*1=\"sse.bin\"\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAwQFBgcICQoLDA0ODw=="))],
  ['missing colon line', bin('From: ada@example.net\r\nthis is not a field\r\nSubject: odd\r\n\r\nbody\r\n')],
  ['space before colon', bin('From : ada@example.net\r\nSubject : odd\r\n\r\nbody\r\n')],
  ['group address', bin('From: ada@example.net\r\nTo: Friends: a@example.net, "B, b" <b@example.net>;, c@example.net\r\nSubject: group\r\n\r\nbody\r\n')],
  ['wide', bin(`${head('wide', 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=w\r\n')}\r\n${mixed('w', ...Array.from({ length: 60 }, (_, i) => `\r\npart ${i}`))}`)],
  ['big body', bin(`${head('big')}\r\n${Array.from({ length: 12000 }, (_, i) => `line ${i} ${(i * 2654435761 % 4294967296).toString(16).repeat(5)}`).join('\r\n')}\r\n`)],
];

// What SMTP's DATA or an IMAP literal may not carry.
export const forbidden = [
  ['NUL', bin(`${head('nul')}\r\na\0b\r\n`)],
  ['bare CR', bin(`${head('bare cr')}\r\na\rb\r\n`)],
  ['line of 1,500', bin(`${head('1500')}\r\n${'y'.repeat(1500)}\r\n`)],
];
