/** Counts and what they amount to at level 0.05, worked out apart from this code: [share, attached, held out] an epoch. */
export const vectors = [
  { epochs: [[0.5, 0, 0]], logE: 0, low: 0, high: null, verdict: "insufficient_data" },
  {
    epochs: [[0.5, 5, 20]],
    ...{ logE: 3.094014119, low: 0.038495, high: 0.98691, verdict: "helps" },
  },
  {
    epochs: [[0.5, 20, 5]],
    ...{ logE: 3.094014119, low: 1.013264, high: 25.977077, verdict: "harms" },
  },
  { epochs: [[0.5, 0, 12]], logE: 4.636443523, low: 0, high: 0.744418, verdict: "helps" },
  { epochs: [[0.5, 12, 0]], logE: 4.636443523, low: 1.34333, high: null, verdict: "harms" },
  {
    epochs: [[0.5, 1000, 1000]],
    ...{ logE: -2.850738319, low: 0.858131, high: 1.165324, verdict: "no_effect" },
  },
  {
    epochs: [
      [0.5, 10, 30],
      [0.9, 50, 20],
    ],
    ...{ logE: 12.169707631, low: 0.145002, high: 0.614552, verdict: "helps" },
  },
  {
    epochs: [[0.5, 100_000, 200_000]],
    ...{ logE: 16985.441222887, low: 0.49257, high: 0.507529, verdict: "helps" },
  },
  {
    epochs: [
      [0.5, 200, 100],
      [0.5, 20, 60],
      [0.9, 9, 1],
    ],
    ...{ logE: 2.424950432, low: 0.98169, high: 1.927269, verdict: "insufficient_data" },
  },
] as const;
