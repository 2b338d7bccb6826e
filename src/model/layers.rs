//! The layers of every family, in the paper's order, written once: what differs is in the [`Stack`].

use super::{Experts, Layer, QkNorm, Residual, Stack, Tables, Weights, tables::position_name};
use crate::{
    error::{Error, Result},
    plan::{Attention, AttentionShape, Builder, Function, Index, Keys, KvCache, Norm, Value},
};

/// Where the rows of a run stand: in a sequence of their own each, or one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    /// Positions, one for each row, or none where they follow [`crate::plan::Run::pos`].
    pub positions: Option<Value>,
    /// Slots of the cache that rows are written to, likewise.
    pub slots: Option<Value>,
    /// What rows see.
    pub keys: Keys,
}

/// Builds the layers of one stack into a plan.
pub(super) struct Layers<'a, 'b> {
    pub b: &'b mut Builder,
    pub weights: &'b Weights<'a>,
    pub stack: &'b Stack,
    pub tables: &'b Tables,
    pub places: Places,
    /// Slots of the cache.
    pub n_ctx: usize,
    /// Rows that an encoder's states have room for.
    pub n_source: usize,
    /// How the cache keeps keys and values.
    pub kv_cache: KvCache,
}

/// The state that holds keys (`k`) or values (`v`) of layer `i`.
pub fn cache_name(what: char, i: usize) -> String {
    format!("{what}_cache.{i}")
}

/// The state that holds what layer `i` sees of the encoder.
pub fn cross_name(what: char, i: usize) -> String {
    format!("cross_{what}.{i}")
}

impl Layers<'_, '_> {
    /// A weight of the stack.
    fn name(&self, part: &str) -> String {
        format!("{}{part}", self.stack.prefix)
    }

    /// A weight of layer `i`.
    fn layer_name(&self, i: usize, part: &str) -> String {
        let i = self.stack.layer_groups.map_or(i, |groups| i * groups / self.stack.layers.len());
        format!("{}blk.{i}.{part}", self.stack.prefix)
    }

    fn linear_weights(&mut self, name: &str, n_out: usize, n_in: usize) -> Result<(Value, Option<Value>)> {
        let w = self.weights.matrix(self.b, &format!("{name}.weight"), n_out, n_in)?;
        let bias = self.weights.opt_vector(self.b, &format!("{name}.bias"), n_out)?;
        Ok((w, bias))
    }

    fn linear(&mut self, x: Value, name: &str, n_out: usize, label: &str) -> Result<Value> {
        let n_in = self.b.cols(x);
        let (w, bias) = self.linear_weights(name, n_out, n_in)?;
        Ok(self.b.linear(x, w, bias, label))
    }

    /// The norm `name` over `n` numbers.
    fn norm(&mut self, name: &str, n: usize) -> Result<Norm> {
        let config = self.stack.norm;
        let weight = match config.weights {
            true => Some(self.weights.vector(self.b, &format!("{name}.weight"), n)?),
            false => None,
        };
        let bias = self.weights.opt_vector(self.b, &format!("{name}.bias"), n)?;
        Ok(Norm { kind: config.kind, weight, bias, eps: config.eps })
    }

    /// A normed copy of `x`.
    fn normed(&mut self, x: Value, name: &str) -> Result<Value> {
        let n = self.b.cols(x);
        let norm = self.norm(name, n)?;
        Ok(self.b.norm(x, norm, n))
    }

    fn norm_in_place(&mut self, x: Value, name: &str) -> Result<()> {
        let n = self.b.cols(x);
        let norm = self.norm(name, n)?;
        self.b.norm_to(x, norm, n, x);
        Ok(())
    }

    /// What tokens begin with: the sum of their embeddings. `[rows, n_embd]`.
    pub fn embed(
        &mut self,
        ids: Value,
        table: Value,         // [n_vocab, width]
        types: Option<Value>, // a token's segment
        has_projection: bool,
    ) -> Result<Value> {
        let n_embd = self.stack.n_embd;
        let mut x = self.b.embed(Index::State(ids), table);
        if self.stack.embedding_scale != 1.0 {
            self.b.map(x, Function::Scale(self.stack.embedding_scale));
        }
        // OPT projects before positions are added, ALBERT and ELECTRA after the norm.
        let narrow = self.b.cols(x);
        let late = has_projection && self.stack.embedding_norm;
        if has_projection && !late {
            x = self.linear(x, "token_embd_proj", n_embd, "embedding")?;
        }
        if let Some(positions) = self.stack.positions {
            let width = if late { narrow } else { n_embd };
            let rows =
                positions.n.max(if positions.made.is_some() { self.n_ctx + positions.offset } else { 0 });
            let table = self.weights.matrix(self.b, &position_name(self.stack), rows, width)?;
            let index = self.places.positions.map_or(Index::Position(positions.offset), Index::State);
            self.b.embed_add(index, table, x);
        }
        if let Some(types) = types {
            let n_types = self.weights.source("token_types.weight")?.shape.0;
            let cols = self.b.cols(x);
            let table = self.weights.matrix(self.b, "token_types.weight", n_types, cols)?;
            self.b.embed_add(Index::State(types), table, x);
        }
        if self.stack.embedding_norm {
            let name = self.name("token_embd_norm");
            self.norm_in_place(x, &name)?;
        }
        if late {
            x = self.linear(x, "token_embd_proj", n_embd, "embedding")?;
        }
        Ok(x)
    }

