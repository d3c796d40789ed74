import type { Child } from "hono/jsx";
import type { Right } from "../handlers/declared-endpoint.ts";
import type { RangeName } from "./range.ts";

/** A page of the console: a file in `pages`, and a line in its `index.ts`. */
export interface Page {
  /** As Hono has it: `/lessons/:key`. */
  readonly path: string;
  /** Its entry in the navigation; of a page below another one, that one's path. */
  readonly section: string;
  /** Under this name in the navigation; absent: it is not there. */
  readonly entry?: string;
  /** Whether the navigation shows it to whoever may this. Default: `read`. */
  readonly may?: Right;
  /** It concerns all tenants at once: only whoever sees them all is shown it. */
  readonly fleet?: true;
  /** Where it shows times of a range: which one by default. */
  readonly range?: RangeName;
  /** Open pages are rendered again and again, and what differs is changed in place. */
  readonly isLive?: boolean;
  /** May throw what `ask` throws, which is shown in words. */
  readonly show: (request: PageRequest) => Promise<Shown>;
  /**
   * What its forms do, by the name in their field `do`; a form is `Form` of `parts/form.tsx`. May throw a `BusError`, which
   * is shown in words.
   */
  readonly actions?: Readonly<Record<string, Action>>;
  /** Sentences that `Done.notice` names, `{count}` in them: what is shown is never taken from an address. */
  readonly notices?: Readonly<Record<string, string>>;
}

export interface Shown {
  readonly title: string;
  /** From the top to the page above this one. */
  readonly crumbs?: readonly Crumb[];
  readonly body: Child;
}

export interface Crumb {
  readonly title: string;
  readonly href: string;
}

export type Action = (request: ActionRequest) => Promise<Done>;

export interface ActionRequest extends PageRequest {
  readonly form: URLSearchParams;
}

export interface Done {
  /** Where it goes on: made by `href`. Default: the same page. */
  readonly to?: string;
  /** Which of the page's `notices` is shown there, and the number in it. */
  readonly notice?: string;
  readonly count?: number;
  /** What is shown at once instead of going on: for what changes nothing and stands in no address. */
  readonly shown?: Shown;
}

export type Query = Readonly<Record<string, string | number | null | undefined>>;

export interface PageRequest {
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Whose data is shown. */
  readonly tenant: string;
  /** Whoever looks may choose the tenant. */
  readonly seesAllTenants: boolean;
  /** Who looks, for `by` in forms; null where nobody has signed in. */
  readonly signedInAs: string | null;
  /** What times are relative to, epoch ms. */
  readonly now: number;
  /** Epoch ms where the chosen range begins; null: it has no beginning. */
  readonly since: number | null;
  readonly range: RangeName;
  /** What proves that a form is of this session. */
  readonly formToken: string;
  may(right: Right): boolean;
  /** The reply of an endpoint for this tenant. Throws the `BusError` that it answers, or `forbidden`. */
  ask<Reply>(endpoint: string, request?: object): Promise<Reply>;
  /** The same; null where there is none of it, or nobody who has it. */
  find<Reply>(endpoint: string, request?: object): Promise<Reply | null>;
  /** The address of a page of the console, for the same tenant and range. What is null or empty is left out. */
  href(path: string, query?: Query): string;
}
