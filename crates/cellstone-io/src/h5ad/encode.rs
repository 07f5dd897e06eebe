//! The encodings of AnnData 0.8 and later, one function each (anndata's "On-disk format" documentation).

use super::rows::RowsOut;
use super::write::{Attrs, Value};
use super::{AnyMatrix, MatrixKind, Uns};
use crate::h5::write::{Attr, Elem, H5Out, Links};
use cellstone_core::{Column, Csr, ObsTable, Result};
use ndarray::{ArrayBase, Data, Ix2};
use std::collections::BTreeMap;

/// The attributes that name an encoding.
pub(crate) fn encoded(kind: &str, version: &str) -> Attrs<'static> {
    vec![("encoding-type", kind.into()), ("encoding-version", version.into())]
}

/// A shape attribute.
pub(crate) fn dims((n, m): (usize, usize)) -> Attr {
    Attr::Ints(vec![n as i64, m as i64])
}

/// Row boundaries: 32-bit where they fit, as SciPy has them.
pub(crate) fn indptr(out: &mut H5Out, bounds: &[i64]) -> Result<u64> {
    let shape = [bounds.len()];
    if bounds.last().is_some_and(|it| i32::try_from(*it).is_err()) {
        let bytes: Vec<u8> = bounds.iter().flat_map(|it| it.to_le_bytes()).collect();
        return out.array(Elem::I64, Some(&shape), &bytes, &[]);
    }
    let bytes: Vec<u8> = bounds.iter().flat_map(|it| (*it as i32).to_le_bytes()).collect();
    out.array(Elem::I32, Some(&shape), &bytes, &[])
}

/// A dense matrix.
pub(crate) fn dense<T: Value, S: Data<Elem = T>>(out: &mut H5Out, x: &ArrayBase<S, Ix2>) -> Result<u64> {
    let (n, m) = x.dim();
    let elem = if T::is_f64() { Elem::F64 } else { Elem::F32 };
    let attrs = encoded("array", "0.2.0");
    if out.level().is_none() || n * m * elem.size() < 1 << 16 {
        let values: Vec<T> = x.iter().copied().collect();
        return out.array(elem, Some(&[n, m]), &T::bytes(&values), &attrs);
    }
    let mut chunks = crate::h5::write::Chunks::new(elem, m);
    for row in x.rows() {
        let bytes = match row.as_slice() {
            Some(it) => T::bytes(it),
            None => T::bytes(&row.to_vec()),
        };
        chunks.push(out, bytes.into_iter())?;
    }
    chunks.finish(out, &[n, m], &attrs)
}

fn sparse(out: &mut H5Out, kind: MatrixKind, lines: &Csr<f32>) -> Result<u64> {
    let mut rows = RowsOut::new(MatrixKind::Csr, lines.shape().1);
    rows.push(out, lines)?;
    rows.finish_as(out, kind).map(|it| it.0)
}

/// Any two-dimensional element.
pub(crate) fn any(out: &mut H5Out, value: &AnyMatrix) -> Result<u64> {
    match value {
        AnyMatrix::Dense(it) => dense(out, it),
        AnyMatrix::DenseF32(it) => dense(out, it),
        AnyMatrix::Csr(it) => sparse(out, MatrixKind::Csr, it),
        // By columns is by rows of the transpose.
        AnyMatrix::Csc(it) => sparse(out, MatrixKind::Csc, &it.to_csr().transposed()),
        AnyMatrix::Table(it) => table(out, it),
    }
}

/// A table of named columns.
pub(crate) fn table(out: &mut H5Out, table: &ObsTable) -> Result<u64> {
    // A column may have the usual name of the index; the index then takes another.
    let mut index = "_index".to_owned();
    while table.get(&index).is_some() {
        index.push('_');
    }
    let names = table.index().iter().map(String::as_str);
    let mut links =
        vec![(index.clone(), out.strings(names, Some(&[table.n_rows()]), &encoded("string-array", "0.2.0"))?)];
    for name in table.names() {
        let column = table.get(name).expect("invariant: a table has the columns it names");
        links.push((name.clone(), self::column(out, column)?));
    }
    let mut attrs = encoded("dataframe", "0.2.0");
    attrs.push(("_index", Attr::Str(index)));
    attrs.push(("column-order", Attr::Strs(table.names().to_vec())));
    out.group(&links, &attrs)
}

