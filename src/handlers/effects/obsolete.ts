/** So unlikely a run of luck ends a watch: at least so many runs pass on average before a false alarm. */
const limit = Math.log(1_000);

/**
 * Whether runs without the lesson have stopped failing: then it is obsolete, which is not to say that it was useless. An e-detector
 * (Shin, Ramdas and Rinaldo, "E-detectors", 2023) of a rate that has fallen to a sixteenth against one of a half of what it
 * was; there is no floor, since one would turn the rule around for what was rare before.
 *
 * `heldOut`: of each run that was held out, in the order of exposure, `1` where it failed and `0` where not. `rate`: the share of
 * held-out runs that failed before. Resolves to after how many runs; null: they still fail.
 */
export function obsoleteAfter(heldOut: string, rate: number): number | null {
  if (rate <= 0) return null;
  const [half, sixteenth] = [rate / 2, rate / 16];
  const failed = Math.log(sixteenth / half);
  const worked = Math.log1p(-sixteenth) - Math.log1p(-half);
  let sum = 0;
  for (let i = 0; i < heldOut.length; i++) {
    sum = Math.max(sum, 0) + (heldOut[i] === "1" ? failed : worked);
    if (sum >= limit) return i + 1;
  }
  return null;
}
