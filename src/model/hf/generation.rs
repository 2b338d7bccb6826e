//! `generation_config.json`, or where there is none what `config.json` says of generation, as older folders do.

use serde_json::Value as Json;

use super::{Config, Keys};
use crate::{
    error::Result,
    format::Folder,
    model::{EarlyStopping, GenerationDefaults},
};

/// Options of transformers that change what is generated and are not run, with the values that switch them off.
const NOT_RUN: &[(&str, &[f64])] = &[
    ("typical_p", &[1.0]),
    ("epsilon_cutoff", &[0.0]),
    ("eta_cutoff", &[0.0]),
    ("penalty_alpha", &[0.0]),
    ("num_beam_groups", &[1.0]),
    ("diversity_penalty", &[0.0]),
    ("guidance_scale", &[0.0, 1.0]),
    ("top_h", &[]),
    ("force_words_ids", &[]),
    ("forced_decoder_ids", &[]),
    ("dola_layers", &[]),
    ("watermarking_config", &[]),
];

/// What a folder wants where the caller does not say.
///
/// # Errors
/// [`crate::Error::Format`] for a value that cannot be.
pub(super) fn defaults(folder: &Folder, config_keys: &Keys, config: &Config) -> Result<GenerationDefaults> {
    let own = match &folder.generation_config {
        Json::Null => None,
        json => Some(Keys::new(config_keys.file_beside("generation_config.json"), json)?),
    };
    let keys = own.as_ref().unwrap_or(config_keys);
    // Special tokens are often in `config.json` alone.
    let token = |name: &str| match token(keys, name)? {
        None if own.is_some() && !keys.is_null(name) => self::token(config_keys, name),
        token => Ok(token),
    };
    let mut eos = tokens(keys, "eos_token_id")?;
    if eos.is_empty() && own.is_some() && !keys.is_null("eos_token_id") {
        eos = tokens(config_keys, "eos_token_id")?;
    }
    let (bos, pad) = (token("bos_token_id")?, token("pad_token_id")?);
    let is_seq2seq = config.encoder.is_some() && config.decoder.is_some();
    let decoder_start = match token("decoder_start_token_id")?.or(bos) {
        _ if !is_seq2seq => None,
        // What T5 begins with.
        None => pad,
        start => start,
    };
    Ok(GenerationDefaults {
        eos,
        bos,
        pad,
        decoder_start,
        forced_bos: self::token(keys, "forced_bos_token_id")?,
        forced_eos: self::token(keys, "forced_eos_token_id")?,
        max_length: keys.opt_size(&["max_length"])?,
        max_new_tokens: keys.opt_size(&["max_new_tokens"])?,
        min_length: keys.opt_count(&["min_length"])?,
        do_sample: keys.opt_flag("do_sample")?,
        temperature: keys.opt_number(&["temperature"])?,
        top_k: keys.opt_count(&["top_k"])?.map(|k| k as u32),
        top_p: keys.opt_number(&["top_p"])?,
        min_p: keys.opt_number(&["min_p"])?,
        repetition_penalty: keys.opt_positive(&["repetition_penalty"])?,
        num_beams: keys.opt_size(&["num_beams"])?,
        length_penalty: keys.opt_number(&["length_penalty"])?,
        early_stopping: early_stopping(keys)?,
        no_repeat_ngram_size: keys.opt_count(&["no_repeat_ngram_size"])?.filter(|n| *n > 0),
        suppress: tokens(keys, "suppress_tokens")?,
        begin_suppress: tokens(keys, "begin_suppress_tokens")?,
        bad_words: bad_words(keys)?,
        sequence_bias: sequence_bias(keys)?,
        min_new_tokens: keys.opt_count(&["min_new_tokens"])?.filter(|n| *n > 0),
        encoder_repetition_penalty: keys.opt_positive(&["encoder_repetition_penalty"])?,
        encoder_no_repeat_ngram_size: keys.opt_count(&["encoder_no_repeat_ngram_size"])?,
        exponential_decay_length_penalty: decay(keys)?,
        renormalize_logits: keys.flag("renormalize_logits", false)?,
        not_run: not_run(keys),
    })
}

/// A token's number, alone or as the one member of a list; -1 stands for none in some folders.
fn token(keys: &Keys, name: &str) -> Result<Option<u32>> {
    Ok(tokens(keys, name)?.first().copied())
}

