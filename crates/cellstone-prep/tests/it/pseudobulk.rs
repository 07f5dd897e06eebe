//! Condition means against their definitions, written out cell by cell.

use crate::support::{Memory, labels};
use cellstone_core::{Averaging, Condition, ContextId, Perturbation, Pseudobulk, PseudobulkRow, Scale, Seed, Var};
use cellstone_prep::{
    CellLabels, Normalize, PseudobulkLog, PseudobulkParams, Target, delta, pseudobulk, pseudobulk_from_means,
    split_control,
};
use ndarray::{Array1, Array2, s};
use rand::RngExt;

const N: usize = 120;
const GENES: usize = 9;

/// Values, then one gene per cell that is 1 in that cell alone: sums over those tell which cells were summed.
fn values(seed: u64) -> Array2<f32> {
    let mut rng = Seed::new(seed).rng();
    let mut x = Array2::from_shape_fn((N, GENES + N), |(_, gene)| {
        let zero: bool = rng.random_range(0..3) == 0;
        if zero || gene >= GENES { 0.0 } else { rng.random_range(1..2000) as f32 / 512.0 }
    });
    for cell in 0..N {
        x[[cell, GENES + cell]] = 1.0;
    }
    x
}

struct Design {
    condition: Vec<&'static str>,
    batch: Vec<&'static str>,
}

/// Five conditions in four batches: batches of one cell, batches without control, a condition of one cell.
fn design() -> Design {
    let mut it = Design { condition: Vec::new(), batch: Vec::new() };
    for cell in 0..N {
        let (condition, batch) = match cell % 12 {
            0..=4 => ("ctrl", ["b0", "b1", "b0", "b2"][cell / 5 % 4]),
            5..=7 => ("A", ["b0", "b1", "b2", "b3"][cell / 7 % 4]),
            8 | 9 => ("B", ["b0", "b3"][cell / 11 % 2]),
            _ => ("A+B", ["b1", "b2", "b3"][cell / 13 % 3]),
        };
        it.condition.push(condition);
        it.batch.push(batch);
    }
    it.condition[7] = "C";
    it.condition[30] = "D";
    it.condition[31] = "D";
    it.batch[30] = "b0";
    it.batch[31] = "b1";
    it
}

fn run(x: &Array2<f32>, labels: &CellLabels, averaging: Averaging, n_replicates: usize) -> (Pseudobulk, PseudobulkLog) {
    let source = Memory::new(x, Scale::LogNorm { target_sum: None });
    let params = PseudobulkParams {
        averaging,
        normalize: None,
        n_replicates,
        min_control_batch: 15,
        ..PseudobulkParams::default()
    };
    pseudobulk(&source, labels, &params, &|_| ()).expect("means")
}

fn batched() -> (Array2<f32>, CellLabels, Design) {
    let design = design();
    let labels = labels(&design.condition, Some(&design.batch), None);
    (values(1), labels, design)
}

fn mean_of(x: &Array2<f32>, cells: &[usize]) -> Array1<f64> {
    let mut sum = Array1::zeros(x.ncols());
    for cell in cells {
        sum += &x.row(*cell).mapv(f64::from);
    }
    sum / cells.len() as f64
}

fn variance_of(x: &Array2<f32>, cells: &[usize]) -> Array1<f64> {
    let mean = mean_of(x, cells);
    let mut sum = Array1::zeros(x.ncols());
    for cell in cells {
        sum += &(&x.row(*cell).mapv(f64::from) - &mean).mapv(|it| it * it);
    }
    sum / (cells.len() as f64 - 1.0)
}

/// The cells of some list by batch.
fn by_batch(design: &Design, cells: &[usize]) -> Vec<(&'static str, Vec<usize>)> {
    let in_batch = |batch: &&str| cells.iter().copied().filter(|it| design.batch[*it] == *batch).collect::<Vec<_>>();
    ["b0", "b1", "b2", "b3"].into_iter().map(|it| (it, in_batch(&it))).filter(|it| !it.1.is_empty()).collect()
}

