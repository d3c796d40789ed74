import { createHash } from "node:crypto";
import { rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isExecutable, runCommand } from "../../src/embedded/command.ts";
import { cachedBinary } from "../../src/embedded/nats-binary.ts";
import { messageOf } from "../../src/errors.ts";

const natscli = "0.5.1";
const pythonPackages = [
  "mcp==2.3.0",
  "nats-py==2.16.0",
  "opentelemetry-exporter-otlp-proto-http==1.45.2",
  "opentelemetry-sdk==1.45.2",
];

/** The `nats` command that people look at services with, built with Go once. */
export const natsCommand = (): Promise<string | null> =>
  obtained("the nats command", cachedBinary(process.env, `nats-${natscli}`), async (target) => {
    const folder = `${target}-${process.pid}`;
    await runCommand("go", ["install", `github.com/nats-io/natscli/nats@v${natscli}`], {
      env: { ...process.env, GOBIN: folder },
      timeoutMs: 400_000,
    });
    await rename(join(folder, "nats"), target);
    await rm(folder, { recursive: true, force: true });
  });

/** A Python with the clients that agents use, in a virtual environment made once. */
export function pythonWithClients(): Promise<string | null> {
  const names = createHash("sha256").update(pythonPackages.join()).digest("hex").slice(0, 12);
  const folder = join(dirname(cachedBinary(process.env, "python")), `python-${names}`);
  return obtained("Python's clients", join(folder, "bin", "python"), async () => {
    const made = `${folder}-${process.pid}`;
    await runCommand("python3", ["-m", "venv", made]);
    const install = ["-m", "pip", "install", "--quiet", ...pythonPackages];
    await runCommand(join(made, "bin", "python"), install, { timeoutMs: 200_000 });
    await rename(made, folder);
  });
}

/** Null where it cannot be had; where tests must not be left out, as in CI, throws why. */
async function obtained(
  what: string,
  target: string,
  make: (target: string) => Promise<void>,
): Promise<string | null> {
  if (await isExecutable(target)) return target;
  try {
    await make(target);
    return target;
  } catch (error) {
    const text = `${what} cannot be had, and tests need it: ${messageOf(error)}`;
    if (process.env["CI"]) throw new Error(text, { cause: error });
    console.error(text);
    return null;
  }
}
