//! Hyper-parameters as a configuration file gives them: named values, checked against a table before any work.

use cellstone_core::{Error, Result, nearest, quoted};
use serde_json::Value;
use std::collections::BTreeMap;

/// Hyper-parameters by name.
pub type Params = BTreeMap<String, Value>;

/// One hyper-parameter of a method, for tables and messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParamInfo {
    /// Its key.
    pub name: &'static str,
    /// The value it has when it is not given.
    pub default: &'static str,
    /// What it may be.
    pub range: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

/// Typed access to [`Params`] with messages that name method, key, value and range.
pub(crate) struct Reader<'a> {
    id: &'static str,
    params: &'a Params,
    known: &'static [ParamInfo],
}

impl<'a> Reader<'a> {
    /// Fails on a key that the method does not have.
    pub(crate) fn new(id: &'static str, params: &'a Params, known: &'static [ParamInfo]) -> Result<Self> {
        for key in params.keys() {
            if known.iter().any(|it| it.name == key) {
                continue;
            }
            let names: Vec<String> = known.iter().map(|it| it.name.to_owned()).collect();
            let listed = if names.is_empty() { "it has none".to_owned() } else { quoted(&names) };
            let error = Error::config(format!("baseline `{id}` has no parameter `{key}` (parameters: {listed})"));
            return Err(match nearest(key, known.iter().map(|it| it.name)) {
                Some(it) => error.with_hint(format!("did you mean `{it}`?")),
                None => error,
            });
        }
        Ok(Self { id, params, known })
    }

    /// One of a fixed list of words.
    pub(crate) fn choice(&self, name: &str, options: &[&'static str]) -> Result<&'static str> {
        let Some(value) = self.params.get(name) else { return Ok(options[0]) };
        let found = value.as_str().and_then(|it| options.iter().find(|option| **option == it));
        found.copied().ok_or_else(|| {
            let error = self.wrong(name, value);
            match value.as_str().and_then(|it| nearest(it, options.iter().copied())) {
                Some(it) => error.with_hint(format!("did you mean `{it}`?")),
                None => error,
            }
        })
    }

    /// Any non-empty word.
    pub(crate) fn word(&self, name: &str, default: &str) -> Result<String> {
        match self.params.get(name) {
            None => Ok(default.to_owned()),
            Some(Value::String(it)) if !it.is_empty() => Ok(it.clone()),
            Some(value) => Err(self.wrong(name, value)),
        }
    }

    /// A number in `[low, high]`; `None` for `"auto"`.
    pub(crate) fn number(&self, name: &str, default: Option<f64>, low: f64, high: f64) -> Result<Option<f64>> {
        match self.params.get(name) {
            None => Ok(default),
            Some(Value::String(it)) if it == "auto" && self.takes_auto(name) => Ok(None),
            Some(value) => match value.as_f64() {
                Some(it) if it >= low && it <= high => Ok(Some(it)),
                _ => Err(self.wrong(name, value)),
            },
        }
    }

    /// A whole number in `[low, high]`; `None` for `"auto"`.
    pub(crate) fn integer(&self, name: &str, default: Option<usize>, low: usize, high: usize) -> Result<Option<usize>> {
        match self.params.get(name) {
            None => Ok(default),
            Some(Value::String(it)) if it == "auto" && self.takes_auto(name) => Ok(None),
            Some(value) => match value.as_u64().and_then(|it| usize::try_from(it).ok()) {
                Some(it) if (low..=high).contains(&it) => Ok(Some(it)),
                _ => Err(self.wrong(name, value)),
            },
        }
    }

    /// True or false; false when not given.
    pub(crate) fn flag(&self, name: &str) -> Result<bool> {
        match self.params.get(name) {
            None => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| self.wrong(name, value)),
        }
    }

    fn takes_auto(&self, name: &str) -> bool {
        self.known.iter().any(|it| it.name == name && it.range.contains("auto"))
    }

    fn wrong(&self, name: &str, value: &Value) -> Error {
        let range = self.known.iter().find(|it| it.name == name).map_or("", |it| it.range);
        Error::config(format!("parameter `{name}` of baseline `{}` is `{value}`, expected {range}", self.id))
    }
}

/// The relative penalties every search runs over: 33 points from 1e-4 to 1e4, four per power of ten.
pub(crate) fn grid() -> impl DoubleEndedIterator<Item = f64> {
    (0..33).map(|it| 10.0_f64.powf(-4.0 + 0.25 * f64::from(it)))
}
