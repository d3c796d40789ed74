import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { renderWith } from "./component.ts";
import { kustomize, type Resource, render, renders } from "./kustomize.ts";
import { schemaProblems, unknownFields } from "./schemas.ts";

const components = readdirSync(new URL("../../deploy/kubernetes/components", import.meta.url));
/** NACK's kinds have no package; nack.test.ts checks them field by field. */
const isModelled = ({ apiVersion }: Resource) => !apiVersion.startsWith("jetstream.nats.io/");

describe.skipIf(kustomize === null)("the manifests", () => {
  const rendered = new Map<string, Resource[]>([
    ...renders.map((path) => [path, render(path)] as const),
    ...components.map((name) => [`components/${name}`, renderWith(name)] as const),
  ]);

  it("are those of the base, three overlays and six components", () => {
    expect([...rendered.keys()].sort()).toEqual([
      "base",
      "components/keda",
      "components/keda-prometheus",
      "components/nack",
      "components/nats-password",
      "components/prometheus-rule",
      "components/service-monitor",
      "overlays/by-concern",
      "overlays/development",
      "overlays/production",
    ]);
  });

  it.each([...rendered])("%s holds to the schema of each resource", async (_, resources) => {
    const problems = await Promise.all(resources.filter(isModelled).map(schemaProblems));
    expect(problems.flat()).toEqual([]);
  });

  it("have no field that their kinds do not have", () => {
    expect(unknownFields([...rendered.values()].flat().filter(isModelled))).toEqual([]);
  });

  it("name each resource once", () => {
    for (const [path, resources] of rendered) {
      const names = resources.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
      expect(new Set(names).size, path).toBe(names.length);
    }
  });

  it("need no custom resource definition in the base", () => {
    const groups = new Set(rendered.get("base")?.map(({ apiVersion }) => apiVersion));
    expect([...groups].sort()).toEqual([
      "apps/v1",
      "batch/v1",
      "networking.k8s.io/v1",
      "policy/v1",
      "v1",
    ]);
  });

  it("would be refused with a misspelt field, or with a value of the wrong type", async () => {
    const [deployment] = (rendered.get("base") ?? []).filter(({ kind }) => kind === "Deployment");
    if (deployment === undefined) throw new Error("no Deployment");
    const misspelt = { ...deployment, spec: { ...deployment["spec"], replcias: 2 } };
    expect(unknownFields([misspelt]).join()).toContain("replcias");
    const mistyped = { ...deployment, spec: { ...deployment["spec"], replicas: "two" } };
    expect((await schemaProblems(mistyped)).join()).toContain("replicas");
    const [container, ...others] = deployment["spec"].template.spec.containers;
    const deep = structuredClone(deployment);
    deep["spec"].template.spec.containers = [{ ...container, readinesProbe: {} }, ...others];
    expect(unknownFields([deep]).join()).toContain("readinesProbe");
  });
});
