import { surveySettings } from "../src/settings/index.ts";

/** Every name that the service reads from its environment, as the concerns declare them. */
export function settingNames(): Set<string> {
  const { readings } = surveySettings({ OTEL_TRACES_EXPORTER: "otlp" });
  return new Set(readings.map(({ name }) => name));
}
