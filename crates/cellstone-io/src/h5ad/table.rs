//! Annotation tables: the `dataframe` group of AnnData 0.7 and later, and what a column may look like inside it.

use super::legacy;
use crate::h5::{Attrs, H5File, Kind, Node, NumType};
use cellstone_core::{Column, Error, ObsTable, Result};
use hdf5_pure::{Dataset, Datatype};

/// Reads a table; columns of an encoding that has no [`Column`] are left out and named.
pub(crate) fn read_table(file: &H5File, name: &str) -> Result<(ObsTable, Vec<String>)> {
    match file.node(name)? {
        None => Err(file.missing(name)),
        Some(Node::Dataset(it)) => legacy::read_table(file, name, &it),
        Some(node @ Node::Group(_)) => {
            let attrs = file.attrs(name, &node)?;
            read_group(file, name, &attrs)
        }
    }
}

fn read_group(file: &H5File, name: &str, attrs: &Attrs) -> Result<(ObsTable, Vec<String>)> {
    let there = file.names(name)?;
    let index = match attrs.get("_index").and_then(|it| it.as_str()) {
        Some(it) => it.to_owned(),
        None => ["_index", "index"].into_iter().find(|it| there.iter().any(|t| t == it)).unwrap_or("_index").to_owned(),
    };
    let labels = read_column(file, name, &index)?.ok_or_else(|| {
        Error::invalid_input(format!("{} is not a list of names", file.label(&format!("{name}/{index}"))))
    })?;
    let mut table = ObsTable::new((0..labels.len()).map(|row| labels.text(row).unwrap_or_default()).collect());
    let order: Vec<String> = match attrs.get("column-order") {
        Some(it) => match (it.as_strings(), it.as_str()) {
            (Some(all), _) => all.to_vec(),
            (None, Some(one)) => vec![one.to_owned()],
            // Written as an empty array of floats where there is no column.
            (None, None) => Vec::new(),
        },
        None => there.into_iter().filter(|it| *it != index && it != "__categories").collect(),
    };
    let mut skipped = Vec::new();
    for column in order {
        if let Some(it) = read_column(file, name, &column)? {
            table.insert(&*column, it).map_err(|it| it.context(file.label(name)))?;
        } else {
            tracing::warn!("{}: column `{column}` has an encoding that is not read; left out", file.label(name));
            skipped.push(column);
        }
    }
    Ok((table, skipped))
}

/// Reads one column of a table group; `None` if its encoding has no [`Column`].
pub(crate) fn read_column(file: &H5File, table: &str, column: &str) -> Result<Option<Column>> {
    let name = format!("{table}/{column}");
    match file.node(&name)? {
        None => Err(file.missing(&name)),
        Some(Node::Dataset(it)) => {
            let categories = format!("{table}/__categories/{column}");
            match file.node(&categories)? {
                Some(node @ Node::Dataset(_)) => {
                    let attrs = file.attrs(&categories, &node)?;
                    let ordered = attrs.get("ordered").and_then(hdf5_pure::AttrValue::as_i64) == Some(1);
                    categorical(file, &name, &categories, ordered).map(Some)
                }
                _ => read_values(file, &name, &it),
            }
        }
        Some(node @ Node::Group(_)) => {
            let attrs = file.attrs(&name, &node)?;
            match attrs.get("encoding-type").and_then(|it| it.as_str()) {
                Some("categorical") => {
                    let ordered = attrs.get("ordered").and_then(hdf5_pure::AttrValue::as_i64) == Some(1);
                    categorical(file, &format!("{name}/codes"), &format!("{name}/categories"), ordered).map(Some)
                }
                Some(it) if it.starts_with("nullable-") => nullable(file, &name).map(Some),
                _ => Ok(None),
            }
        }
    }
}

