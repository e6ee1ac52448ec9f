/** @file Adds vitest's counts to those of the other checks: `count-tests.mjs RESULTS STATUS PASSED FAILED`. */
import { existsSync, readFileSync } from "node:fs";

const [results, status, otherPassed, otherFailed] = process.argv.slice(2);
let passed = Number(otherPassed);
let failed = Number(otherFailed);
let skipped = 0;
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
if (Number(status) !== 0 && failed === Number(otherFailed)) failed++;
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
