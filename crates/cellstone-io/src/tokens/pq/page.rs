//! One page: a header, and levels and values behind it, compressed together.

use super::thrift::Thrift;
use cellstone_core::{Error, Result};
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

/// Encodings by their numbers in the format.
pub(super) const PLAIN: i32 = 0;
pub(super) const RLE: i32 = 3;
pub(super) const RLE_DICTIONARY: i32 = 8;

/// Fast: bit-packed ids are dense already, and what else there is, is small.
const LEVEL: i32 = 1;

/// A page as it goes to the file.
#[derive(Debug)]
pub(super) struct Page {
    /// Header and compressed body.
    pub(super) bytes: Vec<u8>,
    /// Length of header and body before compression.
    pub(super) raw: u64,
}

/// What a page holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// So many values or nulls in an encoding; the body is levels, then values.
    Data { entries: usize, encoding: i32 },
    /// So many distinct values, for the data pages of the column.
    Dictionary { n: usize },
}

/// The page of a body.
pub(super) fn page(what: What, body: &[u8]) -> Result<Page> {
    let stored = compress(body).map_err(|it| Error::invalid_input(format!("a page cannot be compressed: {it}")))?;
    let mut header = Thrift::default();
    header.i32(1, if matches!(what, What::Data { .. }) { 0 } else { 2 });
    header.i32(2, int(body.len())?);
    header.i32(3, int(stored.len())?);
    match what {
        What::Data { entries, encoding } => {
            header.begin(5);
            header.i32(1, int(entries)?);
            header.i32(2, encoding);
            // Definition and repetition levels.
            header.i32(3, RLE);
            header.i32(4, RLE);
            header.end();
        }
        What::Dictionary { n } => {
            header.begin(7);
            header.i32(1, int(n)?);
            header.i32(2, PLAIN);
            header.end();
        }
    }
    let mut bytes = header.finish();
    let raw = (bytes.len() + body.len()) as u64;
    bytes.extend(stored);
    Ok(Page { bytes, raw })
}

fn compress(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut compressor = Compressor::new(LEVEL)?;
    // Every reader checks it, so that a changed byte does not come back as another token.
    compressor.set_parameter(CParameter::ChecksumFlag(true))?;
    compressor.compress(body)
}

/// Sizes of pages are 31 bits.
fn int(n: usize) -> Result<i32> {
    i32::try_from(n).map_err(|_| {
        Error::invalid_input(format!("a page would hold {n} bytes or values, which is more than a file can say"))
            .with_hint("write smaller row groups")
    })
}
