// Crash and fault tests in their long form, as counts: each test says what it tried in `# runs: {…}` lines (lib/base/test.h,
// test/lib/runs.mjs), which are added up by kind. --quick: the short form of those that take seconds.
// FAULTS names some of the tests; what a row says can be repeated with its seed, or is all of it (every N) where there is none.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { build, root } from '../test/lib/service.mjs';

const unit = (name, env = {}, quick) => ({ name, cmd: [path.join(build, name)], env, quick });
const e2e = (name, pattern, env = {}, quick) => ({
  name: pattern ? `${name}: ${pattern}` : name, env, quick,
  cmd: [process.execPath, '--test', '--test-reporter=tap', ...(pattern ? [`--test-name-pattern=${pattern}`] : []), path.join('test/e2e', `${name}.test.mjs`)],
});
const EVERY = '1000000', REPLAYS = { FAULT_REPLAYS: '40' };
// quick: what stands in the environment instead; without it a test is left out then.
const tests = [
  unit('nth_failure_test', REPLAYS, { FAULT_SCENARIO: 'move' }),
  unit('migrate_fault_test', REPLAYS),
  unit('powerloss_test', REPLAYS),
  unit('faultfs_test', REPLAYS, {}),
  unit('rotation_test', REPLAYS, {}),
  unit('backup_fault_test', REPLAYS),
  unit('restore_fault_test', REPLAYS),
  unit('store_index_kill_test', {}, {}),
  unit('store_search_test', { LETTERLOCK_SEARCH_ROUNDS: '200' }, { LETTERLOCK_SEARCH_ROUNDS: '2' }),
  unit('store_sync_test', { SOAK: '1' }, {}),
  e2e('crash', '', { CRASH_SECONDS: '240' }),
  e2e('care', 'killed at any instant', { SOAK_ROTATIONS: '100' }),
  e2e('restore', 'killed at any instant', { SOAK_RESTORES: '60' }),
  e2e('quota', 'killed in the middle', { QUOTA_ROUNDS: '40' }),
  e2e('courier', 'whatever is killed', { LEAVING_MESSAGES: '5000' }),
  e2e('server_key', 'killed after any step', { ROTATE_KILLS: EVERY }),
  e2e('killed', '', { KILLED_STEPS: EVERY }),
  e2e('ship', 'moments of a busy history', { SHIP_MOMENTS: '60', SHIP_STEPS: '300' }),
  e2e('model', '', { SOAK: '500' }),
  e2e('qresync', '', { SOAK: '200' }),
  e2e('fuzz_sessions', '', { SOAK: '2000' }),
];
// What stands before "in append, move, …" in a row.
const WORDS = {
  'write EIO': 'every Nth write fails', 'full disk': 'the disk is full from the Nth write on', 'sync EIO': 'every Nth sync fails',
  'open EMFILE': 'every Nth open fails', 'rename EIO': 'every Nth rename fails', 'unlink EIO': 'every Nth unlink fails',
  'truncate EIO': 'every Nth truncation fails', 'mkdir ENOSPC': 'every Nth mkdir fails',
  "SQLite's allocation": "every Nth allocation of SQLite's fails", allocation: 'every Nth malloc of anybody fails',
  'power loss': 'power is lost at every sync point', 'killed at a step': 'killed after a step that changes a disk or sends',
};

function run(t, env) {
  return new Promise((resolve) => {
    const p = spawn(t.cmd[0], t.cmd.slice(1), { cwd: root, env: { ...process.env, LETTERLOCK_BUILD: build, SRCDIR: root, ...env } });
    let out = '';
    const take = (b) => { out += b.toString('utf8'); };
    p.stdout.on('data', take);
    p.stderr.on('data', take);
    p.on('error', (e) => resolve({ code: -1, out: e.message }));
    p.on('close', (code) => resolve({ code, out }));
  });
}

export async function faults({ row, quick }) {
  const only = process.env.FAULTS?.split(','), kinds = new Map(), wrong = [];
  for (const t of tests) {
    if (only ? !only.some((o) => t.name.includes(o)) : quick && !t.quick) continue;
    if (t.cmd[0] !== process.execPath && !existsSync(t.cmd[0])) { console.log(`# ${t.name}: SKIPPED, it was not built`); continue; }
    const began = Date.now(), { code, out } = await run(t, quick ? (t.quick ?? {}) : t.env);
    const told = [...out.matchAll(/runs: (\{"kind".*?\})/g)].map((m) => JSON.parse(m[1]));
    console.log(`# ${t.name}: ${told.reduce((n, r) => n + r.runs, 0)} runs in ${Math.round((Date.now() - began) / 1000)} s${code ? `, FAILED (${code})` : ''}`);
    if (code || !told.length) {
      wrong.push(t.name);
      console.log(out.split('\n').filter((l) => /ERROR|not ok|CHECK|fails|error:|seed|SEED|point \d/.test(l)).slice(0, 20).map((l) => `# | ${l.trim()}`).join('\n'));
    }
    for (const r of told) {
      const k = kinds.get(r.kind) ?? { of: [], runs: 0, seeds: [] };
      kinds.set(r.kind, { of: [...k.of, r.of], runs: k.runs + r.runs, seeds: [...k.seeds, ...(r.seed ? [r.seed] : [])] });
    }
  }
  for (const [kind, k] of kinds) {
    const seeds = [...new Set(k.seeds)];
    row(`${WORDS[kind] ?? kind}, in ${[...new Set(k.of)].join('; ')}`, `${k.runs} runs, 0 findings${seeds.length ? `; seeds: ${seeds.join(', ')}` : ''}`, 'no findings', true);
  }
  row('crash and fault tests that failed', wrong.length ? wrong.join('; ') : 'none', 'none', wrong.length === 0);
}
