//! Whether a cell is unlike everything known: scores of strangeness, how good they are, and a rule that rejects.

mod detection;
mod distance;
mod mahalanobis;
mod rule;
mod scores;
mod selective;

pub use detection::{DepthTrap, NoveltyScores, depth_trap, novelty_metrics};
pub use distance::knn_cosine;
pub use mahalanobis::{Mahalanobis, ledoit_wolf};
pub use rule::NoveltyRule;
pub use scores::{energy, ensemble_disagreement, max_p_score};
pub use selective::{Oscr, RiskCoverage, oscr, risk_coverage};
