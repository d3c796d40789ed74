/** Where values and times are put in charts, and how they are named. Times are UTC. */

/** The smallest of 1, 2, 2.5 and 5 times a power of ten that is not below `value`. */
export function niceCeiling(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 2.5, 5, 10].find((one) => one * power >= value * (1 - 1e-9)) ?? 10;
  return step * power;
}

/**
 * A number from 0 on with one digit after the point: as `toFixed(1)`, but for what is halfway, and several times as fast. A page
 * of charts has thousands.
 */
export function decimal(value: number): string {
  const tenths = Math.round(10 * value);
  return `${Math.floor(tenths / 10)}.${tenths % 10}`;
}

/** `12 %`, `0.4 %`. */
export function percentText(share: number): string {
  const percent = 100 * share;
  return `${percent === 0 || percent >= 10 ? percent.toFixed(0) : percent.toFixed(1)} %`;
}

/** `40 ms`, `2.5 s`, `2 min`. */
export function msText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${Number((ms / 1_000).toFixed(1))} s`;
  return `${Math.round(ms / 60_000)} min`;
}

const dayMs = 86_400_000;

/** `14:30`, or `Mar 3` where steps are days. */
export function timeText(at: number, spanMs: number): string {
  const date = new Date(at);
  if (spanMs <= 2 * dayMs) return date.toISOString().slice(11, 16);
  return date.toLocaleDateString("en", { month: "short", day: "numeric", timeZone: "UTC" });
}

/** At most `most` whole multiples of a usual length between both ends. */
export function timeTicks(from: number, to: number, most = 6): number[] {
  const minute = 60_000;
  const usual = [1, 5, 10, 15, 30, 60, 120, 180, 360, 720].map((minutes) => minutes * minute);
  const days = [1, 2, 5, 7, 14, 28, 91, 365].map((count) => count * dayMs);
  const step = [...usual, ...days].find((one) => (to - from) / one <= most) ?? 10 * 365 * dayMs;
  const first = Math.ceil(from / step) * step;
  return Array.from(
    { length: Math.max(0, Math.floor((to - first) / step) + 1) },
    (_, i) => first + i * step,
  );
}
