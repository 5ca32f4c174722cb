import { expect, test } from "vitest";
import { inBytes } from "./inBytes.ts";

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1.0 KiB"],
  [3.25 * 1024 ** 3, "3.3 GiB"],
  [5000 * 1024 ** 5, "5000.0 PiB"],
])("%d bytes are %s", (bytes, text) => expect(inBytes(bytes)).toBe(text));
