import { connect } from "node:tls";
import { type Certificate, readCertificate } from "@connect-hub/uws/certificate";
import type { Connections } from "../box/connections.ts";
import { examine, type Finding, ok, warn } from "./finding.ts";

const dayMs = 86_400_000;
const warnDays = 14;
const timeoutMs = 5_000;
const renew = "Renew it and replace the files: the edge shows the new one within seconds, without a restart.";

/**
 * Until when the edge's certificate is valid, and whether the edge shows the one that lies in the files; nothing without TLS.
 * @param address where the edge of a running box answers
 */
export function examineCertificate(
  { tls }: Pick<Connections, "tls">,
  address: string | undefined,
  nowMs: number,
): Promise<readonly Finding[]> | readonly Finding[] {
  if (tls === null) return [];
  return examine("certificate", renew, async () => {
    const certificate = await readCertificate(tls, nowMs);
    const found = [expiry(certificate, nowMs)];
    const shown = address === undefined ? undefined : await fingerprintAt(new URL(address));
    if (shown === undefined || shown === certificate.fingerprint256) return found;
    const todo = "Its log says why it did not take the new one. See: npm run hub -- status";
    return [...found, warn("certificate shown", "the edge shows another one than the files have", todo)];
  });
}

function expiry({ names, validToMs }: Certificate, nowMs: number): Finding {
  const days = Math.floor((validToMs - nowMs) / dayMs);
  const says = `for ${names}, valid until ${new Date(validToMs).toISOString()}, ${days} day(s)`;
  return days <= warnDays ? warn("certificate", says, renew) : ok("certificate", says);
}

/** What is shown there; undefined when nobody answers, which others say. */
function fingerprintAt({ hostname, port }: URL): Promise<string | undefined> {
  return new Promise((resolve) => {
    // An address in brackets is one of IPv6.
    const host = hostname.replace(/^\[|\]$/g, "");
    const socket = connect({ host, port: Number(port), rejectUnauthorized: false, timeout: timeoutMs }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.on("timeout", () => socket.destroy());
    socket.on("error", () => resolve(undefined));
    socket.on("close", () => resolve(undefined));
  });
}
