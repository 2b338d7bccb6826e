// What `<intab-chat>` uses of `pkg/markdown.js`, which the build makes from `www/markdown/markdown.js`.

/** A block of Markdown, as `marked` has it. */
export interface Block {
  type: string;
  raw: string;
  /** Of a code block: what is in it, and the language it names. */
  text?: string;
  lang?: string;
  /** Of a link's address: its name. */
  tag?: string;
}

/** Where links lead that are named elsewhere in the text. */
export type Links = Record<string, { href: string | null; title: string | null }>;

/** The blocks of a text, whose `raw` texts together are the text; the links that it names are added to `links`. */
export function blocks(text: string, links: Links): Block[];

/** Sanitized: what it requests is nothing, and what it runs is nothing. */
export function elements(block: Block): DocumentFragment;
