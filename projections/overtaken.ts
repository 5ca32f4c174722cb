/** The tables are not where this projector left them: another one was faster, or they were emptied. Begin again. */
export class Overtaken extends Error {
  readonly code = "Overtaken";

  constructor() {
    super("another projector was faster, or the tables were emptied");
  }
}
