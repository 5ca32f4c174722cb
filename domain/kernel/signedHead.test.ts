import { createPrivateKey } from "node:crypto";
import { expect, test } from "vitest";
import { golden } from "../testing/golden.ts";
import { decodeCommit } from "./commit.ts";
import { MerkleTree } from "./merkleTree.ts";
import { addEntries, encodeHead, entryLeaf, readHead, signHead, signingKeyOf } from "./signedHead.ts";

// A red line here means that what was signed would be read differently: never mend it by changing docs/format.md.

const seed = Buffer.alloc(32, 3);
const pkcs8 = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
const key = signingKeyOf(createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" }));

test("the golden head is signed and read as it always was", () => {
  const commit = decodeCommit(Buffer.from(golden("commit")));
  const tree = new MerkleTree();
  addEntries(tree, commit);
  expect(entryLeaf(2, 0, commit.entries[0]?.root ?? "")).toBe(golden("entry leaf"));
  expect(tree.root).toBe(golden("entry leaf"));
  tree.add(golden("entry leaf"));
  tree.add(golden("entry leaf"));
  const { lane, epoch, n } = commit;
  const head = signHead({ lane, epoch, n, hash: golden("commit hash"), at: "2026-01-01T00:01:00.000Z" }, tree, key);
  expect(Buffer.from(encodeHead(head)).toString()).toBe(golden("signed head"));
  expect(readHead(JSON.parse(golden("signed head")))).toEqual(head);
});
