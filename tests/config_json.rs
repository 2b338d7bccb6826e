//! What a Hugging Face folder may say of a model: other names for the same weights are read alike, what is not run is refused
//! by its name, and nonsense names the key.

mod common;

use common::folder::Folder;
use intab::run::{EmbedOptions, Engine, Text};
use pollster::block_on;
use serde_json::{Value as Json, json};

fn ids(json: &Json) -> Vec<u32> {
    serde_json::from_value(json.clone()).unwrap()
}

fn floats(json: &Json) -> Vec<f32> {
    serde_json::from_value(json.clone()).unwrap()
}

/// Whether the last row of a decoder's logits is the reference's.
#[track_caller]
fn last_logits_agree(engine: &mut Engine, expected: &Json) {
    let expected_row = floats(&expected["last_logits"]);
    let rows = block_on(engine.logits(&ids(&expected["input_ids"]))).unwrap();
    let nmse = common::nmse(&expected_row, &rows[rows.len() - expected_row.len()..]);
    assert!(nmse < 1e-8, "NMSE {nmse}");
}

/// Whether an encoder's hidden states are the reference's.
#[track_caller]
fn hidden_states_agree(engine: &mut Engine, expected: &Json) {
    let (input, types) = (ids(&expected["input_ids"]), ids(&expected["token_type_ids"]));
    let rows = block_on(engine.hidden_states(&[Text { ids: &input, types: Some(&types) }])).unwrap();
    let expected: Vec<f32> =
        expected["last_hidden_state"].as_array().unwrap().iter().flat_map(floats).collect();
    let nmse = common::nmse(&expected, &rows[0]);
    assert!(nmse < 1e-8, "NMSE {nmse}");
}

#[test]
fn old_names_of_layer_norms_and_the_prefix_of_a_head_model_are_read() {
    let mut folder = Folder::of("bert");
    folder.rename(|name| {
        let name =
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
        format!("bert.{name}")
    });
    // What a checkpoint for pre-training has besides.
    folder.add_zeros("cls.seq_relationship.weight", &[2, 24]);
    folder.add_zeros("cls.predictions.bias", &[99]);
    hidden_states_agree(&mut folder.load().unwrap(), &folder.expected);
}

#[test]
fn buffers_that_old_versions_saved_are_left_alone() {
    let mut folder = Folder::of("gpt2-bare");
    folder.add_zeros("h.0.attn.bias", &[1, 1, 64, 64]);
    folder.add_zeros("h.1.attn.masked_bias", &[]);
    last_logits_agree(&mut folder.load().unwrap(), &folder.expected);
    let mut folder = Folder::of("llama-linear");
    folder.add_zeros("model.layers.0.self_attn.rotary_emb.inv_freq", &[4]);
    last_logits_agree(&mut folder.load().unwrap(), &folder.expected);
}

#[test]
fn experts_packed_as_transformers_has_them_in_memory_are_read() {
    let mut folder = Folder::of("qwen3_moe");
    let info = |rows: usize, cols: usize, start: usize, end: usize| json!({ "dtype": "BF16", "shape": [5, rows, cols], "data_offsets": [start, end] });
    for layer in 0..2 {
        let at = format!("model.layers.{layer}.mlp.experts");
        let mut pack = |parts: &[&str], packed: &str, rows: usize, cols: usize| {
            let start = folder.data.len();
            for expert in 0..5 {
                for part in parts {
                    let name = format!("{at}.{expert}.{part}.weight");
                    let bytes = folder.bytes(&name).to_vec();
                    folder.data.extend(bytes);
                    folder.tensors.remove(&name);
                }
            }
            folder.tensors.insert(format!("{at}.{packed}"), info(rows, cols, start, folder.data.len()));
        };
        pack(&["gate_proj", "up_proj"], "gate_up_proj", 40, 32);
        pack(&["down_proj"], "down_proj", 32, 20);
    }
    // The bytes of single experts are no tensor's any more.
    let mut data = Vec::new();
    for info in folder.tensors.values_mut() {
        let [start, end] = [0, 1].map(|i| info["data_offsets"][i].as_u64().unwrap() as usize);
        let at = data.len();
        data.extend_from_slice(&folder.data[start..end]);
        info["data_offsets"] = json!([at, data.len()]);
    }
    folder.data = data;
    last_logits_agree(&mut folder.load().unwrap(), &folder.expected);
}

