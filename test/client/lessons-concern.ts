import { Type } from "typebox";
import type { ConcernDeclaration } from "../../src/handlers/concern.ts";
import { endpoint } from "../../src/handlers/endpoint.ts";

type Wire = Record<string, unknown>;

/** Answers as `lessons-recall` and `lessons-outcome` do; the first recall of a run is given the lesson. */
export function lessonsConcern(handed: {
  readonly block: string;
  readonly asked: Wire[];
}): ConcernDeclaration {
  const seen = new Set<string>();
  const shape = Type.Record(Type.String(), Type.Unknown());
  return {
    name: "lessons",
    summary: "hands a lesson back",
    endpoints: {
      "lessons-recall": { does: "hands a lesson back", may: "recall" },
      "lessons-list": { does: "lists the lesson", may: "read" },
      "lessons-outcome": { does: "hears how a run ended", may: "publish" },
    },
    async open() {
      return {
        parts: [
          {
            endpoints: [
              endpoint({
                name: "lessons-recall",
                request: Type.Object({
                  tenant_id: Type.Optional(Type.String()),
                  agent_id: Type.String(),
                  run_id: Type.Optional(Type.String()),
                }),
                reply: shape,
                async handle(request: Wire) {
                  handed.asked.push(request);
                  const run = String(request["run_id"]);
                  const again = seen.has(run);
                  if (request["run_id"] !== undefined) seen.add(run);
                  const lesson = {
                    ...{ lesson_key: "k", lesson_type: "error", scope: "agent", trigger: "t" },
                  };
                  return again
                    ? { lessons: [], already: ["k"], block: "", recorded: true }
                    : { lessons: [lesson], already: [], block: handed.block, recorded: true };
                },
              }),
              endpoint({
                name: "lessons-list",
                request: Type.Object({ tenant_id: Type.Optional(Type.String()) }),
                reply: shape,
                handle: async () => ({
                  lessons: [
                    {
                      ...{ lesson_key: "k", lesson_type: "error", agent_id: "scout" },
                      ...{ task_type: "triage", status: "live", trigger: "words of an event" },
                      ...{ facts: handed.block, ts: "2026-11-01T08:00:00Z" },
                    },
                  ],
                  cursor: null,
                }),
              }),
              endpoint({
                name: "lessons-outcome",
                request: Type.Object({
                  tenant_id: Type.Optional(Type.String()),
                  run_id: Type.String(),
                }),
                reply: shape,
                async handle(request: Wire) {
                  handed.asked.push(request);
                  return {};
                },
              }),
            ],
          },
        ],
      };
    },
  };
}
