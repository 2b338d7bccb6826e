//! A plan as a table for people: one line per step.

use std::fmt;

use super::{Plan, Storage, Value};

impl Plan {
    fn describe(&self, value: Value) -> String {
        let info = &self[value];
        let kind = match &info.storage {
            Storage::Matrix { dtype } => format!(" {dtype:?}"),
            _ => String::new(),
        };
        format!("{}[{}, {}]{kind}", info.name, info.rows, info.cols)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "plan {}: {} steps, up to {} rows", self.name, self.steps.len(), self.max_rows)?;
        for (i, step) in self.steps.iter().enumerate() {
            let list = |values: Vec<Value>| {
                values.into_iter().map(|v| self.describe(v)).collect::<Vec<_>>().join(", ")
            };
            let (reads, writes) = (list(step.op.reads()), list(step.op.writes()));
            writeln!(f, "{i:4} {:?}\t{:<11} {reads} -> {writes}", step.stage, step.op.name())?;
        }
        Ok(())
    }
}
