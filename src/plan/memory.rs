//! Liveness: which activations may share memory.

use super::{Plan, Storage, Value};

/// A piece of scratch memory that serves several activations, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    /// f32 numbers.
    pub len: usize,
    /// The activations that live in it, in order of their lives.
    pub values: Vec<Value>,
}

/// Gives every activation of `plan` a slot such that values that live at the same time never share one:
/// first fit over the values in order of first use, preferring the slot that needs to grow least.
///
/// A value whose rows have padding keeps a slot to itself: its padding must stay zero (see [`super::ValueInfo::stride`]).
pub fn assign_slots(plan: &Plan) -> Vec<Slot> {
    let mut slots: Vec<(Slot, usize, bool)> = Vec::new(); // slot, last use of its latest value, shareable
    for (value, first, last) in lives(plan) {
        let info = &plan[value];
        let len = info.rows * info.stride();
        let shareable = info.stride() == info.cols;
        let fit = slots
            .iter_mut()
            .filter(|(_, free_after, open)| shareable && *open && *free_after < first)
            .min_by_key(|(slot, _, _)| slot.len.abs_diff(len));
        match fit {
            Some((slot, free_after, _)) => {
                slot.len = slot.len.max(len);
                slot.values.push(value);
                *free_after = last;
            }
            None => slots.push((Slot { len, values: vec![value] }, last, shareable)),
        }
    }
    slots.into_iter().map(|(slot, _, _)| slot).collect()
}

/// Each activation with the steps of its first and last use, in order of first use.
fn lives(plan: &Plan) -> Vec<(Value, usize, usize)> {
    let mut lives: Vec<(Value, usize, usize)> = Vec::new();
    for (i, step) in plan.steps.iter().enumerate() {
        for value in step.op.reads().into_iter().chain(step.op.writes()) {
            if !matches!(plan[value].storage, Storage::Activation) {
                continue;
            }
            match lives.iter_mut().find(|(v, _, _)| *v == value) {
                Some((_, _, last)) => *last = i,
                None => lives.push((value, i, i)),
            }
        }
    }
    lives
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plan::{Builder, Index, Norm, NormKind},
        quant::DType,
    };

    /// x → (norm → linear) added to x, twice: a small residual network of width `n`.
    fn residual_plan(n: usize) -> Plan {
        let mut b = Builder::new("test", 4);
        let ids = b.state_u32("ids", 1, 4);
        let table = b.matrix("table", DType::F32, 10, n);
        let x = b.embed(Index::State(ids), table);
        for layer in 0..2 {
            let weight = Some(b.vector(&format!("norm.{layer}"), n));
            let norm = Norm { kind: NormKind::Rms, weight, bias: None, eps: 1e-5 };
            let w = b.matrix(&format!("w.{layer}"), DType::F32, n, n);
            let h = b.norm(x, norm, n);
            b.linear_add(h, w, None, x);
        }
        b.finish()
    }

    #[test]
    fn values_that_live_at_the_same_time_have_different_slots() {
        let plan = residual_plan(64);
        let slots = assign_slots(&plan);
        for slot in &slots {
            let mut spans: Vec<_> =
                lives(&plan).into_iter().filter(|(v, _, _)| slot.values.contains(v)).collect();
            spans.sort_by_key(|s| s.1);
            assert!(spans.windows(2).all(|w| w[0].2 < w[1].1), "{spans:?}");
        }
    }

    #[test]
    fn the_two_layers_share_their_scratch() {
        assert_eq!(assign_slots(&residual_plan(64)).len(), 2); // the residual stream and one normed copy
    }

    #[test]
    fn padded_values_share_with_nobody() {
        let slots = assign_slots(&residual_plan(40));
        assert!(slots.iter().all(|slot| slot.values.len() == 1 && slot.len == 4 * 64));
    }
}
