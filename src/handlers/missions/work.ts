import { isOutage, isRefusal, messageOf } from "../../errors.ts";
import type { Logger } from "../../log.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import { offeredTools } from "./agent.ts";
import { isoTime } from "./change.ts";
import type { Claim } from "./claim.ts";
import type { Claims } from "./claims.ts";
import type { Inputs } from "./decryption.ts";
import { missionTask, type TellExperience } from "./experience.ts";
import { missionChange, planActor, systemActor } from "./iteration.ts";
import type { Iterations, NewIteration } from "./iterations.ts";
import type { RecallLessons } from "./lessons.ts";
import type { MissionMetrics } from "./metrics.ts";
import { type Mission, missionFrom } from "./mission.ts";
import type { Outbox } from "./outbox.ts";
import { decodePlan, overallStatus, type Plan } from "./plan.ts";
import type { Planner, PlannerAnswer, PlannerQuestion } from "./planner.ts";
import { promptOf } from "./prompt.ts";
import { isMissed, nextRun, scheduleProblem } from "./schedule.ts";

export interface WorkOptions {
  readonly planner: Planner;
  readonly claims: Pick<Claims, "fail" | "reread">;
  readonly iterations: Pick<Iterations, "commit">;
  readonly outbox: Outbox;
  readonly inputs: Inputs;
  readonly recall: RecallLessons;
  readonly tell: TellExperience;
  readonly metrics: MissionMetrics;
  readonly log: Logger;
  readonly claimMs: number;
  readonly tickMs: number;
  readonly timeoutMs: number;
}

/** What is done under a claim that this replica has had since `claimedAt`, by `performance.now()`. */
export type Work = (claim: Claim, claimedAt: number, signal: AbortSignal) => Promise<void>;

/** The first pause after a failure is a tick, and each is twice the last one, up to this. */
const longestPauseMs = 15 * 60_000;

/** How long a mission waits that has failed so often before, ms; each one for a time of its own. */
export function pauseAfterFailures(failures: number, tickMs: number): number {
  return backoffMs(failures, tickMs, Math.max(longestPauseMs, tickMs));
}

/** Of the time that a claim has left, so much goes to the planner: what comes of it is to be written, too. */
const plannerShare = 0.9;

/** Makes a plan, and of it the one iteration of this due time. Ends the claim in any case but an outage. */
export function openWork(options: WorkOptions): Work {
  const { claims, metrics, log, claimMs, tickMs } = options;

  async function pauseAfter(claim: Claim, tokens: number): Promise<void> {
    const pauseMs = pauseAfterFailures(claim.failures, tickMs);
    await claims.fail(claim, { pauseMs, counts: true, tokens });
  }

  async function work(claim: Claim, claimedAt: number, signal: AbortSignal): Promise<void> {
    const { record, deleted } = claim.snapshot;
    const mission = missionFrom(claim.missionId, record, deleted);
    if (isToBePassedOver(claim, mission, tickMs)) return commit(claim, null, options);
    const question = await questionFor(claim, mission, options);
    const leftMs = (claimMs - (performance.now() - claimedAt)) * plannerShare;
    // This replica stood still meanwhile: the mission is somebody else's.
    if (leftMs <= 0) return;
    const made = await planned(claim, question, leftMs, options, signal);
    if (made === "stopped") return claims.fail(claim, { pauseMs: 0, counts: false, tokens: 0 });
    metrics.tokensUsed.inc(made.tokens);
    if (made.plan === null) return pauseAfter(claim, made.tokens);
    const { plan, tokens } = made;
    const { agent, missionId, iterationId } = claim;
    const actor = planActor(agent, { missionId, iterationId, rationale: plan.summary });
    const iteration = { plan, tokens, actor, overallStatus: overallStatus(plan, agent) };
    return commit(claim, iteration, options);
  }

  return async (claim, claimedAt, signal) => {
    try {
      await work(claim, claimedAt, signal);
    } catch (error) {
      const of = { mission: claim.missionId, iteration: claim.iterationId };
      if (isRefusal(error)) {
        log.error({ err: error, ...of }, "a plan cannot be stored");
        metrics.missionErrors.inc();
        await pauseAfter(claim, 0);
      } else if (isOutage(error)) {
        log.warn({ err: error, ...of }, "a mission has to wait until its claim expires");
      } else throw error;
    }
  };
}

/** It has its iteration, or its policy is not to make up for what was missed. */
function isToBePassedOver(claim: Claim, mission: Mission, tickMs: number): boolean {
  if (claim.isDone) return true;
  return mission.missed === "skip" && isMissed(mission, claim.due, Date.now(), 2 * tickMs);
}

