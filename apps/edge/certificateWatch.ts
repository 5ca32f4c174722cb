import { type CertificateFiles, digestOfFiles, type Server } from "@connect-hub/uws";
import type { Logger } from "pino";

const everyMs = 2_000;

/**
 * Has the server show another certificate when its files have another: when they were the same at two looks, or at once at a SIGHUP. One
 * that can't be used is logged once, and the former is shown on. Returns what ends it.
 */
export function watchCertificate(
  files: CertificateFiles,
  server: Pick<Server, "certificate" | "reloadCertificate">,
  log: Pick<Logger, "info" | "error">,
  options: { readonly everyMs?: number } = {},
): () => Promise<void> {
  /** What lay there at the last look; what can't be read counts as one thing. */
  let seen = server.certificate?.digest;
  let refused: string | undefined;

  async function look(isAsked: boolean): Promise<void> {
    const now = (await digestOfFiles(files)) ?? "unreadable";
    const isSteady = now === seen;
    seen = now;
    if (now === server.certificate?.digest) refused = undefined;
    else if (isAsked || (isSteady && now !== refused)) await reload(now);
  }

  async function reload(now: string): Promise<void> {
    try {
      await server.reloadCertificate();
      refused = undefined;
      const { names, validToMs = 0 } = server.certificate ?? {};
      log.info({ names, validTo: new Date(validToMs).toISOString() }, "shows a new certificate from now on");
    } catch (error) {
      refused = now;
      log.error({ err: error }, "goes on with the former certificate: the new one can't be used");
    }
  }

  // One after the other.
  let looking = Promise.resolve();
  const lookNext = (isAsked: boolean) => {
    looking = looking.then(() => look(isAsked));
  };
  const timer = setInterval(lookNext, options.everyMs ?? everyMs, false);
  const onHangup = () => lookNext(true);
  process.on("SIGHUP", onHangup);
  return async () => {
    clearInterval(timer);
    process.off("SIGHUP", onHangup);
    await looking;
  };
}
