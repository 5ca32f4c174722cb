import { expect, test } from "vitest";
import { attempts } from "./attempts.ts";

/** Budgets in memory that nothing refills. */
function made(perMinute: number) {
  const spent = new Map<string, number>();
  return attempts(
    {
      budget: ({ name, points }) => ({
        async consume(key) {
          const count = (spent.get(`${name}/${key}`) ?? 0) + 1;
          spent.set(`${name}/${key}`, count);
          return count <= points ? { ok: true } : { ok: false, reason: "exhausted", retryAfterMs: 1_000 };
        },
      }),
    } as Parameters<typeof attempts>[0],
    { prefix: "t", perMinute, hash: (email) => email },
  );
}

const tooMany = { wire: { name: "TooManyAttempts", afterMs: 1_000 } };

test("an account can be tried to be closed a tenth as often as one address may try", async () => {
  const { admitClosing } = made(20);
  await admitClosing("::1", "ada");
  await admitClosing("::2", "ada");
  await expect(admitClosing("::3", "ada")).rejects.toMatchObject(tooMany);
  await admitClosing("::3", "bob");
});

test("closing accounts and signing in share the budget of their address", async () => {
  const { admitClosing, admitAttempt } = made(2);
  await admitClosing("::1", "ada");
  await admitAttempt("signIn", "::1", "");
  await expect(admitClosing("::1", "bob")).rejects.toMatchObject(tooMany);
});
