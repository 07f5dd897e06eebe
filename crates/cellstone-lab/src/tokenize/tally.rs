//! What is counted while cells are encoded, so that it can be written down and taken up again to the last bit.

use cellstone_core::{Csr, TokenCoverage, TokenRow, Var};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Steps between 0 and 1 in which the mapped share of a cell is counted.
const STEPS: f64 = 1e4;
/// Share by which a total may differ from the one the file states.
const DIFFERS: f64 = 0.005;
/// How many unmapped features are named.
const HEAVIEST: usize = 20;

/// A number that is stored by its bits: text would lose the last one.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub(super) struct Sum(pub(super) f64);

impl From<u64> for Sum {
    fn from(bits: u64) -> Self {
        Self(f64::from_bits(bits))
    }
}

impl From<Sum> for u64 {
    fn from(sum: Sum) -> Self {
        sum.0.to_bits()
    }
}

/// Everything counted over the cells so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) n_rows: u64,
    pub(super) n_tokens: u64,
    /// Cells that some genes were cut off from, and these genes.
    pub(super) n_cells_truncated: u64,
    pub(super) n_genes_truncated: u64,
    /// Cells that the file itself marks as filtered out.
    pub(super) n_filtered: u64,
    /// Cells without tokens, by reason; filtered ones are not among them.
    pub(super) rejected: BTreeMap<String, u64>,
    /// Sum of all values, and of those whose feature leads nowhere.
    pub(super) total: Sum,
    pub(super) unmapped: Sum,
    /// Cells by the share of their values that lead to genes, in steps.
    shares: BTreeMap<u16, u64>,
    /// Sum of the values of every feature that leads nowhere, in the order of the file.
    by_feature: Vec<Sum>,
    /// Cells that express each of the watched features.
    detected: Vec<u64>,
    /// Cells whose total the file states, and those where it is another.
    pub(super) n_totals: u64,
    pub(super) n_totals_differ: u64,
    /// The first of these: cell, stated, found.
    pub(super) first_differs: Option<(String, Sum, Sum)>,
}

/// Features that are counted one by one: those that lead nowhere, and those of genes with a median near 0.
pub(super) struct Counted {
    unmapped: Vec<u32>,
    /// Place among these, by column.
    place: Vec<u32>,
    /// Columns, genes and medians.
    low: Vec<(u32, String, f64)>,
}

impl Counted {
    pub(super) fn new(genes: &[Option<u32>], low: Vec<(u32, String, f64)>) -> Self {
        let (mut unmapped, mut place) = (Vec::new(), vec![u32::MAX; genes.len()]);
        for (col, _) in genes.iter().enumerate().filter(|it| it.1.is_none()) {
            place[col] = unmapped.len() as u32;
            unmapped.push(col as u32);
        }
        Self { unmapped, place, low }
    }
}

impl Tally {
    pub(super) fn new(counted: &Counted) -> Self {
        Self {
            by_feature: vec![Sum::default(); counted.unmapped.len()],
            detected: vec![0; counted.low.len()],
            ..Self::default()
        }
    }

    /// Cells that were to be encoded.
    pub(super) fn n_cells(&self) -> u64 {
        self.n_rows + self.n_rejected()
    }

