import { type CommandName, commandInputs, type Json, type JsonObject } from "@connect-hub/domain/values";
import { isSocketCommand, type QueryName, queryInputs, uploadInput } from "@connect-hub/protocol";
import { commandAnswers, fileAnswer, queryAnswers, uploadAnswer } from "@connect-hub/protocol/answers";
import { z } from "zod";
import type { RouteName } from "./httpRoutes.ts";

/** One method of one path, as the OpenAPI document tells it. */
export interface Operation {
  readonly method: string;
  /** With `{id}` for what varies. */
  readonly path: string;
  readonly id: string;
  readonly summary: string;
  /** Whether nobody has to be signed in. */
  readonly isOpen?: boolean;
  readonly takes?: readonly Json[];
  readonly body?: JsonObject;
  /** For each status what comes; null: nothing. */
  readonly gives: Readonly<Record<string, JsonObject | null>>;
  readonly headers?: JsonObject;
  /** Which errors of the table may come; default: all but those about files. */
  readonly errors?: "none" | "files";
}

type Described = Omit<Operation, "method" | "path">;
type SocketCommand = Exclude<CommandName, "register" | "signIn">;

/** What a route takes and gives: one operation, or one for each command or query. */
export function operationsOf(route: RouteName): readonly Operation[] {
  const [method = "", path = ""] = route.split(" ");
  const at = (pattern: string) => ({ method, path: pattern.replace(/:(\w+)/g, "{$1}") });
  if (route === "POST /v1/commands/:method")
    return Object.keys(commandInputs)
      .filter((name): name is SocketCommand => isSocketCommand(name))
      .map((name) => ({ ...at(`/v1/commands/${name}`), ...command(name, name, commandWords[name]) }));
  if (route === "POST /v1/queries/:name")
    return (Object.keys(queryInputs) as QueryName[]).map((name) => ({
      ...at(`/v1/queries/${name}`),
      ...query(name, name),
      takes: [position],
      body: jsonBody(queryInputs[name]),
    }));
  return [{ ...at(path), ...operations[route] }];
}

const position: JsonObject = { $ref: "#/components/parameters/position" };
const key: JsonObject = { $ref: "#/components/parameters/key" };
const id: JsonObject = { name: "id", in: "path", required: true, schema: { type: "string", format: "uuid" } };

const offsetHeaders: JsonObject = {
  "Upload-Offset": { description: "So many bytes are there.", schema: { type: "integer" } },
  "Upload-Length": { description: "So many it will have.", schema: { type: "integer" } },
};

const commandWords: Readonly<Record<SocketCommand, string>> = {
  signOut: "Ends the session.",
  closeAccount: "Closes the account, for ever.",
  createRoom: "Makes a room.",
  openDialog: "The room of two people, made when there is none.",
  renameRoom: "Gives a room another name.",
  addMember: "Lets somebody into a room.",
  removeMember: "Takes somebody out of a room.",
  leaveRoom: "Leaves a room.",
  postMessage: "Posts a message, with text or files or both.",
  editMessage: "Gives a message another text.",
  deleteMessage: "Deletes a message.",
  forwardFile: "A new file on the same bytes, to be posted in another room.",
};

const queryWords: Readonly<Record<QueryName, string>> = {
  rooms: "The rooms of the asker.",
  history: "A page of the events of a room.",
  asOf: "A room as it was after an event, or at an instant.",
  members: "A page of the members of a room.",
  people: "People by their ids.",
  findPerson: "The person with exactly this e-mail address.",
};

const operations: Readonly<
  Record<Exclude<RouteName, "POST /v1/commands/:method" | "POST /v1/queries/:name">, Described>
