import { createHash, createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";

/** The files of a certificate and its key, both PEM. */
export interface CertificateFiles {
  /** The server's own certificate first, then those between it and the one that clients know. */
  readonly cert: string;
  /** Without a passphrase. */
  readonly key: string;
}

/** A certificate that can be served by. */
export interface Certificate {
  /** The names and addresses that it is for. */
  readonly names: string;
  readonly validToMs: number;
  /** The SHA-256 of the server's own certificate, as `node:tls` writes it. */
  readonly fingerprint256: string;
  /** Of the bytes of both files. */
  readonly digest: string;
}

/** A certificate or key can't be used; the message says why, and what to do. */
export class BadCertificate extends Error {
  readonly code = "BadCertificate";

  constructor(message: string, cause?: unknown) {
    super(message, { cause });
  }
}

const mostBytes = 1024 * 1024;
const pemCertificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Reads both and holds them against each other and the time. Throws `BadCertificate`. */
export async function readCertificate(files: CertificateFiles, nowMs: number): Promise<Certificate> {
  const [cert, key] = await Promise.all([read("HUB_TLS_CERT", files.cert), read("HUB_TLS_KEY", files.key)]);
  const [own, ...others] = certificatesIn(cert, files.cert);
  const secret = keyIn(key, files.key);
  if (!own?.checkPrivateKey(secret)) {
    const isLater = others.some((other) => other.checkPrivateKey(secret));
    throw new BadCertificate(
      isLater
        ? `HUB_TLS_CERT=${files.cert} has another certificate first: put the server's own before those of who issued it.`
        : `The key HUB_TLS_KEY=${files.key} does not fit the certificate HUB_TLS_CERT=${files.cert}: name the two that were made together.`,
    );
  }
  const validToMs = Date.parse(own.validTo);
  if (nowMs >= validToMs)
    throw new BadCertificate(`The certificate HUB_TLS_CERT=${files.cert} expired at ${instant(validToMs)}: renew it.`);
  const validFromMs = Date.parse(own.validFrom);
  if (nowMs < validFromMs)
    throw new BadCertificate(
      `The certificate HUB_TLS_CERT=${files.cert} is valid from ${instant(validFromMs)} on, and it is ${instant(nowMs)} here: look at this machine's clock, or wait.`,
    );
  return {
    names: own.subjectAltName ?? own.subject.replaceAll("\n", ", "),
    validToMs,
    fingerprint256: own.fingerprint256,
    digest: digestOf(cert, key),
  };
}

/** The digest that `readCertificate` gives for these files; undefined while one of them can't be read. */
export async function digestOfFiles(files: CertificateFiles): Promise<string | undefined> {
  try {
    return digestOf(...(await Promise.all([read("", files.cert), read("", files.key)])));
  } catch {
    return undefined;
  }
}

function digestOf(cert: Buffer, key: Buffer): string {
  return createHash("sha256").update(`${cert.length} `).update(cert).update(key).digest("hex");
}

async function read(name: string, path: string): Promise<Buffer> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > mostBytes) throw new Error("it has more than 1 MiB");
    return bytes;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new BadCertificate(`${name}=${path} can't be read (${why}): name a PEM file that this user may read.`, error);
  }
}

function certificatesIn(bytes: Buffer, path: string): readonly X509Certificate[] {
  const found = bytes.toString("latin1").match(pemCertificate) ?? [];
  if (found.length === 0)
    throw new BadCertificate(
      `HUB_TLS_CERT=${path} has no certificate in PEM: it must begin with -----BEGIN CERTIFICATE-----.`,
    );
  try {
    return found.map((pem) => new X509Certificate(pem));
  } catch (error) {
    throw new BadCertificate(`HUB_TLS_CERT=${path} has a certificate that is damaged: get it again.`, error);
  }
}

function keyIn(bytes: Buffer, path: string): KeyObject {
  try {
    return createPrivateKey(bytes);
  } catch (error) {
    const isLocked = /ENCRYPTED/.test(bytes.toString("latin1"));
    throw new BadCertificate(
      isLocked
        ? `The key HUB_TLS_KEY=${path} has a passphrase, which nobody is here to type: write it without one by: openssl pkey -in ${path} -out NEW`
        : `HUB_TLS_KEY=${path} has no private key in PEM: it must begin with -----BEGIN PRIVATE KEY-----, or EC or RSA in it.`,
      error,
    );
  }
}

function instant(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
