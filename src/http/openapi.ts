import { errorStatus } from "../errors.ts";
import type { Schemas } from "../runtime/catalogue.ts";
import type { TSchema } from "../schema/typebox.ts";
import { version } from "../version.ts";
import { apiPath, type ServedEndpoint } from "./api.ts";

type Described = ServedEndpoint & Partial<Schemas>;

/** OpenAPI 3.1 of every endpoint, from the schemas by which its requests are read. */
export async function openApi(served: readonly ServedEndpoint[]): Promise<object> {
  const endpoints = await Promise.all(
    served.map(async (one) => ({ ...one, ...(await one.schemas()) })),
  );
  return {
    openapi: "3.1.0",
    info: {
      title: "Experience Bus",
      version,
      description:
        "Every endpoint of the micro service, over HTTP: the same JSON, the same errors.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    security: [{ token: [] }],
    tags: [...new Set(endpoints.map(tagOf))].map((name) => ({ name })),
    paths: Object.fromEntries(endpoints.map((one) => [pathOf(one), operations(one)])),
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
      schemas: { Error: errorSchema },
      responses: {
        Error: {
          description: "an error, with its status",
          headers: { "X-Request-Id": { schema: { type: "string" } } },
          content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
        },
      },
    },
  };
}

const errorSchema = {
  type: "object",
  required: ["code", "message"],
  properties: {
    code: { enum: Object.keys(errorStatus) },
    message: { type: "string" },
    error_id: {
      type: "string",
      description: "of a fault of the service: the log has more under it",
    },
  },
};

const tagOf = ({ name }: Pick<ServedEndpoint, "name">) => name.split("-")[0] ?? name;

const pathOf = (endpoint: ServedEndpoint) =>
  endpoint.name === "health-instance" ? "/api/v1/health/{instance}" : apiPath(endpoint);

function operations(endpoint: Described): object {
  const { name, request, get } = endpoint;
  const parameters =
    name === "health-instance"
      ? [{ name: "instance", in: "path", required: true, schema: { type: "string" } }]
      : [];
  const body = request && {
    requestBody: { required: true, content: { "application/json": { schema: plain(request) } } },
  };
  const post = { ...operation(endpoint, name), ...body };
  return {
    ...(parameters.length > 0 && { parameters }),
    ...(get && {
      get: { ...operation(endpoint, `${name}-get`), parameters: queryOf(request ?? null) },
    }),
    post,
  };
}

function operation({ name, does, may, fleet, reply }: Described, operationId: string) {
  const needed = `Needs the right \`${may}\`${fleet ? " and a token for all tenants" : ""}.`;
  return {
    operationId,
    tags: [tagOf({ name })],
    summary: does,
    description: needed,
    responses: {
      "200": {
        description: "the reply",
        headers: { "X-Request-Id": { schema: { type: "string" } } },
        content: { "application/json": { schema: reply === undefined ? {} : plain(reply) } },
      },
      default: { $ref: "#/components/responses/Error" },
    },
  };
}

interface Shape {
  readonly properties?: Readonly<Record<string, object>>;
  readonly required?: readonly string[];
}

function queryOf(request: TSchema | null): object[] {
  const { properties = {}, required = [] } = (request ?? {}) as Shape;
  return Object.entries(properties).map(([name, schema]) => ({
    ...{ name, in: "query", required: required.includes(name) },
    schema: plain(schema),
  }));
}

/** As JSON, without identifiers: the same shape stands in several places, and an identifier in one only. */
function plain(schema: object): unknown {
  return JSON.parse(JSON.stringify(schema, (key, value) => (key === "$id" ? undefined : value)));
}
