// A minute of killing roles at random under load; the long version is `make soak`.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Service, freePort } from '../lib/service.mjs';
import { crashTest } from '../lib/crash.mjs';
import { Scanners } from '../lib/scanners.mjs';

test('every acknowledged message is there exactly once, whatever was killed', async () => {
  const rspamd = await freePort(), scanners = await Scanners.start({ clamd: await freePort(), rspamd });
  const service = await Service.start({ env: {
    LETTERLOCK_MX_SPAM_EXEMPT: '', LETTERLOCK_MX_AUTH_CHECKS: 'no', LETTERLOCK_MX_SENDER_CHECK: 'off', LETTERLOCK_MX_HELO_CHECK: 'off',
    LETTERLOCK_MX_RSPAMD: `127.0.0.1:${rspamd}`, LETTERLOCK_MX_CLAMAV: `127.0.0.1:${scanners.clamd.address().port}`,
  } });
  try {
    const { problems, run } = await crashTest({ service, ms: Number(process.env.CRASH_SECONDS ?? 40) * 1000 });
    assert.ok(run.kills >= 20, `only ${run.kills} kills`);
    assert.ok(scanners.asked > 0 && scanners.url, 'the filter asked both');
    assert.ok(run.acknowledged.size > 50, `only ${run.acknowledged.size} acknowledged`);
    if (problems.length) console.log(service.log.split('\n').slice(-60).map((l) => `# ${l}`).join('\n'));
    assert.deepEqual(problems, []);
  } finally { await service.stop(); await scanners.stop(); }
});
