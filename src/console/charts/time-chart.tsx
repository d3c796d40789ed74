import { html } from "hono/html";
import { decimal, niceCeiling, timeText, timeTicks } from "./scale.ts";

/** One or two lines over time. */

export interface TimePoint {
  /** Epoch ms where the step starts. */
  readonly at: number;
  /** A value for each of the lines; null: there is none. */
  readonly values: readonly (number | null)[];
  /** What the step says, where somebody points at it. */
  readonly text: string;
}

const top = 18;
const height = 120;
const bottom = 22;
/** Units of the plot, which is stretched over whatever room there is. */
const across = 1_000;

export function TimeChart(options: {
  readonly title: string;
  /** What whoever does not see it is told. */
  readonly summary: string;
  readonly lines: readonly string[];
  readonly points: readonly TimePoint[];
  readonly from: number;
  readonly to: number;
  readonly stepMs: number;
  readonly valueText: (value: number) => string;
  /** Of the axis, at least. */
  readonly least: number;
}) {
  const { title, summary, lines, points, from, to, stepMs, valueText, least } = options;
  const highest = Math.max(least, ...points.flatMap(({ values }) => values.map((one) => one ?? 0)));
  const most = niceCeiling(highest);
  const levels = [0, most / 2, most];
  const percent = (at: number) => `${((100 * (at - from)) / (to - from)).toFixed(2)}%`;
  const x = (at: number) => (across * (at + stepMs / 2 - from)) / (to - from);
  const y = (value: number) => height - (height * value) / most;
  return (
    <figure class="figure">
      <figcaption>
        <span class="strong">{title}</span> <Legend lines={lines} />
      </figcaption>
      <svg
        class="chart time"
        width="100%"
        height={top + height + bottom}
        role="img"
        aria-label={summary}
      >
        {levels.map((value) => (
          <line class="grid" x1="0" x2="100%" y1={top + y(value)} y2={top + y(value)} />
        ))}
        {timeTicks(from, to).map((at) => (
          <text
            class="tick"
            x={percent(at)}
            y={top + height + 16}
            text-anchor={anchorAt(at, from, to)}
          >
            {timeText(at, to - from)}
          </text>
        ))}
        <svg
          aria-hidden="true"
          x="0"
          y={top}
          width="100%"
          height={height}
          viewBox={`0 0 ${across} ${height}`}
          preserveAspectRatio="none"
        >
          {lines.map((_, line) => {
            const values = points.map(({ at, values: all }) => [x(at), all[line] ?? null] as const);
            return (
              <>
                {line === 0 && <path class="area" d={areaOf(values, y)} />}
                <path
                  class={`line line-${line}`}
                  d={lineOf(values, y)}
                  vector-effect="non-scaling-stroke"
                />
              </>
            );
          })}
        </svg>
        {levels.map((value) => (
          <text class="tick level" x="0" y={top + y(value) - 4}>
            {valueText(value)}
          </text>
        ))}
        {points.map(({ at, text }) =>
          hoverOf({ x: percent(at), width: percent(from + stepMs), text }),
        )}
      </svg>
    </figure>
  );
}

/** A step, where somebody points at it. As text: there are hundreds of them on a page. */
function hoverOf({ x, width, text }: { x: string; width: string; text: string }) {
  return html`<rect class="hover" x="${x}" y="${top}" width="${width}" height="${height}"><title>${text}</title></rect>`;
}

function Legend({ lines }: { readonly lines: readonly string[] }) {
  if (lines.length < 2) return null;
  return (
    <span class="legend">
      {lines.map((name, line) => (
        <span class={`key key-${line}`}>{name}</span>
      ))}
    </span>
  );
}

function anchorAt(at: number, from: number, to: number): "start" | "middle" | "end" {
  const place = (at - from) / (to - from);
  if (place < 0.03) return "start";
  return place > 0.97 ? "end" : "middle";
}

type Values = readonly (readonly [x: number, value: number | null])[];

/** Parts of a line without a gap. */
function runsOf(values: Values): [number, number][][] {
  const runs: [number, number][][] = [[]];
  for (const [x, value] of values) {
    if (value === null) runs.push([]);
    else runs.at(-1)?.push([x, value]);
  }
  return runs.filter((run) => run.length > 0);
}

/** A point without neighbours is a dot. */
function lineOf(values: Values, y: (value: number) => number): string {
  let line = "";
  let length = 0;
  const end = () => {
    if (length === 1) line += "h0";
    length = 0;
  };
  for (const [x, value] of values) {
    if (value === null) end();
    else line += `${length++ === 0 ? "M" : "L"}${decimal(x)} ${decimal(y(value))}`;
  }
  end();
  return line;
}

function areaOf(values: Values, y: (value: number) => number): string {
  return runsOf(values)
    .filter((run) => run.length > 1)
    .map((run) => {
      const [first, last] = [run[0]?.[0] ?? 0, run.at(-1)?.[0] ?? 0];
      return `M${decimal(first)} ${height}${lineOf(run, y).replace("M", "L")}L${decimal(last)} ${height}Z`;
    })
    .join("");
}

const spark = { width: 96, tall: 20, size: html`width="96" height="20" viewBox="0 0 96 20"` };

/** A line without words beside what it is about: `values` are from 0 to 1, in equal steps. */
export function Sparkline(options: {
  readonly values: readonly (number | null)[];
  readonly label: string;
}) {
  const { values, label } = options;
  const { width, tall } = spark;
  const most = Math.max(0.05, ...values.map((value) => value ?? 0));
  const step = width / Math.max(1, values.length);
  const y = (value: number) => tall - 2 - ((tall - 4) * value) / most;
  const line = lineOf(
    values.map((value, i) => [(i + 0.5) * step, value] as const),
    y,
  );
  return html`<svg class="chart spark" ${spark.size} role="img" aria-label="${label}"><path class="line line-0" d="${line}"></path></svg>`;
}
