/** Code that sends a row to a service: text only, so that it can be checked without a page. */
import type { Json } from '../wire';

/** Where a service will answer that does not run yet. */
export const PLACEHOLDER = 'http://127.0.0.1:PORT';

/** One `curl` command for a POSIX shell. */
export function curl(url: string, row: Json): string {
  const body = JSON.stringify({ rows: [row] }).replaceAll("'", `'\\''`);
  return `curl -sS ${url}/predict \\\n  -H 'Content-Type: application/json' \\\n  -d '${body}'`;
}

/** Python with nothing but the standard library. */
export function python(url: string, row: Json): string {
  return [
    'import json',
    'from urllib.request import Request, urlopen',
    '',
    `rows = ${literal([row])}`,
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
  return [
    `const response = await fetch('${url}/predict', {`,
    "  method: 'POST',",
    "  headers: { 'Content-Type': 'application/json' },",
    `  body: JSON.stringify({ rows: [${JSON.stringify(row)}] })`,
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
