import { countClasses, totalOf } from "./class-counts.js";
import { averagedScore, fScoresOf } from "./f-score.js";
import { assertSameLength, readFlat, type Values } from "./inputs.js";

export interface ClassificationReportOptions {
  /** Which classes, in which order. Default: all there are. */
  readonly labels?: Values;
  /** A name for each class. Default: the labels. */
  readonly targetNames?: readonly string[];
  readonly sampleWeight?: Values;
  readonly digits?: number;
  readonly zeroDivision?: 0 | 1;
}

/**
 * Precision, recall, F1 and support of every class and on average, as a table of text.
 *
 * @shape yTrue, yPred [N] integer labels -> text
 * @throws {ShapeError} E_SHAPE when targetNames are not as many as the classes.
 * @source sklearn.metrics.classification_report, whose layout it has.
 * @example
 * metrics.classificationReport([0, 1, 1], [0, 1, 0]).includes("accuracy"); // => true
 */
export function classificationReport(yTrue: Values, yPred: Values, options: ClassificationReportOptions = {}): string {
  const where = "classificationReport";
  const counts = countClasses(where, yTrue, yPred, options);
  const labels = options.labels === undefined ? counts.labels : Array.from(readFlat(where, "labels", options.labels));
  const names = options.targetNames ?? labels.map(String);
  assertSameLength(where, ["targetNames", names.length], ["the classes", labels.length]);
  const { digits = 2, zeroDivision = 0 } = options;
  const width = Math.max("weighted avg".length, digits, ...names.map((name) => name.length));
  const line = (head: string, cells: readonly string[]): string =>
    `${head.padStart(width)} ${cells.map((cell) => ` ${cell.padStart(9)}`).join("")}\n`;
  const shown = { labels, zeroDivision };
  const classes = fScoresOf(where, counts, { ...shown, average: "none" });
  const support = String(classes.support.reduce((a, b) => a + b, 0));
  const rows = names.map((name, i) => {
    const numbers = [classes.precision[i]!, classes.recall[i]!, classes.fScore[i]!].map((x) => fixed(x, digits));
    return line(name, [...numbers, String(classes.support[i]!)]);
  });
  const averageLine = (average: "micro" | "macro" | "weighted"): string => {
    const numbers = (["precision", "recall", "fScore"] as const).map((quantity) =>
      fixed(averagedScore(where, counts, { ...shown, average, quantity }) as number, digits),
    );
    const isAccuracy = average === "micro" && labels.length === counts.labels.length && totalOf(counts) > 0;
    return isAccuracy
      ? line("accuracy", ["", "", numbers[2]!, support])
      : line(`${average} avg`, [...numbers, support]);
  };
  const head = line("", ["precision", "recall", "f1-score", "support"]);
  return `${head}\n${rows.join("")}\n${averageLine("micro")}${averageLine("macro")}${averageLine("weighted")}`;
}

const numTieDigits = 55;

/** As Python prints it: exact halves go to the even digit, which toFixed() rounds up. */
function fixed(x: number, digits: number): string {
  const exact = x.toFixed(digits + numTieDigits);
  const isTie = /^50*$/.test(exact.slice(-numTieDigits));
  const below = exact.slice(0, -numTieDigits);
  return isTie && digits > 0 && Number(below.at(-1)) % 2 === 0 ? below : x.toFixed(digits);
}
