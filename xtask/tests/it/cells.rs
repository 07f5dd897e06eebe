//! Small cell files, good ones and ones with a single thing wrong.

use crate::common::Shell;
use cellstone_core::{Column, Csr, ObsTable};
use cellstone_io::{Extras, H5adWriter, WriteOptions};
use ndarray::Array2;

/// Cells to be written: eight cells of four genes, whole numbers, two of them controls.
pub(crate) struct Cells {
    pub(crate) x: Array2<f32>,
    pub(crate) labels: Vec<&'static str>,
    pub(crate) barcodes: Vec<&'static str>,
    pub(crate) genes: Vec<&'static str>,
    /// Left uncompressed, so that bytes of the file can be found and changed.
    pub(crate) plain: bool,
}

impl Default for Cells {
    fn default() -> Self {
        Self {
            x: Array2::from_shape_fn((8, 4), |(i, j)| ((i * 5 + j * 3) % 7 + 1) as f32),
            labels: vec!["control", "control", "G1", "G1", "G2", "G2", "G3", "G3"],
            barcodes: vec!["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"],
            genes: vec!["G0", "G1", "G2", "G3"],
            plain: true,
        }
    }
}

impl Cells {
    pub(crate) fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut cells = Self::default();
        change(&mut cells);
        cells
    }

    pub(crate) fn write(&self, shell: &Shell, name: &str) {
        let options = WriteOptions { overwrite: true, gzip_level: if self.plain { None } else { Some(4) } };
        let mut writer = H5adWriter::create(shell.path(name), &options, self.genes.len()).expect("creates");
        writer.write_rows(&Csr::from_dense(&self.x)).expect("writes");
        let names = |it: &[&str]| ObsTable::new(it.iter().map(|it| (*it).to_owned()).collect());
        let mut obs = names(&self.barcodes);
        obs.insert("perturbation", Column::categorical(&self.labels)).expect("fits");
        writer.finish(&obs, &names(&self.genes), &Extras::default()).expect("finishes");
    }
}

/// Replaces the only place where `from` stands in a file.
pub(crate) fn patch(shell: &Shell, name: &str, from: &[u8], to: &[u8]) {
    let mut bytes = std::fs::read(shell.path(name)).expect("reads");
    let places: Vec<usize> = (0..bytes.len() - from.len()).filter(|at| bytes[*at..*at + from.len()] == *from).collect();
    assert_eq!(places.len(), 1, "the bytes stand in the file once");
    bytes[places[0]..places[0] + to.len()].copy_from_slice(to);
    shell.put(name, bytes);
}

/// A file whose matrix holds text.
pub(crate) fn write_text_matrix(shell: &Shell, name: &str) {
    use hdf5_pure::AttrValue;
    let mut file = hdf5_pure::FileBuilder::new();
    file.create_dataset("X").with_strings(&["a", "b"]).expect("text").with_shape(&[2, 1]);
    for (group, names) in [("obs", vec!["c0", "c1"]), ("var", vec!["g0"])] {
        let mut table = file.create_group(group);
        table.set_attr("encoding-type", AttrValue::String("dataframe".to_owned()));
        table.set_attr("encoding-version", AttrValue::String("0.2.0".to_owned()));
        table.set_attr("_index", AttrValue::String("_index".to_owned()));
        table.create_dataset("_index").with_strings(&names).expect("text");
        file.add_group(table.finish());
    }
    shell.put(name, file.finish().expect("builds"));
}
