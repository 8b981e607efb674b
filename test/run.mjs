#!/usr/bin/env node
// test/run.mjs: runs the suites and counts.
//
//   node test/run.mjs check             everything, the default
//   node test/run.mjs asan              everything, on the sanitized binaries
//   node test/run.mjs SUITE...          by name, see the table below
//
// A suite is a row: where its jobs come from, what they do (below: busy, waits, alone), how their output is
// counted. A plan is a list of steps; the suites of a step run together. A job is one process with a deadline. The last line of output is `N passed, N failed[, N skipped]`; the
// exit code is 0 only when something passed and nothing failed. A job that dies by a signal, runs out
// of time, or reports fewer results than it planned has failed, whatever it printed.
//
// LETTERLOCK_BUILD names the build folder that transcripts and end-to-end tests take their binaries
// from. FUZZ_SECONDS is the time for each fuzz target. TEST_ONLY keeps jobs whose name contains it.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { randomInt } from 'node:crypto';
import { cpus } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

const fuzzSeconds = Number(process.env.FUZZ_SECONDS ?? 3);
const SECONDS = 1000, MINUTES = 60 * SECONDS;
// No detect_stack_use_after_return: gcc's fake frames do not honour alignments over 32 bytes, and clang's versions differ.
const sanitizerEnv = {
  ASAN_OPTIONS: 'detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=0',
  UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
};

// ---- where jobs come from -----------------------------------------------------------------------

const introspected = new Map(); // asked after the builds, once each
function introspect(dir, what) {
  const key = `${dir} ${what}`;
  if (!introspected.has(key))
    introspected.set(key, existsSync(`${dir}/build.ninja`)
      ? JSON.parse(execFileSync('meson', ['introspect', `--${what}`, dir], { maxBuffer: 1 << 28 })) : []);
  return introspected.get(key);
}

const builds = (...dirs) => dirs.map((dir) => ({
  name: dir,
  cmd: ['sh', '-c', `WERROR=1 tools/configure ${dir} && exec ninja -k 0 -j ${cpus().length} -C ${dir}`],
  timeout: 40 * MINUTES,
}));

const mesonTests = (dir, suite, slower = 1) => introspect(dir, 'tests')
  .filter((t) => t.suite.some((s) => s === suite || s.endsWith(`:${suite}`)))
  .map((t) => ({
    name: t.name, cmd: t.cmd, cwd: t.workdir ?? root, timeout: t.timeout * SECONDS * slower,
    env: { ...t.env, LETTERLOCK_BUILD: path.resolve(dir) },
  }));

const script = (file, dir, minutes, ...args) => existsSync(file)
  ? [{ name: [path.basename(path.dirname(file)), ...args].join(' '), cmd: [process.execPath, file, ...args], timeout: minutes * MINUTES,
       env: { LETTERLOCK_BUILD: path.resolve(dir) } }] : [];

// These measure (memory, how long others wait, who is told within a second): nothing runs beside them.
const ALONE = ['catenate', 'hostile', 'imap', 'logins', 'mx', 'pool', 'promptly'];
// These take long and are begun first, so that all end together.
const LONG = ['role_away', 'crash', 'courier', 'care', 'storage', 'jobs', 'sandbox', 'ship', 'recover',
              'transcripts', 'transcripts --bytes', 'powerloss_test', 'nth_failure_test', 'lint'];
const rank = (job) => (LONG.indexOf(job.name) + LONG.length + 1) % (LONG.length + 1);

// A hook that failed leaves servers of the test listening: the counts come, but the process would stay until its deadline.
const FORCE_EXIT = execFileSync(process.execPath, ['--help']).includes('--test-force-exit') ? ['--test-force-exit'] : [];

