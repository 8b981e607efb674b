// So many runs under faults of one kind, or with chances of one: a line that `bench/run.mjs faults` adds up, as runs_tell of
// lib/base/test.h writes them. seed: what repeats them.
export const runs = (kind, of, n, seed = '') => console.log(`# runs: ${JSON.stringify({ kind, of, runs: n, seed })}`);

// Numbers from 0 to 1, the same for the same seed (mulberry32).
export function random(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
