//! Times a network on simulated cells, like `peers/torch_speed.py` does for PyTorch with the same cells and weights.
//!
//! `model_speed prepare DIR [N_CELLS]` writes cells, configuration and weights; `model_speed inference DIR [BUDGET]
//! [REPEATS] [THREADS]` and `model_speed training DIR …` each print one line per pass over the cells:
//! `bench,tool,n_cells,n_tokens,check,seconds,tokens_per_second,bytes_per_token,peak_bytes`. Only real tokens count.
//!
//! The network has 6 blocks, 256 wide, 4 heads, 512 inner, GELU, and Geneformer's vocabulary. Half of the cells are as
//! long as those of 3k PBMC (median 820 genes), half as those of sc_mixology (median 5,600, cut to 2,048).

use cellstone_bench::{measure, peak_memory, run_program};
use cellstone_core::{Error, Result, Seed, SeedRng, TokenRow};
use cellstone_model::{
    AdamWConfig, BertConfig, Decay, DeviceChoice, MaskedBatch, Network, NetworkConfig, Objective, Schedule, TokenBatch,
    Trainer, read_weights, select, write_safetensors,
};
use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::ExitCode;

const MAX_LEN: usize = 2_048;

/// One cell: its tokens, what the network sees of them, and where they differ.
#[derive(Serialize, Deserialize)]
struct Cell {
    tokens: Vec<u32>,
    input: Vec<u32>,
    masked: Vec<usize>,
}

/// Cells of one pass, in batches, and how many tokens they have.
struct Pass {
    batches: Vec<MaskedBatch>,
    n_tokens: usize,
    largest: usize,
}

fn main() -> ExitCode {
    run_program(run)
}

fn run(args: &[String]) -> Result<String> {
    let [what, dir, rest @ ..] = args else {
        return Err(Error::config("usage: model_speed prepare|inference|training DIR [BUDGET] [REPEATS] [THREADS]"));
    };
    let number = |at: usize, default: usize| rest.get(at).and_then(|it| it.parse().ok()).unwrap_or(default);
    let dir = Path::new(dir);
    if what == "prepare" {
        return prepare(dir, number(0, 48));
    }
    let threads = rayon::ThreadPoolBuilder::new().num_threads(number(2, 0)).build_global();
    threads.map_err(|it| Error::config(format!("threads: {it}")))?;
    match what.as_str() {
        "inference" => inference(dir, number(0, 8_192), number(1, 1)),
        "training" => training(dir, number(0, 8_192), number(1, 1)),
        other => Err(Error::config(format!("`{other}`, expected `prepare`, `inference` or `training`"))),
    }
}

fn config() -> BertConfig {
    BertConfig {
        hidden_act: "gelu".to_owned(),
        hidden_dropout_prob: 0.0,
        attention_probs_dropout_prob: 0.0,
        ..BertConfig::geneformer_v1()
    }
}

fn prepare(dir: &Path, n: usize) -> Result<String> {
    std::fs::create_dir_all(dir).map_err(|it| Error::io(dir, it))?;
    let seed = Seed::new(7);
    let mut rng = seed.derive("cells").rng();
    let cells: Vec<Cell> = (0..n).map(|it| cell(it, &mut rng)).collect();
    let write = |name: &str, text: serde_json::Result<String>| {
        let path = dir.join(name);
        let text = text.map_err(|it| Error::invalid_input(it.to_string()))?;
        std::fs::write(&path, text).map_err(|it| Error::io(&path, it))
    };
    write("cells.json", serde_json::to_string(&cells))?;
    write("config.json", serde_json::to_string(&config()))?;
    let network = Network::fresh(NetworkConfig::Bert(config()), seed, &select(DeviceChoice::Cpu)?)?;
    write_safetensors(&network.weights()?, &dir.join("model.safetensors"))?;
    let n_tokens: usize = cells.iter().map(|it| it.tokens.len()).sum();
    Ok(format!("{n} cells, {n_tokens} tokens"))
}

/// Lengths are log-normal; every gene has the same chance; 15 % are masked, all of them by the mask's own id.
fn cell(at: usize, rng: &mut SeedRng) -> Cell {
    let (median, spread) = if at.is_multiple_of(2) { (820.0_f64, 0.35) } else { (5_600.0, 0.3) };
    // Sum of twelve uniform draws: normal enough for lengths.
    let z: f64 = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
    let len = ((median * (spread * z).exp()) as usize).clamp(16, MAX_LEN);
    let vocab = config().vocab_size as u32;
    let tokens: Vec<u32> = (0..len).map(|_| rng.random_range(2..vocab)).collect();
    let masked: Vec<usize> = (0..len).filter(|_| rng.random::<f64>() < 0.15).collect();
    let mut input = tokens.clone();
    masked.iter().for_each(|it| input[*it] = 1);
    Cell { tokens, input, masked }
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).map_err(|it| Error::io(path, it))?;
    serde_json::from_str(&text).map_err(|it| Error::invalid_input(format!("{}: {it}", path.display())))
}

