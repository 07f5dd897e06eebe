//! The masking law of PolyGene: what is hidden, how often, and what never is.

use cellstone_core::{Seed, TokenRow};
use cellstone_rank::{
    BinEdges, CutGenes, IGNORE_LABEL, MaskLaw, MaskedRow, MeasuredGenes, Negatives, PhenotypeCategory, PolygeneVocab,
    PolygeneVocabSpec, StringRule, mask,
};

const N_GENES: u32 = 400;
const N_ROWS: u64 = 3000;

fn vocab(edges: BinEdges) -> PolygeneVocab {
    PolygeneVocab::new(PolygeneVocabSpec {
        rule: StringRule::Normalized,
        categories: vec![
            PhenotypeCategory::from_labels("cell_type", ["a", "b"]),
            PhenotypeCategory::from_labels("sex", ["female", "male"]),
            PhenotypeCategory::from_labels("tissue", ["blood"]),
        ],
        genes: (0..N_GENES).map(|it| format!("G{it}")).collect(),
        edges,
        added: vec![],
    })
    .expect("valid")
}

/// `[cls]`, a cell type, a sex, no tissue, genes 0, 3, 6, … of bins 1 and up in turn, `[eos]`.
fn row(vocab: &PolygeneVocab, n_genes: u32, n_truncated: u32) -> TokenRow {
    let mut input_ids = vec![0, vocab.category_ids(0)[1], vocab.category_ids(1)[0], 2];
    let mut type_ids = vec![0, 1, 2, 3];
    for at in 0..n_genes {
        input_ids.push(vocab.bin_id(1 + at % vocab.n_edges()));
        type_ids.push(vocab.gene_type(3 * at));
    }
    input_ids.push(1);
    type_ids.push(0);
    TokenRow { input_ids, type_ids: Some(type_ids), n_genes: n_genes + n_truncated, n_truncated, ..TokenRow::default() }
}

/// Genes that are not multiples of four, with a rate that rises with the rank.
fn measured() -> MeasuredGenes {
    let ranks: Vec<u32> = (0..N_GENES).filter(|it| it % 4 != 0).collect();
    let rates: Vec<f64> = ranks.iter().map(|it| f64::from(*it) / 1000.0).collect();
    MeasuredGenes::new(ranks).expect("once each").with_rates(&rates).expect("shares")
}

/// Masks a row in many cells.
fn masked(vocab: &PolygeneVocab, law: &MaskLaw, row: &TokenRow, cut: CutGenes<'_>) -> Vec<MaskedRow> {
    let genes = measured();
    (0..N_ROWS).map(|it| mask(vocab, law, row, &genes, cut, 0, Seed::new(it)).expect("masked")).collect()
}

/// Whether a share of `n` trials is within five standard deviations of its probability.
fn near(share: f64, probability: f64, n: f64) -> bool {
    (share - probability).abs() < 5.0 * (probability * (1.0 - probability) / n).sqrt() + 1e-12
}

#[test]
fn genes_are_masked_at_their_rate_and_bin_0_is_as_frequent_as_the_law_says() {
    for (edges, negative_rows) in [(BinEdges::cam(), 0.6), (BinEdges::binary(), 0.9), (BinEdges::linear(), 0.9)] {
        let vocab = vocab(edges);
        let law = MaskLaw { negative_rows, ..MaskLaw::default() };
        let row = row(&vocab, 120, 0);
        let all = masked(&vocab, &law, &row, CutGenes::ByRank);
        let (mut n_masked, mut n_zero, mut n_with) = (0.0, 0.0, 0.0);
        let mut n_zeros = Vec::new();
        for found in &all {
            let genes = 4..124;
            let labels: Vec<i32> = genes.map(|it| found.labels[it]).filter(|it| *it != IGNORE_LABEL).collect();
            let zeros = labels.iter().filter(|it| **it == vocab.bin_id(0) as i32).count();
            assert_eq!(zeros, found.n_negatives as usize);
            assert_eq!(found.n_missed, 0);
            n_masked += labels.len() as f64;
            n_zero += zeros as f64;
            n_with += f64::from(u8::from(zeros > 0));
            n_zeros.push(zeros as f64);
        }
        let n = N_ROWS as f64 * 120.0;
        assert!(near(n_masked / n, 0.15, n), "{}", n_masked / n);
        let want = 1.0 / f64::from(vocab.n_edges() + 1);
        // Zeros of one row go together, so that rows are the trials.
        let mean = n_zero / N_ROWS as f64;
        let variance = n_zeros.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / N_ROWS as f64;
        let spread = 5.0 * (variance / N_ROWS as f64).sqrt() * N_ROWS as f64 / n_masked;
        assert!((n_zero / n_masked - want).abs() < spread, "{} for {want}", n_zero / n_masked);
        // Rows without negatives: those that are to have none, and those of the others where no gene was drawn.
        let p = want / negative_rows;
        let none = (1.0 - 0.15 * p).powi(120);
        let want = negative_rows * (1.0 - none);
        assert!(near(n_with / N_ROWS as f64, want, N_ROWS as f64), "{} for {want}", n_with / N_ROWS as f64);
    }
}

