//! Reading the sentence of a cell, whoever wrote it.

use crate::vocab::GeneVocab;

/// What a text says of a cell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadSentence {
    /// Positions of its genes in the vocabulary, in order, each once.
    pub genes: Vec<u32>,
    /// Words that are no gene of the vocabulary; they were dropped.
    pub n_unknown: usize,
    /// Words that had been there before.
    pub n_repeated: usize,
}

/// Reads the words of a sentence against a vocabulary whose keys are in capitals.
///
/// Words are put in capitals. Unknown ones are dropped and counted. A gene that is named several times is moved to the
/// whole part of the mean of its places, one gene after another in the order of their first words, each time in the list
/// as the genes before have left it.
///
/// # Examples
/// ```
/// use cellstone_core::genes::IdTarget;
/// use cellstone_rank::{GeneVocab, read_sentence};
/// let words = ["CD3D", "GNLY", "LYZ"].iter().enumerate().map(|(id, it)| (it.to_string(), id as u32)).collect();
/// let vocab = GeneVocab::new("words", IdTarget::Symbol, words)?;
/// let read = read_sentence("lyz gnly nonsense CD3D LYZ", &vocab);
/// // LYZ stood at 0 and 3 of the known words and moves to 1.
/// assert_eq!(read.genes, [1, 2, 0]);
/// assert_eq!((read.n_unknown, read.n_repeated), (1, 1));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
///
/// # References
/// `vandijklab/cell2sentence src/cell2sentence/utils.py` (`post_process_generated_cell_sentences`).
pub fn read_sentence(text: &str, vocab: &GeneVocab) -> ReadSentence {
    let mut read = ReadSentence::default();
    let mut words = Vec::new();
    for word in text.split_whitespace() {
        // DIVERGES(c2s-unknown-words): the reference keeps a filler in the place of an unknown word.
        match vocab.position(&word.to_uppercase()) {
            Some(gene) => words.push(gene),
            None => read.n_unknown += 1,
        }
    }
    let mut seen = vec![0_u32; vocab.len()];
    words.iter().for_each(|it| seen[*it as usize] += 1);
    for gene in words.clone() {
        let times = seen[gene as usize] as usize;
        if times < 2 {
            continue;
        }
        // Each gene is moved once.
        seen[gene as usize] = 1;
        let places = words.iter().enumerate().filter(|it| *it.1 == gene).map(|it| it.0);
        let mean = places.sum::<usize>() / times;
        words.retain(|it| *it != gene);
        words.insert(mean.min(words.len()), gene);
        read.n_repeated += times - 1;
    }
    read.genes = words;
    read
}
