//! Real files of every AnnData version; skipped where the data folder is absent.

use crate::common::shared;
use cellstone_core::{CountSource, Scale};
use cellstone_io::{H5ad, Looks, Matrix, inspect};

#[test]
fn every_file_reads_whole_and_as_a_stream() {
    let Some(root) = shared("") else { return };
    let mut n_files = 0;
    for folder in std::fs::read_dir(&root).expect("readable") {
        let folder = folder.expect("entry").path();
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in
            entries.map(|it| it.expect("entry").path()).filter(|it| it.extension().is_some_and(|it| it == "h5ad"))
        {
            n_files += 1;
            let file = H5ad::open(&path).unwrap_or_else(|it| panic!("{it}"));
            let report = inspect(&path).unwrap_or_else(|it| panic!("{it}"));
            assert!(report.to_string().contains("cells"), "{report}");
            let all = file.read_all().unwrap_or_else(|it| panic!("{it}"));
            let Some(x) = report.matrices.iter().find(|it| it.name == "X") else { continue };
            assert_eq!(all.x.expect("there is X").shape(), (report.n_obs, report.n_vars));
            if report.problems.iter().any(|it| it.what.starts_with("var name")) {
                continue;
            }
            let scale = if x.looks == Looks::Counts { Scale::Counts } else { Scale::Effect };
            let source = file.source(Matrix::X, scale).unwrap_or_else(|it| panic!("{it}"));
            let dense = file.dense(&Matrix::X).expect("reads");
            let mut n_rows = 0;
            for block in source.blocks(0).expect("starts") {
                let block = block.unwrap_or_else(|it| panic!("{it}"));
                for (row, got) in block.x.to_dense().outer_iter().enumerate() {
                    let want = dense.row(block.start + row);
                    assert!(
                        got.iter().zip(want).all(|(a, b)| *a == *b as f32 || b.is_nan()),
                        "{} row {row}",
                        path.display()
                    );
                }
                n_rows += block.x.shape().0;
            }
            assert_eq!(n_rows, report.n_obs);
        }
    }
    assert!(n_files >= 15, "{n_files} files");
}

#[test]
fn the_first_format() {
    let Some(path) = shared("formats_fixtures/anndata_v0.5.0_adata.h5ad") else { return };
    let file = H5ad::open(path).expect("opens");
    let obs = file.obs().expect("reads");
    assert_eq!(obs.n_rows(), 700);
    assert_eq!(obs.column("bulk_labels").expect("there").kind(), "categorical");
    assert_eq!(file.var().expect("reads").len(), 765);
    assert_eq!(file.obsm("X_umap").expect("reads").dim(), (700, 2));
    assert_eq!(file.raw_var().expect("reads").len(), 765);
    let raw = file.matrix_info(&Matrix::RawX).expect("there");
    assert_eq!((raw.n_obs, raw.n_vars, raw.nnz), (700, 765, Some(174_400)));
}

#[test]
fn categories_and_controls_of_a_perturbation_screen() {
    let Some(path) = shared("perturbench_norman_mcfaline/devel.h5ad") else { return };
    let report = inspect(path).expect("looks");
    assert_eq!((report.n_obs, report.n_vars), (5961, 500));
    let condition = report.obs.iter().find(|it| it.name == "condition").expect("there");
    assert_eq!(condition.kind, "categorical");
    assert!(!report.problems.iter().any(|it| it.what.contains("`condition` has no label")), "{report}");
    let text = serde_json::to_string(&report).expect("serialises");
    assert_eq!(serde_json::from_str::<cellstone_io::Inspection>(&text).expect("parses"), report);
}
