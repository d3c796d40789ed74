import { describe, expect, it } from "vitest";
import { metricsOf } from "../../src/handlers/derived.ts";
import type { WantedStream } from "../../src/nats/desired-state.ts";
import { readSettings } from "../../src/settings/index.ts";
import { bucketStream } from "../../src/subjects.ts";
import { wantedBy } from "../rig/desired.ts";
import { renderWith } from "./component.ts";
import { kustomize, ofKind, type Resource, render } from "./kustomize.ts";

const wanted = wantedBy(
  readSettings({ NATS_URL: "nats://n", LEARNER_DATABASE_URL: "postgres://a:b@c:5432/d" }),
);
const { stream, config } = wanted.durables.experience;

/** Go's notation of durations, in which NACK's resources are written. */
function nanosOf(text: string | undefined): number | undefined {
  const units = { s: 1e9, m: 60e9, h: 3_600e9 };
  const [, count, unit] = /^(\d+)([smh])$/.exec(text ?? "") ?? [];
  return unit === undefined ? undefined : Number(count) * units[unit as keyof typeof units];
}

/** Without the fields that are not there. */
const present = (fields: object) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** What NACK makes of its resources, as it maps their fields (v1beta2); a field unknown to this is refused. */
const configOf = {
  Stream: ({
    preventDelete,
    replicas,
    maxAge,
    maxBytes,
    duplicateWindow,
    allowDirect,
    ...same
  }: Resource) =>
    present({
      ...same,
      num_replicas: replicas,
      max_age: nanosOf(maxAge),
      max_bytes: maxBytes,
      duplicate_window: nanosOf(duplicateWindow),
      allow_direct: allowDirect,
    }),
  Consumer: ({
    preventDelete,
    streamName,
    durableName,
    filterSubject,
    deliverPolicy,
    ackPolicy,
    ackWait,
    maxDeliver,
    maxAckPending,
    ...same
  }: Resource) => ({
    ...same,
    durable_name: durableName,
    filter_subject: filterSubject,
    deliver_policy: deliverPolicy,
    ack_policy: ackPolicy,
    ack_wait: nanosOf(ackWait),
    max_deliver: maxDeliver,
    max_ack_pending: maxAckPending,
  }),
  // As nats.go makes a bucket (ADR-8).
  KeyValue: ({ preventDelete, bucket, history, ttl, replicas, ...same }: Resource) => ({
    ...same,
    name: bucketStream(bucket),
    subjects: [`$KV.${bucket}.>`],
    retention: "limits",
    num_replicas: replicas,
    max_msgs_per_subject: history,
    max_age: nanosOf(ttl),
    duplicate_window: Math.min(nanosOf(ttl) ?? 0, 120e9),
    discard: "new",
    allow_rollup_hdrs: true,
    deny_delete: true,
    allow_direct: true,
  }),
};

describe.skipIf(kustomize === null)("components/nack", () => {
  const resources = renderWith("nack");
  const made = (kind: keyof typeof configOf) =>
    ofKind(resources, kind).map(({ spec }) => configOf[kind](spec));
  const byName = (list: readonly WantedStream[]) =>
    Object.fromEntries(list.map((one) => [one.name, one]));
  const named = (list: readonly object[]) => byName(list as WantedStream[]);

  it("keeps exactly the streams that the service would make", () => {
    const { experience, signals, feedback, runs, changes, lessons, exposures, deadLetters } =
      wanted;
    const streams = [experience, signals, feedback, runs, changes, lessons, exposures, deadLetters];
    expect(named(made("Stream"))).toEqual(byName(streams));
  });

  it("keeps exactly the buckets that the service would make", () => {
    const { evidence, attempts, featureAttempts, runAttempts } = wanted;
    const { reviewAttempts, windowAttempts, changeAttempts, exposureAttempts, outcomeAttempts } =
      wanted;
    const { countAttempts } = wanted;
    const buckets = [
      evidence,
      attempts,
      featureAttempts,
      runAttempts,
      reviewAttempts,
      windowAttempts,
      changeAttempts,
      exposureAttempts,
      outcomeAttempts,
      countAttempts,
    ];
    expect(named(made("KeyValue"))).toEqual(byName(buckets));
  });

  it("keeps exactly the durables that the service would make, but those that replicas make anew", () => {
    const kept = Object.values(wanted.durables).filter(({ inOrder }) => !inOrder);
    expect(Object.values(wanted.durables).length - kept.length).toBe(4);
    const places = ofKind(resources, "Consumer").map(({ spec }) => spec.streamName);
    const configs = made("Consumer").map((config, i) => [places[i], config]);
    expect(configs.length).toBe(kept.length);
    expect(configs).toEqual(
      expect.arrayContaining(kept.map((one) => [one.stream.name, one.config])),
    );
  });

  it("deletes nothing from JetStream when a resource is deleted", () => {
    const all = resources.filter(({ apiVersion }) => apiVersion === "jetstream.nats.io/v1beta2");
    expect(all.length).toBe(24);
    for (const { spec } of all) expect(spec.preventDelete).toBe(true);
  });
});

