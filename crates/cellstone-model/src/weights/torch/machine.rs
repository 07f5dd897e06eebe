//! The stack machine of a pickle, with the few functions of PyTorch that put tensors together.

use super::cursor::{Cursor, Stop};
use std::collections::BTreeMap;

/// A value; those inside it are named by their place.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// A number or constant that no tensor needs.
    Plain,
    Int(i64),
    Text(String),
    List(Vec<u32>),
    Tuple(Vec<u32>),
    Dict(Vec<(u32, u32)>),
    /// A class or function, by module and name.
    Global(String),
    Storage(Storage),
    Tensor(View),
    /// What a function that is not called would have made.
    Opaque(String),
}

/// The numbers behind tensors.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Storage {
    /// Such as `FloatStorage`.
    pub(super) kind: String,
    /// Its entry in the archive.
    pub(super) key: String,
    /// How many numbers.
    pub(super) len: usize,
}

/// A tensor as a window of a storage.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct View {
    pub(super) storage: Storage,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// Everything that was built so far, each value once.
#[derive(Debug, Default)]
pub(super) struct Machine {
    nodes: Vec<Node>,
    stack: Vec<u32>,
    marks: Vec<usize>,
    memo: BTreeMap<u64, u32>,
}

type Step<T = ()> = Result<T, Stop>;

impl Machine {
    /// Runs the program; the machine and the value that it ends with.
    pub(super) fn run(bytes: &[u8]) -> Step<(Self, u32)> {
        let mut machine = Self::default();
        let mut cursor = Cursor::new(bytes);
        loop {
            let opcode = cursor.byte()?;
            if opcode == b'.' {
                let root = machine.pop(&cursor)?;
                return Ok((machine, root));
            }
            machine.constant(opcode, &mut cursor)?;
        }
    }

    pub(super) fn node(&self, at: u32) -> &Node {
        &self.nodes[at as usize]
    }

    /// Numbers, texts and other values without parts.
    fn constant(&mut self, opcode: u8, cursor: &mut Cursor<'_>) -> Step {
        let node = match opcode {
            // PROTO, FRAME: nothing depends on them.
            0x80 => return cursor.take(1).map(drop),
            0x95 => return cursor.take(8).map(drop),
            b'N' | 0x88 | 0x89 => Node::Plain,
            b'G' => {
                cursor.take(8)?;
                Node::Plain
            }
            b'J' => Node::Int(cursor.signed(4)?),
            b'K' => Node::Int(cursor.unsigned(1)? as i64),
            b'M' => Node::Int(cursor.unsigned(2)? as i64),
            0x8a => {
                let width = cursor.length(1)?;
                Node::Int(cursor.signed(width)?)
            }
            0x8c => text(1, cursor)?,
            b'X' => text(4, cursor)?,
            0x8d => text(8, cursor)?,
            // Bytes of either Python: no name of a tensor is one.
            b'U' | b'C' => bytes(1, cursor)?,
            b'T' | b'B' => bytes(4, cursor)?,
            b'c' => {
                let (module, name) = (cursor.line()?, cursor.line()?);
                Node::Global(format!("{module}.{name}"))
            }
            _ => return self.collection(opcode, cursor),
        };
        self.push(node, cursor)
    }

