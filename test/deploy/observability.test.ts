import { readFileSync } from "node:fs";
import { getTableName, is } from "drizzle-orm";
import { PgTable } from "drizzle-orm/pg-core";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { metricsOf } from "../../src/handlers/derived.ts";
import * as schema from "../../src/schema/tables.ts";
import { readSettings } from "../../src/settings/index.ts";
import { readExpression } from "./promql.ts";

const file = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
}

const dashboard = JSON.parse(file("deploy/grafana/dashboard.json"));
const allPanels: Panel[] = dashboard.panels;
const panels = allPanels.filter(({ type }) => type !== "row");
const rules: Rule[] = parse(file("deploy/prometheus/rules.yaml")).groups.flatMap(
  (group: { rules: Rule[] }) => group.rules,
);
const runbook = file("docs/runbook.md");

/** What Prometheus or the ServiceMonitor puts on every sample. */
const targetLabels = ["job", "instance", "namespace"];

/** Every sample of `/metrics` by its name, with its labels. */
const samples = new Map<string, readonly string[]>();
const ours: string[] = [];
for (const metric of metricsOf().registry.getMetricsAsArray()) {
  const { name, type, labelNames } = metric as typeof metric & { labelNames: readonly string[] };
  const isHistogram = String(type) === "histogram";
  if (!isHistogram) samples.set(name, labelNames);
  for (const suffix of isHistogram ? ["_bucket", "_sum", "_count"] : []) {
    samples.set(name + suffix, suffix === "_bucket" ? [...labelNames, "le"] : labelNames);
  }
  if (!/^(process|nodejs)_/.test(name)) ours.push(name);
}

const expressions = [
  ...rules.map(({ alert, expr }) => ({ where: `alert ${alert}`, expr, legend: "" })),
  ...panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr, legendFormat }) => ({
      where: `panel ${title}`,
      expr,
      legend: legendFormat,
    })),
  ),
];

describe("expressions of the dashboard and the alerts", () => {
  test.each(expressions)("$where: $expr", ({ expr, legend }) => {
    const { selected, grouped } = readExpression(expr);
    expect(selected.length).toBeGreaterThan(0);
    const known = new Set(targetLabels);
    for (const { metric, matched } of selected) {
      expect([...samples.keys()]).toContain(metric);
      const labels = [...targetLabels, ...(samples.get(metric) ?? [])];
      for (const label of matched) expect(labels, metric).toContain(label);
      for (const label of labels) known.add(label);
    }
    const shown = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label);
    for (const label of [...grouped, ...shown]) expect([...known]).toContain(label);
  });

  test("a counter is asked for its rate, and a fleet-wide gauge is not summed over replicas", () => {
    const fleetWide =
      /sum(?: by \([^)]*\))? \((js_consumer_\w+|dead_letters_open|runs|lessons_unpublished)\b/;
    for (const { where, expr } of expressions) {
      expect(expr, where).not.toMatch(fleetWide);
      const counters = expr.matchAll(/(\w+)\(\s*\w+_total\b|(\w+_total)\b/g);
      for (const [text, by] of counters) expect([text, by].join(), where).toMatch(/rate|increase/);
    }
  });
});

