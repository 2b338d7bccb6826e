// The shapes that the public functions take and give. Types only: this module has no code.

/**
 * Which device runs the model. `"auto"` takes a real GPU where WebGPU offers one that can hold the model, else the
 * CPU; `"gpu"` insists on WebGPU, a software adapter included; `"cpu"` never touches the GPU.
 * @typedef {"auto" | "gpu" | "cpu"} Backend
 */

/**
 * Where a model comes from:
 * - the URL of a GGUF file, absolute or relative to the page; that of one part of a split file stands for all;
 * - the URL of a Hugging Face folder, which ends in a slash, or that of its `config.json` or of a `.safetensors` file in it;
 * - `hf:owner/name`, `hf:owner/name@revision` or `hf:owner/name/file.gguf`: a repository of the Hugging Face hub;
 * - a GGUF file, all parts of a split one in any order, or the files of a Hugging Face folder, which have a
 *   `config.json` among them (what else lies there is left alone);
 * - the bytes of a GGUF file. They are copied to the worker; the caller's buffer stays usable.
 * @typedef {string | URL | Blob | readonly (File | NamedFile)[] | FileList | ArrayBuffer | Uint8Array} Source
 */

/**
 * A file and where it lay. A `File` alone says so only if it was chosen as part of a directory.
 * @typedef {object} NamedFile
 * @property {string} path Such as `bert/1_Pooling/config.json`.
 * @property {Blob} file
 */

/**
 * How far a load has come.
 * @typedef {object} Progress
 * @property {string} stage What is being done, in one or two words: `"runtime"` while the worker and the WebAssembly
 *   module start, `"weights"` while they go from their source to the device, `"prepare"` while the device gets ready.
 *   Where a server has no byte ranges, the whole file comes first: `"download"`. `"waiting"`: another page downloads the same
 *   model, which this load then reads from storage. `"storage"`: before a file is fetched to be kept, how much of it is kept
 *   already; at the end, what the model itself does not need of it is fetched too. After the load: `"lost"` where the GPU went away
 *   and the model is loaded again, with the stages of a load, and `"recovered"` when it goes on.
 * @property {number} loaded Bytes done of this stage; steps where it is `"prepare"`.
 * @property {number} total How many there are; 0 while unknown.
 * @property {number} [needed] Before a file is fetched to be kept: bytes of storage that it takes besides what it has.
 * @property {number} [available] Then: bytes of storage that are free.
 */

/**
 * What a load does with the browser's storage, where its source is a URL:
 * - `"auto"`: what is kept is read from there, if the server says that it did not change or cannot be asked; the rest is kept
 *   while it is read, if there is room. How that went is in `ModelInfo.storage`.
 * - `"require"`: the same, but where a file cannot be kept the load fails before it is downloaded.
 * - `"only"`: nothing is requested; a file that is not kept as a whole is an error.
 * - `"off"`: nothing is read from there, and nothing kept.
 * @typedef {"auto" | "require" | "only" | "off"} CacheMode
 */

/** @typedef {"q8_0" | "q4_0" | "q4_k"} Quantize */

