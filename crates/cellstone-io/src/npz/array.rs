//! One NumPy array: its elements in C order, whatever order the file has.

use super::header::{Descr, format_header, parse_header};
use cellstone_core::{Error, Result};
use ndarray::Array2;
use std::path::Path;

/// The elements of an array. Narrow integers are widened, half floats too; unsigned 64-bit numbers must fit `i64`.
#[derive(Debug, Clone, PartialEq)]
pub enum NpyData {
    /// `f4`, and `f2` widened.
    F32(Vec<f32>),
    /// `f8`.
    F64(Vec<f64>),
    /// `i4`, and `i1`, `i2` widened.
    I32(Vec<i32>),
    /// `i8`, and `u8` (unsigned, 8 bytes) where it fits.
    I64(Vec<i64>),
    /// `u4`, and `u2` widened.
    U32(Vec<u32>),
    /// `u1`.
    U8(Vec<u8>),
    /// `b1`.
    Bool(Vec<bool>),
    /// `U`, and `S` that is UTF-8.
    Str(Vec<String>),
}

/// An array with its shape; elements in C order (last axis fastest).
#[derive(Debug, Clone, PartialEq)]
pub struct NpyArray {
    name: String,
    shape: Vec<usize>,
    data: NpyData,
}

/// Reads a `.npy` file.
///
/// # Errors
/// Names the file and what is wrong: no NumPy array, truncated data, Python objects, a structured or complex type.
pub fn read_npy(path: &Path) -> Result<NpyArray> {
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
    NpyArray::parse(&format!("`{}`", path.display()), &bytes)
}

impl NpyArray {
    /// An array to be written.
    ///
    /// # Errors
    /// If the shape does not hold as many elements as there are.
    pub fn new(shape: Vec<usize>, data: NpyData) -> Result<Self> {
        if shape.iter().product::<usize>() != data.len() {
            return Err(Error::invalid_input(format!(
                "an array of shape {shape:?} cannot hold {} elements",
                data.len()
            )));
        }
        Ok(Self { name: "array".to_owned(), shape, data })
    }

    /// A vector of texts.
    pub fn from_strings<S: Into<String>>(values: impl IntoIterator<Item = S>) -> Self {
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        Self { name: "array".to_owned(), shape: vec![values.len()], data: NpyData::Str(values) }
    }

    /// A matrix, `[rows, columns]`.
    pub fn from_matrix(values: &Array2<f64>) -> Self {
        let shape = vec![values.nrows(), values.ncols()];
        Self { name: "array".to_owned(), shape, data: NpyData::F64(values.iter().copied().collect()) }
    }

    /// Reads the bytes of a `.npy` file; `name` is what messages call it.
    pub(crate) fn parse(name: &str, bytes: &[u8]) -> Result<Self> {
        let placed = |what: String| {
            let error = Error::invalid_input(format!("{name} {what}"));
            if error.to_string().contains("Python objects") {
                return error.with_hint("in Python: save it as numbers or text, for instance array.astype(str)");
            }
            error
        };
        let header = parse_header(bytes).map_err(placed)?;
        let body = &bytes[header.length.min(bytes.len())..];
        let width = header.descr.element_bytes();
        let needed = header.shape.iter().try_fold(width, |acc, it| acc.checked_mul(*it));
        if needed.is_none_or(|it| it > body.len()) {
            return Err(placed(format!(
                "holds {} bytes of data, expected {} for shape {:?}: the file is truncated",
                body.len(),
                needed.map_or("more".to_owned(), |it| it.to_string()),
                header.shape
            )));
        }
        let body = &body[..needed.unwrap_or(0)];
        let body = if header.fortran { to_c_order(body, &header.shape, width) } else { body.to_vec() };
        let data = NpyData::decode(&header.descr, &body).map_err(placed)?;
        Ok(Self { name: name.to_owned(), shape: header.shape, data })
    }

