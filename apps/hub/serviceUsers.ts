import { subjects } from "@connect-hub/domain/kernel";
import { askDoor, connectNats } from "@connect-hub/jetstream";
import {
  type DataFolder,
  forgetServiceLogin,
  type NatsService,
  openDataFolder,
  readServices,
  reloadNats,
  serviceLogin,
  serviceUserText,
  waitFor,
  writeServices,
} from "@connect-hub/runtime";
import { isSupervised, readBoxState } from "./box/boxState.ts";
import type { Connections } from "./box/connections.ts";
import { NotRunning } from "./exitCodes.ts";

/** How a service signs in, as it is said to who added it. */
export interface ServiceLogin {
  readonly user: string;
  /** Null when it had one before. */
  readonly password: string | null;
  readonly passwordFile: string;
  /** The lines for a nats-server that this box does not run; null when it does. */
  readonly lines: string | null;
}

const reloadMs = 10_000;
const doorMs = 30_000;

/** Makes the user of a service, or gives it other rights, and waits until it is let in and answered. Throws `NotRunning`. */
export async function addServiceUser(
  service: NatsService,
  dataDir: string,
  connections: Connections,
): Promise<ServiceLogin> {
  const folder = openDataFolder(dataDir);
  const before = readServices(folder);
  const others = before.filter(({ name }) => name !== service.name);
  const there = before.find(({ name }) => name === service.name);
  const { user, password, passwordFile } = serviceLogin(folder, service);
  const said = { user, password: there === undefined ? password : null, passwordFile };
  writeServices(folder, [...others, service]);
  haveDoorStarted(dataDir);
  if (connections.natsLogins.door === undefined)
    return { ...said, lines: serviceUserText(service, password, connections.prefix) };
  if (!reloadNats(folder))
    throw new NotRunning(`The nats-server of ${dataDir} doesn't run. See: npm run hub -- status`);
  const login = { url: connections.natsUrl, user, password };
  if ((await waitFor(() => canSignIn(login, service.name), { timeoutMs: reloadMs, everyMs: 50 })) !== true)
    throw new Error(`nats-server does not let ${user} in. It says why in ${folder.logs}/nats.log`);
  await waitForDoor(service, { login, prefix: connections.prefix });
  return { ...said, lines: null };
}

/** Takes the user of a service away, and waits until it is cut off; false when there was none. */
export async function removeServiceUser(name: string, dataDir: string, connections: Connections): Promise<boolean> {
  const folder = openDataFolder(dataDir);
  const services = readServices(folder);
  const there = services.find((service) => service.name === name);
  if (there === undefined) return false;
  await cutOff(there, folder, connections);
  forgetServiceLogin(folder, name);
  return true;
}

/** Takes the user of a service away, and waits until it is cut off. */
async function cutOff(service: NatsService, folder: DataFolder, connections: Connections): Promise<void> {
  const { user, password } = serviceLogin(folder, service);
  writeServices(
    folder,
    readServices(folder).filter(({ name }) => name !== service.name),
  );
  if (connections.natsLogins.door === undefined || !reloadNats(folder)) return;
  const isOut = async () => !(await canSignIn({ url: connections.natsUrl, user, password }, service.name));
  if ((await waitFor(isOut, { timeoutMs: reloadMs, everyMs: 50 })) !== true)
    throw new Error(`nats-server still lets ${user} in. It says why in ${folder.logs}/nats.log`);
}

interface Login {
  readonly url: string;
  readonly user: string;
  readonly password: string;
}

async function canSignIn(login: Login, name: string): Promise<boolean> {
  try {
    await (await connectAsService(login, name)).close();
    return true;
  } catch {
    return false;
  }
}

function connectAsService(login: Login, name: string) {
  return connectNats({ ...login, name: login.user, inboxPrefix: `_INBOX_svc.${name}`, deadlineMs: 1_000 });
}

/** The box looks at its services again, and starts the door if it does not run yet. */
function haveDoorStarted(dataDir: string): void {
  const state = readBoxState(dataDir);
  if (state !== undefined && isSupervised(state) && state.phase === "ready")
    process.kill(state.supervisor.pid, "SIGUSR2");
}

/** Waits until this service gets answers for each of its contexts. */
async function waitForDoor(
  { name, contexts }: NatsService,
  { login, prefix }: { readonly login: Login; readonly prefix: string },
): Promise<void> {
  const link = await connectAsService(login, name);
  try {
    const ask = (context: string) => askDoor(link, subjects(prefix).door(name, `${context}.0.head`), {}, 2_000);
    const answers = () =>
      Promise.all((contexts ?? []).map(ask)).then(
        () => true,
        () => false,
      );
    if ((await waitFor(answers, { timeoutMs: doorMs, everyMs: 100 })) !== true)
      throw new Error(`${name} was added, but the door does not answer it. See: npm run hub -- status`);
  } finally {
    await link.close();
  }
}
