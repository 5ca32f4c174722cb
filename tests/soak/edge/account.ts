import { register, type Session, signIn } from "@connect-hub/sdk";
import { newKey } from "../../demo/newKey.ts";
import { surely } from "../../support/fileDoor.ts";

const password = "a long enough password";
const patienceMs = 30_000;

/** Registers somebody and signs them in, however long it takes until somebody answers. */
export async function enter(url: string, name: string): Promise<Session & { readonly name: string }> {
  const email = `${name.toLowerCase()}@soak.example`;
  const key = newKey();
  await surely(patienceMs, () => register({ url, email, password, name, key }));
  return { name, ...(await surely(patienceMs, () => signIn({ url, email, password }))) };
}
