import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { hasPromtool, judgeAlert, promtool, rulesPath, type Series } from "./promtool.ts";

const at = 'job="experience-bus",instance="a"';
const also = 'job="experience-bus",instance="b"';
const runs = 'stream="RUNS",consumer="run-recorder-v1"';
const ofRuns = { stream: "RUNS", consumer: "run-recorder-v1" };

interface Case {
  readonly alert: string;
  readonly when: string;
  readonly series: Series;
  readonly minutes: number;
  /** The labels of each alert that fires. */
  readonly fires: readonly Readonly<Record<string, string>>[];
}

const cases: readonly Case[] = [
  {
    alert: "ExperienceBusDown",
    when: "no replica is ready",
    series: {
      [`experience_bus_ready{${at}}`]: "1 0x10",
      [`experience_bus_ready{${also}}`]: "0x11",
    },
    minutes: 4,
    fires: [{}],
  },
  {
    alert: "ExperienceBusDown",
    when: "no replica is scraped",
    series: { [`experience_bus_ready{${at}}`]: "1 stale" },
    minutes: 4,
    fires: [{}],
  },
  {
    alert: "ExperienceBusDown",
    when: "one of two replicas is ready",
    series: { [`experience_bus_ready{${at}}`]: "1x10", [`experience_bus_ready{${also}}`]: "0x10" },
    minutes: 10,
    fires: [],
  },
  {
    alert: "ExperienceBusDown",
    when: "in one of two namespaces no replica is ready",
    series: {
      'experience_bus_ready{namespace="one"}': "1x10",
      'experience_bus_ready{namespace="two"}': "0x10",
    },
    minutes: 4,
    fires: [{ namespace: "two" }],
  },
  {
    alert: "ExperienceBusReplicaNotReady",
    when: "one of two replicas is not ready for a quarter of an hour",
    series: { [`experience_bus_ready{${at}}`]: "0x20", [`experience_bus_ready{${also}}`]: "1x20" },
    minutes: 15,
    fires: [{ job: "experience-bus", instance: "a" }],
  },
  {
    alert: "ExperienceBusReplicaNotReady",
    when: "a replica starts within minutes",
    series: { [`experience_bus_ready{${at}}`]: "0x5 1x20" },
    minutes: 15,
    fires: [],
  },
  {
    alert: "ExperienceBusNotConsuming",
    when: "messages wait and none is acked",
    series: {
      [`js_consumer_pending{${at},${runs}}`]: "5x30",
      [`js_consumer_ack_pending{${at},${runs}}`]: "0x30",
      [`js_messages_acked_total{${at},stream="RUNS"}`]: "7x30",
      [`js_messages_dead_lettered_total{${at},stream="RUNS"}`]: "0x30",
    },
    minutes: 20,
    fires: [ofRuns],
  },
  {
    alert: "ExperienceBusNotConsuming",
    when: "replicas have messages in hand and ack none",
    series: {
      [`js_consumer_pending{${at},${runs}}`]: "0x30",
      [`js_consumer_ack_pending{${at},${runs}}`]: "3x30",
      [`js_messages_acked_total{${at},stream="RUNS"}`]: "7x30",
      [`js_messages_dead_lettered_total{${at},stream="RUNS"}`]: "0x30",
    },
    minutes: 20,
    fires: [ofRuns],
  },
  {
    alert: "ExperienceBusNotConsuming",
    when: "another replica than the one with the figures acks",
    series: {
      [`js_consumer_pending{${at},${runs}}`]: "5x30",
      [`js_consumer_ack_pending{${at},${runs}}`]: "0x30",
      [`js_messages_acked_total{${also},stream="RUNS"}`]: "0+7x30",
      [`js_messages_dead_lettered_total{${also},stream="RUNS"}`]: "0x30",
    },
    minutes: 20,
    fires: [],
  },
  {
    alert: "ExperienceBusNotConsuming",
    when: "what waits is given up as dead letters",
    series: {
      [`js_consumer_pending{${at},${runs}}`]: "5x30",
      [`js_consumer_ack_pending{${at},${runs}}`]: "0x30",
      [`js_messages_acked_total{${at},stream="RUNS"}`]: "7x30",
      [`js_messages_dead_lettered_total{${at},stream="RUNS"}`]: "0+1x30",
    },
    minutes: 20,
    fires: [],
  },
  {
    alert: "ExperienceBusNotConsuming",
    when: "nothing waits and nothing is acked",
    series: {
      [`js_consumer_pending{${at},${runs}}`]: "0x30",
      [`js_consumer_ack_pending{${at},${runs}}`]: "0x30",
      [`js_messages_acked_total{${at},stream="RUNS"}`]: "7x30",
      [`js_messages_dead_lettered_total{${at},stream="RUNS"}`]: "0x30",
    },
    minutes: 20,
    fires: [],
  },
  {
    alert: "ExperienceBusNotConsuming",
    when: "the replicas that hosted the consumer are gone",
    series: {
      [`js_consumer_pending{${at},${runs}}`]: "0x60 stale",
      [`js_consumer_pending{${also},stream="EXPERIENCE",consumer="c"}`]: "0x200",
    },
    minutes: 80,
    fires: [ofRuns],
  },
  {
    alert: "ExperienceBusLagHigh",
    when: "a long lag does not become shorter",
    series: { [`js_consumer_pending{${at},${runs}}`]: "20000+10x60" },
    minutes: 40,
    fires: [ofRuns],
  },
  {
    alert: "ExperienceBusLagHigh",
    when: "a long lag becomes shorter",
    series: { [`js_consumer_pending{${at},${runs}}`]: "90000-100x60" },
    minutes: 40,
    fires: [],
  },
  {
    alert: "ExperienceBusLagHigh",
    when: "a short lag grows",
    series: { [`js_consumer_pending{${at},${runs}}`]: "0+10x60" },
    minutes: 40,
    fires: [],
  },
  {
    alert: "ExperienceBusDeadLetters",
    when: "a message has become a dead letter",
    series: { [`js_messages_dead_lettered_total{${at},stream="SIGNALS"}`]: "0x5 1x30" },
    minutes: 10,
    fires: [{ stream: "SIGNALS" }],
  },
  {
    alert: "ExperienceBusDeadLetters",
    when: "the last one is an hour ago",
    series: { [`js_messages_dead_lettered_total{${at},stream="SIGNALS"}`]: "0x5 1x90" },
    minutes: 70,
    fires: [],
  },
  {
    alert: "ExperienceBusRedeliveryHigh",
    when: "every tenth message comes again",
    series: {
      [`js_messages_redelivered_total{${at},stream="SIGNALS"}`]: "0+10x60",
      [`js_messages_acked_total{${at},stream="SIGNALS"}`]: "0+100x60",
    },
    minutes: 40,
    fires: [{ stream: "SIGNALS" }],
  },
  {
    alert: "ExperienceBusRedeliveryHigh",
    when: "a killed replica's batch comes again once",
    series: {
      [`js_messages_redelivered_total{${at},stream="SIGNALS"}`]: "0x20 256x60",
      [`js_messages_acked_total{${at},stream="SIGNALS"}`]: "0+100x60",
    },
    minutes: 40,
    fires: [],
  },
  {
    alert: "ExperienceBusLessonDelayHigh",
    when: "one lesson of twenty takes half a minute",
    series: {
      [`lesson_delay_seconds_bucket{${at},le="1"}`]: "0+19x60",
      [`lesson_delay_seconds_bucket{${at},le="30"}`]: "0+20x60",
      [`lesson_delay_seconds_bucket{${at},le="+Inf"}`]: "0+20x60",
    },
    minutes: 40,
    fires: [{}],
  },
  {
    alert: "ExperienceBusLessonDelayHigh",
    when: "lessons are stored within a second",
    series: {
      [`lesson_delay_seconds_bucket{${at},le="1"}`]: "0+20x60",
      [`lesson_delay_seconds_bucket{${at},le="30"}`]: "0+20x60",
      [`lesson_delay_seconds_bucket{${at},le="+Inf"}`]: "0+20x60",
    },
    minutes: 40,
    fires: [],
  },
  {
    alert: "ExperienceBusLessonDelayHigh",
    when: "nothing is learned",
    series: {
      [`lesson_delay_seconds_bucket{${at},le="1"}`]: "9x60",
      [`lesson_delay_seconds_bucket{${at},le="+Inf"}`]: "10x60",
    },
    minutes: 40,
    fires: [],
  },
  {
    alert: "ExperienceBusLessonsUnpublished",
    when: "a lesson waits, and a replica that learns none says 0",
    series: { [`lessons_unpublished{${at}}`]: "0 2x60", [`lessons_unpublished{${also}}`]: "0x60" },
    minutes: 40,
    fires: [{}],
  },
  {
    alert: "ExperienceBusLessonsUnpublished",
    when: "the outbox is empty now and then",
    series: { [`lessons_unpublished{${at}}`]: "3 3 3 3 0 3 3 3 3 3 3 3 3 3 3 0 3x12 0 3x20" },
    minutes: 40,
    fires: [],
  },
  {
    alert: "ExperienceBusPostgresErrors",
    when: "PostgreSQL is away",
    series: { [`postgres_errors_total{${at},code="unavailable"}`]: "0+30x30" },
    minutes: 20,
    fires: [{ code: "unavailable" }],
  },
  {
    alert: "ExperienceBusPostgresErrors",
    when: "PostgreSQL refuses data, or fails once",
    series: {
      [`postgres_errors_total{${at},code="bad_request"}`]: "0+30x30",
      [`postgres_errors_total{${at},code="unavailable"}`]: "0x10 3x30",
    },
    minutes: 20,
    fires: [],
  },
  {
    alert: "ExperienceBusRestarting",
    when: "a replica starts three times more",
    series: {
      [`process_start_time_seconds{${at}}`]: "1x5 2x5 3x5 4x20",
      [`experience_bus_info{${at},version="1"}`]: "1x60",
    },
    minutes: 20,
    fires: [{ job: "experience-bus", instance: "a" }],
  },
  {
    alert: "ExperienceBusRestarting",
    when: "a replica is upgraded, and another program restarts",
    series: {
      [`process_start_time_seconds{${at}}`]: "1x5 2x30",
      [`experience_bus_info{${at},version="1"}`]: "1x60",
      'process_start_time_seconds{job="other",instance="c"}': "1x5 2x5 3x5 4x20",
    },
    minutes: 20,
    fires: [],
  },
  {
    alert: "ExperienceBusMissionsNotRun",
    when: "a mission that may run waits for twenty minutes",
    series: { [`mission_oldest_due_seconds{${at}}`]: "0+60x40" },
    minutes: 35,
    fires: [{}],
  },
  {
    alert: "ExperienceBusMissionsNotRun",
    when: "missions wait for a tick",
    series: { [`mission_oldest_due_seconds{${at}}`]: "30 950 20 10 960 5x40" },
    minutes: 35,
    fires: [],
  },
  {
    alert: "ExperienceBusPlannerErrors",
    when: "every second call fails",
    series: {
      [`mission_errors_total{${at}}`]: "0+1x60",
      [`mission_parse_failures_total{${at}}`]: "0+2x60",
      [`mission_planner_request_duration_seconds_count{${at}}`]: "0+6x60",
    },
    minutes: 30,
    fires: [{}],
  },
  {
    alert: "ExperienceBusPlannerErrors",
    when: "one call in ten brings no plan, or none is made",
    series: {
      [`mission_errors_total{${at}}`]: "0x60",
      [`mission_parse_failures_total{${at}}`]: "0+1x60",
      [`mission_planner_request_duration_seconds_count{${at}}`]: "0+10x60",
    },
    minutes: 30,
    fires: [],
  },
  {
    alert: "ExperienceBusGrantScopeViolation",
    when: "a value was refused within the hour",
    series: { [`mission_scope_violations{${at}}`]: "0x5 1x10" },
    minutes: 7,
    fires: [{}],
  },
  {
    alert: "ExperienceBusCoinBroken",
    when: "of one arm more runs are lost than of the other",
    series: {
      [`lesson_checks_broken{${at},check="coin"}`]: "0x20",
      [`lesson_checks_broken{${at},check="loss"}`]: "0x5 1x15",
    },
    minutes: 12,
    fires: [{ check: "loss" }],
  },
  {
    alert: "ExperienceBusCoinBroken",
    when: "all runs are where the coin says",
    series: { [`lesson_checks_broken{${at},check="coin"}`]: "0x20" },
    minutes: 12,
    fires: [],
  },
  {
    alert: "ExperienceBusRecallsUnrecorded",
    when: "one answer in twenty is not on record",
    series: {
      [`lesson_recalls_total{${at},outcome="recorded"}`]: "0+95x40",
      [`lesson_recalls_total{${at},outcome="unrecorded"}`]: "0+5x40",
      [`lesson_recalls_total{${at},outcome="without_run"}`]: "0+900x40",
    },
    minutes: 30,
    fires: [{}],
  },
  {
    alert: "ExperienceBusRecallsUnrecorded",
    when: "one in a thousand is not, and nobody asks without a run",
    series: {
      [`lesson_recalls_total{${at},outcome="recorded"}`]: "0+999x40",
      [`lesson_recalls_total{${at},outcome="unrecorded"}`]: "0+1x40",
      [`lesson_recalls_total{${also},outcome="unrecorded"}`]: "0x40",
    },
    minutes: 30,
    fires: [],
  },
  {
    alert: "ExperienceBusGrantScopeViolation",
    when: "none was",
    series: { [`mission_scope_violations{${at}}`]: "0x20" },
    minutes: 10,
    fires: [],
  },
];

const rules: { alert: string; labels: { severity: string } }[] = parse(
  readFileSync(rulesPath, "utf8"),
).groups[0].rules;

test.runIf(process.env["CI"])("CI has promtool", () => {
  expect(hasPromtool).toBe(true);
});

test("each alert has a case in which it fires, and one in which it does not", () => {
  for (const { alert } of rules) {
    const fires = cases.filter((one) => one.alert === alert).map((one) => one.fires.length > 0);
    expect(new Set(fires), alert).toEqual(new Set([true, false]));
  }
});

describe.runIf(hasPromtool)("judged by promtool", () => {
  test("the rules and the configuration are what Prometheus takes", () => {
    expect(promtool("check", "rules", rulesPath)).toMatchObject({ status: 0 });
    const config = rulesPath.replace("rules.yaml", "prometheus.yaml");
    expect(promtool("check", "config", config)).toMatchObject({ status: 0 });
  });

  for (const { alert, when, series, minutes, fires } of cases) {
    test(`${alert} ${fires.length > 0 ? "fires" : "is silent"} when ${when}`, () => {
      const severity = rules.find((rule) => rule.alert === alert)?.labels.severity ?? "";
      expect(judgeAlert(alert, severity, series, minutes, fires)).toBe("");
    });
  }
});
