//! `neighbors`, `cluster`, `umap`: the graph of cells and what is read off it.

use super::{check_out, is_h5ad, open, principal_components, save_table, scale_of};
use crate::cli::{Cluster, ClusterArg, Common, DistanceArg, GraphArg, Neighbors, ObjectiveArg, Rep, Umap};
use crate::progress::TerminalProgress;
use crate::terminal::say;
use cellstone_core::{Clustering, Column, CountSource, Csr, Error, KnnGraph, Result, Seed};
use cellstone_io::{Additions, AnyMatrix, H5ad, Uns, WriteOptions, write_annotated};
use cellstone_lab::Progress as _;
use cellstone_neighbors::{
    DistanceMetric, FuzzyParams, KnnParams, LeidenParams, Objective, UmapParams, fuzzy_graph, gauss_graph,
    knn as nearest, leiden, louvain, umap as lay_out,
};
use cellstone_report::ColumnData;
use ndarray::Array2;
use std::collections::BTreeMap;
use std::path::Path;

/// Cells, and the graph of their neighbours.
struct Graph {
    source: Box<dyn CountSource>,
    /// None where the graph was in the file.
    knn: Option<KnnGraph>,
    weights: Csr<f64>,
    additions: Additions,
}

/// The vectors of the cells: an entry of `obsm`, or components computed now.
fn vectors(
    common: &Common,
    args: &Rep,
    source: &dyn CountSource,
    additions: &mut Additions,
) -> Result<(Array2<f64>, String)> {
    if is_h5ad(&args.input.input) {
        let file = H5ad::open(&args.input.input)?;
        let key = args.use_rep.as_deref().unwrap_or("X_pca");
        if args.use_rep.is_some() || file.keys("obsm").iter().any(|it| it == key) {
            return Ok((file.obsm(key)?, key.to_owned()));
        }
    } else if let Some(key) = &args.use_rep {
        return Err(Error::config(format!(
            "--use-rep {key} does not apply to `{}`: only .h5ad files hold vectors of cells",
            args.input.input.display()
        )));
    }
    let n_comps = args.n_comps.min(source.n_obs().min(source.var().len()).saturating_sub(1));
    say(common, &format!("no `X_pca` in the file: {n_comps} components are computed on the way"));
    let pca = principal_components(common, &args.input, args.scale, source, n_comps, args.seed, false)?;
    let scores = pca.scores.clone();
    additions.obsm.insert("X_pca".to_owned(), AnyMatrix::Dense(pca.scores));
    Ok((scores, "X_pca".to_owned()))
}

/// The graph in the file, or one made now. `fresh` makes one in any case.
fn graph(common: &Common, args: &Rep, fresh: bool) -> Result<Graph> {
    let source = open(&args.input, scale_of(args.scale))?;
    let mut additions = Additions::default();
    if !fresh && args.use_rep.is_none() && is_h5ad(&args.input.input) {
        let file = H5ad::open(&args.input.input)?;
        if file.keys("obsp").iter().any(|it| it == "connectivities") {
            let weights = to_csr(file.element("obsp/connectivities")?)?;
            return Ok(Graph { source, knn: None, weights, additions });
        }
    }
    let (rep, key) = vectors(common, args, source.as_ref(), &mut additions)?;
    let progress = TerminalProgress::new(common);
    progress.begin("nearest neighbours", None, "");
    let metric = match args.metric {
        DistanceArg::Euclidean => DistanceMetric::Euclidean,
        DistanceArg::Cosine => DistanceMetric::Cosine,
        DistanceArg::Correlation => DistanceMetric::Correlation,
    };
    let knn = nearest(rep.view(), &KnnParams { metric, k: args.k, include_self: true }, Seed::new(args.seed))
        .map_err(|it| it.context(format!("`{}`, obsm `{key}`", args.input.input.display())));
    progress.end();
    let knn = knn?;
    let weights = match args.connectivity {
        GraphArg::Umap => fuzzy_graph(&knn, &FuzzyParams::default())?,
        GraphArg::Gauss => gauss_graph(&knn)?,
    };
    additions.obsp.insert("connectivities".to_owned(), AnyMatrix::Csr(to_f32(&weights)?));
    additions.obsp.insert("distances".to_owned(), AnyMatrix::Csr(distances(&knn)?));
    let text = |it: &str| Uns::Str(it.to_owned());
    let params = BTreeMap::from([
        ("n_neighbors".to_owned(), Uns::Int(args.k as i64)),
        ("metric".to_owned(), text(metric_name(args.metric))),
        ("method".to_owned(), text(if args.connectivity == GraphArg::Umap { "umap" } else { "gauss" })),
        ("use_rep".to_owned(), text(&key)),
        ("random_state".to_owned(), Uns::Int(args.seed as i64)),
    ]);
    let group = BTreeMap::from([
        ("connectivities_key".to_owned(), text("connectivities")),
        ("distances_key".to_owned(), text("distances")),
        ("params".to_owned(), Uns::Group(params)),
    ]);
    additions.uns.insert("neighbors".to_owned(), Uns::Group(group));
    Ok(Graph { source, knn: Some(knn), weights, additions })
}

