import { hash } from "node:crypto";
import { BusError } from "../../errors.ts";
import { type EncodedReply, encodeReply } from "../../runtime/endpoint.ts";
import { timeFrom } from "../../schema/request.ts";
import { maskSecrets } from "../../schema/secrets.ts";
import type { Static } from "../../schema/typebox.ts";
import type { ConcernPart } from "../concern.ts";
import { endpoint, writingEndpoint } from "../endpoint.ts";
import type { LessonRow } from "../extractor/lesson.ts";
import { type Asked, isPinned, whyNotLive } from "./choice.ts";
import type { Facts } from "./facts.ts";
import type { Ledger } from "./ledger.ts";
import type { KnownLesson } from "./lesson.ts";
import type { LessonReader } from "./lesson-reader.ts";
import type { LessonMemory } from "./memory.ts";
import type { LessonMetrics } from "./metrics.ts";
import type { RecallAnswer, RecallLessons } from "./recall.ts";
import { withoutSecrets } from "./secrets.ts";
import {
  curateReplySchema,
  curateSchema,
  defaultChars,
  defaultLessons,
  getReplySchema,
  getSchema,
  listReplySchema,
  listSchema,
  outcomeReplySchema,
  outcomeSchema,
  type RecallReply,
  type RecallRequest,
  recallReplySchema,
  recallSchema,
  receiptsReplySchema,
  receiptsSchema,
  type WireLesson,
  type WireRecalled,
} from "./wire.ts";

export interface LessonEndpoints {
  readonly recall: RecallLessons;
  readonly memory: LessonMemory;
  readonly facts: Facts;
  readonly reader: LessonReader;
  readonly ledger: Ledger;
  /** Brings memory up to date. */
  readonly refresh: () => Promise<void>;
  readonly metrics: LessonMetrics;
}

/** Agents ask it before they act: it would rather answer late than refuse. */
const mostRecalls = 4_096;
const mostOmitted = 200;

/** The `lessons-…` endpoints. */
export function lessonEndpoints(options: LessonEndpoints): ConcernPart["endpoints"] {
  return [recalling(options), ...reading(options), ...writing(options)];
}

function recalling({ recall, facts, metrics }: LessonEndpoints) {
  const wired = new WeakMap<KnownLesson, WireRecalled>();
  /** Of answers that many are given. */
  const encoded = new WeakMap<RecallAnswer, EncodedReply>();

  function wireOf(lesson: KnownLesson, now: number): WireRecalled {
    const pinned = isPinned(lesson, now);
    const found = wired.get(lesson);
    if (found?.pinned === pinned) return found;
    const made = recalledOf(lesson, facts, pinned);
    wired.set(lesson, made);
    return made;
  }

  function encodedOf(answer: RecallAnswer, now: number): EncodedReply {
    const found = encoded.get(answer);
    if (found !== undefined) return found;
    const lessons = answer.lessons.map((lesson) => wireOf(lesson, now));
    const made = encodeReply(replyOf(answer, lessons, 0));
    encoded.set(answer, made);
    return made;
  }

  async function handle(given: RecallRequest): Promise<RecallReply | EncodedReply> {
    const now = Date.now();
    const request = withoutSecrets(given);
    const { tenant_id: tenantId = "default", run_id: runId } = request;
    const asked = askedFor(request, now);
    if (runId === undefined) {
      const answer = await recall({ tenantId, asked });
      metrics.lessonRecalls.inc(withoutRun);
      metrics.lessonsHandedOut.inc(answer.lessons.length);
      return encodedOf(answer, now);
    }
    const answer = await recall({ tenantId, runId, asked });
    const heldOut = answer.omitted.filter(({ why }) => why === "held_out").length;
    metrics.lessonRecalls.inc(answer.recorded ? recorded : unrecorded);
    metrics.lessonsHandedOut.inc(answer.lessons.length);
    metrics.lessonsHeldOut.inc(heldOut);
    return replyOf(
      answer,
      answer.lessons.map((lesson) => wireOf(lesson, now)),
      heldOut,
    );
  }

  return endpoint({
    ...{ name: "lessons-recall", request: recallSchema, reply: recallReplySchema, handle },
    mostInWork: mostRecalls,
  });
}

