//! Tables of AnnData before 0.7: one dataset of compound elements, categories kept in `uns`.

use super::table::{category_names, to_codes};
use crate::h5::{H5File, Heap, Kind, NumType};
use cellstone_core::{Column, Error, ObsTable, Result};
use hdf5_pure::{CompoundMember, Dataset, Datatype, StringPadding};
use ndarray::Array2;

/// A compound dataset in memory.
pub(crate) struct Records {
    name: String,
    size: usize,
    members: Vec<CompoundMember>,
    bytes: Vec<u8>,
}

impl Records {
    /// The elements of a dataset; `None` if they are not compound.
    pub(crate) fn read(file: &H5File, name: &str, dataset: &Dataset) -> Result<Option<Self>> {
        let Datatype::Compound { size, members } = file.datatype(name, dataset)? else { return Ok(None) };
        let bytes = file.bytes(name, dataset)?;
        Ok(Some(Self { name: name.to_owned(), size: size as usize, members, bytes }))
    }

    /// The fields, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|it| &*it.name)
    }

    fn fields<'a>(&'a self, member: &CompoundMember) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (from, to) =
            (member.byte_offset as usize, member.byte_offset as usize + member.datatype.type_size() as usize);
        self.bytes.chunks_exact(self.size).map(move |it| &it[from..to])
    }

    /// One field as a column; `None` where it is neither text nor a number.
    pub(crate) fn column(&self, file: &H5File, name: &str) -> Result<Option<Column>> {
        let Some(member) = self.members.iter().find(|it| it.name == name) else { return Ok(None) };
        match &member.datatype {
            Datatype::String { padding, .. } => {
                let text = |it: &[u8]| Some(fixed_text(it, padding));
                return Ok(Some(Column::Str(self.fields(member).map(text).collect())));
            }
            Datatype::VariableLength { is_string: true, .. } => {
                let mut heap = Heap::default();
                let text = |it| file.heap_string(&self.name, it, &mut heap).map(Some);
                return Ok(Some(Column::Str(self.fields(member).map(text).collect::<Result<_>>()?)));
            }
            _ => {}
        }
        let Some(ty) = NumType::of(&member.datatype) else { return Ok(None) };
        let bytes: Vec<u8> = self.fields(member).flatten().copied().collect();
        let n = bytes.len() / ty.size;
        let too_large = |row| {
            Error::invalid_input(format!("{} field `{name}` row {row} does not fit 64 bits", file.label(&self.name)))
        };
        if ty.kind == Kind::Float {
            let mut out = vec![0.0; n];
            ty.decode(&bytes, &mut out).map_err(too_large)?;
            return Ok(Some(Column::Float(out)));
        }
        let mut out = vec![0_i64; n];
        ty.decode(&bytes, &mut out).map_err(too_large)?;
        Ok(Some(match ty.kind {
            Kind::Bool => Column::Bool(out.into_iter().map(|it| Some(it != 0)).collect()),
            _ => Column::Int(out.into_iter().map(Some).collect()),
        }))
    }

    /// One field of arrays (or numbers) as a matrix, a row per element.
    pub(crate) fn matrix(&self, file: &H5File, name: &str) -> Result<Option<Array2<f64>>> {
        let Some(member) = self.members.iter().find(|it| it.name == name) else { return Ok(None) };
        let (base, width) = match &member.datatype {
            Datatype::Array { base_type, dimensions } => (&**base_type, dimensions.iter().product::<u32>() as usize),
            other => (other, 1),
        };
        let Some(ty) = NumType::of(base) else { return Ok(None) };
        let bytes: Vec<u8> = self.fields(member).flatten().copied().collect();
        let mut out = vec![0.0; bytes.len() / ty.size];
        ty.decode(&bytes, &mut out).map_err(|at| {
            Error::invalid_input(format!("{} field `{name}` element {at} is too large", file.label(&self.name)))
        })?;
        let n = out.len().checked_div(width).unwrap_or(0);
        Ok(Array2::from_shape_vec((n, width), out).ok())
    }
}

fn fixed_text(bytes: &[u8], padding: &StringPadding) -> String {
    let end = bytes.iter().position(|it| *it == 0).unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(&bytes[..end]);
    if *padding == StringPadding::SpacePad { text.trim_end_matches(' ').to_owned() } else { text.into_owned() }
}

/// Reads a table from compound elements; fields that are neither text nor numbers are left out and named.
pub(crate) fn read_table(file: &H5File, name: &str, dataset: &Dataset) -> Result<(ObsTable, Vec<String>)> {
    let records = Records::read(file, name, dataset)?.ok_or_else(|| {
        Error::invalid_input(format!("{} is a plain dataset, expected a table of named columns", file.label(name)))
    })?;
    let index = ["index", "_index"].into_iter().find(|it| records.names().any(|n| n == *it));
    let n = records.bytes.len().checked_div(records.size).unwrap_or(0);
    let labels = match index {
        Some(it) => records.column(file, it)?,
        None => None,
    };
    let labels: Vec<String> = match labels {
        Some(it) => (0..n).map(|row| it.text(row).unwrap_or_default()).collect(),
        None => (0..n).map(|row| row.to_string()).collect(),
    };
    let mut table = ObsTable::new(labels);
    let mut skipped = Vec::new();
    let uns = file.names("uns").unwrap_or_default();
    for field in records.names().filter(|it| Some(*it) != index) {
        let Some(mut column) = records.column(file, field)? else {
            tracing::warn!("{}: field `{field}` is neither text nor a number; left out", file.label(name));
            skipped.push(field.to_owned());
            continue;
        };
        let categories = format!("{field}_categories");
        if let Column::Int(codes) = &column
            && uns.contains(&categories)
        {
            let names = category_names(file, &format!("uns/{categories}"))?;
            let codes = codes.iter().map(|it| it.unwrap_or(-1)).collect();
            let codes = to_codes(codes, names.len(), &file.label(name))?;
            column = Column::Categorical { codes, categories: names, ordered: false };
        }
        table.insert(field, column)?;
    }
    Ok((table, skipped))
}
