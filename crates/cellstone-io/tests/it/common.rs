//! Where test data are, and small files to read.

use cellstone_core::{CountSource, Csr, Error, ObsTable, RowBlock};
use std::io::Write;
use std::path::{Path, PathBuf};

/// `shared/data/NAME` beside some folder above this crate; `None`, with the reason printed, where it is absent.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = here.ancestors().map(|it| it.join("shared/data").join(name)).find(|it| it.exists());
    if found.is_none() {
        use std::io::stderr;
        let _ = writeln!(stderr(), "skipped: shared/data/{name} is not on this machine");
    }
    found
}

/// A golden file of `data-fixtures/golden`.
pub(crate) fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data-fixtures/golden").join(name)
}

/// A folder that is removed when it goes out of scope.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("temporary folder")
}

/// Writes a file, gzipped if its name says so.
pub(crate) fn put(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("has a folder")).expect("folder");
    let bytes = if path.extension().is_some_and(|it| it == "gz") { gzip(text.as_bytes()) } else { text.into() };
    std::fs::write(path, bytes).expect("written");
}

/// The bytes, gzipped.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}

/// All cells from `start` on, blocks joined.
pub(crate) fn read_from(source: &dyn CountSource, start: usize) -> Result<Csr<f32>, Error> {
    let blocks: Vec<RowBlock> = source.blocks(start)?.collect::<Result<_, _>>()?;
    let (mut indptr, mut indices, mut data, mut next) = (vec![0], Vec::new(), Vec::new(), start);
    for block in &blocks {
        assert_eq!(block.start, next, "blocks follow each other");
        next += block.x.shape().0;
        for row in 0..block.x.shape().0 {
            indices.extend_from_slice(block.x.row(row).0);
            data.extend_from_slice(block.x.row(row).1);
            indptr.push(indices.len());
        }
    }
    assert_eq!(next, source.n_obs(), "blocks reach the end");
    Csr::new(indptr.len() - 1, source.var().len(), indptr, indices, data)
}

/// Restarting anywhere yields the same cells.
pub(crate) fn check_restarts(source: &dyn CountSource) {
    let whole = read_from(source, 0).expect("reads");
    for start in [1, source.n_obs() / 2, source.n_obs()] {
        let rows: Vec<usize> = (start..source.n_obs()).collect();
        assert_eq!(read_from(source, start).expect("reads"), whole.select_rows(&rows), "from row {start}");
    }
}

/// A message with the folder cut out, so that it can be compared as a whole.
pub(crate) fn message(error: &Error, folder: &Path) -> String {
    error.to_string().replace(&format!("{}/", folder.display()), "").replace(&folder.display().to_string(), "DIR")
}

/// A column as texts, missing as `-`.
pub(crate) fn texts(table: &ObsTable, name: &str) -> Vec<String> {
    let column = table.column(name).expect("there");
    (0..column.len()).map(|row| column.text(row).unwrap_or("-".into())).collect()
}