    pub(super) fn n_rejected(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// Counts the values of a cell, in the order of the file; `total` is their sum.
    pub(super) fn add_values(&mut self, x: &Csr<f32>, row: usize, total: f64, counted: &Counted) {
        let (columns, values) = x.row(row);
        for (col, value) in columns.iter().zip(values) {
            let place = counted.place[*col as usize];
            if place != u32::MAX {
                self.by_feature[place as usize].0 += f64::from(*value);
                self.unmapped.0 += f64::from(*value);
            }
        }
        for (n, (col, ..)) in self.detected.iter_mut().zip(&counted.low) {
            *n += u64::from(columns.binary_search(col).is_ok());
        }
        self.total.0 += total;
    }

    /// Compares a total with the one that the file states.
    pub(super) fn add_total(&mut self, cell: &str, stated: f64, found: f64) {
        self.n_totals += 1;
        // A stated total that is not a number differs too.
        if stated.is_nan() || (stated - found).abs() > DIFFERS * found.abs() {
            self.n_totals_differ += 1;
            self.first_differs.get_or_insert_with(|| (cell.to_owned(), Sum(stated), Sum(found)));
        }
    }

    pub(super) fn add_row(&mut self, row: &TokenRow, n_counts: f64) {
        self.n_rows += 1;
        self.n_tokens += row.input_ids.len() as u64;
        self.n_cells_truncated += u64::from(row.n_truncated > 0);
        self.n_genes_truncated += u64::from(row.n_truncated);
        let share = if n_counts > 0.0 { (row.mapped / n_counts).clamp(0.0, 1.0) } else { 0.0 };
        *self.shares.entry((share * STEPS).round() as u16).or_default() += 1;
    }

    pub(super) fn add_reject(&mut self, reason: &str) {
        *self.rejected.entry(reason.to_owned()).or_default() += 1;
    }

    /// Sum of the values that lead to genes.
    pub(super) fn mapped(&self) -> f64 {
        self.total.0 - self.unmapped.0
    }

    /// The share of a cell's values that leads to genes, at a quantile over the cells with tokens.
    fn quantile(&self, q: f64) -> Option<f64> {
        // The smallest share that at least a part `q` of the cells does not exceed.
        let wanted = (q * self.n_rows as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        self.shares.iter().find_map(|(step, n)| {
            seen += n;
            (seen >= wanted).then(|| f64::from(*step) / STEPS)
        })
    }

    /// The report on genes, as `NAME.coverage.json` has it.
    pub(super) fn report(
        &self,
        coverage: &TokenCoverage,
        var: &Var,
        counted: &Counted,
        warnings: &[String],
    ) -> CoverageReport {
        let share = |part: f64, all: f64| if all > 0.0 { part / all } else { 0.0 };
        let mut heaviest: Vec<(usize, f64)> = self.by_feature.iter().map(|it| it.0).enumerate().collect();
        heaviest.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let feature = |(place, sum): &(usize, f64)| HeavyFeature {
            feature: var.ids()[counted.unmapped[*place] as usize].clone(),
            share: share(*sum, self.total.0),
        };
        CoverageReport {
            f_feat: share(coverage.n_mapped as f64, coverage.n_features as f64),
            f_count: share(self.mapped(), self.total.0),
            f_vocab: share(coverage.n_hit as f64, coverage.n_vocabulary as f64),
            mapped_fraction: [0.05, 0.25, 0.5, 0.75, 0.95]
                .map(|q| (format!("{:02.0}", q * 100.0), self.quantile(q)))
                .into_iter()
                .collect(),
            heaviest_unmapped: heaviest.iter().filter(|it| it.1 > 0.0).take(HEAVIEST).map(feature).collect(),
            low_medians: counted
                .low
                .iter()
                .zip(&self.detected)
                .filter(|it| *it.1 > 0)
                .map(|((_, gene, median), n)| LowMedian { gene: gene.clone(), median: *median, n_cells: *n })
                .collect(),
            features: coverage.clone(),
            warnings: warnings.to_vec(),
        }
    }
}

/// How well a file and a vocabulary fit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CoverageReport {
    /// Share of the features of the file that lead to genes.
    pub f_feat: f64,
    /// Share of the counts of the file that lead to genes.
    pub f_count: f64,
    /// Share of the genes of the vocabulary that the file has.
    pub f_vocab: f64,
    /// Quantiles (in per cent) over cells of the share of their counts that leads to genes, to four decimals.
    pub mapped_fraction: BTreeMap<String, Option<f64>>,
    /// The features that lead nowhere and hold most of the counts.
    pub heaviest_unmapped: Vec<HeavyFeature>,
    /// Genes whose median is so near 0 that they come first wherever they are detected.
    pub low_medians: Vec<LowMedian>,
    /// Numbers of features and genes.
    pub features: TokenCoverage,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

/// A feature that leads nowhere.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeavyFeature {
    /// Its name.
    pub feature: String,
    /// Its share of all counts.
    pub share: f64,
}

/// A gene whose corpus median is near 0.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LowMedian {
    /// The gene as the vocabulary names it.
    pub gene: String,
    /// Its median.
    pub median: f64,
    /// Cells that express it.
    pub n_cells: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn counts_survive_being_written_down() {
        let counted = Counted::new(&[Some(0), None, None], vec![(0, "A".to_owned(), 1e-7)]);
        let mut tally = Tally::new(&counted);
        let x = Csr::from_dense(&array![[0.1_f32, 0.2, 0.3], [5.0, 0.0, 1.0]]);
        for (row, mapped) in [(0, 0.1), (1, 5.0)] {
            let total = x.row(row).1.iter().map(|it| f64::from(*it)).sum();
            tally.add_values(&x, row, total, &counted);
            tally.add_row(&TokenRow { input_ids: vec![1], mapped, ..TokenRow::default() }, total);
            tally.add_total("c", if row == 0 { 0.6 } else { 7.0 }, total);
        }
        tally.add_reject("no_known_gene");
        let text = serde_json::to_string(&tally).expect("json");
        assert_eq!(serde_json::from_str::<Tally>(&text).expect("the same"), tally);
        assert_eq!((tally.n_totals, tally.n_totals_differ, tally.n_cells()), (2, 1, 3));
        assert_eq!((tally.quantile(0.5), tally.quantile(0.95)), (Some(0.1667), Some(0.8333)));
        let coverage = TokenCoverage {
            n_features: 3,
            n_mapped: 1,
            n_vocabulary: 4,
            n_hit: 1,
            by_rule: Vec::new(),
            n_shared: 0,
            first_unmapped: Vec::new(),
        };
        let var = Var::from_ids(["a", "b", "c"]).expect("unique");
        let report = tally.report(&coverage, &var, &counted, &[]);
        assert!((report.f_count - 5.1 / 6.6).abs() < 1e-6, "{report:?}");
        assert_eq!(report.heaviest_unmapped[0].feature, "c");
        assert_eq!(report.heaviest_unmapped.len(), 2);
        assert_eq!(report.low_medians, [LowMedian { gene: "A".to_owned(), median: 1e-7, n_cells: 2 }]);
    }
}
