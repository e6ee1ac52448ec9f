/** @file Command lines of what `npm run` starts: usage for --help, one line for what is wrong. */
import { parseArgs } from "node:util";

/**
 * Values and positionals as `parseArgs` gives them; or the status to exit with, when all there is to say has been said.
 */
export function readCommandLine({ name, usage, options, allowPositionals = false }) {
  try {
    const parsed = parseArgs({
      options: { ...options, help: { type: "boolean", short: "h" } },
      allowPositionals,
    });
    if (!parsed.values.help) return parsed;
    console.log(usage);
    return 0;
  } catch (error) {
    if (!String(error.code).startsWith("ERR_PARSE_ARGS")) throw error;
    const known = Object.keys(options).map((option) => `--${option}`);
    const what = error.message.split(/[.\n]/)[0];
    console.error(`${name}: ${what}; options are ${known.join(", ")}. See \`npm run ${name} -- --help\`.`);
    return 2;
  }
}
