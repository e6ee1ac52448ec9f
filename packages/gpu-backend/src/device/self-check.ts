/** @file Asks a device for words that are known, before anything is trained on it: a driver that computes wrong numbers says nothing itself (L6). */
import { BackendError } from "@lockstep/core";
import { adapterName } from "./adapter-name.js";
import { askWords } from "./ask-words.js";
import { type DeviceCheck, deviceChecks } from "./device-checks.js";
import type { OpenedDevice, OptionalFeature } from "./open-device.js";

export interface SelfCheckOptions {
  /** Told of each optional feature that is switched off, and why: one line. */
  readonly onNotice?: (line: string) => void;
  /** Default: `deviceChecks`. */
  readonly checks?: readonly DeviceCheck[];
}

/**
 * Runs every check of what the device has, all at once.
 *
 * @returns the features that hold.
 * @throws {BackendError} E_DEVICE with what was expected and got, when something fails that is not optional; E_SHADER, E_DEVICE_LOST.
 */
export async function selfCheck(
  { device, features }: Pick<OpenedDevice, "device" | "features">,
  { onNotice = () => {}, checks = deviceChecks }: SelfCheckOptions = {},
): Promise<ReadonlySet<OptionalFeature>> {
  const wanted = checks.filter(({ feature }) => feature === undefined || features.has(feature));
  const runs = wanted.map((check) => ({ check, failure: failureOf(device, check) }));
  // All are looked at, so that none fails unseen when an earlier one does.
  await Promise.allSettled(runs.map(({ failure }) => failure));
  const held = new Set(features);
  for (const { check, failure } of runs) {
    const { feature, name } = check;
    if (feature === undefined) {
      const found = await failure;
      if (found !== undefined) throw found;
      continue;
    }
    const found = await failure.catch((error: Error) => error);
    if (found === undefined || !held.delete(feature)) continue;
    onNotice(
      `webgpu: "${feature}" of "${adapterName(device.adapterInfo)}" is switched off, its check "${name}" failed: ${found.message}`,
    );
  }
  return held;
}

/** Undefined when the words are right. Rejects when the device refuses the check. */
async function failureOf(device: GPUDevice, check: DeviceCheck): Promise<BackendError | undefined> {
  const { launches, expected: right, feature } = check;
  const words = await askWords(device, launches, { length: right.length, ...(feature !== undefined && { feature }) });
  const index = right.findIndex((word, i) => words[i] !== word);
  if (index < 0) return undefined;
  const adapter = adapterName(device.adapterInfo);
  const [actual, expected] = [words[index]!, right[index]!];
  return new BackendError(
    `webgpu: "${adapter}" computes wrong numbers: in the check "${check.name}" word ${index} of ${words.length} is ${actual}, and it must be ${expected}. Nothing can be trained on it: update its driver, or use --backend cpu.`,
    { adapter, check: check.name, feature: feature ?? null, index, expected, actual },
    "E_DEVICE",
  );
}
