import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { renderWith } from "./component.ts";
import { kustomize, ofKind } from "./kustomize.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

describe.skipIf(kustomize === null)("monitoring by the Prometheus operator", () => {
  it("alerts by the rules of deploy/prometheus", () => {
    const { groups } = parse(readFileSync(`${root}deploy/prometheus/rules.yaml`, "utf8"));
    const [rule] = ofKind(renderWith("prometheus-rule"), "PrometheusRule");
    expect(groups.length).toBeGreaterThan(0);
    expect(rule?.["spec"].groups).toEqual(groups);
  });

  it("scrapes the metrics of the Service, from where the NetworkPolicy lets it", () => {
    const resources = renderWith("service-monitor");
    const [monitor] = ofKind(resources, "ServiceMonitor");
    const [service] = ofKind(resources, "Service");
    expect(service?.metadata.labels).toMatchObject(monitor?.["spec"].selector.matchLabels);
    const [endpoint] = monitor?.["spec"].endpoints ?? [];
    expect(endpoint).toMatchObject({ port: service?.["spec"].ports[0].name, path: "/metrics" });
    expect(readFileSync(`${root}src/http/probes.ts`, "utf8")).toContain(
      `on("GET", "${endpoint.path}"`,
    );
  });
});

it("the PrometheusRule is what `npm run deploy:rules` would write", () => {
  const script = [`${root}node_modules/tsx/dist/cli.mjs`, `${root}scripts/prometheus-rule.ts`];
  const { status, stderr } = spawnSync(process.execPath, [...script, "--check"], {
    encoding: "utf8",
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});
