/** Code that sends a row to a service: text only, so that it can be checked without a page. */
import type { Json } from '../wire';

/** Where a service will answer that does not run yet. */
export const PLACEHOLDER = 'http://127.0.0.1:PORT';

/** Stands for the base64 of an image file. */
const FILE = '<image.png>';

/** The row with `FILE` in place of each image: a photograph is no text to copy. */
export function unfiled(row: Json): Json {
  if (row === null || typeof row !== 'object' || Array.isArray(row)) {
    return row;
  }
  const entries = Object.entries(row) as [string, Json][];
  return entries.length === 1 && entries[0]?.[0] === 'b64'
    ? { b64: FILE }
    : Object.fromEntries(entries.map(([name, value]) => [name, unfiled(value)]));
}

/** One `curl` command for a POSIX shell. */
export function curl(url: string, row: Json): string {
  return command(`${url}/predict`, { rows: [unfiled(row)] });
}

/** The command that sends a body to `address`; an image in it is read from a file. */
export function command(address: string, content: Json): string {
  const body = JSON.stringify(content).replaceAll("'", `'\\''`);
  const head = `curl -sS ${address} \\\n  -H 'Content-Type: application/json' \\\n  -d`;
  if (body.includes(FILE)) {
    const parts = body.split(FILE).map(part => `printf %s '${part}'`);
    return `(${parts.join(`; base64 < image.png | tr -d '\\n'; `)}) |\n  ${head} @-`;
  }
  return `${head} '${body}'`;
}

/** Python with nothing but the standard library. */
export function python(url: string, row: Json): string {
  const rows = literal([unfiled(row)]);
  const images = rows.includes(FILE);
  return [
    ...(images ? ['import base64'] : []),
    'import json',
    ...(images ? ['from pathlib import Path'] : []),
    'from urllib.request import Request, urlopen',
    '',
    ...(images ? ['image = base64.b64encode(Path("image.png").read_bytes()).decode()'] : []),
    `rows = ${rows.replaceAll(JSON.stringify(FILE), 'image')}`,
    'request = Request(',
    `    "${url}/predict",`,
    '    data=json.dumps({"rows": rows}).encode(),',
    '    headers={"Content-Type": "application/json"},',
    ')',
    'with urlopen(request) as response:',
    '    print(json.load(response)["predictions"])'
  ].join('\n');
}

/** JavaScript for a browser or Node. */
export function javascript(url: string, row: Json): string {
  const rows = JSON.stringify(unfiled(row));
  const images = rows.includes(FILE);
  return [
    ...(images
      ? [
          '// `file` is what an <input type="file"> gives, in Node `await fs.openAsBlob("image.png")`.',
          'const bytes = Array.from(new Uint8Array(await file.arrayBuffer()));',
          "const image = btoa(bytes.map(byte => String.fromCharCode(byte)).join(''));"
        ]
      : []),
    `const response = await fetch('${url}/predict', {`,
    "  method: 'POST',",
    "  headers: { 'Content-Type': 'application/json' },",
    `  body: JSON.stringify({ rows: [${rows.replaceAll(JSON.stringify(FILE), 'image')}] })`,
    '});',
    'console.log((await response.json()).predictions);'
  ].join('\n');
}

/** A JSON value as a Python literal. */
function literal(value: Json): string {
  if (value === null) {
    return 'None';
  }
  if (typeof value === 'boolean') {
    return value ? 'True' : 'False';
  }
  if (Array.isArray(value)) {
    return `[${(value as readonly Json[]).map(literal).join(', ')}]`;
  }
  if (typeof value === 'object') {
    return `{${Object.entries(value)
      .map(([key, item]) => `${JSON.stringify(key)}: ${literal(item as Json)}`)
      .join(', ')}}`;
  }
  return JSON.stringify(value);
}
