//! JSON objects and lists, entries in the order of the file.
//!
//! serde_json checks the whole and decodes texts; what it does not do here is read numbers. Its fast way may miss the
//! nearest float by one unit in the last place, and between two genes of nearly equal rank value that place decides. So
//! the values of the outermost object are found by a walk over the checked bytes, and numbers go through `str::parse`.

use super::convert::Scalar;
use cellstone_core::{Error, Result};
use serde::de::IgnoredAny;
use std::ops::Range;
use std::path::Path;

/// The entries of an object, or the texts of a list with their places.
pub(super) fn entries(path: &Path, bytes: &[u8]) -> Result<Vec<(String, Scalar)>> {
    let wrong = |error: &serde_json::Error| {
        let named = Error::invalid_input(format!("`{}` is not the JSON of a vocabulary: {error}", path.display()));
        if error.is_eof() { named.with_hint("the file may be truncated: copy or download it again") } else { named }
    };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| wrong(&error))?;
    match bytes.iter().find(|it| !it.is_ascii_whitespace()) {
        Some(b'{') => {
            let text = |at: Range<usize>| serde_json::from_slice::<String>(&bytes[at]).map_err(|error| wrong(&error));
            Walk { bytes, at: 0 }.members().map(|(key, value)| Ok((text(key)?, scalar(&bytes[value])))).collect()
        }
        Some(b'[') => {
            let names: Vec<String> = serde_json::from_slice(bytes).map_err(|error| wrong(&error))?;
            Ok(names.into_iter().zip(0..).map(|(name, at)| (name, Scalar::Int(at))).collect())
        }
        _ => Err(Error::invalid_input(format!(
            "`{}` is not the JSON of a vocabulary: expected an object of names and values, or a list of names",
            path.display()
        ))),
    }
}

/// One value, from its text.
fn scalar(bytes: &[u8]) -> Scalar {
    match bytes.first() {
        Some(b'"') => serde_json::from_slice(bytes).map_or(Scalar::Other("a text that is not UTF-8"), Scalar::Text),
        Some(b'[') => {
            serde_json::from_slice(bytes).map_or(Scalar::Other("a list of other things than texts"), Scalar::Texts)
        }
        Some(b'{') => Scalar::Other("an object"),
        Some(b't' | b'f') => Scalar::Other("a truth value"),
        Some(b'n') => Scalar::Other("null"),
        _ => {
            let text = std::str::from_utf8(bytes).unwrap_or_default();
            match (text.parse(), text.parse()) {
                (Ok(it), _) => Scalar::Int(it),
                (Err(_), Ok(it)) => Scalar::Float(it),
                (Err(_), Err(_)) => Scalar::Other("a number that cannot be read"),
            }
        }
    }
}

/// A place in bytes that are JSON.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Walk<'_> {
    /// Keys and values of the object that begins here.
    fn members(mut self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        self.skip_to(b'{');
        std::iter::from_fn(move || {
            self.skip_to(b'"')?;
            let key = self.at - 1..self.end_of_text()?;
            self.skip_to(b':')?;
            self.skip_blanks();
            let start = self.at;
            Some((key, start..self.end_of_value()?))
        })
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(|it| it.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// Behind the next such byte; `None` where the outermost object ends first.
    fn skip_to(&mut self, wanted: u8) -> Option<()> {
        loop {
            let byte = self.peek()?;
            self.at += 1;
            if byte == wanted {
                return Some(());
            }
            if byte == b'}' {
                return None;
            }
        }
    }

    /// Behind the closing quote of the text whose opening one was passed.
    fn end_of_text(&mut self) -> Option<usize> {
        loop {
            let byte = self.peek()?;
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                return Some(self.at);
            }
        }
    }

    /// Behind the value that begins here.
    fn end_of_value(&mut self) -> Option<usize> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    self.end_of_text()?;
                    if depth == 0 {
                        return Some(self.at);
                    }
                    continue;
                }
                b'[' | b'{' => depth += 1,
                b']' | b'}' | b',' if depth == 0 => return Some(self.at),
                b']' | b'}' => depth -= 1,
                it if depth == 0 && it.is_ascii_whitespace() => return Some(self.at),
                _ => {}
            }
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Vec<(String, Scalar)> {
        entries(Path::new("v.json"), text.as_bytes()).expect("reads")
    }

    #[test]
    fn values_of_every_kind() {
        let text = r#" { "a\"b" : 1 ,"\u00e9":-2.5e-3,"t":"x,}\\","l":["p","]"],"n":null,"o":{"k":[1,{"}":2}]},"f":true,
            "mixed":[1,"a"], "big": 123456789012345678901234567890 }"#;
        let want = [
            ("a\"b", Scalar::Int(1)),
            ("\u{e9}", Scalar::Float(-2.5e-3)),
            ("t", Scalar::Text("x,}\\".into())),
            ("l", Scalar::Texts(vec!["p".into(), "]".into()])),
            ("n", Scalar::Other("null")),
            ("o", Scalar::Other("an object")),
            ("f", Scalar::Other("a truth value")),
            ("mixed", Scalar::Other("a list of other things than texts")),
            ("big", Scalar::Float(123_456_789_012_345_678_901_234_567_890.0)),
        ];
        assert_eq!(read(text), want.map(|(key, value)| (key.to_owned(), value)));
        assert_eq!(read("{}"), []);
        assert_eq!(read("{\"a\":1,\"a\":2}").len(), 2);
    }

    proptest! {
        #[test]
        fn floats_are_the_nearest(values in prop::collection::vec(1e-8_f64..1e8, 1..20)) {
            let text: Vec<String> = values.iter().enumerate().map(|(at, it)| format!("\"{at}\": {it:?}")).collect();
            let found = read(&format!("{{{}}}", text.join(", ")));
            for ((_, found), value) in found.iter().zip(&values) {
                prop_assert_eq!(found, &Scalar::Float(*value));
            }
        }

        #[test]
        fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "[{}\\[\\]\",:a1\\\\ ]{0,40}") {
            let _ = entries(Path::new("v.json"), &bytes);
            let _ = entries(Path::new("v.json"), text.as_bytes());
        }
    }
}
