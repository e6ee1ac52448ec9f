export type { CategoryInput } from "./categories.js";
export { LabelEncoder } from "./label-encoder.js";
export { loadTransformer, type TransformerKind } from "./load-transformer.js";
export { MinMaxScaler, type MinMaxScalerOptions } from "./min-max-scaler.js";
export { OneHotEncoder, type OneHotEncoderOptions } from "./one-hot-encoder.js";
export { OrdinalEncoder, type OrdinalEncoderOptions } from "./ordinal-encoder.js";
export { RobustScaler, type RobustScalerOptions } from "./robust-scaler.js";
export { StandardScaler, type StandardScalerOptions } from "./standard-scaler.js";
