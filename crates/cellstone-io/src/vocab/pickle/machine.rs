//! The stack machine.

use super::bytes::{Cursor, Stop, Why, unescape};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A value and what it is made of, by place.
#[derive(Debug)]
pub(super) enum Node<'a> {
    None,
    /// Which one is of no use in a vocabulary.
    Bool,
    Int(i64),
    Float(f64),
    Text(Cow<'a, str>),
    List(Vec<u32>),
    Tuple(Vec<u32>),
    Dict(Vec<(u32, u32)>),
}

impl Node<'_> {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Node::None => "None",
            Node::Bool => "a truth value",
            Node::Int(_) => "a whole number",
            Node::Float(_) => "a float",
            Node::Text(_) => "a text",
            Node::List(_) => "a list",
            Node::Tuple(_) => "a tuple",
            Node::Dict(_) => "a dictionary",
        }
    }
}

/// Everything that was built so far, each value once.
pub(super) struct Machine<'a> {
    nodes: Vec<Node<'a>>,
    stack: Vec<u32>,
    marks: Vec<usize>,
    memo: BTreeMap<u64, u32>,
}

type Step<T = ()> = Result<T, Stop>;

impl<'a> Machine<'a> {
    /// Runs the program; the machine and the value that it ends with.
    pub(super) fn run(bytes: &'a [u8]) -> Step<(Self, u32)> {
        let mut machine = Self { nodes: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: BTreeMap::new() };
        let mut cursor = Cursor::new(bytes);
        loop {
            let at = cursor.at;
            let opcode = cursor.byte()?;
            if opcode == b'.' {
                let root = machine.pop(&cursor)?;
                return Ok((machine, root));
            }
            machine.step(opcode, at, &mut cursor)?;
        }
    }

