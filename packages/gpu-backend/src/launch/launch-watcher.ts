/** @file What can be told of launches while they are recorded: for profiles. */
import type { TensorView } from "@lockstep/core";
import type { LaunchOptions, WgslKernel } from "./kernel.js";
import type { LaunchTiming } from "./launcher.js";

/** A launch is begun, recorded (`writesOfLaunch`) unless it has no workgroups, and ended. */
export interface LaunchWatcher extends LaunchTiming {
  beginLaunch(kernel: WgslKernel, operands: Readonly<Record<string, TensorView>>, options: LaunchOptions): void;
  endLaunch(): void;
}
