import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { hostOf, serversOf } from "../nats/connect.ts";
import { targetOf } from "../postgres/url.ts";
import type { Settings } from "../settings/index.ts";
import { examine, type Report } from "./finding.ts";
import { natsCertificate, postgresCertificate } from "./shown-certificate.ts";

const dayMs = 86_400_000;
/** Enough to renew a certificate by hand. */
const soonMs = 14 * dayMs;

/** Says since when and until when a certificate is good. */
export function judgeValidity(
  { validFrom, validTo }: Pick<X509Certificate, "validFrom" | "validTo">,
  now: number,
): [status: "ok" | "warning" | "failed", text: string] {
  const [from, to] = [new Date(validFrom), new Date(validTo)];
  const left = to.getTime() - now;
  if (from.getTime() > now) return ["failed", `not valid before ${dateOf(from)}`];
  if (left <= 0) return ["failed", `expired on ${dateOf(to)}`];
  const days = `${Math.floor(left / dayMs)} days left, until ${dateOf(to)}`;
  return [left < soonMs ? "warning" : "ok", days];
}

function dateOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}

/** Certificates in files of ours, and those that the servers show. */
export async function examineCertificates(
  { nats: { url, ca, cert, tlsFirst }, databaseUrl }: Settings,
  timeoutMs: number,
  report: Report,
): Promise<void> {
  if (ca !== undefined) await examineFile("NATS_CA", ca, report);
  if (cert !== undefined) await examineFile("NATS_CERT", cert, report);
  const ofNats = serversOf(url).map((server) => {
    const { host, port, protocol } = new URL(server);
    const place = { host: hostOf(server), port: Number(port || 4222) };
    return {
      name: `NATS at ${host}`,
      shown: natsCertificate(place, tlsFirst ? "first" : protocol === "tls:", timeoutMs),
    };
  });
  const ofPostgres = targetOf(databaseUrl).hosts.flatMap((place) =>
    "path" in place
      ? []
      : {
          name: `PostgreSQL at ${place.host}:${place.port}`,
          shown: postgresCertificate(place, timeoutMs),
        },
  );
  for (const { name, shown } of [...ofNats, ...ofPostgres]) {
    await examine(report, `certificate of ${name}`, async (found) => {
      const certificate = await shown;
      if (certificate === null) return;
      const [status, text] = judgeValidity(certificate, Date.now());
      found[status](text);
    });
  }
}

/**
 * A chain needs each of its certificates. Of a bundle of authorities one may have expired, as the old one
 * does after a change; only where none is good nothing can be trusted.
 */
async function examineFile(
  setting: "NATS_CA" | "NATS_CERT",
  file: string,
  report: Report,
): Promise<void> {
  await examine(report, `certificate in ${setting}`, async (found) => {
    const text = await readFile(file, "utf8");
    const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
    if (blocks.length === 0) found.failed("there is none in the file");
    const judged = blocks.map((block) => judgeValidity(new X509Certificate(block), Date.now()));
    const isNeeded = setting === "NATS_CERT" || judged.every(([status]) => status === "failed");
    const good = judged.filter(([status]) => status === "ok").length;
    if (blocks.length > 1 && good > 0) found.ok(`${good} of ${blocks.length} are good`);
    for (const [i, [status, validity]] of judged.entries()) {
      if (blocks.length > 1 && status === "ok") continue;
      const number = blocks.length > 1 ? `number ${i + 1} of ${blocks.length}: ` : "";
      const weight = status === "failed" && !isNeeded ? "warning" : status;
      found[weight](number + validity);
    }
  });
}
