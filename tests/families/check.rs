//! A model's answers against those of Hugging Face transformers.

use intab::{
    Error,
    model::{EarlyStopping, Pool},
    run::{EmbedOptions, Engine, Event, GenerateOptions, Output, Text},
};
use pollster::block_on;
use serde_json::Value as Json;

fn ids(json: &Json) -> Vec<u32> {
    serde_json::from_value(json.clone()).unwrap_or_default()
}

fn floats(json: &Json) -> Vec<f32> {
    serde_json::from_value(json.clone()).unwrap()
}

/// Within 1e-3 of the range of what is expected.
fn close(what: &str, found: &[f32], expected: &[f32]) -> Result<(), String> {
    if found.len() != expected.len() {
        return Err(format!("{what}: {} numbers, not {}", found.len(), expected.len()));
    }
    let (min, max) = expected.iter().fold((f32::MAX, f32::MIN), |(a, b), x| (a.min(*x), b.max(*x)));
    // One score alone has no range but its own size.
    let range = if expected.len() == 1 { expected[0].abs() } else { max - min };
    let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    match worst <= 1e-3 * range {
        true => Ok(()),
        false => Err(format!("{what}: differs by {worst} in a range of {range}")),
    }
}

/// The best five of each row, in their order.
fn tops(what: &str, rows: &[f32], n_out: usize, expected: &Json) -> Result<(), String> {
    for (i, (row, top)) in rows.chunks_exact(n_out).zip(expected.as_array().unwrap()).enumerate() {
        let (min, max) = row.iter().fold((f32::MAX, f32::MIN), |(a, b), x| (a.min(*x), b.max(*x)));
        for entry in top.as_array().unwrap() {
            let (id, logit) = (entry[0].as_u64().unwrap() as usize, entry[1].as_f64().unwrap() as f32);
            let worst = (row[id] - logit).abs();
            if worst > 1e-3 * (max - min) {
                return Err(format!(
                    "{what}: logit {id} of row {i} differs by {worst} in a range of {}",
                    max - min
                ));
            }
        }
    }
    Ok(())
}

fn greedy_options(max_new_tokens: usize, ignore_eos: bool) -> GenerateOptions {
    let max_new_tokens = Some(max_new_tokens);
    GenerateOptions { temperature: 0.0, max_new_tokens, ignore_eos, ..GenerateOptions::default() }
}

