import type { RebuildReport } from '@edrlake/lake';
import type { CommandInput } from '../command.ts';
import { servicesOf } from '../gateway.ts';
import { writeJson } from '../json-output.ts';
import { lakeDirectory } from '../lake-access.ts';
import { countText, nounText } from '../quantity-text.ts';
import { newRunId } from '../run-id.ts';
import { type Surroundings, writeText } from '../surroundings.ts';

/** Makes the commit log of a lake anew from its data files. */
export async function run(input: CommandInput, surroundings: Surroundings): Promise<number> {
  const { values } = input;
  const { rebuildEdrLog } = await import('@edrlake/runner');
  const report = await rebuildEdrLog(
    lakeDirectory(values, surroundings),
    { force: values.force, runId: newRunId(surroundings), memoryLimit: values['memory-limit'] },
    servicesOf(surroundings, () => {}),
  );
  if (values.json) await writeJson(surroundings.stdout, report);
  else await writeText(surroundings.stdout, rebuildText(report));
  return 0;
}

function rebuildText({ version, files, events, removedRows, setAside, oldLog }: RebuildReport): string {
  const lines = [
    `The log was made anew as version ${version}: ${nounText(files, 'file')}, ${nounText(events, 'event')}.`,
    ...(removedRows === 0 ? [] : [`${countText(removedRows)} rows were copies, or had no event, and were removed.`]),
    ...(setAside.length === 0
      ? []
      : [`${nounText(setAside.length, 'file')} set aside in _trash, such as ${setAside[0]}`]),
    `The old log is kept in ${oldLog}.`,
    'Nothing is proven now. To prove a range again: edrlake backfill --from … --to …',
  ];
  return `${lines.join('\n')}\n`;
}
