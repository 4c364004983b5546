import { EdrlakeError } from '@edrlake/core';
import { z } from 'zod';
import type { RegisteredTask } from '../workflow/definition/define-pipeline.ts';
import { readInput, type TaskTools } from './task-tools.ts';

const WebhookInput = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  body: z.record(z.string(), z.unknown()).default({}),
});

/** What a pipeline gives the `webhook` task; what is left out has its default. */
export type GivenWebhook = z.input<typeof WebhookInput>;

/** Posts a JSON document to a webhook. */
export const webhookTask: RegisteredTask<z.infer<typeof WebhookInput>, { readonly status: number }, TaskTools> = {
  meaning: 'send a JSON document by HTTP POST',
  parseInput: (input) => readInput(WebhookInput, input),
  run: async ({ url, body }, { run, provided, services }) => {
    const text = JSON.stringify({ pipeline: run.pipeline, runId: run.runId, ...body });
    const status = await provided.post(url, text, { 'content-type': 'application/json' }, services.signal);
    if (status >= 200 && status < 300) return { status };
    throw new EdrlakeError('RESPONSE_UNEXPECTED', `the webhook at ${new URL(url).host} answered ${status}`, {
      disposition: status >= 500 || status === 429 ? 'retry' : 'stop',
      hint: 'Check the address and what the receiver expects.',
    });
  },
  describe: async ({ url }) => `posts to ${new URL(url).host}`,
};