const withoutRun = { outcome: "without_run" } as const;
const recorded = { outcome: "recorded" } as const;
const unrecorded = { outcome: "unrecorded" } as const;

function askedFor(request: RecallRequest, now: number): Asked {
  return {
    agentId: request.agent_id,
    taskType: request.task_type,
    tool: request.tool,
    provider: request.provider,
    model: request.model,
    maxLessons: request.max_lessons ?? defaultLessons,
    maxChars: request.max_chars ?? defaultChars,
    now,
  };
}

function recalledOf(lesson: KnownLesson, facts: Facts, pinned: boolean): WireRecalled {
  const { recovery, epoch } = lesson;
  return {
    ...{ lesson_key: lesson.lessonKey, lesson_type: lesson.lessonType, scope: lesson.scope },
    ...facts.textOf(lesson),
    ...(recovery !== null && { recovery: facts.recoveryOf(recovery) }),
    ...{ verdict: epoch.verdict, share: epoch.share, epoch: epoch.epoch, pinned },
  };
}

function replyOf(answer: RecallAnswer, lessons: WireRecalled[], heldOut: number): RecallReply {
  const { already, omitted, block } = answer;
  return {
    lessons,
    already: [...already],
    held_out: heldOut,
    omitted: omitted
      .slice(0, mostOmitted)
      .map(({ lessonKey, why }) => ({ lesson_key: lessonKey, why })),
    block,
    block_sha256: hash("sha256", block, "hex"),
    recorded: answer.recorded,
  };
}

function reading({ memory, facts, reader, ledger }: LessonEndpoints): ConcernPart["endpoints"] {
  async function list(request: Static<typeof listSchema>) {
    const { tenant_id: tenant = "default", agent_id: agent, task_type: task, scope } = request;
    const { lesson_type: type, text, limit = 50, cursor = null } = request;
    const since = timeFrom("since", request.since);
    const filter = {
      tenant,
      ...(agent !== undefined && { agent }),
      ...(task !== undefined && { task }),
      ...(type !== undefined && { type }),
      ...(scope !== undefined && { scope }),
      ...(text !== undefined && { text }),
      ...(since !== undefined && { since }),
      ...(request.order !== undefined && { order: request.order }),
    };
    const found = await reader.list(filter, limit, cursor);
    return {
      lessons: found.lessons.map((row) => wireLesson(row, memory, facts)),
      cursor: found.cursor,
    };
  }

  async function get(request: Static<typeof getSchema>) {
    const row = await lessonOf(reader, request);
    const { lesson_key: lessonKey } = row;
    const [sightings, decisions, epochs] = await Promise.all([
      reader.sightings(lessonKey),
      ledger.decisions(lessonKey),
      ledger.epochs(lessonKey),
    ]);
    return {
      ...wireLesson(row, memory, facts),
      sightings: sightings.map(({ evidence, ...times }) => ({
        ...times,
        evidence: { ...evidence },
      })),
      decisions: decisions.map(({ until, at, ...rest }) => ({
        ...rest,
        ...{ until: until === null ? null : iso(until), at: iso(at) },
      })),
      epochs: epochs.map(({ at, ...rest }) => ({ ...rest, at: iso(at) })),
    };
  }

  async function receipts(request: Static<typeof receiptsSchema>) {
    const { tenant_id: tenantId = "default", run_id: runId } = withoutSecrets(request);
    const run = { tenantId, runId };
    const [outcome, found] = await Promise.all([ledger.outcome(run), ledger.receipts(run)]);
    return {
      run_id: runId,
      outcome: outcome === null ? null : { ...outcome, at: iso(outcome.at) },
      lessons: found.map(({ lessonKey, at, ...rest }) => ({
        ...{ lesson_key: lessonKey, ...rest },
        at: iso(at),
      })),
    };
  }

  return [
    endpoint({ name: "lessons-list", request: listSchema, reply: listReplySchema, handle: list }),
    endpoint({ name: "lessons-get", request: getSchema, reply: getReplySchema, handle: get }),
    endpoint({
      name: "lessons-receipts",
      request: receiptsSchema,
      reply: receiptsReplySchema,
      handle: receipts,
    }),
  ];
}