/**
 * @typedef {object} LoadOptions
 * @property {Backend} [backend] Default `"auto"`.
 * @property {number} [contextLength] Tokens that the context holds, prompt and answer together: from 2 to what the model
 *   was trained with. Default: as trained, but no more than 4096, or 1024 where a GPU has no room for that.
 * @property {Quantize} [quantize] Store matrices of unquantized numbers (F32, F16, BF16) in a smaller type while they are
 *   loaded, where their rows allow it: 8 or about 4.5 bits a weight. Default: as the file has them.
 * @property {"f32" | "f16" | "q8_0"} [kvCache] The precision in which keys and values of the text are kept: `"f16"` takes
 *   half of their memory, `"q8_0"` 9 of 32 bits, where heads are multiples of 32 numbers. Default `"f32"`.
 * @property {number} [threads] How many threads compute where the CPU runs the model: from 1 to 64. Each is a worker with
 *   memory of its own and a part of the weights. More than one needs a page that is cross-origin isolated. Default: there,
 *   half of the cores, but no more than 8, and one for a model below 32 MiB; elsewhere one.
 * @property {number} [maxBatch] How many generations are written together at most: from 1, with which they take turns, to 16.
 *   Texts that are asked for while another is being written join it at once: a token of each is computed in one run, which costs
 *   the CPU far less than as many runs. They share the context's memory; one that finds no
 *   room there, or is computed otherwise (beams, other adapters or precision, a soft prompt, drafts of another model), waits
 *   for its turn, and those that come after it with it. Default: 8 where that pays and
 *   changes no bit of a text: on the CPU in the fast precision, if all matrices are of small integers, as in Q, TQ, IQ4 and MXFP4
 *   types; elsewhere 1. With a number given, rounding may elsewhere decide between two tokens that are as likely. Models with an
 *   encoder always take 1.
 * @property {boolean} [defaultLimits] Take no more from a GPU than every WebGPU device offers, to see how a model runs
 *   elsewhere. Default false.
 * @property {boolean} [autotune] Whether a GPU is first measured, for a second or less, to find how it works best. What was found
 *   is kept in the browser's storage and used from then on. Default: where it is a real one.
 * @property {CacheMode} [cache] What is done with the browser's storage. Default `"auto"`.
 * @property {"lru"} [evict] Delete from storage what is needed to keep this model, those models first that were not used for
 *   the longest time. Default: nothing is ever deleted for another model.
 * @property {string | Record<string, string>} [integrity] `"sha256-"` and the base64 of the hash that the file must have; of
 *   several files, an object with such for each, by the end of its name, as `"config.json"`. Another file is an
 *   `IntegrityError` when it has been read, and is not kept. The default is not to look.
 * @property {boolean} [recover] Whether a model whose GPU is lost (a driver that starts anew, a crash of the browser's GPU process) is
 *   loaded again, from storage or from its source, and whatever was under way goes on as if nothing had been: texts with the same
 *   tokens, sessions, adapters. Bytes are kept as a `Blob` for that. Where a GPU is not to be had again and `backend` is `"auto"`, the
 *   CPU goes on. After three times within a minute calls fail with `DeviceLostError`, as all do without it. Default true.
 * @property {(progress: Progress) => void} [onProgress] Called many times a second while bytes arrive.
 * @property {AbortSignal} [signal] Cancels the load: `load` rejects with the signal's reason, nothing stays behind.
 * @property {() => Worker} [worker] Starts the worker, where its code is not to be had by a URL; loads with the same function share
 *   one. Default: `worker.js` of this package is started.
 * @property {string | URL} [workerUrl] Another place for `worker.js`, for instance a blob: URL in a single-file page.
 * @property {string | URL} [glueUrl] Another place for the wasm-bindgen module `pkg/intab.js`.
 * @property {string | URL} [wasmUrl] Another place for `pkg/intab_bg.wasm`.
 * @property {string | URL} [grammarGlueUrl] Another place for `pkg/intab_grammar.js`, which is loaded with the first `constraint`.
 *   Default: beside `glueUrl`.
 * @property {string | URL} [grammarWasmUrl] Another place for `pkg/intab_grammar_bg.wasm`. Default: beside `grammarGlueUrl`.
 */

/**
 * Where the files of a load came from, and what the browser's storage keeps of them. For files and bytes that a page has, it
 * tells of nothing kept.
 * @typedef {object} StorageInfo
 * @property {"opfs" | "cache" | null} place The origin private file system; where there is none the Cache API; or neither.
 * @property {boolean} kept Whether all files are kept now, each of them whole.
 * @property {string} reason Why they are or are not, as a part of a sentence.
 * @property {number} storedBytes Bytes that were read from storage.
 * @property {number} networkBytes Bytes that were fetched, but for answers of no more than a byte.
 * @property {number} readMs Milliseconds that reading and checking `storedBytes` took.
 * @property {{url: string, bytes: number, kept: boolean}[]} files
 */

/**
 * A file in the browser's storage.
 * @typedef {object} StoredFile
 * @property {string} url
 * @property {string} model The URL of the model that it was loaded for.
 * @property {number} bytes Its length.
 * @property {number} storedBytes How many of them are there.
 * @property {boolean} complete Whether all are.
 * @property {string | null} etag As its server named this state of it.
 * @property {Date} created
 * @property {Date} used When it was last read.
 */

