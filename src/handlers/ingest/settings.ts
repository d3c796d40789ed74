import type { Reader } from "../../settings/environment.ts";
import type { ExtractorSettings } from "../extractor/settings.ts";

export interface IngestSettings {
  /** Whether hooks and OTLP are taken over HTTP. */
  readonly ingest: boolean;
}

/** The extractor's are read by the extractor, once. */
export type AllIngestSettings = IngestSettings & Pick<ExtractorSettings, "subject">;

export function ingestSettings(read: Reader): IngestSettings {
  return { ingest: read.oneOf("EXPERIENCE_INGEST", "off", ["on", "off"]) === "on" };
}
