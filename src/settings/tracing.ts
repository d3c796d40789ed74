import type { Environment, Reader } from "./environment.ts";

/** Those of OpenTelemetry's standard names that the service must know; its SDK reads the others. */
export interface TracingSettings {
  /** At least one. */
  readonly exporters: readonly ("otlp" | "console")[];
  readonly protocol: (typeof otlpProtocols)[number];
  /** Absent: the exporter's default, http://localhost:4318/v1/traces. */
  readonly url?: string;
  readonly serviceName: string;
}

const otlpProtocols = ["http/protobuf", "http/json"] as const;
type Warn = (warning: string) => void;

/**
 * Traced is where an exporter is named, or where to export to. The variables are one platform's for all of its
 * programs, so whatever the standard allows and is not here (gRPC, other exporters) is warned of and left out; the same
 * goes for what it does not allow, as the standard wants it ("SHOULD generate a warning and gracefully ignore").
 */
export function tracingSettings(
  env: Environment,
  read: Reader,
  warn: Warn,
): TracingSettings | null {
  const disabled = isDisabled(read.text("OTEL_SDK_DISABLED", "false"), warn);
  const base = read.text("OTEL_EXPORTER_OTLP_ENDPOINT") || undefined;
  const own = read.text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") || undefined;
  const named = read.text("OTEL_TRACES_EXPORTER", (own ?? base) ? "otlp" : "none");
  const general = read.text("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
  const spoken = read.text("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", general);
  const serviceName = read.text("OTEL_SERVICE_NAME", "experience-bus");
  if (disabled) return null;
  const exporters = exportersOf(named, warn);
  const protocol = otlpProtocols.find((one) => one === spoken.trim().toLowerCase());
  const url = own ?? (base && `${base.replace(/\/+$/, "")}/v1/traces`);
  const hindrances: string[] = [];
  if (protocol === undefined) {
    const isOwn = Boolean(env["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"]);
    const name = isOwn ? "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL" : "OTEL_EXPORTER_OTLP_PROTOCOL";
    const remedy = "set http/protobuf, and the endpoint to the collector's HTTP port (4318)";
    hindrances.push(`${name}=${spoken} is not spoken: no traces go out by OTLP; ${remedy}`);
  }
  if (url !== undefined && !(URL.canParse(url) && /^https?:$/.test(new URL(url).protocol))) {
    const name = own ? "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" : "OTEL_EXPORTER_OTLP_ENDPOINT";
    // There may be a password in it.
    hindrances.push(`${name} must be like http://127.0.0.1:4318: no traces go out by OTLP`);
  }
  if (exporters.includes("otlp")) for (const hindrance of hindrances) warn(hindrance);
  const usable = hindrances.length === 0 ? exporters : exporters.filter((one) => one !== "otlp");
  if (usable.length === 0) return null;
  return {
    exporters: usable,
    protocol: protocol ?? "http/protobuf",
    ...(url !== undefined && { url }),
    serviceName,
  };
}

/** Of a boolean the standard takes `true` in any case for true, and everything else for false. */
function isDisabled(text: string, warn: Warn): boolean {
  const value = text.trim().toLowerCase();
  if (value !== "true" && value !== "false") {
    warn(`OTEL_SDK_DISABLED=${text} counts as false: true or false is meant`);
  }
  return value === "true";
}

/** A list separated by commas. */
function exportersOf(text: string, warn: Warn): ("otlp" | "console")[] {
  const known = { otlp: "otlp", console: "console", logging: "console", none: null } as const;
  const names = text.split(",").map((name) => name.trim().toLowerCase());
  const found = new Set<"otlp" | "console">();
  for (const name of names.filter((one) => one !== "")) {
    const exporter = Object.hasOwn(known, name) ? known[name as keyof typeof known] : undefined;
    if (exporter) found.add(exporter);
    if (exporter !== undefined) continue;
    warn(`OTEL_TRACES_EXPORTER: no traces go to "${name}"; known are otlp, console and none`);
  }
  return [...found];
}
