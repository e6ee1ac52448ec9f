/** @file Entry of the `lockstep` command: arguments in, exit status out. */
import { runProgram } from "./program.js";

process.exitCode = await runProgram(process.argv.slice(2));
