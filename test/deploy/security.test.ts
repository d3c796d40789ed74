import { describe, expect, it } from "vitest";
import { kustomize, ofKind, type Resource, render, renders, workloads } from "./kustomize.ts";

describe.skipIf(kustomize === null).each(renders)("every pod of %s", (path) => {
  const resources = render(path);
  const pods = workloads(resources).map(
    ({ kind, metadata, ...rest }) =>
      [`${kind} ${metadata.name}`, (rest as unknown as Resource)["spec"].template.spec] as const,
  );
  const containersOf = (pod: Resource): Resource[] => [
    ...(pod["initContainers"] ?? []),
    ...pod["containers"],
  ];

  it("is there", () => {
    expect(pods.length).toBeGreaterThan(0);
  });

  it.each(pods)("%s holds to the restricted pod security standard", (_, pod) => {
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: "RuntimeDefault" },
    });
    expect(pod.securityContext.runAsUser).toBeGreaterThan(0);
    expect([pod.hostNetwork, pod.hostPID, pod.hostIPC]).toEqual([undefined, undefined, undefined]);
    for (const volume of pod.volumes ?? []) expect(volume).not.toHaveProperty("hostPath");
    for (const { securityContext } of containersOf(pod)) {
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
    }
  });

  it.each(pods)("%s has no token of the Kubernetes API", (_, pod) => {
    expect(pod.automountServiceAccountToken).toBe(false);
    const [account] = ofKind(resources, "ServiceAccount");
    expect(account?.metadata.name).toBe(pod.serviceAccountName);
    expect(account?.["automountServiceAccountToken"]).toBe(false);
  });

  it.each(pods)("%s asks for what it needs and cannot take all memory", (_, pod) => {
    for (const { resources } of containersOf(pod)) {
      expect(Object.keys(resources.requests).sort()).toEqual(["cpu", "memory"]);
      expect(resources.limits).toHaveProperty("memory");
    }
  });

  it.each(pods)("%s takes passwords from Secrets alone", (_, pod) => {
    for (const { env = [] } of containersOf(pod)) {
      for (const { name, value } of env) {
        if (/URL|PASSWORD|TOKEN/.test(name)) expect(value, name).toBeUndefined();
      }
    }
    for (const { metadata, data } of ofKind(resources, "ConfigMap")) {
      expect(Object.keys(data), metadata.name).not.toContain("LEARNER_DATABASE_URL");
      expect(Object.keys(data).join(), metadata.name).not.toMatch(/PASSWORD|TOKEN/);
      expect(data.NATS_URL).not.toContain("@");
    }
    expect(ofKind(resources, "Secret")).toEqual([]);
  });
});
