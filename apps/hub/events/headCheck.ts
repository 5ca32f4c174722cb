import { addEntries, type Commit, MerkleTree, type SignedHead } from "@connect-hub/domain/kernel";

/** What is wrong with a log, and at which commit it shows. */
export interface LogFault {
  readonly n: number;
  readonly what: string;
}

/** What was found of the signed heads of a lane. */
export interface HeadSums {
  /** How many fit the log. */
  readonly checked: number;
  /** How many are of commits that a restore took away: the log goes on before them, in another epoch, and says so. */
  readonly restoredOver: number;
  /** When the last one was signed that fits, and of which commit it is. */
  readonly last?: { readonly n: number; readonly at: string };
}

/** Holds signed heads of a lane, each true to itself, against its commits, as they come one after another from the first on. */
export class HeadCheck {
  readonly #tree = new MerkleTree();
  readonly #byNumber = new Map<number, SignedHead[]>();
  readonly #waiting: Set<SignedHead>;
  readonly #restored = new Set<SignedHead>();
  readonly #epochs = new Set<string>();
  /** When the present epoch began, unless it is the first. */
  #turnedAt: string | undefined;
  #checked = 0;
  #last: SignedHead | undefined;

  constructor(heads: readonly SignedHead[]) {
    for (const head of heads) this.#byNumber.set(head.n, [...(this.#byNumber.get(head.n) ?? []), head]);
    this.#waiting = new Set(heads);
  }

  get sums(): HeadSums {
    const last = this.#last && { last: { n: this.#last.n, at: this.#last.at } };
    return { checked: this.#checked, restoredOver: this.#restored.size, ...last };
  }

  /** Takes a commit with its hash; what a head says otherwise, if any does. */
  take(commit: Commit, hash: string): LogFault | undefined {
    addEntries(this.#tree, commit);
    if (this.#epochs.size > 0 && !this.#epochs.has(commit.epoch)) this.#turnedAt = commit.at;
    this.#epochs.add(commit.epoch);
    for (const head of this.#byNumber.get(commit.n) ?? []) {
      this.#waiting.delete(head);
      if (head.epoch !== commit.epoch) {
        this.#restored.add(head);
      } else {
        const what = this.#faultOf(head, hash);
        if (what !== undefined) return { n: commit.n, what: `the head signed at ${head.at} says otherwise: ${what}` };
        this.#checked += 1;
        this.#last = head;
      }
    }
    return undefined;
  }

  /** What the heads say of the log as a whole, once all of it was taken. */
  end(): LogFault | undefined {
    const present = [...this.#epochs].at(-1);
    for (const head of this.#waiting) {
      if (head.epoch === present)
        return { n: head.n, what: `it was signed at ${head.at}, but the log ends before it: its end was cut off` };
      this.#restored.add(head);
    }
    // A restore leaves a commit that names the epoch before it. Of any other epoch this log never was, unless a second restore of the
    // same backup took away the first one with all that followed on it.
    for (const { n, epoch, at } of this.#restored) {
      if (!this.#epochs.has(epoch) && !(this.#turnedAt !== undefined && at <= this.#turnedAt))
        return {
          n,
          what: `the head signed at ${at} is of epoch ${epoch}, in which this log never was: it is another log`,
        };
    }
    return undefined;
  }

  #faultOf(head: SignedHead, hash: string): string | undefined {
    if (head.hash !== hash) return `the commit had the hash ${head.hash}, and has ${hash}: the log was rewritten`;
    if (head.size !== this.#tree.size) return `there were ${head.size} entries, and are ${this.#tree.size}`;
    if (head.tree !== this.#tree.root) return "the tree over all entries was another one: the log was rewritten";
    return undefined;
  }
}
