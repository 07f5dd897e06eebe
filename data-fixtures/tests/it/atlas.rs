//! The simulated atlas: its counts follow the tree, its files read back.

use cellstone_core::{CountSource, Seed};
use cellstone_fixtures::conformance::source::{Options, check};
use cellstone_fixtures::{Atlas, AtlasSpec, atlas_obo_path, simulate_atlas_to_h5ad, truth_path};
use cellstone_io::{OpenOptions, WriteOptions, open_source, read_obo};

fn tiny(change: impl Fn(&mut AtlasSpec)) -> Atlas {
    let mut spec = AtlasSpec::preset("atlas_tiny").expect("preset");
    change(&mut spec);
    Atlas::new(spec, Seed::new(3)).expect("valid")
}

/// The code of every cell in a column.
fn codes(data: &dyn CountSource, column: &str) -> Vec<usize> {
    let (codes, _) = data.obs().column(column).expect("column").to_codes();
    codes.into_iter().map(|it| it.expect("no cell without") as usize).collect()
}

/// Log of one plus the mean share of every gene, type by type.
fn profiles(data: &Atlas) -> Vec<Vec<f64>> {
    let kinds = codes(data, "cell_type");
    let mut sums = vec![vec![0.0; data.var().len()]; data.spec().n_types];
    for block in data.blocks(0).expect("opens") {
        let block = block.expect("reads");
        for row in 0..block.x.shape().0 {
            let (genes, counts) = block.x.row(row);
            for (gene, count) in genes.iter().zip(counts) {
                sums[kinds[block.start + row]][*gene as usize] += f64::from(*count);
            }
        }
    }
    for sums in &mut sums {
        let total: f64 = sums.iter().sum();
        sums.iter_mut().for_each(|it| *it = (1e4 * *it / total).ln_1p());
    }
    sums
}

#[test]
fn it_is_a_source_of_counts() {
    let failures = check(&tiny(|_| ()), &Options::default());
    assert!(failures.is_empty(), "{:?}", failures.iter().map(|it| it.check).collect::<Vec<_>>());
}

#[test]
fn cells_are_shared_out_evenly_and_donors_are_in_one_data_set() {
    let data = tiny(|it| it.n_obs = 323);
    let (kinds, donors, sets) = (codes(&data, "cell_type"), codes(&data, "donor"), codes(&data, "dataset"));
    for kind in 0..8 {
        assert_eq!(kinds.iter().filter(|it| **it == kind).count(), 40 + usize::from(kind < 3));
    }
    assert!(donors.iter().zip(&sets).all(|(donor, set)| donor % 2 == *set));
    assert_eq!(data.obs().index()[322], "cell323");
}

#[test]
fn profiles_of_near_types_are_near() {
    let data = tiny(|it| {
        it.n_obs = 1600;
        it.n_vars = 1000;
        it.library_median = 2000.0;
        it.genes_per_cell = 350.0;
    });
    let (profiles, tree) = (profiles(&data), data.truth().tree());
    let apart = |a: usize, b: usize| -> f64 {
        profiles[a].iter().zip(&profiles[b]).map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt()
    };
    let mut by_distance = std::collections::BTreeMap::<usize, Vec<f64>>::new();
    for a in 0..8 {
        for b in a + 1..8 {
            by_distance.entry(tree.distance(a, b)).or_default().push(apart(a, b));
        }
    }
    let means: Vec<f64> = by_distance.values().map(|it| it.iter().sum::<f64>() / it.len() as f64).collect();
    assert_eq!(means.len(), 3, "distances 2, 4 and 6");
    assert!(means.windows(2).all(|it| it[0] * 1.1 < it[1]), "{means:?}");
}

#[test]
fn expected_shares_and_depth_are_the_planted_ones() {
    // One donor, no ambient molecules: means of counts are shares times depth.
    let data = tiny(|it| {
        (it.n_obs, it.n_donors, it.n_batches, it.ambient) = (8000, 1, 1, 0.0);
        it.library_sd = 0.0;
    });
    let kinds = codes(&data, "cell_type");
    let mut sums = vec![0.0; data.var().len()];
    for block in data.blocks(0).expect("opens") {
        let block = block.expect("reads");
        for row in (0..block.x.shape().0).filter(|it| kinds[block.start + it] == 2) {
            let (genes, counts) = block.x.row(row);
            genes.iter().zip(counts).for_each(|(gene, it)| sums[*gene as usize] += f64::from(*it));
        }
    }
    let truth = data.truth();
    let library = data.spec().library_median * truth.batch_depth()[0] * truth.type_depth()[2];
    let shares = truth.shares(2, 0);
    let mut chi2 = 0.0;
    for gene in 0..sums.len() {
        let mean = library * shares[gene];
        let variance = mean + mean * mean / truth.theta()[gene];
        chi2 += (sums[gene] / 1000.0 - mean).powi(2) / (variance / 1000.0);
    }
    // 200 nearly normal squares: mean 200, standard deviation 20.
    assert!((130.0..290.0).contains(&chi2), "{chi2}");
}

#[test]
fn files_hold_what_was_simulated() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("tiny.h5ad");
    let write = |overwrite| {
        let spec = AtlasSpec::preset("atlas_tiny")?;
        simulate_atlas_to_h5ad(spec, Seed::new(3), &path, &WriteOptions { overwrite, gzip_level: None }, &mut |_, _| ())
    };
    let data = write(false).expect("written");
    let file = open_source(&path, &OpenOptions::default()).expect("readable");
    assert_eq!(file.obs(), data.obs());
    let rows = |it: &dyn CountSource| -> Vec<f32> {
        it.blocks(0).expect("opens").flat_map(|it| it.expect("reads").x.to_dense().into_iter()).collect()
    };
    assert_eq!(rows(&*file), rows(&data));
    let obo = read_obo(&atlas_obo_path(&path)).expect("an ontology");
    assert_eq!(obo.find("type03").expect("there").id, "SIM:0000009");
    let truth: serde_json::Value =
        serde_json::from_slice(&std::fs::read(truth_path(&path)).expect("there")).expect("json");
    assert_eq!(truth["distances"][0][7], 6);
    let error = write(false).expect_err("exists");
    assert!(error.to_string().contains("tiny.h5ad"), "{error}");
    write(true).expect("replaced");
}
