/** What varies from one occurrence to the next, and what stands in its place. */
export interface Masked {
  readonly what: string;
  readonly pattern: RegExp;
  readonly by: string | ((match: string, ...groups: string[]) => string);
  /** Without it in the line nothing can match: found faster than that nothing does. */
  readonly needs?: string;
}

/** How names of hosts end: what is bought, and what is used inside. */
export const topLevel =
  "(?:com|org|net|edu|gov|mil|int|io|dev|co|app|ai|cloud|info|biz|me|tv|xyz|tech|site|online|sh|to|de|uk|eu|us|fr|nl|ch|at|it|es|se|no|fi|dk|be|pl|cz|ru|ua|jp|cn|kr|in|br|au|ca|nz|za|sg|hk|tw|il|internal|intranet|local|localdomain|localhost|lan|home|corp|svc|cluster|consul|example|test|invalid|arpa|onion)";
