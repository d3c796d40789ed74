import type { Reader } from "../../settings/environment.ts";
import type { ExtractorSettings } from "../extractor/settings.ts";
import { scopesPattern } from "./scopes.ts";

export interface IngestSettings {
  /** Whether hooks and OTLP are taken over HTTP. */
  readonly ingest: boolean;
  /** Instrumentation scopes of OTLP whose records are taken; empty: all (`scopeFilter`). */
  readonly otlpScopes: string;
}

/** The extractor's are read by the extractor, once. */
export type AllIngestSettings = IngestSettings & Pick<ExtractorSettings, "subject">;

export function ingestSettings(read: Reader): IngestSettings {
  return {
    ingest: read.oneOf("EXPERIENCE_INGEST", "off", ["on", "off"]) === "on",
    otlpScopes: read.matching(
      "EXPERIENCE_OTLP_SCOPES",
      "",
      scopesPattern,
      "names of instrumentation scopes divided by commas, such as openinference.* or !litellm",
    ),
  };
}