const nodeTests = (folder, dir, keep = () => true) => existsSync(folder)
  ? readdirSync(folder).filter((f) => f.endsWith('.test.mjs')).map((f) => f.replace('.test.mjs', '')).filter(keep)
    .sort().map((name) => ({
      name,
      cmd: [process.execPath, '--test', ...FORCE_EXIT, '--test-reporter=tap', path.join(folder, `${name}.test.mjs`)],
      timeout: 15 * MINUTES, env: { LETTERLOCK_BUILD: path.resolve(dir) },
    })) : [];

function fuzzTargets() {
  const finds = path.resolve('build-clang/fuzz-finds'); // absolute: a target may work in a folder of its own
  return introspect('build-clang', 'targets')
    .filter((t) => t.type === 'executable' && t.name.startsWith('fuzz_'))
    .map((t) => {
      const name = t.name.slice('fuzz_'.length), seed = randomInt(1, 2 ** 31);
      const found = path.resolve(`build-clang/fuzz-corpus/${name}`), seeds = path.resolve(`test/fuzz/corpus/${name}`);
      for (const d of [found, finds])
        mkdirSync(d, { recursive: true });
      const args = [`-seed=${seed}`, `-max_total_time=${fuzzSeconds}`, '-timeout=20', '-rss_limit_mb=2048',
                    '-verbosity=0', `-artifact_prefix=${finds}/${name}-`, found];
      return { name, note: `seed ${seed}`, cmd: [path.relative(root, t.filename[0]), ...args,
               ...(existsSync(seeds) ? [seeds] : [])], timeout: (fuzzSeconds + 120) * SECONDS };
    });
}

const live = process.env.LETTERLOCK_BUILD ?? 'build';
// What the jobs of a suite do: `busy` ones keep a core at work, one for each core at once; those of `waits` spend most
// of their time waiting, and share the machine with busy ones; nothing runs beside one of `alone`.
const suites = [
  // Builds come first: what they leave is what the others run. When the vital one breaks we stop.
  { name: 'builds',      jobs: () => builds('build', 'build-clang'), count: byExit, does: 'busy', vital: 'build' },
  { name: 'build-clang', jobs: () => builds('build-clang'), count: byExit, does: 'busy', vital: 'build-clang' },
  { name: 'lint',        jobs: () => [{ name: 'lint', cmd: [process.execPath, 'tools/lint.mjs'], timeout: 5 * MINUTES }],
    count: byTap, does: 'busy' },
  { name: 'units',       jobs: () => mesonTests('build', 'unit'), count: byTap, does: 'busy' },
  { name: 'units-asan',  jobs: () => mesonTests('build-clang', 'unit', 5), count: byTap, does: 'busy' },
  { name: 'replay-asan', jobs: () => mesonTests('build-clang', 'fuzz', 5), count: byExit, does: 'busy' },
  { name: 'transcripts-asan', jobs: () => script('test/transcripts/run.mjs', 'build-clang', 15), count: byTap, does: 'busy' },
  { name: 'transcripts', jobs: () => [...script('test/transcripts/run.mjs', live, 10),
    ...script('test/transcripts/run.mjs', live, 10, '--bytes')], count: byTap, does: 'busy' },
  { name: 'fuzz',        jobs: fuzzTargets, count: byExit, does: 'busy' },
  { name: 'e2e',         jobs: () => nodeTests('test/e2e', live, (n) => !ALONE.includes(n)), count: byNodeTest, does: 'waits' },
  { name: 'e2e-alone',   jobs: () => nodeTests('test/e2e', live, (n) => ALONE.includes(n)), count: byNodeTest, does: 'alone' },
  { name: 'e2e-asan',    jobs: () => nodeTests('test/e2e', 'build-clang'), count: byNodeTest, does: 'alone' },
];
const plans = {
  check: [['builds'], ['lint', 'units', 'units-asan', 'replay-asan', 'transcripts-asan', 'transcripts', 'fuzz', 'e2e'], ['e2e-alone']],
  asan: [['build-clang'], ['units-asan', 'replay-asan', 'transcripts-asan'], ['e2e-asan']],
};

// ---- how output is counted ----------------------------------------------------------------------