/**
 * The browser's storage.
 * @typedef {object} StorageUsage
 * @property {"opfs" | "cache" | null} place As in `StorageInfo`.
 * @property {number} models Bytes of models in it.
 * @property {number | null} used Bytes of all that this origin has in it, as the browser counts; null where it does not tell.
 * @property {number | null} quota Bytes that this origin may have.
 * @property {number | null} available Bytes that are free.
 * @property {boolean} persisted Whether the browser promised to delete nothing on its own.
 */

/**
 * The options of a load that change how much memory it takes, how its storage is read (nothing is kept for it), and `signal`
 * and the URLs as there.
 * @typedef {Pick<LoadOptions, "contextLength" | "quantize" | "kvCache" | "cache" | "signal" | "worker" | "workerUrl" | "glueUrl" | "wasmUrl" |
 *   "grammarGlueUrl" | "grammarWasmUrl">} EstimateOptions
 */

/**
 * What a loaded model takes of a device's memory, in bytes, within a few per cent; on the CPU the device's memory is the
 * module's own. Further calls may take more: `embed` after `generate`, beams, drafts.
 * @typedef {object} MemoryEstimate
 * @property {number} weights As they lie on the device.
 * @property {number} cache Keys and values of a whole context.
 * @property {number} tables Made from the files, as those of rotations.
 * @property {number} activations What runs work with.
 * @property {number} total All of it.
 */

/**
 * What is known of a loaded model.
 * @typedef {object} ModelInfo
 * @property {string} name The name in the file, else the file's name.
 * @property {string} architecture As the file names it: `"llama"`, `"qwen2"`…
 * @property {"decoder" | "encoder" | "encoder-decoder"} kind
 * @property {"generate" | "embed" | "classify" | "tag" | "answer" | "fill-mask"} task What its head is made for.
 * @property {string[]} labels Names of what it classifies into; none where it does not.
 * @property {number} nOut Numbers that its head puts out for a token.
 * @property {"gpu" | "cpu"} backend What runs it.
 * @property {string} backendReason Why that one, as a sentence.
 * @property {string} device The device's own name.
 * @property {string[]} features What the device can do beyond WebGPU's baseline and is used.
 * @property {string | null} tuning What was found to work best on the device, as JSON, where it was measured.
 * @property {number} bytesPerToken Bytes of weights read for each new token.
 * @property {number} dispatchesPerToken Compute steps for each new token.
 * @property {number} parameters Count of weights.
 * @property {number} bytes Bytes that the model holds in memory.
 * @property {number} fileBytes Bytes of the weights in the file, or in all its parts.
 * @property {Record<string, number>} types How many tensors there are of each type: `{Q4_0: 42, F32: 13}`.
 * @property {number} nLayers
 * @property {number} nEmbd Width of the residual stream.
 * @property {number} nHeads Attention heads per layer.
 * @property {number} nKvHeads Key and value heads per layer.
 * @property {number} nVocab Size of the vocabulary.
 * @property {number} contextLength Tokens that this load holds.
 * @property {number} maxBatch Generations that are written together at most.
 * @property {number} trainedContextLength Tokens that the model was trained with.
 * @property {string[]} languages Those that a translator has tokens for, as it calls them; none for most models.
 * @property {boolean} hasChatTemplate Whether `chat` and `chatPrompt` work.
 * @property {Record<string, unknown>} metadata The file's own metadata.
 * @property {string | null} license As the file names it.
 * @property {StorageInfo} storage Where its files came from, and whether they are kept.
 */

/**
 * Up to 16 adapters of the model, each with what it is multiplied with: from -10000 to 10000, 1 where it is not said. Their order
 * does not matter. Weights that an adapter has in the place of the model's (`modules_to_save`) are taken whole.
 * @typedef {readonly (import("./adapter.js").Adapter | {adapter: import("./adapter.js").Adapter, weight?: number})[]} Adapters
 */

/**
 * @typedef {object} AdapterOptions
 * @property {string} [name] What messages and `info` call it. Default: the folder's name, or what the file calls itself.
 * @property {AbortSignal} [signal] Cancels the load: `loadAdapter` rejects with the signal's reason, nothing stays behind.
 * @property {(progress: Progress) => void} [onProgress] Called while bytes arrive.
 */

