import type { PlannedRun } from "../plan-run.js";
import { systemClock } from "../system-clock.js";
import { planChaos } from "./plan-chaos.js";
import { ChaosRun, type ChaosTargets } from "./run-chaos.js";

export interface PreparedChaos {
  /** Starts breaking these workers. */
  begin(targets: ChaosTargets, print: (line: string) => void): void;
  /** For `superviseRun`. Before `begin` there are no workers, so nothing can have happened. */
  readonly observe: Pick<ChaosRun, "onMetrics" | "onEvent" | "stop">;
}

/** The chaos of one `lockstep run`, which is told of the run before its workers exist. */
export function prepareChaos(
  seed: number,
  workers: number,
  { coordinator, stopAtStep }: Pick<PlannedRun, "coordinator" | "stopAtStep">,
): PreparedChaos {
  const plan = planChaos({ seed, workers, startStep: coordinator.resume?.step ?? 0, stopStep: stopAtStep });
  let run: ChaosRun | undefined;
  return {
    begin(targets, print) {
      print(`chaos ${seed}: ${plan.length} acts`);
      run = new ChaosRun({ plan, workers, targets, print, schedule: systemClock.schedule });
    },
    observe: {
      onMetrics: (metrics) => run?.onMetrics(metrics),
      onEvent: (event) => run?.onEvent(event),
      stop: () => run?.stop(),
    },
  };
}
