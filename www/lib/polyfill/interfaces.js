// The interfaces of the drafts as a page uses them. Types only: this module has no code.

/**
 * @typedef {import("./types.js").Availability} Availability
 * @typedef {import("./types.js").DetectionResult} DetectionResult
 * @typedef {import("./types.js").Expected} Expected
 * @typedef {import("./types.js").Prompt} Prompt
 * @typedef {import("./types.js").PromptMessage} PromptMessage
 * @typedef {import("./types.js").SamplingMode} SamplingMode
 * @typedef {import("./types.js").Tool} Tool
 */

/** @typedef {{signal?: AbortSignal}} SignalOptions */

/** @typedef {SignalOptions & {monitor?: (monitor: EventTarget) => void}} Creating `monitor` hears of `downloadprogress`. */

/**
 * @typedef {object} LanguageModelCoreOptions
 * @property {number} [topK] From 1; together with a `samplingMode` it is refused.
 * @property {number} [temperature] From 0; likewise.
 * @property {SamplingMode} [samplingMode] How varied answers are. Default `"balanced"`.
 * @property {readonly Expected[]} [expectedInputs] Of the type `"text"` or `"tool-response"`.
 * @property {readonly Expected[]} [expectedOutputs] Of the type `"text"` or `"tool-call"`.
 * @property {readonly Tool[]} [tools]
 */

/** @typedef {LanguageModelCoreOptions & Creating & {initialPrompts?: Iterable<PromptMessage>}} LanguageModelOptions */

/**
 * @typedef {object} PromptOptions
 * @property {object} [responseConstraint] A JSON schema or a `RegExp` that the answer is held to.
 * @property {boolean} [omitResponseConstraintInput] Whether the model is not told of it. Default false.
 * @property {AbortSignal} [signal]
 */

/**
 * @typedef {object} LanguageModelMembers
 * @property {(input: Prompt, options?: PromptOptions) => Promise<string>} prompt
 * @property {(input: Prompt, options?: PromptOptions) => ReadableStream<string>} promptStreaming Each chunk is what is new.
 * @property {(input: Prompt, options?: SignalOptions) => Promise<undefined>} append
 * @property {(input: Prompt, options?: PromptOptions) => Promise<number>} measureContextUsage In tokens.
 * @property {number} contextUsage
 * @property {number} contextWindow
 * @property {(input: Prompt, options?: PromptOptions) => Promise<number>} measureInputUsage The old name of
 *   `measureContextUsage`.
 * @property {number} inputUsage The old name of `contextUsage`.
 * @property {number} inputQuota The old name of `contextWindow`.
 * @property {number} topK
 * @property {number} temperature
 * @property {SamplingMode | null} samplingMode
 * @property {((event: Event) => void) | null} [oncontextoverflow]
 * @property {((event: Event) => void) | null} [onquotaoverflow] The old name of `oncontextoverflow`.
 * @property {(options?: SignalOptions) => Promise<LanguageModel>} clone
 * @property {() => void} destroy
 */

/** @typedef {EventTarget & LanguageModelMembers} LanguageModel */

/** @typedef {{defaultTopK: number, maxTopK: number, defaultTemperature: number, maxTemperature: number}} Params */

/**
 * @typedef {object} LanguageModelClass
 * @property {(options?: LanguageModelOptions) => Promise<LanguageModel>} create
 * @property {(options?: LanguageModelCoreOptions) => Promise<Availability>} availability
 * @property {() => Promise<Params | null>} params
 * @property {LanguageModel} prototype
 */

/** @typedef {SignalOptions & {context?: string}} WritingCallOptions */

/**
 * @typedef {object} WritingCoreOptions What Summarizer, Writer and Rewriter share.
 * @property {readonly string[]} [expectedInputLanguages]
 * @property {readonly string[]} [expectedContextLanguages]
 * @property {string} [outputLanguage] Default: that of the input.
 */

/**
 * @typedef {object} WritingMembers
 * @property {string} sharedContext
 * @property {readonly string[] | null} expectedInputLanguages
 * @property {readonly string[] | null} expectedContextLanguages
 * @property {string | null} outputLanguage
 * @property {(input: string, options?: WritingCallOptions) => Promise<number>} measureInputUsage In tokens.
 * @property {number} inputQuota
 * @property {() => void} destroy
 */

