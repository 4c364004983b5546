import { nounText } from '@edrlake/core/quantities';
import { useEffect, useState } from 'preact/hooks';
import type { QuestionsDocument } from '../../../src/documents/documents.ts';
import { useLoaded } from '../api.ts';
import { linkTo } from '../ask-link.ts';
import { onSavedElsewhere, readSaved, type SavedQuestion, withSaved, writeSaved } from '../saved-questions.ts';

/** The longest name; more is no name. */
const NAME_LENGTH = 80;

interface QuestionsProps {
  /** What would be saved. */
  readonly sql: string;
  /** Asks it. */
  readonly onChoose: (sql: string) => void;
  /** Shows it without asking. */
  readonly onShow: (sql: string) => void;
}

/** Questions that were saved in this browser, and those that come with the lake. The server keeps none. */
export function Questions({ sql, onChoose, onShow }: QuestionsProps) {
  const [saved, setSaved] = useState(readSaved);
  const [said, setSaid] = useState<{ readonly text: string; readonly before: SavedQuestion[] | null } | null>(null);
  const { data } = useLoaded<QuestionsDocument>('/api/questions', 0);
  useEffect(() => onSavedElsewhere(() => setSaved(readSaved())), []);
  /** Begins with what is there now: another tab may have saved something since. */
  const change = (text: string, apply: (before: SavedQuestion[]) => SavedQuestion[], canUndo: boolean) => {
    const before = readSaved();
    try {
      const after = apply(before);
      writeSaved(after);
      setSaved(after);
      setSaid({ text, before: canUndo ? before : null });
    } catch (thrown) {
      setSaid({ text: `Not saved. ${thrown instanceof Error ? thrown.message : ''}`, before: null });
    }
  };
  const remove = (name: string) =>
    change(`“${name}” was deleted.`, (before) => before.filter((each) => each.name !== name), true);
  return (
    <section class="card questions" aria-labelledby="questions">
      <h2 id="questions">Saved questions</h2>
      <SaveForm
        isEmpty={sql.trim() === ''}
        knows={(name) => saved.some((each) => each.name === name)}
        onSave={(name) => change(`“${name}” is saved.`, (before) => withSaved(before, { name, sql }), false)}
      />
      <p role="status" class="small">
        {said?.text}
        {said?.before && (
          <button type="button" class="quiet" onClick={() => change('It is back.', () => said.before ?? [], false)}>
            Undo
          </button>
        )}
      </p>
      {saved.length > 0 && (
        <ul aria-label="Saved in this browser">
          {saved.map((question) => (
            <li key={question.name}>
              <Choose question={question} onChoose={onChoose} />
              <LinkTo question={question} onShow={onShow} />
              <button type="button" aria-label={`Delete ${question.name}`} onClick={() => remove(question.name)}>
                Delete
              </button>
            </li>
          ))}
        </ul>
      )}
      {data !== null && data.questions.length > 0 && <OfLake data={data} onChoose={onChoose} onShow={onShow} />}
    </section>
  );
}

function Choose({ question, onChoose }: { question: SavedQuestion; onChoose: (sql: string) => void }) {
  return (
    <button type="button" class="link" title={question.sql} onClick={() => onChoose(question.sql)}>
      {question.name}
    </button>
  );
}

/** The address alone may be the one that the view was opened with, so the question is set as well. */
function LinkTo({ question, onShow }: { question: SavedQuestion; onShow: (sql: string) => void }) {
  return (
    <a href={linkTo(question.sql)} onClick={() => onShow(question.sql)}>
      Link<span class="hidden-text"> to {question.name}</span>
    </a>
  );
}

interface SaveFormProps {
  readonly isEmpty: boolean;
  readonly knows: (name: string) => boolean;
  readonly onSave: (name: string) => void;
}

function SaveForm({ isEmpty, knows, onSave }: SaveFormProps) {
  const [name, setName] = useState('');
  const wanted = name.trim();
  return (
    <form
      class="row"
      onSubmit={(event) => {
        event.preventDefault();
        if (wanted === '' || isEmpty) return;
        onSave(wanted);
        setName('');
      }}
    >
      <label class="grow">
        <span class="hidden-text">Name for the question above</span>
        <input
          type="text"
          value={name}
          maxLength={NAME_LENGTH}
          placeholder="Name for the question above"
          autocomplete="off"
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </label>
      <button type="submit" disabled={wanted === '' || isEmpty}>
        {knows(wanted) ? 'Replace' : 'Save'}
      </button>
      <span class="soft small">kept in this browser only</span>
    </form>
  );
}

interface OfLakeProps extends Omit<QuestionsProps, 'sql'> {
  readonly data: QuestionsDocument;
}

function OfLake({ data, onChoose, onShow }: OfLakeProps) {
  return (
    <>
      <h3>With this lake</h3>
      <ul aria-label="Questions that come with this lake">
        {data.questions.map((question) => (
          <li key={question.name}>
            <div>
              <Choose question={question} onChoose={onChoose} />
              {question.about !== null && <div class="soft small">{question.about}</div>}
            </div>
            <LinkTo question={question} onShow={onShow} />
          </li>
        ))}
      </ul>
      {data.left > 0 && <p class="soft small">{nounText(data.left, 'file')} could not be taken as a question</p>}
    </>
  );
}
