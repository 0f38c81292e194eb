/** One control a kind of field; each reads and writes the value as it travels in a request. */
import { t } from '../words';
import type { Field, Json, Unseen } from '../wire';
import { h } from './dom';
import { number, text } from './format';
import { histogram } from './histogram';
import { picture } from './picture';

/** A control of the form. */
export interface Control {
  readonly node: HTMLElement;
  /** The value, or undefined while what was typed is not one. */
  value(): Json | undefined;
  set(value: Json): void;
  enable(enabled: boolean): void;
}

/** The control for `field`; `changed` is called whenever the person changes it. */
export function control(field: Field, unseen: Unseen, id: string, changed: () => void): Control {
  if (field.kind === 'image') {
    return picture(field, id, changed);
  }
  if (field.shape.length > 0) {
    return listed(field, id, changed);
  }
  switch (field.kind) {
    case 'number':
    case 'integer':
      return numeric(field, id, changed);
    case 'boolean':
      return boolean(id, changed);
    case 'category':
      return category(field, unseen, id, changed);
    case 'datetime':
      return datetime(field, id, changed);
    case 'text':
      return typed(h('textarea', { id, class: 'ek-input', rows: 1, oninput: changed }));
  }
}

function numeric(field: Field, id: string, changed: () => void): Control {
  const low = typeof field.minimum === 'number' ? field.minimum : null;
  const high = typeof field.maximum === 'number' ? field.maximum : null;
  const whole = field.kind === 'integer';
  const box = h('input', { type: 'number', id, class: 'ek-input ek-number', step: whole ? 1 : 'any', oninput: typed });
  const outside = h('span', { class: 'ek-outside', 'aria-live': 'polite' });
  let slider: HTMLInputElement | null = null;
  if (low !== null && high !== null && low < high) {
    slider = h('input', {
      type: 'range',
      class: 'ek-slider',
      min: low,
      max: high,
      step: whole ? Math.max(1, Math.round((high - low) / 400)) : stepOf(high - low),
      'aria-label': t('{name}, slider over the sample’s range', { name: field.name }),
      oninput: () => {
        box.value = slider?.value ?? '';
        look();
        changed();
      }
    });
  }
  function typed(): void {
    if (slider && box.value !== '') {
      slider.value = box.value;
    }
    look();
    changed();
  }
  function look(): void {
    const value = box.valueAsNumber;
    box.title = box.value;
    const out = low !== null && high !== null && (value < low || value > high);
    outside.textContent = out ? t('outside the sample: {low} – {high}', { low: number(low), high: number(high) }) : '';
    box.classList.toggle('ek-warn', out);
  }
  return {
    node: h(
      'div',
      { class: 'ek-control' },
      h('div', { class: 'ek-range' }, slider && histogram(field), slider),
      box,
      outside
    ),
    value: () => (Number.isFinite(box.valueAsNumber) ? box.valueAsNumber : undefined),
    set: value => {
      box.value = value === null ? '' : String(value);
      if (slider && value !== null) {
        slider.value = String(value);
      }
      look();
    },
    enable: enabled => disable([box, slider], !enabled)
  };
}

/** A round step of at least a 200th of `width`, so that the arrow keys move to round numbers. */
function stepOf(width: number): number {
  return Number(`1e${Math.floor(Math.log10(width / 100))}`);
}

function boolean(id: string, changed: () => void): Control {
  const word = h('span', {});
  const box = h('input', { type: 'checkbox', id, onchange: moved });
  function say(): void {
    word.textContent = box.checked ? t('yes') : t('no');
  }
  function moved(): void {
    say();
    changed();
  }
  say();
  return {
    node: h('label', { class: 'ek-control ek-check' }, box, word),
    value: () => box.checked,
    set: value => {
      box.checked = value === true;
      say();
    },
    enable: enabled => disable([box], !enabled)
  };
}

