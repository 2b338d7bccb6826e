//! A plan to one with fewer steps that computes the same: where every step is a dispatch, each costs time of its own.
//! The values of the plan keep their handles, but those between the steps of a fused one are not computed any more.

use super::{
    Attention, End, Function, Keys, Linears, Norm, NormKind, Op, Place, Plan, Rotation, Step, Storage, Value,
    ValueInfo,
};

/// Makes fewer steps of those from one on, if they are what it looks for.
type Rewrite<'a> = &'a dyn Fn(&mut Plan, usize) -> Option<()>;

/// `plan` with its steps fused along the layer. `together` tells whether a device can read these matrices as one.
pub fn fuse(plan: &Plan, together: &dyn Fn(&[Value]) -> bool) -> Plan {
    let mut plan = plan.clone();
    let rewrites: [Rewrite; 4] = [&attention, &|plan, i| gate(plan, i, together), &map, &norm];
    for rewrite in rewrites {
        let mut i = 0;
        while i < plan.steps.len() {
            let before = plan.steps.len();
            rewrite(&mut plan, i);
            // What was rewritten is shorter, and may be part of something else.
            if plan.steps.len() == before {
                i += 1;
            }
        }
    }
    plan
}

impl Plan {
    fn is_used(&self, value: Value, steps: impl IntoIterator<Item = usize>) -> bool {
        steps.into_iter().any(|i| {
            let op = &self.steps[i].op;
            op.reads().contains(&value) || op.writes().contains(&value)
        })
    }

    /// Whether only the steps of a range use an activation.
    fn is_private(&self, value: Value, first: usize, end: usize) -> bool {
        matches!(self[value].storage, Storage::Activation)
            && !self.is_used(value, (0..first).chain(end..self.steps.len()))
    }

    /// Puts steps in the place of others.
    fn replace(&mut self, first: usize, end: usize, ops: impl IntoIterator<Item = Op>) {
        let stage = self.steps[first].stage;
        let steps: Vec<Step> = ops.into_iter().map(|op| Step { op, stage }).collect();
        self.steps.splice(first..end, steps);
    }
}

/// From the step `first` on: the layers of queries, keys and values, what is done to each of them, the attention.
fn attention(plan: &mut Plan, first: usize) -> Option<()> {
    let mut layers = Vec::new();
    let mut values = Vec::new();
    let mut x = None;
    for step in plan.steps.get(first..first + 3)? {
        let Op::Linear { x: input, w, bias, y, add: false } = step.op else { return None };
        if *x.get_or_insert(input) != input || values.contains(&y) {
            return None;
        }
        layers.push((w, bias));
        values.push(y);
    }
    let mut all = [Changes::default(); 3];
    let mut end = first + 3;
    let (q, how) = loop {
        match plan.steps.get(end)?.op {
            Op::Attention {
                q,
                k,
                v,
                y,
                shape,
                keys: keys @ (Keys::Causal | Keys::Table(_)),
                bias,
                sinks,
            } => {
                let how = Attention { shape, keys, bias, sinks };
                let caches = [all[1].cache?.0, all[2].cache?.0];
                if q != values[0] || [k, v] != caches {
                    return None;
                }
                break (y, how);
            }
            ref op => {
                let which = values.iter().position(|value| op.reads().contains(value))?;
                all[which] = all[which].then(op, values[which])?;
            }
        }
        end += 1;
    };
    let [queries, keys, others] = all;
    let shape = how.shape;
    let same = queries.rope == keys.rope
        && others.rope.is_none()
        && others.norm.is_none()
        && queries.clip == keys.clip
        && keys.clip == others.clip
        && queries.cache.is_none()
        && keys.cache?.1 == others.cache?.1;
    let norms = match (queries.norm, keys.norm) {
        (None, None) => None,
        (Some((a, group)), Some((b, _)))
            if group == shape.head_dim && keys.norm?.1 == group && (a.kind, a.eps) == (b.kind, b.eps) =>
        {
            Some([a, b])
        }
        _ => return None,
    };
    if !same || values.iter().any(|value| !plan.is_private(*value, first, end + 1)) {
        return None;
    }
    plan.values.push(ValueInfo {
        name: "qkv".into(),
        storage: Storage::Activation,
        rows: plan[values[0]].rows,
        cols: shape.q_dim() + 2 * shape.kv_dim(),
    });
    let qkv = Value(plan.values.len() as u32 - 1);
    let caches = [keys.cache?.0, others.cache?.0];
    let place = Place {
        qkv,
        n_heads: shape.n_heads,
        n_kv_heads: shape.n_kv_heads,
        head_dim: shape.head_dim,
        norms,
        clip: queries.clip,
        rope: queries.rope,
        caches,
        slots: keys.cache?.1,
    };
    let attention = Op::Attention {
        q: qkv,
        k: caches[0],
        v: caches[1],
        y: q,
        shape,
        keys: how.keys,
        bias: how.bias,
        sinks: how.sinks,
    };
    let linears = Linears { x: x?, norm: None, layers, y: qkv, end: End::Store };
    plan.replace(first, end + 1, [Op::Linears(linears), Op::Place(place), attention]);
    Some(())
}

/// What happens to queries, keys or values, in this order.
#[derive(Clone, Copy, Default)]
struct Changes {
    norm: Option<(Norm, usize)>,
    clip: Option<f32>,
    rope: Option<Rotation>,
    cache: Option<(Value, Option<Value>)>,
}

