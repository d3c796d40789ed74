import { type SQL, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import type { Database } from "../../postgres/client.ts";
import {
  areAlike,
  columnNames,
  columnsOf,
  type Given,
  givenRows,
  namesIn,
  takenFrom,
} from "../../postgres/columns.ts";
import { preparedRows } from "../../postgres/rows.ts";
import { effectChecks, lessonEffects, lessonEpochs, lessonSightings } from "../../schema/tables.ts";
import type { Check } from "./coin-check.ts";
import type { Effect } from "./effect.ts";
import type { NextEpoch } from "./next-epoch.ts";
import { type Change, type Countable, type LedgerReads, openLedgerReads } from "./reads.ts";
import type { Standing } from "./standing.ts";

export interface BegunEpoch extends NextEpoch {
  readonly lessonKey: string;
  readonly tenantId: string;
  readonly epoch: number;
  readonly figures: object;
}

export interface TenantCheck {
  readonly check: Check;
  readonly logE: number;
  readonly broken: boolean;
  readonly lessons: number;
}

/** What is known of effects, and the epochs that follow from it. Every method rejects as `Database.run` does. */
export interface EffectLedger extends LedgerReads {
  save(effects: readonly { readonly of: Countable; readonly effect: Effect }[]): Promise<void>;
  saveChecks(tenantId: string, found: readonly TenantCheck[]): Promise<void>;
  stand(
    standings: readonly { readonly lessonKey: string; readonly standing: Standing }[],
  ): Promise<void>;
  /** Those that somebody else has begun meanwhile stay as they are. */
  begin(epochs: readonly BegunEpoch[]): Promise<number>;
  /** Gives dormant lessons that were sighted again a new trial; resolves to their number. */
  wake(share: number): Promise<number>;
  confirm(change: Change): Promise<void>;
}

/** The database stays its opener's to close. */
export function openEffectLedger(database: Database): EffectLedger {
  const patient = { deadlineMs: 60_000 };
  const save = preparedRows(database, saving(), patient);
  const saveChecks = preparedRows(database, savingChecks(), patient);
  const stand = preparedRows(database, standing(), patient);
  const begin = preparedRows(database, beginning(), patient);
  const wake = preparedRows(database, waking(), patient);
  const confirm = preparedRows(database, confirming(), patient);

  return {
    ...openLedgerReads(database),

    async save(effects) {
      if (effects.length === 0) return;
      const given = effects.map(
        ({ of: { lessonKey, tenantId }, effect }): Given<typeof effectFields> => ({
          ...{ lessonKey, tenantId, effect },
        }),
      );
      await save({ effects: JSON.stringify(given) });
    },
    async saveChecks(tenantId, found) {
      const given = found.map(({ check, ...rest }): Given<typeof checkFields> => {
        return { tenantId, checkName: check, ...rest };
      });
      await saveChecks({ checks: JSON.stringify(given) });
    },
    async stand(standings) {
      if (standings.length === 0) return;
      const given = standings.map(
        ({ lessonKey, standing: { verdict, withheld } }): Given<typeof standingFields> => ({
          ...{ lessonKey, verdict, withheld },
        }),
      );
      await stand({ standings: JSON.stringify(given) });
    },
    async begin(epochs) {
      if (epochs.length === 0) return 0;
      const given = epochs satisfies readonly Given<typeof epochFields>[];
      return (await begin({ epochs: JSON.stringify(given) })).length;
    },
    async wake(share) {
      return (await wake({ share })).length;
    },
    async confirm({ lessonKey, revision }) {
      await confirm({ lessonKey, revision });
    },
  };
}

const effectFields = {
  lessonKey: lessonEffects.lessonKey,
  tenantId: lessonEffects.tenantId,
  effect: lessonEffects.effect,
};

function saving(): SQL {
  const { lessonKey, effect, evaluatedAt } = lessonEffects;
  const names = columnNames(...columnsOf(effectFields));
  return sql`
    INSERT INTO ${lessonEffects} (${names})
    SELECT ${names} FROM ${givenRows(sql.placeholder("effects"), effectFields)} AS given
    ORDER BY ${columnNames(lessonKey)}
    ON CONFLICT (${columnNames(lessonKey)}) DO UPDATE
    SET ${takenFrom("excluded", effect)}, ${columnNames(evaluatedAt)} = clock_timestamp()`;
}

const checkKey = { tenantId: effectChecks.tenantId, checkName: effectChecks.checkName };
const checked = {
  logE: effectChecks.logE,
  broken: effectChecks.broken,
  lessons: effectChecks.lessons,
};
const checkFields = { ...checkKey, ...checked };

function savingChecks(): SQL {
  const names = columnNames(...columnsOf(checkFields));
  return sql`
    INSERT INTO ${effectChecks} (${names})
    SELECT ${names} FROM ${givenRows(sql.placeholder("checks"), checkFields)} AS given
    ON CONFLICT (${columnNames(...columnsOf(checkKey))}) DO UPDATE
    SET ${takenFrom("excluded", ...columnsOf(checked))}, ${columnNames(effectChecks.at)} = clock_timestamp()`;
}

const standingFields = {
  lessonKey: lessonEffects.lessonKey,
  verdict: lessonEffects.verdict,
  withheld: lessonEffects.withheld,
};

function standing(): SQL {
  const of = lessonEffects;
  const kept = alias(of, "kept");
  const stays = areAlike("kept", "given", of.verdict);
  return sql`
    UPDATE ${of} AS kept SET ${takenFrom("given", of.verdict, of.withheld)},
      ${columnNames(of.previous)} = CASE WHEN ${stays} THEN ${kept.previous} ELSE ${kept.verdict} END,
      ${columnNames(of.revision)} = CASE WHEN ${stays} THEN ${kept.revision} ELSE ${kept.revision} + 1 END,
      ${columnNames(of.changedAt)} = CASE WHEN ${stays} THEN ${kept.changedAt} ELSE clock_timestamp() END
    FROM ${givenRows(sql.placeholder("standings"), standingFields)} AS given
    WHERE ${areAlike("kept", "given", of.lessonKey)}
      AND (${namesIn("kept", of.verdict, of.withheld)}) IS DISTINCT FROM (${namesIn("given", of.verdict, of.withheld)})`;
}

const epochFields = {
  tenantId: lessonEpochs.tenantId,
  lessonKey: lessonEpochs.lessonKey,
  epoch: lessonEpochs.epoch,
  share: lessonEpochs.share,
  state: lessonEpochs.state,
  verdict: lessonEpochs.verdict,
  benefit: lessonEpochs.benefit,
  reason: lessonEpochs.reason,
  figures: lessonEpochs.figures,
};

function beginning(): SQL {
  const { lessonKey, epoch } = lessonEpochs;
  const known = alias(lessonEpochs, "known");
  const names = columnNames(...columnsOf(epochFields));
  return sql`
    INSERT INTO ${lessonEpochs} (${names})
    SELECT ${names} FROM ${givenRows(sql.placeholder("epochs"), epochFields)} AS given
    WHERE NOT EXISTS (SELECT FROM ${lessonEpochs} AS known
      WHERE ${areAlike("known", "given", lessonKey)} AND ${known.epoch} >= ${namesIn("given", epoch)})
    ORDER BY ${columnNames(lessonKey)} ON CONFLICT DO NOTHING RETURNING 1`;
}

/** By a sighting that was stored after the lesson fell asleep. */
function waking(): SQL {
  const of = lessonEpochs;
  const [slept, newer] = [alias(of, "slept"), alias(of, "newer")];
  const seen = alias(lessonSightings, "seen");
  return sql`
    INSERT INTO ${of} (${columnNames(of.tenantId, of.lessonKey, of.epoch, of.share, of.state, of.verdict, of.reason)})
    SELECT ${slept.tenantId}, ${slept.lessonKey}, ${slept.epoch} + 1, ${sql.placeholder("share")}::float8, 'trial',
      'insufficient_data', 'it was seen again'
    FROM ${of} AS slept
    WHERE ${slept.state} = 'dormant'
      AND NOT EXISTS (SELECT FROM ${of} AS newer
        WHERE ${newer.lessonKey} = ${slept.lessonKey} AND ${newer.epoch} > ${slept.epoch})
      AND EXISTS (SELECT FROM ${lessonSightings} AS seen
        WHERE ${seen.lessonKey} = ${slept.lessonKey} AND ${seen.ts} > ${slept.at})
    ORDER BY ${slept.lessonKey} ON CONFLICT DO NOTHING RETURNING 1`;
}

function confirming(): SQL {
  const { lessonKey, published } = lessonEffects;
  return sql`
    UPDATE ${lessonEffects} SET ${columnNames(published)} = greatest(${published}, ${sql.placeholder("revision")}::int)
    WHERE ${lessonKey} = ${sql.placeholder("lessonKey")}`;
}
