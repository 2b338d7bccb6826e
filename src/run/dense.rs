//! Layers that stand after the pooling of an embedding (sentence-transformers' Dense modules). One row of one text goes through
//! them, so the host computes them.

use crate::{
    error::Result,
    format::Window,
    model::{Config, Weights, dense_name},
    plan::Function,
    quant::dot_f32,
};

/// `f(w x + b)`.
pub(super) struct Dense {
    n_in: usize,
    weight: Vec<f32>, // [n_out, n_in]
    bias: Vec<f32>,   // [n_out], or empty
    activation: Option<Function>,
}

impl Dense {
    /// Reads the layers that a model's embeddings go through.
    ///
    /// # Errors
    /// [`crate::Error::Format`] for a tensor that is missing or has another shape than the Config calls for; those of the source.
    pub async fn read(config: &Config, weights: &Weights<'_>) -> Result<Vec<Dense>> {
        let mut layers = Vec::with_capacity(config.dense.len());
        let mut window = Window::default();
        for (i, layer) in config.dense.iter().enumerate() {
            let [name, bias_name] = ["weight", "bias"].map(|kind| format!("{}.{kind}", dense_name(i)));
            let shape = weights.source(&name)?.shape;
            if shape != (layer.n_out, layer.n_in) {
                let problem = format!(
                    "its shape is [{}, {}], its config calls for [{}, {}]",
                    shape.0, shape.1, layer.n_out, layer.n_in
                );
                return Err(weights.bad(&name, problem));
            }
            let weight = weights.numbers(&name, &mut window).await?;
            let bias = match weights.has(&bias_name) {
                true => weights.numbers(&bias_name, &mut window).await?,
                false => Vec::new(),
            };
            if !bias.is_empty() && bias.len() != layer.n_out {
                let problem = format!("it has {} numbers, its config calls for {}", bias.len(), layer.n_out);
                return Err(weights.bad(&bias_name, problem));
            }
            layers.push(Dense { n_in: layer.n_in, weight, bias, activation: layer.activation });
        }
        Ok(layers)
    }

    /// `[n_in]` to `[n_out]`.
    pub fn apply(&self, x: &[f32]) -> Vec<f32> {
        let rows = self.weight.chunks_exact(self.n_in);
        let bias = self.bias.iter().copied().chain(std::iter::repeat(0.0));
        rows.zip(bias)
            .map(|(row, bias)| {
                let y = dot_f32(row, x) + bias;
                self.activation.map_or(y, |f| f.apply(y))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_its_formula() {
        let weight = vec![1.0, 2.0, 3.0, -1.0, 0.5, 0.0];
        let layer = Dense { n_in: 3, weight, bias: vec![0.5, 1.0], activation: Some(Function::Tanh) };
        let found = layer.apply(&[0.1, 0.2, -0.1]);
        let truth = [0.7f32.tanh(), 1f32.tanh()];
        assert!(found.iter().zip(truth).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} is not {truth:?}");
    }
}
