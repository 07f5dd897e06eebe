//! Times the integration metrics on embeddings that are already in memory, like `peers/integration_scib.py` does for
//! scib-metrics.
//!
//! `integration FILE.h5ad BATCH LABEL KEY[,KEY…] PRE [REPEATS]` prints one line per run,
//! `bench,tool,n_obs,n_embeddings,check,seconds,peak_bytes`, under the convention of scib-metrics and with the metrics of
//! its benchmark. `check` is the sum of the values that both tools must agree on.

use cellstone_bench::{measure, run_program};
use cellstone_core::{Error, Result, Seed};
use cellstone_io::H5ad;
use cellstone_lab::{CellGroups, Convention, IntegrationInput, IntegrationParams, PreIntegration, Silent, integrate};
use std::process::ExitCode;

/// What the benchmark of scib-metrics computes, and Leiden, which it offers.
const METRICS: [&str; 12] = [
    "isolated_labels",
    "nmi_ari_cluster_labels_leiden_nmi",
    "nmi_ari_cluster_labels_leiden_ari",
    "nmi_ari_cluster_labels_kmeans_nmi",
    "nmi_ari_cluster_labels_kmeans_ari",
    "silhouette_label",
    "clisi_knn",
    "bras",
    "ilisi_knn",
    "kbet_per_label",
    "graph_connectivity",
    "pcr_comparison",
];

/// Metrics without randomness: the tools agree on them to four digits.
const CHECKED: [&str; 5] = ["silhouette_label", "bras", "ilisi_knn", "clisi_knn", "pcr_comparison"];

fn main() -> ExitCode {
    run_program(run)
}

fn run(args: &[String]) -> Result<String> {
    let [path, batch, label, keys, pre, rest @ ..] = args else {
        return Err(Error::config("usage: integration FILE.h5ad BATCH LABEL KEY[,KEY…] PRE [REPEATS]"));
    };
    let repeats: usize = rest.first().and_then(|it| it.parse().ok()).unwrap_or(1);
    let file = H5ad::open(path)?;
    let obs = file.obs()?;
    let groups = |name: &str| obs.column(name).map(|it| CellGroups::from_column(name, it));
    let embeddings = keys.split(',').map(|key| Ok((key.to_owned(), file.obsm(key)?))).collect::<Result<Vec<_>>>()?;
    let input = IntegrationInput {
        embeddings,
        batch: groups(batch)?,
        label: groups(label)?,
        pre: Some(PreIntegration { name: pre.clone(), x: file.obsm(pre)?, variances: None }),
        pseudotime: None,
        depth: None,
    };
    let params = IntegrationParams {
        metrics: METRICS.map(str::to_owned).to_vec(),
        ..IntegrationParams::new(Convention::ScibMetrics, Seed::new(0))
    };
    let mut lines = Vec::new();
    for _ in 0..repeats {
        let (found, cost) = measure(|| integrate(&input, &params, &Silent));
        let found = found?;
        let values = found.rows.iter().filter(|it| CHECKED.contains(&it.metric.as_str()));
        let check: f64 = values.filter_map(|it| it.value).sum();
        lines.push(format!(
            "integration,cellstone,{},{},{check:.6e},{:.3},{}",
            found.page.n_used,
            input.embeddings.len(),
            cost.seconds,
            cost.peak_bytes.unwrap_or(0)
        ));
        if lines.len() == repeats {
            for it in &found.measured {
                let steps: Vec<String> = it.seconds.iter().map(|(what, s)| format!("{what} {s:.2}")).collect();
                lines.push(format!("# {}: {}", it.name, steps.join(", ")));
            }
        }
    }
    Ok(lines.join("\n"))
}
