//! Gene vocabularies and the encoders that turn the values of a cell into tokens.
//!
//! Every encoder stands behind [`Tokenizer`]: it is bound to the genes and the scale of a file once, and then encodes
//! cells without a way to fail. Random draws are keyed on seed and cell, so that tokens depend neither on chunking nor on
//! threads, and ties are decided by a stated rule.
//!
//! ```
//! use cellstone_core::{CellInput, Encoded, Scale, Seed, Var};
//! use cellstone_rank::{CoverageRule, Geneformer, GeneformerOptions, GeneformerSeries, Tokenizer};
//! let vocab = [("<pad>", 0), ("<mask>", 1), ("ENSG00000000003", 2), ("ENSG00000000005", 3)];
//! let medians = [("ENSG00000000003", 2.0), ("ENSG00000000005", 0.5)];
//! let encoder = Geneformer::new(
//!     vocab.map(|(name, id)| (name.to_owned(), id)).to_vec(),
//!     medians.map(|(gene, median)| (gene.to_owned(), median)).to_vec(),
//!     GeneformerOptions::of(GeneformerSeries::V1),
//! )?;
//! let bound = encoder.bind(&Var::from_ids(["ENSG00000000003.15", "ENSG00000000005.6"])?, Scale::Counts)?;
//! let cell = CellInput { columns: &[0, 1], values: &[3.0, 1.0], n_counts: 4.0, phenotypes: &[], seed: Seed::new(0) };
//! let Encoded::Row(row) = bound.encode(&cell) else { panic!("has genes") };
//! // 3/4 over 2 against 1/4 over 0.5.
//! assert_eq!(row.input_ids, [3, 2]);
//! assert!(CoverageRule::Strict.check(bound.coverage(), row.mapped, cell.n_counts)?.is_empty());
//! # Ok::<(), cellstone_core::Error>(())
//! ```
//!
//! Start at [`GeneVocab`] for gene identity, at [`Geneformer`] for an encoder, at [`corpus_medians`] for what rank
//! encoders divide by.
//!
//! What is not here: files. Vocabularies, medians and gene tables come as values; `cellstone-io` reads them and writes
//! token tables.

#![forbid(unsafe_code)]

mod bins;
mod depth;
mod draw;
mod genecompass;
mod geneformer;
mod genept;
mod medians;
mod order;
mod polygene;
mod reading;
mod registry;
mod scbert;
mod scgpt;
mod scprint;
mod sentence;
mod uce;
mod vectors;
mod vocab;

pub use bins::{BinTies, QuantileBins};
pub use cellstone_core::{BoundTokenizer, TokenRow, Tokenizer, TokenizerInfo};
pub use depth::{
    AidoCell, AidoCellOptions, DepthSource, DepthTarget, ListForm, ScFoundation, ScFoundationOptions, measured_genes,
};
pub use genecompass::{GeneCompass, GeneCompassCell, GeneCompassOptions, GeneCompassSpecies, genecompass_cells};
pub use geneformer::{Geneformer, GeneformerOptions, GeneformerSeries, RankTie, RankValues};
pub use genept::{GenePtDivisor, GenePtEmbedding, GenePtOptions, genept_w, match_genes};
pub use medians::{CorpusMedians, GeneMedian, MedianMethod, MedianOptions, TDigest, corpus_genes, corpus_medians};
pub use order::{RankSorter, Ties, rank_order};
pub use polygene::{
    BinEdges, BoundPolygene, CutGenes, EvaluationCondition, IGNORE_LABEL, MaskLaw, MaskedRow, MeasuredGenes, Negatives,
    PhenotypeCategory, PhenotypeValue, PolygeneV1, PolygeneV1Options, PolygeneV2, PolygeneV2Options, PolygeneVocab,
    PolygeneVocabSpec, StringRule, Truncation, UnknownPhenotype, V1_CATEGORIES, condition_row, mask, phenotype_token,
};
pub use registry::{EncoderEntry, EncoderInputs, Need, OptionInfo, encoder, encoders};
pub use scbert::{Scbert, ScbertOptions};
pub use scgpt::{Scgpt, ScgptOptions, ScgptValues};
pub use scprint::{Scprint, ScprintGenes, ScprintOptions, ScprintValues};
pub use sentence::{
    Cell2Sentence, GenePtSentence, RankFit, ReadSentence, SentenceOptions, SentenceTies, fit_rank_inverse,
    read_sentence,
};
pub use uce::{GeneLocation, Uce, UceOptions};
pub use vectors::{
    CountRows, Medians, PearsonResiduals, RowEncoder, ZScore, average_ranks, encode_rows, encode_rows_dense,
};
pub use vocab::{
    BoundGenes, CoverageRule, Dictionary, EnsemblName, FeatureRule, GeneVocab, coverage_text, is_excel_mangled,
    is_null_name,
};