describe.skipIf(kustomize === null)("KEDA", () => {
  const scaled = (component: string) => ofKind(renderWith(component), "ScaledObject")[0]?.["spec"];

  it("looks at the durable of the extractor", () => {
    expect(scaled("keda").triggers).toMatchObject([
      {
        type: "nats-jetstream",
        metadata: { account: "$G", stream: stream.name, consumer: config.durable_name },
      },
    ]);
  });

  it("looks at a metric that replicas report, by its labels", async () => {
    const [trigger] = scaled("keda-prometheus").triggers;
    const metrics = metricsOf();
    metrics.pending.set({ stream: stream.name, consumer: config.durable_name }, 1);
    const series = `js_consumer_pending{stream="${stream.name}",consumer="${config.durable_name}"}`;
    expect(await metrics.registry.metrics()).toContain(`${series} 1`);
    expect(trigger).toMatchObject({ type: "prometheus", metadata: { query: `max(${series})` } });
    // Else no series would count as no lag.
    expect(trigger.metadata.ignoreNullValues).toBe("false");
  });

  it.each(["keda", "keda-prometheus"])(
    "%s does not rush to the maximum when the consumer is missing",
    (component) => {
      const { minReplicaCount, maxReplicaCount, fallback, advanced, triggers } = scaled(component);
      expect(minReplicaCount).toBe(2);
      expect(maxReplicaCount).toBeLessThanOrEqual(8);
      expect(fallback).toEqual({
        failureThreshold: 3,
        replicas: minReplicaCount,
        behavior: "currentReplicasIfHigher",
      });
      const { behavior } = advanced.horizontalPodAutoscalerConfig;
      expect(behavior.scaleUp.policies).toEqual([{ type: "Pods", value: 2, periodSeconds: 60 }]);
      // A fallback is for triggers of this type only.
      expect(triggers[0].metricType ?? "AverageValue").toBe("AverageValue");
    },
  );

  it("waits with a threshold that replicas in quiet times do not reach", () => {
    const inHand =
      3 *
      readSettings({ NATS_URL: "nats://n", LEARNER_DATABASE_URL: "postgres://a:b@c:5432/d" })
        .fetchBatch;
    expect(Number(scaled("keda").triggers[0].metadata.lagThreshold)).toBeGreaterThan(inHand);
  });

  it("has the number of replicas to itself, also over an overlay that sets it", () => {
    const [deployment] = ofKind(renderWith("keda", "overlays/production"), "Deployment");
    expect(deployment?.["spec"].replicas).toBeUndefined();
  });

  it("scales the extractor of overlays/by-concern, under its name there", () => {
    const resources = render("overlays/by-concern");
    const [one] = ofKind(resources, "ScaledObject");
    expect(one?.["spec"].scaleTargetRef.name).toBe("experience-bus-extractor");
    const names = ofKind(resources, "Deployment").map(({ metadata }) => metadata.name);
    expect(names).toContain("experience-bus-extractor");
  });
});