#[test]
fn the_text_half_of_gemma_3_is_run_alone() {
    let mut folder = Folder::of("gemma3");
    let text = std::mem::take(&mut folder.config);
    folder.config = json!({
        "architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "text_config": text,
        "vision_config": { "hidden_size": 8 }, "eos_token_id": [1, 106],
    });
    folder.rename(|name| format!("language_model.{name}"));
    folder.add_zeros("vision_tower.vision_model.embeddings.patch_embedding.weight", &[8, 3, 2, 2]);
    folder.add_zeros("multi_modal_projector.mm_soft_emb_norm.weight", &[8]);
    let mut engine = folder.load().unwrap();
    last_logits_agree(&mut engine, &folder.expected);
    assert_eq!(engine.defaults().eos, [1, 106]);
}

#[test]
fn an_output_layer_of_its_own_counts_even_where_the_config_ties_it() {
    let mut folder = Folder::of("gpt2");
    let n_vocab = folder.config["vocab_size"].as_u64().unwrap() as usize;
    let width = folder.config["n_embd"].as_u64().unwrap() as usize;
    folder.add_zeros("lm_head.weight", &[n_vocab, width]);
    let logits = block_on(folder.load().unwrap().logits(&[7, 8])).unwrap();
    assert!(logits.iter().all(|x| *x == 0.0));
}

#[test]
fn layers_after_the_pooling_are_run() {
    let mut folder = Folder::of("bert");
    let mut rng = common::rng();
    let (w, b) = (common::floats(&mut rng, 10 * 24), common::floats(&mut rng, 10));
    let module = |i: usize, kind: &str, path: &str| json!({ "idx": i, "name": i.to_string(), "path": path, "type": format!("sentence_transformers.models.{kind}") });
    let modules = json!([
        module(0, "Transformer", ""),
        module(1, "Pooling", "1_Pooling"),
        module(2, "Dense", "2_Dense")
    ]);
    let dense = json!({
        "in_features": 24, "out_features": 10, "bias": true, "activation_function": "torch.nn.modules.activation.Tanh",
    });
    let pooling = json!({ "word_embedding_dimension": 24, "pooling_mode_cls_token": true });
    for (path, json) in
        [("modules.json", modules), ("1_Pooling/config.json", pooling), ("2_Dense/config.json", dense)]
    {
        folder.files.push((format!("m/{path}"), serde_json::to_vec(&json).unwrap()));
    }
    let weights = Folder::file(&[("linear.weight", &[10, 24], &w), ("linear.bias", &[10], &b)]);
    folder.files.push(("m/2_Dense/model.safetensors".into(), weights));

    let (input, types) = (ids(&folder.expected["input_ids"]), ids(&folder.expected["token_type_ids"]));
    let options = EmbedOptions { pooling: None, normalize: None, dimensions: None };
    let mut engine = folder.load().unwrap();
    let found = block_on(engine.embed(&[Text { ids: &input, types: Some(&types) }], options)).unwrap();
    let x = floats(&folder.expected["cls_hidden"]);
    let row = |i: usize| w[i * 24..][..24].iter().zip(&x).map(|(w, x)| w * x).sum::<f32>() + b[i];
    let expected: Vec<f32> = (0..10).map(|i| row(i).tanh()).collect();
    let nmse = common::nmse(&expected, &found[0]);
    assert!(nmse < 1e-9, "NMSE {nmse}");
}

