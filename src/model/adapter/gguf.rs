//! A GGUF file, as llama.cpp's `convert_lora_to_gguf.py` writes it: `adapter.type`, `adapter.lora.alpha`, and for a tensor of the
//! model two, with `.lora_a` and `.lora_b` behind its name.

use super::{Adapter, LowRank, tensors::Tensors, unknown};
use crate::{
    error::{Error, Result},
    format::metadata::Metadata,
    model::{Modules, TOKEN_TABLE},
};

/// Reads an adapter by its metadata.
pub(super) fn read(metadata: &Metadata, tensors: &Tensors, modules: &Modules) -> Result<Adapter> {
    match metadata.str("adapter.type")? {
        "lora" => {}
        other => return Err(Error::unsupported("adapter", other, "GGUF files of the type lora are run")),
    }
    let alpha = metadata.opt_f32("adapter.lora.alpha")?;
    let alpha = alpha.ok_or_else(|| metadata.error("adapter.lora.alpha", "the key is missing"))?;
    let mut adapter = Adapter::default();
    for (name, tensor) in tensors.iter() {
        let Some(of) = name.strip_suffix(".lora_a") else {
            let is_b = name.strip_suffix(".lora_b").is_some_and(|of| tensors.has(&format!("{of}.lora_a")));
            match is_b {
                true => continue,
                false => return Err(tensors.bad(name, "it is neither lora_a nor lora_b of a pair")),
            }
        };
        let b_name = format!("{of}.lora_b");
        let b = tensors.get(&b_name).ok_or_else(|| tensors.bad(name, "its lora_b is missing"))?;
        let (a_rows, a_cols, a) = tensors.matrix(name, tensor)?;
        let (n_out, rank, b) = tensors.matrix(&b_name, b)?;
        let is_table = of == TOKEN_TABLE;
        let a_rank = if is_table { a_cols } else { a_rows };
        if a_rank != rank {
            let problem = format!("its shape is [{a_rows}, {a_cols}], but the rank of its lora_b is {rank}");
            return Err(tensors.bad(name, problem));
        }
        // As llama.cpp has it, 0 leaves them as they are.
        let scale = if alpha == 0.0 { 1.0 } else { alpha / rank as f32 };
        let b = b.iter().map(|x| x * scale).collect();
        let low = LowRank { rank, a: a.to_vec(), b, bias: None, magnitude: None };
        let module = of.strip_suffix(".weight").unwrap_or(of);
        let targets = modules.find(of).ok_or_else(|| unknown(&tensors.file, name, module, modules))?;
        debug_assert_eq!(low.b.len(), n_out * rank);
        for target in targets {
            match is_table {
                true => adapter.embedding = Some(low.clone()),
                false => adapter.add_layer(&tensors.file, name, target, &low)?,
            }
        }
    }
    match adapter.layers.is_empty() && adapter.embedding.is_none() {
        true => Err(tensors.bad("tensors", "there is none")),
        false => Ok(adapter),
    }
}
