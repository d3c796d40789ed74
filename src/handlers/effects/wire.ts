import { cursorSchema, nextCursorSchema } from "../../schema/cursor.ts";
import { idSchema as id, nullable, tenantSchema } from "../../schema/request.ts";
import { type Static, Type } from "../../schema/typebox.ts";
import { epochStates, verdicts } from "../lessons/lesson.ts";
import {
  type ArmCounts,
  type Effect,
  type EpochCounts,
  type Finding,
  noRuns,
  sumOf,
} from "./effect.ts";
import { sentenceOf } from "./sentences.ts";
import { type Withheld, withholdings } from "./standing.ts";

/** Wire shapes of the `effects-…` endpoints. */

const time = Type.String({ description: "ISO 8601" });
const verdict = Type.Enum([...verdicts]);

const armSchema = Type.Object({
  exposed: Type.Integer({ description: "runs on record" }),
  runs: Type.Integer({ description: "of these, those whose horizon has passed: they are counted" }),
  failed: Type.Integer({ description: "of the counted: failed as the lesson says" }),
  unseen: Type.Integer({ description: "of the counted: never heard of again" }),
  ended: Type.Integer({ description: "of the counted: known how they ended" }),
  unsuccessful: Type.Integer({ description: "of those: did not succeed" }),
});

const intervalFields = {
  ratio: nullable(
    Type.Number({
      description: "how many times as often runs with the lesson fail; null: unknown or infinite",
    }),
  ),
  low: Type.Number({ description: "the lowest ratio that is not excluded; 0: there is no bound" }),
  high: nullable(Type.Number({ description: "the highest one; null: there is no bound" })),
};

const findingFields = {
  verdict,
  ...intervalFields,
  log_e: Type.Number({ description: "ln of the e-value against a ratio of 1" }),
};

const checkSchema = Type.Object({ log_e: Type.Number(), broken: Type.Boolean() });

const epochSchema = Type.Object({
  epoch: Type.Integer(),
  share: Type.Number({ description: "of runs that are given the lesson" }),
  state: nullable(Type.Enum([...epochStates])),
  began_at: nullable(time),
  reason: nullable(Type.String({ description: "why it began" })),
  attached: armSchema,
  held_out: armSchema,
});

export const effectSchema = Type.Object({
  lesson_key: Type.String(),
  tenant_id: Type.String(),
  scope: Type.String(),
  agent_id: Type.String(),
  task_type: Type.String(),
  lesson_type: Type.String(),
  state: nullable(Type.Enum([...epochStates])),
  epoch: nullable(Type.Integer()),
  share: nullable(Type.Number({ description: "of runs that are given it now" })),
  outcome: Type.Enum(["failure", "run"], {
    description: "what is counted: failures as the lesson says, or runs that did not succeed",
  }),
  ...findingFields,
  verdict: Type.Enum([...verdicts], { description: "what may be said" }),
  verdict_alone: Type.Enum([...verdicts], {
    description: "what its own runs say, whatever the checks and the other lessons do",
  }),
  withheld: nullable(
    Type.Enum([...withholdings], { description: "why its own verdict is not said; null: it is" }),
  ),
  sentence: Type.String({ description: "what is known, in words" }),
  attached: armSchema,
  held_out: armSchema,
  runs_needed: nullable(
    Type.Integer({
      description: "more runs until a verdict, at this rate; null: not to be foreseen",
    }),
  ),
  since_last_epoch: nullable(
    Type.Object(
      { epoch: Type.Integer(), ...findingFields },
      { description: "by the newest epoch alone" },
    ),
  ),
  run: Type.Object(findingFields, {
    description: "how runs ended: the ratio of those without success",
  }),
  checks: Type.Object({ coin: checkSchema, loss: checkSchema }),
  epochs: Type.Array(epochSchema, { description: "the oldest first" }),
  changed_at: nullable(time),
  evaluated_at: nullable(time),
});

export const getSchema = Type.Object({
  tenant_id: tenantSchema,
  lesson_key: Type.String({
    pattern: "^[0-9a-f]{8,64}$",
    description: "SHA-256 in lower-case hex, or its first characters",
  }),
});

export const listSchema = Type.Object({
  tenant_id: tenantSchema,
  agent_id: Type.Optional(id),
  verdict: Type.Optional(verdict),
  state: Type.Optional(Type.Enum([...epochStates])),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: "default: 50" })),
  cursor: cursorSchema,
});

