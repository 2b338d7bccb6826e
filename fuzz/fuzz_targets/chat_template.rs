//! Any text as a chat template: an error or a prompt, within its fuel and so within a moment.
#![no_main]

use std::sync::LazyLock;

use intab::text::ChatTemplate;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

static VARIABLES: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    let variables = json!({
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": "What is the weather in Łódź?\n" },
            { "role": "assistant", "content": null, "tool_calls": [
                { "id": "1", "type": "function", "function": { "name": "weather", "arguments": { "city": "Łódź" } } },
            ] },
            { "role": "tool", "tool_call_id": "1", "name": "weather", "content": "{\"celsius\": 7.5}" },
        ],
        "tools": [
            { "type": "function", "function": { "name": "weather", "description": "Tells the weather", "parameters": {
                "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"],
            } } },
        ],
        "add_generation_prompt": true,
        "bos_token": "<s>",
        "eos_token": "</s>",
    });
    variables.as_object().cloned().expect("written above as an object")
});

fuzz_target!(|text: &str| {
    if let Ok(template) = ChatTemplate::new(text) {
        let _ = template.render(VARIABLES.clone(), 1_721_952_000);
    }
});
