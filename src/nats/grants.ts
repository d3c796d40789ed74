import { includesSubject, overlapsSubject } from "./subject-pattern.ts";

/** Something that a user of NATS must be allowed; `respond`: answering requests, on `subject` and elsewhere. */
export interface Permission {
  readonly operation: "publish" | "subscribe" | "respond";
  /** May hold wildcards: then all that they stand for. */
  readonly subject: string;
  /** The queue group of a subscription. */
  readonly queue?: string;
  /** What it is for, as the end of a sentence. */
  readonly why: string;
}

interface SubjectLists {
  readonly allow?: readonly string[] | null;
  readonly deny?: readonly string[] | null;
}

/** What a user may do, as the server tells it (server/auth.go, `Permissions`); null: everything. */
export type Granted = null | {
  readonly publish?: SubjectLists | null;
  readonly subscribe?: SubjectLists | null;
  readonly responses?: unknown;
};

export interface JudgedPermission extends Permission {
  readonly isGranted: boolean;
}

/** Each needed permission, and whether it is granted. */
export function judgePermissions(
  granted: Granted,
  needed: readonly Permission[],
): JudgedPermission[] {
  return needed.map((one) => ({ ...one, isGranted: isGranted(granted, one) }));
}

export function missingPermissions(
  granted: Granted,
  needed: readonly Permission[],
): readonly Permission[] {
  return needed.filter((one) => !isGranted(granted, one));
}

export function nameOfPermission({ operation, subject, queue, why }: Permission): string {
  if (operation === "respond") return `allow_responses (${why})`;
  const inQueue = queue === undefined ? "" : ` in queue group "${queue}"`;
  return `${operation} to "${subject}"${inQueue} (${why})`;
}

/**
 * As the server decides it (server/client.go: `pubAllowedFullCheck`, `canSubscribe`). What only several
 * entries together would allow counts as missing.
 */
function isGranted(granted: Granted, permission: Permission): boolean {
  if (granted === null) return true;
  const { operation, subject, queue } = permission;
  if (operation === "subscribe") return maySubscribe(granted.subscribe ?? {}, subject, queue);
  if (operation === "publish") return mayPublish(granted, subject);
  return hasResponses(granted) || mayPublish(granted, subject);
}

const hasResponses = ({ responses }: NonNullable<Granted>) =>
  responses !== undefined && responses !== null;

function mayPublish(granted: NonNullable<Granted>, subject: string): boolean {
  const { allow, deny } = granted.publish ?? {};
  // Where only responses are allowed, nothing else is.
  const wide = allow ?? (hasResponses(granted) ? [] : [">"]);
  return (
    wide.some((one) => includesSubject(one, subject)) &&
    !(deny ?? []).some((one) => overlapsSubject(one, subject))
  );
}

function maySubscribe({ allow, deny }: SubjectLists, subject: string, queue?: string): boolean {
  const wide = (allow ?? [">"]).map(entryOf).filter((one) => includesSubject(one.subject, subject));
  const narrow = (deny ?? []).map(entryOf).filter((one) => overlapsSubject(one.subject, subject));
  const isOurs = (one: Entry) =>
    one.queue !== undefined && queue !== undefined && includesSubject(one.queue, queue);
  const isPlain = (one: Entry) => one.queue === undefined;
  // Entries that name queue groups decide alone about a subscription in one. A server 2.10 tells of entries
  // without their queue groups: what it denies to one then counts as denied.
  const queued = queue === undefined ? [] : wide.filter((one) => !isPlain(one));
  const isAllowed = queued.length > 0 ? queued.some(isOurs) : wide.some(isPlain);
  return isAllowed && !narrow.some((one) => isPlain(one) || isOurs(one));
}

interface Entry {
  readonly subject: string;
  readonly queue: string | undefined;
}

/** `<subject>`, or `<subject> <queue group>`, of which both may hold wildcards. */
function entryOf(text: string): Entry {
  const [subject = "", queue] = text.trim().split(/\s+/);
  return { subject, queue };
}

export function publish(subject: string, why: string): Permission {
  return { operation: "publish", subject, why };
}

export function subscribe(subject: string, why: string, queue?: string): Permission {
  return { operation: "subscribe", subject, why, ...(queue !== undefined && { queue }) };
}

/** A request to the JetStream API. */
export function call(name: string, names: readonly string[], why: string): Permission {
  return publish(["$JS.API", name, ...names].join("."), why);
}

/** The same where the JetStream API is asked under another prefix; buckets are written below it, too (ADR-8). */
export function withApiPrefix(
  permissions: readonly Permission[],
  prefix: string | undefined,
): Permission[] {
  if (prefix === undefined) return [...permissions];
  return permissions.map((one) => {
    const subject = one.subject.replace(/^\$JS\.API\./, () => `${prefix}.`);
    const written = subject.startsWith("$KV.") ? `${prefix}.${subject}` : subject;
    return { ...one, subject: written };
  });
}

/** A reader of the moment: its name is new for each reading, and a wildcard stands for a whole token only. */
export function reading(stream: string, filter: readonly string[], why: string): Permission[] {
  return [
    call("CONSUMER.CREATE", [stream, ...filter], why),
    call("CONSUMER.INFO", [stream, "*"], why),
    call("CONSUMER.MSG.NEXT", [stream, "*"], why),
  ];
}
