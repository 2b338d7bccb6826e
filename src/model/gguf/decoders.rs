//! Decoder-only families: what each has of its own.

use super::Base;
use crate::{
    error::Result,
    model::{
        Config, Experts, Head, QkNorm, Residual, Rope, Scaling, ScoreBias, Stack, alibi_slopes, mpt_slopes,
    },
    plan::{Function, RopeStyle, Routing},
};

/// Llama 1 to 3, Mistral, Mixtral; the converter reorders rows so that pairs are neighbours.
pub fn llama(base: &Base) -> Result<Config> {
    let mut stack = base.rotated(RopeStyle::Interleaved)?;
    add_experts(base, &mut stack, Routing::Normalized)?;
    base.decoder(stack)
}

/// Qwen2 and Qwen2-MoE.
pub fn qwen2(base: &Base) -> Result<Config> {
    let mut stack = base.rotated(RopeStyle::Halves)?;
    add_experts(base, &mut stack, Routing::Softmax)?;
    base.decoder(stack)
}

/// Qwen3 and Qwen3-MoE.
pub fn qwen3(base: &Base) -> Result<Config> {
    let mut stack = base.rotated(RopeStyle::Halves)?;
    stack.qk_norm = QkNorm::Head;
    add_experts(base, &mut stack, Routing::Normalized)?;
    base.decoder(stack)
}

pub fn olmoe(base: &Base) -> Result<Config> {
    let mut stack = base.rotated(RopeStyle::Halves)?;
    stack.qk_norm = QkNorm::Row;
    add_experts(base, &mut stack, Routing::Softmax)?;
    base.decoder(stack)
}

/// Experts in every layer that has a router.
fn add_experts(base: &Base, stack: &mut Stack, routing: Routing) -> Result<()> {
    let Some(n) = base.keys.opt_size("expert_count")? else { return Ok(()) };
    let n_used = base.keys.size("expert_used_count")?;
    if n_used > n {
        return Err(base.keys.bad("expert_used_count", format!("{n_used} of {n} experts")));
    }
    let normalized = base.keys.flag("expert_weights_norm")?;
    let routing = match normalized {
        Some(true) => Routing::Normalized,
        Some(false) => Routing::Softmax,
        None => routing,
    };
    let n_ff = base.keys.opt_size("expert_feed_forward_length")?.unwrap_or(stack.feed_forward.n_ff);
    let has_shared = base.has("blk.0.ffn_up_shexp.weight");
    let n_ff_shared = match base.keys.opt_size("expert_shared_feed_forward_length")? {
        Some(n) if has_shared => n,
        None if has_shared => stack.feed_forward.n_ff,
        _ => 0,
    };
    stack.feed_forward.experts = Some(Experts { n, n_used, n_ff, routing, n_ff_shared, clamped: false });
    for (i, layer) in stack.layers.iter_mut().enumerate() {
        layer.experts = base.has(&format!("blk.{i}.ffn_gate_inp.weight"));
    }
    Ok(())
}

/// GPT-2, and StarCoder 1, whose heads share one key.
pub fn gpt2(base: &Base) -> Result<Config> {
    let mut stack = base.with_layer_norms(base.with_real_width(base.stack()), Function::GeluTanh)?;
    stack.positions = Some(base.learned_positions()?);
    base.decoder(stack)
}

pub fn bloom(base: &Base) -> Result<Config> {
    let mut stack = base.with_layer_norms(base.stack(), Function::GeluTanh)?;
    stack.embedding_norm = true;
    stack.score_bias = Some(ScoreBias::Alibi { slopes: alibi_slopes(stack.attention.n_heads) });
    base.decoder(stack)
}

pub fn gpt_neox(base: &Base) -> Result<Config> {
    let mut stack = base.with_layer_norms(base.rotated(RopeStyle::Halves)?, Function::Gelu)?;
    if base.keys.flag("use_parallel_residual")?.unwrap_or(true) {
        stack.residual = Residual::Parallel;
    }
    base.decoder(stack)
}

