//! Files that are no adapters of the model, or of a kind that is not run: each is refused by name.

use std::rc::Rc;

use intab::{
    Error,
    format::{self, MemorySource, Source},
    run::{AdapterOptions, Engine, Prefer},
};
use pollster::block_on;
use serde_json::{Value as Json, json};

use super::{common, engine};

/// The files of an adapter in tests/data/adapters while a test changes them.
struct Folder {
    config: Json,
    weights: Vec<u8>,
}

impl Folder {
    fn of(name: &str) -> Folder {
        let read =
            |file: &str| std::fs::read(common::repo(&format!("tests/data/adapters/{name}/{file}"))).unwrap();
        let config = serde_json::from_slice(&read("adapter_config.json")).unwrap();
        Folder { config, weights: read("adapter_model.safetensors") }
    }

    fn with(mut self, key: &str, value: Json) -> Folder {
        self.config[key] = value;
        self
    }

    /// With its header's text changed, to one as long.
    fn renamed(mut self, from: &str, to: &str) -> Folder {
        assert_eq!(from.len(), to.len());
        let text = String::from_utf8_lossy(&self.weights).into_owned();
        assert!(text.contains(from), "{from}");
        let len = u64::from_le_bytes(self.weights[..8].try_into().unwrap()) as usize;
        let header = String::from_utf8(self.weights[8..8 + len].to_vec()).unwrap().replace(from, to);
        self.weights[8..8 + len].copy_from_slice(header.as_bytes());
        self
    }

    /// Why it is not loaded with a model.
    fn refused_by(&self, engine: &mut Engine) -> Error {
        let config = serde_json::to_vec(&self.config).unwrap();
        let files =
            [("a/adapter_config.json", config), ("a/adapter_model.safetensors", self.weights.clone())];
        let source = |(path, bytes): (&str, Vec<u8>)| {
            (path.to_owned(), Rc::new(MemorySource::new(path, bytes)) as Rc<dyn Source>)
        };
        let opened = block_on(format::open_adapter_files(files.into_iter().map(source).collect()));
        let before = engine.counters();
        let error = opened
            .and_then(|files| block_on(engine.load_adapter(&files, &AdapterOptions::default())))
            .expect_err("it was loaded");
        assert_eq!(engine.counters(), before);
        error
    }
}

fn model(name: &str) -> Engine {
    engine(&common::repo(&format!("tests/data/models/{name}")), Prefer::Cpu, None).unwrap()
}

fn qwen3() -> Engine {
    model("qwen3")
}

#[track_caller]
fn says(error: &Error, class: &str, text: &str) {
    assert!(error.class() == class && error.to_string().contains(text), "{}: {error}", error.class());
}

#[test]
fn kinds_of_adapters_that_are_not_run_are_named() {
    for kind in ["IA3", "ADALORA", "P_TUNING", "PREFIX_TUNING", "LOHA", "VERA", "OFT"] {
        let error = Folder::of("rslora").with("peft_type", kind.into()).refused_by(&mut qwen3());
        says(&error, "UnsupportedError", &format!("adapter `{kind}`"));
    }
    let mut folder = Folder::of("rslora");
    folder.config.as_object_mut().unwrap().remove("peft_type");
    says(&folder.refused_by(&mut qwen3()), "FormatError", "peft_type: the key is missing");
}

#[test]
fn options_of_lora_that_are_not_run_are_named() {
    for (key, value) in [
        ("use_qalora", json!(true)),
        ("layer_replication", json!([[0, 2], [1, 2]])),
        ("target_parameters", json!(["mlp.experts.gate_up_proj"])),
        ("trainable_token_indices", json!([1, 2])),
        ("alora_invocation_tokens", json!([5])),
        ("megatron_config", json!({"a": 1})),
        ("ensure_weight_tying", json!(true)),
        ("something_new", json!("x")),
    ] {
        let error = Folder::of("rslora").with(key, value).refused_by(&mut qwen3());
        says(&error, "UnsupportedError", &format!("option of LoRA `{key}`"));
    }
    for how in ["pissa", "pissa_niter_16", "olora", "corda", "loftq"] {
        let error = Folder::of("rslora").with("init_lora_weights", how.into()).refused_by(&mut qwen3());
        says(&error, "UnsupportedError", &format!("init_lora_weights `{how}`"));
    }
}

#[test]
fn a_rank_that_is_not_the_configs_is_named_with_its_tensor() {
    let error = Folder::of("rslora").with("r", 5.into()).refused_by(&mut qwen3());
    says(&error, "FormatError", "q_proj.lora_A.weight");
    says(&error, "FormatError", "its rank is 4, adapter_config.json calls for 5");
}

#[test]
fn a_module_that_the_model_does_not_have_is_named() {
    let error = Folder::of("rslora").renamed("layers.1.self_attn.q_proj", "layers.9.self_attn.q_proj");
    says(&error.refused_by(&mut qwen3()), "FormatError", "no module `model.layers.9.self_attn.q_proj`");
    let error = Folder::of("classifier").refused_by(&mut qwen3());
    says(&error, "FormatError", "no module `bert.encoder.layer.0.attention.self.query`");
}

#[test]
fn an_adapter_of_a_model_of_another_size_is_refused() {
    let error = Folder::of("rslora").refused_by(&mut model("smollm3"));
    says(&error, "FormatError", "the model's");
}