    /// All layers. `x`: `[rows, n_embd]`, updated.
    pub fn body(&mut self, x: Value) -> Result<()> {
        for (i, layer) in self.stack.layers.iter().enumerate() {
            self.layer(i, layer, x)?;
        }
        Ok(())
    }

    /// The norm after the last layer, if there is one.
    pub fn final_norm(&mut self, x: Value) -> Result<Value> {
        if !self.stack.final_norm {
            return Ok(x);
        }
        let name = self.name("output_norm");
        self.normed(x, &name)
    }

    fn layer(&mut self, i: usize, layer: &Layer, x: Value) -> Result<()> {
        let (attn_norm, ffn_norm) = (self.layer_name(i, "attn_norm"), self.layer_name(i, "ffn_norm"));
        match self.stack.residual {
            Residual::Parallel => {
                let h = self.normed(x, &attn_norm)?;
                let second = self.weights.has(&format!("{ffn_norm}.weight"));
                let h2 = if second { self.normed(x, &ffn_norm)? } else { h };
                self.attention(i, layer, h, x)?;
                self.feed_forward(i, layer, h2, x)
            }
            Residual::Pre | Residual::Sandwich => {
                let h = if layer.bare_attention { x } else { self.normed(x, &attn_norm)? };
                self.attention(i, layer, h, x)?;
                if self.stack.cross {
                    let name = self.layer_name(i, "cross_attn_norm");
                    let h = self.normed(x, &name)?;
                    self.cross_attention(i, h, x)?;
                }
                let h = self.normed(x, &ffn_norm)?;
                self.feed_forward(i, layer, h, x)
            }
            Residual::Normed => {
                self.norm_in_place(x, &attn_norm)?;
                self.attention(i, layer, x, x)?;
                self.norm_in_place(x, &ffn_norm)?;
                self.feed_forward(i, layer, x, x)
            }
            Residual::Branch => {
                self.attention(i, layer, x, x)?;
                self.feed_forward(i, layer, x, x)
            }
            Residual::Post => {
                self.attention(i, layer, x, x)?;
                let name = self.layer_name(i, "attn_output_norm");
                self.norm_in_place(x, &name)?;
                if self.stack.cross {
                    self.cross_attention(i, x, x)?;
                    let name = self.layer_name(i, "cross_attn_output_norm");
                    self.norm_in_place(x, &name)?;
                }
                self.feed_forward(i, layer, x, x)?;
                let name = self.layer_name(i, "layer_output_norm");
                self.norm_in_place(x, &name)
            }
        }
    }

    /// Adds what a sublayer puts out to `x`, normed and scaled first where the family wants it.
    fn add_branch(&mut self, y: Value, i: usize, norm: &str, x: Value) -> Result<()> {
        if matches!(self.stack.residual, Residual::Sandwich | Residual::Branch) {
            let name = self.layer_name(i, norm);
            self.norm_in_place(y, &name)?;
        }
        if self.stack.residual_scale != 1.0 {
            self.b.map(y, Function::Scale(self.stack.residual_scale));
        }
        self.b.add(y, x);
        Ok(())
    }

    /// The last linear layer of a branch, and its sum with `x`: in one step where nothing stands between.
    fn end_branch(&mut self, y: Value, name: &str, i: usize, norm: &str, x: Value) -> Result<()> {
        let n_embd = self.stack.n_embd;
        let plain = !matches!(self.stack.residual, Residual::Sandwich | Residual::Branch);
        if plain && self.stack.residual_scale == 1.0 {
            let n_in = self.b.cols(y);
            let (w, bias) = self.linear_weights(name, n_embd, n_in)?;
            self.b.linear_add(y, w, bias, x);
            return Ok(());
        }
        let y = self.linear(y, name, n_embd, "branch")?;
        self.add_branch(y, i, norm, x)
    }

