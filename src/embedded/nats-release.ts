import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Dispatcher } from "undici";
import { messageOf } from "../errors.ts";
import { runCommand } from "./command.ts";
import { type FetchOptions, installFile, withScratchFolder } from "./nats-install.ts";

const version = "2.14.5";

/** SHA-256 of the archives, as the official container images pin them (nats-io/nats-docker). */
const checksums: Partial<Record<string, { name: string; sha256: string }>> = {
  "linux-x64": {
    name: `nats-server-v${version}-linux-amd64`,
    sha256: "5e3b603d47c447bda1f77f9ac16dbf91c90aac4ff3681f8fbbc7201e4ed99355",
  },
  "linux-arm64": {
    name: `nats-server-v${version}-linux-arm64`,
    sha256: "673a98d3faa79dde3f9ebf16d6dfac36a5f694e7ad2015e4954dd7939c85cd4c",
  },
};

const connectMs = 5_000;
const downloadMs = 120_000;

/** Installs the pinned official release. Throws when it cannot be reached or is not what was pinned. */
export async function fetchRelease({ target, env, log, signal }: FetchOptions): Promise<void> {
  const archive = checksums[`${process.platform}-${process.arch}`];
  if (archive === undefined) {
    throw new Error(`no release is pinned for ${process.platform} ${process.arch}`);
  }
  const url = `https://github.com/nats-io/nats-server/releases/download/v${version}/${archive.name}.tar.gz`;
  log(`downloading nats-server ${version} from ${new URL(url).host}`);
  const bytes = await download(url, env, signal);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (sha256 !== archive.sha256) throw new Error(`${url} has the wrong checksum ${sha256}`);

  await withScratchFolder(async (folder) => {
    const file = join(folder, "release.tar.gz");
    await writeFile(file, bytes);
    await runCommand("tar", ["-xzf", file, "-C", folder], { timeoutMs: 60_000, signal });
    await installFile(join(folder, archive.name, "nats-server"), target);
  });
}

/**
 * A closed network must not stall the start: the headers have a short limit of their own, the body a
 * long one.
 */
async function download(
  url: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  // Node.js itself heeds no proxy before version 24.
  const { Agent, ProxyAgent, fetch } = await import("undici");
  const slow = new AbortController();
  const stop = (seconds: number) => slow.abort(new Error(`no answer within ${seconds} s`));
  let limit = setTimeout(stop, connectMs, connectMs / 1000);
  let dispatcher: Dispatcher | undefined;
  try {
    const proxy = proxyFor(url, env);
    dispatcher = proxy === undefined ? new Agent() : new ProxyAgent(proxy);
    const signals = signal === undefined ? [slow.signal] : [slow.signal, signal];
    const response = await fetch(url, { signal: AbortSignal.any(signals), dispatcher });
    clearTimeout(limit);
    limit = setTimeout(stop, downloadMs, downloadMs / 1000);
    if (!response.ok) throw new Error(`status ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw new Error(`${url} cannot be fetched (${rootOf(error)})`, { cause: error });
  } finally {
    clearTimeout(limit);
    await dispatcher?.destroy();
  }
}

/** What the innermost error says. */
function rootOf(error: unknown): string {
  return error instanceof Error && error.cause !== undefined
    ? rootOf(error.cause)
    : messageOf(error);
}

/**
 * The proxy for this URL (https), as curl reads the variables; undefined where it is to be fetched without. NO_PROXY
 * names hosts with all that is below them, or everything with `*`.
 */
export function proxyFor(url: string, env: NodeJS.ProcessEnv): string | undefined {
  const of = (name: string) => env[name.toLowerCase()] || env[name] || "";
  const proxy = of("HTTPS_PROXY") || of("ALL_PROXY");
  if (proxy === "") return undefined;
  const { hostname } = new URL(url);
  const spared = of("NO_PROXY")
    .toLowerCase()
    .split(/[\s,]+/);
  const hosts = spared.map((one) => one.replace(/^\*?\./, "").replace(/:\d+$/, ""));
  const isSpared = hosts.some(
    (host) => host === "*" || (host !== "" && `.${hostname}`.endsWith(`.${host}`)),
  );
  if (isSpared) return undefined;
  return proxy.includes("://") ? proxy : `http://${proxy}`;
}
