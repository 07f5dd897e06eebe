//! Agreement of clusterings with labels over resolutions.

use super::labels::{Groups, same_cells};
use crate::{ari, nmi};
use cellstone_core::sum::map_ordered;
use cellstone_core::{Error, Result};

/// How one clustering agrees with the labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// The resolution it was made with.
    pub resolution: f64,
    /// Its clusters.
    pub n_clusters: usize,
    /// Normalised mutual information with the labels.
    pub nmi: f64,
    /// Adjusted Rand index with the labels.
    pub ari: f64,
}

/// The whole curve, and its best point.
#[derive(Debug, Clone, PartialEq)]
pub struct BestAgreement {
    /// Position in `curve` of the largest NMI, the first if several share it.
    pub best: usize,
    /// Every clustering, in the order given.
    pub curve: Vec<Agreement>,
}

impl BestAgreement {
    /// The best NMI.
    pub fn nmi(&self) -> f64 {
        self.curve[self.best].nmi
    }

    /// The ARI at the clustering with the best NMI, not the best ARI.
    pub fn ari(&self) -> f64 {
        self.curve[self.best].ari
    }
}

/// The resolutions of the family: 0.2, 0.4, …, 2.
pub const RESOLUTIONS: [f64; 10] = [0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0];

/// Picks the clustering that has the largest NMI with the labels; NMI and ARI are both read there.
///
/// `clusterings` are pairs of a resolution and one cluster per cell; see [`RESOLUTIONS`].
///
/// # Errors
/// Without clusterings, or if one does not have as many cells as there are labels.
///
/// # Examples
/// ```
/// use cellstone_metrics::integration::best_agreement;
/// let found = best_agreement(&[(0.2, &[0, 0, 0, 0]), (1.0, &[0, 0, 1, 1]), (2.0, &[0, 1, 2, 3])], &[5, 5, 7, 7])?;
/// assert_eq!((found.best, found.nmi(), found.ari()), (1, 1.0, 1.0));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
///
/// # References
/// Luecken 2022, doi:10.1038/s41592-021-01336-8; theislab/scib `scib/metrics/clustering.py`.
pub fn best_agreement(clusterings: &[(f64, &[u32])], labels: &[u32]) -> Result<BestAgreement> {
    for (_, it) in clusterings {
        same_cells("clusters", it.len(), labels.len())?;
    }
    let of = |at: usize| -> Result<Agreement> {
        let (resolution, clusters) = clusterings[at];
        let n_clusters = Groups::new(clusters).len();
        Ok(Agreement { resolution, n_clusters, nmi: nmi(clusters, labels)?, ari: ari(clusters, labels)? })
    };
    let curve = map_ordered(clusterings.len(), of).into_iter().collect::<Result<Vec<_>>>()?;
    // `max_by` would take the last of equals.
    let better = |best: usize, at: usize| if curve[at].nmi > curve[best].nmi { at } else { best };
    let best = (1..curve.len()).fold(0, better);
    if curve.is_empty() {
        return Err(Error::invalid_input("no clusterings to compare with the labels"));
    }
    Ok(BestAgreement { best, curve })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_wins_and_ari_is_read_there() {
        let labels = [0, 0, 1, 1, 2, 2];
        let found = best_agreement(&[(0.2, &[0, 1, 2, 2, 2, 2]), (0.4, &[0, 1, 2, 2, 2, 2])], &labels).expect("valid");
        assert_eq!((found.best, found.curve[1].n_clusters), (0, 3));
        let found = best_agreement(&[(0.2, &[0, 1, 2, 2, 2, 2]), (0.4, &[0, 0, 1, 2, 2, 2])], &labels).expect("valid");
        // The vector of the protocol.
        assert_eq!(found.best, 1);
        assert!((found.nmi() - 0.739_667_376_8).abs() < 1e-10, "{}", found.nmi());
        assert!((found.ari() - 0.444_444_444_4).abs() < 1e-10, "{}", found.ari());
        assert!(best_agreement(&[], &labels).is_err());
        assert!(best_agreement(&[(1.0, &[0, 1])], &labels).is_err());
    }
}