#[test]
fn masked_tokens_keep_their_types_and_tell_what_they_were() {
    let vocab = vocab(BinEdges::cam());
    let row = row(&vocab, 120, 0);
    let types = row.type_ids.clone().expect("types");
    for found in masked(&vocab, &MaskLaw::default(), &row, CutGenes::ByRank) {
        assert_eq!(found.input_ids.len(), 125);
        for at in 0..125 {
            let label = found.labels[at];
            if label == IGNORE_LABEL {
                let dropped = found.input_ids[at] == PolygeneVocab::PAD;
                assert!(dropped || (found.input_ids[at] == row.input_ids[at] && found.type_ids[at] == types[at]));
                assert_eq!(found.attention[at], u8::from(!dropped));
                continue;
            }
            assert_eq!((found.input_ids[at], found.attention[at]), (PolygeneVocab::MASK, 1));
            let is_negative = label == vocab.bin_id(0) as i32;
            if !is_negative {
                assert_eq!((label, found.type_ids[at]), (row.input_ids[at] as i32, types[at]));
            }
        }
        // `[cls]`, the missing tissue and `[eos]` are left alone.
        assert_eq!(
            [0, 3, 124].map(|it| (found.input_ids[it], found.labels[it])),
            [0, 2, 1].map(|it| (it, IGNORE_LABEL))
        );
    }
}

#[test]
fn negatives_are_measured_genes_that_the_cell_does_not_express() {
    let vocab = vocab(BinEdges::binary());
    let law = MaskLaw { negative_rows: 0.9, ..MaskLaw::default() };
    let row = row(&vocab, 100, 50);
    let types = row.type_ids.clone().expect("types");
    let drawn = |law: &MaskLaw, cut: CutGenes<'_>| {
        let mut seen = vec![0_u32; N_GENES as usize];
        for found in masked(&vocab, law, &row, cut) {
            let swapped: Vec<u32> = (4..104)
                .filter(|it| found.labels[*it] == vocab.bin_id(0) as i32)
                .map(|it| vocab.gene_of(found.type_ids[it]).expect("a gene"))
                .collect();
            let distinct: std::collections::BTreeSet<u32> = swapped.iter().copied().collect();
            assert_eq!(distinct.len(), swapped.len(), "without replacement");
            swapped.iter().for_each(|it| seen[*it as usize] += 1);
            assert!((4..104).all(|it| found.type_ids[it] == types[it] || found.labels[it] == vocab.bin_id(0) as i32));
        }
        seen
    };
    // Of a row cut by rank: nothing behind its last gene, 297.
    let by_rank = drawn(&law, CutGenes::ByRank);
    for (rank, n) in by_rank.iter().enumerate() {
        let allowed = rank % 4 != 0 && rank % 3 != 0 && rank < 297;
        assert_eq!(*n > 0, allowed && *n > 0, "gene {rank}");
    }
    // With the cut genes listed all others are there, in proportion to their rates.
    let cut: Vec<u32> = (300..400).step_by(2).collect();
    let listed = drawn(&law, CutGenes::Listed(&cut));
    let allowed =
        |it: u32| !it.is_multiple_of(4) && (it >= 300 || !it.is_multiple_of(3)) && cut.binary_search(&it).is_err();
    let in_row = |it: u32| it.is_multiple_of(3) && it <= 297;
    let total: f64 = (0..N_GENES).filter(|it| allowed(*it) && !in_row(*it)).map(f64::from).sum();
    let n: f64 = listed.iter().map(|it| f64::from(*it)).sum();
    for rank in 0..N_GENES {
        let got = f64::from(listed[rank as usize]) / n;
        let want = if allowed(rank) && !in_row(rank) { f64::from(rank) / total } else { 0.0 };
        // Drawing without replacement flattens the law a little.
        assert!((got - want).abs() <= 5.0 * (want / n).sqrt() + 0.06 * want, "gene {rank}: {got} for {want}");
    }
    let uniform = drawn(&MaskLaw { negatives: Negatives::Uniform, ..law.clone() }, CutGenes::Listed(&cut));
    let n_allowed = (0..N_GENES).filter(|it| allowed(*it) && !in_row(*it)).count() as f64;
    let n: f64 = uniform.iter().map(|it| f64::from(*it)).sum();
    for rank in 0..N_GENES {
        let want = if allowed(rank) && !in_row(rank) { n / n_allowed } else { 0.0 };
        assert!((f64::from(uniform[rank as usize]) - want).abs() <= 5.0 * want.sqrt(), "gene {rank}");
    }
    // The reference takes anything that is not in the row.
    let reference = drawn(&MaskLaw { reference: true, ..law }, CutGenes::Listed(&cut));
    for rank in 0..N_GENES {
        assert_eq!(reference[rank as usize] > 0, !in_row(rank), "gene {rank}");
    }
}

