import { parseRange } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import { FAULT_FORMS, parseFault } from '../src/args/fault-text.ts';

const RANGE = parseRange('2020-08-17', '2020-08-17');

describe('a fault', () => {
  it.each([
    ['status:500@3', { kind: 'status', status: 500, match: { endpoint: 'events', after: 2 }, times: 1 }],
    ['count/status:503', { kind: 'status', status: 503, match: { endpoint: 'count', after: 0 }, times: 1 }],
    ['any/reset@2x4', { kind: 'reset', match: { after: 1 }, times: 4 }],
    ['reset-body', { kind: 'reset', at: 'mid-body', match: { endpoint: 'events', after: 0 }, times: 1 }],
    ['wrong-count:-5', { kind: 'wrong-count', offBy: -5, match: { endpoint: 'count', after: 0 }, times: 1 }],
    ['zero-count', { kind: 'zero-count', match: { endpoint: 'count', after: 0 }, times: 1 }],
    ['count/no-content@2', { kind: 'no-content', match: { endpoint: 'count', after: 1 }, times: 1 }],
    ['page-cap:500@1x99', { kind: 'page-cap', largest: 500, match: { endpoint: 'events', after: 0 }, times: 99 }],
    ['blocked@3', { kind: 'status', status: 403, body: 'html', match: { endpoint: 'events', after: 2 }, times: 1 }],
    ['stall', { kind: 'stall', stallMs: null, match: { endpoint: 'events', after: 0 }, times: 1 }],
  ])('%s is understood', (text, expected) => {
    expect(parseFault(text, RANGE)).toEqual(expected);
  });

  it('in each form of the help text is understood', () => {
    for (const [form] of FAULT_FORMS) expect(parseFault(form, RANGE), form).not.toBeNull();
  });

  it.each(['', 'status', 'status:200', 'reset:5', 'reset@0', 'reset@2x0', 'limit', 'nowhere/reset', 'boom'])(
    '"%s" is not one',
    (text) => {
      expect(parseFault(text, RANGE)).toBeNull();
    },
  );
});
