// The long version of the crash test: at least 1,000 kills (SOAK_KILLS), about half an hour, since roles that die
// again and again are started ever more slowly. Prints "N passed, N failed".
import { Service } from './lib/service.mjs';
import { crashTest } from './lib/crash.mjs';

const kills = Number(process.env.SOAK_KILLS ?? 1000);
const service = await Service.start();
let failed = 0;
try {
  const { problems, run } = await crashTest({ service, kills, ms: kills * 5000 });
  for (const p of problems) console.log(`not ok - ${p}`);
  failed = problems.length || run.kills < kills ? 1 : 0;
} finally { await service.stop(); }
console.log(`${failed ? 0 : 1} passed, ${failed} failed`);
process.exit(failed);
