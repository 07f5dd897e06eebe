//! The archive around the pickle, and the tensors in it.

use super::machine::{Machine, Node, View};
use crate::weights::tensors::HostTensor;
use cellstone_core::{Error, Result};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;
use zip::ZipArchive;

/// How deep dictionaries of dictionaries are followed.
const DEPTH: usize = 8;

type Zip = ZipArchive<BufReader<File>>;

/// Whether a file begins as a zip archive.
pub(crate) fn is_zip(start: &[u8]) -> bool {
    start.starts_with(b"PK\x03\x04")
}

/// Whether a file begins as PyTorch wrote it before 1.6: a pickle of its magic number.
pub(crate) fn is_legacy(start: &[u8]) -> bool {
    start.starts_with(&[0x80, 0x02, 0x8a, 0x0a])
}

/// Reads every tensor of a file of `torch.save` as single precision. Those in dictionaries of dictionaries have the
/// keys on their way in their names, joined by dots; whatever is no tensor is passed over.
///
/// # Errors
/// If the archive is cut short or damaged, was written by a machine of another byte order, or holds a tensor of a kind
/// that is not read (sparse, quantised, complex).
pub(crate) fn read_torch(path: &Path) -> Result<BTreeMap<String, HostTensor>> {
    read(path).map_err(|it| it.context(format!("`{}`", path.display())))
}

fn read(path: &Path) -> Result<BTreeMap<String, HostTensor>> {
    let file = File::open(path).map_err(|it| Error::io(path, it))?;
    let mut zip = ZipArchive::new(BufReader::new(file)).map_err(|it| {
        damaged(format!("no readable archive of PyTorch ({it})"))
            .with_hint("in Python: torch.save(model.state_dict(), F) writes one")
    })?;
    let (pickle, folder) = program(&mut zip)?;
    if let Some(order) = entry(&mut zip, &format!("{folder}byteorder"))?
        && order.trim_ascii() != b"little"
    {
        return Err(Error::invalid_input("numbers are big-endian, expected little-endian"));
    }
    let (machine, root) = Machine::run(&pickle)
        .map_err(|it| damaged(format!("`data.pkl` of the archive, byte {}: {}", it.at, it.what)))?;
    let mut views = Vec::new();
    collect(&machine, root, &mut String::new(), DEPTH, &mut views)?;
    if views.is_empty() {
        return Err(Error::invalid_input("no tensor in it, expected the state of a network")
            .with_hint("in Python: torch.save(model.state_dict(), F), not torch.save(model, F)"));
    }
    tensors(&mut zip, &folder, views)
}

fn damaged(what: String) -> Error {
    Error::invalid_input(what).with_hint("the file may be cut short: compare its size with that of its source")
}

/// The pickle, and the folder of the archive that it lies in.
fn program(zip: &mut Zip) -> Result<(Vec<u8>, String)> {
    let mut name = None;
    for it in zip.file_names() {
        let it = it.map_err(|it| damaged(format!("an entry of the archive has no readable name ({it})")))?;
        if it == "data.pkl" || it.ends_with("/data.pkl") {
            name = Some(it.into_owned());
        }
    }
    let name = name.ok_or_else(|| {
        Error::invalid_input("an archive without `data.pkl`, expected what torch.save writes")
            .with_hint("a TorchScript file holds code: save the state_dict of the module")
    })?;
    let folder = name.trim_end_matches("data.pkl").to_owned();
    let bytes = entry(zip, &name)?.unwrap_or_default();
    Ok((bytes, folder))
}

/// The bytes of an entry, where there is one.
fn entry(zip: &mut Zip, name: &str) -> Result<Option<Vec<u8>>> {
    if zip.index_for_name(name).is_none() {
        return Ok(None);
    }
    let failed = |it: &dyn std::fmt::Display| damaged(format!("entry `{name}` of the archive: {it}"));
    let mut stored = zip.by_name(name).map_err(|it| failed(&it))?;
    let mut bytes = Vec::new();
    stored.read_to_end(&mut bytes).map_err(|it| failed(&it))?;
    Ok(Some(bytes))
}