    /// The bytes of a `.npy` file (version 1.0, little-endian, C order).
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let (descr, body) = self.data.encode();
        let mut bytes = format_header(&descr, &self.shape);
        bytes.extend(body);
        bytes
    }

    /// The extents of the axes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements in C order.
    pub fn data(&self) -> &NpyData {
        &self.data
    }

    /// Texts, one per element.
    ///
    /// # Errors
    /// If the elements are numbers.
    pub fn strings(&self) -> Result<&[String]> {
        match &self.data {
            NpyData::Str(it) => Ok(it),
            other => Err(self.wrong(other.kind(), "text")),
        }
    }

    /// Real numbers, one per element.
    ///
    /// # Errors
    /// If the elements are text.
    pub fn to_f64(&self) -> Result<Vec<f64>> {
        Ok(match &self.data {
            NpyData::F32(it) => it.iter().map(|it| f64::from(*it)).collect(),
            NpyData::F64(it) => it.clone(),
            NpyData::I32(it) => it.iter().map(|it| f64::from(*it)).collect(),
            NpyData::I64(it) => it.iter().map(|it| *it as f64).collect(),
            NpyData::U32(it) => it.iter().map(|it| f64::from(*it)).collect(),
            NpyData::U8(it) => it.iter().map(|it| f64::from(*it)).collect(),
            NpyData::Bool(it) => it.iter().map(|it| f64::from(u8::from(*it))).collect(),
            NpyData::Str(_) => return Err(self.wrong("text", "numbers")),
        })
    }

    /// Whole numbers, one per element.
    ///
    /// # Errors
    /// If the elements are floats or text.
    pub fn to_i64(&self) -> Result<Vec<i64>> {
        Ok(match &self.data {
            NpyData::I32(it) => it.iter().map(|it| i64::from(*it)).collect(),
            NpyData::I64(it) => it.clone(),
            NpyData::U32(it) => it.iter().map(|it| i64::from(*it)).collect(),
            NpyData::U8(it) => it.iter().map(|it| i64::from(*it)).collect(),
            NpyData::Bool(it) => it.iter().map(|it| i64::from(*it)).collect(),
            other => return Err(self.wrong(other.kind(), "whole numbers")),
        })
    }

    /// The array as a matrix of real numbers, `[rows, columns]`.
    ///
    /// # Errors
    /// If it has not two axes, or if its elements are text.
    pub fn to_matrix(&self) -> Result<Array2<f64>> {
        let [rows, columns] = self.shape[..] else {
            return Err(self.wrong(&format!("{} axes", self.shape.len()), "2"));
        };
        let matrix = Array2::from_shape_vec((rows, columns), self.to_f64()?);
        Ok(matrix.expect("invariant: the shape fits the elements"))
    }

    fn wrong(&self, found: &str, expected: &str) -> Error {
        Error::invalid_input(format!("{} holds {found}, expected {expected}", self.name))
    }
}

impl NpyData {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(it) => it.len(),
            Self::F64(it) => it.len(),
            Self::I32(it) => it.len(),
            Self::I64(it) => it.len(),
            Self::U32(it) => it.len(),
            Self::U8(it) => it.len(),
            Self::Bool(it) => it.len(),
            Self::Str(it) => it.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A word for the kind of elements, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::F32(_) | Self::F64(_) => "floats",
            Self::I32(_) | Self::I64(_) | Self::U32(_) | Self::U8(_) => "whole numbers",
            Self::Bool(_) => "truth values",
            Self::Str(_) => "text",
        }
    }

    fn decode(descr: &Descr, body: &[u8]) -> std::result::Result<Self, String> {
        let big = descr.big_endian;
        Ok(match (descr.kind, descr.size) {
            ('f', 2) => Self::F32(numbers(body, big, |it| half(u16::from_le_bytes(it)))),
            ('f', 4) => Self::F32(numbers(body, big, f32::from_le_bytes)),
            ('f', 8) => Self::F64(numbers(body, big, f64::from_le_bytes)),
            ('i', 1) => Self::I32(numbers(body, big, |it: [u8; 1]| i32::from(it[0] as i8))),
            ('i', 2) => Self::I32(numbers(body, big, |it| i32::from(i16::from_le_bytes(it)))),
            ('i', 4) => Self::I32(numbers(body, big, i32::from_le_bytes)),
            ('i', 8) => Self::I64(numbers(body, big, i64::from_le_bytes)),
            ('u', 1) => Self::U8(body.to_vec()),
            ('u', 2) => Self::U32(numbers(body, big, |it| u32::from(u16::from_le_bytes(it)))),
            ('u', 4) => Self::U32(numbers(body, big, u32::from_le_bytes)),
            ('u', 8) => {
                let wide = numbers(body, big, u64::from_le_bytes);
                let narrow: std::result::Result<Vec<i64>, _> = wide.into_iter().map(i64::try_from).collect();
                Self::I64(narrow.map_err(|_| "holds a whole number of 2^63 or more".to_owned())?)
            }
            ('b', 1) => Self::Bool(body.iter().map(|it| *it != 0).collect()),
            ('U', size) => Self::Str(unicode(body, size, big)?),
            ('S', size) => Self::Str(bytes_text(body, size)?),
            (kind, size) => {
                return Err(format!(
                    "has element type `{kind}{size}`, expected floats, integers, truth values or text"
                ));
            }
        })
    }

    fn encode(&self) -> (String, Vec<u8>) {
        fn all<T: Copy, const N: usize>(values: &[T], bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
            values.iter().flat_map(|it| bytes(*it)).collect()
        }
        match self {
            Self::F32(it) => ("<f4".into(), all(it, f32::to_le_bytes)),
            Self::F64(it) => ("<f8".into(), all(it, f64::to_le_bytes)),
            Self::I32(it) => ("<i4".into(), all(it, i32::to_le_bytes)),
            Self::I64(it) => ("<i8".into(), all(it, i64::to_le_bytes)),
            Self::U32(it) => ("<u4".into(), all(it, u32::to_le_bytes)),
            Self::U8(it) => ("|u1".into(), it.clone()),
            Self::Bool(it) => ("|b1".into(), it.iter().map(|it| u8::from(*it)).collect()),
            Self::Str(it) => {
                let width = it.iter().map(|it| it.chars().count()).max().unwrap_or(0).max(1);
                let mut body = Vec::with_capacity(it.len() * width * 4);
                for text in it {
                    let padded = text.chars().map(u32::from).chain(std::iter::repeat(0)).take(width);
                    body.extend(padded.flat_map(u32::to_le_bytes));
                }
                (format!("<U{width}"), body)
            }
        }
    }
}

