//! What every metric must do.

use super::Failure;
use super::harness::{Check, Harness, ensure, guarded, is_snake, permutation, unexpected, with_threads};
use cellstone_core::{Mask, Metric, MetricInput, MetricLevel, Score, Scores, Seed, SeedRng};
use ndarray::{Array1, Array2, Axis};
use rand_distr::{Distribution, StandardNormal};

/// Which checks to leave out.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Names of checks that do not apply, each to be justified where it is skipped.
    pub skip: Vec<&'static str>,
}

impl Options {
    /// Leaves out a check.
    #[must_use]
    pub fn skipping(mut self, check: &'static str) -> Self {
        self.skip.push(check);
        self
    }
}

/// Checks a metric on random profiles.
///
/// | check | expectation |
/// |---|---|
/// | `info` | complete, the same twice, id in lower snake case, `best` inside `range` |
/// | `level` | one score per perturbation or one in all, as announced |
/// | `perfect` | truth as prediction scores `best` wherever it is defined, and is defined somewhere |
/// | `range` | finite values inside `range` |
/// | `repeat`, `threads` | the same bits again, with any number of threads |
/// | `row_order` | permuting perturbations permutes scores (1e-9) |
/// | `gene_order` | permuting genes changes nothing (1e-9) |
/// | `gene_subset` | a gene outside `genes` changes nothing |
/// | `own_mask` | with [`Mask::OwnTargets`] a condition's own targets do not change its score |
/// | `panel_mask` | with [`Mask::Panel`] no target of any condition changes a score |
/// | `degenerate` | constant or zero vectors, one condition, one gene, no gene, nothing optional: a finite number or a reason |
/// | `bad_shape` | shapes that do not fit are an error, not a panic |
///
/// # Examples
/// ```no_run
/// # let my_metric: &dyn cellstone_core::Metric = unimplemented!();
/// use cellstone_fixtures::conformance::{self, metric};
/// conformance::assert_conforms("my_metric", &metric::check(my_metric, &metric::Options::default()));
/// ```
pub fn check(metric: &dyn Metric, options: &Options) -> Vec<Failure> {
    let suite = Suite { metric, case: Case::random(7, 24, 5) };
    let mut harness = Harness::new(&options.skip);
    harness.check("info", || suite.info());
    harness.check("level", || suite.level());
    harness.check("perfect", || suite.perfect());
    harness.check("range", || suite.range());
    harness.check("repeat", || same_bits(&suite.run(&suite.case)?, &suite.run(&suite.case)?));
    harness.check("threads", || {
        let one = with_threads(1, || suite.run(&suite.case))??;
        let three = with_threads(3, || suite.run(&suite.case))??;
        same_bits(&one, &three)
    });
    harness.check("row_order", || suite.row_order());
    harness.check("gene_order", || suite.gene_order());
    harness.check("gene_subset", || suite.gene_subset());
    harness.check("own_mask", || suite.own_mask());
    harness.check("panel_mask", || suite.panel_mask());
    harness.check("degenerate", || suite.degenerate());
    harness.check("bad_shape", || suite.bad_shape());
    harness.finish()
}

/// Owned arrays behind a [`MetricInput`].
#[derive(Clone)]
struct Case {
    truth: Array2<f64>,
    pred: Array2<f64>,
    control: Array1<f64>,
    pred_control: Option<Array1<f64>>,
    train_mean: Option<Array1<f64>>,
    train_profiles: Option<Array2<f64>>,
    weights: Option<Array2<f64>>,
    targets: Vec<Vec<usize>>,
    keys: Vec<String>,
    genes: Option<Vec<usize>>,
    mask: Mask,
}

