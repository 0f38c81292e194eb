// Generated from extension/ekiben/records by extension/generate_wire.py: `make fix` renews it.

/** Any JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** The number that every kept format carries. */
export const FORMAT = 1;

export type Input = 'table' | 'array' | 'tensor' | 'records' | 'texts' | 'images';

export type Kind = 'number' | 'integer' | 'boolean' | 'text' | 'category' | 'datetime' | 'image';

export type Unseen = 'reject' | 'warn' | 'accept';

export type Level = 'info' | 'warning' | 'error';

export type JobState = 'running' | 'done' | 'failed' | 'cancelled';

export type ServerState = 'starting' | 'ready' | 'stopped' | 'failed';

/**
 * What goes in, what comes out, and the examples that prove it.
 *
 * `input` is the form of the sample (`ekiben.canonical` has the table of forms): rows are objects
 * for `table` and `records`, lists of numbers for `array`, nested lists for `tensor`, strings
 * for `texts`, `{"b64": …}` for `images`. `unseen` says what happens to a category that the
 * sample did not have, `outside` to a number beyond its range.
 */
export interface Contract {
  readonly input: Input;
  readonly inputs: readonly Field[];
  readonly outputs: readonly Field[];
  readonly task: string;
  readonly classes: readonly Json[] | null;
  readonly sample_rows: number;
  readonly golden: Golden;
  readonly dtype: string;
  readonly unseen: Unseen;
  readonly outside: Unseen;
  readonly tolerance: Tolerance;
  readonly format: number;
}

/**
 * One input or output, as the sample showed it.
 *
 * `dtype` is the pandas or numpy name and rebuilds the column exactly; `kind` is what forms
 * and JSON Schema need. `shape` is that of one row's value: `()` is a scalar, `(3,)` three
 * numbers. `minimum` and `maximum` are seen values (ISO 8601 text for datetimes).
 * `categories` are the values that are allowed; `all_categories` those of a pandas categorical
 * dtype in its own order, seen or not. `counts` is a histogram of the sample (of more than 100,000
 * rows, of every k-th): 16 equal bins from minimum to maximum, or one count a category. `missing`
 * is `nan` where an object column keeps its gaps as NaN and not as None, and `absent` where the
 * sample's records had no such key.
 *
 * An image has the `modes` of Pillow that the sample had, a shape of height, width and channels with
 * -1 where the sample's sizes differ, and its smallest and largest number of pixels as the ends
 * (`runtime/images.py`).
 */
export interface Field {
  readonly name: string;
  readonly dtype: string;
  readonly kind: Kind;
  readonly shape: readonly number[];
  readonly nullable: boolean;
  readonly minimum: number | string | null;
  readonly maximum: number | string | null;
  readonly categories: readonly Json[] | null;
  readonly all_categories: readonly Json[] | null;
  readonly ordered: boolean;
  readonly missing: string;
  readonly counts: readonly number[];
  readonly modes: readonly string[];
}

/**
 * Rows of the user's sample with the answers that the live object gave at capture.
 *
 * `rows` are as they travel in a request; `answers` has one list a name, row by row
 * (`predictions`, and `probabilities` where the model gives them).
 */
export interface Golden {
  readonly rows: readonly Json[];
  readonly answers: Readonly<Record<string, Json>>;
}

/**
 * How large an output's numbers are: by position on the last axis, and the least length of a row.
 *
 * Both are seen in the golden answers; `runtime/tolerance.py` says how they count.
 */
export interface Scale {
  readonly sizes: readonly number[];
  readonly least: number;
}

/**
 * Numbers agree when `|a - b| <= absolute + relative * size`; everything else when equal.
 *
 * `size` is `|b|`. Outputs of 32-bit numbers are in `scales` by name: there a number counts at
 * least with what its position and its row are used to, for that is what it was rounded with.
 */
export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
  readonly scales: Readonly<Record<string, Scale>>;
}

/** Something worth telling, with the remedy; `told` has both as `words.Said.kept` gives it. */
export interface Finding {
  readonly level: Level;
  readonly message: string;
  readonly remedy: string;
  readonly told: Readonly<Record<string, Json>>;
}

/**
 * Packages held against known advisories. `why` says why some or all were not.
 *
 * `checked` counts the packages that an advisory source answered for, `unchecked` names the others.
 */
export interface Audit {
  readonly checked: number;
  readonly unchecked: readonly string[];
  readonly vulnerabilities: readonly Vulnerability[];
  readonly why: string;
}

/**
 * A container image. `replay` is its proof; without one that passed it is not called done.
 *
 * `base` is the image under it with its digest, where the builder tells it. `wanted` is the name
 * that an unproven image was to get; its findings say why it did not. `parts` are what weighs, the
 * heaviest first; `audit` is the report on known vulnerabilities.
 */
export interface Image {
  readonly reference: string;
  readonly digest: string;
  readonly bytes: number;
  readonly engine: string;
  readonly model: string;
  readonly created: string;
  readonly layers: readonly Layer[];
  readonly replay: Replay | null;
  readonly base: string;
  readonly findings: readonly Finding[];
  readonly wanted: string;
  readonly parts: readonly Part[];
  readonly audit: Audit | null;
  readonly format: number;
}

