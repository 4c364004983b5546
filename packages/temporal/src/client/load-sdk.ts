import { EdrlakeError } from '@edrlake/core';

/** The packages that this needs, which are not installed by default. */
const PACKAGES = ['client', 'worker', 'workflow', 'activity'].map((name) => `@temporalio/${name}@~1.24.0`);

/** The client of Temporal. @throws {EdrlakeError} `CONFIG_INVALID` where it is not installed */
export function loadClient(): Promise<typeof import('@temporalio/client')> {
  return loaded(() => import('@temporalio/client'));
}

/** What a worker needs of Temporal. @throws {EdrlakeError} `CONFIG_INVALID` where it is not installed */
export async function loadWorker() {
  const [worker, activity] = await loaded(() =>
    Promise.all([import('@temporalio/worker'), import('@temporalio/activity')]),
  );
  return { ...pick(worker), Context: activity.Context, ApplicationFailure: activity.ApplicationFailure };
}

function pick({ Worker, NativeConnection, Runtime, DefaultLogger }: typeof import('@temporalio/worker')) {
  return { Worker, NativeConnection, Runtime, DefaultLogger };
}

async function loaded<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (thrown) {
    const { code } = (thrown ?? {}) as { readonly code?: unknown };
    if (code !== 'ERR_MODULE_NOT_FOUND') throw thrown;
    throw new EdrlakeError('CONFIG_INVALID', 'the packages of Temporal are not installed', {
      cause: thrown,
      hint: `Install them beside edrlake: npm install ${PACKAGES.join(' ')}`,
    });
  }
}
