import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { concernNames } from "../../src/handlers/index.ts";
import { readSettings } from "../../src/settings/index.ts";
import { version } from "../../src/version.ts";
import { settingNames } from "../setting-names.ts";
import { renderOverlay } from "./component.ts";
import { kustomize, ofKind, type Resource, render, renders, workloads } from "./kustomize.ts";

const file = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

const containersOf = (workload: Resource): Resource[] => {
  const { initContainers = [], containers } = workload["spec"].template.spec;
  return [...initContainers, ...containers];
};

describe.skipIf(kustomize === null).each(renders)("%s", (path) => {
  const resources = render(path);
  const deployments = ofKind(resources, "Deployment");
  const jobs = ofKind(resources, "Job");
  const all = workloads(resources).flatMap(containersOf);
  const configMaps = ofKind(resources, "ConfigMap");

  it("runs this version, and says so on every resource", () => {
    for (const { image } of all) expect(image).toBe(`experience-bus:${version}`);
    const own = resources.filter(({ apiVersion }) => !/\.(com|sh)\//.test(apiVersion));
    for (const { metadata } of own) {
      expect(metadata.labels).toMatchObject({
        "app.kubernetes.io/name": "experience-bus",
        "app.kubernetes.io/part-of": "experience-bus",
        "app.kubernetes.io/version": version,
      });
    }
  });

  it("makes a new Job for each version, for the template of a Job cannot be changed", () => {
    for (const { metadata, spec } of jobs) {
      expect(metadata.name).toBe(`experience-bus-provision-${version.replaceAll(".", "-")}`);
      expect(spec.ttlSecondsAfterFinished).toBeGreaterThan(0);
      // A ConfigMap named by its content would change the template with each setting.
      for (const { envFrom } of containersOf({ spec } as unknown as Resource)) {
        expect(envFrom[0].configMapRef.name).toBe("experience-bus-provision-settings");
      }
    }
  });

  it("gives the Job the settings of the replicas", () => {
    const of = (name: string) => configMaps.find(({ metadata }) => metadata.name.startsWith(name));
    if (jobs.length === 0) return expect(of("experience-bus-provision-settings")).toBeUndefined();
    expect(of("experience-bus-provision-settings")?.["data"]).toEqual(
      of("experience-bus-settings-")?.["data"],
    );
  });

  it("migrates before it provisions", () => {
    for (const { spec } of jobs) {
      const { initContainers, containers } = spec.template.spec;
      const commands = [initContainers, containers].map((list) =>
        list.map((c: Resource) => c["command"].at(-1)),
      );
      expect(commands).toEqual([["migrate"], ["provision"]]);
    }
  });

  it("starts programs that the build makes", () => {
    for (const { command } of all) {
      expect(command[0]).toBe("node");
      const source = command[1].replace(/^dist\//, "src/").replace(/\.js$/, ".ts");
      expect(existsSync(new URL(`../../${source}`, import.meta.url)), source).toBe(true);
      if (command[2] === undefined) continue;
      expect(file(`src/cli/${command[2]}.ts`)).toContain(`.command("${command[2]}")`);
    }
  });

  it("sets nothing that the service does not read, and nothing that it refuses", () => {
    const known = settingNames();
    const names = all.flatMap(({ env = [] }) => env.map(({ name }: { name: string }) => name));
    for (const { data } of configMaps) names.push(...Object.keys(data));
    expect(names.filter((name) => !known.has(name))).toEqual([]);
    for (const { data } of configMaps) {
      const secret = {
        ...{ LEARNER_DATABASE_URL: "postgres://a:b@c:5432/d", NATS_CREDS: "" },
        LESSON_COIN_KEY: "k",
      };
      expect(() => readSettings({ ...data, ...secret })).not.toThrow();
    }
  });

  it("lets replicas only verify where a Job provisions", () => {
    const data = configMaps.find(({ metadata }) => /^experience-bus-settings-/.test(metadata.name));
    const mode = data?.["data"].EXPERIENCE_PROVISION;
    expect(mode).toBe(jobs.length > 0 ? "verify" : "apply");
  });

  it("names concerns that there are, and leaves none out", () => {
    const hosted = deployments.map((deployment) => {
      const { env } = containersOf(deployment)[0] as Resource;
      return env.find(({ name }: { name: string }) => name === "EXPERIENCE_CONCERNS")?.value;
    });
    if (hosted.every((value) => value === undefined)) return;
    expect(hosted.join(",").split(",").sort()).toEqual([...concernNames].sort());
  });
});

describe.skipIf(kustomize === null)("overlays/production", () => {
  it("keeps three copies of whatever is in JetStream", () => {
    const data = ofKind(render("overlays/production"), "ConfigMap").map((one) => one["data"]);
    expect(data.map(({ JETSTREAM_REPLICAS }) => JETSTREAM_REPLICAS)).toEqual(["3", "3"]);
  });
});

it("deploy/ has the folders that deploy/README.md tells of", () => {
  const readme = file("deploy/README.md");
  for (const kind of ["components", "overlays"]) {
    for (const name of readdirSync(new URL(`../../deploy/kubernetes/${kind}`, import.meta.url))) {
      expect(readme).toContain(`\`${name}\``);
    }
  }
});

describe.skipIf(kustomize === null)("the overlay that deploy/README.md shows", () => {
  const [, text = ""] = /```yaml\n([^`]+)```/.exec(file("deploy/README.md")) ?? [];
  const resources = renderOverlay((manifests) =>
    text.replace("path/to/deploy/kubernetes", manifests),
  );

  it("puts everything into the namespace, and the image everywhere", () => {
    expect(resources.length).toBeGreaterThan(8);
    for (const { metadata } of resources) expect(metadata.namespace).toBe("experience-bus");
    for (const { image } of workloads(resources).flatMap(containersOf)) {
      expect(image).toMatch(/^registry\.example\.com\/experience-bus.*@sha256:/);
    }
  });

  it("gives replicas and Job the same settings, the Job under the same name as ever", () => {
    const maps = ofKind(resources, "ConfigMap");
    expect(maps.map(({ data }) => data.NATS_URL)).toEqual(
      Array(2).fill("nats://nats.example.com:4222"),
    );
    expect(maps[0]?.["data"]).toEqual(maps[1]?.["data"]);
    expect(maps.map(({ metadata }) => metadata.name)).toContain(
      "experience-bus-provision-settings",
    );
  });
});
