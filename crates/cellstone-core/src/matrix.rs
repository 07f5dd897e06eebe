//! Expression matrices whose scale is part of their type: raw counts and log-normalised values.

use crate::{Csr, Error, Result, Var};
use std::fmt;

/// What the numbers of a matrix are. Declared by the user or by the file; a reader may only contradict it.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Scale {
    /// Raw molecule counts: non-negative whole numbers.
    Counts,
    /// `ln(1 + target_sum · count / Σ counts)`, natural logarithm.
    LogNorm {
        /// The library size every cell was brought to; `None` when the file does not say.
        target_sum: Option<f64>,
    },
    /// `1e6 · count / Σ counts`, no logarithm.
    Cpm,
    /// Coordinates of an effect space (for instance principal components) with the control at the origin.
    Effect,
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Counts => f.write_str("counts"),
            Self::LogNorm { target_sum: Some(sum) } => write!(f, "ln(1 + x), library size {sum}"),
            Self::LogNorm { target_sum: None } => f.write_str("ln(1 + x), library size not stated"),
            Self::Cpm => f.write_str("counts per million"),
            Self::Effect => f.write_str("effect coordinates"),
        }
    }
}

/// Consecutive cells of a matrix, as a reader hands them on. Values are on the scale of the source.
#[derive(Debug, Clone)]
pub struct RowBlock {
    /// Index of the first cell in the file.
    pub start: usize,
    /// The cells, `[n_rows, n_vars]`.
    pub x: Csr<f32>,
}

/// Raw counts, `[n_obs, n_vars]`: finite, non-negative, whole.
#[derive(Debug, Clone)]
pub struct Counts {
    x: Csr<f32>,
    var: Var,
}

/// Log-normalised expression, `[n_obs, n_vars]`: finite, non-negative, natural logarithm.
#[derive(Debug, Clone)]
pub struct LogNorm {
    x: Csr<f32>,
    var: Var,
    target_sum: Option<f64>,
}

impl Counts {
    /// Checks that the values are counts and that `var` names every column.
    ///
    /// # Errors
    /// Names row, column and value of the first one that is not a count.
    pub fn new(x: Csr<f32>, var: Var) -> Result<Self> {
        check_width(&x, &var)?;
        check_values(&x, 0, Scale::Counts)?;
        Ok(Self { x, var })
    }

    /// The values.
    pub fn x(&self) -> &Csr<f32> {
        &self.x
    }

    /// The genes.
    pub fn var(&self) -> &Var {
        &self.var
    }

    /// Values and genes as parts.
    pub fn into_parts(self) -> (Csr<f32>, Var) {
        (self.x, self.var)
    }
}

impl LogNorm {
    /// Checks that the values can be log-normalised expression and that `var` names every column.
    ///
    /// # Errors
    /// Names row, column and value of the first one that cannot be.
    pub fn new(x: Csr<f32>, var: Var, target_sum: Option<f64>) -> Result<Self> {
        check_width(&x, &var)?;
        check_values(&x, 0, Scale::LogNorm { target_sum })?;
        Ok(Self { x, var, target_sum })
    }

    /// The values.
    pub fn x(&self) -> &Csr<f32> {
        &self.x
    }

    /// The genes.
    pub fn var(&self) -> &Var {
        &self.var
    }

    /// The library size every cell was brought to, where it is known.
    pub fn target_sum(&self) -> Option<f64> {
        self.target_sum
    }
}

fn check_width(x: &Csr<f32>, var: &Var) -> Result<()> {
    if x.shape().1 == var.len() {
        return Ok(());
    }
    Err(Error::invalid_input(format!("matrix has {} columns but var has {} genes", x.shape().1, var.len())))
}

/// From here on, single precision has whole numbers alone.
const UNIT_STEP: f32 = 8_388_608.0;

/// Checks one block of values against the declared scale; `start` is the row of the file it begins at.
///
/// Counts must be finite, non-negative and whole; log-normalised values finite and non-negative.
///
/// # Errors
/// Names row, column and value of the first offender.
#[expect(clippy::needless_bitwise_bool, reason = "a branch per value keeps the loop from being vectorised")]
pub fn check_values(x: &Csr<f32>, start: usize, scale: Scale) -> Result<()> {
    // One branch-free pass decides; the slow search for the culprit runs only on failure.
    let (mut bad, mut fractional) = (false, false);
    for value in x.data() {
        bad |= !(*value >= 0.0 && *value < f32::INFINITY);
        // What has a fraction lies below 2²³, and adding that rounds it off; quicker than a call of `trunc` per value.
        fractional |= (*value < UNIT_STEP) & ((*value + UNIT_STEP) - UNIT_STEP != *value);
    }
    let needs_whole = scale == Scale::Counts;
    if scale == Scale::Effect || !(bad || (needs_whole && fractional)) {
        return Ok(());
    }
    for row in 0..x.shape().0 {
        let (cols, values) = x.row(row);
        for (col, value) in cols.iter().zip(values) {
            let what = if !value.is_finite() {
                "a non-finite"
            } else if *value < 0.0 {
                "a negative"
            } else if needs_whole && value.fract() != 0.0 {
                "a fractional"
            } else {
                continue;
            };
            let mut error = Error::invalid_input(format!(
                "cell {} gene {col} holds {what} value {value}, expected {scale}",
                start + row
            ));
            if needs_whole && value.is_finite() && *value > 0.0 {
                error = error.with_hint(
                    "the values look normalised: say scale = \"lognorm\", or point to the layer that holds the counts",
                );
            }
            return Err(error);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn counts_are_checked() {
        let var = Var::from_ids(["a", "b"]).expect("unique");
        let check = |x: ndarray::Array2<f32>, want: &str| {
            let error = Counts::new(Csr::from_dense(&x), var.clone()).expect_err("not counts");
            assert!(error.to_string().contains(want), "{error}");
        };
        check(array![[0.0, 1.0], [0.5, 0.0]], "cell 1 gene 0 holds a fractional value 0.5, expected counts");
        check(array![[0.0, -1.0]], "cell 0 gene 1 holds a negative value -1");
        check(array![[f32::NAN, 1.0]], "cell 0 gene 0 holds a non-finite value NaN");
        check(array![[1.0, 1.0, 1.0]], "matrix has 3 columns but var has 2 genes");
        assert!(LogNorm::new(Csr::from_dense(&array![[0.0, 0.5]]), var, Some(1e4)).is_ok());
    }
}
