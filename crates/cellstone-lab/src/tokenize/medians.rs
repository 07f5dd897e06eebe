//! Gene medians of a corpus, watched and interruptible.

use crate::progress::Progress;
use cellstone_core::genes::GeneTable;
use cellstone_core::{CountSource, Error, ErrorKind, ObsTable, Result, RowBlock, Scale, Var};
use cellstone_rank::{CorpusMedians, GeneVocab, MedianMethod, MedianOptions, corpus_genes, corpus_medians};
use std::sync::atomic::{AtomicBool, Ordering};

/// How medians are found, and over which genes.
pub struct MediansOptions<'a> {
    /// Method and least number of cells.
    pub options: MedianOptions,
    /// Genes to find medians of; those of the files unless given.
    pub vocab: Option<GeneVocab>,
    /// Names of genes, where files use others than the vocabulary.
    pub table: Option<&'a GeneTable>,
    /// Who watches.
    pub progress: &'a dyn Progress,
    /// Asks to stop.
    pub cancel: &'a AtomicBool,
}

/// Finds the median of every gene over the cells of all sources that express it.
///
/// # Errors
/// If there is no source, a source holds no counts or cannot be read, or the caller asked to stop.
pub fn medians(sources: &[Box<dyn CountSource>], options: &MediansOptions<'_>) -> Result<CorpusMedians> {
    let vars: Vec<&Var> = sources.iter().map(|it| it.var()).collect();
    let own;
    let vocab = match &options.vocab {
        Some(it) => it,
        None => {
            own = corpus_genes(&vars, options.table)?;
            &own
        }
    };
    let passes = if options.options.method == MedianMethod::Exact { 3 } else { 1 };
    let n_cells: u64 = sources.iter().map(|it| it.n_obs() as u64).sum();
    let watched: Vec<Watched<'_>> = sources
        .iter()
        .map(|it| Watched { source: it.as_ref(), progress: options.progress, cancel: options.cancel })
        .collect();
    let watched: Vec<&dyn CountSource> = watched.iter().map(|it| it as &dyn CountSource).collect();
    options.progress.begin("gene medians", Some(n_cells * passes), "cells");
    let found = corpus_medians(&watched, vocab, options.table, &options.options);
    options.progress.end();
    found
}

/// A source that says how far it was read, and ends early when asked to.
struct Watched<'a> {
    source: &'a dyn CountSource,
    progress: &'a dyn Progress,
    cancel: &'a AtomicBool,
}

impl CountSource for Watched<'_> {
    fn name(&self) -> &str {
        self.source.name()
    }

    fn n_obs(&self) -> usize {
        self.source.n_obs()
    }

    fn var(&self) -> &Var {
        self.source.var()
    }

    fn obs(&self) -> &ObsTable {
        self.source.obs()
    }

    fn scale(&self) -> Scale {
        self.source.scale()
    }

    fn blocks(&self, start_row: usize) -> Result<Box<dyn Iterator<Item = Result<RowBlock>> + Send + '_>> {
        Ok(Box::new(self.source.blocks(start_row)?.map(|block| {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(Error::new(ErrorKind::Cancelled, "stopped on request"));
            }
            if let Ok(it) = &block {
                self.progress.advance(it.x.shape().0 as u64);
            }
            block
        })))
    }
}
