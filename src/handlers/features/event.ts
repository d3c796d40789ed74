/** One user signal or piece of feedback, decoded. */
export interface UserEvent {
  readonly eventId: string;
  readonly tenantId: string;
  readonly userId: string;
  /** Event time, epoch ms. */
  readonly ts: number;
  /** When the stream stored it, epoch ms. */
  readonly storedAt: number;
  readonly subject: string;
  /** What happened; where the event does not say, its subject. */
  readonly type: string;
  readonly payload: Readonly<Record<string, unknown>>;
}
