/**
 * e-Benjamini-Hochberg (Wang and Ramdas, "False discovery rate control with e-values", 2022): of many findings those that may be
 * believed together, so that of these no more than `alpha` are false on average, however they depend on one another. Takes ln E of
 * each; gives the places of those that hold.
 */
export function eBenjaminiHochberg(logEs: readonly number[], alpha: number): ReadonlySet<number> {
  const order = logEs.map((_, i) => i).sort((a, b) => (logEs[b] ?? 0) - (logEs[a] ?? 0) || a - b);
  let most = 0;
  for (const [i, place] of order.entries()) {
    const rank = i + 1;
    if ((logEs[place] ?? 0) >= Math.log(logEs.length / (alpha * rank))) most = rank;
  }
  return new Set(order.slice(0, most));
}
