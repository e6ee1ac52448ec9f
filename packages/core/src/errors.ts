/**
 * @file Errors of core. A class says what kind of rule was broken, `code` is stable, `fields` hold the values.
 *
 * Message form: `where: what is, with values; what must be. What to do.`
 */

export type ErrorFields = Readonly<Record<string, unknown>>;

/** Base of every error that core throws on purpose. */
export class LockstepError extends Error {
  readonly code: string;
  readonly fields: ErrorFields;

  constructor(code: string, message: string, fields: ErrorFields = {}, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.fields = fields;
  }
}

/** A shape, an axis or a number of dimensions breaks an op's rule. */
export class ShapeError extends LockstepError {
  constructor(message: string, fields: ErrorFields = {}, code = "E_SHAPE") {
    super(code, message, fields);
  }
}

/** A dtype breaks an op's rule. */
export class DTypeError extends LockstepError {
  constructor(message: string, fields: ErrorFields = {}, code = "E_DTYPE") {
    super(code, message, fields);
  }
}

/** A value is outside its legal range, or of the wrong kind. */
export class ValueError extends LockstepError {
  constructor(message: string, fields: ErrorFields = {}, code = "E_VALUE") {
    super(code, message, fields);
  }
}

/** A tensor was used after it was disposed, a graph twice, a scope wrongly nested. */
export class StateError extends LockstepError {
  constructor(message: string, fields: ErrorFields = {}, code = "E_STATE") {
    super(code, message, fields);
  }
}

/** The backend has no room for a buffer. */
export class OutOfMemoryError extends LockstepError {
  constructor(message: string, fields: ErrorFields = {}, code = "E_OUT_OF_MEMORY") {
    super(code, message, fields);
  }
}

/** A backend cannot do what was asked of it on this machine. */
export class BackendError extends LockstepError {
  constructor(message: string, fields: ErrorFields = {}, code = "E_BACKEND") {
    super(code, message, fields);
  }
}

/** A file is not what its format promises. */
export class FormatError extends LockstepError {
  constructor(message: string, fields: ErrorFields = {}, code = "E_FORMAT") {
    super(code, message, fields);
  }
}
