import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { type Resource, render } from "./kustomize.ts";

const manifests = fileURLToPath(new URL("../../deploy/kubernetes", import.meta.url));

/** With one component switched on, as an overlay of a user's own would have it. */
export function renderWith(component: string, resources = "base"): Resource[] {
  return renderOverlay(
    (manifests) => `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [${manifests}/${resources}]
components: [${manifests}/components/${component}]
`,
  );
}

/** An overlay outside the repository; its text is told the path to deploy/kubernetes. */
export function renderOverlay(text: (manifests: string) => string): Resource[] {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), "experience-bus-overlay-"));
  try {
    // kustomize follows relative paths only.
    const to = relative(folder, realpathSync(manifests));
    writeFileSync(join(folder, "kustomization.yaml"), text(to));
    return render(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
