/** @file Where the windows of pooling lie along one axis. Pure. */
import { ShapeError, ValueError } from "../errors.js";

export interface PoolAxis {
  readonly size: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly ceilMode: boolean;
}

/** A window: the places [from, to) inside the axis, and its length with the padding that it covers. */
export interface PoolWindow {
  readonly from: number;
  readonly to: number;
  readonly paddedLength: number;
}

/**
 * Windows of a moving kernel. With ceilMode a last window may reach past the padding, if it begins inside the axis or the left padding.
 *
 * @throws {ValueError} E_VALUE for padding above half the kernel. {ShapeError} E_SHAPE when no window fits.
 * @source torch.nn.functional.max_pool1d: the rule for the size of the output
 */
export function poolWindows(where: string, { size, kernel, stride, padding, ceilMode }: PoolAxis): PoolWindow[] {
  if (2 * padding > kernel) {
    throw new ValueError(
      `${where}: padding is ${padding} and kernelSize ${kernel}; padding must be at most half of it.`,
      {
        padding,
        kernelSize: kernel,
      },
    );
  }
  const span = size + 2 * padding - kernel;
  let count = (ceilMode ? Math.ceil(span / stride) : Math.floor(span / stride)) + 1;
  if (ceilMode && (count - 1) * stride >= size + padding) count -= 1;
  if (count < 1 || size < 1) {
    throw new ShapeError(
      `${where}: a spatial dim of x has ${size} places and kernelSize is ${kernel} with padding ${padding}; the window must not be larger than the padded image.`,
      { size, kernelSize: kernel, padding },
    );
  }
  return Array.from({ length: count }, (_, j) => {
    const start = j * stride - padding;
    const end = Math.min(start + kernel, size + padding);
    return { from: Math.max(start, 0), to: Math.min(end, size), paddedLength: end - start };
  });
}

/**
 * `outputSize` windows that cover the axis: [floor(j size / outputSize), ceil((j + 1) size / outputSize)).
 *
 * @throws {ValueError} E_VALUE for a size below 1. {ShapeError} E_SHAPE for an empty axis.
 * @source torch.nn.functional.adaptive_avg_pool1d
 */
export function adaptiveWindows(where: string, size: number, outputSize: number): PoolWindow[] {
  if (!Number.isInteger(outputSize) || outputSize < 1) {
    throw new ValueError(`${where}: outputSize is ${outputSize}; it must be a whole number of at least 1.`, {
      outputSize,
    });
  }
  if (size < 1)
    throw new ShapeError(`${where}: a spatial dim of x is empty; it must have at least one place.`, { size });
  return Array.from({ length: outputSize }, (_, j) => {
    const from = Math.floor((j * size) / outputSize);
    const to = Math.ceil(((j + 1) * size) / outputSize);
    return { from, to, paddedLength: to - from };
  });
}