fn near(ours: &Array1<f64>, theirs: &Array1<f64>, what: &str) {
    for (at, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert!((ours - theirs).abs() <= 1e-10 * (1.0 + theirs.abs()), "{what}, gene {at}: {ours} and {theirs}");
    }
}

/// The mean of some cells by the rule of the averaging, control for matching given with its batches that qualify.
fn expected(
    x: &Array2<f32>,
    design: &Design,
    averaging: Averaging,
    cells: &[usize],
    control: Option<(&[usize], &[&str])>,
) -> Array1<f64> {
    let batches = by_batch(design, cells);
    let over_batches = |weight: &dyn Fn(usize) -> f64, of: &dyn Fn(&str, &[usize]) -> Array1<f64>| {
        batches.iter().fold(Array1::zeros(x.ncols()), |sum, (batch, own)| sum + of(batch, own) * weight(own.len()))
    };
    let equal = |_: usize| 1.0 / batches.len() as f64;
    let by_cells = |n: usize| n as f64 / cells.len() as f64;
    let base = match averaging {
        Averaging::Batches | Averaging::BatchesMatched => over_batches(&equal, &|_, own| mean_of(x, own)),
        _ => mean_of(x, cells),
    };
    let Some((control, qualified)) = control else { return base };
    let y0 = expected(x, design, averaging, control, None);
    let matched = |batch: &str, _: &[usize]| {
        let own: Vec<usize> = control.iter().copied().filter(|it| design.batch[*it] == batch).collect();
        if qualified.contains(&batch) && !own.is_empty() { mean_of(x, &own) } else { y0.clone() }
    };
    let subtracted = match averaging {
        Averaging::BatchesMatched => over_batches(&equal, &matched),
        _ => over_batches(&by_cells, &matched),
    };
    base + &y0 - subtracted
}

fn cells_of(design: &Design, condition: &str) -> Vec<usize> {
    (0..N).filter(|it| design.condition[*it] == condition).collect()
}

/// The cells of each half, read from the genes that mark cells.
fn halves(x: &Array2<f32>, labels: &CellLabels, replicate: usize, row: usize) -> [Vec<usize>; 2] {
    let (bulk, _) = run(x, labels, Averaging::Cells, 3);
    let it = &bulk.replicates()[replicate];
    [&it.first, &it.second].map(|half| (0..N).filter(|cell| half[[row, GENES + cell]] > 0.0).collect())
}

#[test]
fn every_averaging_is_its_definition() {
    let (x, labels, design) = batched();
    let control = cells_of(&design, "ctrl");
    let qualified: Vec<&str> =
        by_batch(&design, &control).into_iter().filter(|it| it.1.len() >= 15).map(|it| it.0).collect();
    assert!((1..3).contains(&qualified.len()), "some batches qualify, some do not");
    for averaging in [Averaging::Cells, Averaging::Batches, Averaging::BatchesMatched, Averaging::CellsMatched] {
        let (bulk, log) = run(&x, &labels, averaging, 3);
        let matched = matches!(averaging, Averaging::BatchesMatched | Averaging::CellsMatched);
        assert_eq!(log.n_fallback_batches, if matched { 4 - qualified.len() } else { 0 });
        for (row, of) in bulk.rows().iter().enumerate() {
            let what = format!("{averaging:?} {}", of.raw);
            let cells = cells_of(&design, &of.raw);
            assert_eq!(of.n_cells as usize, cells.len());
            assert_eq!(of.n_batches as usize, by_batch(&design, &cells).len());
            let own_control = (matched && of.raw != "ctrl").then_some((&control[..], &qualified[..]));
            let want = expected(&x, &design, averaging, &cells, own_control);
            near(&bulk.profiles().row(row).to_owned(), &want, &what);
            for (at, replicate) in bulk.replicates().iter().enumerate() {
                let ours = [replicate.first.row(row), replicate.second.row(row)];
                if cells.len() < 2 {
                    assert!(ours.iter().all(|it| it.iter().all(|it| it.is_nan())));
                    continue;
                }
                let halves_here = halves(&x, &labels, at, row);
                let row_of_control = bulk.control_row(&of.context).expect("control");
                let control_halves = halves(&x, &labels, at, row_of_control);
                for half in 0..2 {
                    let own_control = own_control.map(|(_, qualified)| (&control_halves[half][..], qualified));
                    let want = expected(&x, &design, averaging, &halves_here[half], own_control);
                    near(&ours[half].to_owned(), &want, &format!("{what} replicate {at} half {half}"));
                }
            }
        }
    }
}

