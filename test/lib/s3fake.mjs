// Storage that speaks S3, in memory: signatures are verified, versions kept, parts put together; and it can be made to
// fail, to lie and to be slow. `answer(req)` may return what to do instead: { status, code, drop, wait, truncate, forget, raw }.
import http from 'node:http';
import https from 'node:https';
import { createHash, createHmac } from 'node:crypto';

const sha = (b) => createHash('sha256').update(b).digest('hex');
const mac = (k, s) => createHmac('sha256', k).update(s).digest();
const enc = (s) => encodeURIComponent(s).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
const xml = (s) => `<?xml version="1.0" encoding="UTF-8"?>\n${s}`;
const esc = (s) => String(s).replace(/[&<>]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' }[c]));

export class S3Fake {
  static async start(options = {}) {
    const s = new S3Fake();
    Object.assign(s, { bucket: 'backups', keyId: 'AKTEST', secret: 'sEcReT/+1', token: '', versioned: true, versionsKnown: true, pageSize: 1000, ...options });
    s.keys = new Map(); // key -> [{ id, body, mark }], the newest first
    s.uploads = new Map(); // id -> { key, parts: Map }
    s.requests = [];
    s.next = 1;
    s.server = (s.tls ? https : http).createServer(s.tls ?? {}, (q, a) => s.serve(q, a).catch((e) => { a.destroy(); s.broke = e; }));
    await new Promise((r) => s.server.listen(0, '127.0.0.1', r));
    s.endpoint = `${s.tls ? 'https' : 'http'}://${s.host ?? '127.0.0.1'}:${s.server.address().port}`;
    return s;
  }
  stop() { this.server.closeAllConnections(); return new Promise((r) => this.server.close(r)); }
  credentials() { return `[default]\naws_access_key_id = ${this.keyId}\naws_secret_access_key = ${this.secret}\n${this.token ? `aws_session_token = ${this.token}\n` : ''}`; }
  names() { return [...this.keys].filter(([, v]) => v.length && !v[0].mark).map(([k]) => k).sort(); }
  body(key) { return this.keys.get(key)?.[0]?.body; }

  signedWell(q, url, body) {
    const m = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(q.headers.authorization ?? '');
    if (!m || m[1] !== this.keyId) return 'InvalidAccessKeyId';
    const [, , day, region, names, signature] = m;
    if (this.region && region !== this.region) return 'AuthorizationHeaderMalformed';
    if (this.token && q.headers['x-amz-security-token'] !== this.token) return 'InvalidToken';
    if (!['host', 'x-amz-content-sha256', 'x-amz-date'].every((n) => names.split(';').includes(n))) return 'AccessDenied';
    const hash = q.headers['x-amz-content-sha256'];
    if (hash !== sha(body)) return 'XAmzContentSHA256Mismatch';
    const query = [...url.searchParams].map(([k, v]) => [enc(k), enc(v)]).sort().map((p) => p.join('=')).join('&');
    const canonical = [q.method, url.pathname, query, ...names.split(';').map((n) => `${n}:${q.headers[n].trim()}`), '', names, hash].join('\n');
    const text = ['AWS4-HMAC-SHA256', q.headers['x-amz-date'], `${day}/${region}/s3/aws4_request`, sha(canonical)].join('\n');
    const key = ['s3', 'aws4_request'].reduce((k, s) => mac(k, s), mac(mac(`AWS4${this.secret}`, day), region));
    return createHmac('sha256', key).update(text).digest('hex') === signature ? null : 'SignatureDoesNotMatch';
  }

  async serve(q, a) {
    const chunks = [];
    for await (const c of q) chunks.push(c);
    const body = Buffer.concat(chunks), url = new URL(q.url, this.endpoint);
    const named = q.headers.host.startsWith(`${this.bucket}.`); // the bucket stands in the name of the host
    const [, bucket, ...rest] = `${named ? `/${this.bucket}` : ''}${decodeURIComponent(url.pathname)}`.split('/');
    const r = { method: q.method, key: rest.join('/'), query: url.searchParams, headers: q.headers, body, bytes: body.length };
    this.requests.push(r);
    const what = this.answer?.(r) ?? {};
    if (what.wait) await new Promise((done) => setTimeout(done, what.wait));
    if (what.drop) return a.destroy();
    if (what.raw !== undefined) return a.writeHead(200, { 'content-type': 'application/xml' }).end(what.raw);
    const error = (status, code) => a.writeHead(status, { 'content-type': 'application/xml' }).end(q.method === 'HEAD' ? '' : xml(`<Error><Code>${code}</Code><Message>no</Message></Error>`));
    if (what.status) return error(what.status, what.code ?? 'InternalError');
    const bad = this.signedWell(q, url, body);
    if (bad) return error(bad === 'XAmzContentSHA256Mismatch' ? 400 : 403, bad);
    if (bucket !== this.bucket) return error(404, 'NoSuchBucket');
    if (!r.key && q.method === 'GET') return this.list(r, a, error);
    if (r.query.has('uploadId') || r.query.has('uploads')) return this.upload(r, a, error, what);
    return this.object(r, a, error, what);
  }

  put(key, body) {
    const v = { id: this.versioned ? `v${this.next++}` : 'null', body };
    const was = this.keys.get(key) ?? [];
    this.keys.set(key, this.versioned ? [v, ...was] : [v]);
    return this.versioned ? { 'x-amz-version-id': v.id } : {};
  }

  object(r, a, error, what) {
    const all = this.keys.get(r.key) ?? [], now = all[0];
    if (r.method === 'PUT') {
      if (what.forget) return a.writeHead(200, { etag: '"x"' }).end();
      const body = what.truncate ? r.body.subarray(0, r.body.length >> 1) : r.body;
      return a.writeHead(200, { etag: `"${sha(r.body).slice(0, 32)}"`, ...this.put(r.key, body) }).end();
    }
    if (r.method === 'DELETE') {
      if (r.query.has('versionId')) {
        const left = all.filter((v) => v.id !== r.query.get('versionId'));
        if (left.length) this.keys.set(r.key, left); else this.keys.delete(r.key);
      } else if (this.versioned && now) this.keys.set(r.key, [{ id: `v${this.next++}`, mark: true }, ...all]);
      else this.keys.delete(r.key);
      return a.writeHead(204).end();
    }
    if (!now || now.mark) return error(404, 'NoSuchKey');
    const etag = `"${sha(now.body).slice(0, 32)}"`, version = this.versioned ? { 'x-amz-version-id': now.id } : {};
    if (r.method === 'HEAD') return a.writeHead(200, { 'content-length': now.body.length, etag, ...version }).end();
    if (r.headers['if-match'] && r.headers['if-match'] !== etag) return error(412, 'PreconditionFailed');
    const m = /^bytes=(\d+)-(\d+)$/.exec(r.headers.range ?? '');
    if (!m) return a.writeHead(200, { etag }).end(now.body);
    const from = Number(m[1]), to = Math.min(Number(m[2]), now.body.length - 1);
    if (from >= now.body.length) return error(416, 'InvalidRange');
    let part = now.body.subarray(from, to + 1);
    if (what.flip) { part = Buffer.from(part); part[part.length >> 1] ^= 1; }
    return a.writeHead(206, { etag, 'content-range': `bytes ${from}-${to}/${now.body.length}`, 'content-length': part.length }).end(part);
  }

  upload(r, a, error, what) {
    const id = r.query.get('uploadId'), u = this.uploads.get(id);
    if (r.query.has('uploads')) {
      const fresh = `u/${this.next++}+=`;
      this.uploads.set(fresh, { key: r.key, parts: new Map() });
      return a.writeHead(200).end(xml(`<InitiateMultipartUploadResult><Key>${r.key}</Key><UploadId>${fresh}</UploadId></InitiateMultipartUploadResult>`));
    }
    if (!u || u.key !== r.key) return error(404, 'NoSuchUpload');
    if (r.method === 'DELETE') { this.uploads.delete(id); return a.writeHead(204).end(); }
    if (r.method === 'PUT') {
      u.parts.set(Number(r.query.get('partNumber')), r.body);
      return a.writeHead(200, { etag: `"${sha(r.body).slice(0, 32)}"` }).end();
    }
    if (what.late) return a.writeHead(200, { 'content-type': 'application/xml' }).end(xml('<Error><Code>InternalError</Code></Error>'));
    const told = [...r.body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>"([0-9a-f]+)"<\/ETag>/g)];
    const parts = told.map(([, n, tag]) => ({ body: u.parts.get(Number(n)), tag }));
    if (!parts.length || parts.some((p) => !p.body || sha(p.body).slice(0, 32) !== p.tag)) return error(400, 'InvalidPart');
    if (parts.slice(0, -1).some((p) => p.body.length !== parts[0].body.length || p.body.length < 5 << 20)) return error(400, 'InvalidPart'); // as R2
    const head = this.put(r.key, Buffer.concat(parts.map((p) => p.body)));
    this.uploads.delete(id);
    if (what.swallow) return a.destroy(); // done, and nobody heard of it
    return a.writeHead(200, head).end(xml(`<CompleteMultipartUploadResult><Key>${r.key}</Key></CompleteMultipartUploadResult>`));
  }

  list(r, a, error) {
    const prefix = r.query.get('prefix') ?? '', delimiter = r.query.get('delimiter');
    const versions = r.query.has('versions'), uploads = r.query.has('uploads');
    if (versions && !this.versionsKnown) return error(501, 'NotImplemented');
    let rows = [];
    const folders = new Set();
    const row = (key, text, mark) => {
      const cut = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
      if (!key.startsWith(prefix)) return;
      if (cut < 0) rows.push({ at: `${key}\n${mark}`, text });
      else if (!folders.has(key.slice(0, cut + 1))) {
        folders.add(key.slice(0, cut + 1));
        rows.push({ at: key.slice(0, cut + 1), text: `<CommonPrefixes><Prefix>${esc(key.slice(0, cut + 1))}</Prefix></CommonPrefixes>` });
      }
    };
    if (uploads) for (const [id, u] of this.uploads) row(u.key, `<Upload><Key>${esc(u.key)}</Key><UploadId>${esc(id)}</UploadId></Upload>`, id);
    else for (const [key, all] of [...this.keys].sort()) {
      if (!versions && all[0].mark) continue;
      for (const v of versions ? all : [all[0]]) {
        const tag = !versions ? 'Contents' : v.mark ? 'DeleteMarker' : 'Version';
        row(key, `<${tag}><Key>${esc(key)}</Key>${versions ? `<VersionId>${esc(v.id)}</VersionId>` : ''}${v.mark ? '' : `<Size>${v.body.length}</Size>`}</${tag}>`, v.id);
      }
    }
    const after = r.query.get('continuation-token') ?? (r.query.has('key-marker') ? `${r.query.get('key-marker')}\n${r.query.get('version-id-marker') ?? r.query.get('upload-id-marker') ?? ''}` : '');
    let begin = 0;
    // What was behind the mark may be gone by now, the mark itself too.
    if (after && !this.stuck) begin = rows.findIndex((x) => x.at === after) + 1 || rows.findIndex((x) => x.at.split('\n')[0] >= after.split('\n')[0]);
    if (begin < 0) begin = rows.length;
    const page = rows.slice(begin, begin + this.pageSize), more = begin + page.length < rows.length, last = page.at(-1)?.at ?? '';
    const next = !more ? '' : versions || uploads
      ? `<NextKeyMarker>${esc(last.split('\n')[0])}</NextKeyMarker><Next${uploads ? 'UploadId' : 'VersionId'}Marker>${esc(last.split('\n')[1])}</Next${uploads ? 'UploadId' : 'VersionId'}Marker>`
      : `<NextContinuationToken>${esc(last)}</NextContinuationToken>`;
    const root = uploads ? 'ListMultipartUploadsResult' : versions ? 'ListVersionsResult' : 'ListBucketResult';
    return a.writeHead(200, { 'content-type': 'application/xml' }).end(xml(`<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Prefix>${esc(prefix)}</Prefix><IsTruncated>${more}</IsTruncated>${page.map((x) => x.text).join('')}${next}</${root}>`));
  }
}

// The settings of a service that keeps its backups there; the file is for the caller to remove.
export const storageEnv = (fake, file, more = {}) => ({
  LETTERLOCK_STORAGE_TARGET: 's3://backups/mail', LETTERLOCK_STORAGE_ENDPOINT: fake.endpoint, LETTERLOCK_STORAGE_CREDENTIALS: file,
  LETTERLOCK_STORAGE_BACKOFF: '5', LETTERLOCK_STORAGE_TRIES: '4', LETTERLOCK_STORAGE_PART_SIZE: '5MiB', ...more,
});
