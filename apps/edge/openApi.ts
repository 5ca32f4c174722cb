import type { Json, JsonObject } from "@connect-hub/domain/values";
import { type ErrorName, errorEntry, errorNames } from "@connect-hub/protocol";
import type { HttpResponse } from "@connect-hub/uws";
import { routeNames } from "./httpRoutes.ts";
import { type Operation, operationsOf } from "./openApiOperations.ts";

// OpenAPI 3.1.1: https://spec.openapis.org/oas/v3.1.1.html

/** Errors about files have numbers from here on, and those that are told to operators alone. */
const firstOf = { files: 601, operators: 651 } as const;
/** Told on sockets alone. */
const ofSockets: ReadonlySet<ErrorName> = new Set([
  "AuthTimeout",
  "BadCursor",
  "TooManyRooms",
  "ShuttingDown",
] as const);
const tellable = errorNames.filter((name) => errorEntry(name).code < firstOf.operators && !ofSockets.has(name));

/** All that is answered over HTTP, made of the routes, the schemas of what comes in and goes out, and the table of errors. */
export function openApi(): JsonObject {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routeNames) {
    for (const operation of operationsOf(route)) {
      const { method, path } = operation;
      paths[path] = { ...paths[path], [method.toLowerCase()]: described(operation) };
    }
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "Connect Hub over HTTP",
      version: "1",
      license: { name: "MIT", identifier: "MIT" },
      description:
        "All that a client can do without a socket; docs/protocol.md says what it means, and how the WebSocket at /v1/socket tells what happens. HEAD is answered wherever GET is. Made by `npm run docs`.",
    },
    servers: [{ url: "/" }],
    security: [{ session: [] }],
    paths,
    components: {
      securitySchemes: {
        session: { type: "http", scheme: "bearer", description: "The token that `POST /v1/sign-in` gave." },
      },
      parameters,
      responses: Object.fromEntries(statuses(tellable).map((status) => [`Error${status}`, refusal(status)])),
      schemas: { Error: errorSchema() },
    },
  };
}

/** The document as an answer. */
export function openApiResponse(): HttpResponse {
  const headers = {
    "content-type": "application/json",
    "cache-control": "no-cache",
    "x-content-type-options": "nosniff",
  };
  return { status: 200, headers, body: JSON.stringify(openApi()) };
}

const parameters: JsonObject = {
  position: {
    name: "position",
    in: "query",
    description: "A position token: the answer sees at least what it covers.",
    schema: { type: "string", maxLength: 4_096 },
  },
  key: {
    name: "Idempotency-Key",
    in: "header",
    description:
      "The command's key: the same key with the same data is the same command, for ever. Without it each request is another one.",
    schema: { type: "string", format: "uuid", description: "A lower-case UUIDv7." },
  },
};

function described({ id, summary, isOpen, takes, gives, headers, body, errors }: Operation): JsonObject {
  return {
    operationId: id,
    summary,
    ...(isOpen && { security: [] }),
    ...((takes ?? []).length > 0 && { parameters: takes ?? [] }),
    ...(body !== undefined && { requestBody: body }),
    responses: {
      ...Object.fromEntries(
        Object.entries(gives).map(([status, content]) => [status, response(status, content, headers)]),
      ),
      ...Object.fromEntries(
        statuses(errorsOf(errors)).map((status) => [status, { $ref: `#/components/responses/Error${status}` }]),
      ),
    },
  };
}

function response(status: string, content: JsonObject | null, headers: JsonObject | undefined): JsonObject {
  return {
    description: status === "304" ? "The bytes are those that the client has." : "So it is.",
    ...(headers !== undefined && { headers }),
    ...(content !== null && { content }),
  };
}

/** The statuses of these errors, each once. */
function statuses(names: readonly ErrorName[]): readonly number[] {
  return [...new Set(names.map((name) => errorEntry(name).http))].sort((one, other) => one - other);
}

function errorsOf(errors: Operation["errors"]): readonly ErrorName[] {
  if (errors === "none") return [];
  return tellable.filter((name) => errors === "files" || errorEntry(name).code < firstOf.files);
}

function refusal(status: number): JsonObject {
  const names = tellable.filter((name) => errorEntry(name).http === status);
  return {
    description: names.map((name) => `${name}: ${errorEntry(name).meaning}`).join("\n"),
    ...(names.some((name) => errorEntry(name).retry) && {
      headers: { "Retry-After": { description: "`afterMs` in whole seconds.", schema: { type: "integer" } } },
    }),
    content: {
      "application/json": {
        schema: {
          type: "object",
          properties: {
            err: { allOf: [{ $ref: "#/components/schemas/Error" }, { properties: { name: { enum: names } } }] },
          },
          required: ["err"],
        },
      },
    },
  };
}

function errorSchema(): JsonObject {
  return {
    type: "object",
    properties: {
      code: { type: "integer", enum: tellable.map((name) => errorEntry(name).code) },
      name: { type: "string", enum: tellable },
      retry: { type: "boolean", description: "Whether the same request with the same key may succeed later." },
      afterMs: { type: "integer", minimum: 0, description: "Not before so many milliseconds." },
      detail: { description: "For people, never to be matched on." },
    },
    required: ["code", "name", "retry"],
  };
}
