/**
 * @file Adds vitest's counts to those of the other checks: `count-tests.mjs PASSED FAILED [RESULTS STATUS ...]`, a file of vitest's JSON reporter and
 * the status of the run that wrote it, once for each run.
 */
import { existsSync, readFileSync } from "node:fs";

const [otherPassed, otherFailed, ...runs] = process.argv.slice(2);
let passed = Number(otherPassed);
let failed = Number(otherFailed);
let skipped = 0;
for (let i = 0; i < runs.length; i += 2) {
  const [results, status] = [runs[i], Number(runs[i + 1])];
  const before = failed;
  if (existsSync(results)) {
    const report = JSON.parse(readFileSync(results, "utf8"));
    passed += report.numPassedTests;
    skipped += report.numPendingTests + report.numTodoTests;
    const brokenSuites = report.testResults.filter(
      (file) => file.status === "failed" && file.assertionResults.length === 0,
    );
    failed += report.numFailedTests + brokenSuites.length;
  }
  // A run that ended badly without a failed test (a crash, an unhandled error) is one failure all the same.
  if (status !== 0 && failed === before) failed++;
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