/// Cells by length, as many in a batch as fit the budget when padded to the longest of them.
fn pass(dir: &Path, budget: usize, masked: bool) -> Result<Pass> {
    let mut cells: Vec<Cell> = read(&dir.join("cells.json"))?;
    cells.sort_by_key(|it| it.tokens.len());
    let (mut groups, mut now): (Vec<Vec<Cell>>, Vec<Cell>) = (Vec::new(), Vec::new());
    for it in cells {
        if !now.is_empty() && (now.len() + 1) * it.tokens.len() > budget {
            groups.push(std::mem::take(&mut now));
        }
        now.push(it);
    }
    groups.push(now);
    let batches = groups.iter().map(|it| batch(it, masked)).collect::<Result<Vec<_>>>()?;
    let sizes: Vec<usize> = batches.iter().map(|it| it.tokens.n_tokens()).collect();
    Ok(Pass { batches, n_tokens: sizes.iter().sum(), largest: sizes.iter().copied().max().unwrap_or(1) })
}

fn batch(cells: &[Cell], masked: bool) -> Result<MaskedBatch> {
    let row = |it: &Cell| TokenRow {
        input_ids: if masked { it.input.clone() } else { it.tokens.clone() },
        ..TokenRow::default()
    };
    let rows: Vec<TokenRow> = cells.iter().map(row).collect();
    let tokens = TokenBatch::new(&rows, 0, 0.0)?;
    let len = tokens.dims()[1];
    let targets = cells.iter().enumerate().flat_map(|(row, it)| it.masked.iter().map(move |at| (row, *at)));
    let positions = targets.clone().map(|(row, at)| (row * len + at) as u32).collect();
    MaskedBatch::new(tokens, positions, targets.map(|(row, at)| cells[row].tokens[at]).collect())
}

fn network(dir: &Path) -> Result<Network> {
    let mut weights = read_weights(&dir.join("model.safetensors"))?;
    let config = NetworkConfig::Bert(read(&dir.join("config.json"))?);
    Ok(Network::load(config, &mut weights, &select(DeviceChoice::Cpu)?)?.0)
}

fn inference(dir: &Path, budget: usize, repeats: usize) -> Result<String> {
    let (network, pass) = (network(dir)?, pass(dir, budget, false)?);
    let n_layers = config().num_hidden_layers;
    passes("inference", &pass, repeats, || {
        let mut sum = 0.0;
        for it in &pass.batches {
            let [_, len] = it.tokens.dims();
            let states = network.hidden_state(&it.tokens, n_layers)?;
            for (row, states) in states.outer_iter().enumerate() {
                let n = it.tokens.padded()[row * len..(row + 1) * len].iter().filter(|it| !**it).count();
                let mean = states.slice_axis(ndarray::Axis(0), (..n).into()).mean_axis(ndarray::Axis(0));
                sum += f64::from(mean.map_or(0.0, |it| it.mapv(f32::abs).sum()));
            }
        }
        Ok(sum)
    })
}

fn training(dir: &Path, budget: usize, repeats: usize) -> Result<String> {
    let (network, pass) = (network(dir)?, pass(dir, budget, true)?);
    let schedule = Schedule { peak: 1e-4, warmup: 0, total: 1, decay: Decay::Constant };
    let objective = Objective::AllIds { smoothing: 0.0 };
    let mut trainer = Trainer::new(network, objective, AdamWConfig::default(), schedule, Seed::new(0))?;
    passes("training", &pass, repeats, || {
        let losses = pass.batches.iter().map(|it| Ok(trainer.step(std::slice::from_ref(it))?.loss));
        Ok(losses.sum::<Result<f64>>()? / pass.batches.len() as f64)
    })
}

/// Runs a pass a number of times, one line each.
fn passes(what: &str, pass: &Pass, repeats: usize, mut run: impl FnMut() -> Result<f64>) -> Result<String> {
    let before = peak_memory().unwrap_or(0);
    let n_cells: usize = pass.batches.iter().map(|it| it.tokens.dims()[0]).sum();
    let mut lines = Vec::new();
    for _ in 0..repeats {
        let (check, cost) = measure(&mut run);
        let peak = cost.peak_bytes.unwrap_or(0);
        lines.push(format!(
            "model_{what},cellstone,{n_cells},{},{:.6},{:.3},{:.0},{},{peak}",
            pass.n_tokens,
            check?,
            cost.seconds,
            pass.n_tokens as f64 / cost.seconds,
            peak.saturating_sub(before) / pass.largest as u64,
        ));
    }
    Ok(lines.join("\n"))
}
