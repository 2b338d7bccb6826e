//! Typed access to metadata under the architecture's prefix. Sizes are positive and small enough to multiply without overflow.

use crate::{
    error::{Error, Result},
    format::metadata::Metadata,
};

/// No model comes near; what is larger is a damaged file.
const LARGEST: usize = 1 << 24;

/// The metadata of one architecture.
pub struct Keys<'a> {
    pub meta: &'a Metadata,
    pub architecture: &'a str,
}

impl Keys<'_> {
    /// The whole key.
    pub fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    /// An [`Error::Format`] about a key.
    pub fn bad(&self, name: &str, problem: String) -> Error {
        self.meta.error(&self.key(name), problem)
    }

    pub fn opt_size(&self, name: &str) -> Result<Option<usize>> {
        let size = self.meta.opt_usize(&self.key(name))?;
        if let Some(n) = size.filter(|n| !(1..=LARGEST).contains(n)) {
            return Err(self.bad(name, format!("{n} is not between 1 and {LARGEST}")));
        }
        Ok(size)
    }

    pub fn size(&self, name: &str) -> Result<usize> {
        self.opt_size(name)?.ok_or_else(|| self.bad(name, "the key is missing".into()))
    }

    /// A positive number; 0 stands for none.
    pub fn opt_number(&self, name: &str) -> Result<Option<f32>> {
        let number = self.meta.opt_f32(&self.key(name))?.filter(|x| *x != 0.0);
        if let Some(x) = number.filter(|x| !x.is_finite() || *x <= 0.0) {
            return Err(self.bad(name, format!("{x} is not a positive number")));
        }
        Ok(number)
    }

    /// As [`Keys::opt_size`], where 0 stands for none.
    pub fn opt_count(&self, name: &str) -> Result<Option<usize>> {
        match self.meta.opt_usize(&self.key(name))? {
            Some(0) => Ok(None),
            _ => self.opt_size(name),
        }
    }

    /// Which of `n_layers` layers are local: truth values for each, or a number of layers of which the last is global.
    pub fn local_layers(&self, name: &str, n_layers: usize, usual: usize) -> Result<Vec<bool>> {
        use crate::format::metadata::Value;
        let every = match self.meta.get(&self.key(name)) {
            Some(Value::Bools(local)) if local.len() >= n_layers => return Ok(local[..n_layers].to_vec()),
            Some(Value::Bools(local)) => {
                return Err(self.bad(name, format!("{} values for {n_layers} layers", local.len())));
            }
            _ => self.opt_size(name)?.unwrap_or(usual),
        };
        Ok((1..=n_layers).map(|i| i % every != 0).collect())
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>> {
        self.meta.opt_bool(&self.key(name))
    }

    pub fn text(&self, name: &str) -> Result<Option<&str>> {
        self.meta.opt_str(&self.key(name))
    }

    /// One number for all layers, or one for each of them.
    pub fn opt_size_each(&self, name: &str, n_layers: usize) -> Result<Option<Vec<usize>>> {
        use crate::format::metadata::Value;
        let key = self.key(name);
        if !matches!(self.meta.get(&key), Some(Value::Uints(_) | Value::Ints(_) | Value::Bytes(_))) {
            return Ok(self.opt_size(name)?.map(|n| vec![n; n_layers]));
        }
        let sizes = self.meta.opt_ints(&key)?.unwrap_or_default();
        let fits = sizes.len() >= n_layers && sizes.iter().all(|n| (1..=LARGEST as i64).contains(n));
        match fits {
            true => Ok(Some(sizes[..n_layers].iter().map(|n| *n as usize).collect())),
            false => Err(self.bad(name, format!("{n_layers} sizes from 1 to {LARGEST} are needed"))),
        }
    }

    /// As [`Keys::opt_size_each`], where this version runs only layers that are alike.
    pub fn opt_even_size(&self, name: &str, n_layers: usize) -> Result<Option<usize>> {
        let Some(sizes) = self.opt_size_each(name, n_layers)? else { return Ok(None) };
        match sizes.iter().all(|n| n == &sizes[0]) {
            true => Ok(Some(sizes[0])),
            false => Err(Error::unsupported("feature", self.key(name), "layers must be alike in it")),
        }
    }
}
