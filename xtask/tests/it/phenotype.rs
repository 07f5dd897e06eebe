//! `annotate`, `entropy` and phenotype studies, from cells to a page.

use crate::common::{Failures, Shell};
use cellstone_core::Seed;
use cellstone_model::{
    BertConfig, CheckpointConfig, CheckpointEncoder, CheckpointVocab, DeviceChoice, EncoderConfig, Network,
    NetworkConfig, Provenance, select, write_checkpoint,
};

/// A network of the tiny atlas: a few steps, so that it predicts something.
const PRETRAIN: &str = r#"schema = 1
kind = "pretrain"
id = "tiny"
question = "Does it work?"

[data]
path = "cells.h5ad"
phenotypes = ["cell_type", "development_stage", "sex", "tissue"]
held_out = { column = "donor_id", values = ["donor05", "donor06", "donor07", "donor08", "donor09", "donor10", "donor11", "donor12"] }

[encoder]
n_genes = 80
max_len = 90

[network]
d = 16
d_inner = 32
n_layers = 1
n_heads = 2

[train]
steps = 20
tokens_per_batch = 1200
eval_every = 10
label_smoothing = 0.1
"#;

const STUDY: &str = r#"schema = 1
kind = "phenotype"
id = "tiny"
question = "What does a hasty network know?"

[data]
path = "cells.h5ad"
donor_col = "donor_id"
age_col = "age"
planted_col = "planted_entropy"

[model]
pretrain = "pretrain.toml"

[[category]]
name = "cell_type"

[[category]]
name = "sex"

[evaluation]
bootstrap = 50
permutations = 99
components = 10

[entropy]
by = ["development_stage"]
"#;

fn shell() -> Shell {
    let shell = Shell::new();
    shell.put("pretrain.toml", PRETRAIN);
    shell.put("study.toml", STUDY);
    shell.ok(&["simulate", "--preset", "phenotypes_tiny", "--out", "cells.h5ad", "--quiet"]);
    shell
}