pub fn falcon(base: &Base) -> Result<Config> {
    let stack = base.with_real_width(base.rotated(RopeStyle::Halves)?);
    let mut stack = base.with_layer_norms(stack, Function::Gelu)?;
    stack.residual = Residual::Parallel;
    base.decoder(stack)
}

pub fn mpt(base: &Base) -> Result<Config> {
    let mut stack = base.with_layer_norms(base.stack(), Function::Gelu)?;
    match base.keys.opt_number("attention.max_alibi_bias")? {
        Some(max) => {
            stack.score_bias = Some(ScoreBias::Alibi { slopes: mpt_slopes(stack.attention.n_heads, max) });
        }
        None => stack.positions = Some(base.learned_positions()?),
    }
    stack.clip_qkv = base.keys.opt_number("attention.clamp_kqv")?;
    base.decoder(stack)
}

/// Phi-1, 1.5 and 2.
pub fn phi2(base: &Base) -> Result<Config> {
    let stack = base.with_real_width(base.rotated(RopeStyle::Halves)?);
    let mut stack = base.with_layer_norms(stack, Function::GeluTanh)?;
    stack.residual = Residual::Parallel;
    base.decoder(stack)
}

/// Phi-3, 3.5 and 4-mini.
pub fn phi3(base: &Base) -> Result<Config> {
    base.decoder(base.rotated(RopeStyle::Halves)?)
}

/// A gated feed-forward with GELU, embeddings times the root of their width. The converter has added one to all norms.
fn gemma_stack(base: &Base) -> Result<Stack> {
    let mut stack = base.rotated(RopeStyle::Halves)?;
    stack.embedding_scale = (stack.n_embd as f32).sqrt();
    stack.feed_forward.activation = Function::GeluTanh;
    Ok(stack)
}

pub fn gemma(base: &Base) -> Result<Config> {
    base.decoder(gemma_stack(base)?)
}

pub fn gemma2(base: &Base) -> Result<Config> {
    let mut stack = gemma_stack(base)?;
    stack.residual = Residual::Sandwich;
    stack.attention.softcap = base.keys.opt_number("attn_logit_softcapping")?;
    // The 27B model alone scales by the width of all heads; the format does not say.
    if base.n_layers == 46 {
        stack.attention.scale = ((stack.n_embd / stack.attention.n_heads) as f32).powf(-0.5);
    }
    base.alternate(&mut stack, 2)?;
    let softcap = base.keys.opt_number("final_logit_softcapping")?;
    base.decoder_with(stack, Head { softcap, ..Head::LANGUAGE })
}

/// Text layers of Gemma 3.
pub fn gemma3(base: &Base) -> Result<Config> {
    let softcap = base.keys.opt_number("final_logit_softcapping")?;
    base.decoder_with(gemma3_stack(base)?, Head { softcap, ..Head::LANGUAGE })
}

/// Five local layers, which rotate by another base and without scaling, to each global one.
pub fn gemma3_stack(base: &Base) -> Result<Stack> {
    let mut stack = gemma_stack(base)?;
    stack.residual = Residual::Sandwich;
    stack.qk_norm = QkNorm::Head;
    if base.n_layers == 62 {
        stack.attention.scale = ((stack.n_embd / stack.attention.n_heads) as f32).powf(-0.5);
    }
    base.alternate(&mut stack, 6)?;
    if stack.ropes.len() == 1 {
        let local = Rope { theta: 10_000.0, scaling: Scaling::None, ..stack.ropes[0].clone() };
        stack.ropes.push(local);
        let local = stack.layers.iter_mut().filter(|layer| layer.window.is_some());
        local.for_each(|layer| layer.rope = Some(1));
    }
    Ok(stack)
}

/// Arcee's AFM: Llama whose feed-forward has no gate but squares.
pub fn arcee(base: &Base) -> Result<Config> {
    let mut stack = base.rotated(RopeStyle::Interleaved)?;
    stack.feed_forward.gated = false;
    stack.feed_forward.activation = Function::ReluSquared;
    base.decoder(stack)
}

/// Ernie 4.5 without experts.
pub fn ernie4_5(base: &Base) -> Result<Config> {
    base.decoder(base.rotated(RopeStyle::Interleaved)?)
}

