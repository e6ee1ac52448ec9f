/** @file `lockstep generate RUN --prompt TEXT`: text from the last checkpoint of a run. The seed fixes every choice. */
import { resolve } from "node:path";
import { generateText, isLanguageModel } from "@lockstep/models";
import { type ExitStatus, exitStatus, UsageError } from "../exit-status.js";
import { chooseRun } from "../run-directory.js";
import { withTrainedRun } from "../with-trained-run.js";

interface GenerateFlags {
  readonly prompt: string;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly seed: number;
  readonly threads?: number;
}

export async function generate(path: string, flags: GenerateFlags): Promise<ExitStatus> {
  const { runDir, checkpoint } = chooseRun(resolve(process.cwd(), path), path);
  await withTrainedRun(runDir, { checkpoint: checkpoint.dir, threads: flags.threads }, (run) => {
    const { model, tokenizer } = run;
    if (!isLanguageModel(model) || tokenizer === undefined) {
      throw new UsageError(
        `generate: job "${run.job.name}" has ${tokenizer === undefined ? "no tokenizer" : "a model that predicts no tokens"}; generate needs a language model whose data() gives a tokenizer. Use evaluate for other models.`,
        { job: run.job.name },
        "E_USAGE_GENERATE",
      );
    }
    process.stdout.write(flags.prompt);
    run.run(() => {
      generateText(model, tokenizer, {
        prompt: flags.prompt,
        maxTokens: flags.maxTokens,
        temperature: flags.temperature,
        topK: flags.topK,
        topP: flags.topP,
        seed: flags.seed,
        onText: (piece) => process.stdout.write(piece),
      });
    });
    process.stdout.write("\n");
  });
  return exitStatus.completed;
}