#[test]
fn phenotypes_are_masked_and_some_dropped() {
    let vocab = vocab(BinEdges::cam());
    let row = row(&vocab, 5, 0);
    let (mut n_masked, mut n_dropped) = (0.0, 0.0);
    let all = masked(&vocab, &MaskLaw::default(), &row, CutGenes::ByRank);
    for found in &all {
        for at in [1, 2] {
            let dropped = found.input_ids[at] == PolygeneVocab::PAD;
            let hidden = found.input_ids[at] == PolygeneVocab::MASK;
            assert_eq!(found.labels[at] != IGNORE_LABEL, hidden);
            assert_eq!((found.type_ids[at] == 0, found.attention[at] == 0), (dropped, dropped));
            n_masked += f64::from(u8::from(dropped || hidden));
            n_dropped += f64::from(u8::from(dropped));
        }
    }
    let n = N_ROWS as f64 * 2.0;
    assert!(near(n_masked / n, 0.5, n), "{}", n_masked / n);
    assert!(near(n_dropped / n_masked, 0.1, n_masked), "{}", n_dropped / n_masked);
    let reference = MaskLaw { reference: true, phenotype: 1.0, drop: 1.0, ..MaskLaw::default() };
    let found = mask(&vocab, &reference, &row, &measured(), CutGenes::ByRank, 0, Seed::new(1)).expect("masked");
    assert_eq!((found.input_ids[1], found.type_ids[1], found.attention[1]), (PolygeneVocab::PAD, 0, 1));
}

#[test]
fn epochs_and_cells_differ_and_the_same_is_the_same() {
    let vocab = vocab(BinEdges::cam());
    let row = row(&vocab, 60, 0);
    let genes = measured();
    let of = |epoch, seed| {
        mask(&vocab, &MaskLaw::default(), &row, &genes, CutGenes::ByRank, epoch, Seed::new(seed)).expect("masked")
    };
    assert_eq!(of(3, 5), of(3, 5));
    assert_ne!(of(3, 5), of(4, 5));
    assert_ne!(of(3, 5), of(3, 6));
    // A gene is masked in an epoch whether or not it was in the last: the share of both is the product.
    let both = (0..N_ROWS).map(|seed| {
        let (a, b) = (of(0, seed), of(1, seed));
        (4..64).filter(|it| a.labels[*it] != IGNORE_LABEL && b.labels[*it] != IGNORE_LABEL).count() as f64
    });
    let n = N_ROWS as f64 * 60.0;
    let share = both.sum::<f64>() / n;
    assert!(near(share, 0.15 * 0.15, n), "{share}");
}

#[test]
fn what_cannot_be_masked_is_refused() {
    let vocab = vocab(BinEdges::binary());
    let row = row(&vocab, 5, 0);
    let genes = MeasuredGenes::new((0..N_GENES).collect()).expect("once each");
    let said = |law: MaskLaw, row: &TokenRow| {
        mask(&vocab, &law, row, &genes, CutGenes::ByRank, 0, Seed::new(0)).expect_err("refused").to_string()
    };
    assert!(said(MaskLaw::default(), &row).contains("detection rate"));
    assert!(said(MaskLaw { gene: 1.5, ..MaskLaw::default() }, &row).contains("gene = 1.5"));
    assert!(said(MaskLaw { negative_rows: 0.4, ..MaskLaw::default() }, &row).contains("at least 1/2"));
    let uniform = || MaskLaw { negatives: Negatives::Uniform, ..MaskLaw::default() };
    assert!(said(uniform(), &TokenRow { type_ids: None, ..row.clone() }).contains("without a type"));
    mask(&vocab, &uniform(), &row, &genes, CutGenes::ByRank, 0, Seed::new(0)).expect("needs no rates");
    // Where nothing is left to draw, masked genes stay what they are.
    let nothing = MeasuredGenes::new(vec![0, 3]).expect("once each");
    let law = MaskLaw { gene: 1.0, negative_rows: 1.0, ..uniform() };
    let found =
        (0..20).map(|it| mask(&vocab, &law, &row, &nothing, CutGenes::ByRank, 0, Seed::new(it)).expect("masked"));
    let found: Vec<MaskedRow> = found.collect();
    assert!(found.iter().all(|it| it.n_negatives == 0) && found.iter().any(|it| it.n_missed > 0));
    assert!(found.iter().all(|it| it.type_ids[4..9] == row.type_ids.as_ref().expect("types")[4..9]));
}
