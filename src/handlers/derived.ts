import {
  type DesiredState,
  jetStreamBuilder,
  mergeDesired,
  nothingDesired,
} from "../nats/desired-state.ts";
import type { Permission } from "../nats/grants.ts";
import { neededPermissions, provisionerPermissions } from "../nats/needed-permissions.ts";
import type { Privileges } from "../postgres/privileges.ts";
import type { Needs } from "../runtime/dependencies.ts";
import { createMetrics, type Metrics } from "../runtime/metrics.ts";
import type { BaseSettings } from "../settings/base.ts";
import { endpointSubject, healthSubject } from "../subjects.ts";
import { always } from "./always.ts";
import type { AnyConcern } from "./concern.ts";
import type { DeclaredEndpoint, DeclaredEndpoints } from "./declared-endpoint.ts";
import { concerns } from "./index.ts";

/** What follows from the declarations of all concerns, or of those that a replica hosts. */

export function hostedConcerns(
  { concerns: names }: Pick<BaseSettings, "concerns">,
  known: readonly AnyConcern[] = concerns,
): AnyConcern[] {
  return known.filter(({ name }) => names.includes(name));
}

/** What one concern stands on in JetStream under these settings. */
export function desiredBy(concern: AnyConcern, settings: BaseSettings): DesiredState {
  return concern.jetstream?.(settings, jetStreamBuilder(settings)) ?? nothingDesired;
}

/** Everything in JetStream that a replica with these concerns stands on. */
export function desiredState(
  settings: BaseSettings,
  names: readonly string[] = settings.concerns,
  known: readonly AnyConcern[] = concerns,
): DesiredState {
  return mergeDesired([
    always.jetstream(jetStreamBuilder(settings)),
    ...hostedConcerns({ concerns: names }, known).map((one) => desiredBy(one, settings)),
  ]);
}

/** The same for all concerns there are, hosted here or elsewhere. */
export function desiredByAll(
  settings: BaseSettings,
  known: readonly AnyConcern[] = concerns,
): DesiredState {
  return desiredState(
    settings,
    known.map(({ name }) => name),
    known,
  );
}

export interface NamedEndpoint extends DeclaredEndpoint {
  readonly name: string;
  readonly subject: string;
}

/** Each endpoint with its subject and what it does: of every replica, and of these concerns. */
export function endpointsOf(hosted: readonly AnyConcern[], instance = "*"): NamedEndpoint[] {
  const declared = [always, ...hosted].flatMap(({ endpoints }: { endpoints: DeclaredEndpoints }) =>
    Object.entries(endpoints),
  );
  return declared.map(([name, endpoint]) => ({
    ...endpoint,
    name,
    subject: name === "health-instance" ? healthSubject(instance) : endpointSubject(name),
  }));
}

/** What a replica with these settings stands on: in JetStream, of rights, and of privileges. */
export function needsOf(settings: BaseSettings, known: readonly AnyConcern[] = concerns): Needs {
  const hosted = hostedConcerns(settings, known);
  const desired = desiredState(settings, settings.concerns, known);
  const everything = desiredByAll(settings, known);
  const permissions = neededPermissions({
    settings,
    desired,
    everything,
    counted: known.flatMap(({ stats }) => stats?.counted?.(settings) ?? []),
    subjects: endpointsOf(hosted).map(({ subject }) => subject),
    own: hosted.flatMap((one) => one.permissions?.(settings, everything) ?? []),
  });
  const costs = () => costsOf(settings, known);
  return { desired, everything, permissions, privileges: privilegesOf(known), costs };
}

/** Beside the durables: readers of the moment, who read a stream again. */
const momentaryConsumers = 2;

/** How much of an account's limits these settings need. */
export function countsOf({ streams, durables }: DesiredState) {
  return { streams: streams.length, consumers: durables.length + momentaryConsumers };
}

/** The same in a sentence, with what each concern takes that is hosted. */
export function costsOf(settings: BaseSettings, known: readonly AnyConcern[] = concerns): string {
  const all = countsOf(desiredState(settings, settings.concerns, known));
  const hosted = hostedConcerns(settings, known);
  const parts = hosted.flatMap((one) => {
    const others = settings.concerns.filter((name) => name !== one.name);
    const rest = countsOf(desiredState(settings, others, known));
    const saved = {
      streams: all.streams - rest.streams,
      consumers: all.consumers - rest.consumers,
    };
    if (saved.streams === 0 && saved.consumers === 0) return [];
    return [`without ${one.name} ${saved.streams} and ${saved.consumers} fewer`];
  });
  return `${all.streams} streams and ${all.consumers} consumers are needed${parts.map((part) => `; ${part}`).join("")}`;
}

/** Every right that the service needs of NATS under these settings. */
export function permissionsOf(
  settings: BaseSettings,
  known: readonly AnyConcern[] = concerns,
): readonly Permission[] {
  return needsOf(settings, known).permissions;
}

/** Every right that `provision` needs under these settings. */
export function provisioningPermissionsOf(
  settings: BaseSettings,
  known: readonly AnyConcern[] = concerns,
): Permission[] {
  return provisionerPermissions(settings, desiredState(settings, settings.concerns, known));
}

/** What the service does with each table, whichever concerns a replica hosts: its role is one for all. */
export function privilegesOf(known: readonly AnyConcern[] = concerns): Privileges {
  const all: Record<string, Privileges[string]> = {};
  for (const tables of [...known.map((one) => one.tables ?? {}), always.tables] as Privileges[]) {
    for (const [table, privileges] of Object.entries(tables)) {
      all[table] = [...new Set([...(all[table] ?? []), ...privileges])];
    }
  }
  return all;
}

/** The metrics of every replica, and those that each concern declares. */
export function metricsOf(known: readonly AnyConcern[] = concerns): Metrics {
  const metrics = createMetrics();
  return Object.assign({}, metrics, ...known.map((one) => one.metrics?.(metrics.make) ?? {}));
}
