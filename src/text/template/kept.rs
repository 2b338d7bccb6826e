//! What a template may keep in a variable. Values are freed, compared and printed by recursion, and a value that holds
//! itself is never freed at all. Fuel bounds none of that, but every such value grows by being kept again and again:
//! in a namespace, in a variable, as an argument of a macro or of a loop that calls itself. So there it is looked at.

use minijinja::{Environment, Error, ErrorKind, State, Value, value::ValueKind};

/// Levels of a value that is kept.
const MAX_DEPTH: usize = 64;
/// Values that are looked at for one unit of fuel.
const VALUES_PER_FUEL: u64 = 4;
/// Bytes of a text inside another value that count as one value more.
const BLOCK: usize = 64;

/// The filter for what a variable is set to.
pub(super) const KEPT: &str = "kept_in_variable";
/// The filter for what an attribute of a namespace is set to.
pub(super) const KEPT_IN_NAMESPACE: &str = "kept_in_namespace";

pub(super) fn add_filters(environment: &mut Environment) {
    environment.add_filter(KEPT, |state: &mut State, value: Value| kept(state, value, false));
    environment.add_filter(KEPT_IN_NAMESPACE, |state: &mut State, value: Value| kept(state, value, true));
}

/// The value itself.
fn kept(state: &State, value: Value, in_namespace: bool) -> Result<Value, Error> {
    let mut look = Look { state, in_namespace, values: 0 };
    look.at(&value, 0)?;
    Ok(value)
}

struct Look<'a> {
    state: &'a State<'a, 'a>,
    in_namespace: bool,
    /// Values that no fuel was taken for yet.
    values: u64,
}

impl Look<'_> {
    fn at(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(invalid(format!("a value with more than {MAX_DEPTH} levels is kept")));
        }
        // Text alone is one value, however long: what made it has taken its fuel.
        let blocks = if depth == 0 { 0 } else { value.as_str().map_or(0, str::len) / BLOCK };
        self.values += 1 + blocks as u64;
        // Before the rest is looked at: lists that hold one list twice are exponentially many values.
        if self.values >= VALUES_PER_FUEL {
            self.state.consume_fuel(self.values / VALUES_PER_FUEL)?;
            self.values %= VALUES_PER_FUEL;
        }
        match value.kind() {
            ValueKind::Seq | ValueKind::Iterable => {
                for item in value.try_iter()? {
                    self.at(&item, depth + 1)?;
                }
            }
            ValueKind::Map => {
                if self.in_namespace && is_namespace(value) {
                    return Err(invalid("a namespace is kept in a namespace".into()));
                }
                for key in value.try_iter()? {
                    self.at(&value.get_item(&key)?, depth + 1)?;
                    self.at(&key, depth + 1)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The engine does not say so otherwise.
fn is_namespace(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.type_name().ends_with("::Namespace"))
}

fn invalid(problem: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, problem)
}
