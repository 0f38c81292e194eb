/** The same row in other serving systems' protocols: text only, as `runtime/protocols/examples.py` has it. */
import type { Contract, Field, Json } from '../wire';
import { command, unfiled } from './snippets';

/** The name of the one tensor of an array model, as `runtime/protocols/described.py` has it. */
const ARRAY = 'input';

/** A command for each protocol that a service speaks besides its own. */
export function protocols(
  url: string,
  model: string,
  contract: Contract,
  golden: Json
): readonly (readonly [string, string])[] {
  const row = unfiled(golden);
  const table = contract.input === 'table' || contract.input === 'records';
  const inputs = tensors(contract, row, table);
  return [
    ['TensorFlow Serving, KServe V1', command(`${url}/v1/models/${model}:predict`, { instances: [row] })],
    ['Open Inference Protocol V2', command(`${url}/v2/models/${model}/infer`, { inputs })],
    ['MLflow, SageMaker', command(`${url}/invocations`, { [table ? 'dataframe_records' : 'instances']: [row] })],
    ['gRPC', grpc(url, model, contract, inputs)]
  ];
}

/** The tensors of one row. */
function tensors(contract: Contract, row: Json, table: boolean): Json[] {
  if (table) {
    const values = row as Readonly<Record<string, Json>>;
    return contract.inputs.map(field => tensor(field.name, datatype(field), [1], values[field.name] ?? null));
  }
  const first = contract.inputs[0];
  if (first === undefined) {
    return [];
  }
  if (contract.input === 'array') {
    return [tensor(ARRAY, datatype({ ...first, dtype: contract.dtype }), [1, contract.inputs.length], row)];
  }
  const shape = contract.input === 'tensor' ? [1, ...first.shape] : [1];
  return [tensor(first.name, datatype(first), shape, row)];
}

function tensor(name: string, kind: string, shape: number[], value: Json): Json {
  const file = value !== null && typeof value === 'object' && !Array.isArray(value) && 'b64' in value;
  return { name, datatype: kind, shape, data: [file ? ((value as { b64: Json }).b64 ?? null) : value] };
}

/** The datatype of a field, as the service's own metadata tells it. */
function datatype(field: Field): string {
  const kinds = new Set((field.categories ?? []).map(entry => typeof entry));
  let kind: string = field.kind;
  if (kind === 'category') {
    kind = kinds.size !== 1 ? 'text' : kinds.has('boolean') ? 'boolean' : kinds.has('number') ? 'number' : 'text';
  }
  if (kind === 'boolean') {
    return 'BOOL';
  }
  if (kind !== 'number' && kind !== 'integer') {
    return 'BYTES';
  }
  const whole = /^(u?)int(8|16|32|64)$/i.exec(field.dtype);
  if (whole && !field.nullable) {
    return `${(whole[1] ?? '').toUpperCase()}INT${whole[2] ?? ''}`;
  }
  const real = /^float(16|32|64)$/i.exec(field.dtype);
  return `FP${real?.[1] ?? '64'}`;
}

/** Python with NVIDIA's client. */
function grpc(url: string, model: string, contract: Contract, inputs: readonly Json[]): string {
  const host = url.replace(/^https?:\/\//, '');
  return [
    '# pip install "tritonclient[grpc]"',
    'import numpy as np',
    'import tritonclient.grpc as client',
    'from tritonclient.utils import triton_to_np_dtype',
    '',
    'tensors = []',
    `for name, datatype, data in [`,
    ...inputs.map(entry => {
      const one = entry as { name: string; datatype: string; data: Json[] };
      return `    (${JSON.stringify(one.name)}, "${one.datatype}", ${python(one.data, one.datatype)}),`;
    }),
    ']:',
    '    values = np.array(data, triton_to_np_dtype(datatype))',
    '    tensor = client.InferInput(name, values.shape, datatype)',
    '    tensor.set_data_from_numpy(values)',
    '    tensors.append(tensor)',
    `answer = client.InferenceServerClient("${host}").infer("${model}", tensors)`,
    `print(answer.as_numpy(${JSON.stringify(contract.outputs[0]?.name ?? 'predictions')}))`
  ].join('\n');
}

/** Values as Python; a gap is NaN, or an empty text. */
function python(value: Json, kind: string): string {
  if (Array.isArray(value)) {
    return `[${(value as readonly Json[]).map(entry => python(entry, kind)).join(', ')}]`;
  }
  if (value === null) {
    return kind === 'BYTES' ? '""' : 'np.nan';
  }
  if (typeof value === 'boolean') {
    return value ? 'True' : 'False';
  }
  return value === '<image.png>' ? 'open("image.png", "rb").read()' : JSON.stringify(value);
}
