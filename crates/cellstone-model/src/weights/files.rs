//! Weight files: safetensors and those of PyTorch, in one piece or in shards.

use super::tensors::{HostTensor, Weights};
use super::torch::{is_legacy, is_zip, read_torch};
use cellstone_core::{Error, Result};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// What became of the tensors of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ImportReport {
    /// Tensors of the file that the network took.
    pub n_used: usize,
    /// Tensors of the file that it did not, by name.
    pub unused: Vec<String>,
}

impl ImportReport {
    /// What `weights` was asked for so far.
    pub fn of(weights: &Weights) -> Self {
        let unused = weights.unused();
        Self { n_used: weights.len() - unused.len(), unused }
    }
}

/// Names that a directory of weights may hold, the safer format first.
pub(crate) const FILES: [&str; 5] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "best_model.pt",
];

/// Reads every tensor of a checkpoint as single precision: a `.safetensors` file, one of `torch.save` (`.bin`, `.pt`),
/// the index of either in shards, or a directory with one of them.
///
/// Files of PyTorch are read as data: nothing in them is executed.
///
/// # Errors
/// If there is no such file, it is cut short, was written by PyTorch before 1.6, or a tensor is no dense one of `F32`,
/// `F16`, `BF16` or `F64`.
pub fn read_weights(path: &Path) -> Result<Weights> {
    let file = find(path)?;
    let tensors = if file.extension().is_some_and(|it| it == "json") { read_shards(&file)? } else { read_file(&file)? };
    Ok(Weights::new(tensors))
}

/// Reads a file by what it begins with: endings of weight files say little.
fn read_file(path: &Path) -> Result<BTreeMap<String, HostTensor>> {
    let mut start = Vec::new();
    let file = fs::File::open(path).map_err(|it| Error::io(path, it))?;
    file.take(8).read_to_end(&mut start).map_err(|it| Error::io(path, it))?;
    if is_zip(&start) {
        return read_torch(path);
    }
    if is_legacy(&start) {
        return Err(Error::invalid_input(format!(
            "`{}` has the format of PyTorch before 1.6, expected that of a later one, or safetensors",
            path.display()
        ))
        .with_hint("in Python: torch.save(torch.load(F, map_location='cpu', weights_only=True), F)"));
    }
    read_safetensors(path)
}

fn find(path: &Path) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let candidates = FILES.iter().map(|it| path.join(it));
    candidates.into_iter().find(|it| it.is_file()).ok_or_else(|| {
        Error::invalid_input(format!("`{}` holds no weights, expected one of {}", path.display(), FILES.join(", ")))
            .with_hint("in Python: model.save_pretrained(DIR, safe_serialization=True)")
    })
}

fn read_safetensors(path: &Path) -> Result<BTreeMap<String, HostTensor>> {
    let named = |what: String| Error::invalid_input(format!("`{}`: {what}", path.display()));
    let bytes = fs::read(path).map_err(|it| Error::io(path, it))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|it| {
        named(format!("{} bytes are no safetensors file: {it}", bytes.len()))
            .with_hint("the file may be cut short: compare its size with that of its source")
    })?;
    file.iter()
        .map(|(name, view)| {
            let data = values(&view).ok_or_else(|| {
                named(format!("tensor `{name}` holds {:?}, expected F32, F16, BF16 or F64", view.dtype()))
            })?;
            Ok((name.to_owned(), HostTensor::new(view.shape().to_vec(), data)?))
        })
        .collect()
}

/// Tensors of whole numbers become single precision too: they are buffers, of which no network asks for one.
fn values(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let bytes = view.data();
    Some(match view.dtype() {
        Dtype::F32 => bytes.as_chunks::<4>().0.iter().map(|it| f32::from_le_bytes(*it)).collect(),
        Dtype::F64 => bytes.as_chunks::<8>().0.iter().map(|it| f64::from_le_bytes(*it) as f32).collect(),
        Dtype::F16 => bytes.as_chunks::<2>().0.iter().map(|it| half::f16::from_le_bytes(*it).to_f32()).collect(),
        Dtype::BF16 => bytes.as_chunks::<2>().0.iter().map(|it| half::bf16::from_le_bytes(*it).to_f32()).collect(),
        Dtype::I64 => bytes.as_chunks::<8>().0.iter().map(|it| i64::from_le_bytes(*it) as f32).collect(),
        _ => return None,
    })
}

