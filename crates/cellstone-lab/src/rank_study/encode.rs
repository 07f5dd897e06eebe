//! Counts of a gene set under an encoder, and what a projection makes of them.

use super::config::{EncoderName, PairMetric, Projection, Unit};
use super::genes::medians;
use cellstone_core::{Csr, Result, Seed};
use cellstone_neighbors::{DistanceMetric, FuzzyParams, KnnParams, Rows, UmapParams, fuzzy_graph, knn, umap};
use cellstone_prep::{SparsePcaParams, matmul, pca_dense, pca_sparse};
use cellstone_rank::{
    BinTies, CountRows, Medians, PearsonResiduals, RowEncoder, ZScore, encode_rows, encode_rows_dense,
};
use ndarray::{Array1, Array2, Axis};
use rand_distr::{Distribution, StandardNormal};

/// Library size of log-normalised values.
const TARGET: f64 = 1e4;
/// Where z-scores are cut.
const CLIP: f64 = 10.0;
/// Size of the negative binomial behind Pearson residuals.
const THETA: f64 = 100.0;
/// Bins of scGPT, the one of zeros counted.
const N_BINS: usize = 51;
/// Components that neighbours of a UMAP layout are searched in.
const UMAP_COMPONENTS: usize = 50;
/// Values up to which sparse rows are spread out for their components: 1 GiB.
const DENSE_VALUES: usize = 1 << 27;
/// Neighbours of a UMAP layout, the cell itself counted.
const UMAP_NEIGHBORS: usize = 15;
/// Distance at which near cells come to lie in a UMAP layout.
const UMAP_MIN_DIST: f64 = 0.1;

/// Counts of cells over a gene set.
pub(crate) struct Cut {
    /// Counts, `[cells, genes]`.
    pub(crate) x: Csr<f32>,
    /// Total of each cell over all features of its file.
    pub(crate) totals: Vec<f64>,
    /// A seed for each cell.
    pub(crate) seeds: Vec<Seed>,
}

impl Cut {
    fn rows(&self) -> CountRows<'_> {
        CountRows { x: &self.x, totals: Some(&self.totals), seeds: Some(&self.seeds) }
    }

    /// Some of the cells.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        Self {
            x: self.x.select_rows(rows),
            totals: rows.iter().map(|it| self.totals[*it]).collect(),
            seeds: rows.iter().map(|it| self.seeds[*it]).collect(),
        }
    }
}

/// Cells as rows of numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CellRows {
    /// Stored values; the others are 0.
    Sparse(Csr<f32>),
    /// Every value.
    Dense(Array2<f32>),
}

impl CellRows {
    /// As the all-pairs engine takes them.
    pub(crate) fn view(&self) -> Rows<'_> {
        match self {
            Self::Sparse(it) => Rows::Sparse(it),
            Self::Dense(it) => Rows::Dense(it.view()),
        }
    }

    /// Number of cells and width.
    pub(crate) fn shape(&self) -> (usize, usize) {
        self.view().shape()
    }

    /// Some of the rows, dense.
    pub(crate) fn dense(&self, rows: &[usize]) -> Array2<f32> {
        match self {
            Self::Sparse(it) => it.select_rows(rows).to_dense(),
            Self::Dense(it) => it.select(Axis(0), rows),
        }
    }
}

/// An encoder with everything it needs, fitted to training cells.
///
/// # Errors
/// As the encoders say.
pub(crate) fn fit(name: EncoderName, cut: &Cut, train: &[bool]) -> Result<RowEncoder> {
    let medians = || -> Medians { medians(&cut.x, &cut.totals, train) };
    let training = || cut.select(&(0..train.len()).filter(|it| train[*it]).collect::<Vec<_>>());
    Ok(match name {
        EncoderName::Raw => RowEncoder::Raw,
        EncoderName::LogNorm => RowEncoder::LogNorm { target: TARGET },
        EncoderName::ZScore => RowEncoder::ZScore(ZScore::fit(&training().rows(), TARGET, CLIP)?),
        EncoderName::RankAll => RowEncoder::RankAll,
        EncoderName::RankDetected => RowEncoder::RankDetected,
        EncoderName::Geneformer => RowEncoder::GeneformerRank { medians: medians() },
        EncoderName::GeneformerScaled => RowEncoder::GeneformerScaled { medians: medians() },
        EncoderName::TopK(k) => RowEncoder::TopK { medians: medians(), k },
        EncoderName::Bins => RowEncoder::Bins { n_bins: N_BINS, ties: BinTies::Random },
        EncoderName::Binary => RowEncoder::Binary,
        EncoderName::Pearson => {
            let clip = (cut.x.shape().0 as f64).sqrt();
            RowEncoder::Pearson(PearsonResiduals::fit(&training().rows(), THETA, Some(clip))?)
        }
    })
}

