//! From token attributions to a ranking of genes.

use cellstone_core::{Attributions, GeneRanking, TokenRow};

/// Ranks `n_tokens` token ids by the mean over cells of the absolute attribution; a token absent from a cell counts 0.
///
/// Cells without attribution count as cells in which every token has the value 0.
pub fn gene_ranking(cells: &[TokenRow], attributions: &Attributions, n_tokens: usize) -> GeneRanking {
    let mut sums = vec![0.0_f64; n_tokens];
    for (cell, values) in cells.iter().zip(&attributions.values) {
        for (token, value) in cell.input_ids.iter().zip(values) {
            if let Some(slot) = sums.get_mut(*token as usize) {
                *slot += f64::from(value.abs());
            }
        }
    }
    let n = cells.len().max(1) as f64;
    GeneRanking::from_scores(sums.into_iter().map(|it| it / n).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_values_are_averaged() {
        let cell = |ids: &[u32]| TokenRow { input_ids: ids.to_vec(), ..TokenRow::default() };
        let attributions = Attributions { values: vec![vec![1.0, -2.0], vec![-3.0]], completeness_gap: None };
        let ranking = gene_ranking(&[cell(&[0, 1]), cell(&[0])], &attributions, 3);
        assert_eq!(ranking.order(), [0, 1, 2]);
        assert_eq!(ranking.scores(), [2.0, 1.0, 0.0]);
    }
}
