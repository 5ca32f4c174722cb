export type { Budget, BudgetAnswer, BudgetOptions } from "./budget.ts";
export { connectValkey, type Valkey, type ValkeyOptions, ValkeyUnreachable } from "./connectValkey.ts";
export type { Debts } from "./debts.ts";
