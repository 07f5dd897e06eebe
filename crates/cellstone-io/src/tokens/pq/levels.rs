//! Definition and repetition levels, run by run: which entries are there, and where rows begin.

use super::pack::bit_pack;
use super::thrift::varint;
use std::ops::Range;

/// Runs shorter than this are gathered and bit-packed: a run of its own takes two bytes or more.
const SHORT: usize = 8;

/// Levels being written as runs, of at most eight bits each.
struct Runs {
    bytes: Vec<u8>,
    width: u32,
    /// Levels that are not written yet; of equal levels, all but the last [`SHORT`].
    waiting: Vec<u32>,
    run: (u32, usize),
}

impl Runs {
    fn new(width: u32) -> Self {
        // The length comes first and is known last.
        Self { bytes: vec![0; 4], width, waiting: Vec::new(), run: (0, 0) }
    }

    fn push(&mut self, level: u32, n: usize) {
        if n == 0 {
            return;
        }
        if level != self.run.0 {
            self.close_run();
            self.run = (level, 0);
        }
        self.run.1 += n;
    }

    fn close_run(&mut self) {
        let (level, mut n) = self.run;
        self.run.1 = 0;
        // Packed levels come in groups of eight, so that what waits is filled up first.
        let fill = (self.waiting.len().next_multiple_of(8) - self.waiting.len()).min(n);
        if n - fill < SHORT {
            self.waiting.extend(std::iter::repeat_n(level, n));
            return;
        }
        self.waiting.extend(std::iter::repeat_n(level, fill));
        n -= fill;
        self.flush();
        varint(&mut self.bytes, (n as u64) << 1);
        self.bytes.push(level as u8);
    }

    /// Writes what waits; only the last levels of a page may be no whole group.
    fn flush(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let groups = self.waiting.len().div_ceil(8);
        varint(&mut self.bytes, (groups as u64) << 1 | 1);
        self.waiting.resize(groups * 8, 0);
        bit_pack(&mut self.bytes, &self.waiting, self.width);
        self.waiting.clear();
    }

    fn finish(mut self) -> Vec<u8> {
        self.close_run();
        self.flush();
        let length = (self.bytes.len() - 4) as u32;
        self.bytes[..4].copy_from_slice(&length.to_le_bytes());
        self.bytes
    }
}

/// Levels of a flat column: 1 where there is a value.
pub(super) fn flat(present: impl Iterator<Item = bool>) -> Vec<u8> {
    let mut runs = Runs::new(1);
    present.for_each(|it| runs.push(u32::from(it), 1));
    runs.finish()
}

/// Levels of a column of lists, repetition before definition, and the number of entries: an empty list is one.
///
/// `bounds` are the ends of the lists of `rows` and of the one before; every list is there and every element too.
pub(super) fn lists(bounds: &[usize], rows: Range<usize>) -> (Vec<u8>, usize) {
    let (mut repetition, mut definition) = (Runs::new(1), Runs::new(2));
    let mut entries = 0;
    for row in rows {
        let n = bounds[row + 1] - bounds[row];
        repetition.push(0, 1);
        repetition.push(1, n.saturating_sub(1));
        // 1: a list without elements. 3: a list, an element, and a value in it.
        definition.push(if n == 0 { 1 } else { 3 }, n.max(1));
        entries += n.max(1);
    }
    let mut bytes = repetition.finish();
    bytes.extend(definition.finish());
    (bytes, entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Levels read back as the specification says: `n` of them.
    fn read(bytes: &[u8], width: u32, n: usize) -> Vec<u32> {
        let length = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
        assert_eq!(length + 4, bytes.len());
        let (mut at, mut levels) = (4, Vec::new());
        while at < bytes.len() {
            let (mut head, mut shift) = (0_usize, 0);
            loop {
                let byte = bytes[at];
                at += 1;
                head |= usize::from(byte & 0x7f) << shift;
                shift += 7;
                if byte < 0x80 {
                    break;
                }
            }
            if head & 1 == 0 {
                levels.extend(std::iter::repeat_n(u32::from(bytes[at]), head >> 1));
                at += 1;
                continue;
            }
            for index in 0..(head >> 1) * 8 {
                let bit = index * width as usize;
                let word = u32::from(bytes[at + bit / 8]) | u32::from(*bytes.get(at + bit / 8 + 1).unwrap_or(&0)) << 8;
                levels.push(word >> (bit % 8) & ((1 << width) - 1));
            }
            at += (head >> 1) * width as usize;
        }
        assert!(levels.len() >= n && levels.len() < n + 8, "{} levels, expected {n}", levels.len());
        levels.truncate(n);
        levels
    }

    #[test]
    fn one_long_list_is_a_few_bytes() {
        let (bytes, entries) = lists(&[0, 2048], 0..1);
        assert_eq!(entries, 2048);
        assert!(bytes.len() < 20, "{}", bytes.len());
    }

    proptest! {
        #[test]
        fn levels_read_back(present in prop::collection::vec((any::<bool>(), 1_usize..40), 0..40)) {
            let all: Vec<bool> = present.iter().flat_map(|it| std::iter::repeat_n(it.0, it.1)).collect();
            let want: Vec<u32> = all.iter().map(|it| u32::from(*it)).collect();
            prop_assert_eq!(read(&flat(all.iter().copied()), 1, want.len()), want);
        }

        #[test]
        fn lists_read_back(lengths in prop::collection::vec(0_usize..30, 0..60)) {
            let mut bounds = vec![0];
            lengths.iter().for_each(|it| bounds.push(bounds[bounds.len() - 1] + it));
            let (bytes, entries) = lists(&bounds, 0..lengths.len());
            let cut = 4 + u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
            let (mut repetition, mut definition) = (Vec::new(), Vec::new());
            for n in &lengths {
                repetition.push(0);
                repetition.extend(std::iter::repeat_n(1, n.saturating_sub(1)));
                definition.extend(std::iter::repeat_n(if *n == 0 { 1 } else { 3 }, (*n).max(1)));
            }
            prop_assert_eq!(read(&bytes[..cut], 1, entries), repetition);
            prop_assert_eq!(read(&bytes[cut..], 2, entries), definition);
        }
    }
}
