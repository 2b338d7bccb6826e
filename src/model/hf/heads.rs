//! What a folder's model is for: its head by the class that saved it, the weights of that head, labels and pooling.

use serde_json::Value as Json;

use super::{Keys, Names};
use crate::{
    error::{Error, Result},
    format::Folder,
    model::{Config, Dense, Head, HeadOutput, Pool, Problem, dense_name},
    plan::Function,
};

/// What the hidden states are made into, by the end of the class's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// Text is written: scores of the next token.
    Language,
    /// Scores of the token at each place.
    Masked,
    /// One answer for the text.
    Sequence,
    /// One for each token.
    Tokens,
    /// The span of an answer.
    Span,
    /// Whether each token was replaced (ELECTRA's discriminator).
    Replaced,
    /// The hidden states themselves, which make an embedding.
    Hidden,
}

/// Ends of class names.
const TASKS: &[(&str, Task)] = &[
    ("ForCausalLM", Task::Language),
    ("LMHeadModel", Task::Language),
    ("ForConditionalGeneration", Task::Language),
    ("MTModel", Task::Language),
    ("ForMaskedLM", Task::Masked),
    ("ElectraForPreTraining", Task::Replaced),
    ("ForPreTraining", Task::Masked),
    ("ForSequenceClassification", Task::Sequence),
    ("ForTokenClassification", Task::Tokens),
    ("ForQuestionAnswering", Task::Span),
    ("Model", Task::Hidden),
];

/// Beginnings of names of tensors that tell a head where no class is named.
const MARKS: &[(&str, Task)] = &[
    ("qa_outputs.", Task::Span),
    ("score.", Task::Sequence),
    ("classifier.", Task::Sequence),
    ("cls.predictions.", Task::Masked),
    ("lm_head.dense.", Task::Masked),
    ("vocab_transform.", Task::Masked),
    ("predictions.dense.", Task::Masked),
    ("generator_predictions.", Task::Masked),
    ("discriminator_predictions.", Task::Replaced),
];

impl Task {
    /// The task of a folder: embeddings for sentence-transformers, else by the class, else by the tensors, else `usual`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a class whose head is not run.
    pub fn of<'a>(
        folder: &Folder,
        keys: &Keys,
        mut tensors: impl Iterator<Item = &'a String>,
        usual: Task,
    ) -> Result<Task> {
        if !folder.modules.is_null() {
            return Ok(Task::Hidden);
        }
        let class = keys.opt_list("architectures")?.and_then(|list| list.first()).and_then(Json::as_str);
        let Some(class) = class else {
            let marked = tensors.find_map(|name| MARKS.iter().find(|(mark, _)| name.starts_with(mark)));
            return Ok(marked.map_or(usual, |(_, task)| *task));
        };
        // `GPT2DoubleHeadsModel` has two heads, `…Model` none.
        let found = TASKS.iter().find(|(end, _)| class.ends_with(end) && !class.ends_with("HeadsModel"));
        found.map(|(_, task)| *task).ok_or_else(|| {
            let hint = "models for causal and masked language, conditional generation, sequence and token classification, \
                        question answering and embeddings are run";
            Error::unsupported("architecture", class, hint)
        })
    }
}

