import * as z from "zod";
import type { Change } from "../kernel/change.ts";
import type { ContextModel, DomainEvent, EventDefinition } from "../kernel/event.ts";
import type { JsonObject } from "../values/json.ts";
import { accountTables } from "./tables.ts";

// A stored format: a changed shape needs a new version in the type and an upcaster.

/** The vault key of all personal data of an account; erasing the account destroys it. */
const accountKeyName = (event: DomainEvent): string => `account:${event.subject.id}`;

const sealedPersonal = { personal: accountKeyName };

const accountRegistered: EventDefinition = {
  type: "AccountRegistered.v1",
  about: "Somebody has an account.",
  subject: "account",
  data: z.strictObject({
    personal: z
      .strictObject({ email: z.string(), emailHash: z.string(), name: z.string(), passHash: z.string() })
      .nullable(),
  }),
  sealed: sealedPersonal,
  changes({ subject, data }, { at }) {
    const personal = data.personal as JsonObject | null;
    const user = {
      id: subject.id,
      email: personal?.email ?? null,
      pass_hash: personal?.passHash ?? null,
      name: personal?.name ?? null,
      status: "active",
      sessions_from: 1,
      created_at: at,
    };
    const changes: Change[] = [
      { op: "insert", table: "users", row: user },
      { op: "insert", table: "user_settings", row: { user_id: subject.id, data: {} } },
    ];
    if (personal !== null) {
      changes.push({ op: "insert", table: "emails", row: { id: personal.emailHash ?? null, user_id: subject.id } });
    }
    return changes;
  },
};

const sessionStarted: EventDefinition = {
  type: "SessionStarted.v1",
  about: "Somebody signed in.",
  subject: "account",
  data: z.strictObject({
    session: z.string(),
    tokenHash: z.string(),
    generation: z.int(),
    personal: z.strictObject({ ip: z.string(), userAgent: z.string() }).nullable(),
  }),
  sealed: sealedPersonal,
  changes({ subject, data }, { at }) {
    const personal = data.personal as JsonObject | null;
    const row = {
      id: data.session ?? null,
      user_id: subject.id,
      token_hash: data.tokenHash ?? null,
      ip: personal?.ip ?? null,
      user_agent: personal?.userAgent ?? null,
      data: {},
      generation: data.generation ?? null,
      started_at: at,
    };
    return [{ op: "insert", table: "sessions", row }];
  },
};

const sessionEnded: EventDefinition = {
  type: "SessionEnded.v1",
  about: "Somebody signed out.",
  subject: "account",
  data: z.strictObject({ session: z.string() }),
  sealed: {},
  changes: ({ data }) => [{ op: "delete", table: "sessions", key: [String(data.session)] }],
};

const accountClosed: EventDefinition = {
  type: "AccountClosed.v1",
  about: "Somebody gave up their account: all sessions end, personal data is blanked, the address is free again.",
  subject: "account",
  data: z.strictObject({ personal: z.strictObject({ emailHash: z.string() }).nullable() }),
  sealed: sealedPersonal,
  changes({ subject, data }) {
    const personal = data.personal as JsonObject | null;
    const blank = { email: null, pass_hash: null, name: null, status: "closed" };
    const changes: Change[] = [
      { op: "set", table: "users", key: [subject.id], values: blank },
      { op: "add", table: "users", key: [subject.id], values: { sessions_from: 1 } },
      { op: "deleteWhere", table: "sessions", column: "user_id", value: subject.id },
    ];
    if (personal !== null) changes.push({ op: "delete", table: "emails", key: [String(personal.emailHash)] });
    return changes;
  },
};

const accountErased: EventDefinition = {
  type: "AccountErased.v1",
  about: "The receipt: the account has left its rooms and its keys are destroyed.",
  subject: "account",
  data: z.strictObject({}),
  sealed: {},
  changes: ({ subject }) => [{ op: "set", table: "users", key: [subject.id], values: { status: "erased" } }],
};

const definitions = [accountRegistered, sessionStarted, sessionEnded, accountClosed, accountErased];

/** Events and tables of accounts and sessions. */
export const accountModel: ContextModel = {
  context: "accounts",
  tables: accountTables,
  events: Object.fromEntries(definitions.map((definition) => [definition.type, definition])),
  oldEvents: {},
  revision: 1,
};
