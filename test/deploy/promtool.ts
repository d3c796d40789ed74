import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const rulesPath = fileURLToPath(
  new URL("../../deploy/prometheus/rules.yaml", import.meta.url),
);

/** Prometheus' own checker; not every machine has it, but CI must. */
export const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;

export function promtool(...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync("promtool", args, { encoding: "utf8" });
  return { status, output: stdout + stderr };
}

/** Samples a minute apart, in promtool's notation, by series. */
export type Series = Readonly<Record<string, string>>;

/**
 * Whether, `minutes` after the first sample, exactly these alerts of that name fire, each given by the labels
 * that it has beside its name and severity. Resolves to what promtool says against it; empty: nothing.
 */
export function judgeAlert(
  alert: string,
  severity: string,
  series: Series,
  minutes: number,
  firing: readonly Readonly<Record<string, string>>[],
): string {
  const folder = mkdtempSync(join(tmpdir(), "experience-bus-rules-"));
  const samples = firing.map((labels) => {
    const all = { alertname: alert, alertstate: "firing", severity, ...labels };
    const text = Object.entries(all).map(([name, value]) => `${name}="${value}"`);
    return { labels: `ALERTS{${text.join(", ")}}`, value: 1 };
  });
  const test = {
    interval: "1m",
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    promql_expr_test: [
      {
        expr: `ALERTS{alertname="${alert}", alertstate="firing"}`,
        eval_time: `${minutes}m`,
        exp_samples: samples,
      },
    ],
  };
  try {
    const path = join(folder, "test.yaml");
    // JSON is YAML.
    writeFileSync(
      path,
      JSON.stringify({ rule_files: [rulesPath], evaluation_interval: "1m", tests: [test] }),
    );
    const { status, output } = promtool("test", "rules", path);
    return status === 0 ? "" : output;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
