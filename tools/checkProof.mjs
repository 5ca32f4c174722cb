#!/usr/bin/env node
// Checks what `hub events prove` printed, on any machine with Node 20 and this file alone: no server, no log, no packages.
//
//   node tools/checkProof.mjs PROOF.json [--key PUBLIC_KEY]
//
// Says what was proven and ends with 0; or why it is not, and ends with 1. The key is what `hub events key` prints: get it from somebody
// whom you believe, not from where the proof came from. The format is in docs/format.md, "Signed head".
import { createHash, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";

class Refused extends Error {}

/** What is printed came from whoever made the proof: nothing of it may look like this program's words, or move the cursor. */
const shown = (line) => line.replace(/[^\x20-\x7e]/g, (each) => `\\u{${each.codePointAt(0).toString(16)}}`);

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();
const leafHash = (text) => sha256(Buffer.of(0), Buffer.from(text));
const nodeHash = (left, right) => sha256(Buffer.of(1), left, right);
const isCount = (value) => Number.isSafeInteger(value) && value >= 0;
const isHash = (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value);

function demand(condition, why) {
  if (!condition) throw new Refused(why);
}

/** The root (hex) that a leaf at `index` of `size` comes to with the hashes beside its way: RFC 9162, 2.1.3.2. */
function rootBy(leaf, index, size, path) {
  demand(isCount(index) && isCount(size) && index < size, "a place lies outside of its tree");
  demand(Array.isArray(path) && path.every(isHash), "an audit path is no list of hashes");
  let [at, last, hash] = [index, size - 1, leaf];
  for (const side of path) {
    demand(last > 0, "an audit path is too long");
    if (at % 2 === 1 || at === last) {
      hash = nodeHash(Buffer.from(side, "hex"), hash);
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, Math.floor(last / 2)];
    } else {
      hash = nodeHash(hash, Buffer.from(side, "hex"));
    }
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  demand(last === 0, "an audit path is too short");
  return hash.toString("hex");
}

/** The head, once its signature holds. */
function checkHead(head, expectedKey) {
  demand(typeof head === "object" && head !== null && head.v === 1, "it has no signed head of version 1");
  const { v, lane, epoch, n, hash, at, size, tree, peaks, key, sig } = head;
  const isText = (value, pattern) => typeof value === "string" && pattern.test(value);
  demand(
    isCount(n) &&
      isCount(size) &&
      [hash, tree].every(isHash) &&
      isText(lane, /^(accounts|rooms|content)\.\d{1,4}$/) &&
      isText(epoch, /^[0-9a-f]{32}$/) &&
      isText(at, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/) &&
      isText(key, /^[\w-]{43}$/) &&
      isText(sig, /^[\w-]{86}$/),
    "its signed head is malformed",
  );
  demand(expectedKey === undefined || key === expectedKey, `it is signed with another key: ${key}, not ${expectedKey}`);
  const text = JSON.stringify({ v, lane, epoch, n, hash, at, size, tree, peaks, key });
  let holds = false;
  try {
    const publicKey = createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x: key } });
    holds = verify(null, Buffer.from(text), publicKey, Buffer.from(sig, "base64url"));
  } catch {
    // What is no key signs nothing.
  }
  demand(holds, "the signature does not fit its head: the head was altered, or the key is not the one that signed it");
  return head;
}

/** The event in the proof, once its bytes lead to the signed tree. */
function checkEvent({ n, entry, bytes, event, of, eventPath, leaf, entryPath }, head) {
  const where = `the event at ${head.lane}:${n}:${entry}:${event}`;
  demand(typeof bytes === "string" && isCount(n) && isCount(entry), "an event is malformed");
  demand(n <= head.n, `${where} is later than the signed head`);
  const root = rootBy(leafHash(bytes), event, of, eventPath);
  const found = rootBy(leafHash(JSON.stringify([n, entry, root])), leaf, head.size, entryPath);
  demand(found === head.tree, `${where} is not in the signed tree: its bytes, its place or its path were changed`);
  return JSON.parse(bytes);
}

/** That the events are all of the room from one number to another, in the order of the log. */
function checkRange({ room, from, to }, events, proofs) {
  demand(isCount(from) && isCount(to) && from >= 1 && from <= to, "it does not say which events it proves");
  for (const [index, { subject, s }] of events.entries()) {
    demand(subject?.kind === "room" && subject.id === room, `event ${index + 1} is not of the room ${room}`);
    demand(s === from + index, `event ${from + index} of the room is missing or not in its order: there stands ${s}`);
    const [before, here] = [proofs[index - 1], proofs[index]];
    const isLater = index === 0 || here.leaf > before.leaf || (here.leaf === before.leaf && here.event > before.event);
    demand(isLater, `event ${s} stands before event ${s - 1} on the log: they are reordered`);
  }
  const [due, last] = [to - from + 1, from + events.length - 1];
  demand(events.length >= due, `the events from ${last + 1} to ${to} are missing`);
  demand(events.length === due, `it has events after event ${to}, of which it does not speak`);
}

function check(proof, key) {
  demand(typeof proof === "object" && proof !== null && proof.v === 1, "it is no proof of version 1");
  const head = checkHead(proof.head, key);
  demand(Array.isArray(proof.events) && proof.events.length > 0, "it proves no event");
  demand(
    proof.events.every((event) => typeof event === "object" && event !== null),
    "an event is malformed",
  );
  const events = proof.events.map((event) => checkEvent(event, head));
  const { of = {} } = proof;
  if (of.room !== undefined) checkRange(of, events, proof.events);
  else demand(events.length === 1, "it proves one event, but has several");
  const [{ n, entry, event }] = proof.events;
  const what =
    of.room === undefined
      ? `The event at ${head.lane}:${n}:${entry}:${event} (${events[0].type}, ${events[0].subject.kind} ${events[0].subject.id}, by ${events[0].by}) is`
      : `All events ${of.from} to ${of.to} of the room ${of.room}, in this order and none between them, are`;
  return [
    `PROVEN: ${what} on the log, as in these bytes, since ${head.at} at the latest.`,
    `Signed: ${head.lane} up to commit ${head.n} of epoch ${head.epoch}, ${head.size} entries.`,
    key === undefined
      ? `By the key ${head.key}: compare it with the one that "hub events key" prints, or give it as --key.`
      : `By the key that was given.`,
    ...(proof.events.some(({ notProven }) => notProven !== undefined)
      ? ["NOT proven: what stands under notProven. It is what the server says that the sealed fields hold."]
      : []),
  ];
}

const usage = "Usage: node checkProof.mjs PROOF.json [--key PUBLIC_KEY]";
const [file, flag, key, ...more] = process.argv.slice(2);
if (file === "--help") {
  console.log(`${usage}\nThe key is what "hub events key" prints. Ends with 0: proven; 1: not; 2: not asked rightly.`);
  process.exit();
}
if (file === undefined || (flag !== undefined && (flag !== "--key" || key === undefined)) || more.length > 0) {
  console.error(usage);
  process.exit(2);
}
try {
  console.log(
    check(JSON.parse(readFileSync(file, "utf8")), key)
      .map(shown)
      .join("\n"),
  );
} catch (error) {
  const why = error instanceof Refused ? error.message : `it can't be read: ${error.message}`;
  console.error(shown(`NOT PROVEN: ${why}.`));
  process.exit(1);
}
