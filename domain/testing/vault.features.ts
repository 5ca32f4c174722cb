import { expect, test } from "vitest";
import type { Vault } from "../kernel/ports.ts";

/** What the contract needs of an adapter: two handles on one empty vault, as two processes would hold them. */
export interface VaultUnderTest {
  readonly vault: Vault;
  readonly other: Vault;
}

/** What every vault promises; `open` makes an empty one for each test. */
export function vaultFeatures(open: () => Promise<VaultUnderTest>): void {
  test("a name has no key until it is asked for, and then one of 32 bytes", async () => {
    const { vault } = await open();
    expect(vault.cached("account:a")).toBeUndefined();
    await vault.named(["account:a"]);
    expect(vault.cached("account:a")?.bytes).toHaveLength(32);
    expect(vault.cached("account:b")).toBeUndefined();
  });

  test("different names have different keys, the same name the same one", async () => {
    const { vault, other } = await open();
    await vault.named(["a", "b", "a"]);
    const [a, b] = ["a", "b"].map((name) => vault.cached(name));
    expect(a?.id).not.toBe(b?.id);
    expect(a && Buffer.from(a.bytes)).not.toEqual(b && Buffer.from(b.bytes));
    await other.named(["b", "a"]);
    expect(other.cached("a")).toEqual(a);
    expect(other.cached("b")).toEqual(b);
  });

  test("a key that one handle was given can be had by its id from another at once", async () => {
    const { vault, other } = await open();
    await vault.named(["a"]);
    const key = vault.cached("a");
    const found = await other.byId([key?.id ?? "", key?.id ?? ""]);
    expect([...found.values()]).toEqual([key]);
  });

  test("handles that make the same names at once get the same keys", async () => {
    const { vault, other } = await open();
    const names = Array.from({ length: 40 }, (_, index) => `n${index}`);
    await Promise.all([vault.named(names), other.named(names.toReversed()), vault.named(names.slice(5))]);
    for (const name of names) {
      expect(vault.cached(name)).toBeDefined();
      expect(other.cached(name)).toEqual(vault.cached(name));
    }
  });

  test("an id that was never given or was destroyed is not in the answer", async () => {
    const { vault, other } = await open();
    await vault.named(["a", "b"]);
    const ids = ["a", "b"].map((name) => vault.cached(name)?.id ?? "");
    expect(await vault.destroy("a")).toBe(1);
    for (const handle of [vault, other]) {
      const found = await handle.byId([...ids, "00000000-0000-4000-8000-000000000000", "no id at all"]);
      expect([...found.keys()]).toEqual([ids[1]]);
    }
  });

  test("destroying takes the names that start with the prefix, whatever characters it holds, and no others", async () => {
    const { vault } = await open();
    const names = ["body:r1:a", "body:r1:b", "body:r10:a", "body:r2:a", "body:%", "body:_x"];
    await vault.named(names);
    expect(await vault.destroy("body:r1:")).toBe(2);
    expect(await vault.destroy("body:r1:")).toBe(0);
    expect(await vault.destroy("body:%")).toBe(1);
    expect(names.filter((name) => vault.cached(name))).toEqual(["body:r10:a", "body:r2:a", "body:_x"]);
  });

  test("a destroyed name that is asked for again gets another key", async () => {
    const { vault } = await open();
    await vault.named(["a"]);
    const before = vault.cached("a");
    await vault.destroy("a");
    expect(vault.cached("a")).toBeUndefined();
    await vault.named(["a"]);
    expect(vault.cached("a")?.id).not.toBe(before?.id);
  });

  test("nothing is asked, nothing happens", async () => {
    const { vault } = await open();
    await vault.named([]);
    expect((await vault.byId([])).size).toBe(0);
  });
}
