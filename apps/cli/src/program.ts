/**
 * @file The command line as a commander program. Each command's code is loaded only when it runs.
 *
 * Nothing in here trains: a command is a function from its arguments to an exit status.
 */
import { Command, CommanderError, Option } from "commander";
import { type ExitStatus, exitStatus, statusOfError } from "./exit-status.js";
import {
  addComputeFlags,
  addJobFlags,
  addLogFlags,
  amount,
  collect,
  count,
  countOrZero,
  lossScaleFlag,
  numericFlag,
  port,
  precisionFlag,
  share,
  updateFlag,
} from "./flags/common-flags.js";
import { printError } from "./print-error.js";
import { version } from "./version.js";

type Action = (...args: never[]) => Promise<ExitStatus>;

/** Runs the command line and gives the exit status. Every error ends here, as one message. */
export async function runProgram(args: readonly string[]): Promise<ExitStatus> {
  let status: ExitStatus = exitStatus.completed;
  const program = createProgram((ended) => {
    status = ended;
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitStatus.completed : exitStatus.usage;
    printError(error);
    return statusOfError(error);
  }
}

export function createProgram(onEnd: (status: ExitStatus) => void): Command {
  const program = new Command("lockstep")
    .description("Train one model on every machine you have; the result does not depend on who computed it.")
    .version(version, "--version")
    .exitOverride()
    .showSuggestionAfterError(true)
    .showHelpAfterError("(run with --help for all flags)")
    .helpCommand(false);

  const command = (usage: string, description: string) =>
    program
      .command(usage)
      .description(description)
      .allowExcessArguments(false)
      .exitOverride()
      .showHelpAfterError("(run with --help for all flags)");
  const ending =
    (load: () => Promise<Action>) =>
    async (...args: unknown[]): Promise<void> => {
      const action = (await load()) as (...args: unknown[]) => Promise<ExitStatus>;
      onEnd(await action(...args.slice(0, -1)));
    };

  addLogFlags(
    addComputeFlags(
      addJobFlags(
        command("run <job>", "train on this machine: a coordinator on loopback and N worker processes")
          .option("--workers <n>", "number of worker processes", count, 1)
          .option("--audit <rate>", "share of micro-batches that a second worker computes again", share, 0)
          .option("--chaos <seed>", "kill, freeze and add workers on purpose, to see the run heal", countOrZero)
          .addOption(lossScaleFlag()),
      ),
    ),
  ).action(ending(async () => (await import("./commands/run.js")).run));

  addLogFlags(
    addJobFlags(
      command("coordinator <job>", "wait for workers on other machines, then train")
        .option("--host <address>", "address to listen on; another than loopback needs a token", "127.0.0.1")
        .option("--port <port>", "port to listen on; 0 takes a free one", port, 7733)
        .option("--min-workers <n>", "start when this many workers are there", count, 1)
        .option("--max-workers <n>", "take no more than this many workers", count)
        .option("--join-timeout <s>", "seconds to wait for --min-workers", amount, 600)
        .option("--audit <rate>", "share of micro-batches that a second worker computes again", share, 0)
        .option(
          "--state-transfer-rate <bytes/s>",
          "most bytes a second for checkpoints and for workers that join while the others train (default: no limit)",
          count,
        )
        .option("--token-file <file>", "file with the token that workers must show")
        .option("--token <token>", "the token itself; process lists show it, prefer --token-file")
        .addOption(numericFlag())
        .addOption(lossScaleFlag()),
    ),
  ).action(ending(async () => (await import("./commands/coordinator.js")).coordinator));

  addLogFlags(
    addComputeFlags(
      command("worker <url>", "join a coordinator from this machine")
        .option("--token-file <file>", "file with the coordinator's token")
        .option("--token <token>", "the token itself; process lists show it, prefer --token-file")
        .option("--name <name>", "what the coordinator's log calls this worker")
        .option(
          "--listen <host:port>",
          "address where other workers reach this one; none: they exchange through the coordinator",
        )
        .option(
          "--reconnect-timeout <s>",
          "seconds to look for a coordinator that is gone (default: as the run says)",
          amount,
        )
        .addOption(new Option("--token-from-parent").hideHelp())
        .option("--cache <dir>", "where files of runs are kept (default: ~/.cache/lockstep)"),
    ),
  ).action(ending(async () => (await import("./commands/worker.js")).worker));

  command("status <url>", "what a coordinator and its workers are doing")
    .option("--token-file <file>", "file with the coordinator's token")
    .option("--token <token>", "the token itself; process lists show it, prefer --token-file")
    .option("--json", "print JSON", false)
    .action(ending(async () => (await import("./commands/status.js")).status));

  command("generate <run>", "write text with a trained model")
    .requiredOption("--prompt <text>", "text to continue")
    .option("--max-tokens <n>", "tokens to write", count, 400)
    .option("--temperature <t>", "0 always takes the likeliest token", amount, 0.8)
    .option("--top-k <k>", "choose among the k likeliest; 0: among all", countOrZero, 0)
    .option("--top-p <p>", "choose among the likeliest that hold this share of the probability", amount, 1)
    .option("--seed <s>", "seed of the choice", countOrZero, 0)
    .option("--threads <n>", "threads (default: all cores)", count)
    .action(ending(async () => (await import("./commands/generate.js")).generate));

  command("evaluate <run>", "loss of a trained model on its evaluation data")
    .option("--json", "print JSON", false)
    .option("--init-from <run>", "evaluate the weights of this run or checkpoint instead")
    .option("--set <key=value>", "evaluate with another configuration, for example on another text", collect, [])
    .option("--threads <n>", "threads (default: all cores)", count)
    .action(ending(async () => (await import("./commands/evaluate.js")).evaluate));

  command("report <run>", "curves, events and predictions of a run, as one HTML file")
    .option("--out <file>", "where to write it (default: <run>/report.html)")
    .option("--samples <n>", "samples to explain, where the job offers it", count, 16)
    .option("--curves-only", "do not load the model", false)
    .option("--threads <n>", "threads (default: all cores)", count)
    .action(ending(async () => (await import("./commands/report.js")).report));

  command("inspect <path>", "describe a run or a checkpoint in words")
    .option("--json", "print JSON", false)
    .action(ending(async () => (await import("./commands/inspect.js")).inspect));

  addComputeFlags(
    command("check <job>", "is this job deterministic, and does it fit in memory")
      .option("--seed <s>", "seed of weights, dropout and sampling", countOrZero, 0)
      .option("--set <key=value>", "set a key of the job's configuration; may be repeated", collect, []),
  ).action(ending(async () => (await import("./commands/check.js")).check));

  command("profile <job>", "where the time of a training step goes, kernel by kernel, and a Chrome trace of it")
    .addOption(
      new Option("--backend <name>", "what to profile; auto: a GPU where there is one, else the CPU")
        .choices(["webgpu", "cpu", "auto"])
        .default("auto"),
    )
    .addOption(precisionFlag())
    .addOption(updateFlag())
    .option("--steps <n>", "steps to watch, after some that are not", count, 2)
    .option("--out <file>", "where to write the trace (default: <name of the job>.trace.json)")
    .option("--json", "print JSON", false)
    .option("--seed <s>", "seed of weights, dropout and sampling", countOrZero, 0)
    .option("--set <key=value>", "set a key of the job's configuration; may be repeated", collect, [])
    .option("--threads <n>", "threads of the CPU backend (default: all cores)", count)
    .action(ending(async () => (await import("./commands/profile.js")).profile));

  command("doctor", "what this machine has, and what to install")
    .option("--json", "print JSON", false)
    .action(ending(async () => (await import("./commands/doctor.js")).doctor));
  return program;
}
