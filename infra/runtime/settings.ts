import { z } from "zod";

/** A setting is missing or has no meaning; the message names the variable and says what is allowed. */
export class BadSetting extends Error {
  override readonly name = "BadSetting";
}

/** The addresses of nats-servers of one cluster, separated by commas. */
export const natsUrls = z.string().refine((text) => text.split(",").every(isNatsUrl), {
  error: "must be like nats://127.0.0.1:4222, several by commas",
});

function isNatsUrl(text: string): boolean {
  const address = text.trim();
  return address !== "" && URL.canParse(address.includes("://") ? address : `nats://${address}`);
}

/** The settings that every app has: where the log, the tables and the vault are. */
export const backendSettings = {
  HUB_NATS_URL: natsUrls.default("nats://127.0.0.1:7751"),
  HUB_NATS_USER: z.string().optional(),
  HUB_NATS_PASSWORD: z.string().optional(),
  /** Stands before all names in NATS. */
  HUB_PREFIX: z.string().default(""),
  /** The folder of the log's commits that are not in NATS any more. */
  HUB_ARCHIVE_DIR: z.string().optional(),
  HUB_AUTH_URL: z.string(),
  HUB_CHAT_URL: z.string(),
  HUB_CONTENT_URL: z.string(),
  HUB_VAULT_URL: z.string(),
  /** The path of the file with the vault's root key. */
  HUB_VAULT_ROOT: z.string(),
  HUB_LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
};

/** The settings of apps that touch the bytes of files: where they lie here, and who asks placement for those on nodes. */
export const contentSettings = {
  /** The folder of the bytes of files. */
  HUB_CONTENT_DIR: z.string(),
  /** So many bytes they may take there; default: what the disk has, less the reserve. */
  HUB_CONTENT_BYTES: z.coerce.number().int().min(1).optional(),
  HUB_CONTENT_RESERVE_BYTES: z.coerce.number().int().min(0).optional(),
  /** Whoever shows it to placement may read all bytes. */
  HUB_PLACEMENT_SECRET: z.string().min(16),
};

/** The files of a certificate and its key, PEM: with both, clients connect by TLS. */
export const tlsSettings = { HUB_TLS_CERT: z.string().optional(), HUB_TLS_KEY: z.string().optional() };

/** The two files, or undefined for no TLS. Throws `BadSetting` when only one is named. */
export function tlsFilesIn(settings: {
  readonly HUB_TLS_CERT?: string | undefined;
  readonly HUB_TLS_KEY?: string | undefined;
}): { readonly cert: string; readonly key: string } | undefined {
  const { HUB_TLS_CERT: cert, HUB_TLS_KEY: key } = settings;
  if (cert !== undefined && key !== undefined) return { cert, key };
  if (cert === undefined && key === undefined) return undefined;
  const [is, isNot] = cert === undefined ? ["HUB_TLS_KEY", "HUB_TLS_CERT"] : ["HUB_TLS_CERT", "HUB_TLS_KEY"];
  throw new BadSetting(`${is} is set and ${isNot} is not: set both for TLS, or neither.`);
}

/** The settings of `app` in an environment, where an empty one is as good as none. Throws `BadSetting`. */
export function readSettings<S extends z.ZodType>(
  app: string,
  schema: S,
  env: { readonly [name: string]: string | undefined },
): z.infer<S> {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const parsed = schema.safeParse(set, { error: (issue) => problemOf(issue) });
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`);
  throw new BadSetting(`A setting of ${app} can't be used: ${problems.join("; ")}.`);
}

/** What a setting must be, for those whose schema does not say it. */
function problemOf(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      if (issue.input === undefined) return "is not set";
      return issue.inst instanceof z.ZodNumber ? `must be ${numberText(issue.inst)}` : undefined;
    case "too_small":
      if (issue.origin === "string") return `must have at least ${issue.minimum} characters`;
      return `must be ${issue.inclusive === false ? "more than" : "at least"} ${issue.minimum}`;
    case "too_big":
      return `must be at most ${issue.maximum}`;
    case "invalid_value":
      return `must be one of ${issue.values.join(", ")}`;
    default:
      return undefined;
  }
}

/** The numbers that a schema takes. */
function numberText({ isInt, minValue, maxValue }: z.ZodNumber): string {
  const kind = isInt ? "a whole number" : "a number";
  const from = minValue !== null && minValue > Number.MIN_SAFE_INTEGER ? ` from ${minValue}` : "";
  const to = maxValue !== null && maxValue < Number.MAX_SAFE_INTEGER ? ` to ${maxValue}` : "";
  return kind + from + to;
}
