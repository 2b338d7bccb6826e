//! The blueprint: every feature of a model that its layers depend on, whatever family it is of. Readers fill it from
//! GGUF metadata ([`super::gguf`]) or from a Hugging Face folder's `config.json` ([`super::hf`]).

use super::Rope;
use crate::plan::{AttentionShape, Function, NormKind, Routing};

/// A whole model.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The family as the file calls it, e.g. `llama` or `t5`.
    pub architecture: String,
    /// Tokens in the vocabulary.
    pub n_vocab: usize,
    /// Positions the model was trained for.
    pub n_ctx_train: usize,
    /// What reads the text whole: all of an encoder-only model, the first half of an encoder-decoder.
    pub encoder: Option<Stack>,
    /// What writes the text token by token.
    pub decoder: Option<Stack>,
    /// What the last hidden states become.
    pub head: Head,
    /// Token types (segments) that have embeddings of their own, 0 for none.
    pub n_token_types: usize,
    /// Width of the token embeddings where a matrix brings them to the width of the layers (ALBERT, ELECTRA, OPT-350m).
    pub embedding_width: Option<usize>,
    /// What a pooled embedding goes through: see [`dense_name`] for the weights.
    pub dense: Vec<Dense>,
    /// Whether embeddings are meant to have the length 1.
    pub normalized_embeddings: bool,
    /// What a label of a classification head is called, by number.
    pub labels: Vec<String>,
    /// Whether labels exclude each other.
    pub problem: Problem,
}

/// A layer after the pooling of an embedding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dense {
    /// Numbers in.
    pub n_in: usize,
    /// Numbers out.
    pub n_out: usize,
    /// What follows.
    pub activation: Option<Function>,
}

/// What the weights of layer `i` of [`Config::dense`] are called: `dense.0.weight`, `[n_out, n_in]`, and `dense.0.bias`.
pub fn dense_name(i: usize) -> String {
    format!("dense.{i}")
}

/// How scores of a classification head are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// One label is right: softmax.
    OneOf,
    /// Each label may hold: sigmoid.
    AnyOf,
    /// The scores are the answer: rewards, ratings, relevance.
    Regression,
}

/// Layers of one kind, one after the other, with what stands before and after them.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    /// What names of its weights begin with: nothing, `enc.` or `dec.`.
    pub prefix: &'static str,
    /// Width of the residual stream (`hidden_size`).
    pub n_embd: usize,
    /// Token embeddings are multiplied with it.
    pub embedding_scale: f32,
    /// A table of embeddings by position.
    pub positions: Option<PositionTable>,
    /// Whether the sum of embeddings is normed.
    pub embedding_norm: bool,
    /// The layers.
    pub layers: Vec<Layer>,
    /// So many groups of layers share one layer's weights each (ALBERT); none where every layer has its own.
    pub layer_groups: Option<usize>,
    /// Heads and scale; a layer's window is its own.
    pub attention: AttentionShape,
    /// Whether a token sees only what is before it.
    pub causal: bool,
    /// Whether layers look at an encoder's states too.
    pub cross: bool,
    /// The kinds of rotation that layers choose among.
    pub ropes: Vec<Rope>,
    /// What is added to scores by distance.
    pub score_bias: Option<ScoreBias>,
    /// Norms of queries and keys.
    pub qk_norm: QkNorm,
    /// Queries, keys and values are kept within this (MPT, OLMo).
    pub clip_qkv: Option<f32>,
    /// Whether heads have sinks.
    pub sinks: bool,
    /// The norms.
    pub norm: NormConfig,
    /// In what order norms, sublayers and sums come.
    pub residual: Residual,
    /// What a sublayer adds is multiplied with it.
    pub residual_scale: f32,
    /// Feed-forward.
    pub feed_forward: FeedForward,
    /// Whether the last layer's output is normed.
    pub final_norm: bool,
}

/// What one layer has for itself.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Layer {
    /// See [`AttentionShape::window`].
    pub window: Option<usize>,
    /// Which of [`Stack::ropes`]; none leaves queries and keys as they are.
    pub rope: Option<usize>,
    /// Whether the attention's input is taken as it is (ModernBERT's first layer).
    pub bare_attention: bool,
    /// Whether the feed-forward has experts.
    pub experts: bool,
}

/// A table of embeddings by position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PositionTable {
    /// Rows.
    pub n: usize,
    /// The row of the first position.
    pub offset: usize,
    /// How it is made, or none where it is learned and so in the file.
    pub made: Option<Sinusoid>,
}

/// Sines and cosines (Vaswani et al. 2017), the former in the first half of a row, the latter in the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sinusoid {
    /// Frequencies `10000^(-2i / n)` (Marian, Pegasus).
    Marian,
    /// Frequencies `10000^(-i / (n/2 - 1))`, and zeros at the padding token's place, row 1 (fairseq: M2M100).
    Fairseq,
}

/// What is added to attention scores by the distance of key and query.
#[derive(Debug, Clone, PartialEq)]
pub enum ScoreBias {
    /// A slope for each head (Press et al. 2022).
    Alibi {
        /// `[n_heads]`.
        slopes: Vec<f32>,
    },
    /// A learned number for each head and bucket of distances (Raffel et al. 2020), from `attn_rel_b.weight`: `[n_buckets, n_heads]`.
    Buckets {
        /// How many.
        n: usize,
        /// The distance from which on all share the last.
        max_distance: usize,
        /// Whether each layer has its own (UMT5), or all have the first's.
        each_layer: bool,
    },
}