#[test]
fn the_spread_of_batches_is_its_definition() {
    let (x, labels, design) = batched();
    let (bulk, log) = run(&x, &labels, Averaging::Batches, 0);
    assert_eq!(log.between_batches.len(), bulk.rows().len());
    let mut n_known = 0;
    for (row, of) in bulk.rows().iter().enumerate() {
        let batches = by_batch(&design, &cells_of(&design, &of.raw));
        let n = batches.len() as f64;
        let gap =
            |(_, cells): &(&str, Vec<usize>)| (mean_of(&x, cells) - bulk.profiles().row(row)).mapv(|it| it * it).sum();
        let want = batches.iter().map(gap).sum::<f64>() / (n * (n - 1.0));
        match log.between_batches[row] {
            Some(ours) => {
                assert!(batches.len() >= 3 && (ours - want).abs() <= 1e-10 * want, "{}: {ours} and {want}", of.raw);
                n_known += 1;
            }
            None => assert!(batches.len() < 3, "{}", of.raw),
        }
    }
    assert!(n_known >= 3);
    for averaging in [Averaging::Cells, Averaging::BatchesMatched, Averaging::CellsMatched] {
        assert!(run(&x, &labels, averaging, 0).1.between_batches.is_empty());
    }
}

#[test]
fn without_batch_effects_both_variances_agree() {
    // Cells of one distribution in ten batches: within-batch and between-batch forms estimate the same T.
    let mut rng = Seed::new(12).rng();
    let x = Array2::from_shape_fn((400, 300), |_| rng.random::<f32>() + 0.1);
    let conditions: Vec<&str> = (0..400).map(|it| if it % 2 == 0 { "ctrl" } else { "A" }).collect();
    let batches: Vec<String> = (0..400).map(|it| format!("b{}", it / 2 % 10)).collect();
    let batches: Vec<&str> = batches.iter().map(String::as_str).collect();
    let (bulk, log) = run(&x, &labels(&conditions, Some(&batches), None), Averaging::Batches, 0);
    for (row, between) in log.between_batches.iter().enumerate() {
        let within = bulk.sampling_var().expect("variances").row(row).sum();
        let ratio = between.expect("ten batches") / within;
        assert!((ratio - 1.0).abs() < 0.1, "{ratio}");
    }
}

#[test]
fn a_split_control_shares_no_cell() {
    let (x, labels, _) = batched();
    for averaging in [Averaging::Cells, Averaging::Batches] {
        let (bulk, _) = run(&x, &labels, averaging, 2);
        let (for_methods, for_truth) = split_control(&bulk, 1).expect("two halves");
        let at = bulk.control_row(&ContextId::default_context()).expect("control");
        let halves = &bulk.replicates()[1];
        assert_eq!(for_methods.profiles().row(at), halves.first.row(at));
        assert_eq!(for_truth.profiles().row(at), halves.second.row(at));
        let n = |it: &Pseudobulk| it.rows()[at].n_cells;
        assert_eq!(n(&for_methods) + n(&for_truth), n(&bulk));
        let variance = |it: &Pseudobulk| it.sampling_var().expect("variances").row(at).sum();
        assert!(
            (variance(&for_methods) * n(&for_methods) as f64 / (variance(&bulk) * n(&bulk) as f64) - 1.0).abs() < 1e-12
        );
        for row in (0..bulk.rows().len()).filter(|it| *it != at) {
            assert_eq!(for_methods.profiles().row(row), bulk.profiles().row(row));
            assert_eq!(for_truth.profiles().row(row), bulk.profiles().row(row));
        }
        // The genes that mark cells: none is in both controls.
        let marks = |it: &Pseudobulk| it.profiles().row(at).iter().skip(GENES).map(|it| *it > 0.0).collect::<Vec<_>>();
        assert!(marks(&for_methods).iter().zip(marks(&for_truth)).all(|(a, b)| !(*a && b)));
        assert_eq!(
            split_control(&bulk, 2).expect_err("two replicates").to_string(),
            "replicate 2 asked for, but the means have 2"
        );
    }
    let (matched, _) = run(&x, &labels, Averaging::CellsMatched, 1);
    assert_eq!(
        split_control(&matched, 0).expect_err("matched").to_string(),
        "a control matched by batch cannot be split into two"
    );
}

