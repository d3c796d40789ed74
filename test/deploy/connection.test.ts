import { describe, expect, it } from "vitest";
import { readSettings } from "../../src/settings/index.ts";
import { renderWith } from "./component.ts";
import { kustomize, ofKind, type Resource, render, workloads } from "./kustomize.ts";

interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly secretKeyRef: { readonly key: string } };
}

/** The environment of the last container, with secrets as `<key>`; files are not there to be read. */
function environmentOf(workload: Resource, resources: readonly Resource[]) {
  const container = workload["spec"].template.spec.containers.at(-1);
  const maps = ofKind(resources, "ConfigMap");
  const { name } = container.envFrom[0].configMapRef;
  const settings = maps.find(({ metadata }) => metadata.name === name)?.["data"];
  const variables = (container.env ?? []) as Variable[];
  const own = variables.map(({ name, value, valueFrom }) => [
    name,
    value ?? `<${valueFrom?.secretKeyRef.key}>`,
  ]);
  return {
    ...settings,
    ...Object.fromEntries(own),
    LEARNER_DATABASE_URL: "postgres://x",
    LESSON_COIN_KEY: "k",
  };
}

describe.skipIf(kustomize === null)("how replicas and the Job come to NATS", () => {
  it("is by user and password with the component nats-password, each with an inbox prefix of its own", () => {
    const resources = renderWith("nats-password", "overlays/production");
    const settings = workloads(resources).map((one) => readSettings(environmentOf(one, resources)));
    expect(settings.map(({ nats }) => nats)).toEqual(
      ["_INBOX_service", "_INBOX_provisioner"].map((inboxPrefix) =>
        expect.objectContaining({
          ...{ user: "<NATS_USER>", password: "<NATS_PASSWORD>", inboxPrefix },
        }),
      ),
    );
    for (const { nats } of settings) expect(nats).not.toHaveProperty("creds");
  });

  it("is by a credentials file without it", () => {
    const resources = render("overlays/production");
    const files = workloads(resources).map((one) => environmentOf(one, resources)["NATS_CREDS"]);
    expect(files).toEqual(["/etc/experience-bus/nats.creds", "/etc/experience-bus/nats.creds"]);
  });
});

describe.skipIf(kustomize === null)("by concern", () => {
  it("runs are followed where they are hosted", () => {
    const resources = render("overlays/by-concern");
    const service = ofKind(resources, "Service").find(
      ({ metadata }) => metadata.name === "experience-bus-runs",
    );
    const selected = ofKind(resources, "Deployment").filter(({ spec }) =>
      Object.entries(service?.["spec"].selector).every(
        ([label, value]) => spec.template.metadata.labels[label] === value,
      ),
    );
    expect(selected.map(({ metadata }) => metadata.name)).toEqual(["experience-bus-runs"]);
  });
});
