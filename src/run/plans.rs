//! The plans of a model at work: what kinds it needs, and which of them a device has prepared.

use std::collections::BTreeMap;

use super::{MAX_BEAMS, speculation::MAX_DRAFT};
use crate::{
    backend::{Backend, Prepared},
    error::{Error, Result},
    model::{BEAM_OUTPUTS, Blueprint, DRAFT_OUTPUTS, HIDDEN, HeadOutput, LOGITS, OUTPUTS, Output},
    plan::{Adaptation, Plan, Storage, Value, adapt},
};

/// The most bytes of outputs that one run over many rows makes.
const OUTPUT_BYTES: usize = 32 << 20;

/// A plan and, once it is prepared, its handle.
pub struct Planned {
    pub plan: Plan,
    prepared: Option<Prepared>,
}

impl Planned {
    fn new(plan: Plan) -> Planned {
        Planned { plan, prepared: None }
    }

    /// The plan's handle; prepares it when it is first asked for.
    pub async fn prepared(&mut self, backend: &mut dyn Backend) -> Result<Prepared> {
        if let Some(prepared) = self.prepared {
            return Ok(prepared);
        }
        let prepared = backend.prepare(&self.plan).await?;
        Ok(*self.prepared.insert(prepared))
    }

    /// The handle of a plan that was prepared with the model.
    pub fn ready(&self) -> Result<Prepared> {
        let problem = || Error::input("plan", format!("`{}` was not prepared", self.plan.name));
        self.prepared.ok_or_else(problem)
    }

    /// The value that holds what the plan puts out.
    pub fn output(&self) -> Result<Value> {
        let found = [OUTPUTS, HIDDEN, LOGITS, BEAM_OUTPUTS, DRAFT_OUTPUTS]
            .into_iter()
            .find_map(|name| self.plan.find(name));
        found.ok_or_else(|| Error::input("plan", format!("`{}` has no outputs", self.plan.name)))
    }
}

/// All plans of a model.
pub struct Plans {
    /// One token of a text under way.
    pub decode: Option<Planned>,
    /// A chunk of tokens of a text under way.
    pub prefill: Option<Planned>,
    /// The same, with the outputs of every row.
    pub score: Option<Planned>,
    /// One token of each of several texts.
    pub beams: Option<Planned>,
    /// The last token of a text and those of a draft, with the outputs of every row.
    pub verify: Option<Planned>,
    /// The draw of a token from one of them.
    pub draw: Option<Planned>,
    /// The draw of a token from those that may come.
    pub masked: Option<Planned>,
    /// Whole texts.
    pub encode: Option<Planned>,
    /// The hidden states of a text, where the head puts out something else.
    pub hidden: Option<Planned>,
}

impl Plans {
    /// Those that the model needs; a chunk has up to `chunk` rows.
    pub fn build(blueprint: &Blueprint, chunk: usize) -> Result<Plans> {
        let mut plans = Plans {
            decode: None,
            prefill: None,
            score: None,
            beams: None,
            verify: None,
            draw: None,
            masked: None,
            encode: None,
            hidden: None,
        };
        let (config, n_ctx) = (blueprint.config, blueprint.n_ctx);
        if let Some(stack) = &config.decoder {
            let chunk = chunk.min(n_ctx);
            let planned = |name: &str, rows: usize, output| {
                blueprint.decoder(name, stack, rows, output).map(|plan| Some(Planned::new(plan)))
            };
            if config.generates() {
                plans.decode = planned("decode", 1, Output::NextToken)?;
                plans.prefill = planned("prefill", chunk, Output::NextToken)?;
                let beams = blueprint.beams("beams", stack, MAX_BEAMS.min(n_ctx), n_ctx)?;
                plans.beams = Some(Planned::new(beams));
                let rows = (1 + MAX_DRAFT).min(n_ctx);
                plans.verify = planned("verify", rows, Output::Draft)?;
                plans.draw = Some(Planned::new(blueprint.draw("draw", rows)));
                plans.masked = Some(Planned::new(blueprint.masked("masked")));
            }
            let rows = (OUTPUT_BYTES / (4 * config.n_out())).clamp(1, chunk);
            plans.score = planned("score", rows, Output::Rows)?;
            if config.encoder.is_none() && config.head.output != HeadOutput::Hidden {
                plans.hidden = planned("hidden", chunk, Output::Hidden)?;
            }
        }
        if let Some(stack) = &config.encoder {
            let planned = |name: &str, output| {
                blueprint.encoder(name, stack, output).map(|plan| Some(Planned::new(plan)))
            };
            plans.encode = planned("encode", Output::Rows)?;
            if config.decoder.is_none() && config.head.output != HeadOutput::Hidden {
                plans.hidden = planned("hidden", Output::Hidden)?;
            }
        }
        plans.check_states()?;
        plans.forget_repeated_constants();
        Ok(plans)
    }

