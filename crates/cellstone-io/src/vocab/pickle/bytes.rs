//! The bytes of a pickle from front to back, and what can be wrong with them.

use cellstone_core::Error;
use std::path::Path;

/// What stopped the reader, and where.
#[derive(Debug, PartialEq)]
pub(super) struct Stop {
    pub(super) at: usize,
    pub(super) why: Why,
}

#[derive(Debug, PartialEq)]
pub(super) enum Why {
    /// The file ends inside an instruction or before the last one.
    Truncated,
    /// An instruction that builds no plain value.
    Refused { opcode: u8, name: &'static str, runs_code: bool },
    /// An instruction of no pickle.
    Unknown(u8),
    /// The operands do not fit.
    Bad(&'static str),
}

impl Stop {
    /// The error for a person.
    pub(super) fn into_error(self, path: &Path) -> Error {
        let Self { at, why } = self;
        let shown = path.display();
        let again = "the file may be truncated: copy or download it again and compare its checksum";
        match why {
            Why::Truncated => {
                Error::invalid_input(format!("`{shown}` byte {at}: the pickle ends early")).with_hint(again)
            }
            Why::Refused { opcode, name, runs_code } => {
                let what = if runs_code { "would run code, which is never done" } else { "builds no plain value" };
                Error::invalid_input(format!("`{shown}` byte {at}: opcode {name} (0x{opcode:02x}) {what}")).with_hint(
                    "numbers of NumPy and tables of pandas need code: where you trust the file, convert it in Python: \
                     json.dump({str(k): v.item() if hasattr(v, 'item') else v for k, v in \
                     pickle.load(open('F.pkl', 'rb')).items()}, open('F.json', 'w'))",
                )
            }
            Why::Unknown(opcode) => {
                Error::invalid_input(format!("`{shown}` byte {at}: 0x{opcode:02x} is no opcode of a pickle"))
                    .with_hint(again)
            }
            Why::Bad(what) => Error::invalid_input(format!("`{shown}` byte {at}: {what}")),
        }
    }
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

    fn stop(&self, why: Why) -> Stop {
        Stop { at: self.at, why }
    }

    pub(super) fn bad(&self, what: &'static str) -> Stop {
        self.stop(Why::Bad(what))
    }

    pub(super) fn take(&mut self, n: usize) -> Result<&'a [u8], Stop> {
        let end = self.at.checked_add(n).filter(|it| *it <= self.bytes.len());
        let Some(end) = end else { return Err(self.stop(Why::Truncated)) };
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

    /// As a length in memory.
    pub(super) fn length(&mut self, width: usize) -> Result<usize, Stop> {
        let n = self.unsigned(width)?;
        usize::try_from(n).map_err(|_| self.stop(Why::Truncated))
    }

    /// A signed number of `width` bytes in two's complement; none is 0.
    pub(super) fn signed(&mut self, width: usize) -> Result<i64, Stop> {
        if width > 8 {
            return Err(self.bad("a number has more than 64 bits"));
        }
        let value = self.unsigned(width)?;
        let unused = 64 - 8 * width as u32;
        Ok(if width == 0 { 0 } else { (value << unused) as i64 >> unused })
    }

    pub(super) fn float(&mut self) -> Result<f64, Stop> {
        // The one number of a pickle that is big-endian.
        Ok(f64::from_bits(self.take(8)?.iter().fold(0, |sum, it| sum << 8 | u64::from(*it))))
    }

    pub(super) fn utf8(&mut self, n: usize) -> Result<&'a str, Stop> {
        let at = self.at;
        std::str::from_utf8(self.take(n)?).map_err(|_| Stop { at, why: Why::Bad("a text is not UTF-8") })
    }

    /// The text up to the end of the line, as protocol 0 has it.
    pub(super) fn line(&mut self) -> Result<&'a str, Stop> {
        let Some(n) = self.bytes[self.at..].iter().position(|it| *it == b'\n') else {
            return Err(self.stop(Why::Truncated));
        };
        let text = self.utf8(n)?;
        self.at += 1;
        Ok(text.strip_suffix('\r').unwrap_or(text))
    }
}

/// A text in Python's source form, of protocol 0: quoted, or (`quoted` false) with `\u` escapes alone.
pub(super) fn unescape(text: &str, quoted: bool) -> Option<String> {
    let text = if quoted {
        let quote = text.chars().next().filter(|it| matches!(it, '\'' | '"'))?;
        text.strip_prefix(quote)?.strip_suffix(quote)?
    } else {
        text
    };
    let (mut out, mut rest) = (String::with_capacity(text.len()), text.chars());
    while let Some(it) = rest.next() {
        if it != '\\' {
            out.push(it);
            continue;
        }
        let digits = match rest.next()? {
            'u' if !quoted => 4,
            'U' if !quoted => 8,
            'x' if quoted => 2,
            'n' if quoted => {
                out.push('\n');
                continue;
            }
            't' if quoted => {
                out.push('\t');
                continue;
            }
            'r' if quoted => {
                out.push('\r');
                continue;
            }
            it @ ('\\' | '\'' | '"') if quoted => {
                out.push(it);
                continue;
            }
            _ => return None,
        };
        let code: Option<String> = (0..digits).map(|_| rest.next()).collect();
        let code = u32::from_str_radix(&code?, 16).ok()?;
        // A byte above 127 has no meaning without an encoding.
        out.push(char::from_u32(code).filter(|it| !quoted || it.is_ascii())?);
    }
    Some(out)
}