> = {
  "GET /": { ...plain("page", "The page."), gives: { 200: { "text/html": {} } } },
  "GET /health": { ...plain("health", "The process lives."), gives: { 200: jsonOf({ ok: { const: true } }) } },
  "GET /ready": {
    ...plain("ready", "Which of the parts that are needed are there; 200 when all are."),
    gives: Object.fromEntries(
      [200, 503].map((status) => [
        status,
        jsonOf({ ok: { type: "object", additionalProperties: { type: "boolean" } } }),
      ]),
    ),
  },
  "GET /v1/openapi.json": { ...plain("openApi", "This document."), gives: { 200: { "application/json": {} } } },
  "POST /v1/register": { ...command("register", "register", "Makes an account."), takes: [key], isOpen: true },
  "POST /v1/sign-in": { ...command("signIn", "signIn", "Begins a session."), takes: [key], isOpen: true },
  "POST /v1/sign-out": command("signOut", "signOutHere", commandWords.signOut),
  "GET /v1/rooms": { ...query("rooms", "listRooms"), takes: [position] },
  "GET /v1/rooms/:id/events": { ...query("history", "listEvents"), takes: [id, ...inQuery("history"), position] },
  "GET /v1/rooms/:id/as-of": { ...query("asOf", "roomAsOf"), takes: [id, ...inQuery("asOf"), position] },
  "POST /v1/files": {
    id: "uploadFile",
    summary: "Takes a file for a room, to be posted there within a day.",
    takes: [
      { name: "room", in: "query", required: true, schema: { type: "string", format: "uuid" } },
      { name: "name", in: "query", required: true, schema: { type: "string", minLength: 1 } },
      { name: "Content-Digest", in: "header", schema: { type: "string", pattern: "^sha-256=:[A-Za-z0-9+/]{43}=:$" } },
      key,
    ],
    body: { required: true, description: "The bytes, and nothing else.", content: { "*/*": {} } },
    gives: { 201: answer(fileAnswer) },
    errors: "files",
  },
  "POST /v1/uploads": {
    id: "beginUpload",
    summary:
      "Begins the upload of a file for a room, or finds the one with this key; its bytes follow, in as many parts as it takes.",
    takes: [key],
    body: jsonBody(uploadInput),
    gives: { 201: answer(uploadAnswer) },
    errors: "files",
    headers: { ...offsetHeaders, Location: { description: "Where its bytes go.", schema: { type: "string" } } },
  },
  "GET /v1/uploads/:id": {
    id: "readUpload",
    summary: "How far an upload is.",
    takes: [id],
    gives: { 200: answer(uploadAnswer) },
    errors: "files",
    headers: offsetHeaders,
  },
  "PATCH /v1/uploads/:id": {
    id: "goOnWithUpload",
    summary: "Takes more bytes of an upload: 200 with how far it is, 201 with the file when they were the last.",
    takes: [id, { name: "Upload-Offset", in: "header", required: true, schema: { type: "integer", minimum: 0 } }],
    body: { required: true, description: "The bytes that follow those that are there.", content: { "*/*": {} } },
    gives: { 200: answer(uploadAnswer), 201: answer(fileAnswer) },
    errors: "files",
  },
  "DELETE /v1/uploads/:id": {
    id: "dropUpload",
    summary: "Forgets an upload.",
    takes: [id],
    gives: { 200: answer(z.object({})) },
    errors: "files",
  },
  "GET /v1/files/:id": {
    id: "downloadFile",
    summary: "The bytes of a file.",
    takes: [
      id,
      position,
      { name: "Range", in: "header", schema: { type: "string" } },
      { name: "If-Range", in: "header", schema: { type: "string" } },
      { name: "If-None-Match", in: "header", schema: { type: "string" } },
    ],
    gives: { 200: { "*/*": {} }, 206: { "*/*": {} }, 304: null },
    errors: "files",
    headers: { ETag: { description: "The SHA-256 of the bytes in hex.", schema: { type: "string" } } },
  },
  "POST /v1/files/:id/forward": {
    ...command("forwardFile", "forwardFileHere", commandWords.forwardFile),
    takes: [id, key, position],
    body: bodyOf(without(schemaOf(commandInputs.forwardFile), "file")),
  },
};

function plain(name: string, summary: string): Pick<Described, "id" | "summary" | "isOpen" | "errors"> {
  return { id: name, summary, isOpen: true, errors: "none" };
}

function command(name: CommandName, operation: string, summary: string): Described {
  const body = jsonBody(commandInputs[name]);
  return { id: operation, summary, takes: [key, position], body, gives: { 200: answer(commandAnswers[name]) } };
}

function query(name: QueryName, operation: string): Described {
  return { id: operation, summary: queryWords[name], gives: { 200: answer(queryAnswers[name]) } };
}

/** A query's data as parameters of a URL, but for the room, which stands in its path. */
function inQuery(name: QueryName): readonly JsonObject[] {
  const { properties = {}, required = [] } = without(schemaOf(queryInputs[name]), "room") as {
    readonly properties?: JsonObject;
    readonly required?: readonly string[];
  };
  return Object.entries(properties).map(([one, schema]) => ({
    name: one,
    in: "query",
    ...(required.includes(one) && { required: true }),
    schema,
  }));
}

function answer(schema: z.core.$ZodType): JsonObject {
  const p = { type: "string", description: "The position token that covers the answer." };
  return jsonOf({ ok: schemaOf(schema), p });
}

function jsonOf(properties: JsonObject): JsonObject {
  return { "application/json": { schema: { type: "object", properties, required: Object.keys(properties) } } };
}

function jsonBody(schema: z.core.$ZodType): JsonObject {
  return bodyOf(schemaOf(schema));
}

function bodyOf(schema: JsonObject): JsonObject {
  const isNeeded = Array.isArray(schema.required) && schema.required.length > 0;
  return { required: isNeeded, content: { "application/json": { schema } } };
}

function without({ properties, required, ...rest }: JsonObject, name: string): JsonObject {
  const { [name]: _, ...others } = properties as JsonObject;
  const left = ((required ?? []) as readonly string[]).filter((one) => one !== name);
  return { ...rest, properties: others, ...(left.length > 0 && { required: left }) };
}

function schemaOf(schema: z.core.$ZodType): JsonObject {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return rest as JsonObject;
}
