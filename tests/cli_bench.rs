//! `chorus bench`: what it lists, measures, writes and refuses.

#![cfg(feature = "cli")]
// This file runs the command as a person would; no protocol of the crate is at stake in it.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[path = "common/data.rs"]
mod data;
#[path = "common/fixture.rs"]
mod fixture;

use std::{
    fs,
    process::{Command, Output},
};

use chorus::evm::workload::Scenario;
use fixture::Fixture;
use serde_json::Value;

/// Every field of a JSON line.
const FIELDS: [&str; 29] = [
    "direct_txs",
    "equals_sequential",
    "gas_used",
    "incarnations",
    "limit",
    "parallel_cpu_us",
    "parallel_peak_bytes",
    "parallel_us",
    "parameters",
    "path",
    "ratio",
    "ratio_high",
    "ratio_low",
    "ratio_to_limit",
    "repeat",
    "scenario",
    "seed",
    "sequential_cpu_us",
    "sequential_peak_bytes",
    "sequential_us",
    "suspensions",
    "threads",
    "txs",
    "warm_path",
    "warm_ratio",
    "warm_ratio_high",
    "warm_ratio_low",
    "wasted_gas",
    "wasted_share",
];

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chorus")).arg("bench").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn good(arguments: &[&str]) -> String {
    let output = bench(arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// Exit code 2, nothing on standard output, and one line that says all that.
#[track_caller]
fn refused(arguments: &[&str], expected: &[&str]) {
    let output = bench(arguments);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(output.stdout.is_empty());
    for part in expected {
        assert!(error.contains(part), "{error}\n{part}");
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_list_has_every_scenario_and_parameter() {
    let list = good(&["--list"]);
    for scenario in Scenario::ALL {
        assert!(list.contains(&format!("{} ", scenario.name)), "{}", scenario.name);
        assert!(list.contains(scenario.description));
        for parameter in scenario.parameters {
            assert!(list.contains(&format!("{}={}", parameter.name, parameter.usual)));
        }
    }
}

#[test]
fn one_object_for_each_scenario_size_and_number_of_threads() {
    let output = good(&[
        "hot-spot",
        "region-word",
        "--threads",
        "1,3",
        "--size",
        "20,30",
        "--param",
        "share=60",
        "--seed",
        "9",
        "--repeat",
        "2",
        "--path",
        "parallel",
        "--json",
    ]);
    let rows = lines(&output);
    let keys = |row: &Value| {
        let row = row.as_object().unwrap();
        let mut keys: Vec<_> = row.keys().cloned().collect();
        keys.sort_unstable();
        keys
    };
    let mut found = Vec::new();
    for row in &rows {
        assert_eq!(keys(row), FIELDS);
        assert_eq!(row["equals_sequential"], true);
        assert_eq!((row["seed"].as_u64(), row["repeat"].as_u64()), (Some(9), Some(2)));
        assert_eq!(row["path"], "parallel");
        let number = |field: &str| row[field].as_f64().unwrap();
        assert!(number("ratio_low") <= number("ratio"), "{row}");
        assert!(number("ratio") <= number("ratio_high"), "{row}");
        assert!(number("limit") >= 0.99 && number("gas_used") > 0.0, "{row}");
        assert!(number("incarnations") >= number("txs"), "{row}");
        if cfg!(target_os = "linux") {
            assert!(number("parallel_cpu_us") > 0.0 && number("sequential_cpu_us") > 0.0);
            assert!(number("parallel_peak_bytes") < 1e9, "{row}");
        }
        let name = row["scenario"].as_str().unwrap().to_owned();
        if name == "hot-spot" {
            assert_eq!(row["parameters"], serde_json::json!({"share": 60.0, "rounds": 40.0}));
        }
        found.push((name, number("txs") as u64, number("threads") as u64));
    }
    let mut expected = Vec::new();
    for name in ["hot-spot", "region-word"] {
        for (size, threads) in [(20, 1), (20, 3), (30, 1), (30, 3)] {
            expected.push((name.to_owned(), size, threads));
        }
    }
    assert_eq!(found, expected);
}

#[test]
fn the_pages_data_are_the_jsons() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("page.html");
    // What was in the file before is gone, however long it was.
    fs::write(&file, "x".repeat(1_000_000)).unwrap();
    let output = good(&[
        "nft",
        "storm",
        "invalid",
        "--size",
        "40",
        "--repeat",
        "1",
        "--threads",
        "1,2",
        "--json",
        "--html",
        file.to_str().unwrap(),
    ]);
    let page = fs::read_to_string(&file).unwrap();
    let begin = "<script type=\"application/json\" id=\"data\">";
    let data = page.split_once(begin).unwrap().1.split_once("</script>").unwrap().0;
    let data: Vec<Value> = serde_json::from_str(data).unwrap();
    assert_eq!(data, lines(&output));
    assert_eq!(data.len(), 6);

    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    assert_eq!(page.matches("<svg ").count(), 3);
    assert!(page.contains("prefers-color-scheme: dark"));
    assert!(!page.contains("NaN") && !page.contains("inf,"));
    // It loads nothing. The one address in it is the name of SVG's namespace.
    let addresses = page.matches("http").count();
    assert_eq!(addresses, page.matches("xmlns=\"http://www.w3.org/2000/svg\"").count());
    for word in ["src=", "href=", "url(", "@import"] {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn a_table_is_for_people() {
    let table = good(&["chain", "--size", "10", "--repeat", "1", "--threads", "2"]);
    assert!(table.contains("chain") && table.contains("of limit"), "{table}");
    assert!(table.contains("Every run equals the sequential one."), "{table}");
}

#[test]
fn real_blocks_come_from_directories() {
    let root = tempfile::tempdir().unwrap();
    for name in ["<10>", "9"] {
        Fixture::new().write_to(&root.path().join(name));
    }
    let path = root.path().to_str().unwrap();
    let page = root.path().join("page.html");
    let more = ["--repeat", "1", "--threads", "2", "--json", "--html", page.to_str().unwrap()];
    let rows = lines(&good(&[&["--block", path], &more[..]].concat()));
    let mut names: Vec<_> = rows.iter().map(|row| row["scenario"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["9", "<10>"]);
    assert!(rows.iter().all(|row| row["seed"].is_null() && row["equals_sequential"] == true));
    assert!(!fs::read_to_string(&page).unwrap().contains("<10>"));
}

#[test]
fn what_does_not_exist_is_named_with_what_there_is() {
    refused(&["hotspot"], &["no scenario \"hotspot\"", "hot-spot", "region-copy-on-write"]);
    refused(&["nft", "hotspot", "--json"], &["no scenario \"hotspot\""]);
    refused(&["zipf", "--param", "t=1"], &["zipf has no parameter \"t\"", "s, slots, rounds"]);
    let none = "--param t: none of the chosen scenarios has it; they have rounds, s, share, slots";
    refused(&["zipf", "hot-spot", "--param", "t=1"], &[none]);
    refused(&["zipf", "--param", "s"], &["--param \"s\": expected NAME=VALUE"]);
    refused(&["zipf", "--param", "s=steep"], &["zipf: s is \"steep\"", "a number from 0 to 10"]);
    refused(&["hot-spot", "--param", "share=101"], &["\"101\"", "a whole number from 0 to 100"]);
    refused(&["--block", "/nowhere/at/all"], &["/nowhere/at/all: No such file or directory"]);
    refused(&["nft", "--html", "/nowhere/page.html"], &["/nowhere/page.html: No such file"]);
    for (arguments, expected) in [
        (["--threads", "0"], "'0'"),
        (["--threads", "2,x"], "'x'"),
        (["--size", "0"], "'0'"),
        (["--repeat", "0"], "'0'"),
        (["--seed", "-"], "'-'"),
        (["--path", "sideways"], "'sideways'"),
    ] {
        refused(&arguments, &[expected]);
    }
}

#[test]
fn latency_is_still_measured_by_its_own_command() {
    let directory = Fixture::new().unsigned().write();
    let path = directory.path().to_str().unwrap();
    let output = good(&["latency", "--block", path, "--latency", "0", "--repeat", "1", "--json"]);
    assert_eq!(lines(&output)[0]["latency_us"], 0);
}
