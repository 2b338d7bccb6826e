//! The plans of a model: what a run computes from token ids to scores.

use super::{
    Config, Head, HeadOutput, Pool, Stack, Tables, Weights,
    layers::{Layers, Places},
};
use crate::{
    error::Result,
    plan::{Builder, Function, Keys, KvCache, Norm, Plan, Stage, Value},
};

/// State that holds the run's token ids, one per row; sampling leaves the next token in its first place.
pub const IDS: &str = "ids";
/// State that holds the token ids of an encoder's text, one per row.
pub const SOURCE_IDS: &str = "source_ids";
/// State that holds each row's token type.
pub const TYPES: &str = "types";
/// State that holds each row's position, in plans that do not count on from [`crate::plan::Run::pos`].
pub const POSITIONS: &str = "positions";
/// State that holds the position of each of several texts' tokens.
pub const BEAM_POSITIONS: &str = "beam_positions";
/// State that holds where each row's text begins and ends: see [`Keys::Spans`].
pub const SPANS: &str = "spans";
/// State that holds the slots that each row sees: see [`Keys::Table`].
pub const TABLE: &str = "table";
/// State that holds the slot of each row.
pub const SLOTS: &str = "slots";
/// State that holds the last row's logits: `[1, n_vocab]`.
pub const LOGITS: &str = "logits";
/// State that holds what the head puts out for every row: `[max_rows, n_out]`.
pub const OUTPUTS: &str = "outputs";
/// As [`OUTPUTS`], of beams: plans that share a state have as many rows of it.
pub const BEAM_OUTPUTS: &str = "beam outputs";
/// As [`OUTPUTS`], of the rows of a draft.
pub const DRAFT_OUTPUTS: &str = "draft outputs";
/// State that holds the last hidden states of every row: `[max_rows, n_embd]`.
pub const HIDDEN: &str = "hidden";
/// State that holds how often each token occurred: see [`crate::plan::Op::Penalize`].
pub const COUNTS: &str = "counts";

/// State that holds which tokens may come next: see [`crate::plan::Op::Mask`].
pub const ALLOWED: &str = "allowed tokens";
/// State that holds what is added to the logits of tokens.
pub const BIAS: &str = "logit bias";

/// What a plan computes after the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Logits of the last row, then the next token.
    NextToken,
    /// What the head puts out for every row.
    Rows,
    /// The last hidden states of every row, whatever the head.
    Hidden,
    /// As [`Output::Rows`], of beams, which are fewer.
    Beams,
    /// As [`Output::Rows`], of a draft: see [`Blueprint::draw`].
    Draft,
}

/// A model's weights and the tables made for a context's length: what its plans are built from.
pub struct Blueprint<'a> {
    /// The features.
    pub config: &'a Config,
    /// The weights.
    pub weights: &'a Weights<'a>,
    /// Of the encoder and the decoder.
    pub tables: &'a [Tables; 2],
    /// Positions of the decoder's context, and rows that an encoder's text may have.
    pub n_ctx: usize,
    /// How keys and values of the decoder are kept.
    pub kv_cache: KvCache,
}