/** One layer of an image: `bytes` as stored by the engine, and the step that made it. */
export interface Layer {
  readonly digest: string;
  readonly bytes: number;
  readonly made_by: string;
}

/**
 * A layer that a build is done with.
 *
 * `how` is `made`, `reused` or `fetched`; at a push `sent`, `resumed` (sent, with a break between),
 * `again` (from its start, after a break: the registry had forgotten), `there` or `mounted` (not sent: the
 * registry has it).
 */
export interface LayerStep {
  readonly name: string;
  readonly bytes: number;
  readonly seconds: number;
  readonly how: string;
}

/**
 * Something in an image that weighs: `bytes` are its share of the image's own `bytes`.
 *
 * `kind` is `base`, `package`, `code`, `model` or `other`. `imported` tells whether the
 * service imported it until it had answered the golden examples; None where that is not known.
 */
export interface Part {
  readonly name: string;
  readonly kind: string;
  readonly bytes: number;
  readonly version: string;
  readonly imported: boolean | null;
}

/**
 * What an image will weigh, before it is built: compressed bytes, as a registry would hold it.
 *
 * `unknown` names the packages whose size nobody told; they are not in `bytes`.
 */
export interface SizeEstimate {
  readonly bytes: number;
  readonly parts: readonly Part[];
  readonly unknown: readonly string[];
}

/** A known one: `id` as the advisory has it, `fixed` the versions that are without it. */
export interface Vulnerability {
  readonly package: string;
  readonly version: string;
  readonly id: string;
  readonly fixed: readonly string[];
  readonly aliases: readonly string[];
}

/**
 * A slow verb in a process of its own; step `step` of `steps` (counted from 1).
 *
 * `layers` are those of an image that are done. `told` has `message`, `error` and `remedy` as
 * `words.kept` gives them, where they are sentences: readers get them in their own language.
 */
export interface Job {
  readonly id: string;
  readonly verb: string;
  readonly subject: string;
  readonly state: JobState;
  readonly step: number;
  readonly steps: number;
  readonly message: string;
  readonly log: string;
  readonly pid: number;
  readonly birth: number;
  readonly started: string;
  readonly ended: string;
  readonly error: string;
  readonly remedy: string;
  readonly result: Readonly<Record<string, Json>> | null;
  readonly layers: readonly LayerStep[];
  readonly told: Readonly<Record<string, Json>>;
  readonly format: number;
}

/** A converter that was tried: how much faster one row is, or why it does not serve. */
export interface Attempt {
  readonly converter: string;
  readonly speedup: number;
  readonly reason: string;
}

/**
 * The faster form of a model; without a `form` the native object serves, and `reason` says why.
 *
 * `form` is for people (`NumPy + ONNX Runtime`), and `ways` how trees are asked: `few:`, `many:`
 * or `all:` rows by `table`, `walk`, `bits` or `lanes` (`views.ways`). `rows` of the sample
 * and `edges` (rows at the contract's ends) were answered alike, `worst` is the greatest difference.
 * `requirements` are the pinned lines of a service that has this form alone. Where `serves` is False
 * the user chose the native object.
 */
export interface Compiled {
  readonly form: string;
  readonly converter: string;
  readonly reason: string;
  readonly rows: number;
  readonly edges: number;
  readonly worst: number;
  readonly timings: readonly Timing[];
  readonly bytes: number;
  readonly requirements: readonly string[];
  readonly direct: readonly string[];
  readonly tried: readonly Attempt[];
  readonly serves: boolean;
  readonly ways: readonly string[];
}

/**
 * A captured model: what the BentoML store holds under `tag`.
 *
 * `storage` is how the object is kept (`skops`, `cloudpickle`, …) and `trusted` the types
 * that loading it may make besides the library's own; `options` is the adapter's own.
 * `requirements` are pinned lines for pip; `direct` names those that the model, its code and the
 * service import themselves, the others are what these need.
 * `source` is the notebook's own code that the model needs, the text of the module `code_module`
 * (both empty where it needs none), and `carried` tells it piece by piece.
 */
export interface Model {
  readonly name: string;
  readonly version: string;
  readonly framework: string;
  readonly estimator: string;
  readonly storage: string;
  readonly folder: string;
  readonly digest: string;
  readonly python: string;
  readonly requirements: readonly string[];
  readonly contract: Contract;
  readonly trusted: readonly string[];
  readonly direct: readonly string[];
  readonly options: Readonly<Record<string, Json>>;
  readonly findings: readonly Finding[];
  readonly source: string;
  readonly code_module: string;
  readonly carried: readonly Piece[];
  readonly compiled: Compiled;
  readonly origin: Origin;
  readonly created: string;
  readonly bytes: number;
  readonly format: number;
}

/**
 * Where a model came from, as it was at capture.
 *
 * `notebook` is the path in the git work tree, or the file's name alone where there is none;
 * `revision` the commit, `dirty` whether a tracked file differed from it, `repository` its address
 * without a login. `parameters` are those that the notebook was run with.
 */
