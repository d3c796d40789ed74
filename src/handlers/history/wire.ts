import { nullable } from "../../schema/request.ts";
import { type Static, Type } from "../../schema/typebox.ts";

const tenantSchema = Type.Optional(
  Type.String({ minLength: 1, maxLength: 128, description: "default: all tenants" }),
);

export const rootRequestSchema = Type.Object({ tenant_id: tenantSchema });

export const rootReplySchema = Type.Object({
  root: Type.String({
    description:
      "lower-case hex SHA-256 of the lines `lesson <key>` by key, then `sighting <key> <window start, epoch ms>` by key and window, a line feed after each",
  }),
  lessons: Type.Integer(),
  sightings: Type.Integer(),
  reviewed: Type.Integer({ description: "lessons that people made in reviews; not in the root" }),
  acked_sequence: Type.Integer({ description: "all up to this message is stored" }),
  first_sequence: Type.Integer({ description: "of the stream" }),
  last_sequence: Type.Integer({ description: "of the stream" }),
});

const time = (description: string) =>
  Type.Optional(Type.Union([Type.String({ maxLength: 128 }), Type.Number()], { description }));
const count = (description: string, maximum: number, minimum = 1) =>
  Type.Optional(Type.Integer({ minimum, maximum, description }));
const amount = (description: string, minimum: number, maximum: number) =>
  Type.Optional(Type.Number({ minimum, maximum, description }));

/** Within the deadline of a request, with some to spare. */
export const most = { messages: 1_000_000, seconds: 8, lessons: 1_000 } as const;
export const usual = { messages: 100_000, seconds: 5, lessons: 100 } as const;

/** What is not set is as the service has it. */
export const backtestRequestSchema = Type.Object({
  tenant_id: tenantSchema,
  agent_id: Type.Optional(
    Type.String({ minLength: 1, maxLength: 128, description: "leaves out lessons of fleets" }),
  ),
  since: time("event time: ISO 8601 or epoch"),
  until: time("event time, not included"),
  window_seconds: amount("instead of EXPERIENCE_WINDOW_SECONDS", 0.001, 31_536_000),
  error_threshold: count("instead of EXPERIENCE_ERROR_THRESHOLD", 256),
  silent_threshold: count("instead of EXPERIENCE_SILENT_THRESHOLD", 256),
  latency_threshold: count("instead of EXPERIENCE_LATENCY_THRESHOLD", 256),
  latency_spike_ms: amount("instead of EXPERIENCE_LATENCY_SPIKE_MS", 0, 1e9),
  tool_latency_spike_ms: amount("instead of TOOL_LATENCY_SPIKE_MS", 0, 1e9),
  count_by: Type.Optional(Type.Enum(["run", "event"], { description: "of EXPERIENCE_COUNT_BY" })),
  fleet_agents: count("instead of LESSON_FLEET_AGENTS", 1_000, 2),
  slow_runs: count("instead of LESSON_SLOW_RUNS", 256),
  slow_window_days: amount("instead of LESSON_SLOW_WINDOW_DAYS", 0.000_01, 366),
  limit_messages: count(`messages read at most; default: ${usual.messages}`, most.messages),
  limit_seconds: amount(`read for so long at most; default: ${usual.seconds}`, 0.1, most.seconds),
  limit: count(`lessons told one by one; default: ${usual.lessons}`, most.lessons, 0),
});

export type BacktestRequest = Static<typeof backtestRequestSchema>;

const recurrence = Type.Object(
  {
    observed: Type.Integer({ description: "lessons of which it is known" }),
    recurred: Type.Integer(),
    share: nullable(Type.Number()),
  },
  { description: "whose signature showed itself again within 24 h after its first window" },
);

const soon = (description: string) =>
  Type.Object(
    {
      lessons: Type.Integer(),
      median_events: nullable(Type.Number({ description: "of a signature until its lesson" })),
      median_seconds: nullable(Type.Number({ description: "from its first event to its lesson" })),
      recurrence,
    },
    { description },
  );

const changes = { added: Type.Integer(), removed: Type.Integer(), same: Type.Integer() };

export const backtestReplySchema = Type.Object({
  ...changes,
  live: soon("with the settings as they are"),
  tried: soon("with those of the request"),
  agents: Type.Array(
    Type.Object({
      tenant_id: Type.String(),
      agent_id: Type.String({ description: "*: of the fleet" }),
      ...changes,
      recurrence,
    }),
  ),
  lessons: Type.Array(
    Type.Object({
      change: Type.Enum(["added", "removed", "same"]),
      lesson_key: Type.String(),
      tenant_id: Type.String(),
      scope: Type.String(),
      agent_id: Type.String(),
      task_type: Type.String(),
      lesson_type: Type.String(),
      signals: Type.Record(Type.String(), Type.String()),
      window: Type.Enum(["fast", "slow"]),
      first_at: Type.String({ description: "event time of the first of its first window" }),
      learned_at: Type.String({ description: "event time of the last one" }),
      events: Type.Integer({ description: "of its signature until then" }),
      seconds: Type.Number({ description: "from the first of these" }),
      sightings: Type.Integer(),
      recurred: nullable(Type.Boolean({ description: "null: 24 h are not over" })),
    }),
    { description: "what changed first; at most `limit`" },
  ),
  messages: Type.Integer({ description: "read" }),
  read_to: nullable(Type.String({ description: "when the last of them was stored" })),
  partial: Type.Boolean({ description: "a limit ended the reading; what follows is not in it" }),
});
