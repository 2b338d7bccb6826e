//! Which buffer stands behind a binding, and how weights lie in theirs.

use std::{collections::HashMap, rc::Rc};

use super::{
    Gpu,
    lower::{Binding, PartShape},
    memory::{self, Buffer, Matrix},
};
use crate::{
    backend::no_such,
    error::{Error, Result},
    plan::{End, Op, Plan, Value},
};

/// A piece of a buffer, for one binding.
pub(super) struct Piece {
    pub buffer: Rc<Buffer>,
    pub start: u64,
    pub size: u64,
}

impl Gpu {
    pub(super) fn matrices_of(&self, plan: &Plan, values: &[Value]) -> Vec<&Matrix> {
        values.iter().map(|w| &self.matrices[&plan[*w].name]).collect()
    }

    /// Lays the matrices of layers that are computed side by side one below the other, as far as they are alike.
    pub(super) fn stack_layers(&mut self, plan: &Plan) -> Result<()> {
        for step in &plan.steps {
            let Op::Linears(fused) = &step.op else { continue };
            let mut rest: Vec<Value> = fused.layers.iter().map(|(w, _)| *w).collect();
            while !rest.is_empty() {
                let fits =
                    |n: &usize| Matrix::fit_together(&self.allocator, &self.matrices_of(plan, &rest[..*n]));
                let n = (2..=rest.len()).rev().find(fits).unwrap_or(1);
                if n == 1 && matches!(fused.end, End::Gate(_)) {
                    let problem = "its matrices lie apart, but its gate was fused";
                    return Err(Error::input("plan", format!("`{}`: {problem}", plan.name)));
                }
                let these: Vec<Value> = rest.drain(..n).collect();
                let matrices = self.matrices_of(plan, &these);
                if n > 1 && !Matrix::are_stacked(&matrices) {
                    let stacked = Matrix::stack(&self.allocator, &plan[these[0]].name, &matrices)?;
                    let names = these.iter().map(|w| plan[*w].name.clone());
                    self.matrices.extend(names.zip(stacked));
                }
            }
        }
        Ok(())
    }

    /// Memory that no step keeps for longer than until the next; all plans share it, since runs follow each other.
    fn between(&mut self, len: usize) -> Result<Rc<Buffer>> {
        match &self.between {
            Some(buffer) if buffer.raw.size() >= 4 * len as u64 => Ok(buffer.clone()),
            _ => Ok(self.between.insert(self.allocator.storage("between steps", 4 * len as u64)?).clone()),
        }
    }

    /// The biases of layers, one behind the other.
    fn biases(&mut self, plan: &Plan, layers: &[(Value, Option<Value>)]) -> Result<Rc<Buffer>> {
        let of = |(w, bias): &(Value, Option<Value>)| {
            format!("{} {}", plan[*w].name, bias.map_or("", |bias| plan[bias].name.as_str()))
        };
        let name = layers.iter().map(of).collect::<Vec<_>>().join(", ");
        if let Some(buffer) = self.biases.get(&name) {
            return Ok(buffer.clone());
        }
        let n: usize = layers.iter().map(|(w, _)| plan[*w].rows).sum();
        let buffer = self.allocator.storage(&name, 4 * n as u64)?;
        let mut encoder = self.device.device.create_command_encoder(&Default::default());
        let mut at = 0;
        for (w, bias) in layers {
            let size = 4 * plan[*w].rows as u64;
            if let Some(bias) = bias {
                let from = self.shared(&plan[*bias].name)?;
                encoder.copy_buffer_to_buffer(&from.raw, 0, &buffer.raw, at, size);
            }
            at += size;
        }
        self.device.queue.submit([encoder.finish()]);
        self.biases.insert(name, buffer.clone());
        Ok(buffer)
    }

    pub(super) fn part_shapes(&self, plan: &Plan, w: Value) -> Vec<PartShape> {
        let shape = |part: &memory::Part| PartShape {
            first_row: part.first_row,
            n_rows: part.n_rows,
            at: part.at,
            store: Rc::as_ptr(&part.store).addr(),
        };
        self.matrices[&plan[w].name].parts.iter().map(shape).collect()
    }

    pub(super) fn piece(
        &mut self,
        plan: &Plan,
        binding: &Binding,
        values: &HashMap<Value, Rc<Buffer>>,
    ) -> Result<Piece> {
        let whole = |buffer: &Rc<Buffer>| Piece { buffer: buffer.clone(), start: 0, size: buffer.raw.size() };
        let store = |w: &Value, i: usize| &self.matrices[&plan[*w].name].parts[i].store;
        Ok(match binding {
            Binding::Read(value) | Binding::Write(value) => {
                whole(values.get(value).ok_or_else(|| no_such("value", &plan[*value].name))?)
            }
            Binding::Between { len, .. } => whole(&self.between(*len)?),
            Binding::Biases(layers) => whole(&self.biases(plan, layers)?),
            Binding::Quants(w, i) => {
                let store = store(w, *i);
                Piece { buffer: store.buffer.clone(), start: 0, size: store.quants }
            }
            Binding::Scales(w, i) => {
                let store = store(w, *i);
                match store.scales {
                    // The type has none and its text reads none, but the layout wants something bound.
                    0 => Piece { buffer: store.buffer.clone(), start: 0, size: 16 },
                    n => Piece {
                        buffer: store.buffer.clone(),
                        start: store.scales_start,
                        size: n.next_multiple_of(4),
                    },
                }
            }
        })
    }
}
