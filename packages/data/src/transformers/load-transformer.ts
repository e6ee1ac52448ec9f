import { FormatError } from "@lockstep/core";
import { OutlierDetector, type OutlierDetectorJson } from "../cleaning/outliers.js";
import { SimpleImputer, type SimpleImputerJson } from "../cleaning/simple-imputer.js";
import { LabelEncoder, type LabelEncoderJson } from "./label-encoder.js";
import { MinMaxScaler, type MinMaxScalerJson } from "./min-max-scaler.js";
import { OneHotEncoder, type OneHotEncoderJson } from "./one-hot-encoder.js";
import { OrdinalEncoder, type OrdinalEncoderJson } from "./ordinal-encoder.js";
import { RobustScaler, type RobustScalerJson } from "./robust-scaler.js";
import { StandardScaler, type StandardScalerJson } from "./standard-scaler.js";

const loaders = {
  StandardScaler: (json: unknown) => StandardScaler.fromJSON(json as StandardScalerJson),
  MinMaxScaler: (json: unknown) => MinMaxScaler.fromJSON(json as MinMaxScalerJson),
  RobustScaler: (json: unknown) => RobustScaler.fromJSON(json as RobustScalerJson),
  OneHotEncoder: (json: unknown) => OneHotEncoder.fromJSON(json as OneHotEncoderJson),
  OrdinalEncoder: (json: unknown) => OrdinalEncoder.fromJSON(json as OrdinalEncoderJson),
  LabelEncoder: (json: unknown) => LabelEncoder.fromJSON(json as LabelEncoderJson),
  SimpleImputer: (json: unknown) => SimpleImputer.fromJSON(json as SimpleImputerJson),
  OutlierDetector: (json: unknown) => OutlierDetector.fromJSON(json as OutlierDetectorJson),
} as const;

export type TransformerKind = keyof typeof loaders;
export type TransformerOf<Kind extends TransformerKind> = ReturnType<(typeof loaders)[Kind]>;

/**
 * A scaler, encoder, imputer or detector as JSON.stringify wrote it, with the same numbers to the bit.
 *
 * @param text JSON, of one transformer of this kind
 * @throws {FormatError} E_FORMAT when the text is no JSON, or of another kind.
 * @example
 * loadTransformer("MinMaxScaler", JSON.stringify(new MinMaxScaler().fit([[0], [4]]))).transform([[1]]).values; // => [0.25]
 */
export function loadTransformer<Kind extends TransformerKind>(kind: Kind, text: string): TransformerOf<Kind> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    const error = new FormatError(
      `loadTransformer: the text is no JSON; it must be what JSON.stringify(${kind}) wrote.`,
      { kind },
    );
    error.cause = cause;
    throw error;
  }
  const found = typeof json === "object" && json !== null && "kind" in json ? json.kind : undefined;
  if (found !== kind) {
    throw new FormatError(`loadTransformer: kind is ${JSON.stringify(found)}; it must be ${JSON.stringify(kind)}.`, {
      kind: found,
      expected: kind,
    });
  }
  return loaders[kind](json) as TransformerOf<Kind>;
}
