import { createHash } from "node:crypto";
import { access, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { findOnPath, runCommand } from "../../src/embedded/command.ts";
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
  obtained(
    "go",
    "the nats command",
    cachedBinary(process.env, `nats-${natscli}`),
    async (target) => {
      const folder = `${target}-${process.pid}`;
      await runCommand("go", ["install", `github.com/nats-io/natscli/nats@v${natscli}`], {
        env: { ...process.env, GOBIN: folder },
        timeoutMs: 400_000,
      });
      await rename(join(folder, "nats"), target);
      await rm(folder, { recursive: true, force: true });
    },
  );

/** A Python with the clients that agents use, in a virtual environment made once. */
export function pythonWithClients(): Promise<string | null> {
  const names = createHash("sha256").update(pythonPackages.join()).digest("hex").slice(0, 12);
  const folder = join(dirname(cachedBinary(process.env, "python")), `python-${names}`);
  return obtained("python3", "Python's clients", join(folder, "bin", "python"), async () => {
    const made = `${folder}-${process.pid}`;
    await runCommand("python3", ["-m", "venv", made]);
    const install = ["-m", "pip", "install", "--quiet", ...pythonPackages];
    try {
      await runCommand(join(made, "bin", "python"), install, { timeoutMs: 200_000 });
      await rename(made, folder);
    } finally {
      await rm(made, { recursive: true, force: true });
    }
  });
}

const aiSdk = "7.0.173";

/** Where the modules of AI SDK 7 are, installed with npm once. */
export async function aiSdk7(): Promise<{ readonly main: string; readonly test: string } | null> {
  const folder = join(dirname(cachedBinary(process.env, "ai")), `ai-${aiSdk}`);
  const dist = join(folder, "node_modules", "ai", "dist");
  const found = await obtained("npm", "AI SDK 7", join(dist, "index.js"), async () => {
    const made = `${folder}-${process.pid}`;
    const install = ["install", "--silent", "--no-audit", "--no-fund", "--prefix", made];
    await mkdir(made, { recursive: true });
    await runCommand("npm", [...install, `ai@${aiSdk}`], { timeoutMs: 120_000 });
    await rename(made, folder);
  });
  return found === null ? null : { main: found, test: join(dist, "test", "index.js") };
}

/** The newest that runs on Node.js 20. */
const inspector = "1.0.3";

/** The command of the MCP inspector that needs no browser, installed with npm once. */
export function mcpInspector(): Promise<string | null> {
  const folder = join(dirname(cachedBinary(process.env, "mcp")), `mcp-inspector-${inspector}`);
  const program = "node_modules/@modelcontextprotocol/inspector-cli/build/index.js";
  return obtained("npm", "the MCP inspector", join(folder, program), async () => {
    const made = `${folder}-${process.pid}`;
    const install = ["install", "--silent", "--no-audit", "--no-fund", "--prefix", made];
    await mkdir(made, { recursive: true });
    const what = `@modelcontextprotocol/inspector-cli@${inspector}`;
    await runCommand("npm", [...install, what], { timeoutMs: 120_000 });
    // It looks for its version where it would be as a part of the whole inspector, with its pages.
    const versions = join(made, "node_modules/@modelcontextprotocol/package.json");
    await writeFile(versions, JSON.stringify({ name: "inspector", version: inspector }));
    await rename(made, folder);
  });
}

/**
 * Null where it cannot be had. In CI, where tests must not be left out, throws why, unless the machine lacks the tool itself:
 * what a user runs needs none of them.
 */
async function obtained(
  tool: string,
  what: string,
  target: string,
  make: (target: string) => Promise<void>,
): Promise<string | null> {
  if (await isThere(target)) return target;
  try {
    await make(target);
    return target;
  } catch (error) {
    // Another test file has made it meanwhile.
    if (await isThere(target)) return target;
    const text = `${what} cannot be had, and tests need it: ${messageOf(error)}`;
    const hasTool = (await findOnPath(tool, process.env)) !== undefined;
    if (process.env["CI"] && hasTool) throw new Error(text, { cause: error });
    console.error(text);
    return null;
  }
}

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
