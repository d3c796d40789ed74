import type { MetricFactory } from "../../runtime/metrics.ts";
import { decisions } from "./gates.ts";
import { skipReasons } from "./grant.ts";

export type MissionMetrics = ReturnType<typeof missionMetrics>;

const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

export function missionMetrics(make: MetricFactory) {
  const metrics = {
    ...snapshotMetrics(make),
    ...runnerMetrics(make),
    decrypts: make.counter("mission_decrypts_total", "Values decrypted for a plan", ["table"]),
    scopeViolations: make.counter(
      "mission_grant_scope_violations_total",
      "Encrypted values that a mission reads and its grant does not allow",
      ["table"],
    ),
    recentViolations: make.gauge(
      "mission_scope_violations",
      "Encrypted values of the last hour that a mission was to read without a grant for them",
    ),
    grantSkips: make.counter(
      "mission_grant_skips_total",
      "Plans made without their encrypted values, by why the grant was of no use",
      ["reason"],
    ),
  };
  for (const decision of decisions) metrics.agentDecisions.inc({ decision }, 0);
  for (const reason of skipReasons) metrics.grantSkips.inc({ reason }, 0);
  return metrics;
}

function snapshotMetrics(make: MetricFactory) {
  return {
    changes: make.counter("mission_changes_total", "Changes of records by what became of them", [
      "outcome",
    ]),
    snapshotsNew: make.counter("mission_snapshots_new_total", "Snapshots made here"),
    snapshotsUpdated: make.counter("mission_snapshots_updated_total", "Snapshots changed here"),
    snapshotRows: make.counter(
      "mission_snapshot_rows_applied_total",
      "Changes that are in a snapshot because of this replica",
    ),
  };
}

function runnerMetrics(make: MetricFactory) {
  return {
    ticks: make.counter("mission_ticks_total", "Times that missions which are due were looked for"),
    tickDuration: make.histogram(
      "mission_tick_duration_seconds",
      "From the begin of a tick until each mission that is due was decided about",
      seconds,
    ),
    agentDecisions: make.counter(
      "agent_decisions_total",
      "Missions of agents that were due, by what was decided",
      ["decision"],
    ),
    plansProduced: make.counter("mission_plans_produced_total", "Plans that a planner made"),
    plansWrittenBack: make.counter(
      "mission_plans_written_back_total",
      "Iterations whose change is published",
    ),
    parseFailures: make.counter(
      "mission_parse_failures_total",
      "Answers of a planner that are no plan",
    ),
    missionErrors: make.counter(
      "mission_errors_total",
      "Plans that failed because the planner gave no answer, or an error",
    ),
    plannerDuration: make.histogram(
      "mission_planner_request_duration_seconds",
      "From the question to a planner to its answer, failed ones included",
      seconds,
    ),
    tokensUsed: make.counter("mission_tokens_used_total", "Tokens that planners say they used"),
    oldestDue: make.gauge(
      "mission_oldest_due_seconds",
      "For how long the mission that waits longest has been due, of those that no gate holds back",
    ),
    outboxRows: make.gauge("mission_outbox_rows", "Changes that are stored and not published yet"),
  };
}
