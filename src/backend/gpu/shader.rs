//! Kernels: WGSL texts with their conditions and includes filled in, compiled once for each use.

use std::{collections::HashMap, rc::Rc};

use minijinja::{Environment, context};

use crate::quant::{DType, TYPES};

/// Every kernel and every piece that kernels include.
static TEXTS: &[(&str, &str)] = &[
    ("lib/run.wgsl", include_str!("../../../shaders/lib/run.wgsl")),
    ("lib/linear.wgsl", include_str!("../../../shaders/lib/linear.wgsl")),
    ("lib/random.wgsl", include_str!("../../../shaders/lib/random.wgsl")),
    ("lib/select.wgsl", include_str!("../../../shaders/lib/select.wgsl")),
    ("attention", include_str!("../../../shaders/attention.wgsl")),
    ("cache_write", include_str!("../../../shaders/cache_write.wgsl")),
    ("embed", include_str!("../../../shaders/embed.wgsl")),
    ("last_row", include_str!("../../../shaders/last_row.wgsl")),
    ("matmul", include_str!("../../../shaders/matmul.wgsl")),
    ("matvec", include_str!("../../../shaders/matvec.wgsl")),
    ("penalize", include_str!("../../../shaders/penalize.wgsl")),
    ("rms_norm", include_str!("../../../shaders/rms_norm.wgsl")),
    ("rope", include_str!("../../../shaders/rope.wgsl")),
    ("sample", include_str!("../../../shaders/sample.wgsl")),
    ("swiglu", include_str!("../../../shaders/swiglu.wgsl")),
];

/// What distinguishes one text of a kernel from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Variant {
    /// The file's name without `.wgsl`.
    pub kernel: &'static str,
    /// The type of its weights, if it has any.
    pub dtype: Option<DType>,
    /// The condition that holds, if the kernel knows conditions.
    pub flags: Flags,
}

/// Conditions that a kernel's text may ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Flags {
    /// `linear`: there is a bias.
    pub bias: bool,
    /// `linear`: the product is added to `y`.
    pub add: bool,
    /// `rms_norm`: `x` is `y`.
    pub in_place: bool,
    /// `rope`: pairs are neighbours.
    pub interleaved: bool,
}

impl Variant {
    /// A kernel without weights or conditions.
    pub fn plain(kernel: &'static str) -> Self {
        Variant { kernel, dtype: None, flags: Flags::default() }
    }

    /// Every variant that plans can ask for: what the tests validate.
    pub fn all() -> Vec<Variant> {
        let mut all: Vec<Variant> = ["attention", "cache_write", "last_row", "penalize", "sample", "swiglu"]
            .map(Variant::plain)
            .into();
        for on in [false, true] {
            let plain = Flags::default();
            all.push(Variant { flags: Flags { in_place: on, ..plain }, ..Variant::plain("rms_norm") });
            all.push(Variant { flags: Flags { interleaved: on, ..plain }, ..Variant::plain("rope") });
        }
        for dtype in TYPES.iter().map(|info| Some(info.dtype)) {
            all.push(Variant { dtype, ..Variant::plain("embed") });
            for kernel in ["matvec", "matmul"] {
                for (bias, add) in [(false, false), (false, true), (true, false), (true, true)] {
                    all.push(Variant { kernel, dtype, flags: Flags { bias, add, ..Flags::default() } });
                }
            }
        }
        all
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
        let types = TYPES.iter().map(|info| (info.name, info.gpu.wgsl));
        for (name, text) in TEXTS.iter().copied().chain(types) {
            // The texts are ours and the same on every machine; the tests fill in every variant.
            environment.add_template(name, text).expect("a shader's template parses");
        }
        Texts { environment, made: HashMap::new() }
    }
}

impl Texts {
    /// The WGSL of a variant.
    pub fn get(&mut self, variant: Variant) -> Rc<str> {
        let environment = &self.environment;
        let text = self.made.entry(variant).or_insert_with(|| {
            let Flags { bias, add, in_place, interleaved } = variant.flags;
            let dequant = variant.dtype.map(|dtype| dtype.info().name);
            let context = context! { dequant, bias, add, in_place, interleaved };
            let template =
                environment.get_template(variant.kernel).expect("variants name kernels in the list");
            template.render(context).expect("a shader's template renders").into()
        });
        text.clone()
    }
}
