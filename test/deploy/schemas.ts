import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Resource } from "./kustomize.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The module of `@kubernetes-models` that knows resources of this kind. */
function modelOf({ apiVersion, kind }: Resource): string {
  const group = apiVersion.includes("/") ? apiVersion.split("/")[0] : "";
  if (group === "keda.sh") return `@kubernetes-models/keda/${apiVersion}/${kind}`;
  if (group === "monitoring.coreos.com") {
    return `@kubernetes-models/prometheus-operator/${apiVersion}/${kind}`;
  }
  return `kubernetes-models/${apiVersion}/${kind}`;
}

/** What the resource's schema says against it: types, required fields, patterns. Unknown fields it lets pass. */
export async function schemaProblems(resource: Resource): Promise<string[]> {
  const { [resource.kind]: Model } = await import(modelOf(resource));
  try {
    new Model(structuredClone(resource)).validate();
    return [];
  } catch (error) {
    return [`${resource.kind} ${resource.metadata.name}: ${(error as Error).message}`];
  }
}

/** `fallback.behavior` of a ScaledObject: the last package of its schemas for Node.js 20 lacks it. */
const newInKeda = `'"behavior"' does not exist in type '{ failureThreshold: number; replicas: number; }'`;

/**
 * Fields that no resource of its kind has, and values that none may have: the compiler compares each resource, as a
 * literal, with the interface that the same packages make from the schema.
 */
export function unknownFields(resources: readonly Resource[]): string[] {
  const folder = mkdtempSync(join(root, "node_modules", ".manifests-"));
  try {
    const lines = resources.map(
      (resource, i) =>
        `import type { I${resource.kind} as I${i} } from "${modelOf(resource)}";\nexport const of${i}: I${i} = ${JSON.stringify(resource)};`,
    );
    writeFileSync(join(folder, "manifests.ts"), lines.join("\n"));
    const compilerOptions = {
      ...{ strict: true, noEmit: true, skipLibCheck: true, types: [] },
      ...{ target: "es2023", module: "nodenext" },
    };
    const config = JSON.stringify({ compilerOptions, files: ["manifests.ts"] });
    writeFileSync(join(folder, "tsconfig.json"), config);
    writeFileSync(join(folder, "package.json"), `{"type":"module"}`);
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const run = spawnSync(process.execPath, [tsc, "-p", folder, "--pretty", "false"], {
      encoding: "utf8",
    });
    if (run.status === 0) return [];
    const errors = run.stdout.split("\n").filter((line) => line.includes("error"));
    return errors.filter((line) => !line.includes(newInKeda));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
