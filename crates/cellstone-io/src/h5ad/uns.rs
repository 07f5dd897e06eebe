//! Unstructured annotation: a small tree of values.

use super::matrix::{AnyMatrix, Located};
use super::table::{read_table, read_values};
use crate::h5::{H5File, Kind, Node, NumType};
use cellstone_core::{Column, ObsTable, Result};
use hdf5_pure::Datatype;
use std::collections::BTreeMap;

/// A value of `uns`.
#[derive(Debug, Clone, PartialEq)]
pub enum Uns {
    /// Nothing (`None` in Python).
    Null,
    /// Text.
    Str(String),
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A real number.
    Float(f64),
    /// Several texts.
    Strs(Vec<String>),
    /// Numbers in row-major order with their extents; whole numbers beyond 2^53 are not held.
    Array {
        /// Extents.
        shape: Vec<usize>,
        /// Values in row-major order.
        values: Vec<f64>,
    },
    /// A table.
    Table(ObsTable),
    /// One column outside of a table: categorical or nullable.
    Column(Column),
    /// A sparse matrix.
    Matrix(AnyMatrix),
    /// Values by name.
    Group(BTreeMap<String, Uns>),
    /// Something of an encoding that is not read, named.
    Unread(String),
}

/// Reads the tree under a name; an absent one is an empty group.
pub(crate) fn read_uns(file: &H5File, name: &str) -> Result<Uns> {
    match file.node(name)? {
        None => Ok(Uns::Group(BTreeMap::new())),
        Some(node) => read_node(file, name, &node),
    }
}

fn read_node(file: &H5File, name: &str, node: &Node) -> Result<Uns> {
    let Node::Dataset(dataset) = node else { return read_group(file, name, node) };
    let datatype = file.datatype(name, dataset)?;
    let shape = file.shape(name, dataset)?;
    let attrs = file.attrs(name, node)?;
    if attrs.get("encoding-type").and_then(|it| it.as_str()) == Some("null") {
        return Ok(Uns::Null);
    }
    if matches!(datatype, Datatype::String { .. } | Datatype::VariableLength { is_string: true, .. }) {
        let mut strings = file.strings(name, dataset)?;
        return Ok(if shape.is_empty() { Uns::Str(strings.pop().unwrap_or_default()) } else { Uns::Strs(strings) });
    }
    let Some(ty) = NumType::of(&datatype) else { return Ok(Uns::Unread(datatype.to_string())) };
    let stored = file.stored(name)?;
    Ok(match (shape.is_empty(), ty.kind) {
        (true, Kind::Float) => Uns::Float(stored.read_all()?[0]),
        (true, Kind::Bool) => Uns::Bool(stored.read_all::<i64>()?[0] != 0),
        (true, _) => Uns::Int(stored.read_all()?[0]),
        (false, Kind::Bool) if shape.len() == 1 => match read_values(file, name, dataset)? {
            Some(it) => Uns::Column(it),
            None => Uns::Unread(ty.name()),
        },
        (false, _) => Uns::Array { shape, values: stored.read_all()? },
    })
}

fn read_group(file: &H5File, name: &str, node: &Node) -> Result<Uns> {
    let attrs = file.attrs(name, node)?;
    let text = |key: &str| attrs.get(key).and_then(|it| it.as_str());
    match text("encoding-type") {
        Some("dataframe") => return Ok(Uns::Table(read_table(file, name)?.0)),
        Some("csr_matrix" | "csc_matrix") => return Ok(Uns::Matrix(Located::find(file, name)?.any()?)),
        None if text("h5sparse_format").is_some() => return Ok(Uns::Matrix(Located::find(file, name)?.any()?)),
        Some("categorical") => {}
        Some(it) if it.starts_with("nullable-") => {}
        None | Some("dict") => {
            let mut group = BTreeMap::new();
            for key in file.names(name)? {
                let child = format!("{name}/{key}");
                if let Some(node) = file.node(&child)? {
                    group.insert(key, read_node(file, &child, &node)?);
                }
            }
            return Ok(Uns::Group(group));
        }
        Some(other) => return Ok(Uns::Unread(other.to_owned())),
    }
    let (parent, leaf) = name.rsplit_once('/').unwrap_or(("", name));
    Ok(match super::table::read_column(file, parent, leaf)? {
        Some(it) => Uns::Column(it),
        None => Uns::Unread(text("encoding-type").unwrap_or("none").to_owned()),
    })
}
