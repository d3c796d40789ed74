import type { HttpRoute } from "../http/route.ts";
import type { Logger } from "../log.ts";
import type { DesiredState, JetStreamBuilder } from "../nats/desired-state.ts";
import type { Permission } from "../nats/grants.ts";
import type { Privileges } from "../postgres/privileges.ts";
import type { Consumption } from "../runtime/consumer.ts";
import type { ServedDurable } from "../runtime/consumers.ts";
import type { Dependencies } from "../runtime/dependencies.ts";
import type { Endpoint } from "../runtime/endpoint.ts";
import type { Upkeep } from "../runtime/maintenance.ts";
import type { MetricFactory, Metrics } from "../runtime/metrics.ts";
import type { Tracing } from "../runtime/tracing.ts";
import type { TProperties } from "../schema/typebox.ts";
import type { BaseSettings } from "../settings/base.ts";
import type { Reader } from "../settings/environment.ts";
import type { DeadLetterArchive } from "./deadletters/archive.ts";
import type { DeclaredEndpoints } from "./declared-endpoint.ts";
import type { RunStreams } from "./runs/follow.ts";

/**
 * The one declaration of a concern. Mounting, provisioning, drift, `doctor`, readiness, stats, least-privilege
 * configuration, SQL roles and the README's tables are derived from it; `open` alone loads the code that runs.
 *
 * `Own` are the settings and `OwnMetrics` the metrics that it adds to those of every replica.
 */
export interface ConcernDeclaration<
  Own extends object = object,
  OwnMetrics extends object = object,
> {
  /** As `EXPERIENCE_CONCERNS` names it. */
  readonly name: string;
  /** One line for people. */
  readonly summary: string;
  readonly settings?: (read: Reader) => Own;
  /** What makes these settings unusable together, one line each. */
  readonly problems?: (settings: BaseSettings & Own) => readonly string[];
  /** What works with these settings, but not well, one line each. */
  readonly advice?: (settings: BaseSettings & Own) => readonly string[];
  readonly jetstream?: (settings: BaseSettings & Own, build: JetStreamBuilder) => DesiredState;
  /** By name. `runs-append` answers at `experience.runs.append` and at `POST /api/v1/runs/append`. */
  readonly endpoints: DeclaredEndpoints;
  readonly tables?: Privileges;
  /** In addition to what follows from streams, durables and endpoints. */
  readonly permissions?: (
    settings: BaseSettings & Own,
    everything: DesiredState,
  ) => readonly Permission[];
  readonly metrics?: (make: MetricFactory) => OwnMetrics;
  /** Figures of the whole fleet in `stats`; asked of every replica, whatever it hosts. */
  readonly stats?: ConcernStats<Own>;
  readonly open: (context: ConcernContext<Own, OwnMetrics>) => Promise<RunningConcern>;
}

export type ReadFigures = () => Promise<Readonly<Record<string, unknown>>>;

export interface ConcernStats<Own extends object = object> {
  /** Fields of the reply. */
  readonly fields: TProperties;
  /** Called once by each replica; what it resolves to is asked for each request. */
  readonly open: (opened: Dependencies, settings: BaseSettings & Own) => Promise<ReadFigures>;
  /** Streams that it counts, in addition to those that are read or written. */
  readonly counted?: (settings: BaseSettings & Own) => readonly string[];
}

/** What every concern is opened with. */
export interface ConcernContext<Own extends object = object, OwnMetrics extends object = object> {
  readonly opened: Dependencies;
  readonly settings: BaseSettings & Own;
  readonly metrics: Metrics & OwnMetrics;
  /** What it declared for these settings. */
  readonly desired: DesiredState;
  readonly tracing: Tracing | null;
  readonly log: Logger;
  /** A bug: the process must end. */
  readonly onFatal: (error: unknown) => void;
  readonly archive: DeadLetterArchive;
  /** Of this replica. */
  readonly instance: string;
  /** Attempts again while the broker is away: it may go again while we start. */
  readonly whenThere: <T>(attempt: () => Promise<T>) => Promise<T>;
}

/** What a handler brings to its endpoint; subject and description come from the declaration. */
export type EndpointHandler<Request, Reply> = Omit<
  Endpoint<Request, Reply>,
  "subject" | "description"
>;

/** A part of a concern: what it answers, and what it consumes. */
export interface ConcernPart {
  // biome-ignore lint/suspicious/noExplicitAny: each endpoint has its own request and reply
  readonly endpoints: readonly EndpointHandler<any, any>[];
  // biome-ignore lint/suspicious/noExplicitAny: each durable has its own items
  readonly consumptions?: readonly Consumption<any>[];
}

/** A concern as a replica hosts it. */
export interface RunningConcern {
  readonly parts: readonly ConcernPart[];
  readonly durables?: readonly ServedDurable[];
  readonly maintenance?: readonly Upkeep[];
  /** Rejects while its buckets cannot be read; recreates a vanished one, so that an idle replica heals. */
  readonly probeKv?: () => Promise<void>;
  /** Brings its gauges up to date; at most once in ten seconds. */
  readonly updateGauges?: () => Promise<void>;
  readonly runStreams?: RunStreams;
  /** Paths of the HTTP port that are no endpoints. */
  readonly routes?: readonly HttpRoute[];
  readonly stop?: () => Promise<void>;
}

/** A declaration whose own settings and metrics only it knows. */
// biome-ignore lint/suspicious/noExplicitAny: what one concern declares another cannot name
export type AnyConcern = ConcernDeclaration<any, any>;