#[test]
fn halves_are_disjoint_equal_and_random() {
    let (x, labels, design) = batched();
    let (bulk, _) = run(&x, &labels, Averaging::Cells, 3);
    let mut firsts = Vec::new();
    for (row, of) in bulk.rows().iter().enumerate().filter(|it| it.1.n_cells >= 2) {
        let [first, second] = halves(&x, &labels, 0, row);
        let replicate = &bulk.replicates()[0];
        assert_eq!((first.len() as u64, second.len() as u64), (replicate.n_first[row], replicate.n_second[row]));
        assert!(first.len() - second.len() <= 1);
        let mut both = [first.clone(), second].concat();
        both.sort_unstable();
        assert_eq!(both, cells_of(&design, &of.raw));
        firsts.push((first, halves(&x, &labels, 1, row)[0].clone()));
    }
    assert!(firsts.iter().any(|(a, b)| a != b), "replicates differ");
}

#[test]
fn variances_are_their_definitions() {
    let (x, labels, design) = batched();
    let control = cells_of(&design, "ctrl");
    let batches_of = |cells: &[usize]| by_batch(&design, cells);
    let pooled = |cells: &[usize]| {
        let (mut squares, mut freedom) = (Array1::<f64>::zeros(x.ncols()), 0.0);
        for (_, own) in batches_of(cells).iter().filter(|it| it.1.len() > 1) {
            squares += &(variance_of(&x, own) * (own.len() as f64 - 1.0));
            freedom += own.len() as f64 - 1.0;
        }
        (freedom > 0.0).then(|| squares / freedom)
    };
    let names = ["A", "A+B", "B", "C", "D", "ctrl"];
    let borrowed = |of: &dyn Fn(&[usize]) -> Option<Array1<f64>>| {
        let lent: Vec<Array1<f64>> = names.iter().filter_map(|it| of(&cells_of(&design, it))).collect();
        lent.iter().fold(Array1::zeros(x.ncols()), |sum, it| sum + it) / lent.len() as f64
    };

    let (cells_bulk, log) = run(&x, &labels, Averaging::Cells, 0);
    assert!(log.warnings.iter().any(|it| it.starts_with("1 conditions have one cell")));
    let total = |cells: &[usize]| (cells.len() > 1).then(|| variance_of(&x, cells));
    let batch_mean_variance = |cells: &[usize]| {
        let s2 = pooled(cells).unwrap_or_else(|| borrowed(&pooled));
        let batches = batches_of(cells);
        let terms = batches.iter().fold(Array1::zeros(x.ncols()), |sum: Array1<f64>, (_, own)| {
            sum + if own.len() > 1 { variance_of(&x, own) / own.len() as f64 } else { s2.clone() }
        });
        terms / (batches.len() as f64).powi(2)
    };
    let (batch_bulk, _) = run(&x, &labels, Averaging::Batches, 0);
    let (matched_bulk, _) = run(&x, &labels, Averaging::BatchesMatched, 0);
    for (row, of) in cells_bulk.rows().iter().enumerate() {
        let cells = cells_of(&design, &of.raw);
        let var = |bulk: &Pseudobulk| bulk.sampling_var().expect("variances").row(row).to_owned();
        let want = total(&cells).unwrap_or_else(|| borrowed(&total)) / cells.len() as f64;
        near(&var(&cells_bulk), &want, &format!("PB1 {}", of.raw));
        let want = batch_mean_variance(&cells);
        near(&var(&batch_bulk), &want, &format!("PB2 {}", of.raw));
        if of.raw == "ctrl" {
            near(&var(&matched_bulk), &want, "PB3 control");
            continue;
        }
        let batches = batches_of(&cells);
        let (mut terms, mut shared) = (Array1::<f64>::zeros(x.ncols()), 0.0_f64);
        for (batch, _) in &batches {
            let own: Vec<usize> = control.iter().copied().filter(|it| design.batch[*it] == *batch).collect();
            if own.len() >= 15 {
                terms = terms + variance_of(&x, &own) / own.len() as f64;
            } else {
                shared += 1.0;
            }
        }
        let n_batches = batches.len() as f64;
        let want =
            want + terms / (n_batches * n_batches) + batch_mean_variance(&control) * (shared / n_batches).powi(2);
        near(&var(&matched_bulk), &want, &format!("PB3 {}", of.raw));
    }
}