fn generate(engine: &mut Engine, prompt: &[u32], options: GenerateOptions) -> Result<Output, String> {
    let mut generation = engine.generate(prompt, options).map_err(|error| error.to_string())?;
    loop {
        match block_on(generation.step(engine)) {
            Ok(Event::Done { output, .. }) => return Ok(output),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

pub fn decoder_agrees(engine: &mut Engine, expected: &Json) -> Result<(), String> {
    let prompt = ids(&expected["input_ids"]);
    let n_out = engine.facts().config.n_out();
    let text = |error: Error| error.to_string();
    let rows = block_on(engine.logits(&prompt)).map_err(text)?;
    tops("top", &rows, n_out, &expected["top"])?;
    close("last_logits", &rows[rows.len() - n_out..], &floats(&expected["last_logits"]))?;
    let greedy = ids(&expected["greedy"]);
    let output = generate(engine, &prompt, greedy_options(greedy.len(), true))?;
    if output.tokens != greedy {
        return Err(format!("greedy: {:?}, not {greedy:?}", output.tokens));
    }
    if let Some(mut ended) = expected.get("greedy_eos").map(ids) {
        let output = generate(engine, &prompt, greedy_options(greedy.len(), false))?;
        let end = ended.pop();
        if output.tokens != ended || !engine.defaults().eos.contains(&end.unwrap_or(0)) {
            return Err(format!("greedy_eos: {:?}, not {ended:?} and {end:?}", output.tokens));
        }
    }
    for (prompt, last) in inputs(&expected["ids_batch"], "last_logits") {
        let rows = block_on(engine.logits(&prompt)).map_err(text)?;
        close("ids_batch", &rows[rows.len() - n_out..], &floats(last))?;
    }
    beams_agree(engine, &prompt, expected, 0)
}

/// Beam searches by their arguments; the first `skip` ids are the decoder's start.
fn beams_agree(engine: &mut Engine, prompt: &[u32], expected: &Json, skip: usize) -> Result<(), String> {
    for key in ["beam4", "beam3_lp2_ngram2"] {
        let Some(mut wanted) = expected.get(key).map(ids) else { continue };
        let arguments = &expected[format!("{key}_arguments")];
        let number = |name: &str, usual: f64| arguments[name].as_f64().unwrap_or(usual);
        wanted.drain(..skip);
        let options = GenerateOptions {
            max_new_tokens: Some(number("max_new_tokens", wanted.len() as f64) as usize),
            num_beams: number("num_beams", 4.0) as usize,
            length_penalty: number("length_penalty", 1.0) as f32,
            early_stopping: match arguments["early_stopping"].as_bool() {
                Some(false) => EarlyStopping::No,
                _ => EarlyStopping::Yes,
            },
            no_repeat_ngram_size: number("no_repeat_ngram_size", 0.0) as usize,
            ..GenerateOptions::default()
        };
        let found = generate(engine, prompt, options)?.tokens;
        wanted.pop_if(|last| engine.defaults().eos.contains(last));
        if found != wanted {
            return Err(format!("{key}: {found:?}, not {wanted:?}"));
        }
    }
    Ok(())
}

/// The inputs of a batch with what each gave.
fn inputs<'a>(batch: &'a Json, key: &str) -> Vec<(Vec<u32>, &'a Json)> {
    let lists = |key: &str| batch[key].as_array().map(Vec::as_slice).unwrap_or_default();
    lists("input_ids").iter().map(ids).zip(lists(key)).collect()
}

/// What a text gave, by the keys that there are.
fn text_agrees(engine: &Engine, rows: &[f32], expected: &Json) -> Result<(), String> {
    let config = &engine.facts().config;
    let n_out = config.n_out();
    let get = |key: &str| expected.get(key);
    if let Some(logits) = get("logits") {
        let expected: Vec<f32> = match logits[0].as_array() {
            Some(_) => logits.as_array().unwrap().iter().flat_map(floats).collect(),
            None => floats(logits),
        };
        let found = match config.head.pool {
            Pool::Each => rows,
            Pool::Last => &rows[rows.len() - n_out..],
            Pool::First | Pool::Mean => &rows[..n_out],
        };
        close("logits", found, &expected)?;
    }
    for (c, key) in ["start_logits", "end_logits"].into_iter().enumerate() {
        if let Some(logits) = get(key) {
            let found: Vec<f32> = rows.iter().skip(c).step_by(2).copied().collect();
            close(key, &found, &floats(logits))?;
        }
    }
    if let Some(logits) = get("mask_logits") {
        let at = expected["mask_position"].as_u64().unwrap() as usize;
        close("mask_logits", &rows[at * n_out..][..n_out], &floats(logits))?;
    }
    if let Some(top) = get("top") {
        tops("top", rows, n_out, top)?;
    }
    if let Some(states) = get("last_hidden_state") {
        let expected: Vec<f32> = states.as_array().unwrap().iter().flat_map(floats).collect();
        close("last_hidden_state", rows, &expected)?;
    }
    Ok(())
}

fn embeddings_agree(engine: &mut Engine, text: Text<'_>, expected: &Json) -> Result<(), String> {
    for (key, pooling, normalize) in [
        ("mean_pooled_normalized", Pool::Mean, true),
        ("cls_hidden", Pool::First, false),
        ("last_pooled_normalized", Pool::Last, true),
    ] {
        let Some(embedding) = expected.get(key) else { continue };
        let options = EmbedOptions { pooling: Some(pooling), normalize: Some(normalize), dimensions: None };
        let found = block_on(engine.embed(&[text], options)).map_err(|error| error.to_string())?;
        close(key, &found[0], &floats(embedding))?;
    }
    Ok(())
}

fn rows_of(engine: &mut Engine, texts: &[Text<'_>], hidden: bool) -> Result<Vec<Vec<f32>>, String> {
    let rows = match hidden {
        true => block_on(engine.hidden_states(texts)),
        false => block_on(engine.outputs(texts)),
    };
    rows.map_err(|error| error.to_string())
}

pub fn encoder_agrees(engine: &mut Engine, expected: &Json) -> Result<(), String> {
    if let Some(labels) = expected["id2label"].as_object() {
        let expected: Vec<&str> =
            (0..labels.len()).map(|i| labels[&i.to_string()].as_str().unwrap()).collect();
        if engine.facts().config.labels != expected {
            return Err(format!("labels: {:?}", engine.facts().config.labels));
        }
    }
    let (input, types) = (ids(&expected["input_ids"]), ids(&expected["token_type_ids"]));
    let has_types = !types.is_empty() && engine.facts().config.n_token_types > 0;
    let text = Text { ids: &input, types: has_types.then_some(&types[..]) };
    // Of a base model the hidden states are wanted, whatever head its file lets it have.
    let hidden = expected.get("last_hidden_state").is_some();
    let rows = rows_of(engine, &[text], hidden)?;
    text_agrees(engine, &rows[0], expected)?;
    embeddings_agree(engine, text, expected)?;

    let batch = &expected["ids_batch"];
    let list = |key: &str| batch[key].as_array().cloned().unwrap_or_default();
    let inputs: Vec<Vec<u32>> = list("input_ids").iter().map(ids).collect();
    let types: Vec<Vec<u32>> = list("token_type_ids").iter().map(ids).collect();
    let texts = inputs.iter().enumerate();
    let texts =
        texts.map(|(i, ids)| Text { ids, types: types.get(i).filter(|_| has_types).map(Vec::as_slice) });
    let texts: Vec<Text> = texts.collect();
    let all = rows_of(engine, &texts, hidden)?;
    for (i, (rows, text)) in all.iter().zip(&texts).enumerate() {
        let own = batch.as_object().unwrap().iter().map(|(key, values)| (key.clone(), values[i].clone()));
        let own = Json::Object(own.collect());
        let in_batch = |problem| format!("text {i} of a batch: {problem}");
        text_agrees(engine, rows, &own).map_err(in_batch)?;
        embeddings_agree(engine, *text, &own).map_err(in_batch)?;
    }
    Ok(())
}

pub fn seq2seq_agrees(engine: &mut Engine, expected: &Json) -> Result<(), String> {
    let text = |error: Error| error.to_string();
    let source = ids(&expected["input_ids"]);
    let n_out = engine.facts().config.n_out();
    let begin = ids(&expected["decoder_input_ids"]);
    block_on(engine.read_source(&source)).map_err(text)?;
    let rows = block_on(engine.logits(&begin)).map_err(text)?;
    tops("top", &rows, n_out, &expected["top"])?;
    close("last_logits", &rows[rows.len() - n_out..], &floats(&expected["last_logits"]))?;
    for (source, last) in inputs(&expected["ids_batch"], "last_logits") {
        block_on(engine.read_source(&source)).map_err(text)?;
        let rows = block_on(engine.logits(&begin)).map_err(text)?;
        close("ids_batch", &rows[rows.len() - n_out..], &floats(last))?;
    }

    let mut greedy = ids(&expected["greedy"]);
    let max_new_tokens = expected["greedy_arguments"]["max_new_tokens"].as_u64();
    let max_new_tokens = max_new_tokens.map_or(greedy.len() - 1, |n| n as usize);
    let output = generate(engine, &source, greedy_options(max_new_tokens, false))?;
    let start = greedy.remove(0);
    greedy.pop_if(|last| engine.defaults().eos.contains(last));
    if engine.defaults().decoder_start != Some(start) || output.tokens != greedy {
        let found = (engine.defaults().decoder_start, output.tokens);
        return Err(format!("greedy: {found:?}, not {start} and {greedy:?}"));
    }
    beams_agree(engine, &source, expected, 1)
}
