import { html } from "hono/html";
import type { SeriesReply } from "../../handlers/console/wire.ts";
import { msText, percentText } from "../charts/scale.ts";
import { TimeChart } from "../charts/time-chart.tsx";
import { Table } from "../parts/list.tsx";

type Point = SeriesReply["points"][number];

/** Failure rate and latency over time, and the same as a table. */
export function FleetSeries({ series }: { readonly series: SeriesReply }) {
  const { points, total, step_seconds: seconds } = series;
  const axis = {
    ...{ from: Date.parse(series.since), to: Date.parse(series.until), stepMs: seconds * 1_000 },
  };
  const at = ({ at: start }: Point) => Date.parse(start);
  const rate = total.failure_rate === null ? "nothing happened" : percentText(total.failure_rate);
  return (
    <section aria-label="Over time">
      <div class="figures">
        <TimeChart
          {...axis}
          title="Failure rate"
          summary={`Failure rate over time; of all that time: ${rate}`}
          lines={["failed"]}
          points={points.map((point) => ({
            ...{ at: at(point), values: [point.failure_rate], text: rateText(point) },
          }))}
          valueText={percentText}
          least={0.05}
        />
        <TimeChart
          {...axis}
          title="Latency"
          summary={`Latency over time; of all that time, 95 of 100 calls took at most ${msOf(total.p95_ms)}`}
          lines={["95 % within", "half within"]}
          points={points.map((point) => ({
            ...{ at: at(point), values: [point.p95_ms, point.p50_ms], text: latencyText(point) },
          }))}
          valueText={msText}
          least={100}
        />
      </div>
      <SeriesTable points={points} />
    </section>
  );
}

const msOf = (ms: number | null) => (ms === null ? "–" : msText(ms));
const when = (at: string) => `${at.slice(0, 16).replace("T", " ")} UTC`;

function rateText({ at, failure_rate: rate, ok, error, silent }: Point): string {
  if (rate === null) return `${when(at)}: nothing happened`;
  return `${when(at)}: ${percentText(rate)}, ${error} of ${ok + error + silent}`;
}

function latencyText({ at, p50_ms: half, p95_ms: most }: Point): string {
  if (most === null) return `${when(at)}: nothing was timed`;
  return `${when(at)}: half within ${msOf(half)}, 95 % within ${msOf(most)}`;
}

function SeriesTable({ points }: { readonly points: readonly Point[] }) {
  const filled = points.filter(
    ({ ok, error, silent, cancelled }) => ok + error + silent + cancelled,
  );
  return (
    <details class="details" id="series">
      <summary>As a table</summary>
      <Table
        caption="Step by step"
        head={[
          { title: "From" },
          ...[
            "Worked",
            "Failed",
            "Silent",
            "Cancelled",
            "Failure rate",
            "Half within",
            "95 % within",
          ].map((title) => ({ ...{ title, kind: "number" as const } })),
        ]}
      >
        {filled.toReversed().map(seriesRow)}
      </Table>
    </details>
  );
}

/** As text: there are many. */
function seriesRow({ at, ok, error, silent, cancelled, failure_rate: rate, ...point }: Point) {
  const share = rate === null ? "–" : percentText(rate);
  const times = [msOf(point.p50_ms), msOf(point.p95_ms)];
  const cells = [ok, error, silent, cancelled, share, ...times].map(
    (value) => html`<td class="number">${value}</td>`,
  );
  return html`<tr><th scope="row">${when(at)}</th>${cells}</tr>`;
}
