import { nanos } from "@nats-io/transport-node";
import { publish } from "../../nats/grants.ts";
import { Type } from "../../schema/typebox.ts";
import { changes, endpointSubject } from "../../subjects.ts";
import type { ConcernDeclaration } from "../concern.ts";
import { type MissionMetrics, missionMetrics } from "./metrics.ts";
import { readPrivateKey } from "./private-key.ts";
import {
  type MissionSettings,
  missionProblems,
  missionSettings,
  plannerPlace,
} from "./settings.ts";

/** A change that is published again after a crash is stored once. */
const duplicateWindow = nanos(2 * 3_600 * 1_000);

/** Agents with standing missions: planned when due, within what each agent may. */
export const missions: ConcernDeclaration<MissionSettings, MissionMetrics> = {
  name: "missions",
  summary: "keeps agents and their missions from changes, and plans what is due",
  settings: missionSettings,
  problems(settings) {
    const key = readPrivateKey(settings);
    return [...missionProblems(settings), ...(typeof key === "string" ? [key] : [])];
  },
  jetstream(_, build) {
    const made = build.source(changes.stream, changes.subject, { optional: true });
    const source = { ...made, stream: { ...made.stream, duplicate_window: duplicateWindow } };
    return {
      streams: [source, build.attempts(changes.durable, { vital: false })],
      durables: [
        build.durable(source, {
          name: changes.durable,
          description: "keeps snapshots of agents, missions and records",
        }),
      ],
    };
  },
  endpoints: {
    "changes-append": {
      does: "stores one change of a record, or an array of at most 1,000, and says what became of each",
      may: "publish",
    },
    "agents-list": { does: "agents by `user_id`; pages by `cursor`", may: "read", get: true },
    "agents-get": {
      does: "one agent, what it is running and has used; `not_found` where there is none",
      may: "read",
      get: true,
    },
    "missions-list": { does: "missions by `user_id`; pages by `cursor`", may: "read", get: true },
    "missions-get": {
      does: "one mission and who is working on it; `not_found` where there is none",
      may: "read",
      get: true,
    },
    "missions-iterations": {
      does: "the plans of a mission, the newest first; pages by `cursor`",
      may: "read",
      get: true,
    },
    "missions-audit": {
      does: "which values were decrypted for the plans of a mission, and which were not, the newest first; pages by `cursor`",
      may: "read",
      get: true,
    },
    "missions-tick": {
      does: "looks for missions that are due, at once",
      may: "admin",
      fleet: true,
    },
  },
  tables: {
    "public.agent_snapshots": ["SELECT", "INSERT", "UPDATE"],
    "public.mission_snapshots": ["SELECT", "INSERT", "UPDATE"],
    "public.record_snapshots": ["SELECT", "INSERT", "UPDATE"],
    "public.mission_claims": ["SELECT", "INSERT", "UPDATE"],
    "public.agent_claims": ["SELECT", "INSERT", "UPDATE"],
    // Removed after two days.
    "public.agent_tokens": ["SELECT", "INSERT", "UPDATE", "DELETE"],
    "public.mission_iterations": ["SELECT", "INSERT"],
    // DELETE after the publication.
    "public.mission_outbox": ["SELECT", "INSERT", "DELETE"],
    // Append-only: what was decrypted stays on record.
    "public.mission_decrypt_audit": ["SELECT", "INSERT"],
  },
  permissions(settings) {
    const { subject = "agent.experience.v1.>" } = settings as { readonly subject?: string };
    const place =
      settings.missionPlanner === undefined ? null : plannerPlace(settings.missionPlanner);
    const ofPlanner = place?.kind === "nats" ? [publish(place.subject, "asks the planner")] : [];
    return [
      publish(changes.subject, "stores changes that come by request, and publishes its own"),
      publish(subject, "tells how calls of the planner went"),
      publish(endpointSubject("lessons-recall"), "asks for lessons about a mission"),
      ...ofPlanner,
    ];
  },
  metrics: missionMetrics,
  stats: {
    fields: {
      agents: Type.Integer(),
      missions: Type.Integer(),
      missions_due: Type.Integer({ description: "active, and due by now" }),
      mission_iterations: Type.Integer(),
      mission_changes_unpublished: Type.Integer({ description: "publication not confirmed yet" }),
    },
    async open({ database }) {
      const [{ openSnapshots }, { openIterations }, { openOverview }] = await Promise.all([
        import("./store.ts"),
        import("./iterations.ts"),
        import("./overview.ts"),
      ]);
      const snapshots = openSnapshots(database);
      const iterations = openIterations(database);
      const overview = openOverview(database);
      return async () => {
        const [counts, written, due] = await Promise.all([
          snapshots.count(),
          iterations.counts(),
          overview.due(),
        ]);
        return {
          ...counts,
          missions_due: due.missions,
          mission_iterations: written.iterations,
          mission_changes_unpublished: written.unpublished,
        };
      };
    },
  },
  open: async (context) => (await import("./open.ts")).openMissions(context),
};
