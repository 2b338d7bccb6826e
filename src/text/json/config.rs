//! What stands beside a `tokenizer.json`: which token has which role.

use serde_json::Value;

use super::file::Added;

const ROLES: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "pad_token", "cls_token", "sep_token", "mask_token"];

/// The parsed files beside a `tokenizer.json`, each `null` where there is none.
#[derive(Debug, Clone, Default)]
pub struct TokenizerFiles {
    /// `tokenizer_config.json`.
    pub config: Value,
    /// `special_tokens_map.json`, which older models have; the configuration counts before it.
    pub special_tokens_map: Value,
}

impl TokenizerFiles {
    /// The text of the token with a role (`bos_token`): a text or the `content` of an object.
    pub(super) fn token(&self, role: &str) -> Option<&str> {
        [&self.config, &self.special_tokens_map].into_iter().find_map(|file| {
            let value = file.get(role)?;
            value.as_str().or_else(|| value.get("content")?.as_str())
        })
    }

    /// Whether a token has any role.
    pub(super) fn names(&self, text: &str) -> bool {
        ROLES.iter().any(|role| self.token(role) == Some(text))
    }

    /// Whether any token has a role.
    pub(super) fn names_any(&self) -> bool {
        ROLES.iter().any(|role| self.token(role).is_some())
    }

    /// Whether a flag (`add_bos_token`) is set.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.config.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// The added tokens that the configuration lists, in the order of their ids.
    pub(super) fn added(&self) -> Vec<Added> {
        let Some(tokens) = self.config.get("added_tokens_decoder").and_then(Value::as_object) else {
            return Vec::new();
        };
        let places = (0u32..).zip(tokens.keys());
        let mut order: Vec<(u32, u32)> =
            places.filter_map(|(place, id)| Some((id.parse().ok()?, place))).collect();
        order.sort_unstable();
        let token = |(_, place): (u32, u32)| tokens.values().nth(place as usize);
        let read = |token: &Value| serde_json::from_value(token.clone()).ok();
        order.into_iter().filter_map(token).filter_map(read).collect()
    }
}