impl Case {
    /// Positive profiles around a control, predictions that are right in part; condition `i` has target `i`.
    fn random(n_rows: usize, n_vars: usize, seed: u64) -> Self {
        let rng = &mut Seed::new(seed).derive("metric").rng();
        let control: Array1<f64> = Array1::from_shape_simple_fn(n_vars, || 2.0 + normal(rng).abs());
        let mut around = |rows: usize| {
            let noise = Array2::from_shape_simple_fn((rows, n_vars), || 0.4 * normal(rng));
            noise + &control
        };
        let (truth, noise, train) = (around(n_rows), around(n_rows), around(n_rows + 2));
        let pred = (&truth + &noise) / 2.0;
        let mean = train.mean_axis(Axis(0)).unwrap_or_else(|| control.clone());
        Self {
            weights: Some((&truth - &control).mapv(|it| 0.1 + it.abs())),
            truth,
            pred,
            pred_control: Some(control.mapv(|it| it + 0.01)),
            control,
            train_mean: Some(mean),
            train_profiles: Some(train),
            targets: (0..n_rows).map(|it| vec![it % n_vars.max(1)]).collect(),
            keys: (0..n_rows).map(|it| format!("T{it:02}")).collect(),
            genes: None,
            mask: Mask::None,
        }
    }

    fn input(&self) -> MetricInput<'_> {
        MetricInput {
            truth: self.truth.view(),
            pred: self.pred.view(),
            control: self.control.view(),
            pred_control: self.pred_control.as_ref().map(|it| it.view()),
            train_mean: self.train_mean.as_ref().map(|it| it.view()),
            train_profiles: self.train_profiles.as_ref().map(|it| it.view()),
            weights: self.weights.as_ref().map(|it| it.view()),
            targets: &self.targets,
            keys: &self.keys,
            genes: self.genes.as_deref(),
            mask: self.mask,
        }
    }

    fn with_rows(&self, order: &[usize]) -> Self {
        let pick = |it: &Array2<f64>| it.select(Axis(0), order);
        Self {
            truth: pick(&self.truth),
            pred: pick(&self.pred),
            weights: self.weights.as_ref().map(pick),
            targets: order.iter().map(|it| self.targets[*it].clone()).collect(),
            keys: order.iter().map(|it| self.keys[*it].clone()).collect(),
            ..self.clone()
        }
    }

    fn with_genes_permuted(&self, order: &[usize]) -> Self {
        let pick = |it: &Array2<f64>| it.select(Axis(1), order);
        let take = |it: &Array1<f64>| it.select(Axis(0), order);
        let place = |old: &usize| order.iter().position(|it| it == old).expect("invariant: a permutation");
        let targets = self.targets.iter().map(|it| it.iter().map(place).collect()).collect();
        let genes = self.genes.as_ref().map(|all| {
            let mut genes: Vec<usize> = all.iter().map(place).collect();
            genes.sort_unstable();
            genes
        });
        Self {
            truth: pick(&self.truth),
            pred: pick(&self.pred),
            control: take(&self.control),
            pred_control: self.pred_control.as_ref().map(take),
            train_mean: self.train_mean.as_ref().map(take),
            train_profiles: self.train_profiles.as_ref().map(pick),
            weights: self.weights.as_ref().map(pick),
            targets,
            genes,
            keys: self.keys.clone(),
            mask: self.mask,
        }
    }

    /// Overwrites a gene with numbers that would be seen if it were used.
    fn spoil(&mut self, gene: usize, rows: impl Iterator<Item = usize>) {
        for (at, row) in rows.enumerate() {
            self.truth[[row, gene]] = 40.0 + at as f64;
            self.pred[[row, gene]] = 3.0 - 7.0 * at as f64;
        }
    }

    fn spoil_everywhere(&mut self, gene: usize) {
        self.spoil(gene, 0..self.truth.nrows());
        self.control[gene] = 17.0;
        for it in self.pred_control.iter_mut().chain(self.train_mean.iter_mut()) {
            it[gene] = 23.0;
        }
        if let Some(it) = &mut self.train_profiles {
            it.column_mut(gene).fill(31.0);
        }
        if let Some(it) = &mut self.weights {
            it.column_mut(gene).fill(9.0);
        }
    }
}

fn normal(rng: &mut SeedRng) -> f64 {
    StandardNormal.sample(rng)
}

struct Suite<'a> {
    metric: &'a dyn Metric,
    case: Case,
}

