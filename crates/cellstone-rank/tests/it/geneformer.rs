//! Properties of the encoders that sort by count over median.

use crate::properties::{Subject, check};
use cellstone_rank::{
    GeneCompass, GeneCompassOptions, Geneformer, GeneformerOptions, GeneformerSeries, RankTie, RankValues,
};

const SPECIALS: [&str; 4] = ["<pad>", "<mask>", "<cls>", "<eos>"];

fn genes() -> Vec<String> {
    (0..120).map(|it| format!("ENSG{:011}", it * 7919 % 100_003)).collect()
}

fn vocab() -> Vec<(String, u32)> {
    SPECIALS.iter().map(|it| (*it).to_owned()).chain(genes()).zip(0..).collect()
}

/// A third share one median; one is as small as the smallest published.
fn medians() -> Vec<(String, f64)> {
    let median = |at: usize| match at % 9 {
        0 | 3 | 6 => 1.25,
        1 => 7.158e-7,
        it => 0.5 + it as f64 * 0.371,
    };
    genes().into_iter().enumerate().map(|(at, gene)| (gene, median(at))).collect()
}

#[test]
fn geneformer_has_every_property() {
    for series in [GeneformerSeries::V1, GeneformerSeries::V2] {
        for (max_len, values) in [(4096, RankValues::Counts), (20, RankValues::None), (100, RankValues::MedianScaled)] {
            for tie in [RankTie::Token, RankTie::Column] {
                let options = GeneformerOptions { max_len, values, tie, ..GeneformerOptions::of(series) };
                let encoder = Geneformer::new(vocab(), medians(), options).expect("valid");
                check(&Subject { follows_columns: tie == RankTie::Column, ..Subject::new(&encoder, genes()) });
            }
        }
    }
}

#[test]
fn genecompass_has_every_property() {
    for max_len in [2048, 20] {
        let options = GeneCompassOptions { max_len, ..GeneCompassOptions::default() };
        let encoder = GeneCompass::new(vocab(), medians(), options).expect("valid");
        check(&Subject::new(&encoder, genes()));
    }
}