impl Blueprint<'_> {
    fn layers<'b>(
        &'b self,
        b: &'b mut Builder,
        stack: &'b Stack,
        tables: &'b Tables,
        places: Places,
        n_slots: usize,
    ) -> Layers<'b, 'b> {
        let (n_source, kv_cache) = (self.n_ctx, self.kv_cache);
        Layers { b, weights: self.weights, stack, tables, places, n_ctx: n_slots, n_source, kv_cache }
    }

    fn token_table(&self, b: &mut Builder, stack: &Stack) -> Result<Value> {
        let width = self.config.embedding_width.unwrap_or(stack.n_embd);
        self.weights.matrix(b, "token_embd.weight", self.config.n_vocab, width)
    }

    /// The plan of a decoder for runs of up to `max_rows` tokens that follow each other.
    ///
    /// # Errors
    /// [`crate::Error::Format`] naming the tensor that is missing or has another shape than the Config calls for.
    pub fn decoder(&self, name: &str, stack: &Stack, max_rows: usize, output: Output) -> Result<Plan> {
        let mut b = Builder::new(name, max_rows);
        let ids = b.state_u32(IDS, 1, self.n_ctx);
        let places = Places { positions: None, slots: None, keys: Keys::Causal };
        self.decode(b, stack, ids, places, self.n_ctx, output)
    }

    /// The plan of a decoder for runs of one token of each of up to `max_rows` texts, whose keys and values are in any of
    /// `n_slots` slots.
    ///
    /// # Errors
    /// As [`Blueprint::decoder`].
    pub fn beams(&self, name: &str, stack: &Stack, max_rows: usize, n_slots: usize) -> Result<Plan> {
        let mut b = Builder::new(name, max_rows);
        let ids = b.state_u32(IDS, 1, self.n_ctx);
        let positions = Some(b.state_u32(BEAM_POSITIONS, 1, max_rows));
        let slots = Some(b.state_u32(SLOTS, 1, max_rows));
        let table = b.state_u32(TABLE, max_rows, self.n_ctx + 1);
        let places = Places { positions, slots, keys: Keys::Table(table) };
        self.decode(b, stack, ids, places, n_slots, Output::Beams)
    }

    /// The plan that draws a token from the last row of what a run of [`Output::Draft`] put out, by the same steps as after a
    /// run of one token: a row is chosen by [`crate::plan::Run::n_rows`].
    pub fn draw(&self, name: &str, max_rows: usize) -> Plan {
        let mut b = Builder::new(name, max_rows);
        b.stage(Stage::Sample);
        let ids = b.state_u32(IDS, 1, self.n_ctx);
        let counts = b.state_u32(COUNTS, 1, self.config.n_vocab);
        let outputs = b.state(DRAFT_OUTPUTS, max_rows, self.config.n_out());
        let scores = b.last_row(outputs);
        b.sample(scores, counts, ids);
        b.finish()
    }

    /// The plan that draws a token from the logits of a run of [`Output::NextToken`], by the same steps as there, but only one of
    /// those that may come.
    pub fn masked(&self, name: &str) -> Plan {
        let mut b = Builder::new(name, 1);
        b.stage(Stage::Sample);
        let n = self.config.n_vocab;
        let ids = b.state_u32(IDS, 1, self.n_ctx);
        let counts = b.state_u32(COUNTS, 1, n);
        let logits = b.state(LOGITS, 1, self.config.n_out());
        let bias = b.state(BIAS, 1, n);
        let allowed = b.state_u32(ALLOWED, 1, n.div_ceil(32));
        let scores = b.mask(logits, bias, allowed);
        b.sample(scores, counts, ids);
        b.finish()
    }

    fn decode(
        &self,
        mut b: Builder,
        stack: &Stack,
        ids: Value,
        places: Places,
        n_slots: usize,
        output: Output,
    ) -> Result<Plan> {
        let table = self.token_table(&mut b, stack)?;
        let mut layers = self.layers(&mut b, stack, &self.tables[1], places, n_slots);
        let x = layers.embed(ids, table, None, self.config.embedding_width.is_some())?;
        layers.body(x)?;

        layers.b.stage(Stage::Logits);
        let x = if output == Output::NextToken { layers.b.last_row(x) } else { x };
        let x = layers.final_norm(x)?;
        let scores = self.head(&mut b, x, table, None, output)?;

        if output == Output::NextToken {
            b.stage(Stage::Sample);
            let counts = b.state_u32(COUNTS, 1, self.config.n_vocab);
            b.sample(scores, counts, ids);
        }
        Ok(b.finish())
    }

    /// The plan of an encoder for runs of texts that lie one after the other in up to `n_ctx` rows. Before a decoder it ends in
    /// the states that the decoder looks at, of one text; else in `output`.
    ///
    /// # Errors
    /// As [`Blueprint::decoder`].
    pub fn encoder(&self, name: &str, stack: &Stack, output: Output) -> Result<Plan> {
        let mut b = Builder::new(name, self.n_ctx);
        let ids = b.state_u32(SOURCE_IDS, 1, self.n_ctx);
        let positions = Some(b.state_u32(POSITIONS, 1, self.n_ctx));
        let spans = b.state_u32(SPANS, self.n_ctx, 2);
        let types = match self.config.n_token_types {
            0 => None,
            _ => Some(b.state_u32(TYPES, 1, self.n_ctx)),
        };
        let places = Places { positions, slots: None, keys: Keys::Spans(spans) };
        let table = self.token_table(&mut b, stack)?;
        let mut layers = self.layers(&mut b, stack, &self.tables[0], places, self.n_ctx);
        let x = layers.embed(ids, table, types, self.config.embedding_width.is_some())?;
        layers.body(x)?;
        layers.b.stage(Stage::Logits);
        let x = layers.final_norm(x)?;
        match &self.config.decoder {
            Some(decoder) => {
                self.layers(&mut b, decoder, &self.tables[1], places, self.n_ctx).cross_states(x)?
            }
            None => {
                self.head(&mut b, x, table, Some(spans), output)?;
            }
        }
        Ok(b.finish())
    }

    /// From the last hidden states to scores, where `Output` says.
    fn head(
        &self,
        b: &mut Builder,
        x: Value,             // [rows, n_embd]
        table: Value,         // [n_vocab, embedding width]
        spans: Option<Value>, // in plans of several texts
        output: Output,
    ) -> Result<Value> {
        let head = if output == Output::Hidden { &Head::HIDDEN } else { &self.config.head };
        let (weights, n_embd) = (self.weights, b.cols(x));
        let over_vocabulary = head.output == HeadOutput::Vocabulary;
        let mut x = match (head.pool, spans) {
            (Pool::Mean, Some(spans)) if head.output != HeadOutput::Hidden => b.mean(x, spans),
            _ => x,
        };
        // Where token embeddings are narrower, so is what is compared with them.
        let width = self.config.embedding_width.filter(|_| over_vocabulary).unwrap_or(n_embd);
        if let Some(f) = head.dense {
            let w = weights.matrix(b, "cls.weight", width, n_embd)?;
            let bias = weights.opt_vector(b, "cls.bias", width)?;
            x = b.linear(x, w, bias, "head");
            b.map(x, f);
        } else if width != n_embd {
            let w = weights.matrix(b, "output_proj.weight", width, n_embd)?;
            x = b.linear(x, w, None, "head");
        }
        if head.norm {
            let weight = Some(weights.vector(b, "cls.norm.weight", width)?);
            let bias = weights.opt_vector(b, "cls.norm.bias", width)?;
            let config = self.config.last_stack().norm;
            x = b.norm(x, Norm { kind: config.kind, weight, bias, eps: config.eps }, width);
        }
        let n_out = self.config.n_out_of(head);
        let rows = b.rows(x);
        let scores = match output {
            Output::NextToken => b.state(LOGITS, 1, n_out),
            Output::Rows => b.state(OUTPUTS, rows, n_out),
            Output::Hidden => b.state(HIDDEN, rows, n_out),
            Output::Beams => b.state(BEAM_OUTPUTS, rows, n_out),
            Output::Draft => b.state(DRAFT_OUTPUTS, rows, n_out),
        };
        let name = if over_vocabulary { "output" } else { "cls.output" };
        if head.output == HeadOutput::Hidden {
            b.copy(x, scores);
        } else {
            let w = match over_vocabulary && !weights.has("output.weight") {
                true => table, // tied
                false => weights.matrix(b, &format!("{name}.weight"), n_out, width)?,
            };
            let bias = weights.opt_vector(b, &format!("{name}.bias"), n_out)?;
            b.linear_to(x, w, bias, scores, false);
        }
        if head.scale != 1.0 {
            b.map(scores, Function::Scale(head.scale));
        }
        if let Some(cap) = head.softcap {
            b.map(scores, Function::SoftCap(cap));
        }
        Ok(scores)
    }
}