const tenantCheckSchema = Type.Object({
  check: Type.Enum(["coin", "loss"]),
  log_e: Type.Number(),
  broken: Type.Boolean({ description: "no verdict of the tenant is said" }),
  lessons: Type.Integer({ description: "lessons for which it is broken" }),
});

export const listReplySchema = Type.Object({
  effects: Type.Array(effectSchema, { description: "by lesson_key" }),
  checks: Type.Array(tenantCheckSchema, { description: "of all lessons of the tenant together" }),
  counted_until: nullable(
    Type.String({ description: "ISO 8601; runs exposed by then are counted; null: none is yet" }),
  ),
  horizon_seconds: Type.Number({ description: "so long after its exposure a failure counts" }),
  cursor: nextCursorSchema,
});

export type WireEffect = Static<typeof effectSchema>;
export type GetRequest = Static<typeof getSchema>;
export type ListRequest = Static<typeof listSchema>;
export type ListReply = Static<typeof listReplySchema>;

/** A lesson with what is known of its effect. Times are ISO 8601. */
export interface KnownEffect {
  readonly lessonKey: string;
  readonly tenantId: string;
  readonly scope: string;
  readonly agentId: string;
  readonly taskType: string;
  readonly lessonType: string;
  readonly effect: Effect;
  readonly verdict: WireEffect["verdict"];
  readonly withheld: Withheld | null;
  readonly changedAt: string | null;
  readonly evaluatedAt: string | null;
  /** The oldest first. */
  readonly epochs: readonly KnownEpoch[];
  readonly coinBroken: boolean;
  readonly lossBroken: boolean;
}

export interface KnownEpoch {
  readonly epoch: number;
  readonly share: number;
  readonly state: NonNullable<WireEffect["state"]>;
  readonly reason: string;
  readonly at: string;
}

export function wireEffect(known: KnownEffect): WireEffect {
  const { effect, verdict: standing, withheld, epochs } = known;
  const current = epochs.at(-1);
  return {
    ...{ lesson_key: known.lessonKey, tenant_id: known.tenantId, scope: known.scope },
    ...{ agent_id: known.agentId, task_type: known.taskType, lesson_type: known.lessonType },
    ...{ state: current?.state ?? null, epoch: current?.epoch ?? null },
    ...{ share: current?.share ?? null, outcome: effect.outcome },
    ...wireFinding(effect),
    ...{ verdict: standing, verdict_alone: effect.verdict, withheld },
    sentence: sentenceOf(effect, { verdict: standing, withheld }),
    attached: wireArm(sumOf(effect.epochs, "attached")),
    held_out: wireArm(sumOf(effect.epochs, "heldOut")),
    runs_needed: effect.runsNeeded,
    since_last_epoch:
      effect.sinceLastEpoch === null
        ? null
        : { epoch: effect.sinceLastEpoch.epoch, ...wireFinding(effect.sinceLastEpoch) },
    run: wireFinding(effect.run),
    checks: {
      coin: { log_e: effect.coin, broken: known.coinBroken },
      loss: { log_e: effect.loss, broken: known.lossBroken },
    },
    epochs: wireEpochs(effect.epochs, epochs),
    ...{ changed_at: known.changedAt, evaluated_at: known.evaluatedAt },
  };
}

function wireFinding({ verdict: found, ratio, low, high, logE }: Finding) {
  return { verdict: found, ratio, low, high, log_e: logE };
}

function wireArm({ exposed, counted, failed, unseen, ended, unsuccessful }: ArmCounts) {
  return { exposed, runs: counted, failed, unseen, ended, unsuccessful };
}

/** Those with runs, and those that have none yet. */
function wireEpochs(counted: readonly EpochCounts[], known: readonly KnownEpoch[]) {
  const numbers = new Set(counted.map(({ epoch }) => epoch));
  const empty = known.filter(({ epoch }) => !numbers.has(epoch));
  const rows = [
    ...counted,
    ...empty.map(({ epoch, share }) => ({ epoch, share, attached: noRuns, heldOut: noRuns })),
  ];
  return rows
    .sort((a, b) => a.epoch - b.epoch || a.share - b.share)
    .map(({ epoch, share, attached, heldOut }) => {
      const of = known.find((one) => one.epoch === epoch);
      return {
        ...{ epoch, share, state: of?.state ?? null, began_at: of?.at ?? null },
        ...{ reason: of?.reason ?? null, attached: wireArm(attached), held_out: wireArm(heldOut) },
      };
    });
}
