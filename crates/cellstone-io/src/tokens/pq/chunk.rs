//! The columns of a row group, each as a dictionary page where one pays and data pages behind it.

use super::levels;
use super::out::Chunk;
use super::pack::{Ids, bit_pack, floats, width_of};
use super::page::{PLAIN, Page, RLE_DICTIONARY, What, page};
use cellstone_core::Result;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Values or nulls after which a page ends at the next row.
const PAGE: usize = 1 << 18;

/// The values of one column of a row group.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    /// Text in every row.
    Texts(Vec<String>),
    /// Few texts, by number; a row may have none.
    Codes {
        codes: Vec<Option<u32>>,
        names: Arc<Vec<String>>,
    },
    Ints(Vec<i32>),
    Longs(Vec<i64>),
    Floats(Vec<f32>),
    Doubles(Vec<Option<f64>>),
    /// Lists of whole numbers: the list of row `i` lies between bounds `i` and `i + 1`.
    IntLists {
        bounds: Vec<usize>,
        values: Vec<i32>,
    },
    /// Lists of floats.
    FloatLists {
        bounds: Vec<usize>,
        values: Vec<f32>,
    },
}

/// The columns of a row group, in the order of the fields of the file.
pub(crate) type Columns = Vec<Values>;

/// A column as it goes to the file, and its description but for the place.
pub(super) struct Encoded {
    pub(super) pages: Vec<Page>,
    pub(super) chunk: Chunk,
}

/// Encodes columns on all cores; the bytes do not depend on how many there are.
pub(super) fn encode(columns: &Columns) -> Result<Vec<Encoded>> {
    columns.par_iter().map(encode_column).collect()
}

fn encode_column(values: &Values) -> Result<Encoded> {
    match values {
        Values::Texts(it) => {
            let mut body = levels::flat(it.iter().map(|_| true));
            it.iter().for_each(|it| put_text(&mut body, it));
            flat(it.len(), PLAIN, &body, None)
        }
        Values::Codes { codes, names } => encode_codes(codes, names),
        Values::Ints(it) => flat_plain(it.len(), it.iter().map(|it| it.to_le_bytes())),
        Values::Longs(it) => flat_plain(it.len(), it.iter().map(|it| it.to_le_bytes())),
        Values::Floats(it) => flat_plain(it.len(), it.iter().map(|it| it.to_le_bytes())),
        Values::Doubles(it) => {
            let mut body = levels::flat(it.iter().map(Option::is_some));
            it.iter().flatten().for_each(|it| body.extend(it.to_le_bytes()));
            flat(it.len(), PLAIN, &body, None)
        }
        Values::IntLists { bounds, values } => {
            let Some(ids) = Ids::of(values) else {
                return lists(bounds, None, PLAIN, &|body, at| {
                    put_all(body, values[at].iter().map(|it| it.to_le_bytes()));
                });
            };
            let mut body = Vec::new();
            put_all(&mut body, ids.distinct.iter().map(|it| it.to_le_bytes()));
            let dictionary = page(What::Dictionary { n: ids.distinct.len() }, &body)?;
            let width = width_of(ids.distinct.len());
            lists(bounds, Some(dictionary), RLE_DICTIONARY, &|body, at| {
                let places: Vec<u32> = values[at].iter().map(|it| ids.place(*it)).collect();
                put_places(body, &places, width);
            })
        }
        Values::FloatLists { bounds, values } => {
            let Some((distinct, places)) = floats(values) else {
                return lists(bounds, None, PLAIN, &|body, at| {
                    put_all(body, values[at].iter().map(|it| it.to_le_bytes()));
                });
            };
            let mut body = Vec::new();
            put_all(&mut body, distinct.iter().map(|it| it.to_le_bytes()));
            let dictionary = page(What::Dictionary { n: distinct.len() }, &body)?;
            let width = width_of(distinct.len());
            lists(bounds, Some(dictionary), RLE_DICTIONARY, &|body, at| put_places(body, &places[at], width))
        }
    }
}

