import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { HttpResponse } from "@connect-hub/uws";

/** The answer to `GET /`: the page, which may run and show only what was written in it. Throws if the file is not there. */
export function pageResponse(path = fileURLToPath(import.meta.resolve("@connect-hub/web"))): HttpResponse {
  const html = readFileSync(path, "utf8");
  const policy = [
    "default-src 'none'",
    `script-src ${hashesOf(html, "script")}`,
    `style-src ${hashesOf(html, "style")}`,
    "connect-src 'self'",
    "img-src data: blob:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return {
    status: 200,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": policy.join("; "),
      "cache-control": "no-cache",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    },
    body: html,
  };
}

function hashesOf(html: string, element: "script" | "style"): string {
  const inline = html.matchAll(new RegExp(`<${element}>(.*?)</${element}>`, "gs"));
  const hashes = [...inline].map(([, text = ""]) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`);
  return hashes.join(" ") || "'none'";
}
