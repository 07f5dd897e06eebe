//! How strange each class looks for a cell.

use ndarray::ArrayView1;

/// The conformal score of a class; larger is stranger.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ConformalScore {
    /// `1 − p_k`: smallest sets on average.
    Lac,
    /// Mass of the classes before k by falling probability, plus a uniform share of `p_k`: adapts to hard cells.
    Aps,
    /// APS plus `lambda · max(0, rank − k_reg)`: fewer long tails.
    Raps {
        /// Penalty per rank beyond `k_reg`; 0.01 in the protocol.
        lambda: f64,
        /// Ranks without penalty; 5 in the protocol.
        k_reg: usize,
    },
}

impl ConformalScore {
    /// RAPS with the numbers of the protocol.
    pub const RAPS: Self = Self::Raps { lambda: 0.01, k_reg: 5 };

    /// The id in tables.
    pub fn id(self) -> &'static str {
        match self {
            Self::Lac => "lac",
            Self::Aps => "aps",
            Self::Raps { .. } => "raps",
        }
    }

    /// Scores of all classes of one cell; `u` is its uniform number, which LAC does not use.
    ///
    /// # References
    /// Sadinle et al. 2019, doi:10.1080/01621459.2017.1395341 (LAC); Romano et al. 2020, arXiv:2006.02544 (APS);
    /// Angelopoulos et al. 2021, arXiv:2009.14193 (RAPS).
    pub fn of(self, p: ArrayView1<'_, f64>, u: f64) -> Vec<f64> {
        if self == Self::Lac {
            return p.iter().map(|it| 1.0 - it).collect();
        }
        let mut order: Vec<usize> = (0..p.len()).collect();
        order.sort_by(|a, b| p[*b].total_cmp(&p[*a]).then(a.cmp(b)));
        let mut scores = vec![0.0; p.len()];
        let mut before = 0.0;
        for (place, class) in order.into_iter().enumerate() {
            let penalty = match self {
                Self::Raps { lambda, k_reg } => lambda * (place + 1).saturating_sub(k_reg) as f64,
                _ => 0.0,
            };
            scores[class] = before + u * p[class] + penalty;
            before += p[class];
        }
        scores
    }
}
