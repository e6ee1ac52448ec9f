/** Fits with callbacks that throw, in this process and with two workers, and prints what comes out of fit. */
import type { FitCallback } from "lockstep";
import { spirals } from "./model.js";

const y = Array.from({ length: 16 }, (_, i) => i % 2);
const x = y.map((label, i) => [label, i / 16]);

for (const hook of ["onStep", "onEpochEnd"] as const) {
  for (const workers of [undefined, 2]) {
    const callback: FitCallback = {
      [hook]: () => {
        throw new Error(`${hook}: ${workers === undefined ? "alone" : `${workers} workers`}`);
      },
    };
    const options = { epochs: 2, batchSize: 8, verbose: false, callbacks: [callback] };
    const fit = spirals.fit({ x, y }, workers === undefined ? options : { ...options, workers });
    await fit.then(
      () => process.stdout.write("no error\n"),
      (error: Error) => process.stdout.write(`${error.message}\n`),
    );
  }
}
spirals.dispose();