/// EXAONE 4: norms after sublayers; where there are windows, layers without one leave positions out.
pub fn exaone4(base: &Base) -> Result<Config> {
    let mut stack = base.rotated(RopeStyle::Halves)?;
    stack.residual = Residual::Branch;
    stack.qk_norm = QkNorm::Head;
    if stack.layers.iter().any(|layer| layer.window.is_some()) {
        base.alternate(&mut stack, 4)?;
        stack.layers.iter_mut().for_each(|layer| layer.rope = layer.window.and(layer.rope));
    }
    base.decoder(stack)
}

/// Every fourth layer leaves positions out.
pub fn smollm3(base: &Base) -> Result<Config> {
    let mut stack = base.rotated(RopeStyle::Interleaved)?;
    stack.layers.iter_mut().skip(3).step_by(4).for_each(|layer| layer.rope = None);
    base.decoder(stack)
}

/// OLMo 1: norms without weights.
pub fn olmo(base: &Base) -> Result<Config> {
    let mut stack = base.with_layer_norms(base.rotated(RopeStyle::Interleaved)?, Function::Silu)?;
    stack.feed_forward.gated = true;
    stack.norm.weights = false;
    stack.clip_qkv = base.keys.opt_number("attention.clamp_kqv")?;
    base.decoder(stack)
}

/// OLMo 2, and 3 with its local layers.
pub fn olmo2(base: &Base) -> Result<Config> {
    let mut stack = base.rotated(RopeStyle::Halves)?;
    base.alternate(&mut stack, 4)?;
    stack.residual = Residual::Branch;
    stack.qk_norm = QkNorm::Row;
    base.decoder(stack)
}

/// Llama with four multipliers.
pub fn granite(base: &Base) -> Result<Config> {
    let mut stack = base.rotated(RopeStyle::Interleaved)?;
    stack.embedding_scale = base.keys.opt_number("embedding_scale")?.unwrap_or(1.0);
    stack.residual_scale = base.keys.opt_number("residual_scale")?.unwrap_or(1.0);
    stack.attention.scale = base.keys.opt_number("attention.scale")?.unwrap_or(stack.attention.scale);
    let scale = base.keys.opt_number("logit_scale")?.map_or(1.0, |divisor| 1.0 / divisor);
    base.decoder_with(stack, Head { scale, ..Head::LANGUAGE })
}

pub fn stablelm(base: &Base) -> Result<Config> {
    let mut stack = base.with_layer_norms(base.rotated(RopeStyle::Halves)?, Function::Silu)?;
    stack.feed_forward.gated = true;
    if base.keys.flag("use_parallel_residual")?.unwrap_or(!base.has("blk.0.ffn_norm.weight")) {
        stack.residual = Residual::Parallel;
    }
    if base.has("blk.0.attn_q_norm.weight") {
        stack.qk_norm = QkNorm::OwnHead;
    }
    base.decoder(stack)
}

pub fn starcoder2(base: &Base) -> Result<Config> {
    let stack = base.with_layer_norms(base.rotated(RopeStyle::Halves)?, Function::GeluTanh)?;
    base.decoder(stack)
}

/// Cohere's Command R.
pub fn command_r(base: &Base) -> Result<Config> {
    let mut stack = base.with_layer_norms(base.rotated(RopeStyle::Interleaved)?, Function::Silu)?;
    stack.feed_forward.gated = true;
    stack.residual = Residual::Parallel;
    if base.has("blk.0.attn_q_norm.weight") {
        stack.qk_norm = QkNorm::OwnHead;
    }
    let scale = base.keys.opt_number("logit_scale")?.unwrap_or(1.0);
    base.decoder_with(stack, Head { scale, ..Head::LANGUAGE })
}

/// Sinks, windows in every other layer, experts with a clamped gate.
pub fn gpt_oss(base: &Base) -> Result<Config> {
    let mut stack = base.rotated(RopeStyle::Halves)?;
    stack.sinks = true;
    add_experts(base, &mut stack, Routing::Normalized)?;
    if let Some(experts) = &mut stack.feed_forward.experts {
        experts.clamped = true;
    }
    base.alternate(&mut stack, 2)?;
    base.decoder(stack)
}
