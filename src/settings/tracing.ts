import type { Environment, Reader } from "./environment.ts";

/** Those of OpenTelemetry's standard names that the service must know; its SDK reads the others. */
export interface TracingSettings {
  readonly exporter: "otlp" | "console";
  readonly protocol: (typeof otlpProtocols)[number];
  /** Absent: the exporter's default, http://localhost:4318/v1/traces. */
  readonly url?: string;
  readonly serviceName: string;
}

const otlpProtocols = ["http/protobuf", "http/json"] as const;

/** Traced is where an exporter is named, or where to export to. */
export function tracingSettings(
  env: Environment,
  read: Reader,
  problems: string[],
): TracingSettings | null {
  if (read.boolean("OTEL_SDK_DISABLED", false)) return null;
  const base = read.text("OTEL_EXPORTER_OTLP_ENDPOINT") || undefined;
  const own = read.text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") || undefined;
  const exporters = ["otlp", "console", "none"] as const;
  const exporter = read.oneOf("OTEL_TRACES_EXPORTER", (own ?? base) ? "otlp" : "none", exporters);
  if (exporter === "none") return null;
  const url = own ?? (base && `${base.replace(/\/+$/, "")}/v1/traces`);
  if (url !== undefined && !(URL.canParse(url) && /^https?:$/.test(new URL(url).protocol))) {
    const name = own ? "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" : "OTEL_EXPORTER_OTLP_ENDPOINT";
    // There may be a password in it.
    problems.push(`${name} must be like http://127.0.0.1:4318`);
  }
  const ownProtocol = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL";
  const protocol = env[ownProtocol] ? ownProtocol : "OTEL_EXPORTER_OTLP_PROTOCOL";
  return {
    exporter,
    protocol: read.oneOf(protocol, "http/protobuf", otlpProtocols),
    ...(url !== undefined && { url }),
    serviceName: read.text("OTEL_SERVICE_NAME", "experience-bus"),
  };
}