    pub(super) fn node(&self, at: u32) -> &Node<'a> {
        &self.nodes[at as usize]
    }

    fn step(&mut self, opcode: u8, at: usize, cursor: &mut Cursor<'a>) -> Step {
        match opcode {
            // PROTO; FRAME, whose length is of no use here.
            0x80 => {
                if cursor.byte()? > 5 {
                    return Err(cursor.bad("the pickle has a protocol above 5"));
                }
            }
            0x95 => drop(cursor.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop(cursor)?),
            // Numbers and constants.
            b'N' => self.push(Node::None, cursor)?,
            0x88 | 0x89 => self.push(Node::Bool, cursor)?,
            b'J' => self.int(4, cursor)?,
            b'K' => self.unsigned(1, cursor)?,
            b'M' => self.unsigned(2, cursor)?,
            0x8a => {
                let width = cursor.length(1)?;
                self.int(width, cursor)?;
            }
            0x8b => {
                let width = cursor.length(4)?;
                self.int(width, cursor)?;
            }
            b'I' | b'L' => self.int_line(cursor)?,
            b'G' => {
                let value = cursor.float()?;
                self.push(Node::Float(value), cursor)?;
            }
            b'F' => {
                let value = cursor.line()?.parse().map_err(|_| cursor.bad("a float cannot be read"))?;
                self.push(Node::Float(value), cursor)?;
            }
            // Texts: of Python 3, of Python 2 and of protocol 0.
            0x8c | b'U' => self.text(1, cursor)?,
            b'X' | b'T' => self.text(4, cursor)?,
            0x8d => self.text(8, cursor)?,
            b'S' | b'V' => {
                let text = unescape(cursor.line()?, opcode == b'S');
                let text = text.ok_or_else(|| cursor.bad("a text has an escape that cannot be read"))?;
                self.push(Node::Text(Cow::Owned(text)), cursor)?;
            }
            _ => return self.build(opcode, at, cursor),
        }
        Ok(())
    }

    /// Collections and the memo.
    fn build(&mut self, opcode: u8, at: usize, cursor: &mut Cursor<'a>) -> Step {
        match opcode {
            b'}' => self.push(Node::Dict(Vec::new()), cursor),
            b']' => self.push(Node::List(Vec::new()), cursor),
            b')' => self.push(Node::Tuple(Vec::new()), cursor),
            b'd' => {
                let pairs = pairs(self.since_mark(cursor)?, cursor)?;
                self.push(Node::Dict(pairs), cursor)
            }
            b'l' => {
                let items = self.since_mark(cursor)?;
                self.push(Node::List(items), cursor)
            }
            b't' => {
                let items = self.since_mark(cursor)?;
                self.push(Node::Tuple(items), cursor)
            }
            0x85..=0x87 => {
                let mut items = Vec::new();
                for _ in 0..opcode - 0x84 {
                    items.push(self.pop(cursor)?);
                }
                items.reverse();
                self.push(Node::Tuple(items), cursor)
            }
            b's' => {
                let (value, key) = (self.pop(cursor)?, self.pop(cursor)?);
                self.dict(cursor)?.push((key, value));
                Ok(())
            }
            b'u' => {
                let pairs = pairs(self.since_mark(cursor)?, cursor)?;
                self.dict(cursor)?.extend(pairs);
                Ok(())
            }
            b'a' => {
                let item = self.pop(cursor)?;
                self.list(cursor)?.push(item);
                Ok(())
            }
            b'e' => {
                let items = self.since_mark(cursor)?;
                self.list(cursor)?.extend(items);
                Ok(())
            }
            _ => self.remember(opcode, at, cursor),
        }
    }

    fn remember(&mut self, opcode: u8, at: usize, cursor: &mut Cursor<'a>) -> Step {
        let key = match opcode {
            0x94 => self.memo.len() as u64,
            b'q' | b'h' => cursor.unsigned(1)?,
            b'r' | b'j' => cursor.unsigned(4)?,
            b'p' | b'g' => cursor.line()?.parse().map_err(|_| cursor.bad("a place in the memo cannot be read"))?,
            _ => return Err(Stop { at, why: refused(opcode) }),
        };
        if matches!(opcode, b'h' | b'j' | b'g') {
            let Some(found) = self.memo.get(&key) else {
                return Err(cursor.bad("the pickle refers to a value that it has not kept"));
            };
            self.stack.push(*found);
        } else {
            self.memo.insert(key, self.top(cursor)?);
        }
        Ok(())
    }

    fn push(&mut self, node: Node<'a>, cursor: &Cursor<'_>) -> Step {
        let at = u32::try_from(self.nodes.len()).map_err(|_| cursor.bad("the pickle holds too many values"))?;
        self.nodes.push(node);
        self.stack.push(at);
        Ok(())
    }

    fn int(&mut self, width: usize, cursor: &mut Cursor<'a>) -> Step {
        let value = cursor.signed(width)?;
        self.push(Node::Int(value), cursor)
    }

    fn unsigned(&mut self, width: usize, cursor: &mut Cursor<'a>) -> Step {
        let value = cursor.unsigned(width)?;
        self.push(Node::Int(value as i64), cursor)
    }

    /// A number of protocol 0; `01` and `00` are its truth values.
    fn int_line(&mut self, cursor: &mut Cursor<'a>) -> Step {
        let node = match cursor.line()? {
            "00" | "01" => Node::Bool,
            text => {
                let text = text.strip_suffix('L').unwrap_or(text);
                Node::Int(text.parse().map_err(|_| cursor.bad("a whole number cannot be read, or has over 64 bits"))?)
            }
        };
        self.push(node, cursor)
    }

    fn text(&mut self, width: usize, cursor: &mut Cursor<'a>) -> Step {
        let n = cursor.length(width)?;
        let text = cursor.utf8(n)?;
        self.push(Node::Text(Cow::Borrowed(text)), cursor)
    }

    /// The lowest place that the open mark leaves to the instructions behind it.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self, cursor: &Cursor<'_>) -> Step<u32> {
        let above = self.stack.len() > self.floor();
        self.stack.last().copied().filter(|_| above).ok_or_else(|| cursor.bad("an instruction finds no value"))
    }

    fn pop(&mut self, cursor: &Cursor<'_>) -> Step<u32> {
        let top = self.top(cursor)?;
        self.stack.pop();
        Ok(top)
    }

    fn since_mark(&mut self, cursor: &Cursor<'_>) -> Step<Vec<u32>> {
        let mark = self.marks.pop().ok_or_else(|| cursor.bad("an instruction finds no mark"))?;
        Ok(self.stack.split_off(mark))
    }

    fn dict(&mut self, cursor: &Cursor<'_>) -> Step<&mut Vec<(u32, u32)>> {
        let top = self.top(cursor)?;
        match &mut self.nodes[top as usize] {
            Node::Dict(it) => Ok(it),
            _ => Err(cursor.bad("an entry is added to what is no dictionary")),
        }
    }

    fn list(&mut self, cursor: &Cursor<'_>) -> Step<&mut Vec<u32>> {
        let top = self.top(cursor)?;
        match &mut self.nodes[top as usize] {
            Node::List(it) => Ok(it),
            _ => Err(cursor.bad("an item is added to what is no list")),
        }
    }
}

fn pairs(items: Vec<u32>, cursor: &Cursor<'_>) -> Step<Vec<(u32, u32)>> {
    if !items.len().is_multiple_of(2) {
        return Err(cursor.bad("a key of a dictionary has no value"));
    }
    Ok(items.chunks_exact(2).map(|it| (it[0], it[1])).collect())
}

/// Why an opcode is not followed.
fn refused(opcode: u8) -> Why {
    let of = |name, runs_code| Why::Refused { opcode, name, runs_code };
    match opcode {
        b'c' => of("GLOBAL", true),
        0x93 => of("STACK_GLOBAL", true),
        b'R' => of("REDUCE", true),
        b'b' => of("BUILD", true),
        b'i' => of("INST", true),
        b'o' => of("OBJ", true),
        0x81 => of("NEWOBJ", true),
        0x92 => of("NEWOBJ_EX", true),
        0x82 => of("EXT1", true),
        0x83 => of("EXT2", true),
        0x84 => of("EXT4", true),
        b'P' => of("PERSID", true),
        b'Q' => of("BINPERSID", true),
        b'B' => of("BINBYTES", false),
        b'C' => of("SHORT_BINBYTES", false),
        0x8e => of("BINBYTES8", false),
        0x96 => of("BYTEARRAY8", false),
        0x97 => of("NEXT_BUFFER", false),
        0x98 => of("READONLY_BUFFER", false),
        0x8f => of("EMPTY_SET", false),
        0x90 => of("ADDITEMS", false),
        0x91 => of("FROZENSET", false),
        b'1' => of("POP_MARK", false),
        b'2' => of("DUP", false),
        _ => Why::Unknown(opcode),
    }
}
