//! Published numbers on real effect vectors.

use crate::common::{config, run_into, shared};
use cellstone_lab::Registry;
use cellstone_report::schema::SummaryRow;

#[test]
fn the_geometry_of_131_doubles_gives_the_published_errors() {
    let Some(path) = shared("perturb_edist/norman19.npz") else { return };
    let dir = tempfile::tempdir().expect("folder");
    let text = r#"
schema = 1
id = "geometry"
question = "How additive are pairs?"
seeds = [1, 2, 3, 4, 5]
[data]
path = "norman19.npz"
scale = "effect"
[split]
protocol = "norman_doubles"
scored = ["test", "val"]
[metrics]
ids = ["l2"]
draws = 200
flips = 200
[[baseline]]
id = "shrunk_additive"
"#;
    let set = format!("data.path=\"{}\"", path.display());
    let config = config(dir.path(), text, &[&set]).expect("resolves");
    let outcome = run_into(&config, &Registry::builtin(), &dir.path().join("run"), false).expect("runs");
    let rows: Vec<SummaryRow> = cellstone_report::read_table(&outcome.dir.join("tables"), "summary").expect("summary");
    let mean = |method: &str| {
        let row = rows.iter().find(|it| it.set == "full" && it.method == method).expect("row");
        row.mean.expect("defined")
    };
    // Over all 131 pairs the errors are 4.8928, 2.1007 and 1.9049; five splits score nearly all of them.
    assert!((mean("no_change") - 4.8928).abs() < 0.25, "{}", mean("no_change"));
    assert!((mean("additive") - 2.1007).abs() < 0.15, "{}", mean("additive"));
    assert!(mean("shrunk_additive") < mean("additive"));
}
