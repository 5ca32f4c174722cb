import { BlockList, isIP, SocketAddress } from "node:net";

/** The address of whoever asks, given that of the peer and the headers that came from it. */
export type ClientAddress = (peer: string, headers: ReadonlyMap<string, string>) => string;

/**
 * Behind proxies that are trusted: the right-most address of `X-Forwarded-For` that is not one of theirs, or the left-most when all are. What any
 * other peer says of itself does not count, and what is no address ends the list. Addresses come out in one form: IPv6 shortened, IPv4 as IPv4.
 */
export function clientAddress(trusted: BlockList): ClientAddress {
  const isTrusted = (address: string) => trusted.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
  return (peer, headers) => {
    let address = plainAddress(peer) ?? peer;
    if (isIP(address) === 0) return address;
    const said = headers.get("x-forwarded-for")?.split(",") ?? [];
    for (let next = said.pop(); next !== undefined && isTrusted(address); next = said.pop()) {
      const before = plainAddress(withoutPort(next.trim()));
      if (before === undefined) break;
      address = before;
    }
    return address;
  };
}

/**
 * The proxies in `127.0.0.1,10.0.0.0/8,fd00::/8`; undefined when that is none. A network of all addresses is none: who is asked whom to trust
 * and says "everybody" would let everybody choose an address.
 */
export function proxiesIn(text: string): BlockList | undefined {
  const proxies = new BlockList();
  for (const word of text.split(",").map((one) => one.trim())) {
    const [network = "", bits, more] = word.split("/");
    const address = plainAddress(network);
    if (address === undefined || more !== undefined) return undefined;
    const [family, all] = isIP(address) === 6 ? (["ipv6", 128] as const) : (["ipv4", 32] as const);
    const prefix = bits === undefined ? all : /^\d{1,3}$/.test(bits) ? Number(bits) : 0;
    if (prefix < 1 || prefix > all) return undefined;
    proxies.addSubnet(address, prefix, family);
  }
  return proxies;
}

/** Some proxies add the port: `1.2.3.4:5`, `[::1]:5`. */
function withoutPort(text: string): string {
  const [, v6, v4] = /^(?:\[([^\]]*)\](?::\d{1,5})?|([\d.]+):\d{1,5})$/.exec(text) ?? [];
  return v6 ?? v4 ?? text;
}

function plainAddress(text: string): string | undefined {
  const family = isIP(text);
  if (family === 4) return text;
  if (family === 0 || text.includes("%")) return undefined;
  const { address } = new SocketAddress({ address: text, family: "ipv6" });
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1] ?? address;
}
