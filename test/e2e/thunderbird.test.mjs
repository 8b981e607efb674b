// Thunderbird itself, without a screen, driven through Marionette: an IMAP account, reading, marking, moving, searching,
// a copy of what was sent, and IDLE. It is no package of tools/setup (some 300 MB): where it is absent this is skipped.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import net from 'node:net';
import { Service, freePort, sample, until } from '../lib/service.mjs';

const installed = () => { try { execFileSync('thunderbird', ['--version'], { stdio: 'ignore' }); return true; } catch { return false; } };

// "LENGTH:JSON" both ways; [0, id, command, parameters] and [1, id, error, result].
class Marionette {
  constructor(socket) {
    this.n = 0;
    this.waiting = new Map();
    this.socket = socket;
    let got = Buffer.alloc(0);
    socket.on('data', (d) => {
      got = Buffer.concat([got, d]);
      for (;;) {
        const colon = got.indexOf(':'), size = Number(got.subarray(0, Math.max(colon, 0)).toString());
        if (colon < 0 || got.length < colon + 1 + size) return;
        const m = JSON.parse(got.subarray(colon + 1, colon + 1 + size).toString());
        got = got.subarray(colon + 1 + size);
        if (Array.isArray(m)) this.waiting.get(m[1])?.(m);
      }
    });
  }
  async ask(command, params = {}) {
    const id = ++this.n, text = JSON.stringify([0, id, command, params]);
    const answer = new Promise((resolve) => { this.waiting.set(id, resolve); });
    this.socket.write(`${Buffer.byteLength(text)}:${text}`);
    const [, , error, result] = await answer;
    if (error) throw new Error(`${command}: ${error.error}: ${error.message}\n${error.stacktrace ?? ''}`);
    return result;
  }
  // `body` runs in Thunderbird, may await, and what it returns comes back. `a` are the arguments.
  async run(body, ...a) {
    const script = `const [a, done] = [arguments[0], arguments[arguments.length - 1]];
      (async () => {
        const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
        const wait = (ms) => new Promise((r) => { const t = Cc["@mozilla.org/timer;1"].createInstance(Ci.nsITimer); wait.t = t; t.initWithCallback(r, ms, 0); });
        const until = async (what, f) => { for (let i = 0; i < 300; i++) { const v = f(); if (v) return v; await wait(50); } throw new Error("waited for " + what); };
        const server = () => MailServices.accounts.allServers.find((s) => s.type === "imap");
        const folder = (name) => server().rootFolder.subFolders.find((f) => f.name.toLowerCase() === name.toLowerCase());
        const messages = (f) => [...f.messages];
        ${body}
      })().then((v) => done({ v }), (e) => done({ e: String(e) + " " + (e.stack ?? "") }));`;
    const { value } = await this.ask('WebDriver:ExecuteAsyncScript', { script, args: [a], newSandbox: false, sandbox: 'system', scriptTimeout: 40000 });
    if (value.e) throw new Error(value.e);
    return value.v;
  }
}

async function thunderbird(dir) {
  const port = await freePort();
  await mkdir(dir, { recursive: true });
  await writeFile(path.join(dir, 'user.js'), [['app.update.enabled', false], ['marionette.port', port], ['mail.provider.suppress_dialog_on_startup', true],
    ['mail.spotlight.firstRunDone', true], ['mail.shell.checkDefaultClient', false], ['mailnews.start_page.enabled', false], ['datareporting.policy.dataSubmissionEnabled', false],
    ['mail.server.default.check_new_mail', true], ['mail.biff.play_sound', false], ['mail.biff.show_alert', false]]
    .map(([k, v]) => `user_pref(${JSON.stringify(k)}, ${JSON.stringify(v)});\n`).join(''));
  const child = spawn('thunderbird', ['--headless', '--marionette', '--remote-allow-system-access', '--no-remote', '--profile', dir],
    { env: { ...process.env, HOME: dir }, stdio: 'ignore', detached: true });
  const socket = await until('Thunderbird', 40000, () => new Promise((resolve) => {
    const s = net.connect(port, '127.0.0.1', () => resolve(s));
    s.on('error', () => resolve(null));
  }));
  const m = new Marionette(socket);
  await m.ask('WebDriver:NewSession', { acceptInsecureCerts: true });
  await m.ask('Marionette:SetContext', { value: 'chrome' });
  return { m, end() { socket.destroy(); try { process.kill(-child.pid, 'SIGKILL'); } catch { /* gone */ } } };
}

