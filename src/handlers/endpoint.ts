import { decoderOf, strictDecoderOf } from "../schema/request.ts";
import type { Static, TSchema } from "../schema/typebox.ts";
import type { EndpointHandler } from "./concern.ts";

type Answering<S extends TSchema, Reply> = Omit<
  EndpointHandler<Static<S>, Reply>,
  "request" | "decode"
> & { readonly request: S };

/** An endpoint whose requests are read by their schema; fields that it does not know are ignored. */
export function endpoint<S extends TSchema, Reply>(
  answering: Answering<S, Reply>,
): EndpointHandler<Static<S>, Reply> {
  return { ...answering, decode: decoderOf(answering.request) };
}

/** The same for what writes: a field that the schema does not know is refused, and so is hidden text. */
export function writingEndpoint<S extends TSchema, Reply>(
  answering: Answering<S, Reply>,
): EndpointHandler<Static<S>, Reply> {
  return { ...answering, decode: strictDecoderOf(answering.request) };
}