/// Every tensor below a value, with its name.
fn collect(machine: &Machine, at: u32, name: &mut String, depth: usize, out: &mut Vec<(String, View)>) -> Result<()> {
    match machine.node(at) {
        Node::Tensor(view) => out.push((name.clone(), view.clone())),
        Node::Opaque(function) if function.contains("_rebuild") => {
            return Err(Error::invalid_input(format!(
                "tensor `{name}` is made by `{function}`, expected a dense tensor of floats"
            )));
        }
        Node::Dict(entries) if depth > 0 => {
            for (key, value) in entries {
                let Node::Text(key) = machine.node(*key) else { continue };
                let end = name.len();
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(key);
                collect(machine, *value, name, depth - 1, out)?;
                name.truncate(end);
            }
        }
        _ => {}
    }
    Ok(())
}

fn tensors(zip: &mut Zip, folder: &str, views: Vec<(String, View)>) -> Result<BTreeMap<String, HostTensor>> {
    // Tied weights and windows of one buffer share a storage, which is read once.
    let mut by_storage = BTreeMap::<String, Vec<(String, View)>>::new();
    for (name, view) in views {
        by_storage.entry(view.storage.key.clone()).or_default().push((name, view));
    }
    let mut out = BTreeMap::new();
    for (key, views) in by_storage {
        let file = format!("{folder}data/{key}");
        let bytes =
            entry(zip, &file)?.ok_or_else(|| damaged(format!("no entry `{file}` in the archive, expected one")))?;
        let storage = &views[0].1.storage;
        let numbers = numbers(&storage.kind, &bytes)
            .ok_or_else(|| Error::invalid_input(format!("tensor `{}` holds a `{}`", views[0].0, storage.kind)))?;
        if numbers.len() < storage.len {
            return Err(damaged(format!("entry `{file}` holds {} numbers, expected {}", numbers.len(), storage.len)));
        }
        for (name, view) in views {
            let data = window(&numbers, &view).ok_or_else(|| {
                damaged(format!(
                    "tensor `{name}` of shape {:?} reaches beyond its {} numbers",
                    view.shape,
                    numbers.len()
                ))
            })?;
            out.insert(name, HostTensor::new(view.shape, data)?);
        }
    }
    Ok(out)
}

fn numbers(kind: &str, bytes: &[u8]) -> Option<Vec<f32>> {
    let half = |it: &[u8; 2]| half::f16::from_le_bytes(*it).to_f32();
    let brain = |it: &[u8; 2]| half::bf16::from_le_bytes(*it).to_f32();
    Some(match kind {
        "FloatStorage" => bytes.as_chunks::<4>().0.iter().map(|it| f32::from_le_bytes(*it)).collect(),
        "DoubleStorage" => bytes.as_chunks::<8>().0.iter().map(|it| f64::from_le_bytes(*it) as f32).collect(),
        "HalfStorage" => bytes.as_chunks::<2>().0.iter().map(half).collect(),
        "BFloat16Storage" => bytes.as_chunks::<2>().0.iter().map(brain).collect(),
        // Buffers, of which no network asks for one.
        "LongStorage" => bytes.as_chunks::<8>().0.iter().map(|it| i64::from_le_bytes(*it) as f32).collect(),
        "IntStorage" => bytes.as_chunks::<4>().0.iter().map(|it| i32::from_le_bytes(*it) as f32).collect(),
        "ByteStorage" | "BoolStorage" => bytes.iter().map(|it| f32::from(*it)).collect(),
        _ => return None,
    })
}

