// How the element looks. A style sheet that is made in code: pages that allow no inline styles allow it.
//
// Custom properties that a page may set, each with its own default for light and dark pages:
//   --intab-chat-ground, --intab-chat-surface: behind all, and behind the user's messages and fields
//   --intab-chat-ink, --intab-chat-soft, --intab-chat-line: text, lesser text, borders
//   --intab-chat-accent, --intab-chat-on-accent: the main button, links, focus
//   --intab-chat-wrong: errors
//   --intab-chat-font, --intab-chat-code-font, --intab-chat-radius, --intab-chat-height
//
// Parts: chat, header, name, clear, messages, list, empty, message, user, assistant, text, thoughts, note, code-block, code,
// copy-code, copy, retry, edit, edit-field, notice, loading, hint, error, progress, load, composer, input, button, send, stop, down.

const CSS = `
:host {
  --ground: var(--intab-chat-ground, light-dark(#fffdf8, #1d2125));
  --surface: var(--intab-chat-surface, light-dark(#f1ede3, #2a2f34));
  --ink: var(--intab-chat-ink, light-dark(#23262b, #e8e4da));
  --soft: var(--intab-chat-soft, light-dark(#5b5f66, #a9aca7));
  --line: var(--intab-chat-line, light-dark(#e0dbcf, #3a4046));
  --accent: var(--intab-chat-accent, light-dark(#2f6352, #8fcdb5));
  --on-accent: var(--intab-chat-on-accent, light-dark(#ffffff, #10201a));
  --wrong: var(--intab-chat-wrong, light-dark(#9c2f23, #f2a193));
  --radius: var(--intab-chat-radius, 0.875rem);
  --code: var(--intab-chat-code-font, ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace);
  display: block;
  block-size: var(--intab-chat-height, 34rem);
  max-block-size: 100dvh;
  min-inline-size: 0;
  color: var(--ink);
  font: 1rem/1.55 var(--intab-chat-font, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif);
  text-align: start;
}
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }
:host([hidden]), [hidden] { display: none !important; }
* { box-sizing: border-box; }
p, ol { margin: 0; padding: 0; }

.chat {
  display: flex;
  flex-direction: column;
  block-size: 100%;
  background: var(--ground);
  border: 1px solid var(--line);
  border-radius: var(--radius);
  overflow: hidden;
  container-type: inline-size;
}
.header {
  display: flex;
  align-items: center;
  justify-content: space-between;
  gap: 1rem;
  min-block-size: 3rem;
  padding: 0.375rem 0.5rem 0.375rem 1.125rem;
  border-block-end: 1px solid var(--line);
}
.header:has(.name:empty):has([part~="clear"][hidden]) { display: none; }
.name {
  overflow: hidden;
  text-overflow: ellipsis;
  white-space: nowrap;
  font-size: 0.875rem;
  color: var(--soft);
}
.frame { position: relative; flex: 1; min-block-size: 0; }
.scroll { block-size: 100%; overflow-y: auto; padding: 1.125rem; overscroll-behavior: contain; }
.empty { display: grid; place-content: center; min-block-size: 100%; text-align: center; color: var(--soft); text-wrap: balance; }
ol { list-style: none; display: grid; gap: 1rem; }
li { min-inline-size: 0; }
article { min-inline-size: 0; }
.user > article { display: flex; flex-direction: row-reverse; align-items: center; gap: 0.25rem; }
.user article:has(form) { margin-inline-start: 12%; }
.user [part="text"] {
  padding: 0.5rem 0.875rem;
  background: var(--surface);
  border-radius: 1.125rem 1.125rem 0.25rem 1.125rem;
}
.user form { inline-size: 100%; }
[part="text"] { overflow-wrap: anywhere; max-inline-size: 100%; }
.plain [part="text"] { white-space: pre-wrap; }
.note { font-size: 0.8125rem; color: var(--soft); margin-block-start: 0.25rem; }
.tools { display: flex; gap: 0.125rem; margin-block-start: 0.125rem; margin-inline-start: -0.5rem; }
.user .tools { margin: 0; flex: none; }
@media (hover: hover) {
  .user .tools { opacity: 0; }
  .user:is(:hover, :focus-within) .tools { opacity: 1; }
}
.writing [part="text"]:empty::before, .writing [part="text"]:has(> .thoughts:only-child)::after {
  content: "";
  display: inline-block;
  inline-size: 0.6rem;
  block-size: 0.6rem;
  border-radius: 50%;
  background: var(--accent);
  animation: breathe 1.2s ease-in-out infinite;
}
@keyframes breathe { 50% { opacity: 0.25; } }
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }

.markdown > * { margin: 0 0 0.75rem; }
.markdown > :last-child { margin-block-end: 0; }
.markdown :is(h1, h2, h3, h4, h5, h6) { font-size: 1.0625rem; line-height: 1.35; font-weight: 650; margin-block: 1.25rem 0.5rem; }
.markdown :is(h1, h2) { font-size: 1.25rem; }
.markdown > :first-child { margin-block-start: 0; }
.markdown :is(ul, ol) { display: block; list-style: revert; padding-inline-start: 1.5rem; }
.markdown li { margin-block: 0.25rem; }
.markdown li > :is(p, ul, ol) { margin-block: 0.25rem; }
.markdown ul li:has(> input) { list-style: none; }
.markdown blockquote { padding-inline-start: 0.875rem; border-inline-start: 3px solid var(--line); color: var(--soft); }
.markdown hr { border: 0; border-block-start: 1px solid var(--line); }
.markdown a { color: var(--accent); text-underline-offset: 0.15em; }
.markdown :not(pre) > code { padding: 0.1em 0.35em; font: 0.875em var(--code); background: var(--surface); border-radius: 0.3em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9375rem; }
th, td { padding: 0.375rem 0.75rem; border: 1px solid var(--line); overflow-wrap: normal; }
:is(th, td):not([align]) { text-align: start; }
th { background: var(--surface); font-weight: 600; }
.code { border: 1px solid var(--line); border-radius: 0.625rem; overflow: hidden; }
.code-head {
  display: flex;
  align-items: center;
  justify-content: space-between;
  padding-inline: 0.875rem 0.25rem;
  background: var(--surface);
  font-size: 0.8125rem;
  color: var(--soft);
}
pre { margin: 0; padding: 0.75rem 0.875rem; overflow-x: auto; font: 0.875rem/1.5 var(--code); tab-size: 4; }
pre code { font: inherit; }
.thoughts { margin-block-end: 0.75rem; color: var(--soft); font-size: 0.9375rem; }
.thoughts summary { cursor: pointer; inline-size: fit-content; }
.thoughts div { white-space: pre-wrap; margin-block-start: 0.375rem; padding-inline-start: 0.875rem; border-inline-start: 2px solid var(--line); }

.notice { display: grid; gap: 0.5rem; justify-items: start; padding: 0.75rem 1.125rem; font-size: 0.9375rem; border-block-start: 1px solid var(--line); }
.hint { color: var(--soft); font-size: 0.875rem; }
.loading { grid-template-columns: 1fr auto; align-items: center; }
.loading p { grid-column: 1 / -1; font-variant-numeric: tabular-nums; }
.error { border-block-start-color: var(--wrong); max-block-size: 45%; overflow-y: auto; }
.error .title { font-weight: 650; color: var(--wrong); }
.error .detail { font-size: 0.8125rem; color: var(--soft); overflow-wrap: anywhere; margin-block-start: 0.25rem; }
progress { inline-size: 100%; block-size: 0.5rem; accent-color: var(--accent); }

.composer {
  display: flex;
  align-items: end;
  gap: 0.5rem;
  margin: 0.75rem;
  padding: 0.375rem;
  background: var(--surface);
  border: 1px solid light-dark(#8b8778, #767b7c);
  border-radius: 1.375rem;
}
.composer:focus-within { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
textarea { font: inherit; color: inherit; resize: none; }
.composer textarea {
  flex: 1;
  min-inline-size: 0;
  max-block-size: 9.5rem;
  padding: 0.3125rem 0.625rem;
  background: none;
  border: 0;
  outline: 0;
}
textarea::placeholder { color: var(--soft); opacity: 1; }
.edit { display: grid; gap: 0.5rem; }
.edit textarea { inline-size: 100%; padding: 0.5rem 0.75rem; background: var(--surface); border: 1px solid var(--soft); border-radius: 0.75rem; field-sizing: content; }
.row { display: flex; gap: 0.5rem; justify-content: end; }

button {
  display: inline-flex;
  align-items: center;
  gap: 0.375rem;
  min-block-size: 2.25rem;
  padding: 0.25rem 0.875rem;
  font: 600 0.875rem/1.2 inherit;
  font-family: inherit;
  color: var(--accent);
  background: none;
  border: 1px solid transparent;
  border-radius: 0.75rem;
  cursor: pointer;
}
button:hover { background: var(--surface); }
button.icon { justify-content: center; padding: 0; inline-size: 2.25rem; color: var(--soft); flex: none; }
button.icon:hover { color: var(--ink); }
button.main { color: var(--on-accent); background: var(--accent); }
button.main:hover { color: var(--on-accent); filter: brightness(1.1); }
button.main.icon { border-radius: 50%; flex: none; }
button.main:disabled { color: var(--soft); background: var(--line); filter: none; cursor: default; }
.notice button:not(.main), .edit button:not(.main) { border-color: var(--line); }
.code-head button:hover { background: var(--ground); }
button[data-said]::after { content: attr(data-said); margin-inline-start: 0.375rem; font-size: 0.75rem; }
button.icon[data-said] { inline-size: auto; padding-inline: 0.5rem; }
button.down { position: absolute; inset-block-end: 0.5rem; inset-inline-start: calc(50% - 1.125rem); background: var(--ground); border-color: var(--line); border-radius: 50%; box-shadow: 0 1px 4px rgb(0 0 0 / 15%); }
svg { inline-size: 1rem; block-size: 1rem; fill: none; stroke: currentcolor; stroke-width: 1.6; stroke-linecap: round; stroke-linejoin: round; }
[part~="stop"] svg { fill: currentcolor; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.scroll:focus-visible { outline-offset: -3px; border-radius: 0.25rem; }
.unseen { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@container (max-width: 26rem) {
  .scroll { padding: 0.875rem; }
  .composer { margin: 0.5rem; }
}
`;

/** @type {CSSStyleSheet | undefined} */
let made;

/** One sheet for all elements of a page. */
export function sheet() {
  if (!made) {
    made = new CSSStyleSheet();
    made.replaceSync(CSS);
  }
  return made;
}
