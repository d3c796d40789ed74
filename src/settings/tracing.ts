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
  const disabled = read.boolean("OTEL_SDK_DISABLED", false);
  const base = read.text("OTEL_EXPORTER_OTLP_ENDPOINT") || undefined;
  const own = read.text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") || undefined;
  const exporters = ["otlp", "console", "none"] as const;
  const choose = chooser(read);
  const named = (own ?? base) ? "otlp" : "none";
  const exporter = choose("OTEL_TRACES_EXPORTER", !disabled, named, exporters);
  const isTraced = !disabled && exporter !== "none";
  const isGeneral = isTraced && !env["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"];
  const [fallback, all] = ["http/protobuf", otlpProtocols] as const;
  const general = choose("OTEL_EXPORTER_OTLP_PROTOCOL", isGeneral, fallback, all);
  const protocol = choose("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", isTraced, general, all);
  const serviceName = read.text("OTEL_SERVICE_NAME", "experience-bus");
  if (disabled || exporter === "none") return null;
  const url = own ?? (base && `${base.replace(/\/+$/, "")}/v1/traces`);
  if (url !== undefined && !(URL.canParse(url) && /^https?:$/.test(new URL(url).protocol))) {
    const name = own ? "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" : "OTEL_EXPORTER_OTLP_ENDPOINT";
    // There may be a password in it.
    problems.push(`${name} must be like http://127.0.0.1:4318`);
  }
  return {
    exporter,
    protocol,
    ...(url !== undefined && { url }),
    serviceName,
  };
}

/** What is not in force may be meant for others, and so be anything: it is noted, not checked. */
function chooser(read: Reader) {
  return <T extends string>(
    name: string,
    inForce: boolean,
    fallback: T,
    values: readonly T[],
  ): T => {
    if (inForce) return read.oneOf(name, fallback, values);
    read.text(name, fallback);
    return fallback;
  };
}
