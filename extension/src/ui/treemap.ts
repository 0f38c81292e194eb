/**
 * What weighs what in an image: the squarified treemap of Bruls, Huizing and van Wijk (2000), as in
 * ekiben/treemap.py. Hatched is what the service never imported.
 */
import { t } from '../words';
import type { Image, Part } from '../wire';
import { h, s, type Child } from './dom';
import { bytes } from './format';

interface Box {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

const ROOM: Box = { x: 0, y: 0, w: 640, h: 260 };

/** Parts beyond these are drawn together. */
const SHOWN = 40;

let pictures = 0;

/** The picture with what may be dropped under it; null where the parts of the image are not known. */
export function treemap(image: Pick<Image, 'parts'>): HTMLElement | null {
  const parts = grouped(image.parts);
  if (parts.length === 0) {
    return null;
  }
  pictures += 1;
  const hatch = `ek-hatch-${pictures}`;
  const boxes = squarify(
    parts.map(part => part.bytes),
    ROOM
  );
  const label = t('What weighs what in the image: {names}', { names: parts.slice(0, 5).map(title).join(', ') });
  return h(
    'figure',
    { class: 'ek-treemap' },
    s(
      'svg',
      { role: 'img', 'aria-label': label, viewBox: `0 0 ${ROOM.w} ${ROOM.h}` },
      s(
        'defs',
        {},
        s(
          'pattern',
          { id: hatch, width: 6, height: 6, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' },
          s('rect', { width: 2, height: 6, class: 'ek-hatch' })
        )
      ),
      parts.map((part, index) => one(part, boxes[index] ?? ROOM, hatch))
    ),
    h('figcaption', {}, legend(image.parts), unused(image.parts))
  );
}

/** One rectangle a weight, in order; the weights descend and areas are in their ratio. */
export function squarify(weights: readonly number[], room: Box): Box[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const boxes: Box[] = [];
  let areas = total > 0 ? weights.map(weight => (weight * room.w * room.h) / total) : [];
  while (areas.length > 0) {
    const side = Math.min(room.w, room.h);
    let count = 1;
    while (count < areas.length && worst(areas.slice(0, count + 1), side) <= worst(areas.slice(0, count), side)) {
      count += 1;
    }
    const row = areas.slice(0, count);
    areas = areas.slice(count);
    const thick = side > 0 ? row.reduce((sum, area) => sum + area, 0) / side : 0;
    const upright = room.w >= room.h;
    let along = 0;
    for (const area of row) {
      const length = thick > 0 ? area / thick : 0;
      boxes.push(
        upright
          ? { x: room.x, y: room.y + along, w: thick, h: length }
          : { x: room.x + along, y: room.y, w: length, h: thick }
      );
      along += length;
    }
    room = upright
      ? { ...room, x: room.x + thick, w: Math.max(room.w - thick, 0) }
      : { ...room, y: room.y + thick, h: Math.max(room.h - thick, 0) };
  }
  return boxes;
}

/** The largest ratio of sides in a row that is laid along `side`. */
function worst(row: readonly number[], side: number): number {
  const total = row.reduce((sum, area) => sum + area, 0);
  if (total === 0 || side === 0) {
    return Infinity;
  }
  return Math.max((side ** 2 * Math.max(...row)) / total ** 2, total ** 2 / (side ** 2 * Math.min(...row)));
}

function grouped(parts: readonly Part[]): Part[] {
  const heavy = parts.filter(part => part.bytes > 0).sort((a, b) => b.bytes - a.bytes);
  const rest = heavy.slice(SHOWN);
  if (rest.length < 2) {
    return heavy;
  }
  const many: Part = {
    name: t('{n} smaller parts', { n: rest.length }),
    kind: 'other',
    bytes: rest.reduce((sum, part) => sum + part.bytes, 0),
    version: '',
    imported: null
  };
  return [...heavy.slice(0, SHOWN), many].sort((a, b) => b.bytes - a.bytes);
}

function title(part: Part): string {
  const told = `${part.name} ${part.version}`.trim() + ` · ${bytes(part.bytes)}`;
  return part.imported === false ? `${told} · ${t('never imported')}` : told;
}

function one(part: Part, box: Box, hatch: string): SVGElement {
  const place = { x: box.x + 0.5, y: box.y + 0.5, width: Math.max(box.w - 1, 0.1), height: Math.max(box.h - 1, 0.1) };
  const letters = Math.floor((box.w - 8) / 6.6);
  const shown = letters >= 3 && box.h >= 16;
  const text = (words: string, down: number) =>
    s(
      'text',
      { x: box.x + 4, y: box.y + down },
      cut(words, letters)
    );
  return s(
    'g',
    {},
    s('title', {}, title(part)),
    s('rect', { ...place, class: `ek-part ek-part-${part.kind}` }),
    part.imported === false && s('rect', { ...place, fill: `url(#${hatch})` }),
    shown && text(part.name.slice(part.name.lastIndexOf('/') + 1), 13),
    shown && box.h >= 30 && text(bytes(part.bytes), 26)
  );
}

/** The words in at most `places` places; a Chinese character takes two. */
function cut(words: string, places: number): string {
  const wide = (text: string) => [...text].reduce((sum, letter) => sum + (letter > '\u2e7f' ? 2 : 1), 0);
  if (wide(words) <= places) {
    return words;
  }
  let kept = [...words];
  while (kept.length > 0 && wide(kept.join('')) > places - 1) {
    kept = kept.slice(0, -1);
  }
  return `${kept.join('')}…`;
}

function legend(parts: readonly Part[]): Child {
  const words: readonly (readonly [string, string])[] = [
    ['base', t('base image')],
    ['package', t('package')],
    ['code', t('code')],
    ['model', t('model')]
  ];
  const kinds = words.filter(([kind]) => parts.some(part => part.kind === kind));
  return h(
    'span',
    { class: 'ek-legend' },
    kinds.map(([kind, word]) => h('span', { class: `ek-key ek-key-${kind}` }, word)),
    parts.some(part => part.imported === false) && h('span', { class: 'ek-key ek-key-idle' }, t('never imported'))
  );
}

/** Candidates only: another route, or other rows, may need them. */
function unused(parts: readonly Part[]): Child {
  const idle = parts.filter(part => part.imported === false).sort((a, b) => b.bytes - a.bytes);
  if (idle.length === 0) {
    return null;
  }
  const all = idle.reduce((sum, part) => sum + part.bytes, 0);
  return h(
    'details',
    { class: 'ek-fold', 'data-key': 'idle' },
    h('summary', {}, t('{n} packages were never imported while it was proven ({size})', { n: idle.length, size: bytes(all) })),
    h('p', { class: 'ek-dim' }, t('Candidates to drop: other routes or other rows may need them.')),
    h(
      'ul',
      { class: 'ek-idle' },
      idle.map(part => h('li', {}, h('span', {}, `${part.name} ${part.version}`), h('span', {}, bytes(part.bytes))))
    )
  );
}
