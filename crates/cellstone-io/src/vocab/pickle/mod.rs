//! Pickles of plain values, read as data.
//!
//! A pickle is a program for a small stack machine, and some of its instructions import and call anything. This reader
//! knows the instructions that build dictionaries, lists, tuples, texts and numbers, and refuses every other by name
//! and place. Values are kept once, however often the program refers to them, and what is copied out of them is
//! counted: memory grows with the file, not with what it describes. Opcodes: CPython, `Lib/pickletools.py`.

mod bytes;
mod machine;
#[cfg(test)]
mod tests;

use super::convert::Scalar;
use cellstone_core::{Error, Result};
use machine::{Machine, Node};
use std::path::Path;

/// Bytes that may be copied out of a pickle for every byte of it. An id that many names lead to is stored once and
/// referred to with two to five bytes.
const COPIES: usize = 64;

/// The entries of a dictionary, or the texts of a list with their places.
pub(super) fn entries(path: &Path, bytes: &[u8]) -> Result<Vec<(String, Scalar)>> {
    let (machine, root) = Machine::run(bytes).map_err(|it| it.into_error(path))?;
    let mut copy = Copy { machine: &machine, left: bytes.len().saturating_mul(COPIES) };
    copy.entries(root).map_err(|what| Error::invalid_input(format!("`{}`: {what}", path.display())))
}

/// Takes values out of the machine.
struct Copy<'a> {
    machine: &'a Machine<'a>,
    left: usize,
}

type Copied<T> = std::result::Result<T, String>;

impl Copy<'_> {
    fn entries(&mut self, root: u32) -> Copied<Vec<(String, Scalar)>> {
        let machine = self.machine;
        match machine.node(root) {
            Node::Dict(pairs) => pairs
                .iter()
                .map(|(key, value)| match machine.node(*key) {
                    Node::Text(it) => Ok((self.text(it)?, self.scalar(*value)?)),
                    other => Err(format!("a key of the dictionary is {}, expected text", other.kind())),
                })
                .collect(),
            Node::List(items) | Node::Tuple(items) => items
                .iter()
                .enumerate()
                .map(|(at, item)| match machine.node(*item) {
                    Node::Text(it) => Ok((self.text(it)?, Scalar::Int(at as i64))),
                    other => Err(format!("entry {at} of the list is {}, expected text", other.kind())),
                })
                .collect(),
            other => Err(format!("the pickle holds {}, expected a dictionary or a list", other.kind())),
        }
    }

    fn scalar(&mut self, at: u32) -> Copied<Scalar> {
        let machine = self.machine;
        Ok(match machine.node(at) {
            Node::Int(it) => Scalar::Int(*it),
            Node::Float(it) => Scalar::Float(*it),
            Node::Text(it) => Scalar::Text(self.text(it)?),
            Node::List(items) | Node::Tuple(items) => {
                let mut texts = Vec::new();
                for item in items {
                    let Node::Text(it) = machine.node(*item) else {
                        return Ok(Scalar::Other("a list of other things than texts"));
                    };
                    texts.push(self.text(it)?);
                }
                Scalar::Texts(texts)
            }
            other => Scalar::Other(other.kind()),
        })
    }

    fn text(&mut self, text: &str) -> Copied<String> {
        // A text of no length takes room too.
        self.left = self
            .left
            .checked_sub(text.len() + 1)
            .ok_or("the pickle describes far more than it holds: it refers to the same values again and again")?;
        Ok(text.to_owned())
    }
}