/// One column.
pub(crate) fn column(out: &mut H5Out, column: &Column) -> Result<u64> {
    let array = encoded("array", "0.2.0");
    match column {
        Column::Categorical { codes, categories, ordered } => {
            let names = categories.iter().map(String::as_str);
            let names = out.strings(names, Some(&[categories.len()]), &encoded("string-array", "0.2.0"))?;
            let codes = self::codes(out, codes, categories.len(), &array)?;
            let mut attrs = encoded("categorical", "0.2.0");
            attrs.push(("ordered", Attr::Bool(*ordered)));
            out.group(&vec![("codes".to_owned(), codes), ("categories".to_owned(), names)], &attrs)
        }
        Column::Str(all) => {
            let texts = all.iter().map(|it| it.as_deref().unwrap_or(""));
            let values = out.strings(texts, Some(&[all.len()]), &encoded("string-array", "0.2.0"))?;
            masked(out, "nullable-string-array", values, all.iter().map(Option::is_none))
        }
        Column::Int(all) => {
            let bytes: Vec<u8> = all.iter().flat_map(|it| it.unwrap_or(0).to_le_bytes()).collect();
            let values = out.array(Elem::I64, Some(&[all.len()]), &bytes, &array)?;
            masked(out, "nullable-integer", values, all.iter().map(Option::is_none))
        }
        Column::Bool(all) => {
            let bytes: Vec<u8> = all.iter().map(|it| u8::from(it.unwrap_or(false))).collect();
            let values = out.array(Elem::Bool, Some(&[all.len()]), &bytes, &array)?;
            masked(out, "nullable-boolean", values, all.iter().map(Option::is_none))
        }
        Column::Float(all) => {
            let bytes: Vec<u8> = all.iter().flat_map(|it| it.to_le_bytes()).collect();
            out.array(Elem::F64, Some(&[all.len()]), &bytes, &array)
        }
    }
}

/// Values as they are where none is missing, else with a mask.
fn masked(out: &mut H5Out, kind: &str, values: u64, missing: impl Iterator<Item = bool>) -> Result<u64> {
    let mask: Vec<u8> = missing.map(u8::from).collect();
    if !mask.contains(&1) {
        return Ok(values);
    }
    let mask = out.array(Elem::Bool, Some(&[mask.len()]), &mask, &encoded("array", "0.2.0"))?;
    let attrs = encoded(kind, "0.1.0");
    out.group(&vec![("values".to_owned(), values), ("mask".to_owned(), mask)], &attrs)
}

/// Category codes in the narrowest type that holds them, −1 for missing.
fn codes(out: &mut H5Out, codes: &[Option<u32>], n: usize, attrs: &[(&str, Attr)]) -> Result<u64> {
    let code = |it: &Option<u32>| it.map_or(-1, i64::from);
    let (elem, width) = match n {
        0..=127 => (Elem::I8, 1),
        128..=32767 => (Elem::I16, 2),
        _ => (Elem::I32, 4),
    };
    let bytes: Vec<u8> = codes.iter().flat_map(|it| code(it).to_le_bytes().into_iter().take(width)).collect();
    out.array(elem, Some(&[codes.len()]), &bytes, attrs)
}

/// A group of unstructured values.
pub(crate) fn uns_group(out: &mut H5Out, group: &BTreeMap<String, Uns>) -> Result<u64> {
    let mut links = Links::new();
    for (name, value) in group {
        if let Some(it) = uns(out, name, value)? {
            links.push((name.clone(), it));
        }
    }
    out.group(&links, &encoded("dict", "0.1.0"))
}

fn uns(out: &mut H5Out, name: &str, value: &Uns) -> Result<Option<u64>> {
    let scalar = encoded("numeric-scalar", "0.2.0");
    Ok(Some(match value {
        Uns::Null => out.array(Elem::Bool, None, &[0], &encoded("null", "0.1.0"))?,
        Uns::Str(it) => out.strings([it.as_str()], None, &encoded("string", "0.2.0"))?,
        Uns::Bool(it) => out.array(Elem::Bool, None, &[u8::from(*it)], &scalar)?,
        Uns::Int(it) => out.array(Elem::I64, None, &it.to_le_bytes(), &scalar)?,
        Uns::Float(it) => out.array(Elem::F64, None, &it.to_le_bytes(), &scalar)?,
        Uns::Strs(all) => {
            out.strings(all.iter().map(String::as_str), Some(&[all.len()]), &encoded("string-array", "0.2.0"))?
        }
        Uns::Array { shape, values } => {
            let bytes: Vec<u8> = values.iter().flat_map(|it| it.to_le_bytes()).collect();
            out.array(Elem::F64, Some(shape), &bytes, &encoded("array", "0.2.0"))?
        }
        Uns::Table(it) => table(out, it)?,
        Uns::Column(it) => column(out, it)?,
        Uns::Matrix(it) => any(out, it)?,
        Uns::Group(it) => uns_group(out, it)?,
        Uns::Unread(what) => {
            tracing::warn!("uns `{name}` was read as `{what}`, an encoding that is not written; left out");
            return Ok(None);
        }
    }))
}
