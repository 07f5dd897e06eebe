//! An embedding model of one's own: `cargo run -p cellstone-lab --example own_embedder`.

use cellstone_core::{CountSource, Csr, Embedder, Error, GeneVectors, ObsTable, Result, Scale, Seed, Var};
use cellstone_io::{Additions, AnyMatrix, MemorySource, WriteOptions, write_annotated};
use ndarray::Array2;
use std::collections::BTreeMap;

/// Signs drawn for every gene by its name; a cell is the sum of `ln(1 + count)` times the signs of its genes.
struct Signs {
    d: usize,
    seed: Seed,
}

impl Signs {
    fn of(&self, gene: &str) -> Vec<f32> {
        use rand::RngExt as _;
        let mut rng = self.seed.derive("signs").derive(gene).rng();
        (0..self.d).map(|_| if rng.random::<bool>() { 1.0 } else { -1.0 }).collect()
    }
}

impl Embedder for Signs {
    fn id(&self) -> &'static str {
        "signs"
    }

    fn embed_cells(&self, cells: &dyn CountSource) -> Result<Array2<f32>> {
        let genes = self.embed_genes(cells.var())?.values;
        let mut out = Array2::zeros((cells.n_obs(), self.d));
        // Blocks keep the memory bounded, whatever the file.
        for block in cells.blocks(0)? {
            let block = block?;
            for row in 0..block.x.shape().0 {
                let (columns, values) = block.x.row(row);
                for (column, value) in columns.iter().zip(values) {
                    out.row_mut(block.start + row).scaled_add(value.ln_1p(), &genes.row(*column as usize));
                }
            }
        }
        Ok(out)
    }

    fn embed_genes(&self, var: &Var) -> Result<GeneVectors> {
        let values: Vec<f32> = var.ids().iter().flat_map(|it| self.of(it)).collect();
        let values = Array2::from_shape_vec((var.len(), self.d), values);
        let values = values.map_err(|error| Error::invalid_input(error.to_string()))?;
        Ok(GeneVectors { values, present: vec![true; var.len()] })
    }
}

fn main() -> Result<()> {
    let x = Csr::from_dense(&Array2::from_shape_fn((6, 4), |(cell, gene)| ((cell + 2 * gene) % 5) as f32));
    let obs = ObsTable::new((0..6).map(|it| format!("cell{it}")).collect());
    let cells = MemorySource::new("example", x, Var::from_ids(["TP53", "MYC", "GATA1", "KLF1"])?, obs, Scale::Counts)?;
    let model = Signs { d: 8, seed: Seed::new(1) };
    let vectors = model.embed_cells(&cells)?;
    // An entry of obsm is what `neighbors`, `umap` and `integration` read.
    let out = std::env::temp_dir().join(format!("cellstone-own-embedder-{}.h5ad", std::process::id()));
    let obsm = BTreeMap::from([("X_signs".to_owned(), AnyMatrix::Dense(vectors.mapv(f64::from)))]);
    let options = WriteOptions { overwrite: true, ..WriteOptions::default() };
    write_annotated(&out, &options, &cells, "example".as_ref(), &Additions { obsm, ..Additions::default() })?;
    say(&format!("{} cells, {} dimensions: {}", vectors.nrows(), vectors.ncols(), out.display()));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example speaks")]
fn say(text: &str) {
    println!("{text}");
}
