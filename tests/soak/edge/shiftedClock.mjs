// Preloaded by `--import`: this process's clock is off by HUB_SOAK_CLOCK_MS, as that of a machine which nobody set.
const offMs = Number(process.env.HUB_SOAK_CLOCK_MS);
const Real = Date;
const now = () => Real.now() + offMs;
globalThis.Date = new Proxy(Real, {
  apply: () => new Real(now()).toString(),
  construct: (target, args, made) => Reflect.construct(target, args.length === 0 ? [now()] : args, made),
  get: (target, name) => (name === "now" ? now : Reflect.get(target, name)),
});