fn metric_name(metric: DistanceArg) -> &'static str {
    match metric {
        DistanceArg::Euclidean => "euclidean",
        DistanceArg::Cosine => "cosine",
        DistanceArg::Correlation => "correlation",
    }
}

fn to_csr(matrix: AnyMatrix) -> Result<Csr<f64>> {
    let x = match matrix {
        AnyMatrix::Csr(it) => it,
        AnyMatrix::Csc(it) => it.to_csr(),
        other => {
            return Err(Error::invalid_input(format!(
                "obsp `connectivities` is a dense {} x {} matrix, expected a sparse one",
                other.shape().0,
                other.shape().1
            ))
            .with_hint("`cellstone neighbors` makes the graph again"));
        }
    };
    let (n, m) = x.shape();
    let (indptr, indices, data) = x.into_parts();
    Csr::new(n, m, indptr, indices, data.into_iter().map(f64::from).collect())
}

fn to_f32(x: &Csr<f64>) -> Result<Csr<f32>> {
    let (n, m) = x.shape();
    let data = x.data().iter().map(|it| *it as f32).collect();
    Csr::new(n, m, x.indptr().to_vec(), x.indices().to_vec(), data)
}

/// Distances to the other cells as scanpy stores them: columns ascending, the cell itself left out.
fn distances(knn: &KnnGraph) -> Result<Csr<f32>> {
    let n = knn.n_obs();
    let (mut indptr, mut indices, mut data) = (vec![0], Vec::new(), Vec::new());
    for obs in 0..n {
        let (to, at) = knn.neighbors(obs);
        let mut row: Vec<(u32, f32)> =
            to.iter().zip(at).filter(|it| *it.0 as usize != obs).map(|it| (*it.0, *it.1 as f32)).collect();
        row.sort_unstable_by_key(|it| it.0);
        indices.extend(row.iter().map(|it| it.0));
        data.extend(row.iter().map(|it| it.1));
        indptr.push(indices.len());
    }
    Csr::new(n, n, indptr, indices, data)
}

fn names(source: &dyn CountSource) -> (String, ColumnData) {
    ("obs".to_owned(), ColumnData::Str(source.obs().index().iter().cloned().map(Some).collect()))
}

/// Finds the neighbours of every cell.
pub(super) fn neighbors(common: &Common, args: &Neighbors) -> Result<u8> {
    let ending = check_out(&args.out, args.force, &["h5ad", "parquet", "csv"])?;
    let it = graph(common, &args.rep, true)?;
    if ending == "h5ad" {
        return save(&it, &args.rep, &args.out, args.force);
    }
    let Some(knn) = &it.knn else { return Ok(0) };
    let cells = it.source.obs().index();
    let (mut from, mut to, mut at) = (Vec::new(), Vec::new(), Vec::new());
    for obs in 0..knn.n_obs() {
        let (others, far) = knn.neighbors(obs);
        for (other, distance) in others.iter().zip(far).filter(|it| *it.0 as usize != obs) {
            from.push(Some(cells[obs].clone()));
            to.push(Some(cells[*other as usize].clone()));
            at.push(Some(*distance));
        }
    }
    let columns =
        [("obs", ColumnData::Str(from)), ("neighbor", ColumnData::Str(to)), ("distance", ColumnData::Float(at))];
    save_table(&args.out, columns.into_iter().map(|(name, it)| (name.to_owned(), it)).collect())
}