    /// `x += attention(h)`.
    fn attention(&mut self, i: usize, layer: &Layer, h: Value, x: Value) -> Result<()> {
        let mut shape = self.stack.attention;
        shape.window = layer.window;
        let n = |part: &str| self.layer_name(i, part);
        let names = ["attn_q", "attn_k", "attn_v", "attn_output"].map(n);
        let qk_names = ["attn_q_norm", "attn_k_norm"].map(n);
        let sinks = n("attn_sinks.weight");

        let q = self.linear(h, &names[0], shape.q_dim(), "q")?;
        let k = self.linear(h, &names[1], shape.kv_dim(), "k")?;
        let v = self.linear(h, &names[2], shape.kv_dim(), "v")?;
        for (x, name) in [q, k].into_iter().zip(&qk_names) {
            self.qk_norm(x, name, shape.head_dim)?;
        }
        if let Some(limit) = self.stack.clip_qkv {
            [q, k, v].into_iter().for_each(|x| self.b.map(x, Function::Clamp(limit)));
        }
        if let Some(rope) = layer.rope {
            let kind = &self.stack.ropes[rope];
            let table = self.b.constant(
                &format!("{}rope.{rope}", self.stack.prefix),
                self.tables.ropes[rope].clone(),
                kind.dims,
            );
            for x in [q, k] {
                self.b.rope(x, table, self.places.positions, shape.head_dim, kind.style);
            }
        }
        let (k, v) = match self.places.keys {
            Keys::Spans(_) | Keys::All => (k, v),
            Keys::Causal | Keys::Table(_) => {
                if self.kv_cache == KvCache::Q8_0 && !shape.head_dim.is_multiple_of(32) {
                    let hint = format!("heads of {} numbers are no multiple of 32; use f16", shape.head_dim);
                    return Err(Error::unsupported("kv_cache", "q8_0", hint));
                }
                let caches = ['k', 'v'].map(|what| {
                    self.b.cache(&cache_name(what, i), self.n_ctx, shape.kv_dim(), self.kv_cache)
                });
                for (x, cache) in [k, v].into_iter().zip(caches) {
                    self.b.cache_write(x, cache, self.places.slots);
                }
                (caches[0], caches[1])
            }
        };
        let bias = self.score_bias(i);
        let sinks = match self.stack.sinks {
            true => Some(self.weights.vector(self.b, &sinks, shape.n_heads)?),
            false => None,
        };
        let y = self.b.attention(q, k, v, Attention { shape, keys: self.places.keys, bias, sinks });
        // What was trained with a norm between attention and its output has one in the file.
        let between = self.layer_name(i, "attn_sub_norm");
        let y = if self.weights.has(&format!("{between}.weight")) { self.normed(y, &between)? } else { y };
        self.end_branch(y, &names[3], i, "post_attention_norm", x)
    }

    fn qk_norm(&mut self, x: Value, name: &str, head_dim: usize) -> Result<()> {
        let cols = self.b.cols(x);
        let (n, group) = match self.stack.qk_norm {
            QkNorm::None => return Ok(()),
            QkNorm::Head => (head_dim, head_dim),
            QkNorm::OwnHead => (cols, head_dim),
            QkNorm::Row => (cols, cols),
        };
        let norm = self.norm(name, n)?;
        self.b.norm_to(x, norm, group, x);
        Ok(())
    }

    fn score_bias(&mut self, i: usize) -> Option<Value> {
        let which = if self.tables.biases.len() > 1 { i } else { 0 };
        let table = self.tables.biases.get(which)?.clone();
        let span = table.len() / self.stack.attention.n_heads;
        Some(self.b.constant(&format!("{}score_bias.{which}", self.stack.prefix), table, span))
    }

    /// `x += attention(h over the encoder's states)`; keys and values were computed once: see [`Layers::cross_states`].
    fn cross_attention(&mut self, i: usize, h: Value, x: Value) -> Result<()> {
        let shape = AttentionShape { window: None, ..self.stack.attention };
        let (q_name, out) = (self.layer_name(i, "cross_attn_q"), self.layer_name(i, "cross_attn_output"));
        let q = self.linear(h, &q_name, shape.q_dim(), "q")?;
        let [k, v] = ['k', 'v'].map(|what| self.b.state(&cross_name(what, i), self.n_source, shape.kv_dim()));
        let y = self.b.attention(q, k, v, Attention { shape, keys: Keys::All, bias: None, sinks: None });
        self.end_branch(y, &out, i, "post_cross_attention_norm", x)
    }

