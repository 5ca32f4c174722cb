import { join } from "node:path";
import { z } from "zod";
import { type DataFolder, readOrMakeSecret } from "./dataFolder.ts";
import { readJsonIfThere, remove, writeFileAtomic } from "./files.ts";
import type { NatsLogin } from "./nats.ts";

const serviceShape = z.object({
  /** `a-z`, `0-9` and `-`; up to 32. */
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/),
  /** The contexts whose lanes it reads for itself; null: it sees only what the filtering door gives it. */
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

/** How a service signs in: `svc-NAME` where it reads for itself, `door-NAME` where the door reads for it. */
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

function rightsOf({ name, contexts }: NatsService, prefix: string): { publish: string[]; subscribe: string[] } {
  if (contexts === null) return { publish: [`${prefix}door.${name}.>`], subscribe: [`_INBOX_svc.${name}.>`] };
  const own = `${prefix}service_${name}`;
  return {
    publish: [
      // Which lanes there are, and what it may see itself.
      `$JS.API.STREAM.INFO.KV_${prefix}lanes`,
      `$JS.API.STREAM.MSG.GET.KV_${prefix}lanes`,
      `$JS.API.DIRECT.GET.KV_${prefix}services.$KV.${prefix}services.${name}`,
      // A lane's stream changes its name with the epoch, its subject begins with its context for ever: nats-server holds a
      // consumer to the subject that stands at the end here. A consumer's name is only known to who made it.
      ...contexts.map((context) => `$JS.API.CONSUMER.CREATE.*.*.${prefix}log.${context}.>`),
      "$JS.API.CONSUMER.MSG.NEXT.*.*",
      // How far it is.
      `$JS.API.STREAM.INFO.KV_${own}`,
      `$JS.API.STREAM.MSG.GET.KV_${own}`,
      `$KV.${own}.>`,
    ],
    subscribe: [`_INBOX_svc.${name}.>`],
  };
}

const serviceUser = ({ name, contexts }: NatsService): string => `${contexts === null ? "door" : "svc"}-${name}`;

function pathOf(folder: DataFolder): string {
  return join(folder.path, "services.json");
}