fn encode_codes(codes: &[Option<u32>], names: &[String]) -> Result<Encoded> {
    let mut body = levels::flat(codes.iter().map(Option::is_some));
    let mut seen = BTreeMap::new();
    let (mut distinct, mut places) = (Vec::new(), Vec::with_capacity(codes.len()));
    for code in codes.iter().flatten() {
        let place = *seen.entry(*code).or_insert_with(|| {
            distinct.push(names[*code as usize].as_str());
            distinct.len() as u32 - 1
        });
        places.push(place);
    }
    // Names that stand but once or twice each are text, whatever the file called them.
    if distinct.len() * 2 > places.len() {
        places.iter().for_each(|it| put_text(&mut body, distinct[*it as usize]));
        return flat(codes.len(), PLAIN, &body, None);
    }
    let mut texts = Vec::new();
    distinct.iter().for_each(|it| put_text(&mut texts, it));
    let dictionary = page(What::Dictionary { n: distinct.len() }, &texts)?;
    put_places(&mut body, &places, width_of(distinct.len()));
    flat(codes.len(), RLE_DICTIONARY, &body, Some(dictionary))
}

/// A flat column with a value in every row.
fn flat_plain<const N: usize>(n: usize, values: impl Iterator<Item = [u8; N]>) -> Result<Encoded> {
    let mut body = levels::flat((0..n).map(|_| true));
    put_all(&mut body, values);
    flat(n, PLAIN, &body, None)
}

/// A flat column in one page: a row group has no more rows than a page has values.
fn flat(entries: usize, encoding: i32, body: &[u8], dictionary: Option<Page>) -> Result<Encoded> {
    let data = page(What::Data { entries, encoding }, body)?;
    Ok(Encoded::new(entries as u64, dictionary, vec![data]))
}

type Put<'a> = &'a (dyn Fn(&mut Vec<u8>, Range<usize>) + Sync);

/// A column of lists in pages of whole rows; `put` appends the values of a range.
fn lists(bounds: &[usize], dictionary: Option<Page>, encoding: i32, put: Put<'_>) -> Result<Encoded> {
    let pages: Result<Vec<(Page, u64)>> = page_rows(bounds)
        .into_par_iter()
        .map(|rows| {
            let (mut body, entries) = levels::lists(bounds, rows.clone());
            put(&mut body, bounds[rows.start]..bounds[rows.end]);
            Ok((page(What::Data { entries, encoding }, &body)?, entries as u64))
        })
        .collect();
    let (pages, entries): (Vec<Page>, Vec<u64>) = pages?.into_iter().unzip();
    Ok(Encoded::new(entries.iter().sum(), dictionary, pages))
}

/// Rows of every page.
fn page_rows(bounds: &[usize]) -> Vec<Range<usize>> {
    let n = bounds.len() - 1;
    let (mut pages, mut start) = (Vec::new(), 0);
    while start < n {
        let end = (start + 1..n).find(|it| bounds[*it] - bounds[start] + it - start >= PAGE).unwrap_or(n);
        pages.push(start..end);
        start = end;
    }
    pages
}

impl Encoded {
    fn new(entries: u64, dictionary: Option<Page>, data: Vec<Page>) -> Self {
        let dictionary_bytes = dictionary.as_ref().map_or(0, |it| it.bytes.len() as u64);
        let pages: Vec<Page> = dictionary.into_iter().chain(data).collect();
        let raw = pages.iter().map(|it| it.raw).sum();
        let stored = pages.iter().map(|it| it.bytes.len() as u64).sum();
        Self { pages, chunk: Chunk { at: 0, dictionary_bytes, entries, raw, stored } }
    }
}

fn put_text(body: &mut Vec<u8>, text: &str) {
    body.extend((text.len() as u32).to_le_bytes());
    body.extend(text.as_bytes());
}

fn put_all<const N: usize>(body: &mut Vec<u8>, values: impl Iterator<Item = [u8; N]>) {
    body.reserve(values.size_hint().0 * N);
    values.for_each(|it| body.extend(it));
}

/// Places in a dictionary as one packed run.
fn put_places(body: &mut Vec<u8>, places: &[u32], width: u32) {
    body.push(width as u8);
    if places.is_empty() {
        return;
    }
    let groups = places.len().div_ceil(8);
    super::thrift::varint(body, (groups as u64) << 1 | 1);
    let start = body.len();
    bit_pack(body, places, width);
    body.resize(start + groups * width as usize, 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_end_at_rows() {
        let pages = |bounds: &[usize]| page_rows(bounds).iter().map(|it| (it.start, it.end)).collect::<Vec<_>>();
        assert!(pages(&[0]).is_empty());
        assert_eq!(pages(&[0, 0, 5]), [(0, 2)]);
        let bounds: Vec<usize> = (0..=5).map(|it| it * (PAGE / 2)).collect();
        assert_eq!(pages(&bounds), [(0, 2), (2, 4), (4, 5)]);
        assert_eq!(pages(&[0, 3 * PAGE, 3 * PAGE + 1]), [(0, 1), (1, 2)]);
    }
}
