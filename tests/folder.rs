//! Hugging Face folders: what is read from where, and what is said of those that are not whole.

#[path = "safetensors/inputs.rs"]
#[allow(dead_code)]
mod inputs;

use inputs::{INDEX, entry, files, of, open_folder, shards, small};
use intab::{
    Error,
    format::{self, Checkpoint, Dense},
};
use serde_json::json;

const MODEL: &str = "model.safetensors";

fn error(these: &[(&str, &[u8])]) -> Error {
    match open_folder(these) {
        Ok(_) => panic!("the folder was accepted"),
        Err(error) => error,
    }
}

/// The name and the problem of a file that could not be had.
fn source_error(these: &[(&str, &[u8])]) -> (String, String) {
    match error(these) {
        Error::Source { source_name, problem } => (source_name, problem),
        other => panic!("expected a source error, got: {other}"),
    }
}

#[test]
fn every_file_of_a_folder_comes_back() {
    let checkpoint = open_folder(&[
        ("config.json", br#"{"model_type": "bert", "limit": Infinity}"#),
        ("generation_config.json", br#"{"max_length": 20}"#),
        ("tokenizer.json", b"any bytes \xff"),
        ("tokenizer_config.json", br#"{"model_max_length": 1000000000000000019884624838656}"#),
        ("special_tokens_map.json", br#"{"pad_token": "<pad>"}"#),
        (MODEL, &small()),
        ("README.md", b"# a model"),
    ])
    .unwrap();
    let folder = checkpoint.folder.as_ref().unwrap();
    assert_eq!(folder.config, json!({ "model_type": "bert", "limit": null }));
    assert_eq!(folder.generation_config["max_length"], 20);
    assert_eq!(folder.tokenizer.as_deref(), Some(b"any bytes \xff".as_slice()));
    assert_eq!(folder.tokenizer_config["model_max_length"], 1e30);
    assert_eq!(folder.special_tokens_map["pad_token"], "<pad>");
    assert!(folder.modules.is_null() && folder.chat_template.is_none());
    assert_eq!(checkpoint.tensors.len(), 4);
    assert_eq!(checkpoint.metadata.values.keys().collect::<Vec<_>>(), ["general.name"]);
    assert_eq!(checkpoint.metadata.file, "the given files");
}

#[test]
fn only_the_configuration_and_the_weights_are_needed() {
    let weights = small();
    let checkpoint =
        open_folder(&[("bert/config.json", b"{}"), ("bert/model.safetensors", &weights)]).unwrap();
    let folder = checkpoint.folder.as_ref().unwrap();
    assert!(folder.generation_config.is_null() && folder.tokenizer_config.is_null());
    assert!(folder.tokenizer.is_none());
    assert_eq!(checkpoint.metadata.str("general.name"), Ok("bert"));
    assert_eq!(checkpoint.metadata.file, "bert");
}

#[test]
fn a_chat_template_comes_from_its_own_file_before_the_tokenizer_s_configuration() {
    let template = |these: &[(&str, &[u8])]| {
        let weights = small();
        let mut all: Vec<(&str, &[u8])> = vec![("config.json", b"{}"), (MODEL, &weights)];
        all.extend_from_slice(these);
        open_folder(&all).unwrap().folder.unwrap().chat_template
    };
    let one: (&str, &[u8]) = ("tokenizer_config.json", br#"{"chat_template": "one"}"#);
    let several = br#"{"chat_template": [{"name": "tool_use", "template": "x"}, {"name": "default", "template": "two"}]}"#;
    assert_eq!(template(&[one]).as_deref(), Some("one"));
    assert_eq!(template(&[("chat_template.jinja", b"file\n"), one]).as_deref(), Some("file\n"));
    assert_eq!(template(&[("tokenizer_config.json", several)]).as_deref(), Some("two"));
    assert_eq!(template(&[("tokenizer_config.json", br#"{"chat_template": []}"#)]), None);
}

fn open_shards(shards: &[(String, Vec<u8>)]) -> Result<Checkpoint, Error> {
    let all: Vec<(&str, &[u8])> =
        shards.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    open_folder(&all)
}

#[test]
fn a_model_in_several_files_loads_by_its_index() {
    let checkpoint = open_shards(&shards(3)).unwrap();
    assert_eq!(checkpoint.tensors.len(), 3);
    for i in 0..3 {
        let tensor = &checkpoint.tensors[&format!("t{i}")];
        assert_eq!(
            checkpoint.sources[tensor.source].name(),
            format!("model-{:05}-of-00003.safetensors", i + 1)
        );
        assert_eq!(pollster::block_on(checkpoint.read(tensor, 0, 4)).unwrap(), [0, 1, 2, 3]);
    }
}

#[test]
fn a_missing_file_of_several_is_named() {
    let mut parts = shards(3);
    parts.remove(1);
    let Err(Error::Source { source_name, problem }) = open_shards(&parts).map(|_| ()) else {
        panic!("accepted")
    };
    assert_eq!(source_name, "model-00002-of-00003.safetensors");
    assert!(problem.contains(INDEX), "{problem}");
}

#[test]
fn a_tensor_that_is_not_where_the_index_says_is_named() {
    let mut parts = shards(2);
    parts[0].1 = of(&[entry("other", "F32", &[1], [0, 4])], 4);
    let Err(Error::Format { file, field, problem, .. }) = open_shards(&parts).map(|_| ()) else {
        panic!("accepted")
    };
    assert_eq!((file.as_str(), field.as_str()), ("model-00001-of-00002.safetensors", "t0"));
    assert!(problem.contains("it is not"), "{problem}");
    // In another file than the index says.
    let mut parts = shards(2);
    let (first, second) = parts.split_at_mut(1);
    std::mem::swap(&mut first[0].1, &mut second[0].1);
    assert!(matches!(open_shards(&parts).map(|_| ()), Err(Error::Format { field, .. }) if field == "t0"));
}

#[test]
fn a_tensor_in_two_files_is_refused() {
    let mut parts = shards(2);
    parts[1].1 = of(&[entry("t0", "F32", &[1], [0, 4]), entry("t1", "F32", &[1], [4, 8])], 8);
    let error = open_shards(&parts).map(|_| ()).unwrap_err();
    assert!(matches!(&error, Error::Format { field, .. } if field == "t0"), "{error}");
    assert!(error.to_string().contains("another file of the model"), "{error}");
}

#[test]
fn an_index_cannot_lead_out_of_its_folder() {
    for file in ["../model.safetensors", "/etc/passwd", "https://x.example/w", "a/../../w", ""] {
        let index = json!({ "weight_map": { "w": file } }).to_string();
        let error = error(&[("config.json", b"{}"), (INDEX, index.as_bytes())]);
        assert!(error.to_string().contains("is not a file in this folder"), "{file}: {error}");
    }
    let many: serde_json::Map<_, _> =
        (0..2000).map(|i| (i.to_string(), format!("{i}.safetensors").into())).collect();
    let index = json!({ "weight_map": many }).to_string();
    let refused = error(&[("config.json", b"{}"), (INDEX, index.as_bytes())]);
    assert!(refused.to_string().contains("2000 files, but at most 1024"), "{refused}");
    for index in ["{}", "[]", "{\"weight_map\": {}}", "{\"weight_map\": {\"w\": 1}}", "{"] {
        let error = error(&[("config.json", b"{}"), (INDEX, index.as_bytes())]);
        assert!(matches!(&error, Error::Format { file, .. } if file == INDEX), "{index}: {error}");
    }
}

#[test]
fn weights_in_another_format_are_refused_by_name() {
    for file in ["pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack"] {
        let error = error(&[("config.json", b"{}"), (file, b"PK")]);
        let Error::Unsupported { what, found, hint } = &error else { panic!("{error}") };
        assert_eq!((*what, found.as_str()), ("weights file", file));
        assert!(hint.contains("safetensors"), "{hint}");
    }
    let (name, problem) = source_error(&[("config.json", b"{}")]);
    assert_eq!(name, MODEL);
    assert!(problem.contains(INDEX), "{problem}");
}

#[test]
fn an_adapter_is_no_model() {
    let weights = small();
    let error = error(&[("lora/adapter_config.json", b"{}"), ("lora/adapter_model.safetensors", &weights)]);
    let Error::Unsupported { what, found, .. } = &error else { panic!("{error}") };
    assert_eq!((*what, found.as_str()), ("folder of an adapter", "lora"));
}

#[test]
fn json_files_that_are_damaged_are_named() {
    let weights = small();
    for name in ["config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json"]
    {
        for text in ["", "{", "[1]", "7", "{\"a\": \"\\ud800\"}"] {
            let all = [("config.json", b"{}".as_slice()), (MODEL, &weights), (name, text.as_bytes())];
            let from = if name == "config.json" { 1 } else { 0 };
            let error = error(&all[from..]);
            assert!(matches!(&error, Error::Format { file, .. } if file == name), "{name} {text:?}: {error}");
        }
    }
    let long = vec![b' '; (16 << 20) + 1];
    let refused = error(&[("config.json", &long), (MODEL, &weights)]);
    assert!(refused.to_string().contains("at most 16777216 are read"), "{refused}");
    let refused = error(&[("config.json", b"{}"), (MODEL, &weights), ("chat_template.jinja", b"ab\xff")]);
    assert_eq!(refused.to_string(), "chat_template.jinja: text at byte 2: it is not valid UTF-8");
}

/// The modules that sentence-transformers writes, its class names of before and after version 5.
fn modules(last: &str) -> String {
    json!([
        { "idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer" },
        { "idx": 1, "name": "1", "path": "1_Pooling",
          "type": "sentence_transformers.sentence_transformer.modules.pooling.Pooling" },
        { "idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense" },
        { "idx": 3, "name": "3", "path": "3_Last", "type": last },
    ])
    .to_string()
}

#[test]
fn sentence_transformers_modules_are_read_with_their_weights() {
    let list = modules("sentence_transformers.models.Normalize");
    let weights = small();
    let dense = of(
        &[entry("linear.weight", "F32", &[2, 3], [0, 24]), entry("linear.bias", "F32", &[2], [24, 32])],
        32,
    );
    let whole: Vec<(&str, &[u8])> = vec![
        ("config.json", b"{}"),
        (MODEL, &weights),
        ("modules.json", list.as_bytes()),
        ("1_Pooling/config.json", br#"{"pooling_mode_mean_tokens": true}"#),
        ("2_Dense/config.json", br#"{"in_features": 3, "out_features": 2}"#),
        ("2_Dense/model.safetensors", &dense),
        ("sentence_bert_config.json", br#"{"max_seq_length": 256}"#),
        ("config_sentence_transformers.json", br#"{"prompts": {"query": "q: "}}"#),
    ];
    let checkpoint = open_folder(&whole).unwrap();
    let folder = checkpoint.folder.as_ref().unwrap();
    assert_eq!(folder.modules.as_array().unwrap().len(), 4);
    assert_eq!(folder.pooling, json!({ "pooling_mode_mean_tokens": true }));
    let config = json!({ "in_features": 3, "out_features": 2 });
    assert_eq!(folder.dense, [Dense { path: "2_Dense".into(), config }]);
    assert_eq!(folder.sentence_bert_config["max_seq_length"], 256);
    assert_eq!(folder.sentence_transformers_config["prompts"]["query"], "q: ");
    let w = &checkpoint.tensors["2_Dense/linear.weight"];
    assert_eq!(
        (w.shape.as_slice(), checkpoint.sources[w.source].name()),
        ([2, 3].as_slice(), "2_Dense/model.safetensors")
    );
    assert!(checkpoint.tensors.contains_key("2_Dense/linear.bias") && checkpoint.tensors.contains_key("w"));

    for missing in ["1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors"] {
        let rest: Vec<_> = whole.iter().filter(|(path, _)| *path != missing).copied().collect();
        assert_eq!(source_error(&rest).0, missing);
    }
}

#[test]
fn a_module_of_another_type_is_refused_by_name() {
    for kind in ["sentence_transformers.models.CNN", "custom_module.Pooling", ""] {
        let list = modules(kind);
        let error = error(&[("config.json", b"{}"), ("modules.json", list.as_bytes())]);
        let Error::Unsupported { what, found, .. } = &error else { panic!("{error}") };
        assert_eq!((*what, found.as_str()), ("sentence-transformers module", kind));
    }
    for path in ["../1_Pooling", "", "/"] {
        let list = modules("sentence_transformers.models.Normalize").replace("1_Pooling", path);
        let error = error(&[("config.json", b"{}"), ("modules.json", list.as_bytes())]);
        assert!(error.to_string().contains("[1].path: "), "{path}: {error}");
    }
    for list in ["{}", "[1]", "[{\"type\": \"sentence_transformers.models.Pooling\"}]"] {
        let error = error(&[("config.json", b"{}"), ("modules.json", list.as_bytes())]);
        assert!(matches!(&error, Error::Format { file, .. } if file == "modules.json"), "{list}: {error}");
    }
}

#[test]
fn an_old_folder_has_its_model_below() {
    let list = modules("sentence_transformers.models.Normalize").replace("\"\"", "\"0_Transformer\"");
    let list = list.replace("sentence_transformers.models.Dense", "sentence_transformers.models.Normalize");
    let weights = small();
    let checkpoint = open_folder(&[
        ("old/modules.json", list.as_bytes()),
        ("old/0_Transformer/config.json", br#"{"model_type": "bert"}"#),
        ("old/0_Transformer/model.safetensors", &weights),
        ("old/1_Pooling/config.json", b"{}"),
    ])
    .unwrap();
    assert_eq!(checkpoint.folder.as_ref().unwrap().config["model_type"], "bert");
    assert_eq!(checkpoint.metadata.str("general.name"), Ok("old"));
    assert_eq!(checkpoint.tensors.len(), 4);
}

#[test]
fn chosen_gguf_files_are_no_folder() {
    let mut writer = format::gguf_writer::GgufWriter::new();
    writer.tensor("g", intab::quant::DType::F32, &[1]).unwrap();
    let mut data = writer.start(Vec::new()).unwrap();
    data.write(&[0; 4]).unwrap();
    let gguf = data.finish().unwrap();
    let chosen = files(&[("d/config.json", b"{}"), ("d/README.md", b"#"), ("d/m.gguf", &gguf)]);
    let checkpoint = pollster::block_on(format::open_files(chosen)).unwrap();
    assert!(checkpoint.folder.is_none() && checkpoint.tensors.contains_key("g"));
}
