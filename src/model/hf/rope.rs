//! Rotary positions in `config.json`: the newest `rope_parameters`, of which each kind of layer may have its own, and the
//! older `rope_theta` with `rope_scaling`.

use super::Keys;
use crate::{
    error::{Error, Result},
    model::{Rope, Scaling, long_magnitude, yarn_magnitude},
    plan::RopeStyle,
};

/// What a family rotates by where its `config.json` does not say.
#[derive(Clone, Copy)]
pub(super) struct RopeDefaults {
    pub theta: f32,
    /// The part of a head that is rotated, `partial_rotary_factor`.
    pub part: f32,
    pub style: RopeStyle,
}

impl RopeDefaults {
    /// The original paper's base over whole heads.
    pub const USUAL: RopeDefaults = RopeDefaults { theta: 10_000.0, part: 1.0, style: RopeStyle::Halves };
}

/// The rotation of all layers, or of one kind of them.
///
/// # Errors
/// [`Error::Unsupported`] for a scaling that is not run, [`Error::Format`] for values that cannot be.
pub(super) fn rope(
    keys: &Keys,
    kind: Option<&str>, // as in `layer_types`
    head_dim: usize,
    n_ctx: usize,
    defaults: RopeDefaults,
) -> Result<Rope> {
    let scaling = keys.opt_object("rope_scaling")?.filter(|object| !object.is_empty());
    let old = scaling.is_some();
    let parameters = match scaling {
        Some(scaling) => Some(scaling),
        None => keys.opt_object("rope_parameters")?,
    };
    let parameters = match (&parameters, kind) {
        (Some(all), Some(kind)) if !old && all.get(kind).is_some() => all.opt_object(kind)?,
        _ => parameters,
    };
    let given = |names: &[&str]| match &parameters {
        Some(parameters) => parameters.opt_positive(names),
        None => Ok(None),
    };
    let theta = match given(&["rope_theta"])? {
        Some(theta) => theta,
        None => keys.positive(&["rope_theta", "rotary_emb_base"], defaults.theta)?,
    };
    let part = match given(&["partial_rotary_factor"])? {
        Some(part) => part,
        None => {
            keys.positive(&["partial_rotary_factor", "rotary_pct", "rotary_emb_fraction"], defaults.part)?
        }
    };
    let dims = (head_dim as f32 * part) as usize;
    if dims == 0 || dims > head_dim || !dims.is_multiple_of(2) {
        let problem =
            format!("{dims} of {head_dim} numbers of a head would be rotated: only an even number can be");
        return Err(keys.bad("partial_rotary_factor", problem));
    }
    let plain = Rope { theta, dims, style: defaults.style, scaling: Scaling::None };
    match parameters {
        None => Ok(plain),
        Some(parameters) => scaled(keys, &parameters, plain, n_ctx),
    }
}

/// The rotation of layers that see a window alone, where they have one of their own: `rope_parameters.sliding_attention`,
/// or in older configs the base `theta_name`, without scaling.
///
/// # Errors
/// As [`rope`].
pub(super) fn local_rope(
    keys: &Keys,
    theta_name: &str,
    head_dim: usize,
    n_ctx: usize,
    defaults: RopeDefaults,
) -> Result<Rope> {
    let theta = keys.positive(&[theta_name], defaults.theta)?;
    let plain = Rope { theta, dims: head_dim, style: defaults.style, scaling: Scaling::None };
    let Some(all) = keys.opt_object("rope_parameters")? else { return Ok(plain) };
    let Some(given) = all.opt_object("sliding_attention")? else { return Ok(plain) };
    let theta = given.positive(&["rope_theta"], theta)?;
    scaled(keys, &given, Rope { theta, ..plain }, n_ctx)
}

/// Positions that a rotation is good for, where the config names `n_ctx`: YaRN's often names those of the first training.
pub(super) fn reach(rope: &Rope, n_ctx: usize) -> usize {
    match rope.scaling {
        Scaling::Yarn { factor, original, .. } => n_ctx.max((factor * original as f32).min(1e7) as usize),
        _ => n_ctx,
    }
}

/// `plain` with the scaling that `given` names.
fn scaled(keys: &Keys, given: &Keys, plain: Rope, n_ctx: usize) -> Result<Rope> {
    let need = |name: &str| {
        let number = given.opt_positive(&[name])?;
        number.ok_or_else(|| given.bad(name, "the key is missing"))
    };
    let original = || {
        let beside = keys.opt_size(&["original_max_position_embeddings"])?;
        let size = match beside {
            Some(n) => Some(n),
            None => given.opt_size(&["original_max_position_embeddings"])?,
        };
        Ok::<_, Error>(size.unwrap_or(n_ctx))
    };
    let scaling = match given.opt_text(&["rope_type", "type"])?.unwrap_or("default") {
        "default" if given.get("mrope_section").is_none() => Scaling::None,
        "linear" => Scaling::Linear(need("factor")?),
        "dynamic" => Scaling::Dynamic { factor: need("factor")?, original: n_ctx },
        "llama3" => {
            let (low, high) = (need("low_freq_factor")?, need("high_freq_factor")?);
            if low >= high {
                return Err(
                    given.bad("low_freq_factor", format!("{low} is not below high_freq_factor, {high}"))
                );
            }
            let factor = need("factor")?;
            Scaling::Llama3 { factor, low_freq_factor: low, high_freq_factor: high, original: original()? }
        }
        "yarn" => yarn(given, original()?, n_ctx)?,
        "longrope" | "su" => long(given, original()?, n_ctx, plain.dims / 2)?,
        // GTE's: the base and all wavelengths grow by powers of the factor (https://kexue.fm/archives/9706).
        "ntk" if given.get("mixed_b").is_none() => {
            let factor = need("factor")?;
            let scaling = Scaling::Linear(factor.powf(2.0 / plain.dims as f32));
            return Ok(Rope { theta: plain.theta * factor, scaling, ..plain });
        }
        other => {
            let hint = "default, linear, dynamic, llama3, yarn and longrope are run";
            return Err(Error::unsupported("rope scaling", other, hint));
        }
    };
    Ok(Rope { scaling, ..plain })
}