#[test]
fn matched_cells_vary_by_their_differences() {
    let (x, labels, design) = batched();
    let (bulk, _) = run(&x, &labels, Averaging::CellsMatched, 0);
    let control = cells_of(&design, "ctrl");
    let y0 = mean_of(&x, &control);
    let of_batch =
        |batch: &str| -> Vec<usize> { control.iter().copied().filter(|it| design.batch[*it] == batch).collect() };
    let cells = cells_of(&design, "A");
    let mut differences = Array2::<f64>::zeros((cells.len(), x.ncols()));
    let (mut terms, mut shared) = (Array1::<f64>::zeros(x.ncols()), 0.0_f64);
    for (at, cell) in cells.iter().enumerate() {
        let own = of_batch(design.batch[*cell]);
        let base = if own.len() >= 15 { mean_of(&x, &own) } else { y0.clone() };
        differences.row_mut(at).assign(&(&x.row(*cell).mapv(f64::from) - &base));
    }
    for (batch, own) in by_batch(&design, &cells) {
        let weight = own.len() as f64 / cells.len() as f64;
        let own = of_batch(batch);
        if own.len() >= 15 {
            terms = terms + variance_of(&x, &own) / own.len() as f64 * weight * weight;
        } else {
            shared += weight;
        }
    }
    let s2 = differences.var_axis(ndarray::Axis(0), 1.0);
    let want = s2 / cells.len() as f64 + terms + variance_of(&x, &control) / control.len() as f64 * (shared * shared);
    near(&bulk.sampling_var().expect("variances").row(0).to_owned(), &want, "PB4");
}

#[test]
fn one_batch_makes_all_averages_equal() {
    let design = design();
    let one = vec!["b"; N];
    let x = values(2);
    for labels in [labels(&design.condition, Some(&one), None), labels(&design.condition, None, None)] {
        let (cells, _) = run(&x, &labels, Averaging::Cells, 2);
        let (batches, _) = run(&x, &labels, Averaging::Batches, 2);
        assert_eq!(cells.profiles(), batches.profiles());
        assert_eq!(cells.sampling_var(), batches.sampling_var());
        assert_eq!(batches.averaging(), Averaging::Batches);
    }
}

#[test]
fn matched_and_global_deltas_are_equal_in_full_designs() {
    let condition: Vec<&str> = (0..N).map(|it| ["ctrl", "ctrl", "A", "B"][it % 4]).collect();
    let batch: Vec<&str> = (0..N).map(|it| ["b0", "b1", "b2"][it / 4 % 3]).collect();
    let labels = labels(&condition, Some(&batch), None);
    let x = values(3);
    let (global, _) = run(&x, &labels, Averaging::Batches, 0);
    let (matched, log) = run(&x, &labels, Averaging::BatchesMatched, 0);
    assert_eq!(log.n_fallback_batches, 0);
    assert!((delta(&global) - delta(&matched)).iter().all(|it| it.abs() < 1e-12));
    assert!(global.sampling_var().expect("variances").sum() < matched.sampling_var().expect("variances").sum());
}

