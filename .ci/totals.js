// Prints the last line of `.ci/run` from vitest's JSON report and the names of failed steps; exits 1 when anything failed.
import { readFileSync } from 'node:fs';

const [reportPath = '', ...failedSteps] = process.argv.slice(2);
const report = readReport(reportPath);

// A file that cannot be loaded fails without having a test of its own.
const brokenFiles = report.testResults.filter(
  ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
).length;
const failedTests = report.numFailedTests + brokenFiles;
// A failed test fails `npm cit` too: it is counted once.
const failedOtherwise = failedSteps.filter((step) => step !== 'npm cit' || failedTests === 0).length;
const failed = failedTests + failedOtherwise;
const skipped = report.numPendingTests + report.numTodoTests;

if (failedSteps.length > 0) console.log(`failed: ${failedSteps.join(', ')}`);
console.log(`${report.numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed > 0 ? 1 : 0;

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    // The installation or the build failed, so no test ran.
    console.log(`no test report at ${path}`);
    if (failedSteps.length === 0) failedSteps.push('tests');
    return { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] };
  }
}
