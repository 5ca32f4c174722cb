export { PasswordsBusy } from "./boundedQueue.ts";
export { type Passwords, type PasswordsOptions, passwords } from "./passwords.ts";
