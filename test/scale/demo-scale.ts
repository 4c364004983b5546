import { dayOf, MS_PER_DAY, startOfDayMs } from '@edrlake/core';
import { openScaleStage, scaleKit } from './scale-stage.ts';
import { say, tableOf } from './scale-text.ts';

// npm run demo:scale: a server, two workers, three simulated subscriptions, one killed worker, and a table at the end.

const SUBSCRIPTIONS = ['acme', 'globex', 'initech'];
const EVENTS = 4_000;
const LIMIT = { requests: 40, windowSeconds: 20 };

const endMs = startOfDayMs(dayOf(Date.now()));
const range = { startMs: endMs - 3 * MS_PER_DAY, endMs };

say('Installing a Temporal server and its packages into .services/temporal, once …');
const kit = await scaleKit();
const stage = await openScaleStage(kit, {
  ...{
    subscriptions: SUBSCRIPTIONS,
    events: EVENTS,
    range,
    limit: LIMIT,
    requestsAtOnce: 2,
    pageSize: 100,
    slots: 2,
    answerMs: 20,
  },
});
try {
  say(`A Temporal server at ${stage.server.address}, a gateway for each of ${SUBSCRIPTIONS.join(', ')}.`);
  say(`Each gateway allows ${LIMIT.requests} requests in ${LIMIT.windowSeconds} s, 2 at once.`);
  const [first] = await Promise.all([stage.startWorker(), stage.startWorker()]);
  say('Two workers are ready: edrlake worker --engine temporal --subscription all');
  const since = ['--param', `since=${dayOf(range.startMs)}`, '--param', 'days=3'];
  const night = stage.start('run', 'nightly', '--subscription', 'all', ...since);
  say('edrlake run nightly --engine temporal --subscription all');
  await first.said(/version 1:/);
  first.kill('SIGKILL');
  say('Worker 1 has committed something and was killed with SIGKILL. Its tasks go on at the other one, 15 s later.');
  const { exitCode, stdout, stderr } = await night.ended;
  say(exitCode === 0 ? 'The night is done.' : `The night ended with ${exitCode}:\n${stdout}${stderr}`);
  const compared = await Promise.all(SUBSCRIPTIONS.map(stage.compare));
  process.stdout.write(`\n${tableOf(compared)}\n`);
  const isWhole = compared.every(({ events, rows, distinct, refused }) => {
    return rows === events && distinct === events && refused === 0;
  });
  say(isWhole && exitCode === 0 ? 'Every event is in its lake, once.' : 'Something is wrong, see above.');
  process.exitCode = isWhole && exitCode === 0 ? 0 : 1;
} finally {
  await stage.close();
}
