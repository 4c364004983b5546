import { countText, nounText } from '@edrlake/core/quantities';
import type { HuntsLine } from '../../../src/documents/documents.ts';
import { ago } from '../format.ts';
import { Table } from './parts.tsx';

interface HuntListsProps {
  readonly hunts: HuntsLine;
  /** Version of the lake, and the time of the document. */
  readonly data: { readonly version: number; readonly now: string };
}

/** Lists that are always hunted, and what of the lake they have not seen. */
export function HuntLists({ hunts: { lists, version, pending, isOfLostHistory }, data }: HuntListsProps) {
  return (
    <>
      <Table
        label="Lists that are always hunted"
        rows={lists}
        columns={[
          { title: 'list', cell: ({ name }) => name },
          { title: 'values', right: true, cell: ({ indicators }) => countText(indicators) },
          { title: 'matches', right: true, cell: ({ matches }) => countText(matches) },
          { title: 'hosts', right: true, cell: ({ hosts }) => countText(hosts) },
          { title: 'newest found', cell: ({ foundAt }) => (foundAt === null ? '–' : ago(foundAt, data.now)) },
        ]}
      />
      {isOfLostHistory && <p class="soft small">Of a lost version {countText(version)} of the lake</p>}
      {version < data.version && <p class="soft small">Looked at up to version {countText(version)}</p>}
      {pending > 0 && <p class="soft small">{nounText(pending, 'file')} could not be looked at</p>}
    </>
  );
}
