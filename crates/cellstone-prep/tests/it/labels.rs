//! Labels from annotations: roles, filters, and every way in which they can be wrong.

use crate::support::obs;
use cellstone_core::{Column, ObsTable, Var};
use cellstone_prep::{CellLabels, LabelColumns, ParseOptions};

fn read_with(obs: &ObsTable, columns: &LabelColumns) -> cellstone_core::Result<CellLabels> {
    let var = Var::from_ids(["A", "B", "C"]).expect("unique");
    CellLabels::from_obs(obs, &var, columns, &ParseOptions::default(), "a.h5ad")
}

fn read(obs: &ObsTable) -> cellstone_core::Result<CellLabels> {
    read_with(obs, &LabelColumns::default())
}

fn refused(obs: &ObsTable, columns: &LabelColumns, message: &str, hint: &str) {
    let error = read_with(obs, columns).expect_err("refused");
    assert_eq!(error.to_string(), message);
    assert_eq!(error.hints(), if hint.is_empty() { Vec::<String>::new() } else { vec![hint.to_owned()] });
}

#[expect(clippy::unnecessary_wraps, reason = "the columns of the options are optional")]
fn named(role: &str) -> Option<String> {
    Some(role.to_owned())
}

#[test]
fn groups_are_sorted_by_context_and_key() {
    let table = obs(&[
        ("Perturbation", &["B+A", "ctrl", "A+ctrl", "nan", "A_B", "NTg1", "A"]),
        ("cell_line", &["y", "y", "x", "x", "y", "x", "x"]),
        ("gemgroup", &["2", "1", "1", "1", "2", "1", "2"]),
    ]);
    let labels = read(&table).expect("labels");
    let groups: Vec<(String, String, &str)> =
        labels.groups.iter().map(|it| (it.context.to_string(), it.condition.to_string(), it.raw.as_str())).collect();
    let want = [("x", "A", "A"), ("x", "control", "NTg1"), ("y", "A+B", "A_B"), ("y", "control", "NTg1")];
    let want: Vec<(String, String, &str)> = want.iter().map(|it| (it.0.to_owned(), it.1.to_owned(), it.2)).collect();
    assert_eq!(groups, want);
    assert_eq!(labels.group_of, [Some(2), Some(3), Some(0), None, Some(2), Some(1), Some(0)]);
    assert_eq!(labels.n_cells(), [2, 1, 2, 1]);
    assert_eq!(labels.n_unassigned, 1);
    assert_eq!(labels.batches, ["1", "2"]);
    assert_eq!(labels.batch_of.as_deref(), Some(&[1, 0, 0, 0, 1, 0, 1][..]));
    assert_eq!(labels.columns.pert, "Perturbation");
    assert_eq!(labels.columns.batch.as_deref(), Some("gemgroup"));
    assert!(labels.warnings.contains(&"2 names mean `A+B` and are merged as `A_B`: `A_B`, `B+A`".to_owned()));
    assert!(labels.warnings.contains(&"context `y` has 1 batches without a control cell: `2`".to_owned()));
    assert!(labels.warnings.iter().any(|it| it.starts_with("4 conditions have fewer than 10 cells")));
}

#[test]
fn a_missing_column_is_named_with_its_neighbors() {
    let table = obs(&[("perturbaton", &["A", "ctrl"]), ("guides", &["a", "b"])]);
    let columns = LabelColumns { pert: named("perturbation"), ..LabelColumns::default() };
    refused(
        &table,
        &columns,
        "column `perturbation` not found in obs of `a.h5ad` (columns: `perturbaton`, `guides`)",
        "did you mean `perturbaton`?",
    );
    let table = obs(&[("top_grna_target", &["A", "non-targeting"]), ("bio_rep", &["1", "1"])]);
    refused(
        &table,
        &LabelColumns::default(),
        "no condition column found in obs of `a.h5ad` (columns: `top_grna_target`, `bio_rep`)",
        "column `top_grna_target` has cells labeled `non-targeting`: set data.pert_col = \"top_grna_target\"",
    );
}

#[test]
fn a_context_needs_control_cells() {
    let table = obs(&[("condition", &["A", "WT", "A", "B"])]);
    refused(
        &table,
        &LabelColumns::default(),
        "context `default` of `a.h5ad` has 4 perturbed cells but no control cell (column `condition`; most frequent: `A`, `B`, `WT`)",
        "name the label of the control cells with control_pert",
    );
    let table = obs(&[("condition", &["A", "ctrl", "A"]), ("cell_type", &["k562", "k562", "rpe1"])]);
    refused(
        &table,
        &LabelColumns::default(),
        "context `rpe1` of `a.h5ad` has 1 perturbed cells but no control cell (column `condition`; most frequent: `A`)",
        "drop the context, name its control label with control_pert, or choose another context column",
    );
}

