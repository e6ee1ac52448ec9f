/** The coordinator cannot start, or a file of the run is not what it must be. Form and fields as in core. */
export class CoordinatorError extends Error {
  readonly code: string;
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(
    code: string,
    message: string,
    fields: Readonly<Record<string, unknown>> = {},
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = "CoordinatorError";
    this.code = code;
    this.fields = fields;
  }
}