async function questionFor(
  claim: Claim,
  mission: Mission,
  { inputs, recall }: WorkOptions,
): Promise<PlannerQuestion> {
  const { tenantId, userId, missionId, agentId, iterationId, token, agent } = claim;
  const asked = { tenantId, taskType: missionTask, runId: iterationId };
  const [records, lessons] = await Promise.all([
    inputs.read({ tenantId, userId, missionId, iterationId }, mission),
    agentId === null ? "" : recall({ ...asked, agentId }),
  ]);
  return {
    ...{ tenantId, userId, missionId, agentId, iterationId, token },
    dueAt: isoTime(claim.due),
    prompt: promptOf({ agent, mission, records, lessons }),
    tools: offeredTools(agent),
  };
}

/** What came of asking; no plan: it failed, and that is counted and told. */
type Made = "stopped" | { readonly plan: Plan | null; readonly tokens: number };

async function planned(
  claim: Claim,
  question: PlannerQuestion,
  leftMs: number,
  { planner, metrics, tell, timeoutMs, log }: WorkOptions,
  signal: AbortSignal,
): Promise<Made> {
  const startedAt = Date.now();
  const before = performance.now();
  const answer = await planner.ask(question, Math.min(timeoutMs, leftMs), signal);
  if (signal.aborted && answer.kind === "failed") return "stopped";
  const latencyMs = performance.now() - before;
  metrics.plannerDuration.observe(latencyMs / 1_000);
  const { plan, problem } = read(answer, claim);
  if (plan !== null) metrics.plansProduced.inc();
  else if (answer.kind === "answer") metrics.parseFailures.inc();
  else metrics.missionErrors.inc();
  if (problem !== null) {
    const of = { mission: claim.missionId, iteration: claim.iterationId };
    log.warn({ ...of, problem, failures: claim.failures + 1 }, "no plan: it is tried again later");
  }
  await tell({ claim, planner, answer, problem, startedAt, latencyMs });
  return { plan, tokens: tokensOf(answer, plan) };
}

function read(
  answer: PlannerAnswer,
  claim: Claim,
): { readonly plan: Plan | null; readonly problem: string | null } {
  if (answer.kind === "failed") return { plan: null, problem: answer.problem };
  try {
    return { plan: decodePlan(answer.payload, claim.agent), problem: null };
  } catch (error) {
    if (isRefusal(error)) return { plan: null, problem: messageOf(error) };
    throw error;
  }
}

function tokensOf(answer: PlannerAnswer, plan: Plan | null): number {
  if (plan?.tokens_used !== undefined) return plan.tokens_used;
  if (answer.kind === "failed") return 0;
  return (answer.tokensIn ?? 0) + (answer.tokensOut ?? 0);
}

/**
 * Writes what came of it, again on what somebody else has made of the mission meanwhile; nothing once the claim is
 * another's. Then publishes the change; where that fails, the outbox has it.
 */
async function commit(
  first: Claim,
  iteration: NewIteration | null,
  { claims, iterations, outbox, log }: WorkOptions,
): Promise<void> {
  let claim = first;
  for (;;) {
    const change = changeOf(claim, iteration, log);
    if (await iterations.commit(claim, iteration, change)) {
      const of = { mission: claim.missionId, agent: claim.agentId, iteration: claim.iterationId };
      log.info({ ...of, next_run_at: change.data["next_run_at"] }, commitWords(iteration));
      return await outbox.publish({ eventId: change.event_id, change });
    }
    const snapshot = await claims.reread(claim);
    if (snapshot === null || snapshot.version === claim.snapshot.version) {
      log.warn(
        { mission: claim.missionId, token: claim.token },
        "a claim was lost: nothing written",
      );
      return;
    }
    claim = { ...claim, snapshot };
  }
}

function commitWords(iteration: NewIteration | null): string {
  return iteration === null ? "mission moved on without a run" : "iteration written";
}

function changeOf(claim: Claim, iteration: NewIteration | null, log: Logger) {
  const { record, deleted } = claim.snapshot;
  const mission = missionFrom(claim.missionId, record, deleted);
  const problem = scheduleProblem(mission);
  if (problem !== null) log.warn({ mission: claim.missionId, problem }, "mission is not due again");
  const now = Date.now();
  const next = nextRun(mission, claim.due, now);
  // Somebody has said meanwhile when it is to run next.
  const isOurs = mission.nextRunAt === claim.due;
  const data = {
    ...(isOurs && { next_run_at: next === null ? null : isoTime(next) }),
    ...(iteration !== null && {
      last_run_at: isoTime(now),
      last_iteration_id: claim.iterationId,
      last_iteration_summary: iteration.plan.summary,
      last_iteration_status: iteration.overallStatus,
    }),
  };
  const eventId = iteration === null ? `${claim.iterationId}-${claim.token}` : claim.iterationId;
  const actor = iteration?.actor ?? systemActor;
  return missionChange(claim, claim.snapshot, { eventId, now, data, actor });
}
