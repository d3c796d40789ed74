import { setTimeout as wait } from "node:timers/promises";
import type { StoredMessage } from "../../runtime/delivery.ts";
import { type KeptRecord, keptRecord } from "./exposure.ts";
import type { ExposureTables } from "./store.ts";

/** The tables may lag, and one statement for many runs costs little more than for one. */
const gatheringMs = 50;

/** Writes what runs were told into the tables; however often and in whatever order it is delivered, the first arm stays. */
export function exposureConsumption(
  source: { readonly stream: string; readonly durable: string },
  tables: Pick<ExposureTables, "store">,
  onStored: (exposures: number) => void,
) {
  return {
    ...source,
    decode: ({ data, storedAt }: StoredMessage): KeptRecord => keptRecord(data, storedAt),
    async handle(records: readonly KeptRecord[]): Promise<void> {
      if (records.length === 0) return;
      await wait(gatheringMs);
      onStored(await tables.store(records));
    },
  };
}
