/** @file What the trained model does with the evaluation data, where the job offers it. */
import type { RunExplanation } from "@lockstep/worker";
import { html, type Markup } from "./markup.js";
import { predictions } from "./predictions.js";
import { samples } from "./samples.js";

export function modelSection(shown: RunExplanation, checkpointStep: number): Markup {
  return html`<section id="model"><h2>Predictions <span class="dim">on the evaluation data, checkpoint of step ${checkpointStep}</span></h2>
${predictions(shown)}${shown.samples.length > 0 && samples(shown)}</section>`;
}
