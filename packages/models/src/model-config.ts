/** @file Rules that the configurations of models share. */
import { ValueError } from "@lockstep/core";

/** What a config's refusal is made with: the model's name and the whole config. */
export interface ConfigSubject {
  readonly model: string;
  readonly config: object;
}

/** An error about a config. */
export function refuseConfig({ model, config }: ConfigSubject, text: string): ValueError {
  return new ValueError(`${model}: ${text}`, { ...config }, "E_MODEL_CONFIG");
}

/** @throws {ValueError} E_MODEL_CONFIG naming the first field that is no whole number of at least 1. */
export function assertWholeSizes(subject: ConfigSubject, sizes: Readonly<Record<string, number>>): void {
  for (const [field, size] of Object.entries(sizes)) {
    if (!Number.isInteger(size) || size < 1) {
      throw refuseConfig(subject, `${field} is ${size}; it must be a whole number of at least 1.`);
    }
  }
}

/** @throws {ValueError} E_MODEL_CONFIG unless the second divides the first. */
export function assertDivides(
  subject: ConfigSubject,
  { embedDim, numHeads }: { embedDim: number; numHeads: number },
): void {
  if (embedDim % numHeads === 0) return;
  throw refuseConfig(subject, `embedDim is ${embedDim} and numHeads ${numHeads}; the second must divide the first.`);
}

/** @throws {ValueError} E_MODEL_CONFIG outside [0, 1). */
export function assertDropout(subject: ConfigSubject, dropout: number): void {
  if (!(dropout >= 0 && dropout < 1)) throw refuseConfig(subject, `dropout is ${dropout}; it must be in [0, 1).`);
}

/** @throws {ValueError} E_MODEL_CONFIG for a value that is not among `choices`. */
export function assertChoice(
  subject: ConfigSubject,
  field: string,
  choice: { value: string; choices: readonly string[] },
): void {
  if (choice.choices.includes(choice.value)) return;
  throw refuseConfig(
    subject,
    `${field} is ${JSON.stringify(choice.value)}; it must be one of ${choice.choices.join(", ")}.`,
  );
}
