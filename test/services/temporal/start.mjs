// node start.mjs SDK ADDRESS WORKFLOW ID REQUEST [TIMEOUT] starts a workflow as a program would, and prints its result.
import { createRequire } from 'node:module';

const [sdk, address, workflow, workflowId, request, timeout] = process.argv.slice(2);
const { Client, Connection } = createRequire(`${sdk}/`)('@temporalio/client');
const connection = await Connection.connect({ address });
const client = new Client({ connection });
const options = { taskQueue: 'edrlake', workflowId, args: [JSON.parse(request)], workflowExecutionTimeout: timeout };
process.stdout.write(JSON.stringify(await client.workflow.execute(workflow, options)));
await connection.close();
