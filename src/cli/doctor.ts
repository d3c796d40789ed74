import type { Command } from "commander";
import { examineCertificates } from "../doctor/certificates.ts";
import { examine, type Finding, type Report } from "../doctor/finding.ts";
import { examineMissions } from "../doctor/missions.ts";
import { examineNats } from "../doctor/nats.ts";
import { examinePostgres } from "../doctor/postgres.ts";
import { readSettings } from "../settings/index.ts";
import { environmentFor, type GlobalOptions } from "./ask.ts";
import { Ended, exitCodes } from "./exit.ts";
import { printJson } from "./print.ts";
import { printable } from "./table.ts";

/** `doctor`: looks at everything that the service depends on, from where and as whom it is run. */
export function addDoctorCommand(program: Command): void {
  program
    .command("doctor")
    .description("looks for what keeps the service from working; changes nothing")
    .addHelpText(
      "after",
      `
Run it with the service's environment, so that it sees what the service sees: reachability, credentials, permissions
one by one, server versions, max_payload, what exists in JetStream against the settings, migrations, clocks,
certificates, and whether the planner of missions is there. It ends with 1 where a check failed; a warning alone is no failure.

Examples:
  experience-bus doctor
  experience-bus doctor --json --timeout 2
  kubectl exec deploy/experience-bus -- node dist/cli/main.js doctor`,
    )
    .action((_: object, command: Command) => run(command.optsWithGlobals<GlobalOptions>()));
}

async function run(global: GlobalOptions): Promise<void> {
  const settings = readSettings(environmentFor(global));
  const timeoutMs = global.timeout * 1_000;
  const findings = settings.warnings.map(
    (text): Finding => ({ check: "settings", status: "warning", text }),
  );
  if (!global.json) for (const finding of findings) console.log(line(finding));
  // All at once, told in their order: who waits for a server that is silent waits for the others meanwhile.
  const parts = [examineNats, examinePostgres, examineCertificates, examineMissions].map(
    (examinePart) => collect((report) => examinePart(settings, timeoutMs, report)),
  );
  for (const part of parts) {
    const found = await part;
    findings.push(...found);
    if (!global.json) for (const finding of found) console.log(line(finding));
  }
  const count = (status: Finding["status"]) =>
    findings.filter((finding) => finding.status === status).length;
  const [failed, warnings] = [count("failed"), count("warning")];
  if (global.json) printJson({ findings, failed, warnings });
  else
    console.log(
      `\n${failed} failed, ${warnings} ${warnings === 1 ? "warning" : "warnings"}, ${count("ok")} passed`,
    );
  if (failed > 0) throw new Ended(exitCodes.failed);
}

async function collect(work: (report: Report) => Promise<void>): Promise<Finding[]> {
  const findings: Finding[] = [];
  const report: Report = (finding) => findings.push(finding);
  await examine(report, "doctor", () => work(report));
  return findings;
}

const marks = { ok: "ok    ", warning: "warn  ", failed: "FAILED" } as const;

function line({ check, status, text }: Finding): string {
  return printable(`${marks[status]}  ${check}: ${text}`);
}