/**
 * What is known of an adapter.
 * @typedef {object} AdapterInfo
 * @property {string} name
 * @property {"lora" | "dora" | "prompt"} kind
 * @property {number} rank The largest; 0 of a soft prompt.
 * @property {number} layers How many layers it adds to.
 * @property {number} replaced How many weights it has in the place of the model's.
 * @property {number} virtualTokens Tokens of the context that a soft prompt takes.
 * @property {number} parameters Count of its weights.
 */

/**
 * How text is made, and when it ends. What is left out is as the model's files say (`generation_config.json`), else samples
 * plainly: from the model's own probabilities, until the model ends the text or the context is full.
 * @typedef {object} GenerateOptions
 * @property {number} [maxNewTokens] Stop after so many tokens: an integer from 1. Default: no limit but the context.
 * @property {number} [temperature] 0 to 100; 0 always takes the likeliest token, 1 samples what the model says, more
 *   is wilder. Default 1.
 * @property {number} [topK] Keep the k likeliest tokens: an integer from 0; 0 keeps all. Default 0.
 * @property {number} [topP] Keep the likeliest tokens that together reach this probability: above 0, to 1; 1 keeps
 *   all. Default 1.
 * @property {number} [minP] Drop tokens less likely than this share of the likeliest one: 0 to 1; 0 keeps all.
 *   Default 0.
 * @property {number} [repetitionPenalty] Divides the score of tokens that occurred: above 0, to 100; 1 is off.
 *   Default 1.
 * @property {number} [presencePenalty] Subtracted once from the score of tokens that occurred in the new text (the prompt
 *   does not count): -100 to 100; 0 is off. Default 0. Not for beams.
 * @property {number} [frequencyPenalty] Subtracted from a token's score for each time it occurred in the new text (the
 *   prompt does not count): -100 to 100; 0 is off. Default 0. Not for beams.
 * @property {number} [seed] An integer, 0 to 2^53 - 1: the same seed on the same device gives the same text. Default: a
 *   random one, told in the result.
 * @property {string | readonly string[]} [stop] Up to 16 texts that end the answer; they are not part of it.
 *   Default none.
 * @property {boolean} [ignoreEos] Go on past the model's own end of text. Default false.
 * @property {number} [numBeams] Follow so many texts at once and take the most probable, instead of sampling: 1 (the
 *   default) to 16. The text comes at the end; with a temperature above 0 it is refused.
 * @property {number} [lengthPenalty] Above 0 favours long texts among beams: -10 to 10. Default 1.
 * @property {boolean | "never"} [earlyStopping] End beam search with as many texts as beams (`true`, the default), when a
 *   better one is unlikely, or only when none is possible.
 * @property {number} [noRepeatNgramSize] Let no sequence of so many tokens come twice; 0 (the default) is off.
 * @property {number} [minNewTokens] Let no text end before so many tokens. Default 0.
 * @property {string} [sourceLanguage] The language of the prompt, for a translator of many (mBART, M2M-100, NLLB): as it calls it, one
 *   of `info.languages`, or as the web does ("fr", "zh-Hant"). Default: the one that its tokenizer says. `generate` alone.
 * @property {string} [targetLanguage] The language to translate into. Default: the one that the model's files say. `generate` alone.
 * @property {Precision} [precision] How exact products with quantized weights are. Default `"fast"` on the CPU, where it
 *   does not matter how many tokens are read at once; `"exact"` on WebGPU, where it would.
 * @property {"auto" | "off" | "prompt"} [speculation] Guess the next tokens from how the text went on before, and check several
 *   at once: the text stays the same, and is there sooner where it repeats itself, as in summaries or code. `"auto"`, the
 *   default, does where that pays and changes no bit: on the CPU in the fast precision, if all matrices are of small
 *   integers, as in Q, TQ, IQ4 and MXFP4 types. Elsewhere rounding may decide between two tokens that are as likely. Not for
 *   texts that are written together (`maxBatch`), nor for beams, nor where something looks at each token's scores.
 * @property {import("./model.js").Model} [draft] A smaller model with the same vocabulary, loaded as well, that makes the guesses.
 * @property {Constraint} [constraint] Hold the text to a structure. The finish reason is `"eos"` where it is whole; where
 *   `maxNewTokens`, the context or a stop text cut it, that is the reason, and the text may be no whole. Not with beams, a draft or
 *   `ignoreEos`. The first one loads a module of its own, and takes up to a second for a large vocabulary.
 * @property {number} [logprobs] Tell of every token how probable it was, and as many of the most probable tokens with it: an integer
 *   from 0 to 20. These are natural logarithms of the model's own probabilities, before temperature, penalties, filters, biases
 *   and constraints. They come with `generation.tokens()` and in `result.logprobs`. Not for beams.
 * @property {Readonly<Record<string, number>> | ReadonlyMap<number, number>} [logitBias] Added to the logits of tokens, by
 *   their ids, before all else: -100 to 100, where -100 and -Infinity ban a token.
 * @property {Adapters} [adapters] Adapters that shape the text. Default none.
 * @property {boolean} [parseSpecial] Read `<|name|>` and the like in the prompt as the special tokens they name.
 *   Default false: they are plain text.
 * @property {AbortSignal} [signal] Ends the generation; see `Generation`. On the CPU it takes effect after the step that
 *   runs: a token, or a chunk of the prompt.
 * @property {(progress: {done: number, total: number}) => void} [onPrefill] How many tokens of the prompt have been read.
 */