/// A one-dimensional dataset as a column.
pub(crate) fn read_values(file: &H5File, name: &str, dataset: &Dataset) -> Result<Option<Column>> {
    let datatype = file.datatype(name, dataset)?;
    if matches!(datatype, Datatype::String { .. } | Datatype::VariableLength { is_string: true, .. }) {
        return Ok(Some(Column::Str(file.strings(name, dataset)?.into_iter().map(Some).collect())));
    }
    let (Some(ty), 1) = (NumType::of(&datatype), file.shape(name, dataset)?.len()) else { return Ok(None) };
    let stored = file.stored(name)?;
    Ok(Some(match ty.kind {
        Kind::Float => Column::Float(stored.read_all()?),
        Kind::Bool => Column::Bool(stored.read_all::<i64>()?.into_iter().map(|it| Some(it != 0)).collect()),
        Kind::Int | Kind::Uint => Column::Int(stored.read_all()?.into_iter().map(Some).collect()),
    }))
}

fn categorical(file: &H5File, codes: &str, categories: &str, ordered: bool) -> Result<Column> {
    let names = category_names(file, categories)?;
    let stored = file.stored(codes)?;
    let codes = to_codes(stored.read_all()?, names.len(), stored.label())?;
    Ok(Column::Categorical { codes, categories: names, ordered })
}

/// Categories as text, whatever they are stored as.
pub(crate) fn category_names(file: &H5File, name: &str) -> Result<Vec<String>> {
    let column = match file.node(name)? {
        Some(Node::Dataset(it)) => read_values(file, name, &it)?,
        Some(Node::Group(_)) => Some(nullable(file, name)?),
        None => return Err(file.missing(name)),
    };
    let column = column.ok_or_else(|| Error::invalid_input(format!("{} holds no category names", file.label(name))))?;
    Ok((0..column.len()).map(|row| column.text(row).unwrap_or_default()).collect())
}

/// Checked codes; any negative one is missing.
pub(crate) fn to_codes(codes: Vec<i64>, n: usize, label: &str) -> Result<Vec<Option<u32>>> {
    let one = |(row, code): (usize, i64)| match usize::try_from(code) {
        Err(_) => Ok(None),
        Ok(it) if it < n => Ok(Some(it as u32)),
        Ok(_) => Err(Error::invalid_input(format!("{label} row {row} has category code {code}, expected below {n}"))),
    };
    codes.into_iter().enumerate().map(one).collect()
}

/// Values with a mask that is true where one is missing.
fn nullable(file: &H5File, name: &str) -> Result<Column> {
    let values = format!("{name}/values");
    let column = read_values(file, &values, &file.dataset(&values)?)?;
    let mask = match file.node(&format!("{name}/mask"))? {
        Some(_) => file.stored(&format!("{name}/mask"))?.read_all::<i64>()?,
        None => Vec::new(),
    };
    let missing = |row: usize| mask.get(row).is_some_and(|it| *it != 0);
    let n = column.as_ref().map_or(0, Column::len);
    if !mask.is_empty() && mask.len() != n {
        return Err(Error::invalid_input(format!(
            "{} has {n} values but {} mask entries",
            file.label(name),
            mask.len()
        )));
    }
    fn blank<T>(all: Vec<Option<T>>, missing: impl Fn(usize) -> bool) -> Vec<Option<T>> {
        all.into_iter().enumerate().map(|(row, it)| it.filter(|_| !missing(row))).collect()
    }
    Ok(match column {
        Some(Column::Str(it)) => Column::Str(blank(it, missing)),
        Some(Column::Int(it)) => Column::Int(blank(it, missing)),
        Some(Column::Bool(it)) => Column::Bool(blank(it, missing)),
        Some(Column::Float(it)) => Column::Float(
            it.into_iter().enumerate().map(|(row, it)| if missing(row) { f64::NAN } else { it }).collect(),
        ),
        _ => return Err(Error::invalid_input(format!("{} holds no values that are read", file.label(&values)))),
    })
}