/// Numbers of tokens: one, or a list.
fn tokens(keys: &Keys, name: &str) -> Result<Vec<u32>> {
    let Some(value) = keys.get(name) else { return Ok(Vec::new()) };
    let list = match value {
        Json::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    list.iter().filter(|id| id.as_i64() != Some(-1)).map(|id| id_of(keys, name, id)).collect()
}

fn id_of(keys: &Keys, name: &str, value: &Json) -> Result<u32> {
    let id = value.as_u64().and_then(|id| u32::try_from(id).ok());
    id.ok_or_else(|| keys.bad(name, "it is not a token's number"))
}

fn early_stopping(keys: &Keys) -> Result<Option<EarlyStopping>> {
    match keys.get("early_stopping") {
        None => Ok(None),
        Some(Json::Bool(true)) => Ok(Some(EarlyStopping::Yes)),
        Some(Json::Bool(false)) => Ok(Some(EarlyStopping::No)),
        Some(Json::String(text)) if text == "never" => Ok(Some(EarlyStopping::Never)),
        Some(_) => Err(keys.bad("early_stopping", "it is not true, false or \"never\"")),
    }
}

fn bad_words(keys: &Keys) -> Result<Vec<Vec<u32>>> {
    let name = "bad_words_ids";
    let Some(list) = keys.opt_list(name)? else { return Ok(Vec::new()) };
    let word = |word: &Json| match word {
        Json::Array(ids) if !ids.is_empty() => ids.iter().map(|id| id_of(keys, name, id)).collect(),
        _ => Err(keys.bad(name, "it is not a list of lists of tokens' numbers")),
    };
    list.iter().map(word).collect()
}

/// `[[[1, 2], 0.5], …]`: sequences and what is added to their scores.
fn sequence_bias(keys: &Keys) -> Result<Vec<(Vec<u32>, f32)>> {
    let name = "sequence_bias";
    let bad = || keys.bad(name, "it is not a list of token lists and numbers");
    let Some(list) = keys.opt_list(name)? else { return Ok(Vec::new()) };
    let entry = |entry: &Json| {
        let ids = entry[0].as_array().filter(|ids| !ids.is_empty()).ok_or_else(bad)?;
        let ids = ids.iter().map(|id| id_of(keys, name, id)).collect::<Result<_>>()?;
        let bias = entry[1].as_f64().map(|x| x as f32).filter(|x| x.is_finite()).ok_or_else(bad)?;
        Ok((ids, bias))
    };
    list.iter().map(entry).collect()
}

/// `[start, factor]`.
fn decay(keys: &Keys) -> Result<Option<(usize, f32)>> {
    let name = "exponential_decay_length_penalty";
    let Some(list) = keys.opt_list(name)? else { return Ok(None) };
    match list.as_slice() {
        [start, factor] => {
            let start = start.as_u64().and_then(|n| usize::try_from(n).ok());
            let factor = factor.as_f64().map(|x| x as f32).filter(|x| x.is_finite() && *x > 0.0);
            let found = start.zip(factor);
            found.map(Some).ok_or_else(|| keys.bad(name, "it is not a place and a factor above 0"))
        }
        _ => Err(keys.bad(name, "it is not a place and a factor")),
    }
}

/// The options that are switched on and not run.
fn not_run(keys: &Keys) -> Vec<String> {
    let is_on = |(name, off): &&(&str, &[f64])| match keys.get(name) {
        None | Some(Json::Bool(false)) => false,
        Some(value) => value.as_f64().is_none_or(|x| !off.contains(&x)),
    };
    NOT_RUN.iter().filter(is_on).map(|(name, _)| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{Head, Problem};

    fn read(generation_config: Json, config: Json) -> Result<GenerationDefaults> {
        let folder = Folder { generation_config, ..Folder::default() };
        let blueprint = Config {
            architecture: "llama".into(),
            n_vocab: 1,
            n_ctx_train: 1,
            encoder: None,
            decoder: None,
            head: Head::LANGUAGE,
            n_token_types: 0,
            embedding_width: None,
            dense: Vec::new(),
            normalized_embeddings: false,
            labels: Vec::new(),
            problem: Problem::OneOf,
        };
        defaults(&folder, &Keys::new("m/config.json".into(), &config)?, &blueprint)
    }

    #[test]
    fn the_generation_config_counts_and_special_tokens_may_be_beside_it() {
        let generation =
            json!({ "top_p": 0.9, "eos_token_id": [5, 6], "num_beams": 4, "early_stopping": "never" });
        let found = read(generation, json!({ "bos_token_id": 1, "eos_token_id": 2, "top_k": 3 })).unwrap();
        assert_eq!((found.eos, found.bos, found.top_p, found.top_k), (vec![5, 6], Some(1), Some(0.9), None));
        assert_eq!((found.num_beams, found.early_stopping), (Some(4), Some(EarlyStopping::Never)));
    }

    #[test]
    fn an_old_folder_has_all_in_its_config() {
        let config = json!({ "eos_token_id": 2, "no_repeat_ngram_size": 3, "length_penalty": 2.0, "bad_words_ids": [[7]] });
        let found = read(Json::Null, config).unwrap();
        assert_eq!((found.eos, found.no_repeat_ngram_size), (vec![2], Some(3)));
        assert_eq!((found.length_penalty, found.bad_words), (Some(2.0), vec![vec![7]]));
    }

    #[test]
    fn what_is_not_run_is_named_and_what_is_off_is_not() {
        let off =
            json!({ "typical_p": 1.0, "num_beam_groups": 1, "dola_layers": false, "guidance_scale": null });
        assert!(read(off, json!({})).unwrap().not_run.is_empty());
        let on = json!({ "typical_p": 0.9, "penalty_alpha": 0.6, "force_words_ids": [[1]] });
        assert_eq!(read(on, json!({})).unwrap().not_run, ["typical_p", "penalty_alpha", "force_words_ids"]);
    }

    #[test]
    fn nonsense_names_its_file_and_key() {
        for (key, value) in
            [("eos_token_id", json!("x")), ("bad_words_ids", json!([1])), ("early_stopping", json!(3))]
        {
            let error = read(json!({ key: value }), json!({})).unwrap_err().to_string();
            assert!(error.starts_with(&format!("m/generation_config.json: {key}: ")), "{error}");
        }
    }
}
