//! Normalization against scanpy.

use crate::support::{golden, numbers};
use cellstone_core::Csr;
use cellstone_prep::{library_sizes, log1p, nonzero_median, normalize_total};

#[test]
fn equals_scanpy() {
    let file = golden("normalize/lognorm.json");
    let whole = |key: &str| numbers(&file[key]).into_iter().map(|it| it as usize).collect::<Vec<_>>();
    let indptr = whole("indptr");
    let indices = whole("indices").into_iter().map(|it| it as u32).collect();
    let counts: Vec<f32> = numbers(&file["counts"]).into_iter().map(|it| it as f32).collect();
    let x = Csr::new(indptr.len() - 1, 40, indptr, indices, counts).expect("a matrix");
    let libraries = library_sizes(&x);
    let median = nonzero_median(&libraries).expect("cells");
    for (target, key) in [(1e4, "lognorm_1e4"), (median, "lognorm_median")] {
        let mut ours = x.clone();
        let factors: Vec<f64> = libraries.iter().map(|it| target / it).collect();
        normalize_total(&mut ours, &factors).expect("one factor a row");
        log1p(&mut ours);
        let theirs = numbers(&file[key]);
        assert_eq!(ours.data().len(), theirs.len());
        for (ours, theirs) in ours.data().iter().zip(theirs) {
            let ours = f64::from(*ours);
            assert!((ours - theirs).abs() <= 1e-7 + 1e-6 * theirs.abs(), "{key}: {ours} and {theirs}");
        }
    }
}
