// A minute of killing roles at random under load; the long version is `make soak`.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Service } from '../lib/service.mjs';
import { crashTest } from '../lib/crash.mjs';

test('every acknowledged message is there exactly once, whatever was killed', async () => {
  const service = await Service.start();
  try {
    const { problems, run } = await crashTest({ service, ms: Number(process.env.CRASH_SECONDS ?? 40) * 1000 });
    assert.ok(run.kills >= 20, `only ${run.kills} kills`);
    assert.ok(run.acknowledged.size > 50, `only ${run.acknowledged.size} acknowledged`);
    if (problems.length) console.log(service.log.split('\n').slice(-60).map((l) => `# ${l}`).join('\n'));
    assert.deepEqual(problems, []);
  } finally { await service.stop(); }
});
