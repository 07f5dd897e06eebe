//! The command `pretrain`: from cells to a page, killed and resumed, on full disks and without a device.

use crate::common::{Failures, Shell, tables};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const EXPERIMENT: &str = r#"schema = 1
kind = "pretrain"
id = "tiny"
question = "Does it work?"

[data]
path = "atlas.h5ad"
phenotypes = ["cell_type", "dataset"]
held_out = { column = "donor", values = ["donor1"] }

[encoder]
n_genes = 100
max_len = 60

[network]
d = 16
d_inner = 32
n_layers = 1
n_heads = 2

[train]
steps = 60
tokens_per_batch = 1200
eval_every = 15
checkpoint_every = 3
"#;

fn shell() -> Shell {
    let shell = Shell::new();
    shell.ok(&["simulate", "--preset", "atlas_tiny", "--out", "atlas.h5ad", "--quiet"]);
    shell.put("exp.toml", EXPERIMENT);
    shell
}

#[test]
fn from_cells_to_a_page() {
    let shell = shell();
    let plan = shell.ok(&["plan", "exp.toml"]);
    insta::assert_snapshot!("pretrain_plan", plan.trim_end());
    let output = shell.output(&["pretrain", "exp.toml", "--out", "run", "--device", "cpu"]);
    let stderr = shell.text(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(shell.text(&output.stdout).trim_end(), "run/report/index.html");
    assert!(
        stderr.contains("right on held-out cells") && stderr.contains("checkpoint: run/checkpoints/best"),
        "{stderr}"
    );
    let page = std::fs::read_to_string(shell.path("run/report/index.html")).expect("page");
    assert!(page.contains("cellstone pretraining") && page.contains("tokens/s"));
    // The page again, from the tables alone; and the run through `run`.
    shell.ok(&["report", "run"]);
    assert_eq!(std::fs::read_to_string(shell.path("run/report/index.html")).expect("page"), page);
    shell.ok(&["run", "exp.toml", "--out", "again", "--quiet", "--device", "cpu"]);
    same(&shell, "run", "again");
    for file in ["config.json", "model.safetensors", "vocab.json", "tokenizer/polygene.json"] {
        assert!(shell.path("run/checkpoints/best").join(file).is_file(), "{file}");
    }
    let table = shell.ok(&["table", "run/tables/losses.parquet", "--csv"]);
    assert!(table.starts_with("step,epoch,tokens,cells,rate,gradient_norm,train_loss,validation_loss"), "{table}");
    assert_eq!(table.lines().count(), 61);
}

#[track_caller]
fn same(shell: &Shell, a: &str, b: &str) {
    let (a, b) = (tables(&shell.path(a)), tables(&shell.path(b)));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    assert!(a.contains_key("losses.parquet") && a.contains_key("held_out_phenotypes.parquet"));
    for (name, bytes) in &a {
        assert!(bytes == &b[name], "table {name} differs");
    }
}

/// Steps of the last checkpoint of a run.
fn kept(out: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(out.join("checkpoints/last/config.json")).ok()?;
    let config: serde_json::Value = serde_json::from_str(&text).ok()?;
    config["provenance"]["steps"].as_u64()
}

#[test]
fn a_killed_run_ends_with_the_same_losses() {
    let shell = shell();
    shell.ok(&["pretrain", "exp.toml", "--out", "whole", "--device", "cpu", "--quiet"]);
    let mut hit = 0;
    for wanted in [0, 3, 12, 30, 48] {
        let mut command = shell.command(&["pretrain", "exp.toml", "--out", "killed", "--device", "cpu"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        let out = shell.path("killed");
        // Before the first checkpoint, and behind some of them, wherever the process stands then.
        let there = |out: &Path| if wanted == 0 { out.join("config.toml").exists() } else { kept(out) >= Some(wanted) };
        while !there(&out) && child.try_wait().expect("a child").is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
        let manifest = std::fs::read_to_string(out.join("manifest.json")).unwrap_or_default();
        hit += usize::from(!manifest.contains("\"status\": \"complete\""));
        if manifest.contains("\"status\": \"running\"") {
            shell.ok(&["pretrain", "exp.toml", "--out", "killed", "--resume", "--device", "cpu", "--quiet"]);
            same(&shell, "whole", "killed");
        }
        std::fs::remove_dir_all(&out).expect("removed");
    }
    assert!(hit >= 3, "{hit} kills met an unfinished run");
}

#[test]
fn what_cannot_be_is_said() {
    let shell = shell();
    let mut failures = Failures::of(&shell);
    failures
        .check(2, &["pretrain", "exp.toml", "--device", "cuda"])
        .check(2, &["pretrain", "exp.toml", "--set", "train.stepz=3"])
        .check(2, &["pretrain", "exp.toml", "--set", "kind=\"rank_study\""])
        .check(3, &["pretrain", "absent.toml"])
        .check(2, &["pretrain", "exp.toml", "--resume"])
        .check_run(3, &["pretrain", "exp.toml", "--set", "data.phenotypes=[\"cell_tipe\"]", "--device", "cpu"])
        .check_run(3, &["pretrain", "exp.toml", "--set", "data.path=\"absent.h5ad\"", "--device", "cpu"])
        .check(6, &["pretrain", "exp.toml", "--set", "train.precision=\"f16\"", "--device", "cpu"]);
    insta::assert_snapshot!("pretrain_errors", failures.said());
}

#[test]
fn a_device_that_is_not_there() {
    let shell = shell();
    if !cellstone_model::probe().is_empty() {
        eprintln!("skipped: this machine has a graphics adapter");
        return;
    }
    let output = shell.output(&["pretrain", "exp.toml", "--device", "wgpu", "--out", "run"]);
    let stderr = shell.text(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{stderr}");
    assert!(stderr.contains("no graphics adapter") && !shell.path("run").exists(), "{stderr}");
}

/// A limit on the size of files stands in for a full disk: the state of the run grows until it no longer fits.
#[cfg(unix)]
#[test]
fn a_disk_that_fills_keeps_the_earlier_checkpoint() {
    let shell = shell();
    let args = ["pretrain", "exp.toml", "--device", "cpu", "--quiet", "--set", "train.steps=300"];
    shell.ok(&[&args[..], &["--out", "whole"]].concat());
    let size = std::fs::metadata(shell.path("whole/checkpoints/last/training/state.json")).expect("a state").len();
    // Blocks of 512 bytes: two thirds of the state at the end.
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", size / 768);
    let mut command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_cellstone")]).args(args).args(["--out", "full"]);
    let output = command.current_dir(shell.dir()).output().expect("sh starts");
    let stderr = shell.text(&output.stderr);
    if output.status.success() {
        eprintln!("skipped: this shell sets no limit on files");
        return;
    }
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("checkpoint `full/checkpoints/last` is not written"), "{stderr}");
    assert!(stderr.contains("File too large") && stderr.contains("--resume goes on"), "{stderr}");
    let steps = kept(&shell.path("full")).expect("the earlier checkpoint");
    assert!((3..300).contains(&steps), "{steps}");
    assert!(!shell.path("full/checkpoints/last.part").exists());
    // With space on the disk it goes on as if nothing had happened.
    shell.ok(&[&args[..], &["--out", "full", "--resume"]].concat());
    same(&shell, "whole", "full");
}
