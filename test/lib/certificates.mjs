// An authority of a test's own, and what it vouches for.
//
//   const ca = new Authority(dir);                       // ca.file: PEM
//   const { key, cert } = ca.certificate('mx', 'DNS:mx.one.test');
//   ca.certificate('own', 'DNS:other.test', { own: true })   // by nobody but itself
import { createHash, X509Certificate } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';

const rsaKey = ['-newkey', 'rsa:2048', '-nodes', '-days', '2'];
const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];

export class Authority {
  constructor(dir) {
    this.dir = dir;
    this.file = this.at('ca.pem');
    this.openssl('req', '-x509', ...ec, '-subj', '/CN=authority', '-keyout', this.at('ca.key'), '-out', this.file);
  }
  at(file) { return path.join(this.dir, file); }
  openssl(...args) { execFileSync('openssl', args, { stdio: 'ignore' }); }
  certificate(name, san, { own = false, rsa = false } = {}) {
    const key = this.at(`${name}.key`), pem = this.at(`${name}.pem`), csr = this.at(`${name}.csr`);
    this.openssl('req', ...(own ? ['-x509'] : []), ...(rsa ? rsaKey : ec), '-subj', `/CN=${name}`, '-addext', `subjectAltName=${san}`, '-keyout', key, '-out', own ? pem : csr);
    if (!own) this.openssl('x509', '-req', '-in', csr, '-CA', this.file, '-CAkey', this.at('ca.key'), '-CAcreateserial', '-days', '2', '-copy_extensions', 'copy', '-out', pem);
    return { key: readFileSync(key), cert: readFileSync(pem) };
  }
}

// What a TLSA record "3 1 1" says of a certificate.
export const spki = (pem) => createHash('sha256').update(new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' })).digest('hex');
