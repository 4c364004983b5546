// Prints the last line of `.ci/run` from vitest's JSON reports (joined by commas) and the names of failed steps; exits 1
// when anything failed.
import { readFileSync } from 'node:fs';

const [reportPaths = '', ...failedSteps] = process.argv.slice(2);
const TEST_STEPS = ['npm cit', 'npm run test:long', 'npm run test:services'];
const reports = reportPaths.split(',').map(readReport);
const sum = (of) => reports.reduce((total, report) => total + of(report), 0);

// A file that cannot be loaded fails without having a test of its own.
const brokenFiles = ({ testResults }) =>
  testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  ).length;
// A failed test fails its step too: it is counted once.
const failedIn = reports.map((report) => report.numFailedTests + brokenFiles(report));
const failedTests = failedIn.reduce((total, failed) => total + failed, 0);
const failedOtherwise = failedSteps.filter((step) => !(failedIn[TEST_STEPS.indexOf(step)] > 0)).length;
const failed = failedTests + failedOtherwise;
const skipped = sum((report) => report.numPendingTests + report.numTodoTests);

// The names come last, so that a cut output of a long run still has them.
for (const report of reports)
  for (const { name, message, assertionResults } of report.testResults.filter(({ status }) => status === 'failed')) {
    const failedHere = assertionResults.filter((test) => test.status === 'failed');
    console.log(`failed in ${name}${failedHere.length === 0 ? `:\n${message}` : ''}`);
    for (const test of failedHere) console.log(`  ${test.fullName}\n    ${test.failureMessages.join('\n    ')}`);
  }
if (failedSteps.length > 0) console.log(`failed: ${failedSteps.join(', ')}`);
console.log(
  `${sum((report) => report.numPassedTests)} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
);
process.exitCode = failed > 0 ? 1 : 0;

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    // The installation or the build failed, so no test ran.
    console.log(`no test report at ${path}`);
    if (failedSteps.length === 0) failedSteps.push(`tests of ${path}`);
    return { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] };
  }
}