// One result for the whole job: its exit code.
function byExit(run) {
  return { passed: run.died ? 0 : 1, failed: run.died ? 1 : 0, skips: [], details: run.died ? [tail(run.out)] : [] };
}

// TAP at the left margin: ok, not ok, # SKIP; the plan says how many there should have been.
function byTap(run) {
  const got = { passed: 0, failed: 0, skips: [], details: [] };
  let planned = 0;

  for (const line of run.out.split('\n')) {
    const skip = /^(?:not )?ok\b.*# SKIP\s*(.*)/i.exec(line);
    if (skip)
      got.skips.push(line.replace(/^(not )?ok\s*\d*\s*(- )?/, ''));
    else if (/^ok\b/.test(line))
      got.passed++;
    else if (/^not ok\b/.test(line))
      got.failed++;
    planned += Number(/^1\.\.(\d+)/.exec(line)?.[1] ?? 0);
  }
  const seen = got.passed + got.failed + got.skips.length;
  if (got.failed === 0 && (run.died || seen < planned || seen === 0))
    got.failed = Math.max(1, planned - seen);
  if (got.failed)
    got.details.push(tail(run.out));
  return got;
}

// node:test ends its TAP with counts of all levels; a failure is a `not ok` with a YAML block.
function byNodeTest(run) {
  const sum = (word) => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(run.out)?.[1] ?? 0);
  const skips = [...run.out.matchAll(/^\s*ok \d+ - (.*# SKIP.*)$/gim)].map((m) => m[1]);
  const got = { passed: sum('pass'), failed: sum('fail') + sum('cancelled'), skips, details: [] };

  if (got.failed === 0 && (run.died || got.passed + skips.length === 0))
    got.failed = 1;
  if (got.failed) {
    const blocks = run.out.match(/^( *)not ok[^\n]*(\n\1 +[^\n]*)*/gm) ?? [];
    got.details.push(...blocks.slice(0, 20).map((b) => tail(b, 60)), tail(run.out, blocks.length ? 30 : 150));
  }
  return got;
}

function tail(text, lines = 150) {
  const all = text.trimEnd().split('\n');
  return all.length > lines ? [`... ${all.length - lines} lines above`, ...all.slice(-lines)].join('\n') : all.join('\n');
}

// ---- running ------------------------------------------------------------------------------------

const children = new Set();

function stopGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch { /* gone already */ }
}

// Runs a job in a process group of its own, so that nothing it started survives it.
function runJob(job) {
  return new Promise((resolve) => {
    const env = { ...sanitizerEnv, ...process.env, ...job.env };
    const child = spawn(job.cmd[0], job.cmd.slice(1), { cwd: job.cwd ?? root, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '', late = false;
    const began = Date.now();
    const timer = setTimeout(() => {
      late = true;
      stopGroup(child.pid, 'SIGTERM');
      setTimeout(() => stopGroup(child.pid, 'SIGKILL'), 5 * SECONDS).unref();
    }, job.timeout);
    const take = (bytes) => { if (out.length < 32 << 20) out += bytes.toString('utf8'); };
    let ended = false;
    const done = (died) => {
      if (ended)
        return;
      ended = true;
      clearTimeout(timer);
      children.delete(child);
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve({ out, died: late ? `no end within ${job.timeout / SECONDS} s` : died, ms: Date.now() - began });
    };
    children.add(child);
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('error', (e) => done(e.message));
    // 'close' comes when the last writer is gone; one that left the group must not hold us for ever.
    child.on('exit', (code, signal) => {
      const died = signal ? `killed by ${signal}` : code ? `exit ${code}` : '';
      stopGroup(child.pid, 'SIGKILL');
      child.on('close', () => done(died));
      setTimeout(() => done(died), 2 * SECONDS).unref();
    });
  });
}

const total = { passed: 0, failed: 0, skipped: 0 };
const skipReasons = [];
const failures = []; // said again at the end: who sees only the last lines of a run shall know what to mend

function report(suite, job, run, got) {
  const counts = [`${got.passed} ok`, got.failed && `${got.failed} FAILED`, got.skips.length && `${got.skips.length} skipped`];
  const extra = [job.note, run.died].filter(Boolean).join(', ');
  console.log(`${suite.name}: ${job.name}: ${counts.filter(Boolean).join(', ')} (${(run.ms / 1000).toFixed(1)} s${extra ? `, ${extra}` : ''})`);
  if (got.failed && !/ENOENT/.test(run.died)) {
    console.log(`  command: ${job.cmd.join(' ')}`);
    for (const d of got.details)
      console.log(d.replace(/^/gm, '  | '));
    const telling = got.details.join('\n').split('\n').filter((l) => TELLING.test(l)).slice(0, 6);
    failures.push(`FAILED: ${suite.name}: ${job.name}${run.died ? ` (${run.died})` : ''}`,
                  ...telling.map((l) => `  | ${l.trim().slice(0, 300)}`));
  }
  total.passed += got.passed;
  total.failed += got.failed;
  total.skipped += got.skips.length;
  skipReasons.push(...got.skips.map((s) => `${suite.name}: ${job.name}: ${s}`));
}

const TELLING = /^\s*not ok|error:|ERROR|Sanitizer|expected|actual|killed by/;

// Runs the suites of a step together. Returns false when nothing after them makes sense.
async function runStep(names) {
  const only = process.env.TEST_ONLY, cores = cpus().length;
  const queue = { waits: [], busy: [], alone: [] }, running = { waits: 0, busy: 0, alone: 0 };
  let goOn = true;

  for (const suite of names.map((n) => suites.find((s) => s.name === n)))
    queue[suite.does].push(...suite.jobs().filter((j) => !only || suite.vital || j.name.includes(only)).map((job) => ({ suite, job })));
  for (const jobs of Object.values(queue))
    jobs.sort((a, b) => rank(a.job) - rank(b.job)); // stable: else as they stand
  const may = {
    waits: () => running.waits < (queue.busy.length + running.busy ? cores : cores + 1),
    busy: () => running.busy < (queue.waits.length + running.waits ? Math.max(1, cores - 1) : cores),
    alone: () => !queue.waits.length && !queue.busy.length && running.waits + running.busy + running.alone === 0,
  };
  await new Promise((resolve) => {
    const more = () => {
      for (const kind of Object.keys(queue))
        while (queue[kind].length && may[kind]())
          start(kind, queue[kind].shift());
      if (running.waits + running.busy + running.alone === 0)
        resolve();
    };
    const start = async (kind, { suite, job }) => {
      running[kind]++;
      const run = await runJob(job);
      const got = suite.count(run);
      report(suite, job, run, got);
      goOn &&= !(got.failed && suite.vital === job.name);
      running[kind]--;
      more();
    };
    more();
  });
  return goOn;
}

function finish() {
  for (const s of skipReasons)
    console.log(`skipped: ${s}`);
  for (const f of failures)
    console.log(f);
  if (total.passed + total.failed === 0)
    console.log('nothing ran');
  console.log(`${total.passed} passed, ${total.failed} failed${total.skipped ? `, ${total.skipped} skipped` : ''}`);
  process.exitCode = total.failed || !total.passed ? 1 : 0;
}

for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => {
    for (const c of children)
      stopGroup(c.pid, 'SIGKILL');
    process.exit(130);
  });

// A plan's steps; suites by name follow each other.
const asked = process.argv.slice(2).flatMap((a) => plans[a] ?? [[a]]);
const steps = asked.length ? asked : plans.check;
const unknown = steps.flat().find((n) => !suites.some((s) => s.name === n));
if (unknown) {
  console.error(`no such suite: ${unknown}; there are: check, asan, ${suites.map((s) => s.name).join(', ')}`);
  process.exit(64);
}
for (const step of steps)
  if (!await runStep(step))
    break;
finish();