function category(field: Field, unseen: Unseen, id: string, changed: () => void): Control {
  const values = field.categories ?? [];
  const numbers = values.length > 0 && values.every(value => typeof value === 'number');
  const other = h('input', {
    type: 'text',
    class: 'ek-input',
    hidden: true,
    'aria-label': t('{name}, a value that the sample did not have', { name: field.name }),
    oninput: changed
  });
  const select = h(
    'select',
    { id, class: 'ek-input', onchange: moved },
    values.map((value, index) => h('option', { value: index }, text(value))),
    unseen !== 'reject' && h('option', { value: 'other' }, t('another value …'))
  );
  function moved(): void {
    other.hidden = select.value !== 'other';
    changed();
  }
  return {
    node: h('div', { class: 'ek-control' }, select, other),
    value: () => (select.value !== 'other' ? values[Number(select.value)] : numbers ? read(other.value) : other.value),
    set: value => {
      const index = values.indexOf(value);
      if (index < 0 && unseen !== 'reject') {
        select.value = 'other';
        other.value = text(value);
      } else {
        select.value = String(Math.max(index, 0));
      }
      other.hidden = select.value !== 'other';
    },
    enable: enabled => disable([select, other], !enabled)
  };
}

/** A typed number, or undefined while it is none. */
function read(typed: string): number | undefined {
  const value = typed.trim() === '' ? Number.NaN : Number(typed);
  return Number.isFinite(value) ? value : undefined;
}

function datetime(field: Field, id: string, changed: () => void): Control {
  // The browser's picker knows no time zones: values that carry one are typed as text.
  const zoned = /(Z|[+-]\d\d:?\d\d)$/.test(String(field.minimum ?? ''));
  if (zoned) {
    return typed(h('input', { type: 'text', id, class: 'ek-input', oninput: changed }));
  }
  const low = String(field.minimum ?? '').slice(0, 19);
  const high = String(field.maximum ?? '').slice(0, 19);
  const outside = h('span', { class: 'ek-outside', 'aria-live': 'polite' });
  const look = () => {
    // Times of one shape sort as text.
    const out = low !== '' && box.value !== '' && (box.value < low || box.value > high);
    outside.textContent = out ? t('outside the sample: {low} – {high}', { low, high }) : '';
    box.classList.toggle('ek-warn', out);
  };
  const box = h('input', { type: 'datetime-local', id, class: 'ek-input', step: 1, oninput: () => (look(), changed()) });
  return {
    node: h('div', { class: 'ek-control' }, box, outside),
    value: () => (box.value === '' ? undefined : box.value),
    set: value => {
      box.value = String(value ?? '').slice(0, 19);
      look();
    },
    enable: enabled => disable([box], !enabled)
  };
}

function typed(box: HTMLInputElement | HTMLTextAreaElement): Control {
  return {
    node: h('div', { class: 'ek-control' }, box),
    value: () => box.value,
    set: value => (box.value = value === null ? '' : String(value)),
    enable: enabled => disable([box], !enabled)
  };
}

/** A value of several numbers is typed as a JSON list. */
function listed(field: Field, id: string, changed: () => void): Control {
  const box = h('textarea', {
    id,
    class: 'ek-input',
    rows: 2,
    spellcheck: 'false',
    title: t('a JSON list of shape {shape}', { shape: field.shape.join(' × ') }),
    oninput: changed
  });
  return {
    node: h('div', { class: 'ek-control' }, box),
    value: () => {
      try {
        return JSON.parse(box.value) as Json;
      } catch (error) {
        if (error instanceof SyntaxError) {
          return undefined;
        }
        throw error;
      }
    },
    set: value => (box.value = JSON.stringify(value)),
    enable: enabled => disable([box], !enabled)
  };
}

function disable(elements: readonly (HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement | null)[], disabled: boolean): void {
  for (const element of elements) {
    if (element) {
      element.disabled = disabled;
    }
  }
}