#[derive(serde::Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

fn read_shards(path: &Path) -> Result<BTreeMap<String, HostTensor>> {
    let named = |what: String| Error::invalid_input(format!("`{}`: {what}", path.display()));
    let text = fs::read_to_string(path).map_err(|it| named(it.to_string()))?;
    let index: Index = serde_json::from_str(&text).map_err(|it| named(format!("no index of shards: {it}")))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut tensors = BTreeMap::new();
    for shard in index.weight_map.values().collect::<BTreeSet<_>>() {
        // A shard is a name, never a way out of the folder.
        if Path::new(shard).file_name().is_none_or(|it| it != shard.as_str()) {
            return Err(named(format!("shard `{shard}`, expected the name of a file beside the index")));
        }
        tensors.extend(read_file(&folder.join(shard))?);
    }
    match index.weight_map.keys().find(|it| !tensors.contains_key(*it)) {
        None => Ok(tensors),
        Some(name) => Err(named(format!("tensor `{name}` is in no shard"))),
    }
}

/// Writes tensors as single precision; the file has its name only when it is whole.
///
/// # Errors
/// If the file cannot be written.
pub fn write_safetensors(weights: &Weights, path: &Path) -> Result<()> {
    let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = weights
        .names()
        .filter_map(|name| {
            let it = weights.get(name)?;
            Some((name.to_owned(), it.shape.clone(), it.data.iter().flat_map(|it| it.to_le_bytes()).collect()))
        })
        .collect();
    let named = |what: String| Error::invalid_input(format!("`{}`: {what}", path.display()));
    let views = bytes
        .iter()
        .map(|(name, shape, data)| Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), data)?)))
        .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(|it| named(it.to_string()))?;
    let text = safetensors::serialize(views, None).map_err(|it| named(it.to_string()))?;
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let written = fs::write(&part, text).and_then(|()| fs::rename(&part, path));
    written.map_err(|it| {
        // Nothing half-written stays behind; that it cannot be removed either is not what went wrong.
        let _ = fs::remove_file(&part);
        named(it.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Weights {
        let mut weights = Weights::default();
        weights.insert("b.weight", HostTensor::new(vec![2, 3], vec![1.0, 2.0, 3.0, -4.0, 5.5, 0.0]).expect("it fits"));
        weights.insert("a", HostTensor::new(vec![1], vec![0.25]).expect("it fits"));
        weights
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model.safetensors");
        write_safetensors(&some(), &path).expect("written");
        assert_eq!(read_weights(folder.path()).expect("read"), some());
        let whole = fs::read(&path).expect("bytes");
        fs::write(&path, &whole[..whole.len() - 3]).expect("cut");
        let error = read_weights(&path).expect_err("cut short");
        assert!(error.to_string().contains("bytes are no safetensors file"), "{error}");
        fs::write(&path, b"").expect("emptied");
        assert!(read_weights(&path).is_err());
    }

    #[test]
    fn half_precision_becomes_single() {
        let bytes: Vec<u8> = [1.5_f32, -2.0].iter().flat_map(|it| half::f16::from_f32(*it).to_le_bytes()).collect();
        let view = TensorView::new(Dtype::F16, vec![2], &bytes).expect("a view");
        assert_eq!(values(&view), Some(vec![1.5, -2.0]));
    }

    #[test]
    fn shards_come_together_and_stay_in_their_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        write_safetensors(&some(), &folder.path().join("one.safetensors")).expect("written");
        let index = |map: &str| {
            fs::write(folder.path().join("model.safetensors.index.json"), format!("{{\"weight_map\":{map}}}"))
                .expect("written");
            read_weights(folder.path())
        };
        assert_eq!(index(r#"{"a":"one.safetensors"}"#).expect("read"), some());
        let error = index(r#"{"c":"one.safetensors"}"#).expect_err("absent").to_string();
        assert!(error.contains("tensor `c` is in no shard"), "{error}");
        let error = index(r#"{"a":"../one.safetensors"}"#).expect_err("outside").to_string();
        assert!(error.contains("expected the name of a file beside the index"), "{error}");
    }
}
