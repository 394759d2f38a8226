//! The command: exit codes, messages, and the fields of its JSON lines.

#![cfg(feature = "cli")]
// This file runs the command as a person would; no protocol of the crate is at stake in it.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[path = "common/data.rs"]
mod data;
#[path = "common/exposition.rs"]
mod exposition;
#[path = "common/fixture.rs"]
mod fixture;

use std::{
    fs::{self, File},
    io::{Read, Seek},
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use fixture::Fixture;
use serde_json::{Value, json};

/// Far more than any run here takes, on a machine with other work as well.
const PATIENCE: Duration = Duration::from_secs(180);

/// Every field of a JSON line.
const FIELDS: [&str; 18] = [
    "number",
    "spec",
    "txs",
    "gas_used",
    "receipts_root",
    "logs_bloom",
    "state_diff_hash",
    "header",
    "equals_sequential",
    "threads",
    "sequential_us",
    "parallel_us",
    "ratio",
    "limit",
    "incarnations",
    "suspensions",
    "wasted_gas",
    "path",
];

/// Runs the command. One that hangs is killed, and is a failure rather than a wait.
fn chorus(arguments: &[&str]) -> Output {
    let [mut stdout, mut stderr] = [(); 2].map(|()| tempfile::tempfile().unwrap());
    let mut child = Command::new(env!("CARGO_BIN_EXE_chorus"))
        .args(arguments)
        .stdout(stdout.try_clone().unwrap())
        .stderr(stderr.try_clone().unwrap())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begin.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("chorus {arguments:?} did not end within {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let read = |file: &mut File| {
        let mut bytes = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut bytes)).unwrap();
        bytes
    };
    Output { status, stdout: read(&mut stdout), stderr: read(&mut stderr) }
}

fn run_block(directory: &Path, more: &[&str]) -> Output {
    chorus(&[&["run", "--repeat", "1", "--block", directory.to_str().unwrap()], more].concat())
}

fn standard_error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The run ended with `code`, and the last of its lines contains `expected`.
#[track_caller]
fn assert_ends(output: &Output, code: i32, expected: &str) {
    let error = standard_error(output);
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(error.contains(expected), "{error}\n{expected}");
    assert!(!error.contains("panicked"), "{error}");
}

/// Exit code 2 and exactly one line.
#[track_caller]
fn assert_refused(output: &Output, expected: &str) {
    assert_ends(output, 2, expected);
    let error = standard_error(output);
    assert!(error.starts_with("chorus: ") && error.lines().count() == 1, "{error}");
    assert!(output.stdout.is_empty());
}

fn json_lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn no_arguments_run_the_generated_block_and_show_a_table() {
    let output = chorus(&[]);
    assert_ends(&output, 0, "");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("= sequential") && text.contains("everything matches"), "{text}");
    // A bar, or colours, are for terminals.
    assert!(!text.contains('\u{1b}') && output.stderr.is_empty());
}