/// Norms of queries and keys before their rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QkNorm {
    /// None.
    None,
    /// Each head, all with the same weights (Qwen3, Gemma 3).
    Head,
    /// Each head with its own weights (StableLM 2).
    OwnHead,
    /// All heads together (OLMo 2).
    Row,
}

/// The norms of a stack.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormConfig {
    /// What is divided by.
    pub kind: NormKind,
    /// Keeps the root from zero.
    pub eps: f32,
    /// Whether they have weights (OLMo 1 has none).
    pub weights: bool,
}

/// In what order norms, sublayers `f` and sums come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Residual {
    /// `x += f(norm(x))`: most decoders.
    Pre,
    /// `x = norm(x)`, then `x += f(x)`: BLOOM with `apply_residual_connection_post_layernorm`.
    Normed,
    /// `x = norm(x + f(x))`: the original transformer, BERT, BART.
    Post,
    /// `x += norm(f(norm(x)))`: Gemma 2 and 3.
    Sandwich,
    /// `x += norm(f(x))`: OLMo 2.
    Branch,
    /// `x += attention(norm(x)) + feed_forward(norm(x))`: GPT-J, Phi, Falcon; with a second norm where the file has one.
    Parallel,
}

/// The feed-forward of a stack.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedForward {
    /// Width (`intermediate_size`).
    pub n_ff: usize,
    /// Activation.
    pub activation: Function,
    /// Whether the activated half gates another (Shazeer 2020).
    pub gated: bool,
    /// Experts, in the layers that have them.
    pub experts: Option<Experts>,
}

/// A choice of feed-forwards (Shazeer et al. 2017).
#[derive(Debug, Clone, PartialEq)]
pub struct Experts {
    /// How many there are.
    pub n: usize,
    /// How many a token takes.
    pub n_used: usize,
    /// Their width.
    pub n_ff: usize,
    /// How scores become weights.
    pub routing: Routing,
    /// Width of the expert that all tokens take (Qwen2-MoE), 0 for none.
    pub n_ff_shared: usize,
    /// gpt-oss's gate: `(up + 1) * gate * sigmoid(1.702 gate)`, both kept within 7.
    pub clamped: bool,
}

/// What the last hidden states become.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// Which states count, where one answer is given for a whole text.
    pub pool: Pool,
    /// A layer `[n_embd, n_embd]` and what follows it, before the last (BERT's pooler and transform).
    pub dense: Option<Function>,
    /// Whether its result is normed.
    pub norm: bool,
    /// The last layer.
    pub output: HeadOutput,
    /// Scores are multiplied with it.
    pub scale: f32,
    /// See [`Function::SoftCap`].
    pub softcap: Option<f32>,
}

/// Which hidden states answer for a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// Each its own.
    Each,
    /// The first token's.
    First,
    /// The last token's.
    Last,
    /// The mean of all.
    Mean,
}

/// What a head puts out for each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadOutput {
    /// The hidden state itself: an embedding model.
    Hidden,
    /// A score for each token of the vocabulary.
    Vocabulary,
    /// Scores of labels: of the text, or of each token.
    Labels(usize),
    /// Scores of being the first and the last token of an answer.
    Span,
}

impl Config {
    /// The stack whose states reach the head.
    pub fn last_stack(&self) -> &Stack {
        // A reader fills one of them at the least.
        self.decoder.as_ref().or(self.encoder.as_ref()).expect("a model has layers")
    }

    /// Numbers in an embedding.
    pub fn n_embedding(&self) -> usize {
        self.dense.last().map_or(self.last_stack().n_embd, |layer| layer.n_out)
    }

    /// Numbers that the head puts out for a row.
    pub fn n_out(&self) -> usize {
        self.n_out_of(&self.head)
    }

    /// Numbers that another head on the same layers would put out.
    pub fn n_out_of(&self, head: &Head) -> usize {
        match head.output {
            HeadOutput::Hidden => self.last_stack().n_embd,
            HeadOutput::Vocabulary => self.n_vocab,
            HeadOutput::Labels(n) => n,
            HeadOutput::Span => 2,
        }
    }

    /// What the model is made for: `generate`, `fill-mask`, `classify`, `tag`, `answer` or `embed`.
    pub fn task(&self) -> &'static str {
        match self.head.output {
            HeadOutput::Hidden => "embed",
            HeadOutput::Vocabulary if self.decoder.is_some() => "generate",
            HeadOutput::Vocabulary => "fill-mask",
            HeadOutput::Labels(_) if self.head.pool == Pool::Each => "tag",
            HeadOutput::Labels(_) => "classify",
            HeadOutput::Span => "answer",
        }
    }

    /// Whether the model writes text.
    pub fn generates(&self) -> bool {
        self.decoder.is_some() && self.head.output == HeadOutput::Vocabulary
    }
}

impl Head {
    /// A language model's: scores of every token from every state.
    pub const LANGUAGE: Head = Head {
        pool: Pool::Each,
        dense: None,
        norm: false,
        output: HeadOutput::Vocabulary,
        scale: 1.0,
        softcap: None,
    };

    /// The bare hidden states.
    pub const HIDDEN: Head = Head { output: HeadOutput::Hidden, ..Head::LANGUAGE };
}
