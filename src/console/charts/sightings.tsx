/** When a failure was seen, and in how many runs: a bar for each window. */

export interface Seen {
  /** Epoch ms. */
  readonly at: number;
  readonly runs: number;
}

const height = 64;
const top = 14;

export function SightingsPlot({ seen, until }: { readonly seen: readonly Seen[]; until: number }) {
  const from = Math.min(...seen.map(({ at }) => at));
  const span = Math.max(until - from, 1);
  const most = Math.max(...seen.map(({ runs }) => runs), 1);
  const place = (at: number) => `${(1 + ((at - from) / span) * 98).toFixed(2)}%`;
  const label = `seen in ${seen.length} windows, in at most ${most} runs each`;
  return (
    <svg class="chart" width="100%" height={height + top + 4} role="img" aria-label={label}>
      <text class="tick" x="0" y="10">
        {`${most} runs`}
      </text>
      <line class="grid" x1="0" x2="100%" y1={top} y2={top} />
      <line class="reference" x1="0" x2="100%" y1={top + height} y2={top + height} />
      {seen.map(({ at, runs }) => (
        <line
          class="bar"
          x1={place(at)}
          x2={place(at)}
          y1={top + height}
          y2={(top + height - (runs / most) * height).toFixed(1)}
        />
      ))}
    </svg>
  );
}
