import { openPositions } from "../../postgres/positions.ts";
import type { ConcernContext, RunningConcern } from "../concern.ts";
import { historyEndpoints } from "./endpoints.ts";
import type { HistorySettings } from "./settings.ts";
import { openLearnedTables } from "./store.ts";

/** As long as a request may take. */
const rootDeadlineMs = 9_500;

export async function openHistory(
  context: ConcernContext<HistorySettings>,
): Promise<RunningConcern> {
  const { opened, settings } = context;
  const { js, jsm, database } = opened;
  const stopping = new AbortController();
  return {
    parts: [
      {
        endpoints: historyEndpoints({
          ...{ js, jsm, settings, signal: stopping.signal },
          ...{
            tables: openLearnedTables(database, rootDeadlineMs),
            positions: openPositions(database),
          },
        }),
      },
    ],
    async stop() {
      stopping.abort();
    },
  };
}
