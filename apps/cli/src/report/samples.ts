/** @file Samples of the evaluation data: what was predicted, and what it rests on. */
import type { ExplainedSample, RunExplanation, SampleValues } from "@lockstep/worker";
import { shortNumber } from "./axis.js";
import { attentionPicture, attributionPicture, imagePicture, largestOf, signedColour } from "./heat.js";
import { html, type Markup } from "./markup.js";
import { nameOfClass } from "./predictions.js";

const maxColumns = 12;
const maxTokens = 400;
const maxHeads = 8;

export function samples(shown: RunExplanation): Markup {
  const hasAttention = shown.samples.some(({ attention }) => attention !== undefined);
  return html`<h3 class="apart">Samples</h3>
<p class="note">First the worst mistakes, then others in their order. Attributions say how much each part of the input raised (red) or lowered (blue) the output that was predicted: gradient times input, and integrated gradients, whose sum must be the output less that of an input of zeros or the job's baseline.${hasAttention && " Attention: row by row what each piece looks at, in the order of the pieces; dark is much."}</p>
<div class="samples kind-${shown.kind}">${shown.samples.map((sample) => card(shown, sample))}</div>`;
}

function card(shown: RunExplanation, sample: ExplainedSample): Markup {
  const { completeness, attention } = sample;
  return html`<div class="card sample">${headOf(shown, sample)}${partsOf(shown, sample)}
<p class="note">integrated adds up to ${shortNumber(completeness.found)} of ${shortNumber(completeness.expected)}</p>${attention && attentionMaps(attention, sample.pieces)}</div>`;
}

function headOf(shown: RunExplanation, { index, target, prediction }: ExplainedSample): Markup {
  const { value, probabilities } = prediction;
  if (probabilities === undefined) {
    return html`<p class="verdict"><b>${shortNumber(value)}</b> <span class="dim">target ${shortNumber(target)}, sample ${index}</span></p>`;
  }
  const isRight = value === target;
  const percent = `${(100 * probabilities[value]!).toFixed(1)} %`;
  return html`<p class="verdict ${isRight ? "right" : "wrong"}"><b>${nameOfClass(shown, value)}</b> ${percent} <span class="dim">${isRight ? "right" : html`is ${nameOfClass(shown, target)} (${(100 * probabilities[target]!).toFixed(1)} %)`}, sample ${index}</span></p>`;
}

function partsOf({ kind }: RunExplanation, sample: ExplainedSample): Markup {
  if (kind === "image") return images(sample);
  return kind === "tokens" ? tokens(sample) : columns(sample);
}

function images({ inputs, gradientTimesInput, integratedGradients }: ExplainedSample): Markup {
  const pictures: readonly (readonly [string, string])[] = [
    ["input", imagePicture(inputs)],
    ["grad × input", attributionPicture(gradientTimesInput)],
    ["integrated", attributionPicture(integratedGradients)],
  ];
  return html`<div class="pictures">${pictures.map(([name, address]) => html`<figure><img src="${address}" alt="${name}"><figcaption>${name}</figcaption></figure>`)}</div>`;
}

function columns({ inputs, gradientTimesInput, integratedGradients, pieces }: ExplainedSample): Markup {
  const order = [...integratedGradients.values.keys()]
    .sort((a, b) => Math.abs(integratedGradients.values[b]!) - Math.abs(integratedGradients.values[a]!))
    .slice(0, maxColumns);
  const largest = largestOf([...integratedGradients.values, ...gradientTimesInput.values]) || 1;
  const bar = (value: number): Markup => {
    const width = Math.round((50 * Math.abs(value)) / largest);
    const [start, kind] = value < 0 ? [50 - width, "against"] : [50, "for"];
    return html`<td class="bar" title="${shortNumber(value)}"><i class="${kind}" style="left:${start}%;width:${width}%"></i></td>`;
  };
  const left = integratedGradients.values.length - order.length;
  return html`<table class="columns"><thead><tr><th>column</th><th class="num">value</th><th>integrated</th><th>gradient × input</th></tr></thead><tbody>${order.map(
    (i) =>
      html`<tr><th>${pieces?.[i] ?? `column ${i}`}</th><td class="num">${shortNumber(inputs.values[i]!)}</td>${bar(integratedGradients.values[i]!)}${bar(gradientTimesInput.values[i]!)}</tr>`,
  )}</tbody></table>${left > 0 && html`<p class="note">${left} more columns weigh less.</p>`}`;
}

function tokens({ integratedGradients, gradientTimesInput, pieces }: ExplainedSample): Markup {
  const texts = pieces ?? Array.from(integratedGradients.values, (_, i) => `#${i}`);
  const line = (name: string, values: Float32Array): Markup => {
    const largest = largestOf(values.subarray(0, texts.length)) || 1;
    return html`<p class="tokens"><span class="dim">${name}</span> ${texts.slice(0, maxTokens).map((text, i) => {
      const share = values[i]! / largest;
      const ink = Math.abs(share) > 0.55 ? "#fff" : "#1c1d20";
      return html`<span style="background:rgb(${signedColour(share).join(",")});color:${ink}" title="${shortNumber(values[i]!)}">${text}</span>`;
    })}${texts.length > maxTokens && html` <span class="dim">and ${texts.length - maxTokens} more</span>`}</p>`;
  };
  return html`${line("integrated", integratedGradients.values)}${line("gradient × input", gradientTimesInput.values)}`;
}

function attentionMaps({ shape, values }: SampleValues, pieces: readonly string[] | undefined): Markup {
  const [numHeads, length] = shape as [number, number];
  const heads = Array.from({ length: Math.min(numHeads, maxHeads) }, (_, h) =>
    values.subarray(h * length * length, (h + 1) * length * length),
  );
  return html`<div class="pictures attention">${heads.map((weights, h) => {
    let strongest = 0;
    for (const [i, weight] of weights.entries()) if (weight > weights[strongest]!) strongest = i;
    const nameOf = (i: number): string => pieces?.[i] ?? `#${i}`;
    const title = `${nameOf(Math.floor(strongest / length))} looks at ${nameOf(strongest % length)} most, ${shortNumber(weights[strongest]!)}`;
    return html`<figure><img src="${attentionPicture(weights, length)}" alt="attention of head ${h}" title="${title}"><figcaption>head ${h}</figcaption></figure>`;
  })}</div>${numHeads > maxHeads && html`<p class="note">${numHeads - maxHeads} more heads.</p>`}`;
}
