/** The code of the cells that clicks insert: text only, so that it can be checked without a notebook. */

/** What the form behind ▾ may choose; what is left out is left to ekiben. */
export interface WrapChoices {
  readonly name?: string;
  readonly unseen?: string;
}

/** The name of the box for a model: `box`, or one of its own where `box` is another model's already. */
export function boxName(model: string, taken: readonly string[], own: string | null): string {
  return own ?? (taken.includes('box') ? `${model}_box` : 'box');
}

/** Wraps a model; the last line shows the card. */
export function wrapCell(
  model: string,
  sample: string,
  box: string,
  imported: boolean,
  choices: WrapChoices = {}
): string {
  const options = Object.entries(choices)
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([key, value]) => `, ${key}=${JSON.stringify(value)}`)
    .join('');
  const lines = [`${box} = ekiben.wrap(${model}, ${sample}${options})`, box];
  return (imported ? lines : ['import ekiben', '', ...lines]).join('\n');
}

/** Starts the service of a box. */
export function serveCell(box: string): string {
  return `${sibling(box, 'server')} = ${box}.serve()`;
}

/** Takes any text in a field that the sample had only some values of. */
export function textCell(box: string, field: string): string {
  return `${box}.contract.field(${JSON.stringify(field)}).text()`;
}

/** Builds the image of a box. */
export function buildCell(box: string, reference: string): string {
  return `${sibling(box, 'image')} = ${box}.build(${JSON.stringify(reference)})`;
}

/** The first `name:n` that no image has yet. */
export function nextReference(model: string, images: readonly string[]): string {
  const name = model.split(':')[0] ?? model;
  let n = 1;
  while (images.some(image => image.replace(/^localhost\//, '') === `${name}:${n}`)) {
    n += 1;
  }
  return `${name}:${n}`;
}

/** `server` for `box`, `clf_server` for `clf_box`. */
function sibling(box: string, noun: string): string {
  if (!/^\w+$/.test(box)) {
    return noun;
  }
  const stem = box.replace(/_?box$/, '');
  return stem === '' ? noun : `${stem}_${noun}`;
}