/// The modules of an encoder family's heads; `@` stands for the base model's prefix.
#[derive(Clone, Copy)]
pub(super) struct EncoderHeads {
    /// Masked language: layer and function, norm, and the last layer, whose weight may be the token embeddings.
    pub masked: ([&'static str; 2], Function),
    pub vocabulary: &'static [&'static str],
    /// Its bias, where that has a name of its own.
    pub vocabulary_bias: &'static str,
    /// Classification: layer and function, and the last layer.
    pub sequence: (&'static str, Function),
    pub classifier: &'static str,
    /// What all heads' names begin with.
    pub all: &'static [&'static str],
}

/// The head of an encoder for `task`, with its names.
///
/// # Errors
/// [`Error::Format`] for labels that cannot be; [`Error::Unsupported`] for a pooling or task that is not run.
pub(super) fn encoder_head(
    task: Task,
    heads: EncoderHeads,
    keys: &Keys,
    folder: &Folder,
    names: &mut Names,
) -> Result<Head> {
    names.ignore(heads.all);
    let dense = |names: &mut Names, (module, f): (&str, Function)| {
        names.head("cls", module);
        Some(f)
    };
    let last = |names: &mut Names, module: &str| names.head("cls.output", module);
    Ok(match task {
        Task::Masked => {
            let ([layer, norm], f) = heads.masked;
            names.head("cls.norm", norm);
            names.output(true, heads.vocabulary);
            if names.has(heads.vocabulary_bias) {
                names.tensor("output.bias", heads.vocabulary_bias);
            }
            Head { dense: dense(names, (layer, f)), norm: true, ..Head::LANGUAGE }
        }
        Task::Sequence => {
            last(names, heads.classifier);
            let output = HeadOutput::Labels(labels(keys)?.len());
            Head { pool: Pool::First, dense: dense(names, heads.sequence), output, ..Head::LANGUAGE }
        }
        Task::Tokens => {
            last(names, "classifier");
            Head { output: HeadOutput::Labels(labels(keys)?.len()), ..Head::LANGUAGE }
        }
        Task::Span => {
            last(names, "qa_outputs");
            Head { output: HeadOutput::Span, ..Head::LANGUAGE }
        }
        Task::Hidden => Head { pool: pooling(folder, Pool::Mean)?, ..Head::HIDDEN },
        Task::Replaced => {
            last(names, "discriminator_predictions.dense_prediction");
            let dense = dense(names, ("discriminator_predictions.dense", Function::Gelu));
            Head { dense, output: HeadOutput::Labels(1), ..Head::LANGUAGE }
        }
        Task::Language => {
            let hint =
                "encoders for masked language, classification, question answering and embeddings are run";
            return Err(Error::unsupported("head", format!("{task:?}"), hint));
        }
    })
}

/// The head of a decoder for `task`, with its names. `language` is its head for writing text.
///
/// # Errors
/// As [`encoder_head`].
pub(super) fn decoder_head(
    task: Task,
    language: Head,
    keys: &Keys,
    folder: &Folder,
    names: &mut Names,
) -> Result<Head> {
    // Classes differ in what they call the layer.
    let last = if names.has("classifier.weight") { "classifier" } else { "score" };
    Ok(match task {
        Task::Language => language,
        Task::Hidden => {
            names.ignore(&["lm_head.", "embed_out."]);
            Head { pool: pooling(folder, Pool::Last)?, ..Head::HIDDEN }
        }
        Task::Sequence | Task::Tokens => {
            names.ignore(&["lm_head."]);
            names.head("cls.output", last);
            let pool = if task == Task::Sequence { Pool::Last } else { Pool::Each };
            Head { pool, output: HeadOutput::Labels(labels(keys)?.len()), ..Head::LANGUAGE }
        }
        Task::Span => {
            names.head("cls.output", "qa_outputs");
            Head { output: HeadOutput::Span, ..Head::LANGUAGE }
        }
        Task::Masked | Task::Replaced => {
            let hint = "decoders for language, classification, question answering and embeddings are run";
            return Err(Error::unsupported("head", format!("{task:?}"), hint));
        }
    })
}

/// The labels of a classifier in the order of their numbers.
///
/// # Errors
/// [`Error::Format`] where the numbers do not count on from 0.
pub(super) fn labels(keys: &Keys) -> Result<Vec<String>> {
    let Some(map) = keys.opt_object("id2label")? else {
        // What transformers makes up.
        let n = keys.size(&["num_labels", "_num_labels"], 2)?;
        return Ok((0..n).map(|i| format!("LABEL_{i}")).collect());
    };
    let mut labels = vec![None; map.entries().count()];
    for (number, label) in map.entries() {
        let place = number.parse().ok().and_then(|i: usize| labels.get_mut(i));
        let text = label.as_str().map(str::to_owned).unwrap_or_else(|| label.to_string());
        match place {
            Some(place) => *place = Some(text),
            None => {
                return Err(keys
                    .bad("id2label", format!("{number:?} is not a number below {}", map.entries().count())));
            }
        }
    }
    let labels: Option<Vec<String>> = labels.into_iter().collect();
    labels.filter(|labels| !labels.is_empty()).ok_or_else(|| keys.bad("id2label", "a number is missing"))
}

/// Whether labels exclude each other.
///
/// # Errors
/// [`Error::Unsupported`] for a kind of problem that is not run.
pub(super) fn problem(keys: &Keys, head: &Head) -> Result<Problem> {
    match keys.opt_text(&["problem_type"])? {
        Some("single_label_classification") => Ok(Problem::OneOf),
        Some("multi_label_classification") => Ok(Problem::AnyOf),
        Some("regression") => Ok(Problem::Regression),
        None if head.output == HeadOutput::Labels(1) => Ok(Problem::Regression),
        None => Ok(Problem::OneOf),
        Some(other) => {
            let hint = "single_label_classification, multi_label_classification and regression are run";
            Err(Error::unsupported("problem type", other, hint))
        }
    }
}

/// How sentence-transformers pools: the one mode that its Pooling module has switched on.
///
/// # Errors
/// [`Error::Unsupported`] for a mode that is not run, or several.
pub(super) fn pooling(folder: &Folder, usual: Pool) -> Result<Pool> {
    if folder.pooling.is_null() {
        return Ok(usual);
    }
    let pooling = Keys::new("config.json of the Pooling module".to_owned(), &folder.pooling)?;
    let mut modes: Vec<&str> = pooling.opt_text(&["pooling_mode"])?.into_iter().collect();
    for (key, value) in pooling.entries() {
        if let Some(mode) = key.strip_prefix("pooling_mode_").filter(|_| value == &Json::Bool(true)) {
            modes.push(mode);
        }
    }
    match modes.as_slice() {
        ["cls" | "cls_token"] => Ok(Pool::First),
        ["mean" | "mean_tokens"] => Ok(Pool::Mean),
        ["lasttoken"] => Ok(Pool::Last),
        modes => {
            Err(Error::unsupported("pooling", modes.join(" and "), "one of cls, mean and lasttoken is run"))
        }
    }
}

/// sentence-transformers' Dense modules, with their names.
///
/// # Errors
/// [`Error::Format`] for widths that do not fit each other, [`Error::Unsupported`] for an activation that is not run.
pub(super) fn dense(folder: &Folder, config: &Config, names: &mut Names) -> Result<Vec<Dense>> {
    let mut width = config.last_stack().n_embd;
    let mut layers = Vec::with_capacity(folder.dense.len());
    for (i, module) in folder.dense.iter().enumerate() {
        let keys = Keys::new(format!("{}/config.json", module.path), &module.config)?;
        let n_in = keys.size(&["in_features"], width)?;
        if n_in != width {
            return Err(keys.bad("in_features", format!("{n_in} numbers, but what comes in has {width}")));
        }
        width = keys.size(&["out_features"], width)?;
        keys.product("out_features", n_in, width)?;
        let path = keys.opt_text(&["activation_function"])?.unwrap_or("torch.nn.modules.activation.Tanh");
        let activation = match path.rsplit('.').next().unwrap_or_default() {
            "Identity" => None,
            "Tanh" => Some(Function::Tanh),
            "ReLU" => Some(Function::Relu),
            "GELU" => Some(Function::Gelu),
            "SiLU" => Some(Function::Silu),
            "Sigmoid" => Some(Function::Sigmoid),
            _ => {
                return Err(Error::unsupported(
                    "activation",
                    path,
                    "Identity, Tanh, ReLU, GELU, SiLU and Sigmoid are run",
                ));
            }
        };
        names.head(&dense_name(i), &format!("{}/linear", module.path));
        layers.push(Dense { n_in, n_out: width, activation });
    }
    Ok(layers)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn keys(json: &Json) -> Keys<'_> {
        Keys::new("config.json".into(), json).unwrap()
    }

