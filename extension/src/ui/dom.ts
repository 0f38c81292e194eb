/** The few DOM helpers that the whole front end is made of. */

/** What may stand inside an element. */
export type Child = Node | string | null | undefined | false | readonly Child[];

type Handler = (event: Event) => void;

/** Attributes by name; `true` sets an empty one, `null` and `false` leave it out; `onclick` etc. listen. */
export type Props = Readonly<Record<string, string | number | boolean | null | undefined | Handler>>;

/** Makes an element. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  setProps(element, props);
  append(element, children);
  return element;
}

/** Makes an SVG element. */
export function s(tag: string, props: Props = {}, ...children: Child[]): SVGElement {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  setProps(element, props);
  append(element, children);
  return element;
}

function setProps(element: Element, props: Props): void {
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === 'function') {
      element.addEventListener(name.slice(2), value);
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? '' : String(value));
    }
  }
}

function append(element: Element, children: readonly Child[]): void {
  for (const child of children) {
    if (Array.isArray(child)) {
      append(element, child);
    } else if (child !== null && child !== undefined && child !== false) {
      element.append(child as Node | string);
    }
  }
}

/**
 * Replaces the children of `host`. What the person was doing stays: focus, what was typed and chosen,
 * and the open folds are carried over to the elements with the same `data-key`.
 */
export function swap(host: Element, ...children: Child[]): void {
  const active = document.activeElement;
  const focused = active && host.contains(active) ? active.getAttribute('data-key') : null;
  const folds = new Map<string, boolean>();
  const typed = new Map<string, string>();
  for (const [key, element] of keyed(host)) {
    if (element instanceof HTMLDetailsElement) {
      folds.set(key, element.open);
    } else if (element instanceof HTMLInputElement ? element.value !== element.defaultValue : isSelect(element)) {
      typed.set(key, (element as HTMLInputElement | HTMLSelectElement).value);
    }
  }
  host.replaceChildren();
  append(host, children);
  for (const [key, element] of keyed(host)) {
    const value = typed.get(key);
    if (element instanceof HTMLDetailsElement) {
      element.open = folds.get(key) ?? element.open;
    } else if (element instanceof HTMLInputElement && value !== undefined) {
      element.value = value;
    } else if (isSelect(element) && [...element.options].some(option => option.value === value)) {
      element.value = value ?? '';
    }
    if (key === focused) {
      element.focus({ preventScroll: true });
    }
  }
}

function keyed(host: Element): [string, HTMLElement][] {
  return [...host.querySelectorAll<HTMLElement>('[data-key]')].map(each => [each.dataset['key'] ?? '', each]);
}

function isSelect(element: HTMLElement): element is HTMLSelectElement {
  return element instanceof HTMLSelectElement;
}

/** A button of ours. `kind` is `primary` for the one that matters most in its place. */
export function button(
  label: string,
  act: () => void,
  options: { kind?: 'primary' | 'quiet'; title?: string; key?: string; disabled?: boolean; name?: string } = {}
): HTMLButtonElement {
  return h(
    'button',
    {
      type: 'button',
      class: `ek-button${options.kind ? ` ek-${options.kind}` : ''}`,
      title: options.title,
      'aria-label': options.name,
      'data-key': options.key,
      disabled: options.disabled,
      onclick: act
    },
    label
  );
}

/** Esc inside an open fold of `host` closes it, and focus comes back to what opened it. */
export function escapes(host: HTMLElement): void {
  host.addEventListener('keydown', event => {
    const fold = event.key === 'Escape' && event.target instanceof Element && event.target.closest('details[open]');
    if (fold instanceof HTMLDetailsElement) {
      event.stopPropagation();
      fold.open = false;
      fold.querySelector('summary')?.focus();
    }
  });
}

/** A button that copies `text()` and says so on itself; `name` tells it from its like. */
export function copyButton(
  label: string,
  done: string,
  text: () => string | Promise<string>,
  key?: string,
  name?: string
): HTMLElement {
  const made = button(
    label,
    () => {
      void Promise.resolve(text())
        .then(copy)
        .then(() => {
          made.textContent = done;
          made.removeAttribute('aria-label');
          window.setTimeout(() => {
            made.textContent = label;
            if (name !== undefined) {
              made.setAttribute('aria-label', name);
            }
          }, 1600);
        });
    },
    { kind: 'quiet', ...(key === undefined ? {} : { key }), ...(name === undefined ? {} : { name }) }
  );
  made.setAttribute('aria-live', 'polite');
  return made;
}

/** Puts `text` on the clipboard, also on pages that browsers do not call secure. */
export async function copy(text: string): Promise<void> {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = h('textarea', { class: 'ek-offscreen' });
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}
