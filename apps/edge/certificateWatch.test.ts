import { rmSync } from "node:fs";
import { digestOfFiles, type Server } from "@connect-hub/uws";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { certificateFolder, makeCertificate } from "../../tests/setup/certificates.ts";
import { watchCertificate } from "./certificateWatch.ts";

const first = makeCertificate({ name: "first.test" });
const second = makeCertificate({ name: "second.test" });

let folder: ReturnType<typeof certificateFolder>;
let end: () => Promise<void>;
let shown: { readonly names: string; readonly validToMs: number; readonly fingerprint256: string; digest: string };
/** What was logged. */
let words: string[];
let reloads: number;
let looks: number;

async function watch(everyMs: number): Promise<void> {
  shown = { names: "", validToMs: 0, fingerprint256: "", digest: (await digestOfFiles(folder.files)) ?? "" };
  const server: Pick<Server, "certificate" | "reloadCertificate"> = {
    get certificate() {
      looks++;
      return shown;
    },
    async reloadCertificate() {
      reloads++;
      const digest = await digestOfFiles(folder.files);
      if (digest === undefined) throw new Error("can't be read");
      shown = { ...shown, digest };
    },
  };
  const log = {
    info: (_: object, text: string) => void words.push(`info ${text}`),
    error: (_: object, text: string) => void words.push(`error ${text}`),
  } as unknown as Parameters<typeof watchCertificate>[2];
  end = watchCertificate(folder.files, server, log, { everyMs });
}

function someLooks(): Promise<void> {
  const before = looks;
  return vi.waitFor(() => expect(looks).toBeGreaterThan(before + 8), { interval: 2 });
}

beforeEach(() => {
  folder = certificateFolder(first);
  words = [];
  reloads = 0;
  looks = 0;
});
afterEach(async () => {
  await end();
  folder.remove();
});

test("another certificate in the files is shown, and the same written again is nothing new", async () => {
  await watch(2);
  folder.put(first);
  await someLooks();
  expect(reloads).toBe(0);
  folder.put(second);
  await vi.waitFor(() => expect(words).toEqual(["info shows a new certificate from now on"]));
  expect(shown.digest).toBe(await digestOfFiles(folder.files));
});

test("one that can't be used is said once, and the next that can is shown", async () => {
  await watch(2);
  rmSync(folder.files.key);
  await vi.waitFor(() => expect(words).toHaveLength(1));
  await someLooks();
  expect(words).toEqual(["error goes on with the former certificate: the new one can't be used"]);
  folder.put(second);
  await vi.waitFor(() => expect(words).toHaveLength(2));
  expect(words[1]).toMatch(/^info/);
});

test("SIGHUP looks at once, and again at one that could not be used", async () => {
  await watch(1_000_000);
  folder.put(second);
  process.kill(process.pid, "SIGHUP");
  await vi.waitFor(() => expect(words).toHaveLength(1));
  expect(words[0]).toMatch(/^info/);
  rmSync(folder.files.key);
  for (const times of [2, 3]) {
    process.kill(process.pid, "SIGHUP");
    await vi.waitFor(() => expect(words).toHaveLength(times));
  }
  expect(words[2]).toMatch(/^error/);
});