    fn task(json: Json, tensors: &[&str]) -> Result<Task> {
        let tensors: Vec<String> = tensors.iter().map(|name| name.to_string()).collect();
        Task::of(&Folder::default(), &keys(&json), tensors.iter(), Task::Hidden)
    }

    #[test]
    fn the_class_tells_the_task() {
        for (class, expected) in [
            ("LlamaForCausalLM", Task::Language),
            ("GPT2LMHeadModel", Task::Language),
            ("MarianMTModel", Task::Language),
            ("BertForPreTraining", Task::Masked),
            ("ElectraForPreTraining", Task::Replaced),
            ("NomicBertModel", Task::Hidden),
        ] {
            assert_eq!(task(json!({ "architectures": [class] }), &[]).unwrap(), expected, "{class}");
        }
        let error = task(json!({ "architectures": ["GPT2DoubleHeadsModel"] }), &[]).unwrap_err().to_string();
        assert!(error.starts_with("unsupported architecture `GPT2DoubleHeadsModel`"), "{error}");
    }

    #[test]
    fn without_a_class_the_tensors_tell_it() {
        assert_eq!(task(json!({}), &["bert.x", "qa_outputs.weight"]).unwrap(), Task::Span);
        assert_eq!(task(json!({}), &["x"]).unwrap(), Task::Hidden);
    }

    #[test]
    fn labels_come_in_the_order_of_their_numbers() {
        let json = json!({ "id2label": { "10": "k", "2": "c", "0": "a", "1": "b", "3": "d", "4": "e", "5": "f",
                                         "6": "g", "7": "h", "8": "i", "9": "j" } });
        assert_eq!(labels(&keys(&json)).unwrap().concat(), "abcdefghijk");
        assert_eq!(labels(&keys(&json!({}))).unwrap(), ["LABEL_0", "LABEL_1"]);
        for wrong in
            [json!({ "0": "a", "2": "b" }), json!({ "x": "a" }), json!({}), json!({ "00": "a", "0": "b" })]
        {
            let error = labels(&keys(&json!({ "id2label": wrong }))).unwrap_err();
            assert!(error.to_string().starts_with("config.json: id2label: "), "{error}");
        }
    }

    #[test]
    fn one_pooling_mode_is_run_and_several_are_refused_by_name() {
        let with = |pooling: Json| {
            let folder = Folder { pooling, ..Folder::default() };
            super::pooling(&folder, Pool::Each)
        };
        let mean = json!({ "word_embedding_dimension": 8, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true });
        assert_eq!(with(mean).unwrap(), Pool::Mean);
        assert_eq!(with(json!({ "pooling_mode": "lasttoken" })).unwrap(), Pool::Last);
        assert_eq!(with(Json::Null).unwrap(), Pool::Each);
        let error = with(json!({ "pooling_mode_max_tokens": true })).unwrap_err().to_string();
        assert!(error.starts_with("unsupported pooling `max_tokens`"), "{error}");
    }
}
