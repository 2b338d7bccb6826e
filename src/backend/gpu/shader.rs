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
    /// Conditions that its text asks for. Of each group one holds, or several that stand together; `""` stands for none.
    conditions: &'static [&'static [&'static str]],
    /// A group more, of which these each need one of [`ACTIVATIONS`]; the last group of `conditions` is part of it.
    applied: &'static [&'static str],
}

macro_rules! kernel {
    ($name:literal, $weights:literal, $conditions:expr) => {
        kernel!($name, $weights, $conditions, [])
    };
    ($name:literal, $weights:literal, $conditions:expr, $applied:expr) => {
        Kernel {
            name: $name,
            text: intab_kernels::wgsl!(include_str!(concat!("../../../shaders/", $name, ".wgsl"))),
            weights: $weights,
            conditions: &$conditions,
            applied: &$applied,
        }
    };
}

/// The names of [`crate::plan::Function`]: those of feed-forward layers.
const ACTIVATIONS: &[&str] =
    &["silu", "gelu", "gelu_tanh", "quick_gelu", "relu", "relu_squared", "tanh", "sigmoid"];
/// All of them.
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

/// The condition of texts that let the threads of a subgroup work together: see `shaders/lib/subgroups.wgsl`.
pub const SUBGROUPS: &str = "subgroups";
/// The condition of texts that multiply integers, which types with `load_levels` have.
pub const DOTS: &str = "dots";

/// Whether weights of a type can be multiplied as integers.
pub fn has_levels(dtype: DType) -> bool {
    dtype.info().gpu.wgsl.contains("fn load_levels(")
}

static KERNELS: &[Kernel] = &[
    kernel!("add", false, []),
    kernel!(
        "attention",
        false,
        [
            &["causal split", "all split", "table", "spans"],
            &["", "softcap", "bias", "sinks", "softcap bias sinks"],
            &["", "several"],
            &["", "parts2", "parts4"],
            &["", "f16", "q8"],
            &["", SUBGROUPS]
        ]
    ),
    kernel!("attention_merge", false, [&["causal", "all"]]),
    kernel!(
        "attention_tiled",
        false,
        [
            &["causal", "spans", "all"],
            &["", "softcap", "bias", "sinks", "softcap bias sinks"],
            &["", "parts2", "parts4"],
            &["", "f16", "q8"]
        ]
    ),
    kernel!("cache_write", false, [&["", "slots"], &["", "f16", "q8"]]),
    kernel!("combine", false, []),
    kernel!("copy", false, [&["", "last"]]),
    kernel!("embed", true, [&["", "ids"], &["", "add"]]),
    kernel!("gate", false, [FUNCTIONS]),
    kernel!("map", false, [FUNCTIONS]),
    kernel!("mask", false, []),
    kernel!("matmul", true, [&["", "bias"], &["", "large"], &["", "add"], &["", DOTS]]),
    kernel!(
        "matvec",
        true,
        [&["", "bias"], &["", "norm"], &["", "wide"], &["", SUBGROUPS], &["", "add", "experts"]],
        ["map", "gated"]
    ),
    kernel!("mean", false, []),
    kernel!(
        "norm",
        false,
        [&["rms", "layer"], &["", "in_place"], &["", "weight"], &["", "bias"], &["", SUBGROUPS]]
    ),
    kernel!("penalize", false, []),
    kernel!(
        "place",
        false,
        [
            &["", "rms", "layer"],
            &["", "clip"],
            &["", "interleaved", "halves"],
            &["", "positions"],
            &["", "slots"],
            &["", "f16", "q8"],
            &["", SUBGROUPS]
        ]
    ),
    kernel!("quantize", false, []),
    kernel!("rope", false, [&["", "interleaved"], &["", "positions"]]),
    kernel!("route", false, [&["", "normalized"]]),
    kernel!("sample", false, [&["", SUBGROUPS]]),
];

/// Pieces that kernels include, besides those that unpack weights.
static PIECES: &[(&str, &str)] = &[
    ("lib/cache.wgsl", intab_kernels::wgsl!(include_str!("../../../shaders/lib/cache.wgsl"))),
    ("lib/functions.wgsl", intab_kernels::wgsl!(include_str!("../../../shaders/lib/functions.wgsl"))),
    ("lib/linear.wgsl", intab_kernels::wgsl!(include_str!("../../../shaders/lib/linear.wgsl"))),
    ("lib/queries.wgsl", intab_kernels::wgsl!(include_str!("../../../shaders/lib/queries.wgsl"))),
    ("lib/random.wgsl", intab_kernels::wgsl!(include_str!("../../../shaders/lib/random.wgsl"))),
    ("lib/run.wgsl", intab_kernels::wgsl!(include_str!("../../../shaders/lib/run.wgsl"))),
    ("lib/select.wgsl", intab_kernels::wgsl!(include_str!("../../../shaders/lib/select.wgsl"))),
    ("lib/subgroups.wgsl", intab_kernels::wgsl!(include_str!("../../../shaders/lib/subgroups.wgsl"))),
    ("lib/sum.wgsl", intab_kernels::wgsl!(include_str!("../../../shaders/lib/sum.wgsl"))),
    ("lib/tanh.wgsl", intab_kernels::wgsl!(include_str!("../../../shaders/lib/tanh.wgsl"))),
    ("lib/to_bytes.wgsl", intab_kernels::wgsl!(include_str!("../../../shaders/lib/to_bytes.wgsl"))),
    ("lib/to_halves.wgsl", intab_kernels::wgsl!(include_str!("../../../shaders/lib/to_halves.wgsl"))),
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

    /// What the tests validate: each of a kernel's fillings for one type of weights, and for every other type so many that
    /// each condition comes up. Conditions do not look at the type, nor types at the conditions.
    pub fn all() -> Vec<Variant> {
        KERNELS.iter().flat_map(Kernel::variants).collect()
    }
}

