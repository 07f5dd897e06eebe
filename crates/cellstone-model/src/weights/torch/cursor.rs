//! The bytes of a pickle from front to back.

/// What stopped the reader, and at which byte.
#[derive(Debug, PartialEq)]
pub(super) struct Stop {
    pub(super) at: usize,
    pub(super) what: String,
}

/// A place in the bytes.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn stop(&self, what: impl Into<String>) -> Stop {
        Stop { at: self.at, what: what.into() }
    }

    pub(super) fn take(&mut self, n: usize) -> Result<&'a [u8], Stop> {
        let end = self.at.checked_add(n).filter(|it| *it <= self.bytes.len());
        let Some(end) = end else { return Err(self.stop("the pickle ends early")) };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Stop> {
        self.take(1).map(|it| it[0])
    }

    /// An unsigned number of up to eight bytes, little-endian.
    pub(super) fn unsigned(&mut self, width: usize) -> Result<u64, Stop> {
        Ok(self.take(width)?.iter().rev().fold(0, |sum, it| sum << 8 | u64::from(*it)))
    }

    /// A length that memory can have.
    pub(super) fn length(&mut self, width: usize) -> Result<usize, Stop> {
        let n = self.unsigned(width)?;
        usize::try_from(n).map_err(|_| self.stop("a length does not fit into memory"))
    }

    /// A number in two's complement; none of more than 64 bits stands in a checkpoint.
    pub(super) fn signed(&mut self, width: usize) -> Result<i64, Stop> {
        match width {
            0 => Ok(0),
            1..=8 => {
                let unused = 64 - 8 * width as u32;
                Ok((self.unsigned(width)? << unused) as i64 >> unused)
            }
            _ => Err(self.stop("a number has more than 64 bits")),
        }
    }

    pub(super) fn text(&mut self, n: usize) -> Result<&'a str, Stop> {
        let at = self.at;
        std::str::from_utf8(self.take(n)?).map_err(|_| Stop { at, what: "a text is not UTF-8".to_owned() })
    }

    /// The text up to the end of the line.
    pub(super) fn line(&mut self) -> Result<&'a str, Stop> {
        let Some(n) = self.bytes[self.at..].iter().position(|it| *it == b'\n') else {
            return Err(self.stop("the pickle ends early"));
        };
        let text = self.text(n)?;
        self.at += 1;
        Ok(text)
    }
}