/// The rows that a unit compares, before its projection.
///
/// Ranks over all genes are kept as offsets from the rank of zeros, which are sparse, where the measure does not see a
/// constant added to a row; elsewhere they are the ranks themselves.
///
/// # Errors
/// As the encoders say.
pub(crate) fn encode(cut: &Cut, encoder: &RowEncoder, unit: &Unit) -> Result<CellRows> {
    let shift_free = matches!(unit.metric, PairMetric::Pearson | PairMetric::Spearman);
    if encoder.is_dense() {
        return Ok(CellRows::Dense(encode_rows_dense(&cut.rows(), encoder)?));
    }
    let rows = encode_rows(&cut.rows(), encoder)?;
    if unit.encoder != EncoderName::RankAll || (shift_free && unit.projection == Projection::None) {
        return Ok(CellRows::Sparse(rows));
    }
    let (n_cells, n_genes) = rows.shape();
    let mut ranks = rows.to_dense();
    for cell in 0..n_cells {
        let n_zero = n_genes - cut.x.row(cell).1.iter().filter(|it| **it > 0.0).count();
        let zero_rank = (n_zero as f32 + 1.0) / 2.0;
        ranks.row_mut(cell).mapv_inplace(|it| it + zero_rank);
    }
    Ok(CellRows::Dense(ranks))
}

/// The rows after the projection of a unit.
///
/// A projection to more dimensions than there are cells or genes takes as many as there can be.
///
/// # Errors
/// As the projections say.
pub(crate) fn project(rows: CellRows, projection: Projection, seed: Seed) -> Result<CellRows> {
    let (n, p) = rows.shape();
    Ok(match projection {
        Projection::None => rows,
        Projection::Pca(k) => CellRows::Dense(scores(&rows, k.min(n - 1).min(p))?.mapv(|it| it as f32)),
        Projection::Random(k) => CellRows::Dense(random(&rows, k, seed.derive("projection"))),
        // DIVERGES(umap-of-components): neighbours in principal components, not among genes.
        Projection::Umap(k) => {
            let scores = scores(&rows, UMAP_COMPONENTS.min(n - 1).min(p))?;
            let wanted = KnnParams { metric: DistanceMetric::Euclidean, k: UMAP_NEIGHBORS.min(n), include_self: true };
            let graph = fuzzy_graph(&knn(scores.view(), &wanted, seed)?, &FuzzyParams::default())?;
            let params = UmapParams { n_components: k, min_dist: UMAP_MIN_DIST, ..UmapParams::new(seed) };
            CellRows::Dense(umap(&graph, &params)?.mapv(|it| it as f32))
        }
    })
}

fn scores(rows: &CellRows, k: usize) -> Result<Array2<f64>> {
    let (n, p) = rows.shape();
    // Many more genes than cells: the products of cells are few, and their spectrum is quicker than an iteration.
    if p >= 2 * n && n * p <= DENSE_VALUES {
        return Ok(pca_dense(&rows.dense(&(0..n).collect::<Vec<_>>()).mapv(f64::from).view(), k, true)?.scores);
    }
    Ok(match rows {
        CellRows::Sparse(x) => pca_sparse(x, k, &SparsePcaParams::default())?.scores,
        CellRows::Dense(x) => pca_dense(&x.mapv(f64::from).view(), k, true)?.scores,
    })
}

