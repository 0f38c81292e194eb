/** The control of an image: a file dropped, chosen or pasted, shown small. */
import { t } from '../words';
import type { Field, Json } from '../wire';
import type { Control } from './controls';
import { h } from './dom';

const FORMATS = 'image/png,image/jpeg,image/webp';

/** Takes an image file as it is: the service says what it cannot take of it. */
export function picture(field: Field, id: string, changed: () => void): Control {
  let value: Json | undefined;
  const thumb = h('img', { class: 'ek-thumb', alt: '' });
  const told = h('span', { class: 'ek-dim' });
  const input = h('input', { type: 'file', id, class: 'ek-file', accept: FORMATS, onchange: chosen });
  const zone = h(
    'label',
    { class: 'ek-drop', for: id, ondragover: over, ondragleave: left, ondrop: dropped, onpaste: pasted },
    thumb,
    h('span', { class: 'ek-drop-words' }, h('span', {}, t('Drop an image here, or choose a file')), told),
    input
  );
  thumb.addEventListener('load', () => {
    told.textContent = t('{width} × {height} pixels', { width: thumb.naturalWidth, height: thumb.naturalHeight });
  });
  thumb.addEventListener('error', () => {
    told.textContent = t('The browser cannot show it.');
  });

  function show(text: string): void {
    value = { b64: text };
    thumb.hidden = false;
    thumb.src = `data:${kind(text)};base64,${text}`;
  }
  async function take(file: File | null | undefined): Promise<void> {
    if (file && !input.disabled) {
      show(await base64(file));
      changed();
    }
  }
  function chosen(): void {
    void take(input.files?.[0]);
  }
  function over(event: Event): void {
    event.preventDefault();
    event.stopPropagation();
    zone.classList.toggle('ek-over', !input.disabled);
  }
  function left(): void {
    zone.classList.remove('ek-over');
  }
  function dropped(event: Event): void {
    event.preventDefault();
    // JupyterLab would take the file for an upload.
    event.stopPropagation();
    left();
    void take((event as DragEvent).dataTransfer?.files[0]);
  }
  function pasted(event: Event): void {
    void take((event as ClipboardEvent).clipboardData?.files[0]);
  }
  thumb.hidden = true;
  return {
    node: h('div', { class: 'ek-control', title: t('an image: {modes}', { modes: field.modes.join(' / ') }) }, zone),
    value: () => value,
    set: row => {
      const text = row !== null && typeof row === 'object' && !Array.isArray(row) ? (row as { b64?: Json }).b64 : null;
      if (typeof text === 'string') {
        input.value = '';
        show(text);
      }
    },
    enable: enabled => {
      input.disabled = !enabled;
      zone.classList.toggle('ek-off', !enabled);
    }
  };
}

/** The media type that the first bytes tell. */
function kind(text: string): string {
  return text.startsWith('/9j/') ? 'image/jpeg' : text.startsWith('UklGR') ? 'image/webp' : 'image/png';
}

async function base64(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(text);
}
