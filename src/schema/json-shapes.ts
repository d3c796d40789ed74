import { endOfNumber, endOfText, latin1, type Part, type Slot, shapeIn } from "./json-shape.ts";
import type { TSchema } from "./typebox.ts";

/**
 * Reads JSON texts that differ from an earlier one in nothing but texts and numbers, without parsing them: most messages of one
 * producer do. A text without a quote, a backslash, a control character and anything but ASCII is itself between its
 * quotes, and whole numbers are their digits; whatever is not so plain is left to `JSON.parse`.
 */
export interface KnownShapes<T> {
  /**
   * What `JSON.parse` would give, as far as the schema knows its fields; null: it has to be parsed. One object for all texts of
   * a shape, overwritten by the next one: nothing of it may be kept, its texts share the memory of the whole.
   */
  read(payload: Uint8Array): T | null;
  /** Remembers the shape of a JSON object that has been parsed, and passed the schema's check in its usual form. */
  learn(payload: Uint8Array): void;
}

/** A text so far the same as others, what stands in its place, and how it goes on. */
interface Edge {
  readonly literal: Uint8Array;
  readonly slot: Slot | null;
  readonly next: Edge[];
  /** Where the text ends. */
  readonly leaf: Leaf | null;
}

interface Leaf {
  readonly value: object;
  readonly parts: readonly Part[];
}

const maxSlots = 64;
const maxEdges = 1_000;
/** Learning costs as much as parsing some messages: one for each so many that are recognised, and a few in advance. */
const readsPerLesson = 16;
const lessonsAhead = 64;
/** While next to nothing is recognised, every so many-th message is looked at. */
const seldom = 32;

export function knownShapes<T extends object>(schema: TSchema): KnownShapes<T> {
  let root: Edge[] = [];
  let edges = 0;
  let lessons = lessonsAhead;
  let passed = 0;
  const from = new Uint32Array(maxSlots);
  const to = new Uint32Array(maxSlots);

  function find(payload: Uint8Array): Leaf | null {
    let next = root;
    let at = 0;
    for (let slots = 0; ; slots++) {
      const edge = edgeAt(next, payload, at);
      if (edge === undefined) return null;
      at += edge.literal.length;
      const { slot, leaf } = edge;
      if (slot === null) return at === payload.length ? leaf : null;
      const end = slot.kind === "text" ? endOfText(payload, at) : endOfNumber(payload, at);
      if (end < 0) return null;
      if (slot.kind === "text" && (end - at < slot.min || end - at > slot.max)) return null;
      from[slots] = at;
      to[slots] = end;
      at = end;
      next = edge.next;
    }
  }

  function filled({ value, parts }: Leaf, payload: Uint8Array): T | null {
    const text = latin1(payload);
    for (let i = 0; i < parts.length; i++) {
      const { place = null, slot } = parts[i] ?? {};
      if (place === null || slot === undefined) continue;
      const token = text.slice(from[i], to[i]);
      if (slot.kind === "text") {
        place.holder[place.key] = token;
        continue;
      }
      const number = Number(token);
      if (number < slot.min || number > slot.max) return null;
      if (slot.isInteger && !Number.isInteger(number)) return null;
      place.holder[place.key] = number;
    }
    return value as T;
  }

  return {
    read(payload) {
      if (lessons < 1 && passed++ % seldom !== 0) return null;
      const leaf = find(payload);
      if (leaf === null) return null;
      lessons = Math.min(lessonsAhead, lessons + 1 / readsPerLesson);
      return filled(leaf, payload);
    },
    learn(payload) {
      if (lessons < 1) return;
      lessons -= 1;
      const shape = shapeIn(payload, schema);
      if (shape === null || shape.parts.length > maxSlots) return;
      if (edges > maxEdges) [root, edges] = [[], 0];
      let next = root;
      for (const { literal, slot } of shape.parts) next = edgeTo(next, literal, slot, null).next;
      edgeTo(next, shape.rest, null, shape);
    },
  };

  /** The edge that is like it, or a new one; the longest first, for one may begin like another. */
  function edgeTo(among: Edge[], literal: Uint8Array, slot: Slot | null, leaf: Leaf | null): Edge {
    const known = among.find(
      (edge) => edge.slot?.kind === slot?.kind && Buffer.compare(edge.literal, literal) === 0,
    );
    if (known) return known;
    const edge = { literal, slot, next: [], leaf };
    among.push(edge);
    among.sort((a, b) => b.literal.length - a.literal.length);
    edges += 1;
    return edge;
  }
}

function edgeAt(edges: readonly Edge[], payload: Uint8Array, at: number): Edge | undefined {
  for (let i = 0; i < edges.length; i++) {
    const edge = edges[i];
    if (edge !== undefined && startsWith(payload, at, edge.literal)) return edge;
  }
  return undefined;
}

function startsWith(payload: Uint8Array, at: number, literal: Uint8Array): boolean {
  const { length } = literal;
  if (at + length > payload.length) return false;
  for (let i = 0; i < length; i++) if (payload[at + i] !== literal[i]) return false;
  return true;
}