#[test]
fn cell_ids_are_unique() {
    let mut table = ObsTable::new(vec!["a".into(), "b".into(), "a".into()]);
    table.insert("condition", Column::categorical(&["A", "ctrl", "A"])).expect("same length");
    refused(
        &table,
        &LabelColumns::default(),
        "cell `a` of `a.h5ad` stands at obs rows 0 and 2, expected once",
        "in Python: adata.obs_names_make_unique()",
    );
}

#[test]
fn a_flag_overrides_but_never_contradicts() {
    let flagged = |names: &[&str], flags: &[Option<bool>]| {
        let mut table = obs(&[("condition", names)]);
        table.insert("is_control", Column::Bool(flags.to_vec())).expect("same length");
        table
    };
    let labels = read(&flagged(&["A", "WT", "nan"], &[Some(false), Some(true), Some(true)])).expect("labels");
    assert_eq!(labels.n_cells(), [1, 2]);
    assert_eq!(labels.groups[1].condition.to_string(), "control");
    refused(
        &flagged(&["A", "ctrl"], &[Some(true), Some(true)]),
        &LabelColumns::default(),
        "cell `cell0` of `a.h5ad` is control by column `is_control`, but its name does not (`condition` = `A`)",
        "correct the flag, or set control_flag = \"\" to read the names alone",
    );
    refused(
        &flagged(&["A", "ctrl"], &[Some(false), Some(false)]),
        &LabelColumns::default(),
        "cell `cell1` of `a.h5ad` is perturbed by column `is_control`, but its name does not (`condition` = `ctrl`)",
        "correct the flag, or set control_flag = \"\" to read the names alone",
    );
    refused(
        &flagged(&["drug", "ctrl", "drug"], &[Some(false), Some(true), Some(true)]),
        &LabelColumns::default(),
        "cell `cell2` of `a.h5ad` is control by column `is_control`, but other cells of that name do not (`condition` = `drug`)",
        "correct the flag, or set control_flag = \"\" to read the names alone",
    );
    let mut counted = obs(&[("condition", &["A", "WT", "A+B"])]);
    counted.insert("nperts", Column::Int(vec![Some(1), Some(0), Some(2)])).expect("same length");
    assert_eq!(read(&counted).expect("labels").n_cells(), [1, 1, 1]);
    let names_only = LabelColumns { control_flag: named(""), ..LabelColumns::default() };
    let table = flagged(&["A", "ctrl"], &[Some(true), Some(true)]);
    assert_eq!(read_with(&table, &names_only).expect("labels").n_cells(), [1, 1]);
}

#[test]
fn a_column_that_is_no_flag_is_refused_only_when_asked_for() {
    let table = obs(&[("condition", &["A", "ctrl"]), ("control", &["plate1", "plate2"])]);
    assert_eq!(read(&table).expect("labels").columns.control_flag, None);
    let columns = LabelColumns { control_flag: named("control"), ..LabelColumns::default() };
    refused(
        &table,
        &columns,
        "column `control` of obs of `a.h5ad` holds `plate1` at cell `cell0`, expected a truth value",
        "set control_flag to the column that says which cells are control, or to \"\" for none",
    );
}

#[test]
fn names_that_parse_to_nothing_are_located() {
    let table = obs(&[("condition", &["ctrl", "A+A"])]);
    refused(
        &table,
        &LabelColumns::default(),
        "cell `cell1`, column `condition` of obs of `a.h5ad`: condition `A+A` names target `A` twice",
        "set allow_repeat if two guides of one gene are meant",
    );
    let table = obs(&[("condition", &["nan", "doublet"])]);
    refused(&table, &LabelColumns::default(), "every cell of `a.h5ad` is unassigned in column `condition`", "");
}