fn yarn(given: &Keys, original: usize, n_ctx: usize) -> Result<Scaling> {
    let factor = given.positive(&["factor"], n_ctx as f32 / original as f32)?;
    let magnitude = match given.opt_positive(&["attention_factor"])? {
        Some(magnitude) => magnitude,
        None => match (given.opt_positive(&["mscale"])?, given.opt_positive(&["mscale_all_dim"])?) {
            (Some(one), Some(all)) => yarn_magnitude(factor, one) / yarn_magnitude(factor, all),
            _ => yarn_magnitude(factor, 1.0),
        },
    };
    Ok(Scaling::Yarn {
        factor,
        beta_fast: given.positive(&["beta_fast"], 32.0)?,
        beta_slow: given.positive(&["beta_slow"], 1.0)?,
        original,
        magnitude,
        truncate: given.flag("truncate", true)?,
    })
}

fn long(given: &Keys, original: usize, n_ctx: usize, n_pairs: usize) -> Result<Scaling> {
    let factors = |name: &str| {
        let factors = given.opt_positives(name)?.ok_or_else(|| given.bad(name, "the key is missing"))?;
        match factors.len() == n_pairs {
            true => Ok(factors),
            false => Err(given.bad(name, format!("it has {} numbers, not {n_pairs}", factors.len()))),
        }
    };
    let (short, long) = (factors("short_factor")?, factors("long_factor")?);
    let factor = given.positive(&["factor"], n_ctx as f32 / original as f32)?;
    let magnitude = given.positive(&["attention_factor"], long_magnitude(factor, original))?;
    Ok(Scaling::Long { short, long, original, magnitude })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn read(json: Json, kind: Option<&str>) -> Result<Rope> {
        rope(&Keys::new("config.json".into(), &json)?, kind, 8, 64, RopeDefaults::USUAL)
    }

    #[test]
    fn the_old_and_the_new_form_say_the_same() {
        let old = json!({ "rope_theta": 5e5, "rope_scaling": { "type": "linear", "factor": 2.0 } });
        let new = json!({ "rope_parameters": { "rope_theta": 5e5, "rope_type": "linear", "factor": 2.0 } });
        let rope = read(old, None).unwrap();
        assert_eq!(rope, read(new, None).unwrap());
        assert_eq!((rope.theta, rope.dims, rope.scaling), (5e5, 8, Scaling::Linear(2.0)));
    }

    #[test]
    fn yarn_reaches_as_far_as_it_was_made_for() {
        let yarn = |original: usize| {
            let scaling =
                json!({ "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": original });
            reach(&read(json!({ "rope_scaling": scaling }), None).unwrap(), 64)
        };
        assert_eq!((yarn(64), yarn(8)), (256, 64));
    }

    #[test]
    fn kinds_of_layers_have_their_own_rotation() {
        let json = json!({ "rope_parameters": {
            "full_attention": { "rope_type": "linear", "rope_theta": 1e6, "factor": 8.0 },
            "sliding_attention": { "rope_type": "default", "rope_theta": 1e4 },
        } });
        assert_eq!(read(json.clone(), Some("full_attention")).unwrap().scaling, Scaling::Linear(8.0));
        assert_eq!(read(json, Some("sliding_attention")).unwrap().theta, 1e4);
    }

    #[test]
    fn what_is_not_run_is_refused_by_name_and_what_is_missing_is_named() {
        let error = |scaling: Json| read(json!({ "rope_scaling": scaling }), None).unwrap_err().to_string();
        let unknown = error(json!({ "rope_type": "foo", "factor": 2.0 }));
        assert!(unknown.starts_with("unsupported rope scaling `foo`"), "{unknown}");
        assert_eq!(
            error(json!({ "type": "linear" })),
            "config.json: rope_scaling.factor: the key is missing"
        );
        let short = json!({ "type": "longrope", "short_factor": [1.0], "long_factor": [1.0, 1.0, 1.0, 1.0] });
        assert_eq!(error(short), "config.json: rope_scaling.short_factor: it has 1 numbers, not 4");
    }

    #[test]
    fn a_part_of_a_head_that_cannot_be_rotated_is_refused() {
        for part in [json!(0.1), json!(0.4), json!(1.5)] {
            let error = read(json!({ "partial_rotary_factor": part }), None).unwrap_err();
            assert!(error.to_string().starts_with("config.json: partial_rotary_factor: "), "{error}");
        }
        assert_eq!(read(json!({ "rotary_pct": 0.25 }), None).unwrap().dims, 2);
    }
}
