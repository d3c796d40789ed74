import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, inject, onTestFinished, test } from "vitest";
import { connectOnce } from "../../src/nats/connect.ts";
import { readNatsSettings } from "../../src/settings/index.ts";
import { startSecuredBroker } from "./secured.ts";

const run = promisify(execFile);
const readme = new URL("../../deploy/nats/README.md", import.meta.url);

/** Made as the README says; resolves to their folder. */
async function makeCertificates(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "experience-bus-tls-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [, commands = ""] =
    /```sh\n(mkdir -p certs.*?)```/s.exec(readFileSync(readme, "utf8")) ?? [];
  await run("sh", ["-e", "-c", commands], { cwd: folder });
  return join(folder, "certs");
}

test("with the certificates of the README the server speaks TLS, and only with whoever trusts them", async () => {
  const certificates = await makeCertificates();
  const include = (config: string) => config.replace('# include "tls.conf"', 'include "tls.conf"');
  const broker = await startSecuredBroker(inject("natsBinary"), include, certificates);
  const env = broker.env("operator");
  const trusting = readNatsSettings({ ...env, NATS_CA: join(certificates, "ca.pem") });
  const nc = await connectOnce(trusting, 5_000);
  expect(nc.info).toMatchObject({ tls_required: true });
  await nc.close();
  await expect(connectOnce(readNatsSettings(env), 5_000)).rejects.toThrow(/certificate/);
});
