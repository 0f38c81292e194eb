/** MODELS IN THIS NOTEBOOK: what the kernel holds, and one click to wrap it. */
import { plural, t } from '../words';
import type { BoxVariable, ModelVariable, SampleVariable, Server } from '../wire';
import type { WrapChoices } from '../cells';
import type { Look } from '../kernel';
import { button, copyButton, h, type Child } from './dom';
import { address } from './address';
import { problem, section } from './section';

/** The command that mends a kernel without ekiben. */
export const INSTALL = '%pip install ekiben';

/** What the section lets the person do. */
export interface ModelActions {
  look(): void;
  wrap(model: ModelVariable, sample: string, choices: WrapChoices): void;
  show(box: BoxVariable): void;
  serve(box: BoxVariable): void;
  build(box: BoxVariable, reference: string): void;
  insert(code: string): void;
}

/** What the section shows; `reference` proposes the name of an image. */
export interface ModelsView {
  readonly look: Look;
  readonly servers: readonly Server[];
  readonly reference: (box: BoxVariable) => string;
  readonly act: ModelActions;
}

/** The section. */
export function modelsSection(view: ModelsView): HTMLElement {
  const again = button('⟳', () => view.act.look(), {
    kind: 'quiet',
    key: 'look',
    title: t('Look again'),
    name: t('Look again')
  });
  return section('models', t('Models in this notebook'), view.look.state === 'none' ? null : again, body(view));
}

function body(view: ModelsView): Child {
  const look = view.look;
  switch (look.state) {
    case 'none':
      return empty(t('Open a notebook and train a model: it appears here.'));
    case 'waiting':
      return empty(t('Looking …'));
    case 'no-kernel':
      return empty(t('This notebook has no running kernel. Start one with the kernel’s name at the top right.'));
    case 'busy':
      return empty(t('A cell runs; the list follows when it is done.'));
    case 'language':
      return empty(t('This kernel speaks {language}. Ekiben wraps models of Python kernels.', { language: look.name }));
    case 'failed':
      return problem(t('The look into the kernel failed: {error}', { error: look.message }), '');
    case 'missing':
      return missing(view.act);
    case 'ready': {
      const { models, boxes } = look.snapshot;
      return [
        models.length === 0
          ? empty(t('No model yet. Fit one in a cell: it appears here.'))
          : h('ul', { class: 'ek-list' }, models.map(model => modelRow(model, view.act))),
        boxes.length > 0 && h('h4', { class: 'ek-heading' }, t('Wrapped')),
        boxes.length > 0 && h('ul', { class: 'ek-list' }, boxes.map(box => boxRow(box, view)))
      ];
    }
  }
}

function empty(text: string): HTMLElement {
  return h('p', { class: 'ek-empty' }, text);
}

function missing(act: ModelActions): HTMLElement {
  return h(
    'div',
    { class: 'ek-missing-kernel', role: 'alert' },
    h('p', {}, t('This notebook’s kernel has no ekiben. Run this in a cell:')),
    h('pre', { tabindex: 0 }, INSTALL),
    h(
      'div',
      { class: 'ek-actions' },
      button(t('Insert the cell'), () => act.insert(INSTALL), { kind: 'primary', key: 'insert-install' }),
      copyButton(t('Copy'), t('Copied'), () => INSTALL, 'copy-install')
    )
  );
}

function modelRow(model: ModelVariable, act: ModelActions): HTMLElement {
  const sample = model.samples[0];
  const reason = model.part_of ? t('part of {model}', { model: model.part_of }) : model.problem;
  const greyed = reason !== '' || !sample;
  const name = h('code', { class: 'ek-variable' }, model.name);
  if (greyed) {
    return h(
      'li',
      { class: 'ek-row ek-greyed', 'data-model': model.name },
      h(
        'div',
        { class: 'ek-row-head' },
        name,
        h('span', { class: 'ek-ellipsis', title: model.type }, model.type),
        h('span', { class: 'ek-reason', title: reason }, reason)
      ),
      model.remedy && h('p', { class: 'ek-remedy' }, model.remedy)
    );
  }
  const head = h('div', { class: 'ek-row-head' }, name, h('span', { class: 'ek-dim ek-type' }, model.type));
  const form = wrapForm(model);
  // What is wrapped already may have been fitted anew: it can be wrapped again, but asks less loudly.
  const wrap = button(model.box ? t('Wrap again') : t('Wrap'), () => act.wrap(model, form.sample(), form.choices()), {
    ...(model.box ? {} : { kind: 'primary' as const }),
    key: `wrap-${model.name}`,
    name: t('Wrap {model} with {sample}', { model: model.name, sample: sample.name }),
    title: t('Inserts the cell that wraps it, and runs it')
  });
  wrap.classList.add('ek-wrap');
  return h(
    'li',
    { class: 'ek-row', 'data-model': model.name },
    head,
    h('p', { class: 'ek-detail' }, h('code', {}, sample.name), ' · ', size(sample)),
    h('div', { class: 'ek-row-act' }, form.node, wrap)
  );
}