describe("the dashboard", () => {
  test("every metric of the service is on it", () => {
    const shown = panels.flatMap(({ targets = [] }) =>
      targets.flatMap(({ expr }) => readExpression(expr).selected.map(({ metric }) => metric)),
    );
    const missing = ours.filter(
      (name) => !shown.some((metric) => metric.replace(/_(bucket|count)$/, "") === name),
    );
    expect(missing).toEqual([]);
  });

  test("each panel has a description, a unit, a legend, and asks the chosen data source", () => {
    for (const { title, description, fieldConfig, targets = [], ...panel } of panels) {
      expect(description, title).toMatch(/\.$/);
      expect(fieldConfig?.defaults.unit, title).toMatch(/./);
      expect(targets.length, title).toBeGreaterThan(0);
      for (const target of [panel, ...targets]) {
        expect(target, title).toMatchObject({
          datasource: { type: "prometheus", uid: expect.stringMatching(/^\$\{datasource\}$/) },
        });
      }
      for (const { legendFormat } of targets) expect(legendFormat, title).toMatch(/./);
    }
  });

  test("ids are unique, and no panel lies over another or beside the grid", () => {
    const ids = allPanels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const taken = new Map<string, string>();
    for (const { title, gridPos } of allPanels) {
      const { x, y, w, h } = gridPos;
      expect(x + w, title).toBeLessThanOrEqual(24);
      for (let row = y; row < y + h; row++) {
        for (let column = x; column < x + w; column++) {
          const cell = `${column},${row}`;
          expect(taken.get(cell), `${title} at ${cell}`).toBeUndefined();
          taken.set(cell, title);
        }
      }
    }
  });

  test("every variable in an expression is declared, and asks for labels that are there", () => {
    const variables: { name: string; definition?: string }[] = dashboard.templating.list;
    const declared = variables.map(({ name }) => name);
    for (const { where, expr } of expressions) {
      const used = [...expr.matchAll(/\$\{?(\w+)/g)].map(([, name = ""]) => name);
      for (const name of used.filter((one) => !one.startsWith("__"))) {
        expect(declared, where).toContain(name);
      }
    }
    for (const { definition } of variables) {
      if (definition === undefined) continue;
      const [, selector = "", label] = /^label_values\((.+), (\w+)\)$/.exec(definition) ?? [];
      const { selected } = readExpression(selector);
      expect(selected.map(({ metric }) => metric)).toEqual(["experience_bus_info"]);
      expect(targetLabels).toContain(label);
    }
  });
});

describe("the alerts", () => {
  /** The sections under "Alerts", by their titles. */
  const sections = [...(runbook.split(/^## /m)[1] ?? "").matchAll(/^### (\w+)$/gm)].map(
    ([, title = ""]) => title,
  );

  test("each has a section of its own in the runbook, in the same order, and none is left over", () => {
    expect(sections).toEqual(rules.map(({ alert }) => alert));
  });

  test.each(rules)("$alert says how bad it is, what it means, and leads to its section", (rule) => {
    expect(["critical", "warning"]).toContain(rule.labels.severity);
    expect(rule.annotations).toEqual({
      summary: expect.stringMatching(/./),
      description: expect.stringMatching(/\$(labels|value)\b/),
      runbook_url: `docs/runbook.md#${rule.alert.toLowerCase()}`,
    });
  });

  test.each(rules)(
    "$alert shows only labels that its expression leaves",
    ({ expr, annotations }) => {
      const { selected, grouped } = readExpression(expr);
      const left = expr.includes(" by ")
        ? grouped
        : [...targetLabels, ...selected.flatMap(({ metric }) => samples.get(metric) ?? [])];
      for (const text of Object.values(annotations)) {
        for (const [, label] of text.matchAll(/\$labels\.(\w+)/g)) expect(left).toContain(label);
      }
    },
  );
});

test("the compose file's Prometheus scrapes the replicas' port and loads the rules", () => {
  const config = parse(file("deploy/prometheus/prometheus.yaml"));
  expect(config.rule_files).toEqual(["rules.yaml"]);
  const { httpPort } = readSettings({
    NATS_URL: "nats://nats:4222",
    LEARNER_DATABASE_URL: "postgres://u:p@db/d",
  });
  const [{ dns_sd_configs: found }] = config.scrape_configs;
  expect(found).toMatchObject([{ names: ["experience-bus"], type: "A", port: httpPort }]);
});

test("what the runbook names is there: metrics, streams and tables", () => {
  const tables = Object.values(schema).flatMap((one) =>
    is(one, PgTable) ? [getTableName(one)] : [],
  );
  for (const [, name = ""] of runbook.matchAll(/\bFROM (\w+)/g)) {
    if (!name.startsWith("pg_")) expect(tables).toContain(name);
  }
  for (const [, name = ""] of runbook.matchAll(
    /`(\w+_(?:total|seconds|pending|open|up|ready))\b/g,
  )) {
    const isThere = [...samples.keys()].some((sample) => sample.startsWith(name));
    expect(isThere, name).toBe(true);
  }
});
