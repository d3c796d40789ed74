/** One change of one record of a user, decoded. */
export interface Change extends RecordKey {
  readonly eventId: string;
  readonly op: Operation;
  readonly data: Readonly<Record<string, unknown>>;
  /** Of the fields whose time the change tells: ISO 8601. The others have the change's own. */
  readonly fieldTimes: Readonly<Record<string, string>>;
  /** ISO 8601, with milliseconds. */
  readonly ts: string;
}

export const operations = ["insert", "update", "delete"] as const;
export type Operation = (typeof operations)[number];

/** A record of a user, of one tenant. */
export interface RecordKey {
  readonly tenantId: string;
  readonly userId: string;
  readonly table: string;
  readonly recordId: string;
}

/** Of a record among those of all tenants, for maps. */
export const recordKey = ({ tenantId, userId, table, recordId }: RecordKey) =>
  JSON.stringify([tenantId, userId, table, recordId]);

/** As times are kept: of one length, so that their order as text is their order in time. */
export const isoTime = (ms: number) => new Date(ms).toISOString();
