/**
 * @file Errors of protocol. `code` is stable, `fields` hold the values, the message is made from them.
 *
 * Message form: `protocol: what is, with values; what must be. What to do.`
 */

export type ProtocolErrorFields = Readonly<Record<string, unknown>>;

/** Codes of `ProtocolError`, each for one broken rule of the wire. */
export type ProtocolErrorCode =
  | "E_FRAME_TOO_LARGE"
  | "E_FRAME_LENGTH"
  | "E_FRAME_MAGIC"
  | "E_FRAME_FIELD"
  | "E_PROTOCOL_VERSION"
  | "E_MESSAGE_TAG"
  | "E_MESSAGE_DIRECTION"
  | "E_MESSAGE_BODY"
  | "E_MESSAGE_TABLE"
  | "E_MESSAGE_PACK";

/** Bytes or values that break a rule of the wire. The only error that a decoder of this package throws. */
export class ProtocolError extends Error {
  readonly code: ProtocolErrorCode;
  readonly fields: ProtocolErrorFields;

  constructor(
    code: ProtocolErrorCode,
    message: string,
    fields: ProtocolErrorFields = {},
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = "ProtocolError";
    this.code = code;
    this.fields = fields;
  }
}