    /// Keys and values of an encoder's states `x` for the cross-attention of every layer of this (the decoder's) stack.
    pub fn cross_states(&mut self, x: Value) -> Result<()> {
        let kv_dim = self.stack.attention.kv_dim();
        for i in 0..self.stack.layers.len() {
            for what in ['k', 'v'] {
                let name = self.layer_name(i, &format!("cross_attn_{what}"));
                let n_in = self.b.cols(x);
                let (w, bias) = self.linear_weights(&name, kv_dim, n_in)?;
                let state = self.b.state(&cross_name(what, i), self.n_source, kv_dim);
                self.b.linear_to(x, w, bias, state, false);
            }
        }
        Ok(())
    }

    /// `x += down(f(gate(h)) * up(h))`, or `x += down(f(up(h)))`.
    fn feed_forward(&mut self, i: usize, layer: &Layer, h: Value, x: Value) -> Result<()> {
        let stack = self.stack;
        let ff = &stack.feed_forward;
        match &ff.experts {
            Some(experts) if layer.experts => self.experts(i, experts, h, x),
            _ => {
                let names = ["ffn_gate", "ffn_up", "ffn_down"].map(|part| self.layer_name(i, part));
                let y = self.activated(h, &names, ff.n_ff)?;
                self.end_branch(y, &names[2], i, "post_ffw_norm", x)
            }
        }
    }

    /// `f(gate(h)) * up(h)`, or `f(up(h))`, by the names of gate and up.
    fn activated(&mut self, h: Value, names: &[String; 3], n_ff: usize) -> Result<Value> {
        let f = self.stack.feed_forward.activation;
        if !self.stack.feed_forward.gated {
            let up = self.linear(h, &names[1], n_ff, "up")?;
            self.b.map(up, f);
            return Ok(up);
        }
        let gate = self.linear(h, &names[0], n_ff, "gate")?;
        let up = self.linear(h, &names[1], n_ff, "up")?;
        self.b.gate(gate, up, f);
        Ok(gate)
    }

    /// `x += Σ weight * expert(h)` over the experts that a router chooses, and a shared one where there is one.
    fn experts(&mut self, i: usize, config: &Experts, h: Value, x: Value) -> Result<()> {
        let n_embd = self.stack.n_embd;
        let f = self.stack.feed_forward.activation;
        let n = |part: &str| self.layer_name(i, part);
        let names = ["ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"].map(n);
        let shared = ["ffn_gate_shexp", "ffn_up_shexp", "ffn_down_shexp"].map(n);
        let (router, shared_router) = (n("ffn_gate_inp"), n("ffn_gate_inp_shexp"));

        let scores = self.linear(h, &router, config.n, "routes")?;
        let chosen = self.b.route(scores, config.n_used, config.routing);
        let gate = self.expert_linear(h, &names[0], chosen, config.n, (config.n_ff, n_embd))?;
        let up = self.expert_linear(h, &names[1], chosen, config.n, (config.n_ff, n_embd))?;
        if config.clamped {
            self.b.map(gate, Function::AtMost(7.0));
            self.b.map(up, Function::Clamp(7.0));
            self.b.map(up, Function::Shift(1.0));
        }
        self.b.gate(gate, up, if config.clamped { Function::QuickGelu } else { f });
        let down = self.expert_linear(gate, &names[2], chosen, config.n, (n_embd, config.n_ff))?;
        self.b.combine(down, chosen, x);

        if config.n_ff_shared > 0 {
            let y = self.activated(h, &shared, config.n_ff_shared)?;
            let y = self.linear(y, &shared[2], n_embd, "shared")?;
            if self.weights.has(&format!("{shared_router}.weight")) {
                // One score for the row, which its sigmoid weighs.
                let score = self.linear(h, &shared_router, 1, "share")?;
                self.b.map(score, Function::Sigmoid);
                self.b.gate(y, score, Function::Scale(1.0));
            }
            self.b.add(y, x);
        }
        Ok(())
    }

    /// A layer of the chosen ones of `n` experts, whose matrices `[n_out, n_in]` lie one below the other.
    fn expert_linear(
        &mut self,
        x: Value,
        name: &str,
        chosen: Value,
        n: usize,
        (n_out, n_in): (usize, usize),
    ) -> Result<Value> {
        let w = self.weights.matrix(self.b, &format!("{name}.weight"), n * n_out, n_in)?;
        let bias = self.weights.opt_vector(self.b, &format!("{name}.bias"), n * n_out)?;
        Ok(self.b.expert_linear(x, w, bias, chosen, n_out))
    }
}
