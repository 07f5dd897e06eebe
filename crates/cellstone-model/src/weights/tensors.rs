//! Named tensors on the host: what a checkpoint holds, whatever its format.

use cellstone_core::{Error, Result, nearest};
use std::collections::{BTreeMap, BTreeSet};

/// A tensor of a checkpoint, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct HostTensor {
    /// Extent of every axis.
    pub shape: Vec<usize>,
    /// Values, last axis fastest.
    pub data: Vec<f32>,
}

impl HostTensor {
    /// A checked tensor.
    ///
    /// # Errors
    /// If the values do not fill the shape.
    pub fn new(shape: Vec<usize>, data: Vec<f32>) -> Result<Self> {
        if shape.iter().product::<usize>() == data.len() {
            return Ok(Self { shape, data });
        }
        Err(Error::invalid_input(format!("{} values do not fill a tensor of shape {shape:?}", data.len())))
    }
}

/// The tensors of a checkpoint by name, and which of them were used.
///
/// Linear weights are `[d_out, d_in]`, as PyTorch writes them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weights {
    tensors: BTreeMap<String, HostTensor>,
    used: BTreeSet<String>,
}

impl Weights {
    /// Tensors by name.
    pub fn new(tensors: BTreeMap<String, HostTensor>) -> Self {
        Self { tensors, used: BTreeSet::new() }
    }

    /// Every name, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Number of tensors.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Whether there is a tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Adds or replaces a tensor.
    pub fn insert(&mut self, name: impl Into<String>, tensor: HostTensor) {
        self.tensors.insert(name.into(), tensor);
    }

    /// A tensor by name, without marking it as used.
    pub fn get(&self, name: &str) -> Option<&HostTensor> {
        self.tensors.get(name)
    }

    /// A tensor of a known shape, marked as used.
    ///
    /// # Errors
    /// If there is none of this name (with the nearest name as a hint), its shape is another, or a value is not finite.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<&HostTensor> {
        let Some(found) = self.tensors.get(name) else {
            let error = Error::invalid_input(format!("no tensor `{name}`, expected one of shape {shape:?}"));
            return Err(match nearest(name, self.tensors.keys().map(String::as_str)) {
                Some(it) => error.with_hint(format!("the nearest name is `{it}`")),
                None => error,
            });
        };
        if found.shape != shape {
            return Err(Error::invalid_input(format!(
                "tensor `{name}` has shape {:?}, expected {shape:?}",
                found.shape
            ))
            .with_hint("the configuration beside the weights may be of another model"));
        }
        if let Some(at) = found.data.iter().position(|it| !it.is_finite()) {
            return Err(Error::invalid_input(format!(
                "tensor `{name}` holds {} at position {at}, expected finite values",
                found.data[at]
            )));
        }
        self.used.insert(name.to_owned());
        Ok(found)
    }

    /// Marks a tensor that stands for nothing of the network, such as a buffer of positions.
    pub fn ignore(&mut self, name: &str) {
        if self.tensors.contains_key(name) {
            self.used.insert(name.to_owned());
        }
    }

    /// Names that nothing has asked for.
    pub fn unused(&self) -> Vec<String> {
        self.tensors.keys().filter(|it| !self.used.contains(*it)).cloned().collect()
    }

    /// The same tensors with `prefix` cut from the names that begin with it.
    #[must_use]
    pub fn without_prefix(self, prefix: &str) -> Self {
        let rename = |it: String| it.strip_prefix(prefix).map_or(it.clone(), str::to_owned);
        Self {
            tensors: self.tensors.into_iter().map(|(name, it)| (rename(name), it)).collect(),
            used: self.used.into_iter().map(rename).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named() {
        let mut weights = Weights::default();
        weights.insert("encoder.weight", HostTensor::new(vec![2, 1], vec![1.0, f32::NAN]).expect("it fits"));
        let text = |it: Result<&HostTensor>| it.expect_err("wrong").to_string();
        assert_eq!(
            text(weights.take("encoder.weigth", &[2, 1])),
            "no tensor `encoder.weigth`, expected one of shape [2, 1]"
        );
        assert_eq!(
            text(weights.take("encoder.weight", &[1, 2])),
            "tensor `encoder.weight` has shape [2, 1], expected [1, 2]"
        );
        assert_eq!(
            text(weights.take("encoder.weight", &[2, 1])),
            "tensor `encoder.weight` holds NaN at position 1, expected finite values"
        );
        assert_eq!(weights.unused(), ["encoder.weight"]);
        assert!(HostTensor::new(vec![3], vec![0.0]).is_err());
    }
}
