type NamesIn<Pattern extends string> = Pattern extends `${infer Segment}/${infer Rest}`
  ? NamesIn<Segment> | NamesIn<Rest>
  : Pattern extends `:${infer Name}`
    ? Name
    : never;

/** The named segments of a pattern: those of `/v1/rooms/:id/events` are `{id: string}`. */
export type PathParams<Pattern extends string> = { readonly [name in NamesIn<Pattern>]: string };

/** The decoded values of the `:named` segments, or undefined if `path` is not of that pattern. */
export function pathParams<Pattern extends string>(pattern: Pattern, path: string): PathParams<Pattern> | undefined {
  const expected = pattern.split("/");
  const found = path.split("/");
  if (expected.length !== found.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, name] of expected.entries()) {
    const value = decode(found[index] ?? "");
    if (name.startsWith(":") && value) params[name.slice(1)] = value;
    else if (name !== value) return undefined;
  }
  return params as PathParams<Pattern>;
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
