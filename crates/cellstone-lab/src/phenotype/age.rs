//! Entropy against age: regression with clustered errors, its sensitivities, the permutation test.

use super::cells::{Cells, Groups};
use super::config::PhenotypeConfig;
use super::counts::StudyCounts;
use super::entropy::Ages;
use super::series::Series;
use super::task::Task;
use cellstone_core::{Result, Seed};
use cellstone_metrics::phenotype::{
    AgeFit, AgeRegression, Covariate, Weighting, age_regression, entropies, permute_ages,
};
use cellstone_report::phenotype::schema::{PermutationRow, RegressionRow};
use std::collections::BTreeSet;

/// What is held fixed beside age.
struct Fixed {
    ln_counts: Vec<f64>,
    ln_genes: Vec<f64>,
    /// Name and code of each cell: other categories, assay.
    factors: Vec<(String, Vec<u32>)>,
}

impl Fixed {
    fn of(config: &PhenotypeConfig, cells: &Cells, counts: &StudyCounts, task: &Task, rows: &[usize]) -> Self {
        let total = |it: &usize| counts.place(*it).map_or(0.0, |it| counts.totals[it].ln());
        let genes = |it: &usize| counts.place(*it).map_or(0.0, |it| (counts.n_genes(it).max(1) as f64).ln());
        let mut factors: Vec<(String, Vec<u32>)> = Vec::new();
        for (at, category) in config.category.iter().enumerate() {
            // Life stages are the age itself.
            if at == task.at
                || config.data.stage_col.as_deref().is_some_and(|it| {
                    it == category.column()
                        || category.term_col.as_deref() == Some(it)
                        || it.starts_with(&category.name)
                })
            {
                continue;
            }
            let labels = &cells.labels[at];
            let codes = rows.iter().map(|it| labels.codes[*it].unwrap_or(labels.ids.len() as u32)).collect();
            factors.push((category.name.clone(), codes));
        }
        let mut add = |name: &str, groups: &Groups| {
            factors.push((name.to_owned(), rows.iter().map(|it| groups.codes[*it]).collect()));
        };
        if let Some(it) = &cells.assays {
            add("assay", it);
        }
        if cells.datasets.names.len() > 1 {
            add("dataset", &cells.datasets);
        }
        factors.retain(|it| it.1.iter().collect::<BTreeSet<_>>().len() > 1);
        Self { ln_counts: rows.iter().map(total).collect(), ln_genes: rows.iter().map(genes).collect(), factors }
    }

    fn columns(&self) -> Vec<Covariate<'_>> {
        let mut all = vec![
            Covariate::Numeric { name: "ln_counts", values: &self.ln_counts },
            Covariate::Numeric { name: "ln_genes", values: &self.ln_genes },
        ];
        all.extend(self.factors.iter().map(|(name, codes)| Covariate::Factor { name, codes }));
        all
    }
}

/// Regression on age with its sensitivities, and the permutation test. What cannot be fitted has a reason in its row.
pub(crate) fn age_rows(
    config: &PhenotypeConfig,
    cells: &Cells,
    counts: &StudyCounts,
    ages: &Ages,
    task: &Task,
    series: &Series<'_>,
) -> (Vec<RegressionRow>, Vec<PermutationRow>) {
    let places: Vec<usize> =
        (0..series.test.len()).filter(|it| ages.years(series.test[*it].cell as usize).is_some()).collect();
    let rows: Vec<usize> = places.iter().map(|it| series.test[*it].cell as usize).collect();
    if rows.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let all = entropies(series.after.view());
    let h: Vec<f64> = places.iter().map(|it| all[*it]).collect();
    let age: Vec<Option<f64>> = rows.iter().map(|it| ages.years(*it)).collect();
    let donor: Vec<u32> = rows.iter().map(|it| cells.donors.codes[*it]).collect();
    let truth: Vec<u32> = places.iter().map(|it| series.truth[*it]).collect();
    let fixed = Fixed::of(config, cells, counts, task, &rows);
    let seed = Seed::new(config.seeds[0]).derive("phenotype.age");
    let base = fixed.columns();
    let mut within = base.clone();
    within.push(Covariate::Factor { name: "own_class", codes: &truth });
    let draws = config.evaluation.permutations;
    let fit = |covariates: &[Covariate<'_>], weighting: Weighting| {
        age_regression(&AgeRegression { value: &h, age: &age, donor: &donor, covariates, weighting, draws, seed })
    };
    let headline = fit(&base, Weighting::Cell);
    let spline = headline.as_ref().ok().and_then(|it| it.spline);
    let mut regression = vec![
        row(task, series, "headline", &donor, headline),
        row(task, series, "donor_means", &donor, fit(&base, Weighting::Donor)),
        row(task, series, "within_class", &donor, fit(&within, Weighting::Cell)),
    ];
    if let Some(it) = spline {
        let mut bend = named(task, series, "spline", &donor);
        "wald".clone_into(&mut bend.method);
        bend.p = Some(it.p);
        regression.push(bend);
    }
    let years: Vec<f64> = age.iter().flatten().copied().collect();
    let stratum: Vec<u32> = rows
        .iter()
        .map(|it| {
            let assay = cells.assays.as_ref().map_or(0, |groups| groups.codes[*it]);
            cells.datasets.codes[*it] * 1_000 + assay
        })
        .collect();
    let mut test = PermutationRow {
        category: task.name.clone(),
        model: series.model.clone(),
        condition: series.condition.clone(),
        draws: draws as i64,
        seed: config.seeds[0] as i64,
        ..PermutationRow::default()
    };
    // Ages go from donor to donor inside data sets, so the data set explains nothing of them.
    match permute_ages(&h, &years, &donor, &stratum, &base, draws, seed) {
        Ok(found) => {
            test.observed = Some(10.0 * found.slope);
            test.p = found.p;
            test.single_strata = found.n_single as i64;
            test.reason = found.not_testable.map(|it| format!("NotTestable: {it}"));
        }
        Err(error) => test.reason = Some(format!("NotTestable: {error}")),
    }
    (regression, vec![test])
}

fn named(task: &Task, series: &Series<'_>, stratum: &str, donor: &[u32]) -> RegressionRow {
    RegressionRow {
        category: task.name.clone(),
        model: series.model.clone(),
        condition: series.condition.clone(),
        stratum: stratum.to_owned(),
        n_cells: donor.len() as i64,
        n_donors: donor.iter().collect::<BTreeSet<_>>().len() as i64,
        ..RegressionRow::default()
    }
}

fn row(task: &Task, series: &Series<'_>, stratum: &str, donor: &[u32], fit: Result<AgeFit>) -> RegressionRow {
    let mut row = named(task, series, stratum, donor);
    match fit {
        Ok(it) => {
            row.slope_per_decade = Some(it.per_decade.estimate);
            row.se = Some(it.per_decade.se);
            it.method.as_str().clone_into(&mut row.method);
            row.p = Some(it.p()).filter(|it| it.is_finite());
            let (lo, hi) = it.interval();
            row.ci_lo = Some(lo).filter(|it| it.is_finite());
            row.ci_hi = Some(hi).filter(|it| it.is_finite());
        }
        Err(error) => row.reason = Some(error.to_string()),
    }
    row
}
