/** What went wrong, in the shape of every ekiben error: what, where, and the remedy. */
export class Failure extends Error {
  constructor(
    message: string,
    readonly remedy = '',
    readonly where = ''
  ) {
    super(message);
  }
}

/** Any rejection as a Failure. */
export function failureOf(error: unknown): Failure {
  return error instanceof Failure ? error : new Failure(error instanceof Error ? error.message : String(error));
}
