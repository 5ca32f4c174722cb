import { join } from "node:path";
import { limits } from "@connect-hub/domain/values";
import { backendSettings, readSettings, tlsFilesIn, tlsSettings } from "@connect-hub/runtime/settings";
import { z } from "zod";
import { proxiesIn } from "./clientAddress.ts";
import { readOrigins } from "./origins.ts";

const schema = z.object({
  ...backendSettings,
  /** Of this edge among others, in its log and in what edges say to each other. */
  HUB_NAME: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,32}$/, "must be 1 to 32 letters, digits or -")
    .default("edge"),
  HUB_HOST: z.string().default("127.0.0.1"),
  /** Whether other edges serve on the same port. */
  HUB_SHARES_PORT: z.enum(["0", "1"], "must be 0 or 1").default("0"),
  HUB_PORT: z.coerce.number().int().min(0).max(65_535).default(7750),
  ...tlsSettings,
  /** The proxies whose word on their clients' addresses counts. */
  HUB_TRUSTED_PROXIES: z
    .string()
    .refine((text) => proxiesIn(text) !== undefined, {
      error: "must be addresses or networks by commas, such as 127.0.0.1,10.0.0.0/8,fd00::/8, and not all there are",
    })
    .optional(),
  HUB_VALKEY_URL: z.string().default("redis://127.0.0.1:7753"),
  /** Registrations, and sign-ins, from one address in a minute; for one e-mail address a tenth of it. */
  HUB_ATTEMPTS_PER_MINUTE: z.coerce.number().int().min(1).default(120),
  /** Sockets that may wait for their turn to sign in; more are turned away for a while. */
  HUB_WAITING_SIGN_INS: z.coerce.number().int().min(0).default(1_000),
  /** Commands and queries of one person, and of one address, in the long run; ten times as many at once. */
  HUB_REQUESTS_PER_SECOND: z.coerce.number().int().min(1).default(100),
  HUB_ADDRESS_REQUESTS_PER_SECOND: z.coerce.number().int().min(1).default(5_000),
  /** Where the metrics are read; nowhere if left out. */
  HUB_METRICS_HOST: z.string().default("127.0.0.1"),
  HUB_METRICS_PORT: z.coerce.number().int().min(1).max(65_535).optional(),
  /** Pages of other origins that may use the edge from a browser, parted by commas; the edge's own page always may. */
  HUB_ALLOWED_ORIGINS: z
    .string()
    .default("")
    .transform(readOrigins)
    .refine((listed) => listed !== undefined, "must be origins parted by commas, such as https://chat.example.org")
    .transform((listed) => listed ?? []),
  HUB_DATA: z.string().default(".hub"),
  /** The folder with the bytes of files; default: `content` in the data folder. */
  HUB_CONTENT_DIR: z.string().optional(),
  /** Bytes that files may take on this disk; computed from the disk if left out. */
  HUB_CONTENT_BYTES: z.coerce.number().int().min(0).optional(),
  /** Bytes of the disk that are left to others. */
  HUB_CONTENT_RESERVE_BYTES: z.coerce.number().int().min(0).optional(),
  /** Bytes of one file. */
  HUB_FILE_BYTES: z.coerce.number().int().min(1).max(limits.fileBytes).default(limits.fileBytes),
  /** Where placement serves what nodes have, and what it lets in; without both only this disk is read. */
  HUB_PLACEMENT_URL: z.url().optional(),
  HUB_PLACEMENT_SECRET: z.string().optional(),
});

/** What the edge is told from outside. */
export type EdgeConfig = z.infer<typeof schema> & { readonly HUB_CONTENT_DIR: string };

/** The settings in `env`. Throws `BadSetting`. */
export function readEdgeConfig(env: { readonly [name: string]: string | undefined }): EdgeConfig {
  const read = readSettings("the edge", schema, env);
  // Half of it would be no TLS where somebody meant it.
  tlsFilesIn(read);
  return { ...read, HUB_CONTENT_DIR: read.HUB_CONTENT_DIR ?? join(read.HUB_DATA, "content") };
}
