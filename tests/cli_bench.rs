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
use fixture::{Fixture, RECIPIENT};
use serde_json::{Value, json};

/// Every field of a JSON line.
const FIELDS: [&str; 32] = [
    "direct_txs",
    "equals_sequential",
    "gas_used",
    "incarnations",
    "limit",
    "machine",
    "parallel_cpu_us",
    "parallel_peak_bytes",
    "parallel_us",
    "parameters",
    "path",
    "pause_ms",
    "ratio",
    "ratio_high",
    "ratio_low",
    "ratio_to_limit",
    "ratio_to_machine",
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
        "--pause",
        "3",
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
    let cores = std::thread::available_parallelism().unwrap().get();
    let mut found = Vec::new();
    for row in &rows {
        assert_eq!(keys(row), FIELDS);
        assert_eq!(row["equals_sequential"], true);
        assert_eq!((row["seed"].as_u64(), row["repeat"].as_u64()), (Some(9), Some(2)));
        assert_eq!((row["path"].as_str(), row["pause_ms"].as_u64()), (Some("parallel"), Some(3)));
        let number = |field: &str| row[field].as_f64().unwrap();
        assert!(number("ratio_low") <= number("ratio"), "{row}");
        assert!(number("ratio") <= number("ratio_high"), "{row}");
        assert!(number("limit") >= 0.99 && number("gas_used") > 0.0, "{row}");
        assert!(number("incarnations") >= number("txs"), "{row}");
        assert_eq!(row["machine"].is_null(), row["threads"] == 1 || cores == 1, "{row}");
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

/// Every field of a JSON line of `chorus bench scaling`.
const SCALING: [&str; 21] = [
    "bound",
    "committing",
    "contention",
    "cores",
    "costs",
    "engine_bound",
    "equals_sequential",
    "idle",
    "incarnations",
    "measured_speed_up",
    "overhead",
    "scenario",
    "seed",
    "sequential_us",
    "share_of_bound",
    "simulated_us",
    "speed_up",
    "suspensions",
    "txs",
    "wasted",
    "window",
];

#[test]
fn scaling_says_how_a_block_would_do_on_more_cores_than_there_are() {
    let directory = Fixture::new().unsigned().write();
    let path = directory.path().to_str().unwrap();
    let costs = ["--start", "200", "--publish", "100", "--commit", "100", "--commit-later", "100"];
    let idle = ["--spin", "3000", "--wake", "3000", "--notify", "2000"];
    let arguments = ["scaling", "independent", "chain", "region-word", "--size", "200"];
    let more = ["--cores", "1,4,100", "--window", "32,256", "--repeat", "1", "--seed", "7"];
    let all = [&arguments[..], &["--block", path], &more, &costs, &idle, &["--json"]].concat();
    let rows = lines(&good(&all));
    assert_eq!(rows.len(), 4 * 2 * 3);
    for row in &rows {
        let mut keys: Vec<_> = row.as_object().unwrap().keys().collect();
        keys.sort_unstable();
        assert_eq!(keys, SCALING);
        assert_eq!((&row["equals_sequential"], row["seed"].as_u64()), (&true.into(), Some(7)));
        let number = |field: &str| row[field].as_f64().unwrap();
        assert!(number("incarnations") >= number("txs") && number("simulated_us") > 0.0, "{row}");
        assert!(number("bound") <= number("cores") && number("bound") > 0.99, "{row}");
        assert_eq!(row["costs"]["commit_later"], 100);
        assert_eq!(row["costs"]["read"], 0);
        assert!(row["measured_speed_up"].is_number() || number("cores") != 1.0);
    }
    let time = |scenario: &str, cores: u64, window: u64| {
        let is = |row: &&Value| {
            (row["scenario"].as_str(), row["cores"].as_u64(), row["window"].as_u64())
                == (Some(scenario), Some(cores), Some(window))
        };
        rows.iter().find(is).unwrap()["simulated_us"].as_f64().unwrap()
    };
    // Both in the same measured times, so their relation is the scheduler's.
    let (one, four) = (time("independent", 1, 256), time("independent", 4, 256));
    assert!(one / four > 1.5 && one / four < 4.2, "{one} {four}");
    // A narrow window keeps most of a hundred cores idle.
    assert!(time("independent", 100, 32) > 1.5 * time("independent", 100, 256));
    assert!(time("chain", 1, 256) / time("chain", 100, 256) < 1.5);
}

#[test]
fn scaling_prints_a_table_and_refuses_what_makes_no_sense() {
    let table = good(&["scaling", "nft", "--size", "60", "--cores", "1,8", "--repeat", "1"]);
    for part in ["of bound", "committing", "Every simulation ends in the sequential state."] {
        assert!(table.contains(part), "{table}");
    }
    refused(&["scaling", "hotspot"], &["no scenario \"hotspot\""]);
    for (arguments, expected) in [
        (["--cores", "0"], "'0'"),
        (["--window", "0"], "'0'"),
        (["--jitter", "101"], "'101'"),
        (["--commit", "-1"], "'-1'"),
        (["--seed", "x"], "'x'"),
    ] {
        refused(&[&["scaling"], &arguments[..]].concat(), &[expected]);
    }
}

#[test]
fn latency_is_still_measured_by_its_own_command() {
    let directory = Fixture::new().unsigned().write();
    let path = directory.path().to_str().unwrap();
    let output = good(&["latency", "--block", path, "--latency", "0", "--repeat", "1", "--json"]);
    assert_eq!(lines(&output)[0]["latency_us"], 0);
}

#[test]
fn latency_is_measured_with_scouts_and_without() {
    // PUSH1 n, SLOAD, POP, eight times: reads that no input names.
    let code: String = (0..8).map(|slot| format!("60{slot:02x}5450")).collect();
    let mut fixture = Fixture::new().unsigned().set("/transactions/0/gas", "0x30000".into());
    fixture.prestate[format!("{RECIPIENT:#x}")] = json!({
        "balance": "0x1", "nonce": 1, "code": format!("0x{code}") });
    let directory = fixture.write();
    let path = directory.path().to_str().unwrap();
    let scouts = |more: &[&str]| {
        let common = ["latency", "--block", path, "--latency", "2000", "--repeat", "1", "--json"];
        let output = good(&[&common[..], more].concat());
        assert_eq!(lines(&output)[0]["equals_sequential"], true);
        lines(&output)[0]["scouts"].as_u64().unwrap()
    };
    assert!(scouts(&[]) > 0 && scouts(&["--scouting", "auto"]) > 0);
    assert_eq!(scouts(&["--scouting", "off"]), 0);
}