/** Rejects with `not_found`, and with `bad_request` where several keys begin so. */
async function lessonOf(
  reader: LessonReader,
  { tenant_id: tenantId = "default", lesson_key: key }: Static<typeof getSchema>,
): Promise<LessonRow> {
  const found = await reader.find(key, tenantId);
  const [row] = found;
  if (row === undefined) throw new BusError("not_found", `there is no lesson ${key}`);
  if (found.length === 1) return row;
  throw new BusError("bad_request", `lesson_key: more than one begins with ${key}`);
}

function writing({ ledger, reader, refresh }: LessonEndpoints): ConcernPart["endpoints"] {
  async function curate(request: Static<typeof curateSchema>) {
    const { action, by, reason } = request;
    const until = timeFrom("until", request.until) ?? null;
    if (until !== null && !["silence", "pin", "expire"].includes(action)) {
      throw new BusError("bad_request", "until: is for silence, pin and expire");
    }
    const { tenant_id: tenantId, lesson_key: lessonKey } = await lessonOf(reader, request);
    const decision = { action, until, by, reason: maskSecrets(reason) };
    await ledger.decide({ tenantId, lessonKey }, decision);
    // The next answer of this replica takes it into account already.
    await refresh();
    return { lesson_key: lessonKey, action };
  }

  async function outcome(request: Static<typeof outcomeSchema>) {
    const { success, score } = request;
    const { tenant_id: tenantId = "default", run_id: runId } = withoutSecrets(request);
    if (success === undefined && score === undefined) {
      throw new BusError("bad_request", "success: is required where there is no score");
    }
    await ledger.noteOutcome(
      { tenantId, runId },
      { success: success ?? null, score: score ?? null },
    );
    return { stored: true };
  }

  return [
    writingEndpoint({
      name: "lessons-curate",
      request: curateSchema,
      reply: curateReplySchema,
      handle: curate,
    }),
    writingEndpoint({
      name: "lessons-outcome",
      request: outcomeSchema,
      reply: outcomeReplySchema,
      handle: outcome,
    }),
  ];
}

const iso = (ms: number) => new Date(ms).toISOString();

/** A row, and what recall knows of it. */
function wireLesson(row: LessonRow, memory: LessonMemory, facts: Facts): WireLesson {
  const known = memory.get(row.lesson_key);
  return {
    ...row,
    signals: { ...row.signals },
    evidence: { ...row.evidence },
    ...standingOf(known, facts),
  };
}

function standingOf(known: KnownLesson | undefined, facts: Facts) {
  if (known === undefined) {
    const nothing = {
      facts: null,
      approved_by: null,
      verdict: null,
      share: null,
      epoch: null,
      recovery: null,
    };
    return { ...nothing, status: "unknown" as const, pinned: false };
  }
  const now = Date.now();
  return {
    facts: facts.lineOf([known]),
    status: statusOf(known, now),
    pinned: isPinned(known, now),
    approved_by: known.curation.approvedBy,
    recovery: known.recovery === null ? null : facts.recoveryOf(known.recovery),
    ...{ verdict: known.epoch.verdict, share: known.epoch.share, epoch: known.epoch.epoch },
  };
}

function statusOf(known: KnownLesson, now: number): WireLesson["status"] {
  const why = whyNotLive(known, now);
  return why === "silenced" || why === "expired" || why === "retired" || why === "dormant"
    ? why
    : "live";
}
