// The long version of what `make check` does in short: every N of failing calls and allocations and many
// seeds of power loss (FAULT_REPLAYS), a rotation killed 100 times (SOAK_ROTATIONS), and at least 1,000 kills
// of roles under load (SOAK_KILLS), and 5,000 messages that leave meanwhile (LEAVING_MESSAGES), some 10 minutes since roles are started again at once. Every seed is
// printed. SOAK_ONLY names one part: faults, rotation, leaving, kills. The last line is "N passed, N failed".
import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Service } from './lib/service.mjs';
import { crashTest } from './lib/crash.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const build = path.resolve(process.env.LETTERLOCK_BUILD ?? path.join(root, 'build'));
const only = process.env.SOAK_ONLY;
let passed = 0, failed = 0;
function result(ok, name) {
  console.log(`${ok ? 'ok' : 'not ok'} - ${name}`);
  if (ok) passed++; else failed++;
}

function run(cmd, args, env) {
  return new Promise((resolve) => {
    const p = spawn(cmd, args, { cwd: root, stdio: 'inherit', env: { ...process.env, LETTERLOCK_BUILD: build, SRCDIR: root, ...env } });
    p.on('exit', (code) => resolve(code === 0));
    p.on('error', () => resolve(false));
  });
}

const parts = {
  async faults() {
    const env = { FAULT_REPLAYS: process.env.FAULT_REPLAYS ?? '40' };
    for (const name of ['nth_failure_test', 'powerloss_test']) result(await run(path.join(build, name), [], env), name);
  },
  async rotation() {
    const env = { SOAK_ROTATIONS: process.env.SOAK_ROTATIONS ?? '100' };
    result(await run(process.execPath, ['--test', '--test-name-pattern=killed at any instant', 'test/e2e/care.test.mjs'], env), 'rotations killed');
  },
  async leaving() {
    const env = { LEAVING_MESSAGES: process.env.LEAVING_MESSAGES ?? '5000' };
    result(await run(process.execPath, ['--test', '--test-name-pattern=whatever is killed', 'test/e2e/courier.test.mjs'], env), 'mail that leaves while roles are killed');
  },
  async kills() {
    const kills = Number(process.env.SOAK_KILLS ?? 1000);
    const service = await Service.start({ env: { LETTERLOCK_SERVER_RESTART_MAX: '100' } });
    const began = Date.now();
    try {
      const { problems, run: r } = await crashTest({ service, kills, ms: kills * 5000 });
      for (const p of problems) console.log(`# ${p}`);
      result(problems.length === 0 && r.kills >= kills, `${r.kills} kills in ${Math.round((Date.now() - began) / 1000)} s`);
    } finally { await service.stop(); }
  },
};
for (const [name, part] of Object.entries(parts)) if (!only || only === name) await part();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
