//! The values of a cell as an encoder wants them: genes of its vocabulary, on one scale.

use crate::vocab::BoundGenes;
use cellstone_core::{CellInput, Error, Result, Scale};

/// Library size that published log-normalised encoders assume.
pub(crate) const TARGET: f64 = 1e4;

/// The values that the arithmetic of an encoder starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Raw counts; nothing else can be turned into them.
    Counts,
    /// `ln(1 + 1e4 c / N)` with N over all features; raw counts are brought there.
    LogNorm,
    /// As [`Wanted::LogNorm`], of any library size, because only their order matters.
    Order,
    /// Counts or log-normalised values, as they come.
    Either,
}

/// Genes of a file and what is done to their values.
pub(crate) struct Reading {
    pub(crate) genes: BoundGenes,
    /// Values are logarithms already.
    pub(crate) is_log: bool,
    /// Values are counts and logarithms are wanted.
    normalizes: bool,
}

impl Reading {
    /// Checks the scale of a file against what encoder `id` wants.
    pub(crate) fn new(id: &str, genes: BoundGenes, wanted: Wanted, scale: Scale) -> Result<Self> {
        let is_log = check(id, wanted, scale)?;
        let normalizes = !is_log && matches!(wanted, Wanted::LogNorm | Wanted::Order);
        Ok(Self { genes: genes.on_scale(scale)?, is_log, normalizes })
    }

    /// Fills `out` with the expressed genes of the vocabulary by ascending position; returns the sum of their values
    /// on the scale of the file.
    pub(crate) fn read(&self, cell: &CellInput<'_>, out: &mut Vec<(u32, f64)>) -> f64 {
        let mapped = self.genes.gather(cell, out);
        if self.normalizes {
            out.iter_mut().for_each(|it| it.1 = log_norm(it.1, cell.n_counts));
        }
        mapped
    }
}

/// `ln(1 + c / N · 1e4)`, in this order of operations.
pub(crate) fn log_norm(count: f64, total: f64) -> f64 {
    (count / total * TARGET).ln_1p()
}

/// Whether the values are logarithms.
fn check(id: &str, wanted: Wanted, scale: Scale) -> Result<bool> {
    let takes = match (wanted, scale) {
        (_, Scale::Counts) => return Ok(false),
        (Wanted::Order | Wanted::Either, Scale::LogNorm { .. })
        | (Wanted::LogNorm, Scale::LogNorm { target_sum: None | Some(TARGET) }) => return Ok(true),
        (Wanted::Counts, _) => "raw counts",
        (Wanted::LogNorm, Scale::LogNorm { .. }) => {
            let what = format!("encoder `{id}` takes logarithms at a library size of {TARGET}, the values are {scale}");
            return Err(Error::invalid_input(what).with_hint("give raw counts: the encoder normalises them itself"));
        }
        _ => "raw counts or ln(1 + x)",
    };
    Err(Error::invalid_input(format!("encoder `{id}` takes {takes}, the values are {scale}"))
        .with_hint("point to the layer that holds the counts"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_checked_with_a_hint() {
        let log = |target_sum| Scale::LogNorm { target_sum };
        assert!(check("x", Wanted::LogNorm, log(Some(1e4))).expect("the same size"));
        assert!(check("x", Wanted::Order, log(Some(1e6))).expect("any size"));
        assert!(!check("x", Wanted::Either, Scale::Counts).expect("counts"));
        for (wanted, scale, hint) in [
            (Wanted::Counts, log(None), "point to the layer that holds the counts"),
            (Wanted::LogNorm, log(Some(1e6)), "give raw counts: the encoder normalises them itself"),
            (Wanted::Either, Scale::Cpm, "point to the layer that holds the counts"),
            (Wanted::Order, Scale::Effect, "point to the layer that holds the counts"),
        ] {
            let error = check("x", wanted, scale).expect_err("another scale");
            assert!(error.is_invalid_input() && error.to_string().contains("`x` takes"), "{error}");
            assert_eq!(error.hints(), [hint]);
        }
    }
}
