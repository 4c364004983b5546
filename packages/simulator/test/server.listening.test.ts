import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { gateway } from './gateway.ts';

it('says that another program has its port, and what to do', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  try {
    await expect(gateway({ port })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: `another program listens on port ${port}`,
      hint: 'Choose another port; 0 takes a free one.',
    });
  } finally {
    other.close();
  }
});
