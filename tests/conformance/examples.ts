import { readFileSync } from "node:fs";

/** One example of the protocol's page. */
export interface Example {
  /** Who says it, and its name: `client post`. */
  readonly name: string;
  /** `json`: a frame of the socket. `http`: a request, or its answer. */
  readonly kind: "json" | "http";
  readonly text: string;
}

/** The examples of `docs/protocol.md`, in its order. Throws when two have one name, or one has none. */
export function examples(): readonly Example[] {
  const page = readFileSync(new URL("../../docs/protocol.md", import.meta.url), "utf8");
  const fences = [...page.matchAll(/^```(.*)\n([\s\S]*?)\n```$/gm)];
  const found = fences.map(([, info = "", text = ""]): Example => {
    const [, kind, name] = /^(json|http) ((?:client|server) [a-z-]+)$/.exec(info) ?? [];
    if (name === undefined) throw new Error(`an example needs a kind, a side and a name, not "${info}"`);
    return { name, kind: kind as Example["kind"], text };
  });
  if (new Set(found.map(({ name }) => name)).size < found.length) throw new Error("two examples have one name");
  return found;
}

/** A request or an answer over HTTP, as the page writes it. */
export interface HttpExample {
  /** `POST /v1/register`, or the status. */
  readonly start: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** Reads one. */
export function readHttp(text: string): HttpExample {
  const [head = "", body = ""] = text.split("\n\n");
  const [start = "", ...lines] = head.split("\n");
  const headers = lines.map((line) => {
    const colon = line.indexOf(": ");
    return [line.slice(0, colon), line.slice(colon + 2)];
  });
  return { start, headers: Object.fromEntries(headers), body: body === "" ? undefined : JSON.parse(body) };
}