#[test]
fn from_cells_to_the_page_and_to_tables() {
    let shell = shell();
    assert!(shell.path("cells.truth.json").is_file());
    insta::assert_snapshot!("phenotype_plan", shell.ok(&["plan", "study.toml"]).trim_end());
    // The study pretrains its network, judges it on donors that it has not seen, and writes a page.
    let page = shell.ok(&["run", "study.toml", "--out", "run", "--quiet", "--device", "cpu"]);
    assert_eq!(page.trim_end(), "run/report/index.html");
    let text = std::fs::read_to_string(shell.path("run/report/index.html")).expect("page");
    assert!(text.contains("cellstone phenotypes") && text.contains("PolyGene v2"));
    shell.ok(&["report", "run"]);
    assert_eq!(std::fs::read_to_string(shell.path("run/report/index.html")).expect("page"), text);
    let table = |name: &str| shell.ok(&["table", &format!("run/tables/{name}"), "--csv"]);
    for it in ["masked", "visible", "dropped", "no_genes"] {
        assert!(table("scores.parquet").contains(&format!("polygene,cell_type,{it},")), "{it}");
    }
    assert!(table("differences.parquet").contains("polygene:masked"));
    assert!(table("entropy_floor.parquet").lines().count() > 2);

    // The same checkpoint, cell by cell.
    let ask = |command: &str, out: &str, more: &[&str]| {
        let mut args =
            vec![command, "cells.h5ad", "--checkpoint", "run/pretrain/checkpoints/best", "--category", "cell_type"];
        args.extend(["--out", out, "--device", "cpu"]);
        args.extend(more);
        shell.output(&args)
    };
    let output = ask("annotate", "types.csv", &["--top", "2"]);
    let said = shell.text(&output.stderr);
    assert!(output.status.success() && output.stdout.is_empty(), "{said}");
    assert!(
        said.contains("240 cells, 3 classes of `cell_type`") && said.contains("label smoothing 0.1 over 3 ids"),
        "{said}"
    );
    let csv = std::fs::read_to_string(shell.path("types.csv")).expect("table");
    let head = csv.lines().next().expect("a head");
    assert!(head.starts_with("cell_id,truth,predicted,p,rank,p_true,top,p_top,p:"), "{head}");
    assert_eq!(csv.lines().count(), 241);
    let output = ask("entropy", "entropy.csv", &["--json", "--quiet"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((json["n_cells"].as_u64(), json["label_smoothing"].as_f64()), (Some(240), Some(0.1)));
    let floor = json["floor_nats"].as_f64().expect("a floor");
    let largest = json["largest_probability"].as_f64().expect("a probability");
    assert!(floor > 0.2 && (largest - (0.9 + 0.1 / 3.0)).abs() < 1e-9, "{json}");
    let csv = std::fs::read_to_string(shell.path("entropy.csv")).expect("table");
    assert!(
        csv.starts_with(
            "cell_id,truth,entropy_nats,entropy_bits,entropy_normalized,perplexity,entropy_as_predicted_nats,nll_nats"
        ),
        "{csv}"
    );
    // A perfect fit of a smoothed target is undone to certainty; nothing is above the logarithm of the classes.
    for line in csv.lines().skip(1) {
        let nats: f64 = line.split(',').nth(2).and_then(|it| it.parse().ok()).expect("a number");
        assert!((0.0..=3.0_f64.ln() + 1e-9).contains(&nats), "{line}");
    }
}

#[test]
fn what_cannot_be_annotated() {
    let shell = shell();
    shell.ok(&["pretrain", "pretrain.toml", "--out", "net", "--quiet", "--device", "cpu", "--set", "train.steps=2"]);
    shell.ok(&["simulate", "--preset", "tiny", "--out", "other.h5ad", "--quiet"]);
    shell.put("taken.csv", "kept");
    // The same cells under other names of genes.
    shell.put("foreign.csv", "cell,X1,X2\na,1,2\nb,0,3\n");
    let mut failures = Failures::of(&shell);
    let net = "net/checkpoints/best";
    let base = |category: &'static str, out: &'static str| {
        ["annotate", "cells.h5ad", "--checkpoint", net, "--category", category, "--out", out]
    };
    failures.check(2, &base("cell_typ", "new.csv"));
    failures.check(2, &base("cell_type", "taken.csv"));
    failures.check(2, &base("cell_type", "new.txt"));
    failures.check(
        2,
        &["annotate", "cells.h5ad", "--checkpoint", net, "--category", "sex", "--out", "new.csv", "--top", "0"],
    );
    failures.check(3, &["entropy", "foreign.csv", "--checkpoint", net, "--category", "sex", "--out", "new.csv"]);
    failures.check(3, &["entropy", "absent.h5ad", "--checkpoint", net, "--category", "sex", "--out", "new.csv"]);
    failures.check(3, &["entropy", "cells.h5ad", "--checkpoint", "absent", "--category", "sex", "--out", "new.csv"]);
    // A test of donors that the network was trained on.
    let checkpoint = "model={checkpoint=\"net/checkpoints/best\"}";
    failures.check_run(3, &["run", "study.toml", "--set", checkpoint, "--set", "split.test=[\"donor01\"]"]);
    failures.check(2, &["run", "study.toml", "--set", "split.by=donr", "--out", "out"]);
    failures.check(2, &["simulate", "--preset", "phenotype", "--out", "new.h5ad"]);
    failures.check(2, &["simulate", "--preset", "phenotypes_tiny", "--n-obs", "3", "--out", "new.h5ad"]);
    insta::assert_snapshot!(failures.said());
}

/// A checkpoint of a network that reads genes alone.
fn bert(shell: &Shell) {
    let device = select(DeviceChoice::Cpu).expect("a CPU");
    let network = NetworkConfig::Bert(BertConfig::geneformer(10, 16, [8, 1, 2, 16]));
    let weights = Network::fresh(network.clone(), Seed::new(1), &device).and_then(|it| it.weights()).expect("weights");
    let config = CheckpointConfig {
        format: 1,
        architecture: "geneformer".into(),
        network,
        encoder: EncoderConfig { id: "geneformer_v1".into(), ..EncoderConfig::default() },
        label_smoothing: 0.0,
        objective: None,
        files: std::collections::BTreeMap::new(),
        provenance: Provenance::default(),
    };
    let tokens = CheckpointVocab::Tokens((0..10).map(|it| (format!("G{it}"), it)).collect());
    let encoder = CheckpointEncoder { config: config.encoder.clone(), ..CheckpointEncoder::default() };
    write_checkpoint(&shell.path("bert"), &config, &weights, &tokens, &encoder, None).expect("written");
}

#[test]
fn a_network_without_phenotypes() {
    let shell = shell();
    bert(&shell);
    let mut failures = Failures::of(&shell);
    for command in ["annotate", "entropy"] {
        failures.check(3, &[command, "cells.h5ad", "--checkpoint", "bert", "--category", "sex", "--out", "new.csv"]);
    }
    failures.check_run(3, &["run", "study.toml", "--set", "model={checkpoint=\"bert\"}"]);
    insta::assert_snapshot!(failures.said());
}
