//! What to say beside the numbers without being asked.

use super::labels::{Groups, check_embedding, is_degenerate, same_cells};
use super::totals::Totals;
use crate::pearson;
use cellstone_core::{Result, Score, Why};
use ndarray::{ArrayView1, ArrayView2};
use std::fmt;

/// Association of label and batch above which they cannot be told apart.
const CONFOUNDED: f64 = 0.5;
/// More batches compress iLISI.
const MANY_BATCHES: usize = 50;
/// Correlation with depth above which the first component is depth.
const DEPTH: f64 = 0.5;

/// Cramér's V of two partitions: `√(χ² / (n · (min(rows, columns) − 1)))`, from 0 (independent) to 1.
///
/// # Undefined
/// [`Why::ConstantVector`] if a side has one class; [`Why::NoCells`] without cells.
///
/// # Errors
/// If they are not as long.
///
/// # Examples
/// ```
/// use cellstone_metrics::{Score, integration::cramers_v};
/// assert_eq!(cramers_v(&[0, 0, 1, 1], &[5, 5, 7, 7])?, Score::Value(1.0));
/// assert_eq!(cramers_v(&[0, 0, 1, 1], &[5, 7, 5, 7])?, Score::Value(0.0));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn cramers_v(a: &[u32], b: &[u32]) -> Result<Score> {
    same_cells("codes", b.len(), a.len())?;
    if a.is_empty() {
        return Ok(Score::Undefined(Why::NoCells));
    }
    let (rows, cols) = (Groups::new(a), Groups::new(b));
    let least = rows.len().min(cols.len());
    if least < 2 {
        return Ok(Score::Undefined(Why::ConstantVector));
    }
    let n = a.len() as f64;
    let col_sizes = cols.sizes();
    // χ² = n (Σ o² / (r c) − 1).
    let mut sum = 0.0;
    for cells in &rows.members {
        let mut counts = vec![0.0_f64; cols.len()];
        cells.iter().for_each(|it| counts[cols.of[*it] as usize] += 1.0);
        let of_row = counts.iter().zip(&col_sizes).map(|(count, size)| count * count / size);
        sum += of_row.sum::<f64>() / cells.len() as f64;
    }
    let chi_square = n * (sum - 1.0).max(0.0);
    Ok(Score::Value((chi_square / (n * (least - 1) as f64)).sqrt().min(1.0)))
}

/// Something a reader of the numbers must know.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// Labels and batches go together (Cramér's V above 0.5): removing batches removes labels.
    Confounded {
        /// Cramér's V.
        cramers_v: f64,
    },
    /// Labels that occur in one batch: metrics of batches say nothing about them.
    LabelsInOneBatch {
        /// Their codes.
        labels: Vec<u32>,
    },
    /// More than 50 batches: a neighbourhood of 30 cannot hold them, so iLISI is compressed.
    ManyBatches {
        /// How many.
        n: usize,
    },
    /// The first principal component is sequencing depth (`|r|` above 0.5).
    DepthOnFirstComponent {
        /// Pearson's correlation.
        r: f64,
    },
    /// All cells are at one place: `DegenerateEmbedding`.
    DegenerateEmbedding,
    /// Fewer than 90 neighbours could be searched for; the perplexity of LISI shrinks with them.
    FewNeighbors {
        /// How many, the cell itself counted.
        k: usize,
    },
    /// Against the unintegrated data batches are better mixed and biology is worse: integrated too far.
    OverIntegration {
        /// Change of the total of batches.
        batch: f64,
        /// Change of the total of biology.
        bio: f64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confounded { cramers_v } => {
                write!(
                    f,
                    "labels and batches are confounded (Cramér's V {cramers_v:.2}): removing one removes the other"
                )
            }
            Self::LabelsInOneBatch { labels } => {
                write!(f, "{} labels occur in one batch only: batch metrics leave them out", labels.len())
            }
            Self::ManyBatches { n } => write!(f, "{n} batches: iLISI is compressed towards 0"),
            Self::DepthOnFirstComponent { r } => {
                write!(f, "the first component is sequencing depth (r = {r:.2})")
            }
            Self::DegenerateEmbedding => f.write_str("all cells are at one place: the embedding says nothing"),
            Self::FewNeighbors { k } => {
                write!(f, "{k} neighbours instead of 90: LISI uses a perplexity of {}", k / 3)
            }
            Self::OverIntegration { batch, bio } => {
                write!(f, "batches {batch:+.3} and biology {bio:+.3} against the unintegrated data: integrated too far")
            }
        }
    }
}

