import { BlockList } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clientAddress, proxiesIn } from "./clientAddress.ts";

const proxies = proxiesIn("127.0.0.1, 10.0.0.0/8,fd00::/8") ?? new BlockList();
const said = (list?: string) => new Map(list === undefined ? [] : [["x-forwarded-for", list]]);
const behind = clientAddress(proxies);

describe("behind a trusted proxy", () => {
  test.each([
    ["no list", undefined, "127.0.0.1"],
    ["one address", "203.0.113.7", "203.0.113.7"],
    ["what the client made up before it", "8.8.8.8, 203.0.113.7", "203.0.113.7"],
    ["a second proxy", "8.8.8.8, 203.0.113.7, 10.1.2.3", "203.0.113.7"],
    ["proxies alone", "10.9.9.9, 10.1.2.3", "10.9.9.9"],
    ["IPv6", "2001:DB8:0:0::1", "2001:db8::1"],
    ["IPv6 written as IPv4", "::ffff:203.0.113.7", "203.0.113.7"],
    ["a proxy by IPv6", "203.0.113.7, fd00::5", "203.0.113.7"],
    ["ports", "203.0.113.7:4711, [fd00::5]:80", "203.0.113.7"],
    ["garbage", "me", "127.0.0.1"],
    ["garbage before an address", "1.2.3.4.5, <script>, 203.0.113.7", "203.0.113.7"],
    ["garbage between a proxy and a lie", "8.8.8.8, unknown, 10.1.2.3", "10.1.2.3"],
    ["an empty list", "", "127.0.0.1"],
    ["commas alone", ",,,", "127.0.0.1"],
    ["a zone", "fe80::1%eth0", "127.0.0.1"],
  ])("%s", (_, list, address) => {
    expect(behind("127.0.0.1", said(list))).toBe(address);
  });

  test("also when the library writes its address in full", () => {
    expect(behind("0000:0000:0000:0000:0000:ffff:7f00:0001", said("203.0.113.7"))).toBe("203.0.113.7");
    expect(behind("fd00:0000:0000:0000:0000:0000:0000:0001", said("203.0.113.7"))).toBe("203.0.113.7");
  });
});

test("any other peer is who it is, whatever it says", () => {
  fc.assert(
    fc.property(fc.string(), fc.ipV4(), fc.ipV6(), (words, v4, v6) => {
      for (const list of [words, v4, v6, `${words}, ${v4}`, `${v6},127.0.0.1`]) {
        expect(behind("192.0.2.1", said(list))).toBe("192.0.2.1");
        expect(clientAddress(new BlockList())("127.0.0.1", said(list))).toBe("127.0.0.1");
      }
    }),
  );
});

test("the right-most address that is not a proxy's counts, whatever stands before it", () => {
  const hops = fc.array(fc.constantFrom("127.0.0.1", "10.4.5.6", "fd00::1", "10.0.0.1:99"), { maxLength: 4 });
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string(), fc.ipV4())), hops, (before, after) => {
      expect(behind("10.0.0.1", said([...before, "203.0.113.7", ...after].join(", ")))).toBe("203.0.113.7");
    }),
  );
});

test.each([
  "",
  "proxy",
  "10.0.0.0/33",
  "10.0.0.0/0",
  "::/0",
  "fd00::/129",
  "10.0.0.0/8/8",
  "10.0.0.0/x",
  "10.0.0.1,",
  "1.2.3",
])("%j names no proxies", (text) => {
  expect(proxiesIn(text)).toBeUndefined();
});
