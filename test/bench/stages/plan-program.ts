import { NO_FILTER } from '@edrlake/core';
import { planExport } from '@edrlake/runner';
import { report, timed } from './own-time.ts';
import { connectTo, readOrder, SERVICES } from './stage-order.ts';

// Plans a range and fetches nothing.

const order = readOrder();
const connection = connectTo(order);
const request = { axis: 'event', ranges: [{ range: order.range }], scope: NO_FILTER } as const;
const { value, ...time } = await timed(() => planExport(connection.source, request, SERVICES));
await connection.close();
const { events, windows } = value.windowPlan;
report({ ...time, ...value.requests, events, windows: windows.length });