export interface Origin {
  readonly notebook: string;
  readonly revision: string;
  readonly dirty: boolean;
  readonly repository: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/**
 * One thing of the notebook that the model's code needs, or that was looked at and left.
 *
 * `kind` is `function`, `class`, `import`, `constant`, `object`, `module` or `file`;
 * `how` is `source` (as it was written), `value` (as it was in the kernel), `kept` (a saved
 * object beside the module), `copied` (a file) or `left`. `place` names cell and line; it is
 * empty where there is none. `note` says why.
 */
export interface Piece {
  readonly name: string;
  readonly kind: string;
  readonly how: string;
  readonly place: string;
  readonly note: string;
}

/**
 * The generated service: rendered text by path. `folder` is empty until it is written.
 *
 * `copies` are the files that are no text: path in the project → where it lies on this machine.
 * `findings` tell of files that a person edited: which stay, which were set aside.
 */
export interface Project {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly model: string;
  readonly folder: string;
  readonly copies: Readonly<Record<string, string>>;
  readonly findings: readonly Finding[];
}

/** Microseconds of one call with `rows` rows, by the native object and by the compiled form. */
export interface Timing {
  readonly rows: number;
  readonly native: number;
  readonly compiled: number;
}

/** One golden row that a station answered otherwise. `row` counts from 0. */
export interface Mismatch {
  readonly row: number;
  readonly output: string;
  readonly sent: Json;
  readonly expected: Json;
  readonly got: Json;
  readonly difference: number | null;
}

/** A warning that an answer carries: a value out of range, an unseen category. */
export interface Notice {
  readonly path: string;
  readonly code: string;
  readonly message: string;
}

/** Answers by name, row by row, with what they took and what to be careful about. */
export interface Prediction {
  readonly outputs: Readonly<Record<string, Json>>;
  readonly milliseconds: number;
  readonly warnings: readonly Notice[];
}

/** The golden examples at one station: `kernel`, `process`, `http`, …; `problem`: why none was asked. */
export interface Replay {
  readonly station: string;
  readonly rows: number;
  readonly worst: number;
  readonly tolerance: Tolerance;
  readonly milliseconds: number;
  readonly mismatches: readonly Mismatch[];
  readonly problem: string;
}

/**
 * A running service. One JSON file of this shape lies in the Jupyter runtime directory.
 *
 * `birth` is the process's start time in seconds since the epoch, so that a pid used again by
 * another process is told apart. `form` is what answers (`native`, or the compiled form's name),
 * `speedup` what one row gained by it, and `memory` the resident bytes of all its processes when
 * they were looked at. `told` has the `message` as `words.kept` gives it, where it is a sentence.
 */
export interface Server {
  readonly id: string;
  readonly model: string;
  readonly url: string;
  readonly pid: number;
  readonly birth: number;
  readonly project: string;
  readonly state: ServerState;
  readonly log: string;
  readonly started: string;
  readonly notebook: string;
  readonly message: string;
  readonly form: string;
  readonly speedup: number;
  readonly memory: number;
  readonly told: Readonly<Record<string, Json>>;
  readonly format: number;
}

/** A variable of the kernel that holds a box. */
export interface BoxVariable {
  readonly name: string;
  readonly model: string;
  readonly estimator: string;
}

/** All that the card shows. The widget's trait and the server's REST answer have this shape. */
export interface CardData {
  readonly model: Model;
  readonly files: Readonly<Record<string, string>>;
  readonly notebook: boolean;
  readonly servers: readonly Server[];
  readonly replays: readonly Replay[];
  readonly images: readonly Image[];
  readonly variable: string;
}

/**
 * A variable of the kernel that holds a model.
 *
 * `part_of` names the model that already contains it; `samples` are in order of fit, the first
 * is the one that a click would use. `problem` says why it cannot be wrapped. `box` names a box
 * that was made of this very object; it may have been fitted anew since.
 */
export interface ModelVariable {
  readonly name: string;
  readonly type: string;
  readonly framework: string;
  readonly fitted: boolean;
  readonly samples: readonly SampleVariable[];
  readonly part_of: string;
  readonly problem: string;
  readonly remedy: string;
  readonly box: string;
}

/** A variable of the kernel that could be the sample. */
export interface SampleVariable {
  readonly name: string;
  readonly type: string;
  readonly rows: number;
  readonly columns: number;
}

/** What the kernel holds: the answer to the JupyterLab button's look. */
export interface Snapshot {
  readonly ekiben: string;
  readonly models: readonly ModelVariable[];
  readonly boxes: readonly BoxVariable[];
  readonly format: number;
}

/**
 * An answer to the form: the service's own, and the notebook object's where it still lives.
 *
 * `error` and `problems` (`path`, `code`, `message`, `remedy`) are set instead where the
 * rows break the contract.
 */
export interface TryAnswer {
  readonly prediction: Prediction | null;
  readonly notebook: Readonly<Record<string, Json>> | null;
  readonly agrees: boolean | null;
  readonly through: string;
  readonly error: string;
  readonly problems: readonly (Readonly<Record<string, string>>)[];
}
