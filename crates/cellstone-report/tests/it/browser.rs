//! The report in a real browser, where there is one: nothing overflows, sorting and tabs work, pictures are taken.

use crate::common::{Plan, write_run};
use cellstone_report::render;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

pub(crate) fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).flat_map(|dir| NAMES.map(|it| dir.join(it))).find(|it| it.is_file())
}

pub(crate) fn chromium(browser: &Path, scratch: &Path, scheme: &str, args: &[String]) -> String {
    let profile = tempfile::tempdir_in(scratch).expect("profile");
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--allow-file-access-from-files", "--virtual-time-budget=4000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--blink-settings=preferredColorScheme={}", i32::from(scheme != "dark")))
        .args(args)
        .output()
        .expect("the browser starts");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Windows have a least width, frames have none: the report in one frame per width and hash, each with what it measures.
pub(crate) fn frames(folder: &Path, name: &str, page: &Path, asked: &[(u32, &str)]) -> PathBuf {
    let path = folder.join(format!("{name}.html"));
    let mut text = "<!doctype html><body style=\"margin:0\">".to_owned();
    for (width, hash) in asked {
        let style = format!("border:0;display:block;width:{width}px;height:2400px");
        text.push_str(&format!("<iframe src=\"file://{}{hash}\" style=\"{style}\"></iframe>", page.display()));
    }
    text.push_str(&format!("<script>{MEASURE}</script>"));
    fs::write(&path, text).expect("frame");
    path
}

const MEASURE: &str = "onload = () => document.querySelectorAll('iframe').forEach((frame) => {
    const d = frame.contentDocument, root = d.documentElement, set = frame.dataset;
    const figures = [...d.querySelectorAll('svg.fig')].filter((it) => it.getClientRects().length);
    const texts = figures.flatMap((svg) => [...svg.querySelectorAll('text')].map((text) => ({ svg, text })));
    const size = (it) => parseFloat(getComputedStyle(it.text).fontSize) * it.svg.getBoundingClientRect().width / it.svg.viewBox.baseVal.width;
    const leaves = (it) => { const a = it.text.getBoundingClientRect(), b = it.svg.getBoundingClientRect(); return a.left < b.left - 1 || a.right > b.right + 1; };
    const rows = [...d.querySelectorAll('#k562-scores tbody tr:not([hidden])')].map((it) => it.cells[0].textContent.trim());
    set.overflow = root.scrollWidth - root.clientWidth;
    set.smallest = Math.min(...texts.map(size)).toFixed(2);
    set.cut = texts.filter(leaves).map((it) => it.text.textContent).join('|');
    set.first = rows[0];
    set.rows = rows.length;
    set.sorted = [...d.querySelectorAll('#k562-scores th[aria-sort]')].map((it) => it.textContent + ' ' + it.getAttribute('aria-sort')).join();
    set.panels = [...d.querySelectorAll('[role=tabpanel]')].map((it) => it.hidden).join();
    set.ids = [...d.querySelectorAll('[id]')].map((it) => it.id).join(' ');
});";

/// A measurement of the frame at `at`.
pub(crate) fn measured(dom: &str, at: usize, key: &str) -> String {
    let frame = dom.split("<iframe").nth(at + 1).unwrap_or("").split('>').next().unwrap_or("");
    let value = frame.split_once(&format!(" data-{key}=\"")).and_then(|it| it.1.split('"').next());
    value.unwrap_or("missing").to_owned()
}

#[test]
fn the_page_fits_reads_and_sorts_in_a_browser() {
    let Some(browser) = browser() else {
        // A skip must be seen, and say what is missing.
        let reason = format!("skipped: none of {NAMES:?} is on PATH\n");
        std::io::Write::write_all(&mut std::io::stderr(), reason.as_bytes()).expect("stderr");
        return;
    };
    let base = tempfile::tempdir().expect("folder");
    let page = render(&write_run(base.path(), &Plan::default())).expect("report");
    let url = |it: &Path| format!("file://{}", it.display());
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (375, "light"), (375, "dark")] {
        let framed = frames(base.path(), "picture", &page, &[(width, "")]);
        let picture = base.path().join(format!("{width}-{scheme}.png"));
        let size = format!("--window-size={width},2400");
        chromium(&browser, base.path(), scheme, &[size, format!("--screenshot={}", picture.display()), url(&framed)]);
        assert!(fs::metadata(&picture).is_ok_and(|it| it.len() > 20_000), "no picture at {width} {scheme}");
    }
    let asked =
        [(1280, ""), (820, ""), (700, ""), (375, ""), (1280, "#sort=k562-scores,1,descending"), (375, "#rpe1-forest")];
    let framed = frames(base.path(), "measured", &page, &asked);
    let dom = chromium(&browser, base.path(), "light", &["--dump-dom".into(), url(&framed)]);
    for (at, (width, hash)) in asked.iter().enumerate() {
        let value = |key: &str| measured(&dom, at, key);
        assert_eq!(value("overflow"), "0", "the page is wider than {width} px");
        assert_eq!(value("cut"), "", "text leaves its figure at {width} px");
        let smallest: f64 = value("smallest").parse().expect("a size");
        assert!(smallest >= 11.0, "{smallest} px text at {width} px");
        assert_eq!(value("rows"), "12", "the table starts with the first headline metric");
        let sorted = hash.starts_with("#sort");
        assert_eq!(value("first"), if sorted { "Graph network" } else { "Oracle on half of the cells" });
        assert_eq!(value("sorted"), if sorted { "Mean descending" } else { "" });
        assert_eq!(value("panels"), if hash.starts_with("#rpe1") { "true,false" } else { "false,true" });
    }
    let ids = measured(&dom, 0, "ids");
    let sections =
        ["forest", "gap", "heat", "scatter", "curves", "ranks", "table", "pairs"].map(|it| format!("k562-{it}"));
    let shared =
        ["answer", "coverage", "fits", "data", "notes", "methods", "metrics", "reproduce", "config"].map(str::to_owned);
    for id in sections.iter().chain(&shared) {
        assert!(ids.split(' ').any(|it| it == id), "{id}");
    }
}
