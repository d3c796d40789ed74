/** What a token may do over HTTP; each endpoint names the one that it needs. */
export const rights = ["publish", "recall", "read", "review", "admin"] as const;
export type Right = (typeof rights)[number];

/** An endpoint as its concern declares it, for NATS and HTTP alike. */
export interface DeclaredEndpoint {
  /** One line for people. */
  readonly does: string;
  /** The right that a token needs. */
  readonly may: Right;
  /** It only reads and takes few fields, so that HTTP takes them from the query, too. */
  readonly get?: true;
  /**
   * It concerns all tenants at once, so that only a token for all of them may ask. Every other endpoint takes a
   * `tenant_id`, in its request or in each item of it: HTTP fills in that of the token.
   */
  readonly fleet?: true;
}

export type DeclaredEndpoints = Readonly<Record<string, DeclaredEndpoint>>;
