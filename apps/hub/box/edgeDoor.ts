import { get } from "node:http";
import { get as getByTls } from "node:https";
import { BadSetting } from "@connect-hub/runtime/settings";
import { BadCertificate, type CertificateFiles, readCertificate } from "@connect-hub/uws/certificate";

/** Throws `BadSetting`, and says what to do, when the edge could not be started with this certificate. */
export async function assertCertificate(files: CertificateFiles | undefined): Promise<void> {
  try {
    if (files !== undefined) await readCertificate(files, Date.now());
  } catch (error) {
    throw error instanceof BadCertificate ? new BadSetting(error.message, { cause: error }) : error;
  }
}

const timeoutMs = 2_000;

/**
 * Whether the edge of this box says that it is ready. Its certificate is for the name by which others know it and not for this address, so it is not
 * looked at: nothing is told here that must stay secret.
 */
export function isReady(address: string): Promise<boolean> {
  const url = `${address}/ready`;
  const options = { timeout: timeoutMs, agent: false, rejectUnauthorized: false };
  return new Promise((resolve) => {
    const request = (url.startsWith("https:") ? getByTls : get)(url, options, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(false));
  });
}