/// Warnings about the design: labels and batches alone.
///
/// # Errors
/// If they are not as many.
pub fn design_warnings(labels: &[u32], batch: &[u32]) -> Result<Vec<Warning>> {
    same_cells("batches", batch.len(), labels.len())?;
    let mut found = Vec::new();
    if let Score::Value(value) = cramers_v(labels, batch)?
        && value > CONFOUNDED
    {
        found.push(Warning::Confounded { cramers_v: value });
    }
    let n = Groups::new(batch).len();
    let groups = Groups::new(labels);
    let alone = groups.iter().filter(|(_, cells)| Groups::among(batch, cells).len() == 1).map(|it| it.0);
    let labels: Vec<u32> = alone.collect();
    if n > 1 && !labels.is_empty() {
        found.push(Warning::LabelsInOneBatch { labels });
    }
    if n > MANY_BATCHES {
        found.push(Warning::ManyBatches { n });
    }
    Ok(found)
}

/// Warnings about one embedding, `[n_obs, d]`, searched for `k` neighbours (the cell itself counted); `depth` is the
/// total count of every cell, compared with the first coordinate, so give it for principal components.
///
/// # Errors
/// If the depths do not fit or a coordinate is not finite.
pub fn embedding_warnings(x: ArrayView2<'_, f64>, k: usize, depth: Option<&[f64]>) -> Result<Vec<Warning>> {
    check_embedding(x)?;
    let mut found = Vec::new();
    if is_degenerate(x) {
        found.push(Warning::DegenerateEmbedding);
    }
    if k < 90 {
        found.push(Warning::FewNeighbors { k });
    }
    if let Some(depth) = depth {
        same_cells("depths", depth.len(), x.nrows())?;
        if let Score::Value(r) = pearson(x.column(0), ArrayView1::from(depth))
            && r.abs() > DEPTH
        {
            found.push(Warning::DepthOnFirstComponent { r });
        }
    }
    Ok(found)
}

/// Whether a method mixed batches better than the unintegrated data and kept biology worse.
pub fn over_integration(unintegrated: &Totals, method: &Totals) -> Option<Warning> {
    let change = |before: Score, after: Score| Some(after.value()? - before.value()?);
    let (batch, bio) = (change(unintegrated.batch, method.batch)?, change(unintegrated.bio, method.bio)?);
    (batch > 0.0 && bio < 0.0).then_some(Warning::OverIntegration { batch, bio })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integration::{Convention, totals};
    use ndarray::Array2;

    #[test]
    fn designs() {
        // χ² of [[3, 1], [1, 3]] is 2, n = 8: V = 1/2.
        let v = cramers_v(&[0, 0, 0, 0, 1, 1, 1, 1], &[0, 0, 0, 1, 0, 1, 1, 1]).expect("valid");
        assert!((v.value().expect("defined") - 0.5).abs() < 1e-12);
        assert_eq!(cramers_v(&[0, 0], &[0, 1]).expect("valid"), Score::Undefined(Why::ConstantVector));
        let found = design_warnings(&[0, 0, 1, 1, 2], &[0, 0, 1, 1, 1]).expect("valid");
        assert!(matches!(found[0], Warning::Confounded { cramers_v } if cramers_v > 0.9));
        assert_eq!(found[1], Warning::LabelsInOneBatch { labels: vec![0, 1, 2] });
        assert!(design_warnings(&[0, 0, 1, 1], &[0, 1, 0, 1]).expect("valid").is_empty());
        assert!(design_warnings(&[0, 0, 1, 1], &[3; 4]).expect("valid").is_empty());
        let many: Vec<u32> = (0..104).map(|it| it / 2).collect();
        let pairs: Vec<u32> = (0..104).map(|it| it % 2).collect();
        assert_eq!(design_warnings(&pairs, &many).expect("valid"), [Warning::ManyBatches { n: 52 }]);
    }

    #[test]
    fn embeddings() {
        let x = Array2::from_shape_fn((10, 2), |(i, j)| (i * (j + 1)) as f64);
        let depth: Vec<f64> = (0..10).map(|it| -(it as f64)).collect();
        let found = embedding_warnings(x.view(), 9, Some(&depth)).expect("valid");
        assert_eq!(found[0].to_string(), "9 neighbours instead of 90: LISI uses a perplexity of 3");
        assert_eq!(found[1].to_string(), "the first component is sequencing depth (r = -1.00)");
        let flat = Array2::from_elem((10, 2), 0.5);
        assert_eq!(embedding_warnings(flat.view(), 90, None).expect("valid"), [Warning::DegenerateEmbedding]);
        assert!(embedding_warnings(x.view(), 90, Some(&depth[1..])).is_err());
    }

    #[test]
    fn too_far() {
        let of = |bio: f64, batch: f64| {
            totals(&[("clisi_knn", Score::Value(bio)), ("bras", Score::Value(batch))], Convention::Cellstone)
                .expect("ids")
        };
        let warning = over_integration(&of(0.8, 0.2), &of(0.7, 0.6)).expect("too far");
        assert!(warning.to_string().starts_with("batches +0.400 and biology -0.100"), "{warning}");
        assert_eq!(over_integration(&of(0.8, 0.2), &of(0.9, 0.6)), None);
    }
}