/**
 * What a text is held to, one of these:
 * - `jsonSchema`: a JSON schema (draft 4 to 2020-12), the text being JSON that fits it. What no text can be held to is refused with an
 *   `UnsupportedError` that names it (`uniqueItems`, `not`, `if`, `contains`, references to other files…), as are keywords and
 *   formats that are not known. Numbers without bounds stay within those that are exact. Where no token could come, as for a
 *   character that the vocabulary cannot spell, the generation fails with an `InputError`.
 * - `regex`: a regular expression that the whole text matches; of a `RegExp` the flags i and s count. Without anything that looks
 *   around: `\b`, `(?=…)`, `\1`.
 * - `lark`: a context-free grammar in the syntax of Lark, as llguidance reads it, whose rule `start` the text is;
 *   `%json {…}` in it is a schema, held to as above.
 * - `json`: any JSON.
 *
 * With it may stand `prefix`, the beginning of the text that is the end of the prompt already (default: nothing): it and what
 * follows fit together. One that no text begins with which fits is an `InputError`.
 * @typedef {({jsonSchema: object | boolean | string} | {regex: string | RegExp} | {lark: string} | {json: true}) &
 *   {prefix?: string}} Constraint
 */

/**
 * What a generation came to.
 * @typedef {object} GenerateResult
 * @property {string} text All of the new text, without a stop text that ended it.
 * @property {Uint32Array} tokens The ids of the new tokens.
 * @property {"stop" | "length" | "eos" | "context" | "abort"} finishReason A stop text, `maxNewTokens`, the model's own
 *   end, a full context, or the caller.
 * @property {string | null} stopText The stop text that ended it.
 * @property {{promptTokens: number, cachedTokens: number, completionTokens: number, totalTokens: number,
 *   draftedTokens: number, acceptedTokens: number}} usage `cachedTokens` of the prompt were still in the context from the call
 *   before; `draftedTokens` were guessed, of which `acceptedTokens` were right.
 * @property {Timings} timings
 * @property {TokenLogprobs[]} [logprobs] One for each of `tokens`, where they were asked for.
 * @property {number} seed The seed that would give the same again.
 */

/**
 * A token of the new text and how probable it was.
 * @typedef {object} TokenLogprobs
 * @property {number} id
 * @property {string} text What it let out: the texts one after another, and what was held back to the end, are the result's.
 * @property {number} logprob Natural logarithm of its probability.
 * @property {{id: number, text: string, logprob: number}[]} top The most probable tokens, best first, each with its own text;
 *   bytes that are only a part of a character show as U+FFFD.
 */

/**
 * @typedef {object} Timings
 * @property {number} firstTokenMs Milliseconds from the start to the first token.
 * @property {number} decodeMs Milliseconds from the first token to the last.
 * @property {number} encodeMs Milliseconds that the host spent on handing the device its work, for all tokens together.
 * @property {number} maskMs Milliseconds of finding out which tokens may come, for all tokens of a text with a `constraint`.
 * @property {number} promptTokensPerSecond
 * @property {number} tokensPerSecond
 * @property {number} totalMs Milliseconds from the start to the end.
 */

