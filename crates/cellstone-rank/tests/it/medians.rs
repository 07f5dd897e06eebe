//! Medians of a corpus and the encoder that divides by them.

use crate::common::{Memory, cell, row};
use cellstone_core::{CountSource, Csr, Scale, Seed, Tokenizer, Var};
use cellstone_rank::{
    Geneformer, GeneformerOptions, GeneformerSeries, MedianMethod, MedianOptions, corpus_genes, corpus_medians,
};
use rand::RngExt;

/// 300 cells of 40 genes, of which a gene is the more expressed the later it comes.
fn counts() -> Csr<f32> {
    let mut rng = Seed::new(5).rng();
    let (mut indptr, mut indices, mut data) = (vec![0], Vec::new(), Vec::new());
    for _ in 0..300 {
        for gene in 0..40 {
            let count = (rng.random::<f64>().powi(3) * f64::from(gene + 2)).floor() as f32;
            if count > 0.0 {
                indices.push(gene);
                data.push(count);
            }
        }
        indptr.push(data.len());
    }
    Csr::new(300, 40, indptr, indices, data).expect("a matrix")
}

#[test]
fn half_of_the_cells_that_express_a_gene_have_it_above_one() {
    let var = Var::from_ids((0..40).map(|it| format!("ENSG{it:011}"))).expect("unique");
    let source = Memory::new(counts(), var.clone(), 64);
    let sources: [&dyn CountSource; 1] = [&source];
    let vocab = corpus_genes(&[&var], None).expect("genes");
    let of = |method| {
        let options = MedianOptions { method, ..MedianOptions::default() };
        corpus_medians(&sources, &vocab, None, &options).expect("counts")
    };
    let (exact, digest) = (of(MedianMethod::Exact), of(MedianMethod::Tdigest));
    let medians: Vec<(String, f64)> = exact.genes.iter().map(|it| (it.gene_id.clone(), it.median)).collect();
    let tokens = medians.iter().zip(0..).map(|(it, id)| (it.0.clone(), id)).collect();
    let options = GeneformerOptions {
        values: cellstone_rank::RankValues::MedianScaled,
        ..GeneformerOptions::of(GeneformerSeries::V1)
    };
    let encoder = Geneformer::new(tokens, medians, options).expect("valid");
    let bound = encoder.bind(&var, Scale::Counts).expect("binds");
    let mut scaled = vec![Vec::new(); exact.genes.len()];
    for at in 0..300 {
        let (columns, values) = source.x.row(at);
        let total = values.iter().map(|it| f64::from(*it)).sum();
        let found = row(bound.encode(&cell(columns, values, total)));
        for (id, value) in found.input_ids.iter().zip(found.values.expect("asked for")) {
            scaled[*id as usize].push(value);
        }
    }
    for (gene, values) in exact.genes.iter().zip(&scaled) {
        assert_eq!(gene.n_cells_detected as usize, values.len());
        assert_eq!(gene.low_support, values.len() < 100);
        // Medians are rounded to f32: a value that is the median may be a hair off 1.
        let n = |is: fn(f32) -> bool| values.iter().filter(|it| is(**it)).count();
        let (above, below) = (n(|it| it > 1.0 + 1e-6), n(|it| it < 1.0 - 1e-6));
        assert!(
            above <= values.len() / 2 && below <= values.len() / 2,
            "{}: {above} above, {below} below",
            gene.gene_id
        );
    }
    for (a, b) in exact.genes.iter().zip(&digest.genes) {
        assert!((a.median / b.median - 1.0).abs() < 0.05, "{}: {} and {}", a.gene_id, a.median, b.median);
    }
}