#[test]
fn variance_agrees_with_random_halves() {
    let (x, labels, _) = batched();
    let source = Memory::new(&x, Scale::LogNorm { target_sum: None });
    let mut estimate = [0.0; 6];
    let mut bulk = None;
    for seed in 0..80 {
        let params = PseudobulkParams {
            normalize: None,
            n_replicates: 25,
            seed: Seed::new(seed),
            ..PseudobulkParams::default()
        };
        let (it, _) = pseudobulk(&source, &labels, &params, &|_| ()).expect("means");
        for replicate in it.replicates() {
            for row in 0..it.rows().len() {
                let (n1, n2) = (replicate.n_first[row] as f64, replicate.n_second[row] as f64);
                let distance: f64 = (&replicate.first.row(row) - &replicate.second.row(row)).mapv(|it| it * it).sum();
                estimate[row] += distance * n1 * n2 / (n1 + n2).powi(2) / 2000.0;
            }
        }
        bulk = Some(it);
    }
    let bulk = bulk.expect("a run");
    for (row, of) in bulk.rows().iter().enumerate().filter(|it| it.1.n_cells > 2) {
        let closed = bulk.sampling_var().expect("variances").row(row).sum();
        assert!((estimate[row] / closed - 1.0).abs() < 0.02, "{}: {} and {closed}", of.raw, estimate[row]);
    }
}

#[test]
fn threads_and_blocks_change_no_bit() {
    let (x, labels, _) = batched();
    let counts = x.mapv(|it| (it * 3.0).floor());
    for averaging in [Averaging::Cells, Averaging::BatchesMatched, Averaging::CellsMatched, Averaging::Bulk] {
        let with = |threads: usize, block: usize| {
            let mut source = Memory::new(&counts, Scale::Counts);
            source.block = block;
            let params = PseudobulkParams { averaging, ..PseudobulkParams::default() };
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
            let (bulk, _) = pool.install(|| pseudobulk(&source, &labels, &params, &|_| ())).expect("means");
            let bits = |it: &Array2<f64>| it.iter().map(|it| it.to_bits()).collect::<Vec<_>>();
            let mut all = vec![bits(bulk.profiles()), bits(bulk.sampling_var().expect("variances"))];
            for it in bulk.replicates() {
                all.extend([bits(&it.first), bits(&it.second)]);
            }
            all
        };
        let one = with(1, 1000);
        assert_eq!(one, with(3, 1), "{averaging:?}");
        assert_eq!(one, with(2, 17), "{averaging:?}");
    }
}

#[test]
fn many_genes_are_cut_into_ranges() {
    let condition: Vec<&str> = (0..40).map(|it| ["ctrl", "A"][it % 2]).collect();
    let labels = labels(&condition, None, None);
    let mut rng = Seed::new(5).rng();
    let x = Array2::from_shape_fn((40, 9000), |_| {
        if rng.random_range(0..4) == 0 { rng.random_range(1..9) as f32 } else { 0.0 }
    });
    let (bulk, _) = run(&x, &labels, Averaging::Cells, 2);
    let cells: Vec<usize> = (0..40).filter(|it| it % 2 == 1).collect();
    near(&bulk.profiles().row(0).to_owned(), &mean_of(&x, &cells), "mean");
    near(&bulk.sampling_var().expect("variances").row(0).to_owned(), &(variance_of(&x, &cells) / 20.0), "variance");
    let halves = &bulk.replicates()[1];
    near(&((&halves.first.row(0) + &halves.second.row(0)) / 2.0), &mean_of(&x, &cells), "halves");
}

