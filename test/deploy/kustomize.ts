import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";

/** What kustomize prints, as far as the tests ask about it. */
export interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Record<string, string>;
  };
  // biome-ignore lint/suspicious/noExplicitAny: resources have many shapes, and their schemas are checked
  readonly [field: string]: any;
}

export const overlays = ["development", "production", "by-concern"] as const;
export const renders = ["base", ...overlays.map((name) => `overlays/${name}`)];

const advice =
  "kustomize 5, or kubectl of 1.27 and later, is needed to render the manifests: apt-get install kustomize (Debian 13)";

/** Null: this machine has none. Throws in CI, where that would leave the manifests unchecked. */
export const kustomize = findKustomize();

function findKustomize(): readonly string[] | null {
  const isThere = (command: string, args: string[]) => spawnSync(command, args).status === 0;
  if (isThere("kustomize", ["version"])) return ["kustomize", "build"];
  // An older kubectl has a kustomize that knows no components, and does not tell its version.
  const { stdout } = spawnSync("kubectl", ["version", "--client", "--output=json"]);
  const version = /"kustomizeVersion": *"v(\d+)/.exec(String(stdout))?.[1];
  if (Number(version) >= 5) return ["kubectl", "kustomize"];
  if (process.env["CI"] === "true") throw new Error(advice);
  console.warn(`skipped: ${advice}`);
  return null;
}

const folder = fileURLToPath(new URL("../../deploy/kubernetes", import.meta.url));

/** `path` below deploy/kubernetes, or any folder. Nothing without kustomize: skipped tests are collected all the same. */
export function render(path: string): Resource[] {
  if (kustomize === null) return [];
  const [command = "", ...args] = kustomize;
  const { status, stdout, stderr } = spawnSync(command, [...args, path], {
    cwd: folder,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${path}: ${stderr}`);
  return parseAllDocuments(stdout).map((document) => document.toJS() as Resource);
}

export function ofKind(resources: readonly Resource[], kind: string): Resource[] {
  return resources.filter((resource) => resource.kind === kind);
}

/** The pod templates of a rendering: Deployments' and Jobs'. */
export function workloads(resources: readonly Resource[]): Resource[] {
  return [...ofKind(resources, "Deployment"), ...ofKind(resources, "Job")];
}
