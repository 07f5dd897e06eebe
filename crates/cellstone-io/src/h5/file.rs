//! An open HDF5 file: nodes, attributes and strings, with errors that name file and node.

use super::stored::{Stored, corrupt};
use cellstone_core::{Error, Result};
use hdf5_pure::{AttrValue, Dataset, Datatype, FileAccessProperties, FormatError, Group, MetadataCacheConfig};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Metadata kept between look-ups.
const METADATA_CACHE: usize = 8 << 20;

/// An open file. Cloning shares it.
#[derive(Clone)]
pub(crate) struct H5File {
    path: Arc<PathBuf>,
    file: Arc<std::fs::File>,
    meta: hdf5_pure::File,
}

/// What a path leads to.
pub(crate) enum Node {
    Group(Group),
    Dataset(Dataset),
}

/// Attributes by name.
pub(crate) type Attrs = BTreeMap<String, AttrValue>;

impl H5File {
    /// Opens a file and checks that it is HDF5 and complete.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = std::fs::File::open(path).map_err(|it| Error::io(path, it))?;
        let about = file.metadata().map_err(|it| Error::io(path, it))?;
        let length = about.len();
        let shown = path.display();
        if about.is_dir() {
            return Err(Error::invalid_input(format!("`{shown}` is a folder, expected an HDF5 file")));
        }
        if !hdf5_pure::is_hdf5(path).map_err(|it| Error::io(path, it))? {
            return Err(not_hdf5(path, &file));
        }
        let options = FileAccessProperties::new().with_metadata_cache(MetadataCacheConfig::new(METADATA_CACHE));
        let meta = hdf5_pure::File::open_streaming_with_options(path, options)
            .map_err(|it| corrupt(&format!("`{shown}`"), &it.to_string()))?;
        let end = meta.superblock().eof_address;
        if end != u64::MAX && end > length {
            return Err(Error::invalid_input(format!("`{shown}` is truncated: {length} bytes, expected {end}"))
                .with_hint("copy or download the file again and compare its checksum"));
        }
        Ok(Self { path: Arc::new(path.to_owned()), file: Arc::new(file), meta })
    }

    /// How messages call a node.
    pub(crate) fn label(&self, name: &str) -> String {
        format!("`{}` `{name}`", self.path.display())
    }

    fn wrap(&self, name: &str, error: &hdf5_pure::Error) -> Error {
        corrupt(&self.label(name), &error.to_string())
    }

    /// The group of that name; the root for an empty one.
    fn group(&self, name: &str) -> Result<Group> {
        if name.is_empty() {
            return Ok(self.meta.root());
        }
        self.meta.group(name).map_err(|it| self.wrap(name, &it))
    }

    /// What stands under a name, if anything.
    pub(crate) fn node(&self, name: &str) -> Result<Option<Node>> {
        use hdf5_pure::Error::{Format, NotADataset, NotAGroup};
        match self.meta.dataset(name) {
            Ok(it) => Ok(Some(Node::Dataset(it))),
            Err(NotADataset(_)) => Ok(Some(Node::Group(self.group(name)?))),
            Err(NotAGroup(_) | Format(FormatError::PathNotFound(_))) => Ok(None),
            Err(error) => Err(self.wrap(name, &error)),
        }
    }

    /// Names of the datasets and of the groups in a group.
    pub(crate) fn children(&self, name: &str) -> Result<(Vec<String>, Vec<String>)> {
        let group = self.group(name)?;
        let datasets = group.datasets().map_err(|it| self.wrap(name, &it))?;
        let groups = group.groups().map_err(|it| self.wrap(name, &it))?;
        Ok((datasets, groups))
    }

    /// Names of everything in a group, in the order of the file.
    pub(crate) fn names(&self, name: &str) -> Result<Vec<String>> {
        let (mut names, groups) = self.children(name)?;
        names.extend(groups);
        Ok(names)
    }

    /// A dataset that must be there.
    pub(crate) fn dataset(&self, name: &str) -> Result<Dataset> {
        match self.node(name)? {
            Some(Node::Dataset(it)) => Ok(it),
            Some(Node::Group(_)) => {
                Err(Error::invalid_input(format!("{} is a group, expected a dataset", self.label(name))))
            }
            None => Err(self.missing(name)),
        }
    }

    /// The error for a node that is not there.
    pub(crate) fn missing(&self, name: &str) -> Error {
        let (parent, leaf) = name.rsplit_once('/').unwrap_or(("", name));
        let names = self.names(parent).unwrap_or_default();
        let place = if parent.is_empty() { String::new() } else { format!(" in `{parent}`") };
        let error = Error::invalid_input(format!(
            "`{}` has no `{leaf}`{place} (there: {})",
            self.path.display(),
            cellstone_core::quoted(&names)
        ));
        match cellstone_core::nearest(leaf, names.iter().map(String::as_str)) {
            Some(near) => error.with_hint(format!("did you mean `{near}`?")),
            None => error,
        }
    }

    /// A numeric dataset that must be there.
    pub(crate) fn stored(&self, name: &str) -> Result<Stored> {
        Stored::new(&self.path, name, Arc::clone(&self.file), self.dataset(name)?)
    }

    /// Attributes of a node.
    pub(crate) fn attrs(&self, name: &str, node: &Node) -> Result<Attrs> {
        let attrs = match node {
            Node::Group(it) => it.attrs(),
            Node::Dataset(it) => it.attrs(),
        };
        Ok(attrs.map_err(|it| self.wrap(name, &it))?.into_iter().collect())
    }

    /// Element type of a dataset.
    pub(crate) fn datatype(&self, name: &str, dataset: &Dataset) -> Result<Datatype> {
        dataset.datatype().map_err(|it| self.wrap(name, &it))
    }

    /// Extents of a dataset.
    pub(crate) fn shape(&self, name: &str, dataset: &Dataset) -> Result<Vec<usize>> {
        let shape = dataset.shape().map_err(|it| self.wrap(name, &it))?;
        Ok(shape.iter().map(|it| *it as usize).collect())
    }

    /// The strings of a dataset, of fixed or variable length.
    pub(crate) fn strings(&self, name: &str, dataset: &Dataset) -> Result<Vec<String>> {
        let shape = self.shape(name, dataset)?;
        if shape.contains(&0) {
            return Ok(Vec::new());
        }
        dataset.read_string().map_err(|it| self.wrap(name, &it))
    }

    /// The stored bytes of a dataset, elements in row-major order.
    pub(crate) fn bytes(&self, name: &str, dataset: &Dataset) -> Result<Vec<u8>> {
        dataset.read_raw().map_err(|it| self.wrap(name, &it))
    }

    /// The string that a variable-length reference inside a compound element points at.
    pub(crate) fn heap_string(&self, name: &str, reference: &[u8], heap: &mut Heap) -> Result<String> {
        let broken = || corrupt(&self.label(name), "a variable-length string points nowhere");
        let length = u32_at(reference, 0).ok_or_else(broken)? as usize;
        if length == 0 {
            return Ok(String::new());
        }
        let address = reference.get(4..12).ok_or_else(broken)?;
        let address = u64::from_le_bytes(address.try_into().expect("invariant: eight bytes were sliced"));
        let index = u32_at(reference, 12).ok_or_else(broken)?;
        if let std::collections::btree_map::Entry::Vacant(e) = heap.0.entry(address) {
            let collection = self.collection(address).ok_or_else(broken)?;
            e.insert(collection);
        }
        let object = heap.0[&address].get(&index).ok_or_else(broken)?;
        Ok(String::from_utf8_lossy(object.get(..length).ok_or_else(broken)?).into_owned())
    }

    /// The objects of one global heap collection.
    fn collection(&self, address: u64) -> Option<BTreeMap<u32, Vec<u8>>> {
        let at = self.meta.superblock().base_address.get().checked_add(address)?;
        let mut head = [0; 16];
        super::stored::read_at(&self.file, &mut head, at).ok()?;
        let size = u64::from_le_bytes(head[8..].try_into().ok()?);
        if &head[..4] != b"GCOL" || at.checked_add(size)? > self.file.metadata().ok()?.len() {
            return None;
        }
        let mut bytes = vec![0; size as usize];
        super::stored::read_at(&self.file, &mut bytes, at).ok()?;
        let (mut objects, mut from) = (BTreeMap::new(), 16);
        while from + 16 <= bytes.len() {
            let index = u32::from(u16::from_le_bytes(bytes[from..from + 2].try_into().ok()?));
            let length = u64::from_le_bytes(bytes[from + 8..from + 16].try_into().ok()?) as usize;
            if index == 0 {
                break;
            }
            objects.insert(index, bytes.get(from + 16..(from + 16).checked_add(length)?)?.to_vec());
            from += 16 + length.next_multiple_of(8);
        }
        Some(objects)
    }
}

/// Global heap collections already read.
#[derive(Default)]
pub(crate) struct Heap(BTreeMap<u64, BTreeMap<u32, Vec<u8>>>);

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn not_hdf5(path: &Path, file: &std::fs::File) -> Error {
    let mut head = [0; 8];
    let mut reader = file;
    let n = reader.read(&mut head).unwrap_or(0);
    let error = Error::invalid_input(format!("`{}` is not an HDF5 file", path.display()));
    match &head[..n] {
        [] => Error::invalid_input(format!("`{}` is empty, expected an HDF5 file", path.display())),
        [0x1f, 0x8b, ..] => error.with_hint("it is gzipped: gunzip it first"),
        [b'P', b'K', ..] => error.with_hint("it is a zip archive: unpack it first"),
        [b'<', ..] => error.with_hint("it looks like a web page: the download went wrong"),
        _ => error.with_hint("expected .h5ad, or .h5 of 10x"),
    }
}