impl Changes {
    /// With one more, if it is one of these and in order.
    fn then(self, op: &Op, value: Value) -> Option<Changes> {
        let Changes { norm, clip, rope, cache } = self;
        match *op {
            Op::Norm { kind, x, weight, bias: None, y, group, eps }
                if x == value && y == value && norm.is_none() && clip.is_none() && rope.is_none() =>
            {
                // Kernels have one way to norm heads: with weights.
                let weight = Some(weight?);
                Some(Changes { norm: Some((Norm { kind, weight, bias: None, eps }, group)), ..self })
            }
            Op::Map { x, f: Function::Clamp(limit) } if x == value && clip.is_none() && rope.is_none() => {
                Some(Changes { clip: Some(limit), ..self })
            }
            Op::Rope { x, table, positions, style, .. } if x == value && rope.is_none() => {
                Some(Changes { rope: Some(Rotation { table, positions, style }), ..self })
            }
            Op::CacheWrite { x, cache: to, slots } if x == value && cache.is_none() => {
                Some(Changes { cache: Some((to, slots)), ..self })
            }
            _ => None,
        }
        .filter(|_| cache.is_none())
    }
}

/// Two layers and the gate that joins them, for one row.
fn gate(plan: &mut Plan, first: usize, together: &dyn Fn(&[Value]) -> bool) -> Option<()> {
    let &[ref a, ref b, Step { op: Op::Gate { gate, up, f }, .. }] = plan.steps.get(first..first + 3)? else {
        return None;
    };
    let (
        Op::Linear { x, w: first_w, bias: first_bias, y, add: false },
        Op::Linear { x: same, w, bias, y: second, add: false },
    ) = (&a.op, &b.op)
    else {
        return None;
    };
    let fits = x == same && *y == gate && *second == up && plan[gate].cols == plan[up].cols;
    if !fits
        || plan[gate].rows != 1
        || !is_activation(f)
        || !plan.is_private(up, first, first + 3)
        || first_bias.is_some() != bias.is_some()
        || !together(&[*first_w, *w])
    {
        return None;
    }
    let layers = vec![(*first_w, *first_bias), (*w, *bias)];
    let linears = Linears { x: *x, norm: None, layers, y: gate, end: End::Gate(f) };
    plan.replace(first, first + 3, [Op::Linears(linears)]);
    Some(())
}

/// A layer and its activation, for one row.
fn map(plan: &mut Plan, first: usize) -> Option<()> {
    let [a, b] = plan.steps.get(first..first + 2)? else { return None };
    let (&Op::Linear { x, w, bias, y, add: false }, &Op::Map { x: mapped, f }) = (&a.op, &b.op) else {
        return None;
    };
    if y != mapped || plan[y].rows != 1 || !is_activation(f) {
        return None;
    }
    let linears = Linears { x, norm: None, layers: vec![(w, bias)], y, end: End::Map(f) };
    plan.replace(first, first + 2, [Op::Linears(linears)]);
    Some(())
}

/// The functions of feed-forward layers.
fn is_activation(f: Function) -> bool {
    !matches!(
        f,
        Function::Scale(_)
            | Function::SoftCap(_)
            | Function::Clamp(_)
            | Function::AtMost(_)
            | Function::Shift(_)
    )
}

/// A norm of one row goes into the layers that read it: each computes the scale for itself, which costs less than a
/// step. It is linear but for that factor, so that the layers need no second pass over the row.
fn norm(plan: &mut Plan, at: usize) -> Option<()> {
    let Op::Norm { kind: NormKind::Rms, x, weight: Some(weight), bias: None, y, group, eps } =
        plan.steps[at].op
    else {
        return None;
    };
    let (rows, cols) = (plan[x].rows, plan[x].cols);
    let whole = group == cols && plan[weight].cols == cols && cols.is_multiple_of(4); // kernels read it by fours
    let is_scratch = |value| matches!(plan[value].storage, Storage::Activation);
    if rows != 1 || !whole || x == y || !is_scratch(x) || !is_scratch(y) || plan.is_used(y, 0..at) {
        return None;
    }
    let norm = Some(Norm { kind: NormKind::Rms, weight: Some(weight), bias: None, eps });
    let mut fused = Vec::new();
    let mut changed = false; // whether `x` is still what was normed
    for (i, step) in plan.steps.iter().enumerate().skip(at + 1) {
        let writes_x = step.op.writes().contains(&x);
        if plan.is_used(y, [i]) {
            let linears = match &step.op {
                Op::Linears(linears) if linears.norm.is_none() => linears.clone(),
                &Op::Linear { x, w, bias, y, add } => {
                    let end = if add { End::Add } else { End::Store };
                    Linears { x, norm: None, layers: vec![(w, bias)], y, end }
                }
                _ => return None,
            };
            if linears.x != y || linears.y == y || changed || writes_x {
                return None;
            }
            fused.push((i, Op::Linears(Linears { x, norm, ..linears })));
        }
        changed |= writes_x;
    }
    if fused.is_empty() {
        return None; // it is what somebody wants to read
    }
    for (i, op) in fused {
        plan.steps[i].op = op;
    }
    plan.steps.remove(at);
    Some(())
}
