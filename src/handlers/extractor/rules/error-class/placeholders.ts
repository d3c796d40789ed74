import { figures } from "./placeholders/figures.ts";
import { ids } from "./placeholders/ids.ts";
import type { Masked } from "./placeholders/masked.ts";
import { ofPeople } from "./placeholders/people.ts";
import { places } from "./placeholders/places.ts";
import { onTheWeb } from "./placeholders/web.ts";

/**
 * What varies from one occurrence to the next. Rows are asked in order, each over the whole line: what one has masked, no later
 * one sees. So the special come before the general, and figures last.
 */
export const masked: readonly Masked[] = [...onTheWeb, ...ofPeople, ...places, ...ids, ...figures];