#[test]
fn keep_and_drop_choose_cells() {
    let table = obs(&[
        ("condition", &["A", "ctrl", "B", "ctrl"]),
        ("cell_type", &["k562", "k562", "k562", "rpe1"]),
        ("lane", &["1", "2", "3", "3"]),
    ]);
    let keep = |value: &str| LabelColumns {
        keep: vec![("cell_type".into(), vec![value.into()])],
        drop: vec![("lane".into(), vec!["3".into()])],
        ..LabelColumns::default()
    };
    let labels = read_with(&table, &keep("k562")).expect("labels");
    assert_eq!(labels.group_of, [Some(0), Some(1), None, None]);
    assert_eq!(labels.n_filtered, 2);
    assert_eq!(labels.batches, ["1", "2"], "batches of the cells that stay");
    refused(
        &table,
        &keep("K562"),
        "no cell has `K562` in column `cell_type` of obs of `a.h5ad` (values: `k562`, `rpe1`)",
        "did you mean `k562`?",
    );
    refused(&table, &keep("rpe1"), "no cell of `a.h5ad` is left after keep and drop", "");
}

#[test]
fn unmeasured_targets_stay_and_are_reported() {
    // A file cut down to variable genes: X and Y are not measured, but stand alone elsewhere.
    let table = obs(&[("condition", &["ctrl", "X", "Y", "X_Y", "X_ctrl", "Z_ctrl"])]);
    let labels = read(&table).expect("labels");
    let keys: Vec<String> = labels.groups.iter().map(|it| it.condition.to_string()).collect();
    assert_eq!(keys, ["X", "X+Y", "Y", "Z_ctrl", "control"]);
    assert_eq!(labels.unmapped, ["X", "Y", "Z_ctrl"]);
    assert!(labels.warnings.contains(
        &"1 condition names hold a control word but stay whole, because the rest is no known gene: `Z_ctrl`".to_owned()
    ));
}

#[test]
fn pooled_doses_are_mentioned() {
    let table = obs(&[("drug", &["x", "x", "DMSO"]), ("dose", &["1", "10", "0"])]);
    let labels = read(&table).expect("labels");
    assert!(
        labels
            .warnings
            .contains(&"1 conditions pool several values of column `dose`: `x` (select one with keep)".to_owned())
    );
}

#[test]
fn few_controls_are_mentioned() {
    let mut names = vec!["A"; 200];
    names.push("ctrl");
    let labels = read(&obs(&[("condition", &names)])).expect("labels");
    assert!(labels.warnings.contains(&"context `default` has 1 control cells of 201, under 1 %".to_owned()));
}

#[test]
fn crispra_doubles_and_three_more_contexts_load_without_configuration() {
    // The columns of a published development set: singles and doubles in K562, singles in three other lines.
    let table = obs(&[
        ("condition", &["KLF1+MAP2K6", "control", "KLF1", "control", "MAP2K3", "control", "MAP2K3", "control", "PLK4"]),
        (
            "perturbation",
            &["KLF1+MAP2K6", "control", "KLF1", "control", "MAP2K3", "control", "MAP2K3", "control", "PLK4"],
        ),
        ("perturbation_type", &["a", "a", "a", "i", "i", "i", "i", "i", "i"]),
        ("cell_type", &["k562", "k562", "k562", "T98G", "T98G", "U87MG", "U87MG", "A172", "A172"]),
        ("dose", &["1+1", "1", "1", "1", "1", "1", "1", "1", "1"]),
    ]);
    let labels = read(&table).expect("labels");
    assert_eq!(labels.columns.pert, "perturbation");
    assert_eq!(labels.columns.context.as_deref(), Some("cell_type"));
    assert_eq!(labels.groups.len(), 9);
    let doubles = labels.groups.iter().filter_map(|it| it.condition.perturbation()).filter(|it| !it.is_single());
    assert_eq!(doubles.count(), 1);
}

#[test]
fn a_guide_level_knockout_set_loads_with_its_column_named() {
    let table = obs(&[
        ("bio_rep", &["rep_1", "rep_2", "rep_3", "rep_1"]),
        ("top_grna", &["STAT2g2", "CAV1g4", "NTg1", "NTg2"]),
        ("top_grna_target", &["STAT2", "CAV1", "non-targeting", "non-targeting"]),
    ]);
    let columns = LabelColumns { pert: named("top_grna_target"), ..LabelColumns::default() };
    let labels = read_with(&table, &columns).expect("labels");
    assert_eq!(labels.columns.batch.as_deref(), Some("bio_rep"));
    assert_eq!(labels.columns.guide.as_deref(), Some("top_grna"));
    assert_eq!(labels.n_cells(), [1, 1, 2]);
    // By guide, the numbered controls are one class and guides stay what they are called.
    let columns = LabelColumns { pert: named("top_grna"), ..LabelColumns::default() };
    let labels = read_with(&table, &columns).expect("labels");
    let keys: Vec<String> = labels.groups.iter().map(|it| it.condition.to_string()).collect();
    assert_eq!(keys, ["CAV1g4", "STAT2g2", "control"]);
}
