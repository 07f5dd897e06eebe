//! Classifiers against scikit-learn, on values written by `data-fixtures/golden/classify/generate.py`.

use cellstone_baselines::classify::{Classifier, KnnClassifier, Logistic, NearestCentroid, Penalty, Strength};
use cellstone_core::Seed;
use ndarray::Array2;
use serde_json::Value;
use std::path::Path;

struct Golden(Value);

impl Golden {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data-fixtures/golden/classify/golden.json");
        Self(serde_json::from_str(&std::fs::read_to_string(path).expect("stored")).expect("valid"))
    }

    fn matrix(&self, path: &str) -> Array2<f64> {
        let rows: Vec<Vec<f64>> =
            serde_json::from_value(self.0.pointer(path).expect("there").clone()).expect("a matrix");
        Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j])
    }

    fn classes(&self, path: &str) -> Vec<u32> {
        serde_json::from_value(self.0.pointer(path).expect("there").clone()).expect("classes")
    }
}

fn gap(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    assert_eq!(a.dim(), b.dim());
    (a - b).iter().fold(0.0, |acc, it| acc.max(it.abs()))
}

fn logistic(penalty: Penalty, c: f64, balanced: bool) -> Logistic {
    let max_evaluations = 5000;
    Logistic { penalty, c: Strength::Fixed(c), balanced, tolerance: 1e-11, max_evaluations }
}

#[test]
fn logistic_regression_equals_scikit_learn() {
    let golden = Golden::read();
    let (x, y, query) = (golden.matrix("/x"), golden.classes("/y"), golden.matrix("/query"));
    for (key, model) in [
        ("l2_1", logistic(Penalty::L2, 1.0, false)),
        ("l2_0.05", logistic(Penalty::L2, 0.05, false)),
        ("l2_balanced", logistic(Penalty::L2, 1.0, true)),
    ] {
        let fitted = model.fit(x.view(), &y, 4, None, Seed::new(1)).expect("valid");
        let p = fitted.predict_proba(query.view()).expect("valid");
        let off = gap(&p, &golden.matrix(&format!("/{key}/p")));
        assert!(off < 1e-7, "{key}: probabilities off by {off:e}");
        let w = fitted.coefficients().expect("linear").to_owned();
        let off = gap(&w, &golden.matrix(&format!("/{key}/coefficients")));
        assert!(off < 1e-6, "{key}: coefficients off by {off:e}");
    }
}

#[test]
fn two_classes_share_one_row_as_in_scikit_learn() {
    let golden = Golden::read();
    let (x, query) = (golden.matrix("/x"), golden.matrix("/query"));
    let y: Vec<u32> = golden.classes("/y").into_iter().map(|it| u32::from(it > 0)).collect();
    for (key, penalty, c, tolerance) in [("l2_binary", Penalty::L2, 0.5, 1e-6), ("l1_binary", Penalty::L1, 0.1, 2e-5)] {
        let fitted = logistic(penalty, c, false).fit(x.view(), &y, 2, None, Seed::new(1)).expect("valid");
        let p = fitted.predict_proba(query.view()).expect("valid");
        let off = gap(&p, &golden.matrix(&format!("/{key}/p")));
        assert!(off < tolerance, "{key}: probabilities off by {off:e}");
        let w = fitted.coefficients().expect("linear");
        let row = (&w.row(1) - &w.row(0)).insert_axis(ndarray::Axis(0));
        let off = gap(&row, &golden.matrix(&format!("/{key}/coefficients")));
        assert!(off < tolerance, "{key}: coefficients off by {off:e}");
    }
}

#[test]
fn sparse_logistic_regression_equals_scikit_learn() {
    let golden = Golden::read();
    let (x, y, query) = (golden.matrix("/x"), golden.classes("/y"), golden.matrix("/query"));
    let fitted = logistic(Penalty::L1, 0.1, false).fit(x.view(), &y, 4, None, Seed::new(1)).expect("valid");
    let p = fitted.predict_proba(query.view()).expect("valid");
    let off = gap(&p, &golden.matrix("/l1_0.1/p"));
    assert!(off < 2e-5, "probabilities off by {off:e}");
    // With an even number of classes coefficients may move together at no cost, so only their sparsity is compared.
    let zeros = |it: &Array2<f64>| it.iter().filter(|it| **it == 0.0).count();
    let (own, want) =
        (zeros(&fitted.coefficients().expect("linear").to_owned()), zeros(&golden.matrix("/l1_0.1/coefficients")));
    assert!(want > 8 && own.abs_diff(want) <= 2, "{own} zeros, expected about {want}");
}

#[test]
fn neighbours_and_centroids_equal_scikit_learn() {
    let golden = Golden::read();
    let (x, y, query) = (golden.matrix("/x"), golden.classes("/y"), golden.matrix("/query"));
    let predict = |model: &dyn Classifier| {
        let fitted = model.fit(x.view(), &y, 4, None, Seed::new(1)).expect("valid");
        fitted.predict_proba(query.view()).expect("valid")
    };
    assert!(gap(&predict(&KnnClassifier { k: 15 }), &golden.matrix("/knn")) < 1e-12);
    let p = predict(&NearestCentroid);
    let first = |row: ndarray::ArrayView1<'_, f64>| {
        (0..4_u32).fold(0, |best, it| if row[it as usize] > row[best as usize] { it } else { best })
    };
    let found: Vec<u32> = p.rows().into_iter().map(first).collect();
    assert_eq!(found, golden.classes("/centroid"));
}
