//! Numbers of a few bits each, without gaps, and small dictionaries.

/// Distinct values up to which a column of floats is stored by number: bins are few, measurements are many.
const FEW: usize = 256;
/// Ids beyond this are not counted: the table would be larger than what it saves.
const LARGEST_ID: i32 = 1 << 21;

/// Appends `values`, `width` bits each, the lowest bit first; the last byte is filled with zeros.
pub(super) fn bit_pack(bytes: &mut Vec<u8>, values: &[u32], width: u32) {
    bytes.reserve(values.len() * width as usize / 8 + 8);
    let (mut word, mut used) = (0_u64, 0_u32);
    for value in values {
        word |= u64::from(*value) << used;
        used += width;
        if used >= 32 {
            bytes.extend((word as u32).to_le_bytes());
            word >>= 32;
            used -= 32;
        }
    }
    let rest = used.div_ceil(8) as usize;
    bytes.extend(&word.to_le_bytes()[..rest]);
}

/// Bits that the numbers of `n` values take; at least one, which every reader understands.
pub(super) fn width_of(n: usize) -> u32 {
    (usize::BITS - n.saturating_sub(1).leading_zeros()).max(1)
}

/// The distinct ids, ascending, and for each id its place among them.
pub(super) struct Ids {
    pub(super) distinct: Vec<i32>,
    place: Vec<u32>,
}

impl Ids {
    /// `None` where a dictionary does not pay: an id is negative or too large.
    pub(super) fn of(values: &[i32]) -> Option<Self> {
        // One pass without branches finds both ends.
        let (low, high) = values.iter().fold((i32::MAX, -1), |it, value| (it.0.min(*value), it.1.max(*value)));
        if low < 0 || high >= LARGEST_ID || values.is_empty() {
            return None;
        }
        let mut place = vec![0_u32; high as usize + 1];
        values.iter().for_each(|it| place[*it as usize] = 1);
        let mut distinct = Vec::new();
        for (id, slot) in place.iter_mut().enumerate() {
            if *slot == 1 {
                *slot = distinct.len() as u32;
                distinct.push(id as i32);
            }
        }
        // A few hundred rare ids: the dictionary would be as long as the column.
        (distinct.len() * 2 <= values.len()).then_some(Self { distinct, place })
    }

    pub(super) fn place(&self, id: i32) -> u32 {
        self.place[id as usize]
    }
}

/// The distinct floats by first appearance, and the place of every value among them; `None` where they are many.
pub(super) fn floats(values: &[f32]) -> Option<(Vec<f32>, Vec<u32>)> {
    // Open addressing with room to spare; bits are compared, so that -0 is not 0.
    let mut slots = vec![u32::MAX; 4 * FEW];
    let (mut distinct, mut places) = (Vec::<f32>::new(), Vec::with_capacity(values.len()));
    for value in values {
        let mut at = (value.to_bits().wrapping_mul(0x9e37_79b1) >> 22) as usize;
        loop {
            let slot = slots[at];
            if slot == u32::MAX {
                if distinct.len() == FEW {
                    return None;
                }
                slots[at] = distinct.len() as u32;
                places.push(slots[at]);
                distinct.push(*value);
                break;
            }
            if distinct[slot as usize].to_bits() == value.to_bits() {
                places.push(slot);
                break;
            }
            at = (at + 1) % slots.len();
        }
    }
    (distinct.len() * 2 <= values.len()).then_some((distinct, places))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn packed_as_the_specification_has_it() {
        // The example of the Parquet specification: 0 to 7 with three bits each.
        let mut bytes = Vec::new();
        bit_pack(&mut bytes, &[0, 1, 2, 3, 4, 5, 6, 7], 3);
        assert_eq!(bytes, [0b1000_1000, 0b1100_0110, 0b1111_1010]);
        assert_eq!([1, 2, 3, 256, 257].map(width_of), [1, 1, 2, 8, 9]);
    }

    #[test]
    fn dictionaries_only_where_they_pay() {
        let ids = Ids::of(&[5, 2, 5, 9, 2, 2]).expect("three of six");
        assert_eq!((ids.distinct.as_slice(), ids.place(9)), (&[2, 5, 9][..], 2));
        assert!(Ids::of(&[-1, -1, -1]).is_none());
        assert!(Ids::of(&[1, 2, 3]).is_none());
        assert!(Ids::of(&[LARGEST_ID; 9]).is_none());
        let (distinct, places) = floats(&[1.0, 0.0, -0.0, 1.0, 1.0, 0.0]).expect("three of six");
        assert_eq!((distinct.len(), places), (3, vec![0, 1, 2, 0, 0, 1]));
        let many: Vec<f32> = (0..2000).map(|it| (it % 300) as f32).collect();
        assert!(floats(&many).is_none());
    }

    proptest! {
        #[test]
        fn packed_numbers_read_back(width in 1_u32..=22, raw in prop::collection::vec(any::<u32>(), 0..100)) {
            let values: Vec<u32> = raw.iter().map(|it| it & ((1 << width) - 1)).collect();
            let mut bytes = Vec::new();
            bit_pack(&mut bytes, &values, width);
            prop_assert_eq!(bytes.len(), (values.len() * width as usize).div_ceil(8));
            for (at, value) in values.iter().enumerate() {
                let bits = (0..width as usize).map(|it| at * width as usize + it);
                let found: u32 = bits.enumerate().map(|(to, it)| u32::from(bytes[it / 8] >> (it % 8) & 1) << to).sum();
                prop_assert_eq!(found, *value);
            }
        }
    }
}
