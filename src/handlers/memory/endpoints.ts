import { randomUUID } from "node:crypto";
import { BusError } from "../../errors.ts";
import { cursorOf, idInPlace } from "../../schema/cursor.ts";
import { type Static, Type } from "../../schema/typebox.ts";
import type { ConcernPart } from "../concern.ts";
import { endpoint, writingEndpoint } from "../endpoint.ts";
import { judge, present, promote } from "./change.ts";
import type { NewMemory } from "./entry.ts";
import type { MemoryMetrics } from "./metrics.ts";
import { requirePolicy } from "./promotion.ts";
import type { Recall } from "./recall.ts";
import type { Memory, MemoryFilter } from "./store.ts";
import {
  auditReplySchema,
  auditSchema,
  entrySchema,
  feedbackSchema,
  keySchema,
  listReplySchema,
  listSchema,
  promoteSchema,
  recallReplySchema,
  recallSchema,
  removeReplySchema,
  removeSchema,
  saveSchema,
  statsReplySchema,
  statsRequestSchema,
  wireMemory,
  wirePromotion,
} from "./wire.ts";

/** Saves and recalls that wait share statements: one more of them costs little. */
const mostInWork = 1_024;

export interface MemoryEndpoints {
  readonly memory: Memory;
  /** Whose transactions are read-only. */
  readonly recall: Recall;
  readonly metrics: MemoryMetrics;
}

const entryPlace = cursorOf(Type.Tuple([idInPlace]));
/** The id of a promotion: they are numbered as they happen. */
const promotionPlace = cursorOf(Type.Tuple([Type.Integer({ minimum: 1, maximum: 1e15 })]));

/** The `memory-…` endpoints. */
export function memoryEndpoints(options: MemoryEndpoints): ConcernPart["endpoints"] {
  return [...writing(options), ...reading(options)];
}

function writing({ memory, metrics }: MemoryEndpoints): ConcernPart["endpoints"] {
  async function save(request: Static<typeof saveSchema>) {
    const saved = await memory.save(newMemory(request));
    if (saved !== null) return wireMemory(saved, saved.createdAt);
    throw new BusError("conflict", `there is a memory entry ${request.entry_id}`);
  }

  async function feedback(request: Static<typeof feedbackSchema>) {
    const { feedback_id: feedbackId = randomUUID(), verdict } = request;
    const positive = verdict === "positive";
    const { entry, now } = await judge(memory, keyOf(request), { feedbackId, positive });
    return wireMemory(entry, now);
  }

  async function promoteOne(request: Static<typeof promoteSchema>) {
    const { entry, now } = await promote(memory, keyOf(request), request.policy);
    metrics.memoryPromotions.inc({ trigger: request.policy.trigger });
    return wireMemory(entry, now);
  }

  async function remove(request: Static<typeof removeSchema>) {
    if (await memory.remove(keyOf(request))) return { removed: true };
    throw new BusError("not_found", `there is no memory entry ${request.entry_id}`);
  }

  return [
    writingEndpoint({
      name: "memory-save",
      request: saveSchema,
      reply: entrySchema,
      handle: save,
      mostInWork,
    }),
    writingEndpoint({
      name: "memory-feedback",
      request: feedbackSchema,
      reply: entrySchema,
      handle: feedback,
    }),
    writingEndpoint({
      name: "memory-promote",
      request: promoteSchema,
      reply: entrySchema,
      handle: promoteOne,
    }),
    writingEndpoint({
      name: "memory-remove",
      request: removeSchema,
      reply: removeReplySchema,
      handle: remove,
    }),
  ];
}

function reading({ memory, recall }: MemoryEndpoints): ConcernPart["endpoints"] {
  async function get(request: Static<typeof keySchema>) {
    const { entry, now } = await present(memory, keyOf(request));
    return wireMemory(entry, now);
  }

  async function list(request: Static<typeof listSchema>) {
    const { limit = 100, cursor } = request;
    const [after] = cursor === undefined ? [null] : entryPlace.placeOf(cursor);
    const entries = await memory.list(filterOf(request), after, limit);
    return {
      entries: entries.map((entry) => wireMemory(entry, Date.now())),
      cursor: entryPlace.behind(entries, entries.length === limit, ({ entryId }) => [entryId]),
    };
  }

  async function recallSome(request: Static<typeof recallSchema>) {
    const { tags = [], top_k: topK = 5 } = request;
    const found = await recall.recall({ ...filterOf(request), tags, topK });
    return {
      entries: found.map(({ entry, score, now }) => ({ ...wireMemory(entry, now), score })),
    };
  }

  async function audit(request: Static<typeof auditSchema>) {
    const { tenant_id: tenantId = "default", entry_id: entryId, limit = 100, cursor } = request;
    const filter = { tenantId, ...(entryId !== undefined && { entryId }) };
    const [before] = cursor === undefined ? [null] : promotionPlace.placeOf(cursor);
    const found = await memory.audit(filter, before, limit);
    return {
      promotions: found.map(wirePromotion),
      cursor: promotionPlace.behind(found, found.length === limit, (last) => [last.promotionId]),
    };
  }

  async function stats({ tenant_id: tenantId }: Static<typeof statsRequestSchema>) {
    const counts = await memory.counts(tenantId);
    const promotions = await memory.promotionsByTrigger(tenantId);
    const sum = { entries: 0, by_status: {}, by_scope: {}, promotions } as Static<
      typeof statsReplySchema
    >;
    for (const { scope, status, entries } of counts) {
      sum.entries += entries;
      sum.by_status[status] = (sum.by_status[status] ?? 0) + entries;
      sum.by_scope[scope] = (sum.by_scope[scope] ?? 0) + entries;
    }
    return sum;
  }

  return [
    endpoint({ name: "memory-get", request: keySchema, reply: entrySchema, handle: get }),
    endpoint({ name: "memory-list", request: listSchema, reply: listReplySchema, handle: list }),
    endpoint({
      name: "memory-recall",
      mostInWork,
      request: recallSchema,
      reply: recallReplySchema,
      handle: recallSome,
    }),
    endpoint({
      name: "memory-audit",
      request: auditSchema,
      reply: auditReplySchema,
      handle: audit,
    }),
    endpoint({
      name: "memory-stats",
      request: statsRequestSchema,
      reply: statsReplySchema,
      handle: stats,
    }),
  ];
}

/** Throws `BusError` `bad_request` where nobody answers for an entry of the world. */
function newMemory(request: Static<typeof saveSchema>): NewMemory {
  const { scope, promotion_policy: policy = null } = request;
  if (scope === "world" && policy === null) {
    throw new BusError("bad_request", "promotion_policy: is required for an entry of the world");
  }
  if (policy !== null) requirePolicy(policy);
  return {
    tenantId: request.tenant_id ?? "default",
    entryId: request.entry_id ?? randomUUID(),
    scope,
    projectKey: request.project_key ?? null,
    tags: [...new Set(request.tags ?? [])],
    insight: request.insight,
    confidence: request.confidence,
    promotionPolicy: policy,
    evidence: request.evidence ?? null,
    unsupportedReason: request.unsupported_reason ?? null,
  };
}

function keyOf({ tenant_id: tenantId = "default", entry_id: entryId }: Static<typeof keySchema>) {
  return { tenantId, entryId };
}

function filterOf(request: Static<typeof listSchema> | Static<typeof recallSchema>): MemoryFilter {
  const { tenant_id: tenantId = "default", scope, project_key: projectKey } = request;
  return {
    tenantId,
    ...(scope !== undefined && { scope }),
    ...(projectKey !== undefined && { projectKey }),
  };
}
