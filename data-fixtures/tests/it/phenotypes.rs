//! The simulated phenotype atlas: its posterior is calibrated, its entropy follows the law, its files read back.

use cellstone_core::{Column, CountSource, Seed};
use cellstone_fixtures::conformance::source::{Options, check};
use cellstone_fixtures::{PhenotypeAtlas, PhenotypeSpec, Posterior, simulate_phenotypes_to_h5ad, truth_path};
use cellstone_io::{OpenOptions, WriteOptions, open_source};

fn tiny(change: impl Fn(&mut PhenotypeSpec)) -> PhenotypeAtlas {
    let mut spec = PhenotypeSpec::preset("phenotypes_tiny").expect("preset");
    change(&mut spec);
    PhenotypeAtlas::new(spec, Seed::new(3)).expect("valid")
}

fn posteriors(data: &PhenotypeAtlas) -> Vec<Posterior> {
    data.blocks(0).expect("opens").flat_map(|it| data.posteriors(&it.expect("reads"))).collect()
}

#[test]
fn it_is_a_source_of_counts() {
    let failures = check(&tiny(|_| ()), &Options::default());
    assert!(failures.is_empty(), "{:?}", failures.iter().map(|it| it.check).collect::<Vec<_>>());
}

#[test]
fn donors_are_in_one_stage_and_one_data_set_and_ages_in_the_decade() {
    let data = tiny(|_| ());
    let codes = |name: &str| data.obs().column(name).expect("column").to_codes().0;
    let (donors, stages, sets, sexes) =
        (codes("donor_id"), codes("development_stage"), codes("dataset_id"), codes("sex"));
    let Column::Float(ages) = data.obs().column("age").expect("column") else { panic!("numbers") };
    for donor in 0..12 {
        let cells: Vec<usize> = (0..donors.len()).filter(|it| donors[*it] == Some(donor)).collect();
        assert_eq!(cells.len(), 20);
        for codes in [&stages, &sets, &sexes] {
            assert!(cells.iter().all(|it| codes[*it] == codes[cells[0]]));
        }
        let from = f64::from(data.truth().stages()[data.stage(cells[0])].from_year);
        assert!(
            cells
                .iter()
                .all(|it| ages[*it].to_bits() == ages[cells[0]].to_bits() && (from..from + 10.0).contains(&ages[*it]))
        );
    }
}

#[test]
fn the_posterior_is_calibrated_and_follows_the_law() {
    // Strong programs: a cell that is not blurred says what it is.
    let data = tiny(|it| {
        it.n_obs = 6_000;
        it.type_sd = 2.5;
        it.program_share = 0.3;
    });
    let all = posteriors(&data);
    for (at, stage) in data.truth().stages().iter().enumerate() {
        let of: Vec<&Posterior> = all.iter().enumerate().filter(|it| data.stage(it.0) == at).map(|it| it.1).collect();
        let n = of.len() as f64;
        let mean = |f: &dyn Fn(&Posterior) -> f64| of.iter().map(|it| f(it)).sum::<f64>() / n;
        let (h, nll) = (mean(&Posterior::entropy), mean(&|it| -it.p[it.truth].ln()));
        let (hits, confidence) = (mean(&Posterior::hit), mean(&|it| it.p.iter().copied().fold(0.0, f64::max)));
        assert!((h - nll).abs() < 0.05, "stage {at}: entropy {h}, surprise {nll}");
        assert!((hits - confidence).abs() < 0.03, "stage {at}: right {hits}, sure {confidence}");
        assert!((h - stage.law_entropy).abs() < 0.1, "stage {at}: entropy {h}, law {}", stage.law_entropy);
        assert!((hits - stage.law_accuracy).abs() < 0.05, "stage {at}: right {hits}, law {}", stage.law_accuracy);
    }
}

#[test]
fn composition_moves_types_between_tissues() {
    let even = tiny(|_| ());
    assert!(even.truth().composition(0).iter().all(|it| (it - 1.0 / 3.0).abs() < 1e-12));
    let uneven = tiny(|it| it.composition_sd = 1.0);
    assert_ne!(uneven.truth().composition(0), uneven.truth().composition(1));
}

#[test]
fn files_read_back_and_hold_the_planted_entropy() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("a.h5ad");
    let spec = PhenotypeSpec::preset("phenotypes_tiny").expect("preset");
    let write = |options: &WriteOptions| {
        simulate_phenotypes_to_h5ad(spec.clone(), Seed::new(1), &path, options, &mut |_, _| ())
    };
    let truth = write(&WriteOptions::default()).expect("written");
    let stages = truth.stages();
    assert!(stages[1].entropy > stages[0].entropy, "{stages:?}");
    let source = open_source(&path, &OpenOptions::default()).expect("opens");
    assert_eq!((source.n_obs(), source.var().len()), (240, 80));
    let Column::Float(h) = source.obs().column("planted_entropy").expect("column") else { panic!("numbers") };
    assert!(h.iter().all(|it| (0.0..=3.0_f64.ln() + 1e-9).contains(it)));
    let json = std::fs::read_to_string(truth_path(&path)).expect("truth");
    assert!(json.contains("\"term\": \"HsapDv:0000243\"") && json.contains("\"entropy_grows\": true"), "{json}");
    assert!(write(&WriteOptions::default()).is_err(), "a file that is there stays");
}
