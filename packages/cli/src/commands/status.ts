import { openEdrLake } from '@edrlake/runner/open-lake';
import type { CommandInput } from '../command.ts';
import { servicesOf } from '../gateway.ts';
import { writeJson } from '../json-output.ts';
import { lakeDirectory, lakeOptions } from '../lake-access.ts';
import { readLakeStatus, statusDocument, statusText } from '../lake-status.ts';
import { lineWidth, type Surroundings, writeText } from '../surroundings.ts';

/** Shows what the lake holds. */
export async function run(input: CommandInput, surroundings: Surroundings): Promise<number> {
  const { values } = input;
  const { stdout, env } = surroundings;
  const services = servicesOf(surroundings, () => {});
  const lake = await openEdrLake(lakeDirectory(values, surroundings), lakeOptions(values, 'read'), services);
  try {
    const status = await readLakeStatus(lake);
    if (values.json) await writeJson(stdout, statusDocument(status));
    else await writeText(stdout, statusText(status, lineWidth(stdout, env)));
  } finally {
    await lake.close();
  }
  return 0;
}
