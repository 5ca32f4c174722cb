import { join } from "node:path";
import { z } from "zod";
import { type DataFolder, readOrMakeSecret } from "./dataFolder.ts";
import { readJsonIfThere, remove, writeFileAtomic } from "./files.ts";
import type { NatsLogin } from "./nats.ts";

const serviceShape = z.object({
  /** `a-z`, `0-9` and `-`; up to 32. */
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/),
  /** The contexts of which it may ask the filtering door; null for one of an older version, which only the door holds to its rights. */
  contexts: z
    .array(z.string().regex(/^[a-z]+$/))
    .readonly()
    .nullable(),
});

/** An internal service as nats-server has to know it. */
export type NatsService = Readonly<z.infer<typeof serviceShape>>;

const shape = z.array(serviceShape);

/** The services of a box, in the order of their names. */
export function readServices(folder: DataFolder): readonly NatsService[] {
  return shape.parse(readJsonIfThere(pathOf(folder)) ?? []);
}

/** Leaves them for the next start of nats-server. */
export function writeServices(folder: DataFolder, services: readonly NatsService[]): void {
  const sorted = services.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  writeFileAtomic(pathOf(folder), `${JSON.stringify(sorted, undefined, 2)}\n`);
}

/** How a service signs in. */
export function serviceLogin(folder: DataFolder, service: NatsService): NatsLogin & { readonly passwordFile: string } {
  const secret = `service-${service.name}`;
  return {
    user: serviceUser(service),
    password: readOrMakeSecret(folder, secret),
    passwordFile: join(folder.secrets, secret),
  };
}

/** Forgets a service's password: one that is added under that name later gets another. */
export function forgetServiceLogin(folder: DataFolder, name: string): void {
  remove(join(folder.secrets, `service-${name}`));
}

/** The users of services, in the place that is marked in the top-level `nats.conf`. */
export function servicesInConfiguration(text: string, services: readonly NatsService[], folder: DataFolder): string {
  const mark = /^ *# services$/m;
  if (!mark.test(text)) throw new Error("nats.conf has no line `# services` among its users any more.");
  const users = services.map((service) => serviceUserText(service, serviceLogin(folder, service).password));
  return text.replace(mark, () => users.join("\n"));
}

/** The entry of a service among the users of a nats-server; `prefix` stands before all names there. */
export function serviceUserText(service: NatsService, password: string, prefix = ""): string {
  const { publish, subscribe } = rightsOf(service, prefix);
  return `    {
      user: "${serviceUser(service)}"
      password: "${password}"
      permissions: {
        publish: { allow: ${JSON.stringify(publish)} }
        subscribe: { allow: ${JSON.stringify(subscribe)} }
      }
    }`;
}

/**
 * It may ask the door, and hear its own inbox. Nothing of JetStream: nats-server asks for no right where JetStream answers to, so who may
 * ask it for anything can have bytes of its own put onto a lane (docs/adr/0017).
 */
function rightsOf({ name, contexts }: NatsService, prefix: string): { publish: string[]; subscribe: string[] } {
  const asks = ["lanes", "state.*", ...(contexts ?? ["*"]).map((context) => `${context}.*.*`)];
  return { publish: asks.map((what) => `${prefix}door.${name}.${what}`), subscribe: [`_INBOX_svc.${name}.>`] };
}

/** The name that a service signs in by. One that an older version let in by types or rooms keeps its own until it is added anew. */
export function serviceUser({ name, contexts }: NatsService): string {
  return `${contexts === null ? "door" : "svc"}-${name}`;
}

function pathOf(folder: DataFolder): string {
  return join(folder.path, "services.json");
}
