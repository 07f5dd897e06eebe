//! The order in which cells are learnt from: mixed by a seed, in batches of similar length, without padding to speak of.

use super::corpus::Part;
use super::rows::{Cell, Rows};
use cellstone_core::{Result, Seed, SeedRng};
use rand::RngExt as _;
use std::collections::VecDeque;
use std::ops::Range;

/// Batches of one epoch after the other, without end.
///
/// An epoch reads the pieces of the file in an order of its own into a buffer of `shuffle` cells. Whenever the buffer is
/// full, a random half of it is sorted by length and cut into batches of at most `tokens` tokens, padding counted; these
/// come in random order. The order depends on the seed and the epoch alone; the memory is that of the buffer and a piece.
pub(crate) struct Stream<'a> {
    rows: &'a Rows,
    seed: Seed,
    tokens: usize,
    shuffle: usize,
    epoch: u64,
    given: u64,
    rng: SeedRng,
    pieces: VecDeque<Range<usize>>,
    buffer: Vec<Cell>,
    ready: VecDeque<Vec<Cell>>,
}

impl<'a> Stream<'a> {
    /// At the beginning of the first epoch.
    pub(crate) fn new(rows: &'a Rows, seed: Seed, tokens: usize, shuffle: usize) -> Self {
        let mut stream = Self {
            rows,
            seed,
            tokens,
            shuffle,
            epoch: 0,
            given: 0,
            rng: seed.rng(),
            pieces: VecDeque::new(),
            buffer: Vec::new(),
            ready: VecDeque::new(),
        };
        stream.begin(0);
        stream
    }

    /// Goes on where a stream stood that had given `batches` of an epoch. What comes before is read again, not learnt.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn skip_to(&mut self, epoch: u64, batches: u64) -> Result<()> {
        self.begin(epoch);
        while self.given < batches {
            self.next_batch()?;
        }
        Ok(())
    }

    /// Epoch of the next batch, and the batches that it has given so far.
    pub(crate) fn place(&self) -> (u64, u64) {
        (self.epoch, self.given)
    }

    fn begin(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.given = 0;
        self.rng = self.seed.derive("order").derive_index(epoch).rng();
        let mut pieces = self.rows.chunks();
        shuffle(&mut pieces, &mut self.rng);
        self.pieces = pieces.into();
        self.buffer.clear();
        self.ready.clear();
    }

    /// The next batch and its epoch.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn next_batch(&mut self) -> Result<(u64, Vec<Cell>)> {
        loop {
            if let Some(it) = self.ready.pop_front() {
                self.given += 1;
                let epoch = self.epoch;
                self.turn()?;
                return Ok((epoch, it));
            }
            self.turn()?;
            let n = if self.pieces.is_empty() { self.buffer.len() } else { self.buffer.len().div_ceil(2) };
            let chosen = self.take(n);
            let mut batches = cut(chosen, self.tokens);
            shuffle(&mut batches, &mut self.rng);
            self.ready = batches.into();
        }
    }

    /// Begins the next epoch once nothing is left of this one, so that [`Stream::place`] is that of the next batch.
    fn turn(&mut self) -> Result<()> {
        if self.ready.is_empty() {
            self.fill()?;
            if self.buffer.is_empty() {
                self.begin(self.epoch + 1);
                self.fill()?;
            }
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<()> {
        while self.buffer.len() < self.shuffle {
            let Some(piece) = self.pieces.pop_front() else { return Ok(()) };
            self.buffer.extend(self.rows.read(&piece, Part::Train)?);
        }
        Ok(())
    }

    /// Some cells of the buffer, each as likely as any other.
    fn take(&mut self, n: usize) -> Vec<Cell> {
        (0..n)
            .map(|_| {
                let at = self.rng.random_range(0..self.buffer.len());
                self.buffer.swap_remove(at)
            })
            .collect()
    }
}

/// Fisher and Yates.
fn shuffle<T>(items: &mut [T], rng: &mut SeedRng) {
    for at in (1..items.len()).rev() {
        items.swap(at, rng.random_range(0..=at));
    }
}

/// Batches of similar length, each of at most `tokens` tokens with padding, and of one row at least.
pub(crate) fn cut(mut cells: Vec<Cell>, tokens: usize) -> Vec<Vec<Cell>> {
    cells.sort_by_key(|it| it.tokens.input_ids.len());
    let mut batches: Vec<Vec<Cell>> = Vec::new();
    for cell in cells {
        match batches.last_mut() {
            // Lengths ascend: the batch would be as long as this row.
            Some(it) if (it.len() + 1) * cell.tokens.input_ids.len() <= tokens => it.push(cell),
            _ => batches.push(vec![cell]),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellstone_core::TokenRow;

    fn cell(n: usize) -> Cell {
        let tokens = TokenRow { input_ids: vec![0; n], ..TokenRow::default() };
        Cell { seed: Seed::new(n as u64), tokens, cut: None }
    }

    #[test]
    fn batches_keep_the_budget_and_every_cell() {
        let cells: Vec<Cell> = [9, 3, 3, 8, 1, 20, 4].into_iter().map(cell).collect();
        let batches = cut(cells, 12);
        let lengths: Vec<Vec<usize>> =
            batches.iter().map(|it| it.iter().map(|it| it.tokens.input_ids.len()).collect()).collect();
        assert_eq!(lengths, [vec![1, 3, 3], vec![4], vec![8], vec![9], vec![20]]);
    }

    #[test]
    fn shuffling_moves_every_item_everywhere() {
        let mut rng = Seed::new(1).rng();
        let mut seen = [[0_u32; 4]; 4];
        for _ in 0..8000 {
            let mut items = [0, 1, 2, 3];
            shuffle(&mut items, &mut rng);
            items.iter().enumerate().for_each(|(at, it)| seen[*it][at] += 1);
        }
        assert!(seen.iter().flatten().all(|it| it.abs_diff(2000) < 200), "{seen:?}");
    }
}