    /// Collections.
    fn collection(&mut self, opcode: u8, cursor: &mut Cursor<'_>) -> Step {
        match opcode {
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'}' => self.push(Node::Dict(Vec::new()), cursor),
            b']' | 0x8f => self.push(Node::List(Vec::new()), cursor),
            b')' => self.push(Node::Tuple(Vec::new()), cursor),
            b't' => {
                let items = self.since_mark(cursor)?;
                self.push(Node::Tuple(items), cursor)
            }
            0x85..=0x87 => {
                let mut items = (0..opcode - 0x84).map(|_| self.pop(cursor)).collect::<Step<Vec<_>>>()?;
                items.reverse();
                self.push(Node::Tuple(items), cursor)
            }
            b's' => {
                let (value, key) = (self.pop(cursor)?, self.pop(cursor)?);
                self.extend(vec![key, value], cursor)
            }
            b'u' => {
                let items = self.since_mark(cursor)?;
                self.extend(items, cursor)
            }
            b'a' => {
                let item = self.pop(cursor)?;
                self.append(vec![item], cursor)
            }
            b'e' | 0x90 => {
                let items = self.since_mark(cursor)?;
                self.append(items, cursor)
            }
            b'0' => self.pop(cursor).map(drop),
            _ => self.remember(opcode, cursor),
        }
    }

    fn remember(&mut self, opcode: u8, cursor: &mut Cursor<'_>) -> Step {
        let key = match opcode {
            0x94 => self.memo.len() as u64,
            b'q' | b'h' => cursor.unsigned(1)?,
            b'r' | b'j' => cursor.unsigned(4)?,
            _ => return self.object(opcode, cursor),
        };
        if matches!(opcode, b'h' | b'j') {
            let found = self.memo.get(&key).copied();
            self.stack.push(found.ok_or_else(|| cursor.stop("the pickle refers to a value that it has not kept"))?);
        } else {
            let top = self.top(cursor)?;
            self.memo.insert(key, top);
        }
        Ok(())
    }

    /// What would be objects: storages and tensors are, anything else is opaque.
    fn object(&mut self, opcode: u8, cursor: &mut Cursor<'_>) -> Step {
        match opcode {
            // STACK_GLOBAL.
            0x93 => {
                let (name, module) = (self.pop(cursor)?, self.pop(cursor)?);
                let (Node::Text(module), Node::Text(name)) = (self.node(module), self.node(name)) else {
                    return Err(cursor.stop("a class without a name"));
                };
                self.push(Node::Global(format!("{module}.{name}")), cursor)
            }
            // BINPERSID.
            b'Q' => {
                let id = self.pop(cursor)?;
                let storage = self.storage(id).ok_or_else(|| cursor.stop("a reference that names no storage"))?;
                self.push(Node::Storage(storage), cursor)
            }
            // REDUCE, NEWOBJ.
            b'R' | 0x81 => {
                let (arguments, function) = (self.pop(cursor)?, self.pop(cursor)?);
                let made = self.call(function, arguments, cursor)?;
                self.push(made, cursor)
            }
            // BUILD: the state of an object; that of a dictionary holds versions of modules.
            b'b' => self.pop(cursor).map(drop),
            _ => Err(cursor.stop(format!("opcode 0x{opcode:02x} stands in no checkpoint"))),
        }
    }

    /// `('storage', KIND, KEY, DEVICE, LENGTH)`.
    fn storage(&self, id: u32) -> Option<Storage> {
        let Node::Tuple(parts) = self.node(id) else { return None };
        let [tag, kind, key, _, len] = parts[..] else { return None };
        match (self.node(tag), self.node(kind), self.node(key), self.node(len)) {
            (Node::Text(tag), Node::Global(kind), Node::Text(key), Node::Int(len)) if tag == "storage" => {
                let kind = kind.rsplit('.').next().unwrap_or_default().to_owned();
                Some(Storage { kind, key: key.clone(), len: usize::try_from(*len).ok()? })
            }
            _ => None,
        }
    }

