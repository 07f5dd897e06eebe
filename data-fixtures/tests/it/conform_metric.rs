//! A broken metric fails the check that is meant for its fault, and a sound one none.

use cellstone_core::{
    CeilingRule, Direction, Error, Mask, Metric, MetricInfo, MetricInput, MetricLevel, Result, Score, Scores, Why,
};
use cellstone_fixtures::conformance::metric::{Options, check};
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    NoFormula,
    WrongLevel,
    NeverPerfect,
    NeverDefined,
    OutOfRange,
    Counts,
    Threads,
    FirstRow,
    FirstGene,
    IgnoresGenes,
    IgnoresMask,
    NotANumber,
    Panics,
    AcceptsAnything,
}

/// Root mean squared error over the genes that are asked for and not masked, with a fault.
struct Rmse {
    fault: Fault,
    info: MetricInfo,
    calls: AtomicU64,
}

fn metric(fault: Fault) -> Rmse {
    let info = MetricInfo {
        id: "test_rmse".into(),
        name: "root mean squared error".into(),
        unit: "".into(),
        direction: Direction::LowerIsBetter,
        best: 0.0,
        range: if fault == Fault::OutOfRange { (0.0, 1e-6) } else { (0.0, f64::INFINITY) },
        level: if fault == Fault::WrongLevel { MetricLevel::Context } else { MetricLevel::Perturbation },
        ceiling: CeilingRule::LinearError,
        formula: if fault == Fault::NoFormula { "" } else { "√ mean (pred − truth)²" }.into(),
        source: "this test".into(),
    };
    Rmse { fault, info, calls: AtomicU64::new(0) }
}

impl Rmse {
    fn used(&self, input: &MetricInput<'_>, row: usize) -> Vec<usize> {
        let all: Vec<usize> = match input.genes {
            Some(it) if self.fault != Fault::IgnoresGenes => it.to_vec(),
            _ => (0..input.truth.ncols()).collect(),
        };
        let masked = match input.mask {
            Mask::None => Vec::new(),
            _ if self.fault == Fault::IgnoresMask => Vec::new(),
            Mask::OwnTargets => input.targets[row].clone(),
            Mask::Panel => input.targets.concat(),
        };
        all.into_iter().filter(|it| !masked.contains(it)).collect()
    }

    fn score(&self, input: &MetricInput<'_>, row: usize) -> Score {
        let genes = self.used(input, row);
        let error = |it: &usize| (input.pred[[row, *it]] - input.truth[[row, *it]]).powi(2);
        let mut sum: f64 = genes.iter().map(error).sum();
        match self.fault {
            Fault::NeverPerfect => sum += 1.0,
            Fault::NeverDefined => return Score::Undefined(Why::NotGiven),
            Fault::Counts => sum += self.calls.fetch_add(1, Ordering::Relaxed) as f64,
            Fault::Threads => sum += rayon::current_num_threads() as f64,
            Fault::FirstRow => sum += (row == 0) as u8 as f64,
            Fault::FirstGene => sum += genes.first().map_or(0.0, error_of_first(input, row)),
            Fault::Panics => assert!(!genes.is_empty(), "no gene"),
            _ => {}
        }
        let value = (sum / genes.len() as f64).sqrt();
        if self.fault == Fault::NotANumber { Score::Value(value) } else { Score::finite_or(value, Why::TooFewGenes) }
    }
}

fn error_of_first<'a>(input: &'a MetricInput<'_>, row: usize) -> impl Fn(&usize) -> f64 + 'a {
    move |it| (input.pred[[row, *it]] - input.truth[[row, *it]]).powi(2)
}

impl Metric for Rmse {
    fn info(&self) -> &MetricInfo {
        &self.info
    }

    fn compute(&self, input: &MetricInput<'_>) -> Result<Scores> {
        let fits = input.pred.dim() == input.truth.dim() && input.control.len() == input.truth.ncols();
        if self.fault == Fault::AcceptsAnything && !fits {
            return Ok(Scores::PerPerturbation(Vec::new()));
        }
        if !fits {
            return Err(Error::invalid_input("shapes differ"));
        }
        Ok(Scores::PerPerturbation((0..input.truth.nrows()).map(|it| self.score(input, it)).collect()))
    }
}

fn failed(fault: Fault) -> Vec<&'static str> {
    check(&metric(fault), &Options::default()).iter().map(|it| it.check).collect()
}

#[test]
fn every_fault_is_caught_by_its_check() {
    assert_eq!(failed(Fault::None), [""; 0]);
    for (fault, want) in [
        (Fault::NoFormula, "info"),
        (Fault::WrongLevel, "level"),
        (Fault::NeverPerfect, "perfect"),
        (Fault::NeverDefined, "perfect"),
        (Fault::OutOfRange, "range"),
        (Fault::Counts, "repeat"),
        (Fault::Threads, "threads"),
        (Fault::FirstRow, "row_order"),
        (Fault::FirstGene, "gene_order"),
        (Fault::IgnoresGenes, "gene_subset"),
        (Fault::IgnoresMask, "own_mask"),
        (Fault::IgnoresMask, "panel_mask"),
        (Fault::NotANumber, "degenerate"),
        (Fault::Panics, "degenerate"),
        (Fault::AcceptsAnything, "bad_shape"),
    ] {
        let found = failed(fault);
        assert!(found.contains(&want), "{fault:?}: failed {found:?}, expected `{want}` among them");
    }
}

#[test]
fn a_skipped_check_is_not_run() {
    let options = Options::default().skipping("bad_shape");
    assert_eq!(check(&metric(Fault::AcceptsAnything), &options), []);
}
