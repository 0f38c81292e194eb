/** Code: the same prediction from elsewhere, and the project's own files. */
import { t } from '../words';
import type { Json, Model } from '../wire';
import { copyButton, h } from './dom';
import { protocols } from './protocols';
import { curl, javascript, PLACEHOLDER, python } from './snippets';

const RUNTIME = 'runtime/';

/** Snippets that send the model's first golden row to `url` (null while none runs), and the files behind it. */
export function codeTab(
  url: string | null,
  model: Model,
  files: Readonly<Record<string, string>>
): HTMLElement {
  const row: Json = model.contract.golden.rows[0] ?? {};
  const at = url ?? PLACEHOLDER;
  const paths = Object.keys(files).sort();
  const travels = paths.filter(path => path.startsWith(RUNTIME));
  return h(
    'div',
    {},
    url === null && h('p', { class: 'ek-dim' }, t('No service runs: PORT stands for the port that it will have.')),
    snippet('curl', curl(at, row)),
    snippet('Python', python(at, row)),
    snippet('JavaScript', javascript(at, row)),
    h(
      'details',
      { class: 'ek-fold', 'data-key': 'protocols' },
      h('summary', {}, t('In other protocols')),
      protocols(at, model.name, model.contract, row).map(([title, text]) => snippet(title, text))
    ),
    paths.length > 0 && h('h4', { class: 'ek-heading' }, t('Files of the project')),
    paths.filter(path => !path.startsWith(RUNTIME)).map(path => file(path, files)),
    travels.length > 0 &&
      h(
        'details',
        { class: 'ek-fold', 'data-key': 'runtime' },
        h('summary', {}, h('code', {}, RUNTIME), ' ', t('what every service of ekiben brings along')),
        h('div', { class: 'ek-inside' }, travels.map(path => file(path, files)))
      )
  );
}

function file(path: string, files: Readonly<Record<string, string>>): HTMLElement {
  return h(
    'details',
    { class: 'ek-fold', 'data-key': `file-${path}` },
    h('summary', {}, h('code', {}, path)),
    snippet(path, files[path] ?? '')
  );
}

function snippet(title: string, text: string): HTMLElement {
  return h(
    'figure',
    { class: 'ek-snippet' },
    h('figcaption', {}, title, copyButton(t('Copy'), t('Copied'), () => text)),
    h('pre', { tabindex: 0, 'aria-label': title }, h('code', {}, text))
  );
}