test('Thunderbird: account, reading, marking, moving, searching, what was sent, IDLE', { timeout: 180000 }, async (t) => {
  if (!installed()) { t.skip('thunderbird is not installed'); return; }
  const service = await Service.start();
  let tb;
  try {
    const me = await service.alias();
    for (let i = 1; i <= 4; i++) await service.deliver(me.address, sample(i));
    tb = await thunderbird(path.join(service.dir, 'thunderbird'));
    const { m } = tb;
    const names = await m.run(`
      const s = MailServices.accounts.createIncomingServer(a[0], "127.0.0.1", "imap");
      s.port = a[2]; s.socketType = 3; s.authMethod = 3; s.password = a[1]; s.valid = true;
      const account = MailServices.accounts.createAccount(), identity = MailServices.accounts.createIdentity();
      identity.email = a[0]; account.incomingServer = s; account.addIdentity(identity);
      s.rootFolder.QueryInterface(Ci.nsIMsgFolder);
      s.performExpand(null);
      await until("the folders", () => ["Inbox", "Archive", "Drafts", "Junk", "Sent", "Trash"].every((n) => folder(n)));
      return s.rootFolder.subFolders.map((f) => f.name).sort();`, me.address, me.password, service.ports.imaps);
    for (const n of ['Archive', 'Drafts', 'Inbox', 'Junk', 'Sent', 'Trash']) assert.ok(names.some((x) => x.toLowerCase() === n.toLowerCase()), `${n} in ${names}`);
    const read = await m.run(`
      const inbox = folder("Inbox");
      inbox.updateFolder(null);
      await until("four letters", () => messages(inbox).length === 4);
      const h = messages(inbox).find((x) => x.mime2DecodedSubject === "Letter number 2");
      const text = await new Promise((resolve, reject) => {
        const svc = MailServices.messageServiceFromURI(inbox.getUriForMsg(h));
        let got = "";
        svc.streamMessage(inbox.getUriForMsg(h), { QueryInterface: ChromeUtils.generateQI(["nsIStreamListener"]), onStartRequest() {}, onStopRequest: () => resolve(got),
          onDataAvailable(_, stream, off, n) { const i = Cc["@mozilla.org/scriptableinputstream;1"].createInstance(Ci.nsIScriptableInputStream); i.init(stream); got += i.read(n); } }, null, null, false, "", false);
        wait(15000).then(() => reject(new Error("no text")));
      });
      inbox.markMessagesRead([h], true);
      inbox.markMessagesFlagged([messages(inbox).find((x) => x.mime2DecodedSubject === "Letter number 3")], true);
      return text;`);
    assert.match(read, /Line 1 of letter 2/);
    const imap = await service.imap(me);
    await imap.cmd('SELECT INBOX');
    await until('the flags', 10000, async () => /FLAGS \(\\Seen/.test((await imap.cmd('UID FETCH 2 FLAGS')).join()) && /\\Flagged/.test((await imap.cmd('UID FETCH 3 FLAGS')).join()));
    await m.run(`
      const inbox = folder("Inbox"), h = messages(inbox).find((x) => x.mime2DecodedSubject === "Letter number 1");
      MailServices.copy.copyMessages(inbox, [h], folder("Archive"), true, null, null, false);
      await until("the move", () => messages(inbox).length === 3);`);
    assert.match((await imap.cmd('STATUS Archive (MESSAGES)')).join(), /MESSAGES 1/);
    const found = await m.run(`
      const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(Ci.nsIMsgSearchSession);
      session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, folder("Inbox"));
      const term = session.createTerm(), value = term.value;
      term.attrib = Ci.nsMsgSearchAttrib.Body; value.attrib = term.attrib; value.str = "of letter 4"; term.value = value; term.op = Ci.nsMsgSearchOp.Contains; term.booleanAnd = true;
      session.appendTerm(term);
      const hits = [];
      await new Promise((resolve) => {
        session.registerListener({ onNewSearch() {}, onSearchHit: (h) => hits.push(h.mime2DecodedSubject), onSearchDone: resolve });
        session.search(null);
      });
      return hits;`);
    assert.deepEqual(found, ['Letter number 4']);
    const file = path.join(service.dir, 'sent.eml');
    await writeFile(file, `From: ${me.address}\r\nTo: x@example.net\r\nSubject: what was sent\r\nMessage-ID: <tb-1@example.test>\r\n\r\nhello\r\n`);
    await m.run(`
      const f = Cc["@mozilla.org/file/local;1"].createInstance(Ci.nsIFile);
      f.initWithPath(a[0]);
      await new Promise((resolve, reject) => MailServices.copy.copyFileMessage(f, folder("Sent"), null, false, Ci.nsMsgMessageFlags.Read, "", {
        QueryInterface: ChromeUtils.generateQI(["nsIMsgCopyServiceListener"]), onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() { return null; },
        onStopCopy: (r) => (Components.isSuccessCode(r) ? resolve() : reject(new Error("copy " + r))) }, null));`, file);
    assert.match((await imap.cmd('STATUS Sent (MESSAGES UNSEEN)')).join(), /MESSAGES 1 UNSEEN 0/);
    await service.deliver(me.address, sample(99)); // it idles in INBOX
    await m.run('await until("what came while it idled", () => messages(folder("Inbox")).some((x) => x.mime2DecodedSubject === "Letter number 99"));');
    await imap.logout();
  } finally {
    tb?.end();
    await service.stop();
  }
});
