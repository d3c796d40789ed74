import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { kustomize, ofKind, type Resource, render, renders } from "./kustomize.ts";

const file = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const number = (source: string, pattern: RegExp) =>
  Number(pattern.exec(file(source))?.[1]?.replaceAll("_", ""));

/** What the service itself says about the figures that manifests repeat. */
const service = {
  port: number("src/settings/base.ts", /"HTTP_PORT", ([\d_]+)/),
  stopMs: number("src/serve.ts", /stopLimitMs = ([\d_]+)/),
  probeMs: number("src/handlers/health/index.ts", /probeMs = ([\d_]+)/),
  paths: [...file("src/http/probes.ts").matchAll(/on\("GET", "(\/[^"]+)"/g)].map(
    ([, path]) => path,
  ),
};

it("the service says what the manifests are compared with", () => {
  expect(service).toMatchObject({ port: 9_109, stopMs: 9_500, probeMs: 1_500 });
  expect(service.paths).toContain("/readyz");
});

describe.skipIf(kustomize === null).each(renders)("%s", (path) => {
  const resources = render(path);
  const deployments = ofKind(resources, "Deployment");
  const jobs = ofKind(resources, "Job");

  it.each(deployments)(
    "$metadata.name probes what the service answers, longer than it takes",
    (deployment) => {
      const [container] = deployment["spec"].template.spec.containers;
      expect(container?.["ports"]).toEqual([{ name: "http", containerPort: service.port }]);
      const { startupProbe, livenessProbe, readinessProbe } = container as Resource;
      expect(startupProbe.httpGet.path).toBe("/livez");
      expect(livenessProbe.httpGet.path).toBe("/livez");
      expect(readinessProbe.httpGet.path).toBe("/readyz");
      for (const { httpGet, timeoutSeconds } of [startupProbe, livenessProbe, readinessProbe]) {
        expect(service.paths).toContain(httpGet.path);
        expect(httpGet.port).toBe("http");
        expect(timeoutSeconds * 1_000).toBeGreaterThan(service.probeMs);
      }
    },
  );

  it.each(deployments)("$metadata.name gives a stop longer than it may take", ({ spec }) => {
    const { terminationGracePeriodSeconds, containers } = spec.template.spec;
    const beforeMs = containers[0].lifecycle.preStop.sleep.seconds * 1_000;
    expect(terminationGracePeriodSeconds * 1_000).toBeGreaterThan(beforeMs + service.stopMs);
    expect(terminationGracePeriodSeconds).toBeGreaterThan(10);
  });

  it.each(deployments)(
    "$metadata.name rolls over without a replica less, and spreads its own",
    ({ spec }) => {
      expect(spec.strategy).toEqual({
        type: "RollingUpdate",
        rollingUpdate: { maxUnavailable: 0, maxSurge: 1 },
      });
      const { labels } = spec.template.metadata;
      expect(labels).toMatchObject(spec.selector.matchLabels);
      const { topologySpreadConstraints } = spec.template.spec;
      expect(topologySpreadConstraints.map((one: Resource) => one["topologyKey"])).toEqual([
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
      ]);
      for (const { labelSelector } of topologySpreadConstraints) {
        expect(labelSelector.matchLabels).toEqual(spec.selector.matchLabels);
      }
    },
  );

  it("has a disruption budget for each Deployment, and no Deployment takes another's pods", () => {
    const selectors = deployments.map(({ spec }) => JSON.stringify(spec.selector));
    expect(new Set(selectors).size).toBe(selectors.length);
    const budgets = ofKind(resources, "PodDisruptionBudget");
    expect(budgets.map(({ spec }) => JSON.stringify(spec.selector)).sort()).toEqual(
      selectors.sort(),
    );
    for (const { spec } of budgets) expect(spec.maxUnavailable).toBe(1);
  });

  it("has two replicas or more of everything, but in development", () => {
    const scaled = ofKind(resources, "ScaledObject").map(({ spec }) => spec);
    for (const { metadata, spec } of deployments) {
      const target = scaled.find(({ scaleTargetRef }) => scaleTargetRef.name === metadata.name);
      // Two must not set it: each apply would undo what KEDA has decided.
      if (target !== undefined) expect(spec.replicas).toBeUndefined();
      const least = target?.minReplicaCount ?? spec.replicas;
      if (path.endsWith("development")) expect(least).toBe(1);
      else expect(least).toBeGreaterThanOrEqual(path.endsWith("production") ? 3 : 2);
    }
  });

  it("scales by what replicas report: KEDA's own scaler finds no consumer on nats-server 2.12.7 and later", () => {
    const triggers = ofKind(resources, "ScaledObject").flatMap(({ spec }) => spec.triggers);
    for (const { type, metadata } of triggers) {
      expect(type).toBe("prometheus");
      expect(metadata.query).toContain('consumer="experience-learner-v1"');
    }
  });

  it("leads the Service to all replicas, and to no Job", () => {
    const [one] = ofKind(resources, "Service");
    expect(one?.["spec"].ports).toEqual([{ name: "http", port: service.port, targetPort: "http" }]);
    const selector = one?.["spec"].selector;
    for (const { spec } of deployments)
      expect(spec.template.metadata.labels).toMatchObject(selector);
    for (const { spec } of jobs) expect(spec.template.metadata.labels).not.toMatchObject(selector);
  });

  it("lets every pod reach DNS, NATS and PostgreSQL only, and be reached for HTTP only", () => {
    const [policy] = ofKind(resources, "NetworkPolicy");
    const { podSelector, policyTypes, ingress, egress } = policy?.["spec"] ?? {};
    expect(policyTypes).toEqual(["Ingress", "Egress"]);
    for (const { spec } of [...deployments, ...jobs]) {
      expect(spec.template.metadata.labels).toMatchObject(podSelector.matchLabels);
    }
    const ports = (rules: Resource[]) =>
      rules.flatMap((rule) => rule["ports"].map((one: Resource) => one["port"]));
    expect(ports(ingress)).toEqual([service.port]);
    expect(ports(egress)).toEqual([53, 53, 4_222, 5_432]);
    for (const rule of ingress) expect(rule.from.length).toBeGreaterThan(0);
  });
});
