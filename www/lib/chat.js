// `<intab-chat>`: a conversation with a model, as one element. Importing this module defines it.
//
//   <script type="module" src="/lib/chat.js"></script>
//   <intab-chat model="/models/model.gguf"></intab-chat>

import { IntabChat } from "./chat/element.js";

export { IntabChat };

/**
 * @typedef {import("./chat/types.js").ChatAttribute} ChatAttribute
 * @typedef {import("./chat/types.js").ChatEvents} ChatEvents
 * @typedef {import("./chat/types.js").ChatState} ChatState
 * @typedef {import("./chat/types.js").Said} Said
 */

// Another copy of the library may have come first.
if (!customElements.get("intab-chat")) customElements.define("intab-chat", IntabChat);