    fn call(&self, function: u32, arguments: u32, cursor: &Cursor<'_>) -> Step<Node> {
        let Node::Global(name) = self.node(function) else { return Err(cursor.stop("a call of what is no function")) };
        let Node::Tuple(arguments) = self.node(arguments) else {
            return Err(cursor.stop(format!("`{name}` without arguments")));
        };
        let bad = || cursor.stop(format!("`{name}` with arguments that make no tensor"));
        Ok(match name.as_str() {
            "collections.OrderedDict" if arguments.is_empty() => Node::Dict(Vec::new()),
            "torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2" => {
                Node::Tensor(self.view(arguments).ok_or_else(bad)?)
            }
            "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state" => {
                let data = arguments.first().map(|it| self.node(*it));
                data.filter(|it| matches!(it, Node::Tensor(_))).cloned().ok_or_else(bad)?
            }
            // A shape is a tuple with a name.
            "torch.Size" => arguments.first().map(|it| self.node(*it)).cloned().ok_or_else(bad)?,
            _ => Node::Opaque(name.clone()),
        })
    }

    fn view(&self, arguments: &[u32]) -> Option<View> {
        let [storage, offset, shape, strides, ..] = arguments[..] else { return None };
        let (Node::Storage(storage), Node::Int(offset)) = (self.node(storage), self.node(offset)) else { return None };
        let (shape, strides) = (self.lengths(shape)?, self.lengths(strides)?);
        let view = View { storage: storage.clone(), offset: usize::try_from(*offset).ok()?, shape, strides };
        (view.shape.len() == view.strides.len()).then_some(view)
    }

    fn lengths(&self, at: u32) -> Option<Vec<usize>> {
        let Node::Tuple(parts) = self.node(at) else { return None };
        let whole = |it: &u32| match self.node(*it) {
            Node::Int(it) => usize::try_from(*it).ok(),
            _ => None,
        };
        parts.iter().map(whole).collect()
    }

    fn push(&mut self, node: Node, cursor: &Cursor<'_>) -> Step {
        let at = u32::try_from(self.nodes.len()).map_err(|_| cursor.stop("the pickle holds too many values"))?;
        self.nodes.push(node);
        self.stack.push(at);
        Ok(())
    }

    fn top(&self, cursor: &Cursor<'_>) -> Step<u32> {
        // What lies below an open mark is not for the instructions behind it.
        let above = self.stack.len() > self.marks.last().copied().unwrap_or(0);
        self.stack.last().copied().filter(|_| above).ok_or_else(|| cursor.stop("an instruction finds no value"))
    }

    fn pop(&mut self, cursor: &Cursor<'_>) -> Step<u32> {
        let top = self.top(cursor)?;
        self.stack.pop();
        Ok(top)
    }

    fn since_mark(&mut self, cursor: &Cursor<'_>) -> Step<Vec<u32>> {
        let mark = self.marks.pop().ok_or_else(|| cursor.stop("an instruction finds no mark"))?;
        Ok(self.stack.split_off(mark))
    }

    /// Adds keys and values by turns to the dictionary on top.
    fn extend(&mut self, items: Vec<u32>, cursor: &Cursor<'_>) -> Step {
        let top = self.top(cursor)?;
        let (pairs, rest) = items.as_chunks::<2>();
        match &mut self.nodes[top as usize] {
            Node::Dict(it) if rest.is_empty() => it.extend(pairs.iter().map(|it| (it[0], it[1]))),
            // What such an object is like does not matter.
            Node::Opaque(_) => {}
            _ => return Err(cursor.stop("entries that fit into no dictionary")),
        }
        Ok(())
    }

    fn append(&mut self, items: Vec<u32>, cursor: &Cursor<'_>) -> Step {
        let top = self.top(cursor)?;
        match &mut self.nodes[top as usize] {
            Node::List(it) => it.extend(items),
            Node::Opaque(_) => {}
            _ => return Err(cursor.stop("items that fit into no list")),
        }
        Ok(())
    }
}

fn text(width: usize, cursor: &mut Cursor<'_>) -> Step<Node> {
    let n = cursor.length(width)?;
    Ok(Node::Text(cursor.text(n)?.to_owned()))
}

fn bytes(width: usize, cursor: &mut Cursor<'_>) -> Step<Node> {
    let n = cursor.length(width)?;
    cursor.take(n)?;
    Ok(Node::Plain)
}
