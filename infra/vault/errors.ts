/** The file with the root key, or the keys under it, are not as they must be. Nothing that a retry would heal. */
export class RootKeyUnusable extends Error {
  readonly code = "RootKeyUnusable";
  readonly retryable = false;
}
