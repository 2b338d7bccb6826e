//! Turns a parsed expression into steps that the matcher runs.

use super::parse::{Assertion, Mode, Node};
use crate::text::unicode::CharSet;

/// One step. Places are indices into the program.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// One character of a set.
    Set(u32),
    /// As many characters of a set.
    Repeat {
        set: u32,
        min: u32,
        max: u32,
        mode: Mode,
    },
    /// Goes on at `first`, and at `second` if that leads nowhere.
    Split {
        first: u32,
        second: u32,
    },
    Jump(u32),
    /// Remembers the place in the text where a round of a loop begins.
    Mark(u32),
    /// Ends a round; one that matched nothing leaves the loop.
    Round {
        mark: u32,
        again: u32,
    },
    /// What stands up to `end` must match here, or `back` characters before, or must not.
    Look {
        back: u32,
        negate: bool,
        end: u32,
    },
    /// What stands up to `end` matches one way only.
    Atomic {
        end: u32,
    },
    Assert(Assertion),
    /// The end of the whole, or of a part that another step runs.
    Match,
}

/// An expression ready to match.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub steps: Vec<Step>,
    pub sets: Vec<CharSet>,
    pub n_marks: u32,
    /// The characters that a match can begin with, unless it may be empty.
    pub first: Option<CharSet>,
}

/// More steps than any real expression has; `{1000}` of a group is a thousand copies.
const MOST_STEPS: usize = 20_000;

pub(super) fn compile(node: &Node) -> Result<Program, String> {
    let mut program = Program { steps: Vec::new(), sets: Vec::new(), n_marks: 0, first: None };
    program.add(node)?;
    program.push(Step::Match)?;
    program.first = first(node).filter(|_| min_len(node) > 0);
    Ok(program)
}

impl Program {
    /// The set of which a match begins with as many characters as there are.
    pub fn begins_with_run(&self) -> Option<&CharSet> {
        match self.steps.first() {
            Some(Step::Repeat { set, max: u32::MAX, .. }) => Some(&self.sets[*set as usize]),
            _ => None,
        }
    }

    fn push(&mut self, step: Step) -> Result<usize, String> {
        if self.steps.len() >= MOST_STEPS {
            return Err(format!("it takes more than {MOST_STEPS} steps"));
        }
        self.steps.push(step);
        Ok(self.steps.len() - 1)
    }

    fn here(&self) -> u32 {
        self.steps.len() as u32
    }

    fn set(&mut self, set: &CharSet) -> u32 {
        let known = self.sets.iter().position(|other| other == set);
        let index = known.unwrap_or_else(|| {
            self.sets.push(set.clone());
            self.sets.len() - 1
        });
        index as u32
    }

    fn add(&mut self, node: &Node) -> Result<(), String> {
        match node {
            Node::Empty => {}
            Node::Set(set) => {
                let set = self.set(set);
                self.push(Step::Set(set))?;
            }
            Node::Concat(nodes) => nodes.iter().try_for_each(|node| self.add(node))?,
            Node::Alternatives(nodes) => self.alternatives(nodes)?,
            Node::Repeat { node, min, max, mode } => match &**node {
                Node::Set(set) => {
                    let set = self.set(set);
                    let max = max.unwrap_or(u32::MAX);
                    self.push(Step::Repeat { set, min: *min, max, mode: *mode })?;
                }
                node if *mode == Mode::Possessive => {
                    let greedy = Node::Repeat {
                        node: Box::new(node.clone()),
                        min: *min,
                        max: *max,
                        mode: Mode::Greedy,
                    };
                    self.part(|end| Step::Atomic { end }, &greedy)?;
                }
                node => self.repeat(node, *min, *max, *mode)?,
            },
            Node::Look { node, behind: false, negate } => {
                self.part(|end| Step::Look { back: 0, negate: *negate, end }, node)?;
            }
            Node::Look { node, behind: true, negate } => self.behind(node, *negate)?,
            Node::Atomic(node) => self.part(|end| Step::Atomic { end }, node)?,
            Node::Assert(assertion) => {
                self.push(Step::Assert(*assertion))?;
            }
        }
        Ok(())
    }

    /// A step that runs the steps of `node` by itself.
    fn part(&mut self, step: impl Fn(u32) -> Step, node: &Node) -> Result<(), String> {
        let at = self.push(step(0))?;
        self.add(node)?;
        self.push(Step::Match)?;
        self.steps[at] = step(self.here());
        Ok(())
    }

