import { subjects } from "@connect-hub/domain/kernel";
import {
  contextOfType,
  inWords,
  nameOf,
  parseRights,
  ServiceError,
  type ServiceRights,
  visibleTypes,
} from "@connect-hub/domain/services";
import { contexts, Id } from "@connect-hub/domain/values";
import { type NatsLink, serviceRegistry } from "@connect-hub/jetstream";
import { oneAtATime, openDataFolder, readServices, serviceUser } from "@connect-hub/runtime";
import { BadSetting } from "@connect-hub/runtime/settings";
import { type Command, InvalidArgumentError } from "commander";
import { connectionsOfRunning } from "../box/connections.ts";
import type { CommandContext } from "../cli.ts";
import { NotThere } from "../exitCodes.ts";
import { connectAsOperator } from "../lanes.ts";
import { addServiceUser, removeServiceUser, type ServiceLogin } from "../serviceUsers.ts";
import { textTable } from "../table.ts";

interface AddOptions {
  readonly contexts?: readonly string[];
  readonly types?: readonly string[];
  readonly rooms?: readonly string[];
  readonly json?: true;
}

/** `hub service`: programs that get the events of the log. */
export function registerService(program: Command, context: CommandContext): void {
  const service = program.command("service").description("internal services: programs that get the events of the log");
  service
    .command("add")
    .description("let a service in, or change what it may see; needs no restart")
    .argument("<name>", "up to 32 of a-z, 0-9 and -")
    .option("--contexts <list>", `it gets all events of these, sealed as they are: ${contexts.join(",")}`, words)
    .option("--types <list>", "it gets only events of these types, opened: see npm run hub -- events types", words)
    .option("--rooms <list>", "it gets only events of these rooms, opened", words)
    .option("--json", "for programs")
    .action((name: string, options: AddOptions) => add(context, name, options));
  service
    .command("list")
    .description("all services, and what each may see")
    .option("--json", "for programs")
    .action(({ json }: { readonly json?: true }) => list(context, json === true));
  service
    .command("remove")
    .description("cut a service off, and forget how far it was")
    .argument("<name>", "as it was added")
    .option("--json", "for programs")
    .action((name: string, { json }: { readonly json?: true }) => removeOne(context, name, json === true));
}

async function add(context: CommandContext, name: string, options: AddOptions): Promise<void> {
  const rights = rightsOf(name, options);
  const { dataDir } = context.config();
  const connections = connectionsOfRunning(dataDir);
  const { login, kept } = await inTurn(context, async (link) => {
    const registry = serviceRegistry(link, connections.prefix);
    const there = await registry.read(name);
    const kept = { ...rights, addedAt: addedAtOf(name, there) ?? rights.addedAt };
    await registry.write(name, JSON.stringify(kept), connections.natsReplicas);
    const seen = [...visibleTypes(name, rights, undefined).keys()];
    const login = await addServiceUser({ name, contexts: seen }, dataDir, connections);
    return { login, kept };
  });
  if (options.json === true) {
    console.log(JSON.stringify({ name, ...kept, url: connections.natsUrl, ...login }, undefined, 2));
    return;
  }
  console.log(`${name} may see ${inWords(kept)}.\n\n${loginText(connections.natsUrl, login)}`);
}

/** When a service was first let in; undefined for one that was not, or whose rights can't be read: they are replaced. */
function addedAtOf(name: string, there: string | undefined): string | undefined {
  try {
    return parseRights(name, there).addedAt;
  } catch (error) {
    if (error instanceof ServiceError) return undefined;
    throw error;
  }
}

function loginText(url: string, { user, password, passwordFile, lines }: ServiceLogin): string {
  const how = [`  url       ${url}`, `  user      ${user}`];
  if (password === null) how.push(`  password  as before, in ${passwordFile}`);
  else how.push(`  password  ${password}`, `            (shown once; it stays in ${passwordFile})`);
  if (lines === null) return `${how.join("\n")}\n\nHow to use it: docs/services.md\n`;
  return `${how.join("\n")}

This box does not run its nats-server. Put this among the users there, and have it read its configuration anew:

${lines}
`;
}

