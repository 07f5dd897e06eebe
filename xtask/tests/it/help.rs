//! What `--help` says, word for word.

use crate::common::Shell;

/// The commands of the top level, from its help.
fn commands(help: &str) -> Vec<String> {
    let (_, list) = help.split_once("Commands:\n").expect("a list of commands");
    list.lines()
        .take_while(|it| !it.trim().is_empty())
        .filter(|it| it.starts_with("  ") && !it.starts_with("   "))
        .filter_map(|it| it.split_whitespace().next())
        .filter(|it| *it != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_explains_itself() {
    let shell = Shell::new();
    let help = shell.ok(&["--help"]);
    insta::assert_snapshot!("help", help.trim_end());
    let commands = commands(&help);
    assert!(commands.len() >= 17, "{commands:?}");
    for it in &commands {
        let text = shell.ok(&[it, "--help"]);
        insta::assert_snapshot!(format!("help_{it}"), text.trim_end());
        let example = format!("Example:\n  cargo xtask {it}");
        let internal = ["ci", "tidy"].contains(&it.as_str());
        assert!(internal || text.contains(&example), "{it} has no example");
    }
    assert!(shell.files().is_empty(), "help writes nothing");
}

#[test]
fn no_arguments_is_a_question() {
    let shell = Shell::new();
    let output = shell.output(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(shell.text(&output.stderr).contains("Usage: cellstone"));
    assert!(shell.ok(&["--version"]).starts_with("cellstone "));
}

#[test]
fn listings_can_be_piped() {
    let shell = Shell::new();
    for what in ["models", "metrics", "baselines", "splits", "experiments"] {
        let json = shell.ok(&["list", what, "--json"]);
        let rows: Vec<serde_json::Value> = serde_json::from_str(&json).expect("json");
        let ids: Vec<&str> = rows.iter().map(|it| it["id"].as_str().expect("an id")).collect();
        let text = shell.ok(&["list", what]);
        assert!(ids.iter().all(|it| text.lines().any(|line| line.split_whitespace().next() == Some(it))), "{what}");
    }
}