#[test]
fn normalization_and_empty_cells() {
    let mut counts = values(4).mapv(|it| (it * 4.0).floor());
    for cell in [3, 50] {
        counts.row_mut(cell).fill(0.0);
    }
    let design = design();
    let labels = labels(&design.condition, None, None);
    let library: Vec<f64> = counts.rows().into_iter().map(|it| it.iter().map(|it| f64::from(*it)).sum()).collect();
    let mut nonzero: Vec<f64> = library.iter().copied().filter(|it| *it > 0.0).collect();
    nonzero.sort_by(f64::total_cmp);
    let median = f64::midpoint(nonzero[58], nonzero[59]);
    for (target, sum) in [(Target::Sum(1e4), 1e4), (Target::Median, median)] {
        let params =
            PseudobulkParams { normalize: Some(Normalize { target, log1p: true }), ..PseudobulkParams::default() };
        let (bulk, log) = pseudobulk(&Memory::new(&counts, Scale::Counts), &labels, &params, &|_| ()).expect("means");
        assert_eq!(log.n_dropped_empty, 2);
        assert!(log.warnings.contains(&"2 cells without a single count are dropped".to_owned()));
        assert_eq!(bulk.scale(), Scale::LogNorm { target_sum: Some(sum) });
        for (row, of) in bulk.rows().iter().enumerate() {
            let cells: Vec<usize> = cells_of(&design, &of.raw).into_iter().filter(|it| library[*it] > 0.0).collect();
            assert_eq!(of.n_cells as usize, cells.len());
            let mut want = Array1::<f64>::zeros(counts.ncols());
            for cell in &cells {
                want += &counts.row(*cell).mapv(|it| (f64::from(it) * sum / library[*cell]).ln_1p());
            }
            want /= cells.len() as f64;
            for (ours, theirs) in bulk.profiles().row(row).iter().zip(&want) {
                assert!((ours - theirs).abs() <= 1e-6 * (1.0 + theirs), "{}: {ours} and {theirs}", of.raw);
            }
        }
    }
}

#[test]
fn bulk_profiles_and_their_jackknife() {
    let counts = values(6).mapv(|it| (it * 4.0).floor());
    let design = design();
    let labels = labels(&design.condition, None, None);
    let params = PseudobulkParams { averaging: Averaging::Bulk, n_replicates: 1, ..PseudobulkParams::default() };
    let (bulk, _) = pseudobulk(&Memory::new(&counts, Scale::Counts), &labels, &params, &|_| ()).expect("means");
    assert_eq!(bulk.scale(), Scale::LogNorm { target_sum: Some(5e4) });
    let profile = |cells: &[usize]| {
        let sum = mean_of(&counts, cells) * cells.len() as f64;
        let total = sum.sum();
        sum.mapv(|it| (5e4 * it / total).ln_1p())
    };
    for (row, of) in bulk.rows().iter().enumerate() {
        let cells = cells_of(&design, &of.raw);
        near(&bulk.profiles().row(row).to_owned(), &profile(&cells), &of.raw);
        let var = bulk.sampling_var().expect("variances").row(row).to_owned();
        if cells.len() < 2 {
            assert_eq!(var.sum(), 0.0);
            continue;
        }
        let n = cells.len() as f64;
        let left: Vec<Array1<f64>> = (0..cells.len())
            .map(|out| profile(&cells.iter().enumerate().filter(|it| it.0 != out).map(|it| *it.1).collect::<Vec<_>>()))
            .collect();
        let mean = left.iter().fold(Array1::zeros(counts.ncols()), |sum: Array1<f64>, it| sum + it) / n;
        let squares = left
            .iter()
            .fold(Array1::zeros(counts.ncols()), |sum: Array1<f64>, it| sum + (it - &mean).mapv(|it| it * it));
        near(&var, &(squares * ((n - 1.0) / n)), &of.raw);
        let replicate = &bulk.replicates()[0];
        let members: Vec<usize> = cells.iter().copied().filter(|it| replicate.first[[row, GENES + it]] > 0.0).collect();
        assert_eq!(members.len() as u64, replicate.n_first[row]);
        near(&replicate.first.row(row).to_owned(), &profile(&members), "first half");
    }
}

