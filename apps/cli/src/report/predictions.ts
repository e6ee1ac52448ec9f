/** @file How good the predictions on the evaluation data are: the confusion matrix and scores of classes, or values beside targets. */
import { metrics } from "@lockstep/core";
import type { RunExplanation } from "@lockstep/worker";
import { roundTicks, shortNumber } from "./axis.js";
import { html, type Markup } from "./markup.js";

const maxClasses = 40;

export function predictions(shown: RunExplanation): Markup {
  return shown.isClassifier ? classes(shown) : values(shown);
}

/** What a class is called. */
export function nameOfClass({ classNames }: RunExplanation, label: number): string {
  return classNames?.[label] ?? String(label);
}

function classes(shown: RunExplanation): Markup {
  const labels = [...new Set([...shown.targets, ...shown.predictions.map(({ value }) => value)])].sort((a, b) => a - b);
  const predicted = shown.predictions.map(({ value }) => value);
  const matrix = metrics.confusionMatrix(shown.targets, predicted, { labels });
  const names = labels.map((label) => nameOfClass(shown, label));
  const correct = shown.targets.filter((target, i) => target === predicted[i]).length;
  const report = metrics.classificationReport(shown.targets, predicted, { labels, targetNames: names, digits: 3 });
  return html`<div class="grid"><div class="card"><h3>Confusion matrix</h3><p class="note">${correct} of ${shown.targets.length} right. Rows: the truth. Columns: what was predicted.</p>
${labels.length <= maxClasses ? matrixTable(matrix, names) : html`<p class="note">${labels.length} classes are too many for a table.</p>`}</div>
<div class="card"><h3>By class</h3><pre>${report}</pre>${confusions(matrix, names)}</div></div>`;
}

function matrixTable(matrix: readonly (readonly number[])[], names: readonly string[]): Markup {
  return html`<div class="wide-table"><table class="confusion"><thead><tr><th></th>${names.map((name) => html`<th>${name}</th>`)}</tr></thead><tbody>${matrix.map(
    (row, i) => {
      const total = row.reduce((sum, count) => sum + count, 0);
      return html`<tr><th>${names[i]}</th>${row.map((count, j) => {
        const share = total === 0 ? 0 : count / total;
        const title = `${names[i]} taken for ${names[j]}: ${count} of ${total}`;
        const strength = count === 0 ? 0 : Math.round(12 + 68 * share);
        return html`<td class="${i === j ? "right" : "wrong"}" style="--share:${strength}%" title="${title}">${count === 0 ? html`<span class="dim">·</span>` : count}</td>`;
      })}</tr>`;
    },
  )}</tbody></table></div>`;
}

/** The pairs that are mixed up most often. */
function confusions(matrix: readonly (readonly number[])[], names: readonly string[]): Markup | undefined {
  const pairs = matrix
    .flatMap((row, i) => row.map((count, j) => ({ i, j, count })))
    .filter(({ i, j, count }) => i !== j && count > 0)
    .sort((a, b) => b.count - a.count || a.i - b.i || a.j - b.j)
    .slice(0, 5);
  if (pairs.length === 0) return undefined;
  return html`<p class="note">Most often mixed up: ${pairs.map(({ i, j, count }) => `${names[i]} taken for ${names[j]} (${count})`).join(", ")}.</p>`;
}

const side = 360;
const edge = 48;

function values({ targets, predictions: found }: RunExplanation): Markup {
  const predicted = found.map(({ value }) => value);
  const low = Math.min(...targets, ...predicted);
  const high = Math.max(...targets, ...predicted);
  const at = (value: number): number => (high > low ? ((value - low) / (high - low)) * (side - edge - 12) : 0);
  const x = (value: number): number => Math.round((edge + at(value)) * 100) / 100;
  const y = (value: number): number => Math.round((side - 28 - at(value)) * 100) / 100;
  const spread = new Set(targets).size > 1;
  const scores: readonly (readonly [string, string])[] = [
    ["mean absolute error", shortNumber(metrics.meanAbsoluteError(targets, predicted))],
    ["root mean squared error", shortNumber(metrics.rootMeanSquaredError(targets, predicted))],
    ...(spread ? [["R2", shortNumber(metrics.r2Score(targets, predicted))] as const] : []),
  ];
  return html`<div class="grid"><div class="card"><h3>Predicted values by their targets</h3><svg class="scatter" viewBox="0 0 ${side} ${side}" role="img" aria-label="Predicted values by their targets"><g class="axes">${roundTicks(
    low,
    high,
    5,
  ).map(
    (tick) =>
      html`<line x1="${edge}" x2="${side - 12}" y1="${y(tick)}" y2="${y(tick)}"/><text x="${edge - 6}" y="${y(tick) + 3.5}" text-anchor="end">${shortNumber(tick)}</text><text x="${x(tick)}" y="${side - 12}" text-anchor="middle">${shortNumber(tick)}</text>`,
  )}</g><line class="mark plain" x1="${x(low)}" y1="${y(low)}" x2="${x(high)}" y2="${y(high)}"/>${targets
    .slice(0, 2_000)
    .map(
      (target, i) =>
        html`<circle class="fill-1 dot" cx="${x(target)}" cy="${y(predicted[i]!)}" r="2.5"><title>target ${shortNumber(target)}, predicted ${shortNumber(predicted[i]!)}</title></circle>`,
    )}</svg></div><div class="card"><h3>Errors</h3><table><tbody>${scores.map(([name, value]) => html`<tr><th>${name}</th><td>${value}</td></tr>`)}</tbody></table></div></div>`;
}
