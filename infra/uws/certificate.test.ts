import { generateKeyPairSync } from "node:crypto";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { certificateFolder, makeCertificate } from "../../tests/setup/certificates.ts";
import { BadCertificate, digestOfFiles, readCertificate } from "./certificate.ts";

const now = new Date("2026-06-15T12:00:00Z");
const validFrom = new Date("2026-06-01T00:00:00Z");
const validTo = new Date("2026-07-01T00:00:00Z");
const good = makeCertificate({ validFrom, validTo });
const other = makeCertificate({ name: "other.test", validFrom, validTo });
const folder = certificateFolder(good);
const { files } = folder;

beforeEach(() => folder.put(good));
afterAll(() => folder.remove());

const read = (at: Date = now) => readCertificate(files, at.getTime());

async function refusal(at?: Date): Promise<string> {
  const error = await read(at).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BadCertificate);
  return (error as BadCertificate).message;
}

test("says for whom it is, until when, and has a digest that its files have too", async () => {
  const certificate = await read();
  expect(certificate.names).toBe("DNS:hub.test, DNS:localhost, IP Address:127.0.0.1");
  expect(new Date(certificate.validToMs)).toEqual(validTo);
  expect(await digestOfFiles(files)).toBe(certificate.digest);
  folder.put(other);
  expect(await digestOfFiles(files)).not.toBe(certificate.digest);
  rmSync(files.key);
  expect(await digestOfFiles(files)).toBeUndefined();
});

test("certificates of issuers may follow the server's own", async () => {
  folder.put({ cert: good.cert + other.cert, key: good.key });
  expect((await read()).names).toContain("hub.test");
});

describe("is refused, with the next step:", () => {
  test("a file that is missing or can't be read", async () => {
    rmSync(files.cert);
    expect(await refusal()).toMatch(/HUB_TLS_CERT=.* can't be read \(ENOENT.*name a PEM file/);
    folder.put(good);
    rmSync(files.key);
    mkdirSync(files.key);
    expect(await refusal()).toMatch(/HUB_TLS_KEY=.* can't be read \(EISDIR/);
    rmSync(files.key, { recursive: true });
    folder.put(good);
    if (process.getuid?.() === 0) return;
    chmodSync(files.key, 0);
    expect(await refusal()).toMatch(/HUB_TLS_KEY=.* can't be read \(EACCES/);
    chmodSync(files.key, 0o600);
  });

  test.each([
    [1024 * 1024 - 1, /no certificate in PEM/],
    [1024 * 1024, /no certificate in PEM/],
    [1024 * 1024 + 1, /more than 1 MiB/],
  ])("a file of %i bytes that is something else", async (length, message) => {
    writeFileSync(files.cert, Buffer.alloc(length, "x"));
    expect(await refusal()).toMatch(message);
  });

  test("what is not PEM, or damaged", async () => {
    folder.put({ cert: "hello", key: good.key });
    expect(await refusal()).toMatch(/no certificate in PEM.*BEGIN CERTIFICATE/);
    folder.put({ cert: good.cert.replace(/\n[^-]{40}/, "\n"), key: good.key });
    expect(await refusal()).toMatch(/damaged/);
    folder.put({ cert: good.cert, key: good.cert });
    expect(await refusal()).toMatch(/no private key in PEM.*BEGIN PRIVATE KEY/);
    folder.put({ cert: good.key, key: good.cert });
    expect(await refusal()).toMatch(/no certificate in PEM/);
  });

  test("a key with a passphrase", async () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const locked = privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "secret" });
    folder.put({ cert: good.cert, key: locked.toString() });
    expect(await refusal()).toMatch(/has a passphrase.*openssl pkey/);
  });

  test("a key that does not fit, and certificates in the wrong order", async () => {
    folder.put({ cert: good.cert, key: other.key });
    expect(await refusal()).toMatch(/does not fit .*made together/);
    folder.put({ cert: other.cert + good.cert, key: good.key });
    expect(await refusal()).toMatch(/another certificate first: put the server's own before/);
  });

  test("one that expired, from that very second on", async () => {
    await read(new Date(validTo.getTime() - 1));
    expect(await refusal(validTo)).toMatch(/expired at 2026-07-01T00:00:00Z: renew it/);
  });

  test("one that is not valid yet, until that very second", async () => {
    await read(validFrom);
    const early = new Date(validFrom.getTime() - 1_000);
    expect(await refusal(early)).toMatch(/valid from 2026-06-01T00:00:00Z on, and it is 2026-05-31T23:59:59Z here/);
  });
});
