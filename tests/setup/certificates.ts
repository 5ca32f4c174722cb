import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What a certificate says. */
export interface CertificateWords {
  /** Whose it is; it is for localhost and 127.0.0.1 too. Default: `hub.test`. */
  readonly name?: string;
  /** Default: an hour ago. */
  readonly validFrom?: Date;
  /** Default: in 30 days. */
  readonly validTo?: Date;
}

/** A self-signed certificate and its key, as PEM. */
export interface MadeCertificate {
  readonly name: string;
  readonly cert: string;
  readonly key: string;
}

const dayMs = 86_400_000;

/** Makes one by its bytes: programs that make certificates differ from machine to machine, and none makes expired ones. */
export function makeCertificate({ name = "hub.test", ...words }: CertificateWords = {}): MadeCertificate {
  const { validFrom = new Date(Date.now() - dayMs / 24), validTo = new Date(Date.now() + 30 * dayMs) } = words;
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signed = toBeSigned({ name, validFrom, validTo, publicKey });
  const signature = bitString(sign("sha256", signed, privateKey));
  const der = sequence(signed, ecdsaWithSha256, signature);
  const lines = der.toString("base64").replace(/.{64}(?=.)/g, "$&\n");
  return {
    name,
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

/** A folder with the two files of a certificate, to be replaced. */
export function certificateFolder(first: MadeCertificate) {
  const folder = mkdtempSync(join(tmpdir(), "connect-hub-tls-"));
  const files = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
  const put = ({ cert, key }: Pick<MadeCertificate, "cert" | "key">) => {
    writeFileSync(files.key, key, { mode: 0o600 });
    writeFileSync(files.cert, cert);
  };
  put(first);
  return { files, put, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

// DER (X.690), as much as a certificate (RFC 5280) needs.

function element(tag: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const long = body.length < 256 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 0xff];
  const length = body.length < 128 ? [body.length] : long;
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

const sequence = (...parts: readonly Buffer[]): Buffer => element(0x30, ...parts);
const bitString = (bytes: Buffer): Buffer => element(0x03, Buffer.from([0]), bytes);
// UTCTime: two digits of the year, as certificates have until 2049.
const time = (at: Date): Buffer =>
  element(
    0x17,
    Buffer.from(
      at
        .toISOString()
        .slice(2)
        .replace(/[-:T]|\.\d+/g, ""),
    ),
  );
const ecdsaWithSha256 = sequence(element(0x06, Buffer.from("2a8648ce3d040302", "hex")));

function toBeSigned(words: Required<CertificateWords> & { readonly publicKey: KeyObject }): Buffer {
  const { name, validFrom, validTo, publicKey } = words;
  const commonName = sequence(element(0x06, Buffer.from("550403", "hex")), element(0x0c, Buffer.from(name)));
  const subject = sequence(element(0x31, commonName));
  const names = [name, "localhost"].map((dns) => element(0x82, Buffer.from(dns)));
  const alternatives = sequence(...names, element(0x87, Buffer.from([127, 0, 0, 1])));
  const extension = sequence(element(0x06, Buffer.from("551d11", "hex")), element(0x04, alternatives));
  const spki = publicKey.export({ type: "spki", format: "der" });
  const serial = randomBytes(8);
  serial[0] = 1;
  return sequence(
    element(0xa0, element(0x02, Buffer.from([2]))),
    element(0x02, serial),
    ecdsaWithSha256,
    subject,
    sequence(time(validFrom), time(validTo)),
    subject,
    spki,
    element(0xa3, sequence(extension)),
  );
}