    fn alternatives(&mut self, nodes: &[Node]) -> Result<(), String> {
        let mut jumps = Vec::new();
        for (i, node) in nodes.iter().enumerate() {
            let is_last = i + 1 == nodes.len();
            let split = if is_last { None } else { Some(self.push(Step::Jump(0))?) };
            self.add(node)?;
            if let Some(split) = split {
                jumps.push(self.push(Step::Jump(0))?);
                self.steps[split] = Step::Split { first: split as u32 + 1, second: self.here() };
            }
        }
        for jump in jumps {
            self.steps[jump] = Step::Jump(self.here());
        }
        Ok(())
    }

    fn repeat(&mut self, node: &Node, min: u32, max: Option<u32>, mode: Mode) -> Result<(), String> {
        let split = |into: u32, past: u32| match mode {
            Mode::Lazy => Step::Split { first: past, second: into },
            _ => Step::Split { first: into, second: past },
        };
        for _ in 0..min {
            let before = self.here();
            self.add(node)?;
            if self.here() == before {
                // Nothing, a billion times, is nothing.
                break;
            }
        }
        let Some(max) = max else {
            let top = self.push(Step::Jump(0))?;
            let mark = self.n_marks;
            let may_be_empty = min_len(node) == 0;
            if may_be_empty {
                self.n_marks += 1;
                self.push(Step::Mark(mark))?;
            }
            self.add(node)?;
            let again = top as u32;
            self.push(if may_be_empty { Step::Round { mark, again } } else { Step::Jump(again) })?;
            self.steps[top] = split(again + 1, self.here());
            return Ok(());
        };
        let mut splits = Vec::new();
        for _ in min..max {
            splits.push(self.push(Step::Jump(0))?);
            self.add(node)?;
        }
        for at in splits {
            self.steps[at] = split(at as u32 + 1, self.here());
        }
        Ok(())
    }

    /// What stands before: of alternatives each has its own length.
    fn behind(&mut self, node: &Node, negate: bool) -> Result<(), String> {
        if let Some(back) = fixed_len(node) {
            return self.part(|end| Step::Look { back, negate, end }, node);
        }
        match node {
            Node::Alternatives(nodes) if negate => nodes.iter().try_for_each(|node| self.behind(node, true)),
            Node::Alternatives(nodes) => {
                let look = |node: &Node| Node::Look { node: Box::new(node.clone()), behind: true, negate };
                self.alternatives(&nodes.iter().map(look).collect::<Vec<_>>())
            }
            _ => Err("what a look-behind matches must have a fixed length".into()),
        }
    }
}

/// The fewest characters of a match.
fn min_len(node: &Node) -> u64 {
    match node {
        Node::Empty | Node::Look { .. } | Node::Assert(_) => 0,
        Node::Set(_) => 1,
        Node::Concat(nodes) => nodes.iter().map(min_len).fold(0, u64::saturating_add),
        Node::Alternatives(nodes) => nodes.iter().map(min_len).min().unwrap_or(0),
        Node::Repeat { node, min, .. } => min_len(node).saturating_mul(u64::from(*min)),
        Node::Atomic(node) => min_len(node),
    }
}

/// The characters of a match where every match has the same number.
fn fixed_len(node: &Node) -> Option<u32> {
    match node {
        Node::Empty | Node::Look { .. } | Node::Assert(_) => Some(0),
        Node::Set(_) => Some(1),
        Node::Concat(nodes) => nodes.iter().try_fold(0u32, |sum, node| sum.checked_add(fixed_len(node)?)),
        Node::Alternatives(nodes) => {
            let len = fixed_len(nodes.first()?)?;
            nodes.iter().all(|node| fixed_len(node) == Some(len)).then_some(len)
        }
        Node::Repeat { node, min, max, .. } if Some(*min) == *max => fixed_len(node)?.checked_mul(*min),
        Node::Repeat { .. } => None,
        Node::Atomic(node) => fixed_len(node),
    }
}

/// The characters that a match which is not empty can begin with; `None` where it is not worth knowing.
fn first(node: &Node) -> Option<CharSet> {
    match node {
        Node::Empty | Node::Look { .. } | Node::Assert(_) => Some(CharSet::new(Vec::new())),
        Node::Set(set) => Some(set.clone()),
        Node::Concat(nodes) => {
            let mut set = CharSet::new(Vec::new());
            for node in nodes {
                set = set.union(&first(node)?);
                if min_len(node) > 0 {
                    return Some(set);
                }
            }
            Some(set)
        }
        Node::Alternatives(nodes) => {
            nodes.iter().try_fold(CharSet::new(Vec::new()), |set, node| Some(set.union(&first(node)?)))
        }
        Node::Repeat { node, .. } | Node::Atomic(node) => first(node),
    }
}
