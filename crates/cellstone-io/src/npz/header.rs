//! The header of a `.npy` file: a Python dictionary of element type, order and shape.
//!
//! Format: NumPy enhancement proposal 1 (NEP 1), versions 1.0, 2.0 and 3.0.

/// What the header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub descr: Descr,
    pub fortran: bool,
    pub shape: Vec<usize>,
    /// Where the data begin.
    pub length: usize,
}

/// An element type: byte order, kind and size as NumPy writes them (`<f4`, `|b1`, `<U19`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Descr {
    pub big_endian: bool,
    pub kind: char,
    /// Bytes of an element; for `U`, characters.
    pub size: usize,
}

/// Reads the header at the start of `bytes`; the error is a fragment for the caller to place.
pub(crate) fn parse_header(bytes: &[u8]) -> Result<Header, String> {
    if !bytes.starts_with(b"\x93NUMPY") {
        return Err("does not begin as a NumPy array does".to_owned());
    }
    let cut_off = || "ends inside its header: the file is truncated".to_owned();
    let version = *bytes.get(6).ok_or_else(cut_off)?;
    let (length, start) = match version {
        1 => (usize::from(u16::from_le_bytes(fixed(bytes, 8).ok_or_else(cut_off)?)), 10),
        2 | 3 => (u32::from_le_bytes(fixed(bytes, 8).ok_or_else(cut_off)?) as usize, 12),
        other => return Err(format!("has format version {other}, expected 1 to 3")),
    };
    let text = bytes.get(start..start + length).ok_or_else(cut_off)?;
    let text = std::str::from_utf8(text).map_err(|_| "has a header that is not text".to_owned())?;
    let bad = |key: &str| format!("has a header without a readable `{key}` (`{}`)", text.trim());
    let descr = value_of(text, "descr").ok_or_else(|| bad("descr"))?;
    let descr = parse_descr(descr)?;
    let order = value_of(text, "fortran_order").ok_or_else(|| bad("fortran_order"))?;
    let fortran = match order {
        it if it.starts_with("True") => true,
        it if it.starts_with("False") => false,
        _ => return Err(bad("fortran_order")),
    };
    let shape = value_of(text, "shape").and_then(parse_shape).ok_or_else(|| bad("shape"))?;
    Ok(Header { descr, fortran, shape, length: start + length })
}

/// The header of an array in C order, padded so that the data begin at a multiple of 64 bytes.
pub(crate) fn format_header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let mut extents = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    if shape.len() == 1 {
        extents.push(',');
    }
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({extents}), }}");
    while (10 + text.len() + 1) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.into_bytes());
    bytes
}

fn fixed<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// The text behind `'key':`.
fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let quoted = [format!("'{key}':"), format!("\"{key}\":")];
    quoted.iter().find_map(|it| text.split_once(it.as_str())).map(|it| it.1.trim_start())
}

fn parse_descr(text: &str) -> Result<Descr, String> {
    if text.starts_with('[') {
        return Err("is a structured array, expected plain numbers or text".to_owned());
    }
    let inner = text.strip_prefix(['\'', '"']).and_then(|it| it.split(['\'', '"']).next()).unwrap_or_default();
    let mut chars = inner.chars();
    let unknown = || format!("has the unknown element type `{inner}`");
    let (order, kind) = (chars.next().ok_or_else(unknown)?, chars.next().ok_or_else(unknown)?);
    if kind == 'O' || order == 'O' {
        return Err("holds Python objects (dtype `object`)".to_owned());
    }
    if !matches!(order, '<' | '>' | '|' | '=') {
        return Err(unknown());
    }
    let size = chars.as_str().parse().map_err(|_| unknown())?;
    Ok(Descr { big_endian: order == '>', kind, size })
}

fn parse_shape(text: &str) -> Option<Vec<usize>> {
    let inner = text.strip_prefix('(')?.split(')').next()?;
    inner
        .split(',')
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .map(|it| it.trim_end_matches('L').parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for shape in [vec![], vec![3], vec![2, 5]] {
            let bytes = format_header("<U19", &shape);
            assert_eq!(bytes.len() % 64, 0);
            let header = parse_header(&bytes).expect("valid");
            let descr = Descr { big_endian: false, kind: 'U', size: 19 };
            assert_eq!(header, Header { descr, fortran: false, shape, length: bytes.len() });
        }
    }

    #[test]
    fn bad_headers_are_told_apart() {
        let check = |bytes: &[u8], want: &str| assert_eq!(parse_header(bytes).expect_err("bad"), want);
        check(b"PK", "does not begin as a NumPy array does");
        check(b"\x93NUMPY\x01\x00\xff\x00{", "ends inside its header: the file is truncated");
        check(&format_header("|O", &[2]), "holds Python objects (dtype `object`)");
        check(&format_header("<q", &[2]), "has the unknown element type `<q`");
    }
}