impl Kernel {
    /// Whether it lists a condition.
    fn knows(&self, condition: &&str) -> bool {
        let functions = if self.applied.is_empty() { &[] } else { FUNCTIONS };
        let mut listed = self.conditions.iter().chain([&self.applied, &functions]).copied().flatten();
        listed.any(|together| together.split(' ').any(|one| one == *condition))
    }

    /// The conditions of each group, those of functions with the function.
    fn groups(&self) -> Vec<Vec<Vec<&'static str>>> {
        let option = |together: &&'static str| together.split_whitespace().collect::<Vec<_>>();
        let mut groups: Vec<Vec<_>> =
            self.conditions.iter().map(|group| group.iter().map(option).collect()).collect();
        if let Some(last) = groups.last_mut() {
            let each = |condition: &&'static str| {
                let condition = *condition;
                ACTIVATIONS.iter().map(move |function| vec![condition, *function])
            };
            last.extend(self.applied.iter().flat_map(each));
        }
        groups
    }

    fn variants(&self) -> Vec<Variant> {
        let mut variants = self.fillings();
        for variant in &mut variants {
            if !variant.dtype.is_some_and(has_levels) {
                variant.conditions.retain(|condition| *condition != DOTS);
            }
        }
        variants
    }

    /// Those of [`Kernel::variants`], and some that ask a type for what it has not.
    fn fillings(&self) -> Vec<Variant> {
        let groups = self.groups();
        let with = |variant: &Variant, option: &[&'static str]| {
            option.iter().fold(variant.clone(), |variant, condition| variant.with(condition))
        };
        let every = |variant: Variant| {
            groups.iter().fold(vec![variant], |all, group| {
                all.iter().flat_map(|variant| group.iter().map(move |option| with(variant, option))).collect()
            })
        };
        let plain = Variant::plain(self.name);
        if !self.weights {
            return every(plain);
        }
        // The n-th option of every group at once, until the longest group ends.
        let some = |variant: &Variant| {
            let longest = groups.iter().map(Vec::len).max().unwrap_or(1);
            let nth =
                |n: usize| groups.iter().fold(variant.clone(), |v, group| with(&v, &group[n % group.len()]));
            (0..longest).map(nth).collect::<Vec<_>>()
        };
        let (first, others) = TYPES.split_first().expect("there are types");
        let of = |info: &crate::quant::TypeInfo| plain.clone().of(Some(info.dtype));
        let all = self.conditions.contains(&["", DOTS].as_slice());
        let of_others = others.iter().flat_map(|info| match all && has_levels(info.dtype) {
            true => every(of(info)),
            false => some(&of(info)),
        });
        every(of(first)).into_iter().chain(of_others).collect()
    }
}

/// What browsers want to be told before a text that uses subgroups; naga 30 has them without, and knows no directive.
fn directives(variant: &Variant) -> String {
    match cfg!(target_arch = "wasm32") && variant.conditions.contains(&SUBGROUPS) {
        // Turns that a subgroup draws are the same for all of it, which the compiler cannot see.
        true => "enable subgroups;\ndiagnostic(off, subgroup_uniformity);\n".into(),
        false => String::new(),
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
        // A condition that a text asks for and no kernel lists is an error.
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
        let kernel = kernel.expect("variants name kernels in the list");
        let unknown = variant.conditions.iter().find(|condition| !kernel.knows(condition));
        assert!(unknown.is_none(), "{} has no condition {unknown:?}", variant.kernel);
        // Pieces that several kernels include may ask for what only some of those have.
        let listed = KERNELS.iter().flat_map(|kernel| kernel.conditions).copied().flatten();
        let known = listed.flat_map(|together| together.split_whitespace());
        let dequant = variant.dtype.map(|dtype| ("dequant", minijinja::Value::from(dtype.info().name)));
        let holds = |condition| (condition, variant.conditions.contains(&condition).into());
        let context: HashMap<&str, minijinja::Value> =
            known.chain(["map", "gated"]).map(holds).chain(dequant).collect();
        let template = self.environment.get_template(variant.kernel).expect("every kernel was added");
        let text = template.render(context).expect("a shader's template renders");
        let text: Rc<str> = (directives(variant) + &text).into();
        self.made.insert(variant.clone(), text.clone());
        text
    }
}
