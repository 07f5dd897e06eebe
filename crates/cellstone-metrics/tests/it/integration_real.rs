//! Integration metrics on real principal components, where the file is there.

use crate::integration_common::{brute_knn, golden, shared};
use cellstone_core::Score;
use cellstone_io::H5ad;
use cellstone_metrics::integration::{
    BrasMode, Convention, Covariate, LisiParams, asw_label, bras, clisi, graph_connectivity_directed, ilisi,
    isolated_label_asw, isolated_labels, kbet_acceptance, label_silhouettes, lisi, pcr_comparison, pcr_full,
    silhouette_batch,
};
use ndarray::{Axis, Slice};
use std::collections::BTreeMap;

#[test]
fn components_of_blood_cells_have_the_values_of_scib_metrics() {
    let Some(path) = shared("pbmc68k_reduced/10x_pbmc68k_reduced.h5ad") else { return };
    let text = std::fs::read_to_string(golden("metrics/integration_pbmc68k/golden.json")).expect("stored");
    let want: BTreeMap<String, f64> = serde_json::from_str(&text).expect("valid");
    let file = H5ad::open(path).expect("readable");
    let (x, obs) = (file.obsm("X_pca").expect("components"), file.obs().expect("table"));
    let column = |name: &str| -> Vec<u32> {
        obs.column(name).expect("there").to_codes().0.into_iter().map(|it| it.expect("no cell is without")).collect()
    };
    let (labels, batch) = (column("bulk_labels"), column("phase"));
    let near = |name: &str, got: Score| {
        let (got, want) = (got.value().expect("defined"), want[name]);
        assert!((got - want).abs() < 1e-4 * want.abs().max(1.0), "{name}: {got}, expected {want}");
    };
    near("n_obs", Score::Value(x.nrows() as f64));
    let samples = label_silhouettes(x.view(), &labels).expect("valid");
    near("silhouette_label", asw_label(&samples, &labels));
    let isolated = isolated_labels(&labels, &batch, Some(2), Convention::Cellstone).expect("valid");
    near("isolated_labels", isolated_label_asw(&samples, &labels, &isolated).expect("valid").value);
    near("silhouette_batch", silhouette_batch(x.view(), &labels, &batch).expect("valid").value);
    near("bras", bras(x.view(), &labels, &batch, BrasMode::MeanOther).expect("valid").scores.value);
    let knn = brute_knn(x.view(), 90);
    let found = lisi(&knn, &[&batch, &labels], &LisiParams::default()).expect("valid");
    near("ilisi", ilisi(&found[0], &batch).expect("valid").value);
    near("clisi", clisi(&found[1], &labels).expect("valid").value);
    let near15 = knn.prefix(15).expect("fewer");
    near("graph_connectivity", graph_connectivity_directed(&near15, &labels).expect("valid").value);
    let half = x.slice_axis(Axis(1), Slice::from(..5));
    let covariate = Covariate::Categorical(&batch);
    let (before, after) = (pcr_full(x.view(), &covariate).expect("valid"), pcr_full(half, &covariate).expect("valid"));
    near("pcr_comparison", pcr_comparison(before, after).difference);
    let test = kbet_acceptance(&knn.prefix(50).expect("fewer"), &batch, None, 0.05).expect("valid");
    near("kbet_statistic", Score::Value(test.statistics.iter().sum::<f64>() / x.nrows() as f64));
}
