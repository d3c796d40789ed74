import { randomUUID } from "node:crypto";
import { BusError } from "../../errors.ts";
import { cursorOf, momentInPlace } from "../../schema/cursor.ts";
import { maskSecretsIn } from "../../schema/secrets.ts";
import { type Static, Type } from "../../schema/typebox.ts";
import type { ConcernPart } from "../concern.ts";
import { endpoint, writingEndpoint } from "../endpoint.ts";
import type { Advance } from "./entry.ts";
import { noEntry, takeStep } from "./step.ts";
import type { EntryFilter, Reviews } from "./store.ts";
import {
  type AdvanceRequest,
  advanceSchema,
  type CreateRequest,
  createSchema,
  entrySchema,
  getReplySchema,
  keySchema,
  listReplySchema,
  listSchema,
  removeReplySchema,
  removeSchema,
  statsReplySchema,
  statsRequestSchema,
  wireEntry,
  wireStep,
} from "./wire.ts";

/** The `updated_at` of an entry: no two have the same. */
const place = cursorOf(Type.Tuple([momentInPlace]));

/** The `review-…` endpoints. */
export function reviewEndpoints(reviews: Reviews): ConcernPart["endpoints"] {
  async function create(request: CreateRequest) {
    const { tenant_id: tenantId = "default", feedback_id: feedbackId } = request;
    const { entry_id: entryId = randomUUID(), run_id: runId = null } = request;
    const summary = maskSecretsIn(request.summary ?? null);
    const made = await reviews.create({ entryId, tenantId, feedbackId, summary, runId });
    if (made !== null) return wireEntry(made);
    throw new BusError("conflict", `there is or was a review entry ${entryId}`);
  }

  async function advance(request: AdvanceRequest) {
    return wireEntry(await takeStep(reviews, keyOf(request), stepOf(request)));
  }

  async function get(request: Static<typeof keySchema>) {
    const entry = await reviews.find(keyOf(request));
    if (entry === null) throw noEntry(request.entry_id);
    return { ...wireEntry(entry), history: (await reviews.steps(entry)).map(wireStep) };
  }

  async function list(request: Static<typeof listSchema>) {
    const { limit = 100, cursor, stage, tenant_id: tenantId } = request;
    const [before] = cursor === undefined ? [null] : place.placeOf(cursor);
    const filter: EntryFilter = {
      ...(stage !== undefined && { stage }),
      ...(tenantId !== undefined && { tenantId }),
    };
    const found = await reviews.list(filter, before, limit);
    return {
      entries: found.map(wireEntry),
      cursor: place.behind(found, found.length === limit, ({ updatedAt }) => [updatedAt]),
    };
  }

  async function remove({ by, reason, ...request }: Static<typeof removeSchema>) {
    const entry = await reviews.find(keyOf(request));
    if (entry !== null && (await reviews.remove(entry, by, reason))) return { removed: true };
    throw noEntry(request.entry_id);
  }

  async function stats({ tenant_id: tenantId }: Static<typeof statsRequestSchema>) {
    const byStage = await reviews.countByStage(tenantId);
    const entries = Object.values(byStage).reduce((sum, count) => sum + count, 0);
    return { entries, by_stage: byStage };
  }

  return [
    writingEndpoint({
      name: "review-create",
      request: createSchema,
      reply: entrySchema,
      handle: create,
    }),
    writingEndpoint({
      name: "review-advance",
      request: advanceSchema,
      reply: entrySchema,
      handle: advance,
    }),
    endpoint({ name: "review-get", request: keySchema, reply: getReplySchema, handle: get }),
    endpoint({ name: "review-list", request: listSchema, reply: listReplySchema, handle: list }),
    writingEndpoint({
      name: "review-remove",
      request: removeSchema,
      reply: removeReplySchema,
      handle: remove,
    }),
    endpoint({
      name: "review-stats",
      request: statsRequestSchema,
      reply: statsReplySchema,
      handle: stats,
    }),
  ];
}

function keyOf({ entry_id: entryId, tenant_id: tenantId }: Static<typeof keySchema>) {
  return { entryId, ...(tenantId !== undefined && { tenantId }) };
}

function stepOf({ to, reviewer, case: ofCase, skill_draft, expected_updated_at }: AdvanceRequest) {
  const step: Advance = {
    to,
    ...(reviewer !== undefined && { reviewer }),
    ...(ofCase !== undefined && { case: maskSecretsIn(ofCase) }),
    ...(skill_draft !== undefined && { skillDraft: maskSecretsIn(skill_draft) }),
    ...(expected_updated_at !== undefined && { expectedUpdatedAt: expected_updated_at }),
  };
  return step;
}