/** The optional form behind ▾: another sample, another name, strictness. */
function wrapForm(model: ModelVariable): {
  node: HTMLElement;
  sample: () => string;
  choices: () => WrapChoices;
} {
  const key = (part: string) => `${part}-${model.name}`;
  const sample = h(
    'select',
    { class: 'ek-input', id: `ek-${key('sample')}`, 'data-key': key('sample') },
    model.samples.map(each => h('option', { value: each.name }, `${each.name} · ${size(each)}`))
  );
  const name = h('input', {
    type: 'text',
    class: 'ek-input',
    id: `ek-${key('name')}`,
    'data-key': key('name'),
    placeholder: model.name.toLowerCase(),
    spellcheck: 'false'
  });
  const unseen = h(
    'select',
    { class: 'ek-input', id: `ek-${key('unseen')}`, 'data-key': key('unseen') },
    h('option', { value: '' }, t('refused')),
    h('option', { value: 'warn' }, t('answered with a warning')),
    h('option', { value: 'accept' }, t('accepted'))
  );
  const field = (label: string, input: HTMLElement) => [h('label', { for: input.id }, label), input];
  return {
    node: h(
      'details',
      { class: 'ek-fold ek-options', 'data-key': key('options') },
      h(
        'summary',
        { title: t('Another sample, name or strictness'), 'aria-label': t('Options of {name}', { name: model.name }) },
        t('Options')
      ),
      h(
        'div',
        { class: 'ek-grid' },
        field(t('Sample'), sample),
        field(t('Name'), name),
        field(t('Unseen categories'), unseen)
      )
    ),
    sample: () => sample.value,
    choices: () => ({ name: name.value.trim(), unseen: unseen.value })
  };
}

function size(sample: SampleVariable): string {
  return t('{rows} × {columns}', {
    rows: plural(sample.rows, '1 row', '{n} rows'),
    columns: plural(sample.columns, '1 column', '{n} columns')
  });
}

function boxRow(box: BoxVariable, view: ModelsView): HTMLElement {
  const running = view.servers.find(server => server.model === box.model && server.state === 'ready');
  const reference = h('input', {
    type: 'text',
    class: 'ek-input',
    id: `ek-reference-${box.name}`,
    'data-key': `reference-${box.name}`,
    value: view.reference(box),
    spellcheck: 'false'
  });
  const build = (event?: Event) => {
    event?.preventDefault();
    view.act.build(box, reference.value.trim());
  };
  return h(
    'li',
    { class: 'ek-row', 'data-box': box.name },
    h(
      'div',
      { class: 'ek-row-head' },
      h('code', { class: 'ek-variable' }, box.name),
      h('span', { class: 'ek-dim ek-type', title: box.estimator }, box.model)
    ),
    h(
      'div',
      { class: 'ek-actions' },
      running
        ? h('span', { class: 'ek-state ek-ready' }, `● ${t('ready')} `, address(running, box.name))
        : button(t('Serve'), () => view.act.serve(box), {
            key: `serve-${box.name}`,
            name: t('Serve {name}', { name: box.name })
          }),
      button(t('Show card'), () => view.act.show(box), {
        key: `show-${box.name}`,
        name: t('Show card of {name}', { name: box.name })
      })
    ),
    h(
      'details',
      { class: 'ek-fold', 'data-key': `build-${box.name}` },
      h('summary', { 'aria-label': t('Build image of {name}', { name: box.name }) }, t('Build image …')),
      h(
        'form',
        { class: 'ek-inline', onsubmit: build },
        h('label', { for: reference.id }, t('Image')),
        reference,
        h('button', { type: 'submit', class: 'ek-button ek-primary' }, t('Build'))
      )
    )
  );
}