/** What a service may see, by the options. Throws `BadSetting`. */
function rightsOf(name: string, { contexts: own, types, rooms }: AddOptions): ServiceRights {
  assertName(name);
  const addedAt = new Date().toISOString();
  if ((own === undefined) === (types === undefined && rooms === undefined)) {
    throw new BadSetting(
      `Say what ${name} may see: --contexts ${contexts.join(",")} (all of what some of them hold, sealed as it is), or --types and --rooms (those alone, opened).`,
    );
  }
  if (own !== undefined) {
    const unknown = own.find((word) => !contexts.some((known) => known === word));
    if (unknown !== undefined) throw new BadSetting(`There is no context "${unknown}", only ${contexts.join(", ")}.`);
    return { contexts: contexts.filter((known) => own.includes(known)), types: null, rooms: null, addedAt };
  }
  const stranger = rooms?.find((room) => !Id.safeParse(room).success);
  if (stranger !== undefined) throw new BadSetting(`"${stranger}" is no id of a room, which is a lower-case UUID.`);
  for (const type of types ?? []) {
    if (contextOf(type) !== "rooms" && rooms !== undefined)
      throw new BadSetting(`${type} says of no room which it is: with --rooms only events of rooms can be seen.`);
  }
  return { contexts: null, types: types?.map(nameOf) ?? null, rooms: rooms ?? null, addedAt };
}

function contextOf(type: string): string {
  try {
    return contextOfType(type);
  } catch (error) {
    if (error instanceof ServiceError) throw new BadSetting(error.message);
    throw error;
  }
}

async function list(context: CommandContext, json: boolean): Promise<void> {
  const { dataDir } = context.config();
  const { prefix } = connectionsOfRunning(dataDir);
  const services = await withOperator(context, async (link) => {
    const registry = serviceRegistry(link, prefix);
    const names = await registry.names();
    const texts = await Promise.all(names.map(async (name) => [name, await registry.read(name)] as const));
    return texts.flatMap(([name, text]) => (text === undefined ? [] : [{ name, ...parseRights(name, text) }]));
  });
  if (json) return console.log(JSON.stringify(services, undefined, 2));
  const users = new Map(readServices(openDataFolder(dataDir)).map((one) => [one.name, serviceUser(one)]));
  const rows = services.map((rights) => [
    rights.name,
    inWords(rights),
    users.get(rights.name) ?? "none",
    subjects(prefix).serviceBucket(rights.name),
    rights.addedAt,
  ]);
  const head = ["service", "may see", "user", "bucket", "added"];
  console.log(
    rows.length === 0 ? "There are no services. Add one by: npm run hub -- service add" : textTable(head, rows),
  );
}

async function removeOne(context: CommandContext, name: string, json: boolean): Promise<void> {
  assertName(name);
  const { dataDir } = context.config();
  const connections = connectionsOfRunning(dataDir);
  await inTurn(context, async (link) => {
    const registry = serviceRegistry(link, connections.prefix);
    const isThere = (await registry.read(name)) !== undefined;
    // From here on the door answers it nothing, whatever nats-server still lets in.
    if (isThere) await registry.remove(name);
    const wasUser = await removeServiceUser(name, dataDir, connections);
    if (!isThere && !wasUser) throw new NotThere(`There is no service ${name}. See: npm run hub -- service list`);
    if (json) return console.log(JSON.stringify({ removed: name }, undefined, 2));
    const more =
      connections.natsLogins.door === undefined ? " Take its user out of your nats-server's configuration." : "";
    console.log(`${name} is cut off, and what it kept is gone.${more}`);
  });
}

function assertName(name: string): void {
  if (!/^[a-z0-9][a-z0-9-]{0,31}$/.test(name))
    throw new BadSetting(`"${name}" is no name of a service: up to 32 of a-z, 0-9 and -, not beginning with -.`);
}

/** Changes services while no other command does: they stand in one file, which nats-server reads anew. */
function inTurn<T>(context: CommandContext, work: (link: NatsLink) => Promise<T>): Promise<T> {
  return oneAtATime(openDataFolder(context.config().dataDir), "services", () => withOperator(context, work));
}

async function withOperator<T>(context: CommandContext, work: (link: NatsLink) => Promise<T>): Promise<T> {
  const link = await connectAsOperator(connectionsOfRunning(context.config().dataDir));
  try {
    return await work(link);
  } finally {
    await link.close();
  }
}

function words(value: string): readonly string[] {
  const found = value
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
  if (found.length === 0) throw new InvalidArgumentError("name at least one, separated by commas.");
  return found;
}
