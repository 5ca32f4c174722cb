import * as z from "zod/mini";
import type { Command, CommandDefinition, Decision } from "../kernel/command.ts";
import { inputOf } from "../kernel/commandInput.ts";
import type { DomainEvent } from "../kernel/event.ts";
import { type Facts, factRef, type Row } from "../kernel/fact.ts";
import { tokenHashOf } from "../kernel/keyedHashes.ts";
import { commandInputs } from "../values/commandInputs.ts";
import { Id } from "../values/ids.ts";
import type { JsonObject } from "../values/json.ts";
import type { RefusalCode } from "../values/rejections.ts";

/** `subject` is the id of the account to be. */
const register: CommandDefinition = {
  context: "accounts",
  input: inputOf(commandInputs.register),
  secretFields: ["password"],
  needs: (command, _known, hashes) => [
    factRef("emails", emailHash(command, hashes)),
    factRef("users", command.subject),
  ],
  async prepare(command, facts, tools) {
    const taken = facts.get(factRef("emails", emailHash(command, tools.hashes)));
    return taken ? {} : { passHash: await tools.hashPassword(String(command.data.password)) };
  },
  decide(command, facts, { hashes, prepared }) {
    const hash = emailHash(command, hashes);
    if (facts.get(factRef("emails", hash)) || prepared.passHash === undefined) return refuse("EmailTaken");
    const { email, name } = command.data;
    const personal = { email: email ?? null, emailHash: hash, name: name ?? null, passHash: prepared.passHash };
    return {
      events: [accountEvent("AccountRegistered.v1", command.subject, command.subject, { personal })],
      result: { user: command.subject },
    };
  },
};

/** `subject` is the id of the session to be. */
const signIn: CommandDefinition = {
  context: "accounts",
  input: inputOf(commandInputs.signIn),
  secretFields: ["password"],
  needs(command, known, hashes) {
    const email = factRef("emails", emailHash(command, hashes));
    const found = known.get(email);
    return found ? [email, factRef("users", String(found.user_id))] : [email];
  },
  async prepare(command, facts, tools) {
    const hash = userOfEmail(command, facts, tools.hashes)?.pass_hash ?? null;
    const right = await tools.verifyPassword(hash === null ? undefined : String(hash), String(command.data.password));
    return { verified: right ? hash : null };
  },
  admitsRepeat: (prepared) => (prepared.verified === null ? { code: "WrongCredentials" } : undefined),
  decide(command, facts, { hashes, prepared }) {
    const user = userOfEmail(command, facts, hashes);
    if (user?.status !== "active" || prepared.verified === null || prepared.verified !== user.pass_hash) {
      return refuse("WrongCredentials");
    }
    const data = {
      session: command.subject,
      tokenHash: tokenHashOf(hashes.sessionSecret(command.subject)),
      generation: user.sessions_from ?? null,
      personal: { ip: metaText(command, "ip"), userAgent: metaText(command, "userAgent") },
    };
    const id = String(user.id);
    return {
      events: [accountEvent("SessionStarted.v1", id, id, data)],
      result: { user: id, session: command.subject },
    };
  },
  reply(result, hashes) {
    const { user, session } = result as { user: string; session: string };
    return { user, session, token: `${session}.${hashes.sessionSecret(session)}` };
  },
};

/** `subject` is the account; `meta.session` the session that ends. */
const signOut: CommandDefinition = {
  context: "accounts",
  input: inputOf(commandInputs.signOut),
  secretFields: [],
  needs: (command) => [factRef("sessions", metaText(command, "session"))],
  decide(command, facts) {
    const session = metaText(command, "session");
    const row = facts.get(factRef("sessions", session));
    if (!row || row.user_id !== command.key.actor) return { events: [], result: {} };
    const { actor } = command.key;
    return { events: [accountEvent("SessionEnded.v1", actor, actor, { session })], result: {} };
  },
};

/** `subject` is the account. */
const closeAccount: CommandDefinition = {
  context: "accounts",
  input: inputOf(commandInputs.closeAccount),
  secretFields: ["password"],
  needs: (command) => [factRef("users", command.key.actor)],
  async prepare(command, facts, tools) {
    const hash = facts.get(factRef("users", command.key.actor))?.pass_hash ?? null;
    const right = await tools.verifyPassword(hash === null ? undefined : String(hash), String(command.data.password));
    return { verified: right ? hash : null };
  },
  decide(command, facts, { hashes, prepared }) {
    const { actor } = command.key;
    const user = facts.get(factRef("users", actor));
    if (user?.status !== "active") return refuse("AccountClosed");
    if (prepared.verified === null || prepared.verified !== user.pass_hash) return refuse("WrongCredentials");
    const personal = { emailHash: hashes.lookup(`email|${user.email}`) };
    return { events: [accountEvent("AccountClosed.v1", actor, actor, { personal })], result: {} };
  },
};

/** By the reactor, once the account has left its rooms and its key is destroyed; `subject` is the account. */
const recordErasure: CommandDefinition = {
  context: "accounts",
  input: inputOf(z.strictObject({ user: Id })),
  secretFields: [],
  needs: (command) => [factRef("users", command.subject)],
  decide(command, facts) {
    if (facts.get(factRef("users", command.subject))?.status !== "closed") return { events: [], result: {} };
    return { events: [accountEvent("AccountErased.v1", command.subject, command.key.actor, {})], result: {} };
  },
};

/** The commands of the accounts lane. */
export const accountCommands = {
  register,
  signIn,
  signOut,
  closeAccount,
  recordErasure,
} satisfies { [kind: string]: CommandDefinition };

/** The keyed hash under which an address stands in `emails`. */
export function emailHashOf(hashes: { lookup(text: string): string }, email: string): string {
  return hashes.lookup(`email|${email}`);
}

function emailHash(command: Command, hashes: { lookup(text: string): string }): string {
  return emailHashOf(hashes, String(command.data.email));
}

function userOfEmail(command: Command, facts: Facts, hashes: { lookup(text: string): string }): Row | undefined {
  const email = facts.get(factRef("emails", emailHash(command, hashes)));
  return (email && facts.get(factRef("users", String(email.user_id)))) || undefined;
}

function metaText(command: Command, name: string): string {
  const value = command.meta?.[name];
  return typeof value === "string" ? value.slice(0, 512).toWellFormed().replaceAll("\u0000", "") : "";
}

function accountEvent(type: string, account: string, by: string, data: JsonObject): DomainEvent {
  return { type, subject: { kind: "account", id: account }, by, data };
}

function refuse(code: RefusalCode): Decision {
  return { refused: { code } };
}
