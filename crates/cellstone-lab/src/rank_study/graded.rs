//! Where the true likeness of two cells is known in degrees: does a similarity fall as they get less alike?

use super::config::{StudyConfig, Unit};
use super::encode::CellRows;
use super::sampled::{PairOptions, score};
use super::study::Study;
use cellstone_core::Result;
use cellstone_metrics::stats::bootstrap_ci;
use cellstone_neighbors::Relation;
use cellstone_report::rank_study::schema::GradedRow;
use ndarray::{Array2, ArrayView1};

/// Fewest pairs of a cell for its correlation to count.
const MIN_PAIRS: usize = 10;
/// Other cells that one cell is compared with: all of a small set, seeded ones of a large.
const MAX_OTHERS: usize = 500;

/// Agreement of a unit with the truth: for every cell Spearman's correlation, over other cells, of similarity with the
/// negative Euclidean distance of the true coordinates; the mean over cells with a bootstrap interval over cells.
///
/// `truth` has a row for every cell of the study. Cells whose similarity or truth does not vary are left out.
///
/// # Errors
/// As the measures say.
pub(crate) fn run_graded(
    study: &Study<'_>,
    config: &StudyConfig,
    unit: &Unit,
    rows: &CellRows,
    truth: &Array2<f64>,
) -> Result<Vec<GradedRow>> {
    let n = study.types.len();
    let mut pairs = Vec::new();
    for cell in 0..n {
        let mut others: Vec<usize> = (0..n).filter(|it| *it != cell).collect();
        if others.len() > MAX_OTHERS {
            let seed = study.root.derive("graded").derive_index(cell as u64);
            others.sort_by_key(|it| seed.derive_index(*it as u64).value());
            others.truncate(MAX_OTHERS);
            others.sort_unstable();
        }
        pairs.extend(others.into_iter().map(|it| (cell as u32, it as u32)));
    }
    let options = PairOptions { rbo_p: config.pairs.rbo_p, top_k: config.pairs.top_k };
    let values = score(rows, unit.metric, &pairs, options)?;
    let scopes: &[Relation] =
        if study.has_other_strata() { &[Relation::All, Relation::Same, Relation::Other] } else { &[Relation::All] };
    let fits = |scope: Relation, a: u32, b: u32| match (scope, study.stratum_codes()) {
        (Relation::Same, Some(it)) => it[a as usize] == it[b as usize],
        (Relation::Other, Some(it)) => it[a as usize] != it[b as usize],
        _ => true,
    };
    let mut out = Vec::new();
    for scope in scopes {
        let (mut per_cell, mut n_pairs) = (Vec::new(), 0);
        for block in (0..pairs.len()).collect::<Vec<_>>().chunk_by(|a, b| pairs[*a].0 == pairs[*b].0) {
            let (mut found, mut known) = (Vec::new(), Vec::new());
            for at in block {
                let (a, b) = pairs[*at];
                if let (true, Some(value)) = (fits(*scope, a, b), values[*at]) {
                    found.push(value);
                    known.push(-apart(truth, a as usize, b as usize));
                }
            }
            if found.len() < MIN_PAIRS {
                continue;
            }
            let rho = cellstone_metrics::spearman(ArrayView1::from(&found), ArrayView1::from(&known)).value();
            if let Some(rho) = rho {
                per_cell.push(rho);
                n_pairs += found.len();
            }
        }
        let interval = bootstrap_ci(&per_cell, config.bootstrap, study.root.derive("graded"));
        out.push(GradedRow {
            seed: study.seed as i64,
            unit: unit.name(),
            scope: scope.id().to_owned(),
            spearman: cellstone_core::sum::mean(&per_cell),
            ci_lo: interval.map(|it| it.0),
            ci_hi: interval.map(|it| it.1),
            n_pairs: n_pairs as i64,
        });
    }
    Ok(out)
}

fn apart(truth: &Array2<f64>, a: usize, b: usize) -> f64 {
    truth.row(a).iter().zip(truth.row(b)).map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt()
}
