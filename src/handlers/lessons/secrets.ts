import { maskSecrets, maskSecretsOfId } from "../../schema/secrets.ts";

/** Masked as the extractor masks them in events: two that differ stay different. */
const ids = ["tenant_id", "agent_id", "task_type", "run_id"] as const;
const names = ["tool", "provider", "model"] as const;

type Names = Partial<Record<(typeof ids)[number] | (typeof names)[number], string>>;

/**
 * What an agent asks, in the names that its events are stored under: an agent or a run with a secret in its name is found
 * again, and no secret of a request is stored. The same object where there is none.
 */
export function withoutSecrets<T extends Names>(request: T): T {
  let masked: Names | undefined;
  const note = (field: keyof Names, mask: (text: string) => string) => {
    const text = request[field];
    const clean = text === undefined ? undefined : mask(text);
    if (clean === undefined || clean === text) return;
    masked = { ...masked, [field]: clean };
  };
  for (const field of ids) note(field, maskSecretsOfId);
  for (const field of names) note(field, maskSecrets);
  return masked === undefined ? request : { ...request, ...masked };
}