impl Suite<'_> {
    fn run(&self, case: &Case) -> Result<Scores, String> {
        self.metric.compute(&case.input()).map_err(|it| unexpected("computing", &it))
    }

    fn info(&self) -> Check {
        let info = self.metric.info();
        ensure(is_snake(&info.id), || format!("id `{}` is not lower snake case", info.id))?;
        for (field, text) in [("name", &info.name), ("formula", &info.formula), ("source", &info.source)] {
            ensure(!text.is_empty(), || format!("{field} is empty"))?;
        }
        let (low, high) = info.range;
        ensure(low <= info.best && info.best <= high, || format!("best {} is outside {low}..{high}", info.best))?;
        ensure(info.clone() == *self.metric.info(), || "two calls differ".into())
    }

    fn level(&self) -> Check {
        match (self.metric.info().level, self.run(&self.case)?) {
            (MetricLevel::Perturbation, Scores::PerPerturbation(it)) => {
                let (found, expected) = (it.len(), self.case.truth.nrows());
                ensure(found == expected, || format!("{found} scores, expected {expected}"))
            }
            (MetricLevel::Context, Scores::One(_)) => Ok(()),
            (level, found) => Err(format!("announced {level:?}, found {found:?}")),
        }
    }

    fn perfect(&self) -> Check {
        let mut case = self.case.clone();
        case.pred = case.truth.clone();
        case.pred_control = Some(case.control.clone());
        let scores = list(&self.run(&case)?);
        let values: Vec<f64> = scores.iter().filter_map(|it| it.value()).collect();
        ensure(!values.is_empty(), || format!("no score is defined: {scores:?}"))?;
        let best = self.metric.info().best;
        match values.iter().find(|it| (**it - best).abs() > 1e-9) {
            Some(it) => Err(format!("truth as prediction scores {it}, expected {best}")),
            None => Ok(()),
        }
    }

    fn range(&self) -> Check {
        (0..5).try_for_each(|seed| self.sound(&Case::random(4 + seed as usize, 20, 100 + seed)))
    }

    /// Finite, and inside the announced range.
    fn sound(&self, case: &Case) -> Check {
        let (low, high) = self.metric.info().range;
        for value in list(&self.run(case)?).into_iter().filter_map(Score::value) {
            ensure(value.is_finite(), || format!("a value is {value}, expected a number or a reason"))?;
            let room = 1e-9 * (1.0 + value.abs());
            ensure(value >= low - room && value <= high + room, || format!("{value} is outside {low}..{high}"))?;
        }
        Ok(())
    }

    fn row_order(&self) -> Check {
        let order = permutation(self.case.truth.nrows());
        let base = self.run(&self.case)?;
        let expected = match &base {
            Scores::PerPerturbation(it) => Scores::PerPerturbation(order.iter().map(|at| it[*at]).collect()),
            Scores::One(it) => Scores::One(*it),
        };
        alike(&expected, &self.run(&self.case.with_rows(&order))?, 1e-9)
    }

    fn gene_order(&self) -> Check {
        let order = permutation(self.case.truth.ncols());
        for (mask, genes) in
            [(Mask::None, None), (Mask::OwnTargets, None), (Mask::Panel, Some(vec![0, 3, 5, 9, 12, 15, 18, 22]))]
        {
            let case = Case { genes, mask, ..self.case.clone() };
            alike(&self.run(&case)?, &self.run(&case.with_genes_permuted(&order))?, 1e-9)?;
        }
        Ok(())
    }

    fn gene_subset(&self) -> Check {
        let mut case = Case { genes: Some(vec![1, 2, 5, 8, 9, 13, 14, 17, 20, 21, 23]), ..self.case.clone() };
        let base = self.run(&case)?;
        let outside = [0, 3, 10, 22];
        outside.into_iter().for_each(|gene| case.spoil_everywhere(gene));
        alike(&base, &self.run(&case)?, 1e-12).map_err(|it| format!("genes {outside:?} are not asked for, yet {it}"))
    }

    fn own_mask(&self) -> Check {
        let masked = Case { mask: Mask::OwnTargets, ..self.case.clone() };
        let Scores::PerPerturbation(base) = self.run(&masked)? else { return Ok(()) };
        for row in [0, 3] {
            let mut case = masked.clone();
            for gene in case.targets[row].clone() {
                case.spoil(gene, std::iter::once(row));
            }
            let scores = list(&self.run(&case)?);
            alike_score(base[row], scores[row], 1e-12).map_err(|it| format!("its own target is masked, yet {it}"))?;
        }
        Ok(())
    }

    fn panel_mask(&self) -> Check {
        let mut case = Case { mask: Mask::Panel, ..self.case.clone() };
        let base = self.run(&case)?;
        for gene in case.targets.concat() {
            case.spoil_everywhere(gene);
        }
        alike(&base, &self.run(&case)?, 1e-12).map_err(|it| format!("the targets of the panel are masked, yet {it}"))
    }

    fn degenerate(&self) -> Check {
        let base = &self.case;
        let zeros = Array2::zeros(base.truth.dim());
        let flat = Array2::from_elem(base.truth.dim(), 1.5);
        let controls = &zeros + &base.control;
        let case =
            |truth: &Array2<f64>, pred: &Array2<f64>| Case { truth: truth.clone(), pred: pred.clone(), ..base.clone() };
        let nothing = Case { control: Array1::zeros(base.control.len()), ..case(&zeros, &zeros) };
        let bare = Case { pred_control: None, train_mean: None, train_profiles: None, weights: None, ..base.clone() };
        let cases = [
            ("a constant prediction", case(&base.truth, &flat)),
            ("a constant truth", case(&flat, &base.pred)),
            ("a prediction of the control", case(&base.truth, &controls)),
            ("a truth like the control", case(&controls, &base.pred)),
            ("both like the control", case(&controls, &controls)),
            ("nothing but zeros", nothing),
            ("zero weights", Case { weights: Some(zeros.clone()), ..base.clone() }),
            ("no optional input", bare),
            ("one condition", base.with_rows(&[2])),
            ("two conditions", base.with_rows(&[2, 4])),
            ("no condition", base.with_rows(&[])),
            ("one gene", Case::random(4, 1, 8)),
            ("one gene, masked", Case { mask: Mask::Panel, ..Case::random(4, 1, 8) }),
            ("two genes", Case::random(4, 2, 8)),
            ("no gene", Case::random(4, 0, 8)),
            ("one gene asked for", Case { genes: Some(vec![3]), ..base.clone() }),
            ("no gene asked for", Case { genes: Some(Vec::new()), ..base.clone() }),
        ];
        for (name, mut case) in cases {
            if case.truth.ncols() == 0 {
                case.targets.iter_mut().for_each(Vec::clear);
            }
            guarded(|| self.sound(&case)).and_then(|it| it).map_err(|it| format!("{name}: {it}"))?;
        }
        Ok(())
    }

    fn bad_shape(&self) -> Check {
        let rows = Case { pred: self.case.pred.select(Axis(0), &[0, 1, 2]), ..self.case.clone() };
        let cols = Case { pred: self.case.pred.select(Axis(1), &[0, 1, 2]), ..self.case.clone() };
        let control = Case { control: Array1::zeros(3), ..self.case.clone() };
        for (name, case) in [("too few predictions", rows), ("too few genes", cols), ("a short control", control)] {
            let found = guarded(|| self.metric.compute(&case.input())).map_err(|it| format!("{name}: {it}"))?;
            ensure(found.is_err(), || format!("{name}: {found:?}, expected an error"))?;
        }
        Ok(())
    }
}

fn list(scores: &Scores) -> Vec<Score> {
    match scores {
        Scores::PerPerturbation(it) => it.clone(),
        Scores::One(it) => vec![*it],
    }
}

fn same_bits(a: &Scores, b: &Scores) -> Check {
    let bits =
        |it: &Scores| list(it).iter().map(|it| format!("{:?}", it.value().map(f64::to_bits))).collect::<Vec<_>>();
    ensure(bits(a) == bits(b), || format!("{b:?}, expected the bits of {a:?}"))
}

fn alike(expected: &Scores, found: &Scores, tolerance: f64) -> Check {
    let (expected, found) = (list(expected), list(found));
    ensure(expected.len() == found.len(), || format!("{} scores, expected {}", found.len(), expected.len()))?;
    expected.iter().zip(&found).try_for_each(|(a, b)| alike_score(*a, *b, tolerance))
}

fn alike_score(expected: Score, found: Score, tolerance: f64) -> Check {
    let near = match (expected, found) {
        (Score::Value(a), Score::Value(b)) => (a - b).abs() <= tolerance * (1.0 + a.abs()),
        _ => expected == found,
    };
    ensure(near, || format!("{found:?}, expected {expected:?}"))
}
