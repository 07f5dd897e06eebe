//! Undoing the filters of one chunk: inflate or LZF, then unshuffle.

use super::lzf;
use flate2::{Decompress, FlushDecompress, Status};
use hdf5_pure::Filter;

/// The filters of a dataset, in the order they were applied.
#[derive(Debug, Clone)]
pub(crate) struct Pipeline(Vec<Step>);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Deflate,
    Shuffle(usize),
    Lzf,
}

/// Buffers and inflate state that one thread reuses from chunk to chunk.
pub(crate) struct Decoder {
    inflate: Decompress,
    /// The chunk: as stored before [`Pipeline::decode`], decoded after.
    pub(crate) bytes: Vec<u8>,
    scratch: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { inflate: Decompress::new(true), bytes: Vec::new(), scratch: Vec::new() }
    }
}

impl Pipeline {
    /// The pipeline, unless it holds a filter that is left to the HDF5 library.
    pub(crate) fn of(filters: &[Filter], element: usize) -> Option<Self> {
        let steps: Option<Vec<Step>> = filters
            .iter()
            .map(|it| match it.id {
                1 => Some(Step::Deflate),
                2 => Some(Step::Shuffle(it.client_data.first().map_or(element, |size| *size as usize).max(1))),
                32000 => Some(Step::Lzf),
                _ => None,
            })
            .collect();
        let steps = steps?;
        (steps.iter().filter(|it| !matches!(it, Step::Shuffle(_))).count() <= 1).then_some(Self(steps))
    }

    /// What the chunks are compressed with, in one word or two.
    pub(crate) fn describe(filters: &[Filter]) -> Option<String> {
        let names: Vec<String> = filters.iter().map(ToString::to_string).collect();
        (!names.is_empty()).then(|| names.join(" + "))
    }

    /// The most a stored byte can expand to, to tell a corrupt header before memory is asked for.
    pub(crate) fn expansion(&self) -> u64 {
        let gains = |step: &Step| match step {
            Step::Deflate => 1040,
            Step::Lzf => 140,
            Step::Shuffle(_) => 1,
        };
        self.0.iter().map(gains).max().unwrap_or(1)
    }

    /// Turns the stored bytes in `decoder.bytes` into the `expect` bytes of the chunk.
    pub(crate) fn decode(&self, skipped: u32, expect: usize, decoder: &mut Decoder) -> Result<(), String> {
        for (at, step) in self.0.iter().enumerate().rev() {
            if skipped >> at & 1 == 1 {
                continue;
            }
            match step {
                Step::Deflate => inflate(decoder, expect)?,
                Step::Lzf => lzf::expand(&decoder.bytes, expect, &mut decoder.scratch)?,
                Step::Shuffle(size) => {
                    decoder.scratch.resize(decoder.bytes.len(), 0);
                    unshuffle(&decoder.bytes, *size, &mut decoder.scratch);
                }
            }
            std::mem::swap(&mut decoder.bytes, &mut decoder.scratch);
        }
        if decoder.bytes.len() == expect {
            Ok(())
        } else {
            Err(format!("holds {} bytes, expected {expect}", decoder.bytes.len()))
        }
    }
}

fn inflate(decoder: &mut Decoder, expect: usize) -> Result<(), String> {
    decoder.inflate.reset(true);
    decoder.scratch.resize(expect, 0);
    let status = decoder
        .inflate
        .decompress(&decoder.bytes, &mut decoder.scratch, FlushDecompress::Finish)
        .map_err(|it| format!("gzip stream is corrupt ({it})"))?;
    let got = decoder.inflate.total_out();
    if status == Status::StreamEnd && got == expect as u64 {
        return Ok(());
    }
    Err(format!("gzip stream is corrupt (inflates to {got} of {expect} bytes)"))
}

/// Bytes stored plane by plane, back into elements. Bytes beyond the last whole element stay where they are.
fn unshuffle(planes: &[u8], size: usize, out: &mut [u8]) {
    let n = planes.len() / size;
    out[n * size..].copy_from_slice(&planes[n * size..]);
    match size {
        2 => gather::<2>(planes, n, out),
        4 => gather::<4>(planes, n, out),
        8 => gather::<8>(planes, n, out),
        _ => {
            for plane in 0..size {
                for it in 0..n {
                    out[it * size + plane] = planes[plane * n + it];
                }
            }
        }
    }
}

fn gather<const N: usize>(planes: &[u8], n: usize, out: &mut [u8]) {
    let plane: [&[u8]; N] = std::array::from_fn(|it| &planes[it * n..(it + 1) * n]);
    let (elements, _) = out.as_chunks_mut::<N>();
    for (at, element) in elements.iter_mut().take(n).enumerate() {
        *element = std::array::from_fn(|it| plane[it][at]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_become_elements() {
        for size in [2, 3, 4, 8] {
            let elements: Vec<u8> = (0..=(size * 5)).map(|it| it as u8).collect();
            let mut planes: Vec<u8> =
                (0..size).flat_map(|plane| (0..5).map(move |it| (it * size + plane) as u8)).collect();
            planes.push((size * 5) as u8);
            let mut out = vec![0; planes.len()];
            unshuffle(&planes, size, &mut out);
            assert_eq!(out, elements, "element size {size}");
        }
    }
}