#[test]
fn scales_that_do_not_fit_are_refused() {
    let (x, labels, _) = batched();
    let logs = Memory::new(&x, Scale::LogNorm { target_sum: Some(1e4) });
    let counts = Memory::new(&x.mapv(f32::floor), Scale::Counts);
    let check = |source: &Memory, params: PseudobulkParams, want: &str| {
        let error = pseudobulk(source, &labels, &params, &|_| ()).expect_err("refused");
        assert_eq!(error.to_string(), want);
    };
    let plain = PseudobulkParams::default;
    check(&logs, plain(), "normalization needs counts, but the values of `memory` are ln(1 + x), library size 10000");
    check(
        &logs,
        PseudobulkParams { averaging: Averaging::Bulk, ..plain() },
        "averaging `bulk` sums counts, but the values of `memory` are ln(1 + x), library size 10000",
    );
    check(
        &counts,
        PseudobulkParams { averaging: Averaging::Given, ..plain() },
        "averaging `given` is for means that came from a file, not for cells",
    );
    check(&counts, PseudobulkParams { n_replicates: 31, ..plain() }, "n_replicates is 31, expected at most 30");
    let sum = |target, log1p| PseudobulkParams { normalize: Some(Normalize { target, log1p }), ..plain() };
    check(&counts, sum(Target::Sum(-1.0), true), "target_sum is -1, expected a positive number");
    check(&counts, sum(Target::Sum(1e4), false), "normalization without log1p needs a target sum of 1e6 or none");
    let fewer = Memory::new(&x.slice(s![..5, ..]).to_owned(), Scale::Counts);
    check(&fewer, plain(), "120 labels for the 5 cells of `memory`");
    let empty = Memory::new(&Array2::zeros((N, 3)), Scale::Counts);
    check(&empty, plain(), "every control cell of context `default` of `memory` is without a single count");
}

#[test]
fn contexts_have_their_own_control() {
    let condition: Vec<&str> = (0..N).map(|it| ["ctrl", "A"][it % 2]).collect();
    let context: Vec<&str> = (0..N).map(|it| ["x", "y"][it / 60]).collect();
    let labels = labels(&condition, None, Some(&context));
    let x = values(7);
    let (bulk, _) = run(&x, &labels, Averaging::Cells, 0);
    let shift = delta(&bulk);
    let cells = |c: usize, k: usize| (0..N).filter(|it| it % 2 == c && it / 60 == k).collect::<Vec<_>>();
    for (row, context) in [(0, 0), (2, 1)] {
        let want = mean_of(&x, &cells(1, context)) - mean_of(&x, &cells(0, context));
        near(&shift.row(row).to_owned(), &want, "delta");
    }
}

#[test]
fn effect_vectors_get_a_control_at_the_origin() {
    let row = |context: &str, name: &str, condition| PseudobulkRow {
        context: ContextId::new(context),
        condition,
        raw: name.to_owned(),
        n_cells: 0,
        n_batches: 1,
    };
    let single = || Condition::Perturbed(Perturbation::new(["A"]).expect("one"));
    let var = || Var::from_ids(["pc1", "pc2"]).expect("unique");
    let rows = vec![row("x", "A", single()), row("y", "A", single()), row("y", "NT", Condition::Control)];
    let profiles = ndarray::array![[1.0, 2.0], [3.0, 4.0], [1.0, 1.0]];
    let bulk = pseudobulk_from_means(var(), rows, profiles).expect("means");
    assert_eq!(bulk.rows().len(), 4);
    assert_eq!(delta(&bulk), ndarray::array![[1.0, 2.0], [2.0, 3.0], [0.0, 0.0], [0.0, 0.0]]);
    assert_eq!((bulk.scale(), bulk.averaging()), (Scale::Effect, Averaging::Given));
    assert!(bulk.sampling_var().is_none() && bulk.replicates().is_empty());
    let error = pseudobulk_from_means(var(), vec![row("x", "A", single())], Array2::zeros((2, 2))).expect_err("shape");
    assert!(error.to_string().starts_with("profiles have shape (2, 2)"));
}
