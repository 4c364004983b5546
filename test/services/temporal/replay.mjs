// node replay.mjs SDK WORKFLOWS HISTORY… replays recorded histories with the workflows as they are now.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename } from 'node:path';

const [sdk, workflowsPath, ...files] = process.argv.slice(2);
const load = createRequire(`${sdk}/`);
const { Worker, Runtime, DefaultLogger } = load('@temporalio/worker');
const { historyFromJSON } = load('@temporalio/common/lib/proto-utils');

Runtime.install({ logger: new DefaultLogger('ERROR') });
const histories = (async function* () {
  for (const file of files) {
    const recorded = JSON.parse(readFileSync(file, 'utf8'));
    const { workflowId } = recorded.events[0].workflowExecutionStartedEventAttributes;
    names.push(basename(file, '.json'));
    yield { workflowId, history: historyFromJSON(recorded) };
  }
})();
const names = [];
let [failed, replayed] = [0, 0];
for await (const { error } of Worker.runReplayHistories({ workflowsPath }, histories)) {
  if (error !== undefined) failed += 1;
  process.stdout.write(`${names[replayed++]}: ${error === undefined ? 'replayed' : error.message}\n`);
}
process.exit(failed === 0 ? 0 : 1);
