import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:tls";
import { afterEach, beforeEach, expect, test } from "vitest";
import { certificateFolder, makeCertificate } from "../../../tests/setup/certificates.ts";
import { examineCertificate } from "./certificate.ts";

const validTo = new Date("2027-03-01T00:00:00Z");
const made = makeCertificate({ validFrom: new Date("2027-01-01T00:00:00Z"), validTo });
const dayMs = 86_400_000;

let folder: ReturnType<typeof certificateFolder>;
let server: Server | undefined;
beforeEach(() => {
  folder = certificateFolder(made);
});
afterEach(() => {
  folder.remove();
  server?.close();
  server = undefined;
});

const daysBefore = (days: number) => validTo.getTime() - days * dayMs;

const examine = (nowMs: number, address?: string) => examineCertificate({ tls: folder.files }, address, nowMs);

test("without TLS there is nothing to say", async () => {
  expect(await examineCertificate({ tls: null }, undefined, daysBefore(0))).toEqual([]);
});

test.each([
  [15, "ok"],
  [14, "warn"],
  [13, "warn"],
  [1 / dayMs, "warn"],
  [0, "fail"],
  [-1, "fail"],
])("%d days before it expires: %s", async (days, state) => {
  const [finding] = await examine(daysBefore(days));
  expect(finding).toMatchObject({ check: "certificate", state });
  expect(finding?.says).toContain("2027-03-01T00:00:00");
  if (state !== "ok") expect(finding?.todo).toMatch(/^Renew it/);
});

test("files that can't be used are a failure in words", async () => {
  folder.put({ ...made, cert: "" });
  expect(await examine(daysBefore(20))).toMatchObject([{ state: "fail", says: expect.stringContaining("PEM") }]);
});

test("an edge that shows another certificate than the files have is found", async () => {
  server = createServer({ cert: made.cert, key: made.key });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  expect(await examine(daysBefore(20), address)).toMatchObject([{ state: "ok" }]);
  folder.put(makeCertificate({ validFrom: new Date("2027-01-01T00:00:00Z"), validTo }));
  expect(await examine(daysBefore(20), address)).toMatchObject([
    { state: "ok" },
    { check: "certificate shown", state: "warn" },
  ]);
});
