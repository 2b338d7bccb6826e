//! A plan to one that also computes what adapters add: the steps of the plan stay as they are, those of two narrow layers
//! follow each that is adapted. LoRA: Hu et al. 2021; DoRA: Liu et al. 2024; soft prompts: Lester et al. 2021.

use std::collections::{BTreeMap, HashMap};

use super::{Function, Index, Keys, Op, Plan, Step, Storage, Value, ValueInfo};
use crate::quant::DType;

/// What is added to a linear layer, or to embeddings, by the names of its weights: `NAME.a` and `NAME.b`.
#[derive(Debug, Clone, PartialEq)]
pub struct Addition {
    /// What the names of its weights begin with.
    pub name: String,
    /// Rows of `NAME.a`, `[rank, n_in]`, and columns of `NAME.b`, `[n_out, rank]`; of embeddings, `NAME.a` is `[n, rank]`.
    pub rank: usize,
    /// Whether there is a `NAME.bias`, `[n_out]`, which is added too.
    pub bias: bool,
    /// Whether there is a `NAME.gain`, `[n_out]`, which the layer's own product is multiplied with.
    pub gain: bool,
}

/// A weight in the place of another.
#[derive(Debug, Clone, PartialEq)]
pub struct Replaced {
    /// Its name; of a matrix, its numbers are f32.
    pub name: String,
}

/// What adapters change in a plan.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Adaptation {
    /// Added to layers, by the names of their matrices.
    pub layers: BTreeMap<String, Addition>,
    /// Added to what is looked up in the table.
    pub embedding: Option<Addition>,
    /// Weights in the place of others, by their names.
    pub replaced: BTreeMap<String, Replaced>,
    /// The name and the rows of a table that is added to the embeddings of the first positions, its last row to all others.
    pub prompt: Option<(String, usize)>,
    /// The table of embeddings, and what a layer is called that multiplies with the same numbers.
    pub tied: [&'static str; 2],
}

/// `plan` with what adapters change.
pub fn adapt(plan: &Plan, how: &Adaptation) -> Plan {
    let mut adapted = Plan { steps: Vec::new(), ..plan.clone() };
    let by_table = |step: &Step| matches!(step.op, Op::Attention { keys: Keys::Table(_), .. });
    let follows = !plan.steps.iter().any(by_table);
    let mut maker = Maker { plan: &mut adapted, how, narrow: HashMap::new(), follows };
    maker.replace_values();
    for step in &plan.steps {
        maker.step(step);
    }
    adapted
}

struct Maker<'a> {
    plan: &'a mut Plan,
    how: &'a Adaptation,
    /// What the first of two narrow layers puts out, by rows and rank: each lives for two steps.
    narrow: HashMap<(usize, usize), Value>,
    /// Whether the rows of a run are positions that follow each other; those of several texts come after their beginnings.
    follows: bool,
}

