import type { Budget, Valkey } from "@connect-hub/valkey";
import { Refused } from "./refusals.ts";

/** Limits how often is tried what could be used to guess a password; not at all while that can't be counted. All throw `Refused`: `TooManyAttempts`, `Unavailable`. */
export interface Attempts {
  admitAttempt(kind: "register" | "signIn", ip: string, email: string): Promise<void>;
  /** Guessing the password of `user` by closing the account counts as signing in does. */
  admitClosing(ip: string, user: string): Promise<void>;
}

/** `perMinute`: tries from one address; for one e-mail address, or account to close, a tenth of it. */
export function attempts(
  valkey: Pick<Valkey, "budget">,
  options: { readonly prefix: string; readonly perMinute: number; readonly hash: (email: string) => string },
): Attempts {
  const budget = (name: string, points: number) =>
    valkey.budget({ name: `${options.prefix}${name}`, points: Math.max(1, Math.floor(points)), perSeconds: 60 });
  const byAddress = {
    register: budget("register", options.perMinute),
    signIn: budget("sign-in", options.perMinute),
  };
  const byEmail = budget("sign-in-email", options.perMinute / 10);
  const byUser = budget("close-account-user", options.perMinute / 10);
  return {
    async admitAttempt(kind, ip, email) {
      await admit(byAddress[kind], ip);
      if (kind === "signIn" && email !== "") await admit(byEmail, options.hash(email));
    },
    async admitClosing(ip, user) {
      await admit(byAddress.signIn, ip);
      await admit(byUser, user);
    },
  };
}

async function admit(budget: Budget, key: string): Promise<void> {
  const answer = await budget.consume(key);
  if (answer.ok) return;
  if (answer.reason === "exhausted") throw new Refused("TooManyAttempts", undefined, answer.retryAfterMs);
  throw new Refused("Unavailable");
}