/// Rows less their mean, times independent normal numbers of variance `1/k`.
fn random(rows: &CellRows, k: usize, seed: Seed) -> Array2<f32> {
    let p = rows.shape().1;
    let mut rng = seed.rng();
    let scale = 1.0 / (k as f64).sqrt();
    let directions = Array2::from_shape_simple_fn((p, k), || {
        let draw: f64 = StandardNormal.sample(&mut rng);
        (draw * scale) as f32
    });
    let mut out = match rows {
        CellRows::Dense(x) => matmul(&x.view(), &directions.view()),
        CellRows::Sparse(x) => sparse_times(x, &directions),
    };
    let mean: Array1<f64> = out.mapv(f64::from).mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(k));
    out -= &mean.mapv(|it| it as f32);
    out
}

fn sparse_times(x: &Csr<f32>, directions: &Array2<f32>) -> Array2<f32> {
    let mut out = Array2::zeros((x.shape().0, directions.ncols()));
    for (row, mut sums) in out.rows_mut().into_iter().enumerate() {
        let (columns, values) = x.row(row);
        for (column, value) in columns.iter().zip(values) {
            sums.scaled_add(*value, &directions.row(*column as usize));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::config::GeneSet;
    use super::*;
    use ndarray::array;

    fn cut() -> Cut {
        let x = Csr::from_dense(&array![[2.0_f32, 0.0, 0.0, 5.0], [0.0, 1.0, 1.0, 0.0], [4.0, 3.0, 2.0, 1.0]]);
        Cut { x, totals: vec![10.0, 2.0, 10.0], seeds: (0..3).map(Seed::new).collect() }
    }

    fn unit(encoder: EncoderName, metric: PairMetric) -> Unit {
        Unit { genes: GeneSet::All, encoder, projection: Projection::None, metric }
    }

    #[test]
    fn ranks_are_offsets_only_where_a_shift_is_not_seen() {
        let cut = cut();
        let encoder = fit(EncoderName::RankAll, &cut, &[true; 3]).expect("fits");
        let offsets = encode(&cut, &encoder, &unit(EncoderName::RankAll, PairMetric::Pearson)).expect("rows");
        assert_eq!(offsets.dense(&[0]), array![[1.5, 0.0, 0.0, 2.5]]);
        let ranks = encode(&cut, &encoder, &unit(EncoderName::RankAll, PairMetric::Cosine)).expect("rows");
        assert_eq!(ranks.dense(&[0, 2]), array![[3.0, 1.5, 1.5, 4.0], [4.0, 3.0, 2.0, 1.0]]);
    }

    #[test]
    fn every_encoder_makes_a_row_a_cell() {
        let cut = cut();
        for name in ["raw", "lognorm", "zscore", "rank_all", "rank_detected", "geneformer_rank", "geneformer_scaled"]
            .into_iter()
            .chain(["top_2", "bins", "binary", "pearson_residuals"])
        {
            let name: EncoderName = name.parse().expect("a name");
            let encoder = fit(name, &cut, &[true, true, true]).expect("fits");
            let rows = encode(&cut, &encoder, &unit(name, PairMetric::Cosine)).expect("rows");
            assert_eq!(rows.shape(), (3, 4), "{name}");
            for projection in [Projection::Pca(50), Projection::Random(3)] {
                let projected = project(rows.clone(), projection, Seed::new(1)).expect("projected");
                let width = if projection == Projection::Random(3) { 3 } else { 2 };
                assert_eq!(projected.shape(), (3, width), "{name}");
            }
        }
    }

    #[test]
    fn sparse_and_dense_rows_project_alike() {
        let cut = cut();
        let sparse = CellRows::Sparse(cut.x.clone());
        let dense = CellRows::Dense(cut.x.to_dense());
        for projection in [Projection::Pca(2), Projection::Random(2)] {
            let a = project(sparse.clone(), projection, Seed::new(1)).expect("projected").dense(&[0, 1, 2]);
            let b = project(dense.clone(), projection, Seed::new(1)).expect("projected").dense(&[0, 1, 2]);
            assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-4), "{a} {b}");
        }
    }
}
