import * as z from "zod";

// What edges say to each other when a session ends. A format between processes of one system; `docs/format.md` shows its golden bytes.

/** What has ended: one session, or all of an account. */
export type EndedWork = { readonly session: string } | { readonly user: string };

/** Asks each edge to say when it does nothing more for what has ended; asked again until it does. */
export interface EdgeRevoke {
  /** Of this question; drawn anew for each revoke. */
  readonly id: string;
  /** The edge that asks. */
  readonly by: string;
  /** The position token of the commit that says so. */
  readonly position: string;
  readonly ended: EndedWork;
}

/** The answer: `edge` has applied the commit, and has no command under way that it took before. */
export interface EdgeConfirm {
  readonly id: string;
  readonly edge: string;
}

const EdgeRevokeShape = z.object({
  id: z.string(),
  by: z.string().regex(/^[A-Za-z0-9-]+$/),
  position: z.string(),
  ended: z.union([z.strictObject({ session: z.string() }), z.strictObject({ user: z.string() })]),
});
const EdgeConfirmShape = z.object({ id: z.string(), edge: z.string() });

export function encodeEdgeRevoke({ id, by, position, ended }: EdgeRevoke): Uint8Array {
  return Buffer.from(JSON.stringify({ id, by, position, ended }));
}

/** The question in these bytes, or undefined if they are none. */
export function decodeEdgeRevoke(bytes: Uint8Array): EdgeRevoke | undefined {
  return EdgeRevokeShape.safeParse(parsed(bytes)).data;
}

export function encodeEdgeConfirm({ id, edge }: EdgeConfirm): Uint8Array {
  return Buffer.from(JSON.stringify({ id, edge }));
}

/** The answer in these bytes, or undefined if they are none. */
export function decodeEdgeConfirm(bytes: Uint8Array): EdgeConfirm | undefined {
  return EdgeConfirmShape.safeParse(parsed(bytes)).data;
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return undefined;
  }
}