impl Descr {
    fn element_bytes(&self) -> usize {
        if self.kind == 'U' { self.size.saturating_mul(4) } else { self.size }
    }
}

fn numbers<const N: usize, T>(body: &[u8], big: bool, convert: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (raws, _) = body.as_chunks::<N>();
    raws.iter()
        .map(|raw| {
            let mut raw = *raw;
            if big {
                raw.reverse();
            }
            convert(raw)
        })
        .collect()
}

/// IEEE 754 binary16.
fn half(bits: u16) -> f32 {
    let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    let size = match exponent {
        0 => mantissa * 2f32.powi(-24),
        31 if mantissa == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + mantissa / 1024.0) * 2f32.powi(exponent - 15),
    };
    if bits >> 15 == 1 { -size } else { size }
}

/// UTF-32 of fixed width, padded with zeros.
fn unicode(body: &[u8], size: usize, big: bool) -> std::result::Result<Vec<String>, String> {
    if size == 0 {
        return Err("holds texts of width 0".to_owned());
    }
    let codes = numbers(body, big, u32::from_le_bytes);
    let text = |it: &[u32]| -> Option<String> {
        let end = it.iter().rposition(|it| *it != 0).map_or(0, |it| it + 1);
        it[..end].iter().map(|it| char::from_u32(*it)).collect()
    };
    codes.chunks(size).map(text).collect::<Option<_>>().ok_or_else(|| "holds text that is not Unicode".to_owned())
}

/// Bytes of fixed width, padded with zeros.
fn bytes_text(body: &[u8], size: usize) -> std::result::Result<Vec<String>, String> {
    if size == 0 {
        return Err("holds texts of width 0".to_owned());
    }
    let text = |it: &[u8]| {
        let end = it.iter().rposition(|it| *it != 0).map_or(0, |it| it + 1);
        String::from_utf8(it[..end].to_vec()).map_err(|_| "holds bytes that are not UTF-8 text".to_owned())
    };
    body.chunks(size).map(text).collect()
}

/// Elements with the first axis fastest, put with the last axis fastest.
fn to_c_order(body: &[u8], shape: &[usize], width: usize) -> Vec<u8> {
    let n: usize = shape.iter().product();
    let mut out = Vec::with_capacity(body.len());
    let mut index = vec![0; shape.len()];
    for _ in 0..n {
        let at = index.iter().zip(shape).rev().fold(0, |acc, (it, extent)| acc * extent + it);
        out.extend_from_slice(&body[at * width..(at + 1) * width]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_agree() {
        // numpy: np.asfortranarray([[1, 2, 3], [4, 5, 6]]) stores 1 4 2 5 3 6.
        assert_eq!(to_c_order(&[1, 4, 2, 5, 3, 6], &[2, 3], 1), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn halves() {
        assert_eq!((half(0x3c00), half(0xc000), half(0x0001)), (1.0, -2.0, 5.960_464_5e-8));
    }
}