#[test]
fn what_is_not_run_is_refused_by_name() {
    let llama = "llama-linear";
    for (name, key, value, refusal) in [
        (llama, "model_type", json!("mamba"), "unsupported architecture `mamba`"),
        (
            llama,
            "rope_scaling",
            json!({ "rope_type": "foo", "factor": 2.0 }),
            "unsupported rope scaling `foo`",
        ),
        (llama, "hidden_act", json!("mish"), "unsupported activation `mish`"),
        (
            llama,
            "quantization_config",
            json!({ "quant_method": "gptq", "bits": 4 }),
            "unsupported quantization `gptq`",
        ),
        (
            llama,
            "architectures",
            json!(["LlamaForTelepathy"]),
            "unsupported architecture `LlamaForTelepathy`",
        ),
        (
            "qwen2",
            "layer_types",
            json!(["linear_attention", "linear_attention", "linear_attention"]),
            "unsupported layer type `\"linear_attention\"`",
        ),
        (
            "bert",
            "position_embedding_type",
            json!("relative_key"),
            "unsupported position embedding `relative_key`",
        ),
        ("bert", "is_decoder", json!(true), "unsupported feature `is_decoder`"),
        ("bert-classify", "problem_type", json!("other"), "unsupported problem type `other`"),
        (
            "gpt2",
            "scale_attn_by_inverse_layer_idx",
            json!(true),
            "unsupported feature `scale_attn_by_inverse_layer_idx`",
        ),
        ("mpt", "attn_config", json!({ "alibi": false }), "unsupported feature `attn_config.alibi false`"),
        (
            "marian",
            "share_encoder_decoder_embeddings",
            json!(false),
            "unsupported feature `share_encoder_decoder",
        ),
        ("t5", "feed_forward_proj", json!("gated-mish"), "unsupported activation `gated-mish`"),
    ] {
        let mut folder = Folder::of(name);
        folder.config[key] = value;
        let found = folder.refusal();
        assert!(found.starts_with(refusal), "{name} with another {key}: {found}");
    }
}

#[test]
fn nonsense_names_the_key() {
    let llama = "llama-linear";
    for (name, key, value) in [
        (llama, "num_attention_heads", json!(0)),
        (llama, "num_attention_heads", json!(-4)),
        (llama, "num_key_value_heads", json!(3)),
        ("gpt2", "n_head", json!(5)),
        (llama, "hidden_size", json!(1u64 << 24)),
        (llama, "vocab_size", json!("many")),
        (llama, "num_hidden_layers", json!(1_000_000)),
        (llama, "max_position_embeddings", json!(0.5)),
        ("phi", "partial_rotary_factor", json!(3.0)),
        ("qwen2", "layer_types", json!(["full_attention"])),
        ("mixtral", "num_experts_per_tok", json!(9)),
        ("mixtral", "num_local_experts", json!(16_000_000)),
        ("gptj", "rotary_dim", json!(13)),
        ("gpt_neo", "attention_types", json!([[["global", "local"], 1_000_000_000]])),
        ("albert-classify", "num_hidden_groups", json!(9)),
        ("bart", "encoder_attention_heads", json!(7)),
        ("bert-classify", "id2label", json!({ "0": "a", "7": "b" })),
    ] {
        let mut folder = Folder::of(name);
        // Newer configs say it elsewhere, and that counts first.
        if key == "partial_rotary_factor" {
            folder.config.as_object_mut().unwrap().remove("rope_parameters");
        }
        folder.config[key] = value.clone();
        let found = folder.refusal();
        assert!(found.starts_with(&format!("m/config.json: {key}: ")), "{name} with {key} {value}: {found}");
    }
}

#[test]
fn a_missing_or_misshapen_tensor_is_told_by_its_own_name() {
    for (name, tensor) in [
        ("qwen2", "model.layers.1.self_attn.k_proj.weight"),
        ("qwen2", "model.layers.1.self_attn.k_proj.bias"),
        ("gpt2", "transformer.h.0.attn.c_attn.weight"),
        ("mixtral", "model.layers.0.block_sparse_moe.experts.2.w1.weight"),
        ("bert-classify", "bert.pooler.dense.weight"),
        ("t5", "decoder.block.0.layer.1.EncDecAttention.k.weight"),
        ("bart", "model.encoder.layernorm_embedding.bias"),
    ] {
        let mut folder = Folder::of(name);
        let info = folder.tensors.remove(tensor).unwrap_or_else(|| panic!("{name} has no {tensor}"));
        // Its bytes stay another tensor's, which nobody needs but everybody knows.
        folder.tensors.insert("rotary_emb.inv_freq".into(), info);
        let found = folder.refusal();
        let stem = tensor.strip_suffix(".bias").unwrap_or(tensor);
        assert!(found.contains(stem), "{name} without {tensor}: {found}");
    }
    let mut folder = Folder::of("gpt2");
    folder.tensors["transformer.wpe.weight"]["shape"] = json!([36, 64]);
    let found = folder.refusal();
    let problem = "its shape is [36, 64], the metadata call for [64, 36]";
    assert!(found.contains("transformer.wpe.weight at byte ") && found.ends_with(problem), "{found}");
}

