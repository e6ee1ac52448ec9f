import { Tensor } from "../tensor/tensor.js";

/**
 * A tensor that a module trains: kept out of scopes, `requiresGrad` set. Setting `requiresGrad` to false freezes it; it stays in the
 * state dict.
 *
 * @shape that of the tensor
 * @source torch.nn.Parameter
 */
export class Parameter extends Tensor {
  /** Takes `value` over: it is disposed and must not be used any more. @param value contiguous, f32 */
  constructor(value: Tensor) {
    super(value.storage.retain(), value.dtype, value);
    this.isKept = true;
    this.requiresGrad = true;
    value.dispose();
  }
}
