import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { isRead } from "../../src/handlers/ingest/attributes.ts";

const url = new URL("../../deploy/collector/config.yaml", import.meta.url);
const config = parse(readFileSync(url, "utf8"));

test("every part of a pipeline of the Collector is declared, and every declared part is used", () => {
  for (const kind of ["receivers", "processors", "exporters"]) {
    const pipelines = Object.values<Record<string, string[]>>(config.service.pipelines);
    const used = new Set(pipelines.flatMap((pipeline) => pipeline[kind] ?? []));
    expect([...used].sort()).toEqual(Object.keys(config[kind]).sort());
  }
  expect(config.service.extensions.toSorted()).toEqual(Object.keys(config.extensions).sort());
});

test("what it sends waits on disk while the bus is away, and is tried for ever", () => {
  const exporter = config.exporters["otlphttp/experience-bus"];
  expect(config.extensions).toHaveProperty(exporter.sending_queue.storage);
  expect(exporter.retry_on_failure).toEqual({ enabled: true, max_elapsed_time: "0s" });
});

test("it takes gRPC, which the bus does not", () => {
  expect(config.receivers.otlp.protocols.grpc.endpoint).toContain("4317");
});

test("it removes content alone: nothing that the bus reads", () => {
  const removed: { key: string; action: string }[] =
    config.processors["attributes/no-content"].actions;
  expect(removed.length).toBeGreaterThan(5);
  expect(removed.filter(({ key }) => isRead(key))).toEqual([]);
  expect(new Set(removed.map(({ action }) => action))).toEqual(new Set(["delete"]));
});