#[test]
fn a_tensor_that_nobody_knows_is_refused_by_name() {
    for name in ["llama-linear", "bert", "t5", "bart", "falcon-7b"] {
        let mut folder = Folder::of(name);
        folder.add_zeros("model.layers.0.self_attn.surprise.weight", &[4, 4]);
        assert!(folder.refusal().contains("model.layers.0.self_attn.surprise.weight"), "{name}");
    }
}

#[test]
fn no_config_makes_it_panic() {
    let values = [
        json!(null),
        json!(0),
        json!(1),
        json!(3),
        json!(-1),
        json!((1 << 24) - 1),
        json!(1u64 << 40),
        json!(1e300),
        json!(1e-30),
        json!(true),
        json!(false),
        json!(""),
        json!("x"),
        json!([]),
        json!([0, 1]),
        json!({}),
        json!({ "rope_type": "yarn", "factor": 1e30 }),
    ];
    let mut rng = common::rng();
    for name in [
        "llama-yarn",
        "phi3-long",
        "gemma3",
        "qwen2_moe",
        "gpt_oss",
        "falcon-40b",
        "mpt-clip",
        "gpt_neo",
        "opt-postnorm",
        "albert-mlm",
        "mpnet",
        "modernbert-cls",
        "nomic_bert-hub",
        "new-rerank",
        "umt5",
        "marian",
        "stablelm-parallel",
    ] {
        let mut folder = Folder::of(name);
        let keys: Vec<String> = folder.config.as_object().unwrap().keys().cloned().collect();
        for _ in 0..60 {
            let config = folder.config.clone();
            for _ in 0..rng.usize(1..3) {
                let key = &keys[rng.usize(..keys.len())];
                folder.config[key] = values[rng.usize(..values.len())].clone();
            }
            // It may be refused, or run as what it then is.
            if let Ok(mut engine) = folder.load() {
                let text = [Text { ids: &[3, 4, 5], types: None }];
                let _ = block_on(engine.outputs(&text));
            }
            folder.config = config;
        }
    }
}

/// Weights, a bias, and the embeddings by which the names of all others are found.
#[test]
fn a_weight_of_a_type_that_is_not_read_names_itself_and_the_type() {
    for (model, tensor, dtype, bits) in [
        ("llama-linear", "model.layers.1.self_attn.q_proj.weight", "F8_E4M3", 8),
        ("llama-linear", "model.embed_tokens.weight", "I64", 64),
        ("llama-linear", "lm_head.weight", "F64", 64),
        ("bert", "encoder.layer.0.attention.self.query.bias", "I64", 64),
        ("qwen3_moe", "model.layers.0.mlp.experts.1.up_proj.weight", "F8_E5M2", 8),
    ] {
        let mut folder = Folder::of(model);
        folder.retype(tensor, dtype, bits);
        let error = folder.refusal();
        assert!(error.contains(&format!("tensor type `{dtype}`")), "{error}");
        assert!(error.contains(&format!("tensor {tensor} of")), "{error}");
    }
    // A buffer that nothing uses may be of any type.
    let mut folder = Folder::of("bert");
    folder.add_zeros("embeddings.position_ids", &[1, 40]);
    folder.retype("embeddings.position_ids", "I64", 64);
    hidden_states_agree(&mut folder.load().unwrap(), &folder.expected);
}
