//! A matrix of a file as a stream of row blocks: the next block is read and inflated while one is being used.

use super::blocks::{Raw, Reader};
use super::matrix::{Located, MatrixKind, check_line, sort_lanes};
use cellstone_core::{CountSource, Csr, Error, ObsTable, Result, RowBlock, Scale, Var, check_values};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

/// A matrix of an `.h5ad` file as a [`CountSource`].
///
/// Working memory is two blocks of about two million values each, whatever the file, plus one chunk of the file per
/// core. Blocks are decoded by a pool of their own, so that a consumer that fills every core of its own pool cannot
/// starve them. A dense matrix is read in windows of rows that hold whole chunks where these are small. A matrix
/// stored by columns is read once to count and then once per 16 million values it holds, because its rows are spread
/// over the whole file: convert it once if it is to be read often.
pub struct H5adSource {
    name: String,
    located: Arc<Located>,
    obs: ObsTable,
    var: Var,
    scale: Scale,
}

impl std::fmt::Debug for H5adSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "H5adSource({}, {:?} {:?})", self.located.label, self.located.kind, self.located.shape)
    }
}

impl H5adSource {
    pub(crate) fn new(name: String, located: Located, obs: ObsTable, var: Var, scale: Scale) -> Result<Self> {
        let (n, m) = located.shape;
        if n != obs.n_rows() || m != var.len() {
            return Err(Error::invalid_input(format!(
                "{} has shape {n} × {m}, but there are {} cells and {} genes",
                located.label,
                obs.n_rows(),
                var.len()
            )));
        }
        Ok(Self { name, located: Arc::new(located), obs, var, scale })
    }

    /// Layout of the matrix in the file.
    pub fn kind(&self) -> MatrixKind {
        self.located.kind
    }

    /// The whole matrix in memory, checked against the declared scale.
    ///
    /// # Errors
    /// As the blocks of [`CountSource::blocks`].
    pub fn read(&self) -> Result<Csr<f32>> {
        let (n, m) = self.located.shape;
        let nnz = self.located.pattern.as_ref().map_or(0, |_| self.located.data.len());
        let (mut indptr, mut indices, mut data) = (vec![0], Vec::with_capacity(nnz), Vec::with_capacity(nnz));
        for block in self.blocks(0)? {
            let (bounds, cols, values) = block?.x.into_parts();
            let base = indices.len();
            indptr.extend(bounds[1..].iter().map(|it| base + it));
            indices.extend_from_slice(&cols);
            data.extend_from_slice(&values);
        }
        Csr::new(n, m, indptr, indices, data)
    }
}

impl CountSource for H5adSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn n_obs(&self) -> usize {
        self.obs.n_rows()
    }

    fn var(&self) -> &Var {
        &self.var
    }

    fn obs(&self) -> &ObsTable {
        &self.obs
    }

    fn scale(&self) -> Scale {
        self.scale
    }

    fn blocks(&self, start_row: usize) -> Result<Box<dyn Iterator<Item = Result<RowBlock>> + Send + '_>> {
        if start_row > self.n_obs() {
            return Err(Error::invalid_input(format!(
                "{}: asked to start at cell {start_row} of {}",
                self.located.label,
                self.n_obs()
            )));
        }
        let reader = Reader::new(Arc::clone(&self.located), start_row);
        Ok(Box::new(Stream { source: self, next: start_row, ahead: Some(Ahead::start(reader)?) }))
    }
}

/// What to try when values contradict the declared scale and the check itself has no advice.
pub(crate) fn unlike_scale(error: Error, scale: Scale) -> Error {
    if !error.hints().is_empty() {
        return error;
    }
    let wanted = if scale == Scale::Counts { "the counts" } else { "values of this scale" };
    error.with_hint(format!(
        "`inspect` says what every matrix of the file looks like: point to the one that holds {wanted}, without NaN"
    ))
}

/// Blocks being read ahead on a thread.
struct Ahead {
    blocks: Receiver<Result<Raw>>,
    thread: JoinHandle<()>,
}

impl Ahead {
    fn start(mut reader: Reader) -> Result<Self> {
        let failed = |what: String| Error::new(cellstone_core::ErrorKind::Io, format!("no thread to read on: {what}"));
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(rayon::current_num_threads())
            .build()
            .map_err(|it| failed(it.to_string()))?;
        // No queue: one block waits at the door while another is used.
        let (sender, blocks) = sync_channel(0);
        let work = move || {
            while let Some(block) = pool.install(|| reader.next()) {
                let last = block.is_err();
                if sender.send(block).is_err() || last {
                    break;
                }
            }
        };
        let thread =
            std::thread::Builder::new().name("h5ad".into()).spawn(work).map_err(|it| failed(it.to_string()))?;
        Ok(Self { blocks, thread })
    }

    /// Lets the thread end, and says whether it did so in good order.
    fn stop(self) -> Result<()> {
        drop(self.blocks);
        self.thread.join().map_err(|_| Error::new(cellstone_core::ErrorKind::Io, "the reading thread died"))
    }
}

struct Stream<'a> {
    source: &'a H5adSource,
    next: usize,
    ahead: Option<Ahead>,
}

impl Iterator for Stream<'_> {
    type Item = Result<RowBlock>;

    fn next(&mut self) -> Option<Self::Item> {
        let ahead = self.ahead.as_ref()?;
        let block = if let Ok(raw) = ahead.blocks.recv() {
            raw.and_then(|it| self.source.check(it))
        } else {
            let ended = self.ahead.take().map_or(Ok(()), Ahead::stop);
            return match ended {
                Ok(()) if self.next == self.source.n_obs() => None,
                Ok(()) => Some(Err(Error::invalid_input(format!(
                    "{} ends at cell {}, expected {}",
                    self.source.located.label,
                    self.next,
                    self.source.n_obs()
                )))),
                Err(error) => Some(Err(error.context(self.source.located.label.clone()))),
            };
        };
        match &block {
            Ok(it) => self.next = it.start + it.x.shape().0,
            Err(_) => drop(self.ahead.take().map(Ahead::stop)),
        }
        Some(block)
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        // A thread that died has nothing left to say to someone who stopped listening.
        drop(self.ahead.take().map(Ahead::stop));
    }
}

impl H5adSource {
    fn check(&self, mut raw: Raw) -> Result<RowBlock> {
        sort_lanes(&raw.indptr, &mut raw.indices, &mut raw.data);
        let (start, n) = (raw.start, raw.indptr.len() - 1);
        let x = Csr::new(n, self.located.shape.1, raw.indptr, raw.indices, raw.data)
            .map_err(|error| self.culprit(start, n).err().unwrap_or(error))
            .map_err(|it| it.context(self.located.label.clone()))?;
        check_values(&x, start, self.scale)
            .map_err(|it| unlike_scale(it, self.scale).context(self.located.label.clone()))?;
        Ok(RowBlock { start, x })
    }

    /// Reads the rows of a refused block again to name the cell.
    fn culprit(&self, start: usize, n: usize) -> Result<()> {
        if self.located.kind != MatrixKind::Csr {
            return Ok(());
        }
        let (indptr, indices, _) = self.located.csr_rows(start..start + n, &mut Default::default())?;
        (0..n).try_for_each(|row| {
            let mut own = indices[indptr[row]..indptr[row + 1]].to_vec();
            own.sort_unstable();
            check_line(start + row, "cell", &own, self.located.shape.1)
        })
    }
}
