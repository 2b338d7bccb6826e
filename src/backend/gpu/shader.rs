//! Kernels: WGSL texts with their conditions and includes filled in, compiled once for each use.

use std::{collections::HashMap, rc::Rc};

use minijinja::{Environment, UndefinedBehavior};

use crate::quant::{DType, TYPES};

/// A kernel's text and what distinguishes one filling of it from another.
struct Kernel {
    /// The file's name without `.wgsl`.
    name: &'static str,
    text: &'static str,
    /// Whether it unpacks weights, so that there is a text for each of their types.
    weights: bool,
    /// Conditions that its text asks for. Of each group one holds; `""` stands for none of the group.
    conditions: &'static [&'static [&'static str]],
}

macro_rules! kernel {
    ($name:literal, $weights:literal, $conditions:expr) => {
        Kernel {
            name: $name,
            text: include_str!(concat!("../../../shaders/", $name, ".wgsl")),
            weights: $weights,
            conditions: &$conditions,
        }
    };
}

/// The names of [`crate::plan::Function`].
const FUNCTIONS: &[&str] = &[
    "silu",
    "gelu",
    "gelu_tanh",
    "quick_gelu",
    "relu",
    "relu_squared",
    "tanh",
    "sigmoid",
    "scale",
    "soft_cap",
    "clamp",
    "at_most",
    "shift",
];

static KERNELS: &[Kernel] = &[
    kernel!("add", false, []),
    kernel!(
        "attention",
        false,
        [&["causal", "table", "spans", "all"], &["", "softcap"], &["", "bias"], &["", "sinks"]]
    ),
    kernel!("cache_write", false, [&["", "slots"]]),
    kernel!("combine", false, []),
    kernel!("copy", false, [&["", "last"]]),
    kernel!("embed", true, [&["", "ids"], &["", "add"]]),
    kernel!("gate", false, [FUNCTIONS]),
    kernel!("map", false, [FUNCTIONS]),
    kernel!("matmul", true, [&["", "bias"], &["", "add"]]),
    kernel!("matvec", true, [&["", "bias"], &["", "add", "experts"]]),
    kernel!("mean", false, []),
    kernel!("norm", false, [&["rms", "layer"], &["", "in_place"], &["", "weight"], &["", "bias"]]),
    kernel!("penalize", false, []),
    kernel!("rope", false, [&["", "interleaved"], &["", "positions"]]),
    kernel!("route", false, [&["", "normalized"]]),
    kernel!("sample", false, []),
];

/// Pieces that kernels include, besides those that unpack weights.
static PIECES: &[(&str, &str)] = &[
    ("lib/functions.wgsl", include_str!("../../../shaders/lib/functions.wgsl")),
    ("lib/linear.wgsl", include_str!("../../../shaders/lib/linear.wgsl")),
    ("lib/random.wgsl", include_str!("../../../shaders/lib/random.wgsl")),
    ("lib/run.wgsl", include_str!("../../../shaders/lib/run.wgsl")),
    ("lib/select.wgsl", include_str!("../../../shaders/lib/select.wgsl")),
    ("lib/sum.wgsl", include_str!("../../../shaders/lib/sum.wgsl")),
    ("lib/tanh.wgsl", include_str!("../../../shaders/lib/tanh.wgsl")),
];

/// One filling of a kernel's text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Variant {
    /// The file's name without `.wgsl`.
    pub kernel: &'static str,
    /// The type of its weights, if it has any.
    pub dtype: Option<DType>,
    /// The conditions that hold.
    pub conditions: Vec<&'static str>,
}

impl Variant {
    /// A kernel without weights or conditions.
    pub fn plain(kernel: &'static str) -> Self {
        Variant { kernel, dtype: None, conditions: Vec::new() }
    }

    /// The same for weights of a type.
    pub fn of(self, dtype: Option<DType>) -> Self {
        Variant { dtype, ..self }
    }

    /// The same with one more condition that holds.
    pub fn with(self, condition: &'static str) -> Self {
        self.when(true, condition)
    }

    /// The same with one more condition, which may hold.
    pub fn when(mut self, holds: bool, condition: &'static str) -> Self {
        if holds {
            self.conditions.push(condition);
        }
        self
    }

    /// Every variant that plans can ask for: what the tests validate.
    pub fn all() -> Vec<Variant> {
        KERNELS.iter().flat_map(Kernel::variants).collect()
    }
}

impl Kernel {
    fn variants(&self) -> Vec<Variant> {
        let plain = Variant::plain(self.name);
        let mut variants: Vec<Variant> = match self.weights {
            true => TYPES.iter().map(|info| plain.clone().of(Some(info.dtype))).collect(),
            false => vec![plain],
        };
        for group in self.conditions {
            let each = |variant: Variant| group.iter().map(move |c| variant.clone().when(!c.is_empty(), c));
            variants = variants.into_iter().flat_map(each).collect();
        }
        variants
    }
}

/// Fills in kernels' texts and remembers them.
pub struct Texts {
    environment: Environment<'static>,
    made: HashMap<Variant, Rc<str>>,
}

impl Default for Texts {
    fn default() -> Self {
        let mut environment = Environment::new();
        // A condition that a text asks for and its kernel does not list is an error.
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let types = TYPES.iter().map(|info| (info.name, info.gpu.wgsl));
        let kernels = KERNELS.iter().map(|kernel| (kernel.name, kernel.text));
        for (name, text) in kernels.chain(PIECES.iter().copied()).chain(types) {
            // The texts are ours and the same on every machine; the tests fill in every variant.
            environment.add_template(name, text).expect("a shader's template parses");
        }
        Texts { environment, made: HashMap::new() }
    }
}

impl Texts {
    /// The WGSL of a variant.
    ///
    /// # Panics
    /// If there is no such kernel or it does not list one of the conditions.
    pub fn get(&mut self, variant: &Variant) -> Rc<str> {
        if let Some(text) = self.made.get(variant) {
            return text.clone();
        }
        let kernel = KERNELS.iter().find(|kernel| kernel.name == variant.kernel);
        let known = kernel.expect("variants name kernels in the list").conditions.concat();
        let unknown = variant.conditions.iter().find(|condition| !known.contains(condition));
        assert!(unknown.is_none(), "{} has no condition {unknown:?}", variant.kernel);
        let dequant = variant.dtype.map(|dtype| ("dequant", minijinja::Value::from(dtype.info().name)));
        let holds = |condition| (condition, variant.conditions.contains(&condition).into());
        let context: HashMap<&str, minijinja::Value> = known.into_iter().map(holds).chain(dequant).collect();
        let template = self.environment.get_template(variant.kernel).expect("every kernel was added");
        let text: Rc<str> = template.render(context).expect("a shader's template renders").into();
        self.made.insert(variant.clone(), text.clone());
        text
    }
}
