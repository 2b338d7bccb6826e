import "../lib/chat.js";

// Usually the element names its model itself: <intab-chat model="/models/model.gguf"></intab-chat>
const source = new URLSearchParams(location.search).get("model") ?? "../models/intab-stories.gguf";
document.querySelector("intab-chat").setAttribute("model", source);