#[test]
fn half_an_adapter_is_refused() {
    let error =
        Folder::of("rslora").renamed("layers.1.self_attn.q_proj.lora_B", "layers.1.self_attn.q_proj.lora_X");
    says(&error.refused_by(&mut qwen3()), "FormatError", "LoRA has no such tensor");
    let mut short = Folder::of("rslora");
    short.weights.truncate(short.weights.len() - 100);
    says(&short.refused_by(&mut qwen3()), "FormatError", "adapter_model.safetensors");
    let mut nan = Folder::of("rslora");
    let end = nan.weights.len();
    nan.weights[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    says(&nan.refused_by(&mut qwen3()), "NotFiniteError", "lora_");
}

#[test]
fn dora_needs_its_magnitudes_and_lora_has_none() {
    says(
        &Folder::of("rslora").with("use_dora", true.into()).refused_by(&mut qwen3()),
        "FormatError",
        "lora_magnitude_vector is missing",
    );
    says(
        &Folder::of("dora").with("use_dora", false.into()).refused_by(&mut model("qwen2")),
        "FormatError",
        "which the config does not name",
    );
}

#[test]
fn experts_are_not_adapted() {
    let module = "model.layers.0.block_sparse_moe.experts.0.w1";
    let [a, b] = ["A", "B"].map(|which| format!("base_model.model.{module}.lora_{which}.weight"));
    let weights = common::folder::Folder::file(&[(&a, &[4, 32], &[0.5; 128]), (&b, &[28, 4], &[0.5; 112])]);
    let folder = Folder { weights, ..Folder::of("rslora") };
    says(
        &folder.refused_by(&mut model("mixtral")),
        "UnsupportedError",
        &format!("adapter module `{module}`"),
    );
}

#[test]
fn a_soft_prompt_of_another_width_or_task_is_refused() {
    says(&Folder::of("prompt").refused_by(&mut model("gemma2")), "UnsupportedError", "scale or project");
    says(
        &Folder::of("prompt").refused_by(&mut model("bert-classify")),
        "UnsupportedError",
        "soft prompt `bert`",
    );
    let error = Folder::of("prompt").with("task_type", "SEQ_CLS".into()).refused_by(&mut model("gpt2"));
    says(&error, "UnsupportedError", "task of a soft prompt `SEQ_CLS`");
    let error = Folder::of("prompt").with("num_virtual_tokens", 5.into()).refused_by(&mut model("gpt2"));
    says(&error, "FormatError", "`num_virtual_tokens` is 5");
}

#[test]
fn a_whole_model_is_no_adapter_and_an_adapter_is_no_model() {
    for path in ["tests/data/models/qwen3", "tests/data/models/qwen3.gguf"] {
        let error = block_on(format::open_adapter_path(common::repo(path))).err().unwrap();
        says(&error, "UnsupportedError", "it is a whole model");
    }
    for path in ["tests/data/adapters/llama", "tests/data/adapters/llama/adapter.gguf"] {
        let error = block_on(format::open_path(common::repo(path))).err().unwrap();
        says(&error, "UnsupportedError", "it is not a whole model");
    }
}

#[test]
fn peft_names_on_a_gguf_model_of_an_unknown_family_are_refused() {
    let error = Folder::of("rslora").refused_by(&mut model("falcon-7b.gguf"));
    says(&error, "UnsupportedError", "GGUF model for an adapter `falcon`");
}

#[test]
fn damage_anywhere_is_an_error_or_another_adapter_but_no_panic() {
    let mut rng = common::rng();
    let mut engine = qwen3();
    let before = engine.counters();
    for i in 0..400 {
        let own = Folder::of(["rslora", "embeddings", "lora-bias", "save-head"][i % 4]);
        let mut files = [serde_json::to_vec(&own.config).unwrap(), own.weights];
        let file = &mut files[usize::from(rng.bool())];
        let len = file.len().min(4000); // the header, which says most
        for _ in 0..rng.usize(1..4) {
            file[rng.usize(0..len)] =
                if rng.bool() { rng.u8(..) } else { b"0123456789[]{}\",:."[rng.usize(0..18)] };
        }
        let paths = ["adapter_config.json", "adapter_model.safetensors"];
        let source = |(path, bytes): (&str, Vec<u8>)| {
            (path.to_owned(), Rc::new(MemorySource::new(path, bytes)) as Rc<dyn Source>)
        };
        let opened = block_on(format::open_adapter_files(paths.into_iter().zip(files).map(source).collect()));
        let loaded =
            opened.and_then(|files| block_on(engine.load_adapter(&files, &AdapterOptions::default())));
        if let Ok(id) = loaded {
            engine.unload_adapter(id).unwrap();
        }
        assert_eq!(engine.counters(), before);
    }
}

#[test]
fn a_load_that_is_given_up_leaves_nothing() {
    let mut engine = qwen3();
    let before = engine.counters();
    let path = common::repo("tests/data/adapters/rslora");
    let files = block_on(format::open_adapter_path(path)).unwrap();
    let options = AdapterOptions { aborted: Some(Rc::new(|| true)), ..AdapterOptions::default() };
    assert_eq!(block_on(engine.load_adapter(&files, &options)), Err(Error::Aborted));
    assert_eq!(engine.counters(), before);
}
