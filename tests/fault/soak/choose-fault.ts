/** @file What the soak does next to its run. Pure: a seed and what it did before decide, and who is there. */
import type { Generator } from "@lockstep/core";

export type SoakFault =
  | { readonly kind: "kill"; readonly name: string }
  | { readonly kind: "freeze"; readonly name: string; readonly forMs: number }
  | { readonly kind: "join"; readonly name: string }
  | { readonly kind: "restartCoordinator"; readonly awayMs: number };

export interface SoakState {
  /** Processes that run, in the order of their start. */
  readonly running: readonly string[];
  /** Names in the last generation. */
  readonly members: readonly string[];
  /** Never killed, so that there is one whose memory can be watched from beginning to end. */
  readonly steadfast: string;
  /** Workers started so far. */
  readonly numStarted: number;
}

/** Workers that there may be at once. */
const maxRunning = 4;

/** @returns undefined when what came up must not be done now, because nobody who holds the state would be left. */
export function chooseFault(random: Generator, state: SoakState): SoakFault | undefined {
  const { running, members, steadfast, numStarted } = state;
  const draw = random.integer(10);
  if (draw === 0) return { kind: "restartCoordinator", awayMs: random.integer(2_000) };
  const join: SoakFault = { kind: "join", name: `w${numStarted}` };
  if (draw <= 3) return running.length < maxRunning ? join : undefined;
  const holdsWithout = (name: string) => members.some((member) => member !== name && running.includes(member));
  const isFreeze = draw <= 6;
  const targets = running.filter((name) => (isFreeze || name !== steadfast) && holdsWithout(name));
  if (targets.length === 0) return running.length < maxRunning ? join : undefined;
  const name = targets[random.integer(targets.length)]!;
  return isFreeze ? { kind: "freeze", name, forMs: 200 + random.integer(4_000) } : { kind: "kill", name };
}
