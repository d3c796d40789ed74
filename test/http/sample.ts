interface Shape {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Shape[];
  readonly items?: Shape;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly minimum?: number;
}

/** A request with every field that its schema names; `named` has the values of fields by name. */
export function sampleOf(schema: unknown, named: Readonly<Record<string, unknown>>): unknown {
  const shape = (schema ?? {}) as Shape;
  if (shape.enum) return shape.enum[0];
  if (shape.const !== undefined) return shape.const;
  if (shape.anyOf) return sampleOf(shape.anyOf[0], named);
  if (shape.type === "array") return [sampleOf(shape.items, named)];
  if (shape.type === "integer" || shape.type === "number") return shape.minimum ?? 1;
  if (shape.type === "boolean") return true;
  if (shape.type === "string") return "x";
  const fields = Object.entries(shape.properties ?? {}).map(([name, of]) => [
    name,
    Object.hasOwn(named, name) ? named[name] : sampleOf(of, named),
  ]);
  return Object.fromEntries(fields);
}
