/** @file The body of the digits' network under a head for other classes. Legend: B batch, C classes. */
import { decodeSafetensors, nn } from "@lockstep/core";
import { DigitsCnn } from "@lockstep-examples/digits/digits-cnn";

/** The body of the digits, beside the job. */
export const bodyFile = "digits-body.safetensors";

export interface TransferNetConfig {
  readonly numClasses: number;
  /** Channels of the body's first layer. */
  readonly width: number;
  /** Whether the body stays as it is. */
  readonly isBodyFrozen: boolean;
}

/**
 * The network of 07-digits with another head: its features on one scale (batch norm without weights), then a linear layer.
 *
 * A frozen body has no gradient and no optimizer state, its norms stay in evaluation and emit no statistics: a step sends nothing of it.
 *
 * @shape x [B, 1, height, width], at least 4 x 4 -> logits [B, C]
 */
export class TransferNet extends DigitsCnn {
  readonly isBodyFrozen: boolean;

  constructor({ numClasses, width, isBodyFrozen }: TransferNetConfig) {
    super({ numClasses, width });
    this.isBodyFrozen = isBodyFrozen;
    const numFeatures = 16 * width;
    const norm = new nn.BatchNorm1d(numFeatures, { affine: false });
    const head = new nn.Sequential({ norm, linear: new nn.Linear(numFeatures, numClasses) });
    this.replaceModule("head", head).dispose();
    if (isBodyFrozen) this.freeze("body").train();
  }

  /** The engine calls it after every evaluation. */
  override train(mode = true): this {
    super.train(mode);
    if (this.isBodyFrozen) this.body.eval();
    return this;
  }

  override namedStatistics(): [string, nn.StatisticsSource][] {
    return super.namedStatistics().filter(([name]) => !this.isBodyFrozen || !name.startsWith("body."));
  }
}

/**
 * Puts the body of a digits network into a model; whatever else the file holds is left out.
 *
 * @throws {ValueError} E_STATE_DICT when a tensor of the body is missing or of another shape. {FormatError} E_FORMAT for no safetensors file.
 */
export function loadBody(model: TransferNet, bytes: Uint8Array, source: string): void {
  const { tensors } = decodeSafetensors(bytes, { source });
  const prefix = "body.";
  const rename = (name: string) => (name.startsWith(prefix) ? name.slice(prefix.length) : undefined);
  model.body.loadStateDict(tensors, { rename });
}