impl Maker<'_> {
    /// Weights get their other names; the table, which may be two, where it is used.
    fn replace_values(&mut self) {
        for info in &mut self.plan.values {
            let Some(other) = self.how.replaced.get(&info.name) else { continue };
            match &mut info.storage {
                _ if info.name == self.how.tied[0] => continue,
                Storage::Matrix { dtype } => *dtype = DType::F32,
                Storage::Vector => {}
                _ => continue,
            }
            info.name.clone_from(&other.name);
        }
    }

    fn value(&mut self, name: &str, storage: Storage, rows: usize, cols: usize) -> Value {
        self.plan.find(name).unwrap_or_else(|| {
            self.plan.values.push(ValueInfo { name: name.to_owned(), storage, rows, cols });
            Value(self.plan.values.len() as u32 - 1)
        })
    }

    fn matrix(&mut self, name: &str, rows: usize, cols: usize) -> Value {
        self.value(name, Storage::Matrix { dtype: DType::F32 }, rows, cols)
    }

    fn vector(&mut self, name: &str, cols: usize) -> Value {
        self.value(name, Storage::Vector, 1, cols)
    }

    fn activation(&mut self, name: &str, rows: usize, cols: usize) -> Value {
        self.plan.values.push(ValueInfo { name: name.to_owned(), storage: Storage::Activation, rows, cols });
        Value(self.plan.values.len() as u32 - 1)
    }

    fn narrow(&mut self, rows: usize, rank: usize) -> Value {
        match self.narrow.get(&(rows, rank)) {
            Some(value) => *value,
            None => {
                let value = self.activation("narrow", rows, rank);
                self.narrow.insert((rows, rank), value);
                value
            }
        }
    }

    /// The matrix that stands for `w` where it is called `name`.
    fn instead_of(&mut self, w: Value, name: &str) -> Value {
        let (rows, cols) = (self.plan[w].rows, self.plan[w].cols);
        match self.how.replaced.get(name) {
            Some(other) if self.plan[w].name != other.name => self.matrix(&other.name.clone(), rows, cols),
            _ => w,
        }
    }

    fn step(&mut self, step: &Step) {
        let how = self.how;
        let [table_name, tied_name] = how.tied;
        let mut steps = vec![step.op.clone()];
        match step.op {
            Op::Embed { index, table, y, add } if self.plan[table].name == table_name => {
                let table = self.instead_of(table, table_name);
                steps = vec![Op::Embed { index, table, y, add }];
                if let Some(addition) = &how.embedding {
                    let (rows, n) = (self.plan[y].rows, self.plan[table].rows);
                    let t = self.narrow(rows, addition.rank);
                    let a = self.matrix(&format!("{}.a", addition.name), n, addition.rank);
                    steps.push(Op::Embed { index, table: a, y: t, add: false });
                    steps.push(self.second(addition, t, y));
                }
                if let (Some((name, n)), true) = (&how.prompt, self.follows) {
                    let table = self.matrix(name, *n, self.plan[y].cols);
                    steps.push(Op::Embed { index: Index::Position(0), table, y, add: true });
                }
            }
            Op::Linear { x, w, bias, y, add } => {
                let is_table = self.plan[w].name == table_name;
                let name = if is_table { tied_name.to_owned() } else { self.plan[w].name.clone() };
                // What was replaced is never adapted too.
                let addition = how.layers.get(&name);
                let w = self.instead_of(w, &name);
                steps = match addition {
                    None => vec![Op::Linear { x, w, bias, y, add }],
                    Some(addition) => self.layer(addition, Op::Linear { x, w, bias, y, add }),
                };
            }
            _ => {}
        }
        self.plan.steps.extend(steps.into_iter().map(|op| Step { op, stage: step.stage }));
    }

    /// An adapted layer.
    fn layer(&mut self, addition: &Addition, layer: Op) -> Vec<Op> {
        let Op::Linear { x, w, bias, y, add } = layer else { return vec![layer] };
        let t = self.narrow(self.plan[x].rows, addition.rank);
        let a = self.matrix(&format!("{}.a", addition.name), addition.rank, self.plan[x].cols);
        let first = Op::Linear { x, w: a, bias: None, y: t, add: false };
        if !addition.gain {
            return vec![layer, first, self.second(addition, t, y)];
        }
        // The product by itself is multiplied, then comes the rest.
        let product = if add { self.activation("product", self.plan[y].rows, self.plan[y].cols) } else { y };
        let gain = self.vector(&format!("{}.gain", addition.name), self.plan[y].cols);
        let own = [
            Op::Linear { x, w, bias: None, y: product, add: false },
            Op::Gate { gate: product, up: gain, f: Function::Scale(1.0) },
            first,
        ];
        let second = match self.second(addition, t, product) {
            // An addition that multiplies has no bias of its own.
            Op::Linear { x, w, y, add, .. } => Op::Linear { x, w, bias, y, add },
            other => other,
        };
        own.into_iter().chain([second]).chain(add.then_some(Op::Add { x: product, y })).collect()
    }

    /// The second of the two narrow layers.
    fn second(&mut self, addition: &Addition, t: Value, y: Value) -> Op {
        let n_out = self.plan[y].cols;
        let b = self.matrix(&format!("{}.b", addition.name), n_out, addition.rank);
        let bias = addition.bias.then(|| self.vector(&format!("{}.bias", addition.name), n_out));
        Op::Linear { x: t, w: b, bias, y, add: true }
    }
}