#[test]
fn a_block_that_matches_exits_0_with_one_object_of_the_listed_fields() {
    let directory = Fixture::new().write();
    for path in ["auto", "parallel", "direct"] {
        let more = ["--json", "--threads", "2", "--path", path];
        let output = run_block(directory.path(), &more);
        assert_ends(&output, 0, "");
        let lines = json_lines(&output);
        assert_eq!(lines.len(), 1);
        let line = lines[0].as_object().unwrap();
        let mut keys: Vec<_> = line.keys().map(String::as_str).collect();
        let mut expected = FIELDS.to_vec();
        keys.sort_unstable();
        expected.sort_unstable();
        assert_eq!(keys, expected);
        assert_eq!(line["number"], fixture::NUMBER);
        assert_eq!(line["spec"], "Osaka");
        assert_eq!(line["txs"], 5);
        assert_eq!(line["gas_used"], fixture::GAS_USED);
        assert_eq!(line["threads"], 2);
        assert_eq!(line["equals_sequential"], true);
        let header = json!({"gas_used": "ok", "receipts_root": "absent", "logs_bloom": "absent"});
        assert_eq!(line["header"], header);
        assert!(["parallel", "direct"].contains(&line["path"].as_str().unwrap()));
        assert!(line["sequential_us"].as_f64().unwrap() > 0.0);
        assert!(line["ratio"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn a_directory_of_directories_is_one_line_each_in_order() {
    let root = tempfile::tempdir().unwrap();
    for name in ["10", "9"] {
        Fixture::new().write_to(&root.path().join(name));
    }
    let output = run_block(root.path(), &["--json"]);
    assert_ends(&output, 0, "");
    assert_eq!(json_lines(&output).len(), 2);
}

#[test]
fn a_header_that_is_not_met_exits_1_and_names_the_field() {
    let directory = Fixture::new()
        .set("/gasUsed", json!("0x5208"))
        .set("/logsBloom", json!(format!("0x{}", "00".repeat(256))))
        .set("/receiptsRoot", json!(alloy_primitives::B256::ZERO))
        .write();
    let output = run_block(directory.path(), &["--json"]);
    let expected = "block.json: gas used is not what the header says: ";
    assert_ends(&output, 1, expected);
    assert!(standard_error(&output).contains(" instead of 21000"));
    let header = json!({"gas_used": "mismatch", "receipts_root": "mismatch", "logs_bloom": "ok"});
    assert_eq!(json_lines(&output)[0]["header"], header);

    let output = run_block(directory.path(), &[]);
    assert_ends(&output, 1, "receipts root is not what the header says");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("1 block does NOT match"), "{text}");
}

#[test]
fn bad_input_exits_2_and_names_file_field_and_value() {
    let nowhere = chorus(&["run", "--block", "/nowhere/at/all"]);
    assert_refused(&nowhere, "/nowhere/at/all: No such file or directory");

    let directory = Fixture::new().write();
    let path = directory.path().join("block.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..text.len() / 2]).unwrap();
    assert_refused(&run_block(directory.path(), &[]), "block.json: EOF while parsing");

    let mut fixture = Fixture::new();
    let sender = format!("{:#x}", fixture::sender());
    fixture.prestate[&sender]["balance"] = json!("plenty");
    let expected = format!("prestate.json: {sender}.balance is \"plenty\": expected a hex");
    assert_refused(&run_block(fixture.write().path(), &["--json"]), &expected);

    let unknown = Fixture::new().set("/transactions/1/type", json!("0x9"));
    let expected = "block.json: transactions[1].type is \"0x9\": unknown transaction type";
    assert_refused(&run_block(unknown.write().path(), &[]), expected);
}

#[test]
fn a_sender_without_funds_is_the_policys_to_answer() {
    let mut fixture = Fixture::new();
    let sender = format!("{:#x}", fixture::sender());
    // Enough for the first transaction only.
    fixture.prestate[&sender]["balance"] = json!("0x1319718a5001");
    let directory = fixture.write();
    for path in ["auto", "parallel"] {
        let output = run_block(directory.path(), &["--path", path]);
        assert_refused(&output, "block.json: transaction 1 is invalid: ");
        assert!(standard_error(&output).contains("(transaction hash 0x"));
    }
    // The claim is about five transactions, so it is not met: that is a mismatch, not an error.
    let output = run_block(directory.path(), &["--policy", "skip", "--json"]);
    assert_ends(&output, 1, "gas used is not what the header says");
    let line = &json_lines(&output)[0];
    assert_eq!(line["equals_sequential"], true);
    assert_eq!(line["gas_used"], 21_000);

    let unclaimed = fixture.set("/gasUsed", Value::Null).write();
    let left_out = "block.json: transaction 1 is left out: lack of funds";
    assert_ends(&run_block(unclaimed.path(), &["--policy", "skip"]), 0, left_out);
}

#[test]
fn wrong_usage_exits_2() {
    let directory = Fixture::new().write();
    let block = directory.path().to_str().unwrap();
    let cases: [(&[&str], &str); 12] = [
        (&["fly"], "'fly'"),
        (&["run", "--block"], "--block"),
        (&["run", "--threads", "0"], "'0'"),
        (&["run", "--threads", "many"], "'many'"),
        (&["run", "--repeat", "0"], "'0'"),
        (&["run", "--path", "sideways"], "'sideways'"),
        (&["run", "--policy", "shrug"], "'shrug'"),
        (&["run", "--chain", "genesis.json"], "--block"),
        (&["run", "--store", "disk"], "expected memory, redb:PATH, rpc:URL or latency:TIME"),
        (&["run", "--store", "latency:abc"], "`abc` is no time"),
        (&["run", "--store", "rpc:http://localhost:1"], "needs --block"),
        (&["run", "--cache", "answers.redb"], "it needs --store rpc:URL"),
    ];
    for (arguments, expected) in cases {
        assert_ends(&chorus(arguments), 2, expected);
    }
    let output = chorus(&["run", "--block", block, "--chain", "/nowhere/genesis.json"]);
    assert_refused(&output, "/nowhere/genesis.json: No such file");
}

#[test]
fn a_block_runs_over_every_store_that_needs_no_node() {
    let directory = Fixture::new().write();
    let databases = tempfile::tempdir().unwrap();
    let file = format!("redb:{}", databases.path().join("state.redb").display());
    let folder = format!("redb:{}", databases.path().display());
    // Each database twice: made, and found.
    for store in ["memory", "latency:100us", &file, &file, &folder, &folder] {
        let output = run_block(directory.path(), &["--json", "--store", store]);
        assert_ends(&output, 0, "");
        assert_eq!(json_lines(&output)[0]["equals_sequential"], true, "{store}");
    }
    assert_eq!(fs::read_dir(databases.path()).unwrap().count(), 2);
}

#[test]
fn metrics_are_the_sums_of_what_the_lines_say() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["one", "other"] {
        Fixture::new().write_to(&directory.path().join(name));
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("metrics.prom");
    // What was in the file before is gone, however long it was.
    fs::write(&file, "x".repeat(100_000)).unwrap();
    let more = ["--json", "--threads", "2", "--path", "parallel", "--metrics"];
    let output = run_block(directory.path(), &[&more[..], &[file.to_str().unwrap()]].concat());
    assert_ends(&output, 0, "");
    let lines = json_lines(&output);
    assert_eq!(lines.len(), 2);

    let samples = exposition::parse(&fs::read_to_string(&file).unwrap());
    let sum = |field: &str| lines.iter().map(|line| line[field].as_f64().unwrap()).sum::<f64>();
    for (name, field) in [
        ("transactions", "txs"),
        ("gas", "gas_used"),
        ("incarnations", "incarnations"),
        ("suspensions", "suspensions"),
        ("wasted_gas", "wasted_gas"),
    ] {
        assert_eq!(samples[&format!("chorus_engine_{name}_total")], sum(field), "{name}");
    }
    assert_eq!(samples["chorus_engine_threads"], 2.0);
    assert_eq!(samples["chorus_engine_blocks_total{path=\"parallel\"}"], 2.0);
    assert_eq!(samples["chorus_engine_blocks_total{path=\"direct\"}"], 0.0);
    let reads = "chorus_region_operations_total{operation=\"read\",result=\"ok\"}";
    assert_eq!(samples[reads], 0.0);
}

#[test]
fn a_block_that_does_not_use_shared_memory_ends_the_same_with_it() {
    let directory = Fixture::new().write();
    let run = |preset: &[&str]| {
        let more = ["--json", "--threads", "2", "--path", "parallel"];
        let output = run_block(directory.path(), &[&more[..], preset].concat());
        assert_ends(&output, 0, "");
        json_lines(&output).remove(0)
    };
    let without = run(&[]);
    for preset in ["off", "production", "development", "testing"] {
        let with = run(&["--shared-memory", preset]);
        for field in ["gas_used", "receipts_root", "logs_bloom", "state_diff_hash", "header"] {
            assert_eq!(with[field], without[field], "{preset}: {field}");
        }
        assert_eq!(with["equals_sequential"], true);
    }
}

#[test]
fn metrics_show_what_blocks_do_in_shared_memory() {
    // PUSH1 4, PUSH1 64, SHARED_ALLOC, POP: a block of the smallest class.
    let mut fixture = Fixture::new()
        .unsigned()
        .set("/gasUsed", Value::Null)
        .set("/transactions/0/gas", json!("0x186a0"));
    fixture.prestate[format!("{:#x}", fixture::RECIPIENT)] =
        json!({"balance": "0x0", "nonce": 1, "code": "0x60046040e05000"});
    let directory = fixture.write();
    let run = |preset: &str| {
        let more = ["--threads", "2", "--path", "parallel", "--metrics", "-"];
        let output =
            run_block(directory.path(), &[&more[..], &["--shared-memory", preset]].concat());
        assert_ends(&output, 0, "");
        let text = String::from_utf8(output.stdout).unwrap();
        exposition::parse(&text[text.find("# HELP").unwrap()..])
    };
    let allocs = "chorus_region_operations_total{operation=\"alloc\",result=\"ok\"}";
    let blocks = "chorus_pool_blocks{class=\"4k\"}";
    let off = run("off");
    assert_eq!((off[allocs], off[blocks]), (0.0, 0.0));
    let on = run("testing");
    assert!(on[allocs] >= 1.0);
    assert_eq!(on[blocks], 16.0);
    assert!(on["chorus_region_gas_total"] > 0.0);
}

#[test]
fn metrics_on_standard_output_follow_the_table() {
    let directory = Fixture::new().write();
    let output = run_block(directory.path(), &["--metrics", "-"]);
    assert_ends(&output, 0, "");
    let text = String::from_utf8(output.stdout).unwrap();
    let (table, metrics) = text.split_at(text.find("# HELP").unwrap());
    assert!(table.contains("everything matches"), "{table}");
    assert_eq!(exposition::parse(metrics)["chorus_engine_transactions_total"], 5.0);
}

#[test]
fn metrics_that_cannot_be_written_are_refused_before_anything_runs() {
    let directory = Fixture::new().write();
    let file = directory.path().join("absent").join("metrics.prom");
    let file = file.to_str().unwrap();
    assert_refused(&run_block(directory.path(), &["--metrics", file]), file);
}

#[test]
fn a_run_that_fails_leaves_the_metrics_of_the_one_before() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("metrics.prom");
    fs::write(&file, "before").unwrap();
    let absent = directory.path().join("absent");
    let output = run_block(&absent, &["--metrics", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(fs::read_to_string(&file).unwrap(), "before");
}

#[test]
fn another_chain_comes_from_its_genesis_file() {
    let directory = Fixture::new().write();
    let genesis = directory.path().join("genesis.json");
    let path = genesis.to_str().unwrap().to_owned();
    let run = |config: Value| {
        fs::write(&genesis, json!({ "config": config }).to_string()).unwrap();
        run_block(directory.path(), &["--json", "--chain", &path])
    };
    let forks = |chain: u64, osaka: Value| {
        json!({"chainId": chain, "homesteadBlock": 0, "eip150Block": 0, "eip155Block": 0,
            "eip158Block": 0, "byzantiumBlock": 0, "constantinopleBlock": 0,
            "petersburgBlock": 0, "istanbulBlock": 0, "berlinBlock": 0, "londonBlock": 0,
            "terminalTotalDifficulty": 0, "shanghaiTime": 0, "cancunTime": 0, "pragueTime": 0,
            "osakaTime": osaka})
    };
    let output = run(forks(1, Value::Null));
    assert_ends(&output, 0, "");
    assert_eq!(json_lines(&output)[0]["spec"], "Prague");
    // The transactions are signed for chain 1.
    assert_refused(&run(forks(5, Value::Null)), "transaction 0 is invalid: ");
    assert_refused(&run(forks(1, json!("soon"))), "genesis.json: config.osakaTime is \"soon\": ");
}

#[test]
fn every_shared_block_matches_its_header_and_the_sequential_run() {
    let Some(blocks) = data::blocks_dir() else { return };
    let output = run_block(&blocks, &["--json", "--path", "parallel", "--threads", "2"]);
    assert_ends(&output, 0, "");
    let lines = json_lines(&output);
    assert!(!lines.is_empty());
    for line in &lines {
        let number = line["number"].as_u64().unwrap();
        assert_eq!(line["equals_sequential"], true, "block {number}");
        let incomplete = number == 22_546_209;
        let expect = |absent| if absent { "absent" } else { "ok" };
        assert_eq!(line["header"]["gas_used"], expect(incomplete), "block {number}");
        assert_eq!(line["header"]["logs_bloom"], expect(incomplete), "block {number}");
        let root = &line["header"]["receipts_root"];
        assert_eq!(root, expect(incomplete || number < 4_370_000), "block {number}");
    }
}

/// Runs `chorus trace` with a file of that name in a directory, and says where the file is.
fn trace(directory: &Path, name: &str, more: &[&str]) -> (Output, std::path::PathBuf) {
    let file = directory.join(name);
    let output =
        chorus(&[&["trace", "--threads", "2", "--out", file.to_str().unwrap()], more].concat());
    (output, file)
}

#[test]
fn a_trace_is_a_file_in_the_format_of_its_name_and_a_table() {
    let directory = tempfile::tempdir().unwrap();
    let (output, file) = trace(directory.path(), "t.json", &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let json: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert!(!json["traceEvents"].as_array().unwrap().is_empty());
    let incarnations = json["otherData"]["incarnations"].as_u64().unwrap();
    assert!(incarnations >= json["otherData"]["transactions"].as_u64().unwrap());
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("incarnations") && printed.contains("ui.perfetto.dev"), "{printed}");
    for hot in json["otherData"]["hottest"].as_array().unwrap().iter().take(10) {
        assert!(printed.contains(hot["field"].as_str().unwrap()), "{printed}");
    }

    let fixture = Fixture::new().write();
    let block = ["--block", fixture.path().to_str().unwrap()];
    let (output, file) = trace(directory.path(), "t.html", &block);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(fs::read_to_string(file).unwrap().starts_with("<!doctype html>"));
    // Another name with the format beside it; what was there is replaced.
    fs::write(directory.path().join("t.bin"), "x".repeat(1 << 20)).unwrap();
    let (output, file) =
        trace(directory.path(), "t.bin", &[&block[..], &["--format", "perfetto"]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let json: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(json["otherData"]["commits"], 5);
}

#[test]
fn a_scenario_can_be_traced_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["producer-consumer", "--size", "60", "--param", "consumers=4", "--seed", "3"];
    let (output, file) = trace(directory.path(), "t.json", &arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let json: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(json["otherData"]["commits"], 60);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("block producer-consumer: 60 transactions"), "{printed}");
    // One with regions, and one with transactions that are left out.
    for arguments in [["region-words", "--size", "20"], ["invalid", "--size", "20"]] {
        let (output, _) = trace(directory.path(), "t.html", &arguments);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
}

#[test]
fn a_trace_that_cannot_be_is_refused_by_name_and_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::new().write();
    let several = tempfile::tempdir().unwrap();
    for name in ["1", "2"] {
        let block = several.path().join(name);
        fs::create_dir(&block).unwrap();
        for file in fs::read_dir(fixture.path()).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), block.join(file.file_name())).unwrap();
        }
    }
    let one = fixture.path().to_str().unwrap();
    let both = several.path().to_str().unwrap();
    let cases: [(&str, &[&str], &str); 13] = [
        ("t.json", &["no-such"], "there is no scenario \"no-such\""),
        ("t.json", &["chain", "--param", "rounds"], "--param \"rounds\": expected NAME=VALUE"),
        ("t.json", &["chain", "--param", "k=2"], "chain has no parameter \"k\""),
        ("t.json", &["chain", "--block", one], "cannot be used with '--block"),
        ("t.json", &["chain", "--chain", "genesis.json"], "cannot be used with '--chain"),
        ("t.json", &["chain", "--policy", "skip"], "cannot be used with '--policy"),
        (
            "t.json",
            &["chain", "--shared-memory", "testing"],
            "cannot be used with '--shared-memory",
        ),
        ("t.json", &["--size", "5"], "arguments were not provided"),
        ("t.txt", &[], "give --format"),
        ("none/t.json", &[], "none/t.json: "),
        ("t.json", &["--block", both], "2 blocks, and a trace shows one"),
        ("t.json", &["--block", one, "--path", "direct"], "give --path parallel"),
        ("t.json", &["--block", "/nonexistent"], "/nonexistent"),
    ];
    for (name, more, says) in cases {
        let (output, file) = trace(directory.path(), name, more);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(message.contains(says), "{message}");
        assert!(!file.exists(), "{name}");
    }
    // A header that says something else is a mismatch, and the timeline is there to be looked at.
    let mut wrong = Fixture::new();
    wrong.block["gasUsed"] = json!("0x1");
    let wrong = wrong.write();
    let block = ["--block", wrong.path().to_str().unwrap()];
    let (output, file) = trace(directory.path(), "t.json", &block);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("gas used"));
    assert!(file.exists());
}