    /// A device makes a state once, for the first plan that names it: all have to want as much.
    fn check_states(&self) -> Result<()> {
        let mut sizes = BTreeMap::new();
        for info in self.all().iter().flat_map(|plan| &plan.values) {
            if matches!(info.storage, Storage::State | Storage::Halves | Storage::Bytes | Storage::StateU32) {
                let size = (info.rows, info.cols);
                let first = *sizes.entry(&info.name).or_insert(size);
                if first != size {
                    let problem = format!("`{}` is {first:?} in one plan and {size:?} in another", info.name);
                    return Err(Error::input("state", problem));
                }
            }
        }
        Ok(())
    }

    /// A device finds constants by name, so the plans that are prepared later need not keep theirs.
    fn forget_repeated_constants(&mut self) {
        let has_first = self.decode.is_some() || self.encode.is_some() || self.score.is_some();
        for planned in [&mut self.beams, &mut self.verify, &mut self.hidden].into_iter().flatten() {
            if has_first {
                planned.plan = planned.plan.without_constants();
            }
        }
        if let (Some(score), true) = (&mut self.score, self.decode.is_some()) {
            score.plan = score.plan.without_constants();
        }
    }

    /// The same plans with what adapters change in them, none of them prepared.
    pub fn adapted(&self, how: &Adaptation) -> Plans {
        let of = |planned: &Option<Planned>| planned.as_ref().map(|one| Planned::new(adapt(&one.plan, how)));
        let Plans { decode, prefill, score, beams, verify, draw, masked, encode, hidden } = self;
        Plans {
            decode: of(decode),
            prefill: of(prefill),
            score: of(score),
            beams: of(beams),
            verify: of(verify),
            draw: of(draw),
            masked: of(masked),
            encode: of(encode),
            hidden: of(hidden),
        }
    }

    /// The handles of those that are prepared.
    pub fn handles(&self) -> Vec<Prepared> {
        let Plans { decode, prefill, score, beams, verify, draw, masked, encode, hidden } = self;
        let all = [decode, prefill, score, beams, verify, draw, masked, encode, hidden];
        all.into_iter().flatten().filter_map(|planned| planned.prepared).collect()
    }

    /// Whether the weights of all matrices that write text are small integers: a row of such products has the same bits alone and
    /// among others.
    pub fn is_of_integers(&self) -> bool {
        self.decode.as_ref().is_some_and(|decode| decode.plan.is_of_integers())
    }

    /// Whether text can be written at once: what it begins with is prepared.
    pub fn may_write(&self) -> bool {
        [&self.decode, &self.prefill].into_iter().flatten().all(|planned| planned.prepared.is_some())
    }

    /// Every plan.
    pub fn all(&self) -> Vec<&Plan> {
        let Plans { decode, prefill, score, beams, verify, draw, masked, encode, hidden } = self;
        let all = [decode, prefill, score, beams, verify, draw, masked, encode, hidden];
        all.into_iter().flatten().map(|planned| &planned.plan).collect()
    }

    /// The plan of one step: a token, else a text.
    pub fn main(&self) -> Option<&Planned> {
        self.decode.as_ref().or(self.encode.as_ref()).or(self.score.as_ref())
    }

    /// Prepares what every use of the model begins with.
    pub async fn prepare_first(&mut self, backend: &mut dyn Backend) -> Result<()> {
        for planned in [&mut self.encode, &mut self.decode].into_iter().flatten() {
            planned.prepared(backend).await?;
        }
        Ok(())
    }

    /// Those that a load prepares.
    pub fn prepared_at_load(&self) -> impl Iterator<Item = &Plan> {
        let second = if self.prefill.is_some() { &self.prefill } else { &self.score };
        [&self.encode, &self.decode, second].into_iter().flatten().map(|planned| &planned.plan)
    }

    /// Prepares what comes next: chunks of a prompt, or scores where the model writes no text.
    pub async fn prepare_second(&mut self, backend: &mut dyn Backend) -> Result<()> {
        let second = if self.prefill.is_some() { &mut self.prefill } else { &mut self.score };
        if let Some(planned) = second {
            planned.prepared(backend).await?;
        }
        Ok(())
    }
}
