// The only file that touches argon2.
import { randomBytes } from "node:crypto";
import argon2 from "argon2";
import { boundedQueue } from "./boundedQueue.ts";

/**
 * OWASP, Password Storage Cheat Sheet (2025), the first of its equal choices with one lane: 19 MiB, two passes.
 * Changed values hold for new hashes; each stored hash says what it was made with.
 */
const parameters = { type: argon2.argon2id, memoryCost: 19 * 1024, timeCost: 2, parallelism: 1 } as const;
const saltBytes = 16;
const digestBytes = 32;

export interface PasswordsOptions {
  /** Passwords hashed or checked at a time, each by a thread of its own (of UV_THREADPOOL_SIZE, 4 by default). */
  readonly maxConcurrent: number;
  /** Passwords that wait; one more is refused. Default 100, some 2.5 s of work for one thread. */
  readonly maxWaiting?: number;
}

export interface Passwords {
  /** The argon2id hash of a password in its PHC text form. Throws `PasswordsBusy`. */
  hash(password: string): Promise<string>;
  /** Whether `hash` was made from `password`. Without a hash: false, after the same time. Throws `PasswordsBusy`. */
  verify(hash: string | undefined, password: string): Promise<boolean>;
}

/** Hashes and checks passwords in the library's own threads, each in 19 MiB of memory, so the number at a time is bounded. */
export function passwords({ maxConcurrent, maxWaiting = 100 }: PasswordsOptions): Passwords {
  const run = boundedQueue({ maxConcurrent, maxWaiting });
  const nobodysHash = hashOfNothing();
  return {
    hash: (password) => run(() => argon2.hash(sameText(password), parameters)),
    verify: (hash, password) => run(() => argon2.verify(hash ?? nobodysHash, sameText(password))),
  };
}

/** Keyboards write one letter in several ways; NFKC makes them one (NIST SP 800-63B, 3.1.1.2). */
function sameText(password: string): string {
  return password.normalize("NFKC");
}

/** A hash of today's cost whose digest is random: no password is known to fit. */
function hashOfNothing(): string {
  const { memoryCost, timeCost, parallelism } = parameters;
  const base64 = (bytes: number) => randomBytes(bytes).toString("base64").replaceAll("=", "");
  return `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$${base64(saltBytes)}$${base64(digestBytes)}`;
}