/**
 * @typedef {object} Message
 * @property {string} role `"system"`, `"user"`, `"assistant"`, `"tool"`, or what else the template knows.
 * @property {string | readonly unknown[] | null} content
 * @property {readonly unknown[]} [tool_calls] What the assistant called, as the template reads it; other names are passed
 *   on likewise.
 */

/**
 * `"exact"` keeps activations as the reference has them, in 32-bit floating point. `"fast"` may turn those that meet quantized
 * weights into integers too.
 * @typedef {"exact" | "fast"} Precision
 */

/**
 * @typedef {object} LogitsOptions
 * @property {Uint32Array | readonly number[]} [tokenTypes] The segment of each token, where the model tells two texts apart.
 * @property {Uint32Array | readonly number[]} [decoderIds] What the answer of an encoder-decoder begins with.
 * @property {Precision} [precision] How exact products with quantized weights are. Default `"exact"`.
 * @property {Adapters} [adapters] Adapters that shape the scores. Default none.
 */

/**
 * @typedef {object} EmbedOptions
 * @property {"mean" | "cls" | "last"} [pooling] Which of a text's hidden states count. Default: as the model's files say,
 *   else the mean of an encoder's and the last of a decoder's.
 * @property {boolean} [normalize] Give each the length 1, so that their dot product is their cosine. Default true.
 * @property {number} [dimensions] Keep so many numbers of each, for models that were trained for it.
 * @property {Adapters} [adapters] Adapters that shape them. Default none.
 */

/** @typedef {{label: string, score: number}} Label Scores are probabilities; of a regression, the number itself. */

/**
 * @typedef {{entity: string, score: number, text: string, start: number, end: number}} Entity A part of the text, from
 *   `start` up to `end` as `text.slice` counts.
 */

/** @typedef {{text: string, score: number, start: number, end: number}} Answer As `Entity`, of the context. */

/** @typedef {{id: number, token: string, score: number, text: string}} Filling `text` is the whole, with the token in it. */

/**
 * Values for the chat template besides the messages, by the names that the template uses.
 * @typedef {Record<string, unknown>} TemplateOptions
 */

/** @typedef {Omit<GenerateOptions, "parseSpecial"> & {template?: TemplateOptions}} ChatOptions Special tokens are always read as such in a chat. */

/**
 * @typedef {object} SessionOptions
 * @property {readonly Message[]} [messages] What the conversation begins with, such as a system message. Default none.
 * @property {string | Uint32Array | readonly number[]} [text] Makes the session a text instead of a conversation, and is what it
 *   begins with.
 * @property {TemplateOptions} [template] Values for the chat template.
 * @property {"error" | "evict" | "shift"} [overflow] What happens when the context is full. `"error"`, the default: a prompt
 *   that does not fit rejects with `ContextFullError`, an answer ends there (`finishReason` `"context"`). `"evict"`: before an
 *   answer the oldest exchanges of a conversation go, never the system's message, until it has room: `maxNewTokens` tokens, or
 *   a quarter of the context. `"shift"`: of a text the older half goes, but for what the session began with, and writing goes on.
 * @property {(messages: Message[]) => void} [onEvict] Told which messages went, when the answer that needed their room is a part of
 *   the session; where that fails or is aborted they stay.
 */

/**
 * Memory held now by all models of a worker.
 * @typedef {object} MemoryUse
 * @property {number} wasmBytes Size of the WebAssembly memory; it grows and never shrinks while the worker lives.
 * @property {number} gpuBytes Bytes in GPU buffers.
 * @property {number} gpuBuffers Count of GPU buffers.
 */

/**
 * A source as it reaches the worker: URLs are absolute, and files have their paths.
 * @typedef {string | Blob | NamedFile[] | ArrayBuffer | Uint8Array} WireSource
 */

/**
 * The options that reach the sampler: checked, with a seed, without what stays on the page.
 * @typedef {Omit<GenerateOptions, "signal" | "onPrefill" | "stop" | "logitBias" | "constraint" | "draft" | "adapters"> &
 *   {stop: string[], seed: number, logitBias?: Map<number, number>, adapters?: {id: number, weight: number}[],
 *   session?: number, shift?: number}} SamplingOptions `session` is its number; `shift` are the tokens that stay where a full
 *   context is shifted.
 */

export {};
