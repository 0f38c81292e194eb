/** Code: the same prediction from elsewhere, and the project's own files. */
import { t } from '../words';
import type { Json } from '../wire';
import { copyButton, h } from './dom';
import { curl, javascript, PLACEHOLDER, python } from './snippets';

/** Snippets that send `row` to the service at `url` (null while none runs), and the files behind it. */
export function codeTab(url: string | null, row: Json, files: Readonly<Record<string, string>>): HTMLElement {
  const at = url ?? PLACEHOLDER;
  const paths = Object.keys(files).sort();
  return h(
    'div',
    {},
    url === null && h('p', { class: 'ek-dim' }, t('No service runs: PORT stands for the port that it will have.')),
    snippet('curl', curl(at, row)),
    snippet('Python', python(at, row)),
    snippet('JavaScript', javascript(at, row)),
    paths.length > 0 && h('h4', { class: 'ek-heading' }, t('Files of the project')),
    paths.map(path =>
      h(
        'details',
        { class: 'ek-fold', 'data-key': `file-${path}` },
        h('summary', {}, h('code', {}, path)),
        snippet(path, files[path] ?? '')
      )
    )
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
