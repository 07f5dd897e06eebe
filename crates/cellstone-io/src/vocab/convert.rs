//! From keys and values of any format to the types that encoders take; every error names file and key.

use cellstone_core::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// A value of a vocabulary.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Int(i64),
    Float(f64),
    Text(String),
    Texts(Vec<String>),
    /// Anything else, in a word.
    Other(&'static str),
}

impl Scalar {
    fn describe(&self) -> String {
        match self {
            Self::Int(it) => format!("`{it}`"),
            Self::Float(it) => format!("`{it}`"),
            Self::Text(it) => format!("the text `{}`", shortened(it)),
            Self::Texts(_) => "a list".to_owned(),
            Self::Other(it) => (*it).to_owned(),
        }
    }
}

/// Enough of a text to recognise it by.
pub(super) fn shortened(text: &str) -> String {
    let mut start: String = text.chars().take(40).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start
}

/// Ids from 0 to 2³¹ − 1, none twice, ascending.
pub(super) fn tokens(path: &Path, entries: Vec<(String, Scalar)>) -> Result<Vec<(String, u32)>> {
    let mut tokens = each(path, entries, "a whole number from 0 to 2147483647", |it| match it {
        // JSON written from floats: 12.0 is still the id 12.
        Scalar::Float(it) if it.fract() == 0.0 && (0.0..=f64::from(i32::MAX)).contains(it) => Some(*it as u32),
        Scalar::Int(it) => i32::try_from(*it).ok().and_then(|it| u32::try_from(it).ok()),
        _ => None,
    })?;
    tokens.sort_unstable_by(|a, b| a.1.cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
    if let Some(pair) = tokens.windows(2).find(|it| it[0].1 == it[1].1) {
        return Err(Error::invalid_input(format!(
            "`{}`: `{}` and `{}` share the id {}, expected one token for an id",
            path.display(),
            shortened(&pair[0].0),
            shortened(&pair[1].0),
            pair[0].1
        )));
    }
    Ok(tokens)
}

/// Finite and positive numbers.
pub(super) fn medians(path: &Path, entries: Vec<(String, Scalar)>) -> Result<Vec<(String, f64)>> {
    each(path, entries, "a finite positive number", |it| match it {
        Scalar::Float(it) if it.is_finite() && *it > 0.0 => Some(*it),
        Scalar::Int(it) if *it > 0 => Some(*it as f64),
        _ => None,
    })
}

pub(super) fn texts(path: &Path, entries: Vec<(String, Scalar)>) -> Result<Vec<(String, String)>> {
    each(path, entries, "a name as text", |it| match it {
        Scalar::Text(it) => Some(it.clone()),
        _ => None,
    })
}

pub(super) fn lists(path: &Path, entries: Vec<(String, Scalar)>) -> Result<Vec<(String, Vec<String>)>> {
    each(path, entries, "a list of texts", |it| match it {
        Scalar::Texts(it) => Some(it.clone()),
        _ => None,
    })
}

/// Converts every value; keys must not repeat.
fn each<T>(
    path: &Path,
    entries: Vec<(String, Scalar)>,
    expected: &str,
    convert: impl Fn(&Scalar) -> Option<T>,
) -> Result<Vec<(String, T)>> {
    if entries.is_empty() {
        return Err(Error::invalid_input(format!("`{}` has no entry, expected at least one", path.display())));
    }
    let mut seen = BTreeMap::new();
    for (at, (key, _)) in entries.iter().enumerate() {
        if let Some(first) = seen.insert(key.as_str(), at) {
            return Err(Error::invalid_input(format!(
                "`{}`: key `{}` stands at entries {} and {}, expected once",
                path.display(),
                shortened(key),
                first + 1,
                at + 1
            )));
        }
    }
    entries
        .into_iter()
        .map(|(key, value)| match convert(&value) {
            Some(it) => Ok((key, it)),
            None => Err(Error::invalid_input(format!(
                "`{}`: key `{}` has {}, expected {expected}",
                path.display(),
                shortened(&key),
                value.describe()
            ))),
        })
        .collect()
}