fn save(graph: &Graph, rep: &Rep, out: &Path, force: bool) -> Result<u8> {
    let options = WriteOptions { overwrite: force, ..WriteOptions::default() };
    write_annotated(out, &options, graph.source.as_ref(), &rep.input.input, &graph.additions)?;
    Ok(0)
}

/// Finds communities of cells.
pub(super) fn cluster(common: &Common, args: &Cluster) -> Result<u8> {
    let ending = check_out(&args.out, args.force, &["h5ad", "parquet", "csv"])?;
    let resolution = args.resolution;
    if !(resolution > 0.0 && resolution.is_finite()) {
        return Err(Error::config(format!("--resolution {resolution}: expected a positive number")));
    }
    let objective = match args.objective {
        ObjectiveArg::Modularity => Objective::Modularity { resolution },
        ObjectiveArg::Cpm => Objective::Cpm { resolution },
    };
    let mut it = graph(common, &args.rep, false)?;
    let seed = Seed::new(args.rep.seed);
    let progress = TerminalProgress::new(common);
    progress.begin("communities", None, "");
    let (method, found) = match args.method {
        ClusterArg::Leiden => {
            let params =
                LeidenParams { objective, n_iterations: args.n_iterations, ..LeidenParams::new(resolution, seed) };
            ("leiden", leiden(&it.weights, &params))
        }
        ClusterArg::Louvain => ("louvain", louvain(&it.weights, objective, seed)),
    };
    progress.end();
    let clusters = found?;
    say(common, &format!("{} clusters of {} cells", clusters.n_clusters(), it.source.n_obs()));
    let key = args.key_added.clone().unwrap_or_else(|| method.to_owned());
    if ending == "h5ad" {
        let params = BTreeMap::from([
            ("resolution".to_owned(), Uns::Float(resolution)),
            ("random_state".to_owned(), Uns::Int(args.rep.seed as i64)),
        ]);
        let group = BTreeMap::from([("params".to_owned(), Uns::Group(params))]);
        it.additions.uns.insert(key.clone(), Uns::Group(group));
        it.additions.obs.push((key, categories(&clusters)));
        return save(&it, &args.rep, &args.out, args.force);
    }
    let labels = clusters.labels().iter().map(|it| Some(it.to_string())).collect();
    save_table(&args.out, vec![names(it.source.as_ref()), (key, ColumnData::Str(labels))])
}

/// Cluster numbers as categories in numeric order, as scanpy has them.
fn categories(clusters: &Clustering) -> Column {
    Column::Categorical {
        codes: clusters.labels().iter().map(|it| Some(*it)).collect(),
        categories: (0..clusters.n_clusters()).map(|it| it.to_string()).collect(),
        ordered: false,
    }
}

/// Lays the graph out in two dimensions.
pub(super) fn umap(common: &Common, args: &Umap) -> Result<u8> {
    let ending = check_out(&args.out, args.force, &["h5ad", "parquet", "csv"])?;
    let mut it = graph(common, &args.rep, false)?;
    let params = UmapParams {
        min_dist: args.min_dist,
        spread: args.spread,
        n_epochs: args.n_epochs,
        ..UmapParams::new(Seed::new(args.rep.seed))
    };
    let progress = TerminalProgress::new(common);
    progress.begin("layout", None, "");
    let points = lay_out(&it.weights, &params);
    progress.end();
    let points = points?;
    if ending == "h5ad" {
        it.additions.obsm.insert("X_umap".to_owned(), AnyMatrix::Dense(points));
        return save(&it, &args.rep, &args.out, args.force);
    }
    let axis = |at: usize| ColumnData::Float(points.column(at).iter().copied().map(Some).collect());
    let columns = vec![names(it.source.as_ref()), ("UMAP1".to_owned(), axis(0)), ("UMAP2".to_owned(), axis(1))];
    save_table(&args.out, columns)
}
