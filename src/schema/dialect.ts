import { BusError } from "../errors.ts";
import { firstProblem } from "./event-context.ts";
import { Compile, type Static, type TSchema, Type } from "./typebox.ts";

/**
 * How producers write what a schema means. Python and Go write `null` for what is not there, Go the empty text,
 * Java and JavaScript camelCase, SQL whole numbers as ids and digits in quotes. A schema states one form, the usual
 * one; everything else is brought into it here, for every entrance alike.
 */

export interface Reader<T> {
  /** The value in the schema's own form; throws `BusError` `bad_request` with field and rule, never the text. */
  read(value: unknown): T;
  /** Whether it is in the schema's own form already. */
  isUsual(value: unknown): boolean;
  /** Paths of fields that the schema does not know, however deep its objects go. */
  unknownFields(value: unknown): string[];
}

/** For schemas of objects; what is neither object nor list in them is compared as it is. */
export function readerOf<S extends TSchema>(
  schema: S,
  describe: (problems: readonly Problem[]) => string = firstProblem,
): Reader<Static<S>> {
  const shape = shapeOf(schema, "");
  const usual = Compile(usualForm(schema));
  const compiled = Compile(schema);
  return {
    read(value) {
      if (usual.Check(value)) return value as Static<S>;
      const brought = normalised(shape, value, "");
      if (compiled.Check(brought)) return brought as Static<S>;
      throw new BusError("bad_request", describe(compiled.Errors(brought)));
    },
    isUsual: (value) => usual.Check(value),
    unknownFields: (value) => unknownIn(shape, value, ""),
  };
}

export interface Problem {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message: string;
  readonly params: unknown;
}

const spelledOtherwise = new Map<string, string>();

/** `error_class` as `errorClass`. For the names of fields in our code, which are few. */
export function camelCase(name: string): string {
  let alias = spelledOtherwise.get(name);
  if (alias === undefined) {
    alias = name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    spelledOtherwise.set(name, alias);
  }
  return alias;
}

/** A field of an object without a schema, under either spelling; undefined where it is null or not there. */
export function fieldOf(object: Readonly<Record<string, unknown>>, name: string): unknown {
  return present(own(object, name)) ?? present(own(object, camelCase(name)));
}

interface Shape {
  readonly kind: "object" | "list" | "id" | "number" | "other";
  /** Of an object, under either spelling. */
  readonly fields: ReadonlyMap<string, Field>;
  /** Fields that it does not know are refused, so they stay to be seen. */
  readonly isStrict: boolean;
  /** Of a list: what its items are. */
  readonly item: Shape | null;
}

interface Field {
  readonly name: string;
  readonly isOptional: boolean;
  readonly allowsNull: boolean;
  readonly shape: Shape;
}

/** What is asked of TypeBox's schemas, which are JSON Schema. */
interface JsonSchema {
  readonly type?: string;
  readonly additionalProperties?: unknown;
  readonly properties?: Readonly<Record<string, TSchema>>;
  readonly required?: readonly string[];
  readonly items?: TSchema;
  readonly anyOf?: readonly JsonSchema[];
}

function shapeOf(schema: TSchema, name: string): Shape {
  const { type, properties, additionalProperties, items } = schema as JsonSchema;
  const plain: Shape = { kind: "other", fields: noFields, isStrict: false, item: null };
  if (properties !== undefined) {
    const isStrict = additionalProperties === false;
    return { ...plain, kind: "object", fields: fieldsOf(schema, properties), isStrict };
  }
  if (items !== undefined) return { ...plain, kind: "list", item: shapeOf(items, name) };
  if (type === "string" && /(^|_)ids?$/.test(name)) return { ...plain, kind: "id" };
  return type === "number" || type === "integer" ? { ...plain, kind: "number" } : plain;
}

const noFields: Shape["fields"] = new Map();

function fieldsOf(
  { required = [] }: JsonSchema,
  properties: Readonly<Record<string, TSchema>>,
): Shape["fields"] {
  const fields = Object.entries(properties).map(([name, schema]): Field => {
    const { anyOf = [] } = schema as JsonSchema;
    return {
      name,
      isOptional: !required.includes(name),
      allowsNull: anyOf.some(({ type }) => type === "null"),
      shape: shapeOf(schema, name),
    };
  });
  const aliases = fields.map((field) => [camelCase(field.name), field] as const);
  return new Map([...aliases, ...fields.map((field) => [field.name, field] as const)]);
}

/** The schema without room for other spellings: what passes this needs no second look, and nearly all does. */
function usualForm(schema: TSchema): TSchema {
  const { type, properties, items } = schema as JsonSchema;
  if (properties !== undefined) {
    const fields = Object.entries(properties).map(([name, of]) => [name, usualForm(of)]);
    const aliases = Object.keys(properties)
      .map(camelCase)
      .filter((alias) => !Object.hasOwn(properties, alias))
      .map((alias) => [alias, Type.Optional(Type.Never())]);
    return { ...schema, properties: Object.fromEntries([...fields, ...aliases]) };
  }
  if (items !== undefined) return { ...schema, items: usualForm(items) };
  return type === "string" ? { minLength: 1, ...schema } : schema;
}

function normalised(shape: Shape, value: unknown, path: string): unknown {
  switch (shape.kind) {
    case "object":
      return isObject(value) ? normalisedObject(shape, value, path) : value;
    case "list": {
      const { item } = shape;
      if (!Array.isArray(value) || item === null) return value;
      return value.map((one, i) => normalised(item, one, joined(path, String(i))));
    }
    case "id":
      return typeof value === "number" ? idFrom(value, path) : value;
    case "number":
      return typeof value === "string" && wholeNumber.test(value) ? Number(value) : value;
    default:
      return value;
  }
}

/** What has more digits may be more than a number holds, and stays a text. */
const wholeNumber = /^\d{1,15}$/;

function normalisedObject(
  { fields, isStrict }: Shape,
  value: JsonObject,
  path: string,
): JsonObject {
  const result: Record<string, unknown> = {};
  for (const [key, found] of Object.entries(value)) {
    const field = fields.get(key);
    if (field === undefined) {
      if (isStrict) result[key] = found;
      continue;
    }
    const { name, isOptional, allowsNull, shape } = field;
    const isAbsent = found === "" ? isOptional : found === null && !allowsNull;
    // Of both spellings snake_case counts, if it says anything.
    if (isAbsent || (key !== name && present(own(value, name)) !== undefined)) continue;
    result[name] = normalised(shape, found, joined(path, name));
  }
  return result;
}

/** A number that JSON has already rounded would be somebody else's id. */
function idFrom(value: number, path: string): string | number {
  if (Number.isSafeInteger(value)) return String(value);
  if (!Number.isInteger(value)) return value;
  const why = "is a number past 2^53 - 1, which reading JSON rounds; send it as a string";
  throw new BusError("bad_request", `${path}: ${why}`);
}

function unknownIn({ fields }: Shape, value: unknown, path: string): string[] {
  if (fields === noFields || !isObject(value)) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const field = fields.get(key);
    const at = joined(path, key);
    return field === undefined ? [at] : unknownIn(field.shape, item, at);
  });
}

type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function own(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function present(value: unknown): unknown {
  return value === null || value === "" ? undefined : value;
}

function joined(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}