/// The numbers of a tensor, row by row; none if it reaches beyond its storage or repeats it.
fn window(numbers: &[f32], view: &View) -> Option<Vec<f32>> {
    let n = view.shape.iter().try_fold(1_usize, |n, it| n.checked_mul(*it))?;
    if n == 0 {
        return Some(Vec::new());
    }
    // A view may repeat its storage without end; no network is saved so.
    let span = view
        .shape
        .iter()
        .zip(&view.strides)
        .try_fold(0_usize, |sum, (len, stride)| sum.checked_add((len - 1).checked_mul(*stride)?))?;
    let last = view.offset.checked_add(span)?;
    if last >= numbers.len() || n > numbers.len() {
        return None;
    }
    if is_plain(view) {
        return Some(numbers[view.offset..view.offset + n].to_vec());
    }
    let mut at = vec![0_usize; view.shape.len()];
    let mut out = Vec::with_capacity(n);
    for _ in 0..n {
        out.push(numbers[view.offset + at.iter().zip(&view.strides).map(|(i, stride)| i * stride).sum::<usize>()]);
        for (i, len) in at.iter_mut().zip(&view.shape).rev() {
            *i += 1;
            if *i < *len {
                break;
            }
            *i = 0;
        }
    }
    Some(out)
}

/// Whether the numbers lie row by row without gaps.
fn is_plain(view: &View) -> bool {
    let mut want = 1;
    for (len, stride) in view.shape.iter().zip(&view.strides).rev() {
        if *len > 1 && *stride != want {
            return false;
        }
        want *= len;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::machine::Storage;
    use super::*;

    fn view(offset: usize, shape: &[usize], strides: &[usize]) -> View {
        let storage = Storage { kind: "FloatStorage".into(), key: "0".into(), len: 6 };
        View { storage, offset, shape: shape.to_vec(), strides: strides.to_vec() }
    }

    #[test]
    fn windows_are_gathered_and_checked() {
        let numbers = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        assert_eq!(window(&numbers, &view(0, &[2, 3], &[3, 1])), Some(numbers.to_vec()));
        assert_eq!(window(&numbers, &view(0, &[3, 2], &[1, 3])), Some(vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0]));
        assert_eq!(window(&numbers, &view(2, &[2], &[2])), Some(vec![2.0, 4.0]));
        assert_eq!(window(&numbers, &view(5, &[], &[])), Some(vec![5.0]));
        assert_eq!(window(&numbers, &view(1, &[2, 3], &[3, 1])), None);
        assert_eq!(window(&numbers, &view(0, &[usize::MAX, 2], &[0, 0])), None);
        assert_eq!(window(&numbers, &view(0, &[1_000_000], &[0])), None);
    }

    #[test]
    fn no_bytes_make_the_machine_panic() {
        // Every prefix and every single change of a real program: an error or a value, never more.
        let program = b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01X\x01\x00\x00\x00wq\x02ctorch._utils\n_rebuild_tensor_v2\nq\x03((X\x07\x00\x00\x00storageq\x04ctorch\nFloatStorage\nq\x05X\x01\x00\x00\x000q\x06X\x03\x00\x00\x00cpuq\x07K\x06tq\x08QK\x00K\x02K\x03\x86q\tK\x03K\x01\x86q\n\x89h\x00)Rq\x0btq\x0cRq\rs}q\x0eX\t\x00\x00\x00_metadatah\x00)Rsb.";
        let (machine, root) = Machine::run(program).expect("a program of torch.save");
        let mut views = Vec::new();
        collect(&machine, root, &mut String::new(), DEPTH, &mut views).expect("tensors");
        assert_eq!(views, [("w".to_owned(), view(0, &[2, 3], &[3, 1]))]);
        for end in 0..program.len() {
            assert!(Machine::run(&program[..end]).is_err());
            for byte in 0..=255_u8 {
                let mut changed = program.to_vec();
                changed[end] = byte;
                let _ = Machine::run(&changed);
            }
        }
    }

    #[test]
    fn functions_are_never_called() {
        let (machine, root) = Machine::run(b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.").expect("data");
        assert_eq!(machine.node(root), &Node::Opaque("os.system".to_owned()));
    }
}