/** @typedef {(input: string, options?: WritingCallOptions) => Promise<string>} WriteAll */
/** @typedef {(input: string, options?: WritingCallOptions) => ReadableStream<string>} WriteStreaming */

/**
 * @template Instance
 * @template Choices
 * @typedef {object} WritingClass
 * @property {(options?: WritingCoreOptions & Partial<Choices> & Creating & {sharedContext?: string}) => Promise<Instance>} create
 * @property {(options?: WritingCoreOptions & Partial<Choices>) => Promise<Availability>} availability
 * @property {Instance} prototype
 */

/**
 * `preference`: `"speed"` writes at most 64, 128 or 256 tokens, by the length; `"capability"` tries four ways at once.
 * @typedef {{type: "tldr" | "teaser" | "key-points" | "headline", format: "plain-text" | "markdown",
 *   length: "short" | "medium" | "long", preference: "auto" | "speed" | "capability"}} SummarizerChoices
 */
/** @typedef {{tone: "formal" | "neutral" | "casual", format: "plain-text" | "markdown",
 *   length: "short" | "medium" | "long"}} WriterChoices */
/** @typedef {{tone: "as-is" | "more-formal" | "more-casual", format: "as-is" | "plain-text" | "markdown",
 *   length: "as-is" | "shorter" | "longer"}} RewriterChoices */

/** @typedef {WritingMembers & SummarizerChoices & {summarize: WriteAll, summarizeStreaming: WriteStreaming}} Summarizer */
/** @typedef {WritingMembers & WriterChoices & {write: WriteAll, writeStreaming: WriteStreaming}} Writer */
/** @typedef {WritingMembers & RewriterChoices & {rewrite: WriteAll, rewriteStreaming: WriteStreaming}} Rewriter */

/** @typedef {{sourceLanguage: string, targetLanguage: string}} LanguagePair */

/**
 * @typedef {object} TranslatorMembers
 * @property {(input: string, options?: SignalOptions) => Promise<string>} translate
 * @property {(input: string, options?: SignalOptions) => ReadableStream<string>} translateStreaming
 * @property {(input: string, options?: SignalOptions) => Promise<number>} measureInputUsage 0 where any length will do.
 * @property {number} inputQuota
 * @property {() => void} destroy
 */

/** @typedef {LanguagePair & TranslatorMembers} Translator */

/**
 * @typedef {object} TranslatorClass
 * @property {(options: LanguagePair & Creating) => Promise<Translator>} create
 * @property {(options: LanguagePair) => Promise<Availability>} availability
 * @property {Translator} prototype
 */

/**
 * @typedef {object} LanguageDetector
 * @property {(input: string, options?: SignalOptions) => Promise<DetectionResult[]>} detect Likeliest first; the last is
 *   `und`, for what is none of the known languages.
 * @property {(input: string, options?: SignalOptions) => Promise<number>} measureInputUsage 0 where any length will do.
 * @property {readonly string[] | null} expectedInputLanguages
 * @property {number} inputQuota
 * @property {() => void} destroy
 */

/**
 * @typedef {object} LanguageDetectorClass
 * @property {(options?: {expectedInputLanguages?: readonly string[]} & Creating) => Promise<LanguageDetector>} create
 * @property {(options?: {expectedInputLanguages?: readonly string[]}) => Promise<Availability>} availability
 * @property {LanguageDetector} prototype
 */

/**
 * @typedef {object} Classes
 * @property {LanguageModelClass} LanguageModel
 * @property {Function} LanguageModelParams
 * @property {WritingClass<Summarizer, SummarizerChoices>} Summarizer
 * @property {WritingClass<Writer, WriterChoices>} Writer
 * @property {WritingClass<Rewriter, RewriterChoices>} Rewriter
 * @property {TranslatorClass} Translator
 * @property {LanguageDetectorClass} LanguageDetector
 * @property {Function} CreateMonitor
 * @property {new (message?: string, options?: {requested?: number, quota?: number}) =>
 *   DOMException & {requested: number | null, quota: number | null}} QuotaExceededError
 * @property {() => Promise<void>} release Unloads the models that were loaded here; the next object loads its model anew.
 */

export {};
