//! The commands that ask a node, `fetch` and `replay`, against a real HTTP server on the loopback.

#![cfg(feature = "cli")]
// This file runs the command as a person would; no protocol of the crate is at stake in it.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[path = "common/data.rs"]
mod data;
#[path = "common/fixture.rs"]
mod fixture;
#[path = "common/rpc_server/mod.rs"]
mod rpc_server;

use std::{
    fs::{self, File},
    io::{Read, Seek},
    path::Path,
    process::{Child, Command, Output},
    time::{Duration, Instant},
};

use fixture::{Fixture, NUMBER};
use rpc_server::{Fault, Instead, Server, World};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Far more than any run here takes, on a machine with other work as well.
const PATIENCE: Duration = Duration::from_secs(180);

struct Running {
    child: Child,
    stdout: File,
    stderr: File,
}

fn start(arguments: &[&str]) -> Running {
    let [stdout, stderr] = [(); 2].map(|()| tempfile::tempfile().unwrap());
    let child = Command::new(env!("CARGO_BIN_EXE_chorus"))
        .args(arguments)
        .env("NO_PROXY", "127.0.0.1")
        .stdout(stdout.try_clone().unwrap())
        .stderr(stderr.try_clone().unwrap())
        .spawn()
        .unwrap();
    Running { child, stdout, stderr }
}

/// Runs the command. One that hangs is killed, and is a failure rather than a wait.
fn chorus(arguments: &[&str]) -> Output {
    let Running { mut child, mut stdout, mut stderr } = start(arguments);
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

fn standard_error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn standard_output(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The run ended with `code`, and its standard error contains `expected`.
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
}

fn json_lines(output: &Output) -> Vec<Value> {
    standard_output(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A node with three blocks, one after another, and where it has them from.
struct Chain {
    server: Server,
    _directory: TempDir,
}

impl Chain {
    fn new() -> Self {
        Self::with(|_, fixture| fixture)
    }

    /// With something changed in each.
    fn with(change: impl Fn(u64, Fixture) -> Fixture) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut world = World::new();
        for index in 0..3 {
            let number = NUMBER + index;
            let path = directory.path().join(number.to_string());
            let fixture = Fixture::new()
                .set("/number", json!(format!("{number:#x}")))
                .set("/parentHash", json!(format!("0x{:064x}", 0x1000 + number - 1)))
                .set("/hash", json!(format!("0x{:064x}", 0x1000 + number)));
            change(index, fixture).write_to(&path);
            world.add(number, &path);
        }
        Self { server: Server::new(world), _directory: directory }
    }

    fn fetch(&self, out: &Path, more: &[&str]) -> Output {
        let url = self.server.url();
        let fixed = ["fetch", "--rpc", &url, "--out", out.to_str().unwrap()];
        chorus(&[&fixed[..], more].concat())
    }

    fn replay(&self, from: u64, to: u64, more: &[&str]) -> Output {
        let (url, from, to) = (self.server.url(), from.to_string(), to.to_string());
        let fixed = ["replay", "--rpc", &url, "--from", &from, "--to", &to];
        chorus(&[&fixed[..], more].concat())
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn assert_runs(directory: &Path) {
    let directory = directory.to_str().unwrap();
    let output = chorus(&["run", "--repeat", "1", "--json", "--block", directory]);
    assert_ends(&output, 0, "");
    for line in json_lines(&output) {
        assert_eq!(line["header"]["gas_used"], "ok");
    }
}

#[test]
fn what_is_fetched_by_executing_runs_and_matches() {
    let chain = Chain::new();
    let out = tempfile::tempdir().unwrap();
    let blocks = [NUMBER, NUMBER + 2].map(|number| number.to_string());
    let output = chain.fetch(out.path(), &["--block", &blocks[0], &blocks[1]]);
    assert_ends(&output, 0, "");
    assert!(output.stdout.is_empty());
    assert_eq!(names(out.path()), blocks);
    assert_eq!(names(&out.path().join(&blocks[0])), ["block.json", "prestate.json"]);
    assert_runs(out.path());
    // The node has no tracer, which was found out by asking it.
    let seen = chain.server.seen();
    assert_eq!(seen.calls_of("debug_traceBlockByNumber"), 2);
    assert!(seen.calls_of("eth_getProof") > 0);
}

#[test]
fn what_is_fetched_from_a_tracer_runs_and_matches() {
    let chain = Chain::new();
    chain.server.set_traces(true);
    let out = tempfile::tempdir().unwrap();
    let block = NUMBER.to_string();
    assert_ends(&chain.fetch(out.path(), &["--block", &block]), 0, "");
    assert_runs(out.path());
    let seen = chain.server.seen();
    assert_eq!((seen.calls_of("debug_traceBlockByNumber"), seen.calls_of("eth_getProof")), (1, 0));
}

#[test]
fn the_way_to_the_state_is_the_users_to_choose() {
    let chain = Chain::new();
    let out = tempfile::tempdir().unwrap();
    let block = NUMBER.to_string();
    let output = chain.fetch(out.path(), &["--block", &block, "--prestate", "trace"]);
    assert_refused(&output, &format!("block {NUMBER}: the node does not trace: "));
    assert!(names(out.path()).is_empty());
    chain.server.set_traces(true);
    chain.server.reset();
    let output = chain.fetch(out.path(), &["--block", &block, "--prestate", "execute"]);
    assert_ends(&output, 0, "");
    assert_eq!(chain.server.seen().calls_of("debug_traceBlockByNumber"), 0);
    assert_runs(out.path());
}

#[test]
fn a_trace_that_does_not_give_what_the_header_says_is_not_believed() {
    let chain = Chain::new();
    // Nobody has any money in it.
    let nothing = Instead::Result(json!([{"result": {}}]));
    chain.server.instead("debug_traceBlockByNumber", "", nothing, usize::MAX);
    let out = tempfile::tempdir().unwrap();
    let block = NUMBER.to_string();
    assert_ends(&chain.fetch(out.path(), &["--block", &block]), 0, "");
    assert_runs(out.path());
}

#[test]
fn what_is_there_is_not_fetched_again_and_what_is_half_there_is() {
    let chain = Chain::new();
    let out = tempfile::tempdir().unwrap();
    let blocks = [0, 1, 2].map(|index| (NUMBER + index).to_string());
    assert_ends(&chain.fetch(out.path(), &["--block", &blocks[0]]), 0, "");
    let half = out.path().join(format!(".{}.partial", blocks[1]));
    fs::create_dir(&half).unwrap();
    fs::write(half.join("block.json"), "{").unwrap();
    chain.server.reset();
    let output = chain.fetch(out.path(), &["--block", &blocks[0], &blocks[1], &blocks[2]]);
    assert_ends(&output, 0, "");
    assert_eq!(names(out.path()), blocks);
    assert_runs(out.path());
    let first = format!("eth_getBlockByNumber[\"{NUMBER:#x}\",true]");
    assert!(!chain.server.seen().calls.contains(&first));
}

#[test]
fn something_else_in_the_blocks_place_is_left_alone() {
    let chain = Chain::new();
    let out = tempfile::tempdir().unwrap();
    let place = out.path().join(NUMBER.to_string());
    fs::create_dir(&place).unwrap();
    fs::write(place.join("notes.txt"), "mine").unwrap();
    let output = chain.fetch(out.path(), &["--block", &NUMBER.to_string()]);
    assert_refused(&output, "is there and is no block directory");
    assert_eq!(names(&place), ["notes.txt"]);
}

#[test]
fn a_fetch_that_is_killed_leaves_no_half_directory_and_can_be_resumed() {
    let chain = Chain::new();
    chain.server.set_delay(Duration::from_millis(20));
    let out = tempfile::tempdir().unwrap();
    let blocks = [0, 1, 2].map(|index| (NUMBER + index).to_string());
    let url = chain.server.url();
    let arguments = [
        &["fetch", "--rpc", &url, "--out", out.path().to_str().unwrap(), "--block"][..],
        &blocks.each_ref().map(String::as_str),
    ]
    .concat();
    for pause in [20, 60, 100, 150, 250] {
        let mut running = start(&arguments);
        std::thread::sleep(Duration::from_millis(pause));
        running.child.kill().unwrap();
        running.child.wait().unwrap();
        for name in names(out.path()).iter().filter(|name| !name.starts_with('.')) {
            assert_runs(&out.path().join(name));
        }
    }
    assert_ends(&chorus(&arguments), 0, "");
    assert_eq!(names(out.path()), blocks);
    assert_runs(out.path());
}

#[test]
fn a_block_that_does_not_match_is_fetched_and_said() {
    let chain = Chain::with(|index, fixture| match index {
        0 => fixture.set("/gasUsed", json!("0x5208")),
        _ => fixture,
    });
    let out = tempfile::tempdir().unwrap();
    let blocks = [0, 1].map(|index| (NUMBER + index).to_string());
    let output = chain.fetch(out.path(), &["--block", &blocks[0], &blocks[1]]);
    assert_ends(&output, 1, &format!("block {NUMBER}: NOT what the header says: gas used"));
    assert_eq!(names(out.path()), blocks);
}

#[test]
fn a_block_that_the_node_does_not_have_is_an_error() {
    let chain = Chain::new();
    let out = tempfile::tempdir().unwrap();
    let blocks = [NUMBER.to_string(), "12345".to_owned()];
    let output = chain.fetch(out.path(), &["--block", &blocks[0], &blocks[1]]);
    assert_refused(&output, "there is no block 12345");
    // What came before it is whole.
    assert_eq!(names(out.path()), [blocks[0].as_str()]);
    let output = chain.replay(NUMBER + 2, NUMBER + 5, &["--json"]);
    assert_refused(&output, &format!("there is no block {}", NUMBER + 3));
    assert_eq!(json_lines(&output).len(), 1);
    assert_refused(&chain.replay(0, 1, &[]), "block 0 cannot be executed");
    assert_refused(&chain.fetch(out.path(), &["--block", "0"]), "there is no block 0");
}

#[test]
fn a_range_is_replayed_with_a_line_for_each_block() {
    let chain = Chain::new();
    let output = chain.replay(NUMBER, NUMBER + 2, &[]);
    assert_ends(&output, 0, "");
    let text = standard_output(&output);
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(text.lines().take(3).all(|line| line.ends_with("ok")), "{text}");
    assert!(text.contains("3 blocks, ") && text.ends_with("everything matches.\n"), "{text}");
    assert!(output.stderr.is_empty());

    for path in ["parallel", "direct", "auto"] {
        let output =
            chain.replay(NUMBER, NUMBER + 2, &["--json", "--path", path, "--threads", "2"]);
        assert_ends(&output, 0, "");
        let lines = json_lines(&output);
        let numbers: Vec<_> = lines.iter().map(|line| line["number"].as_u64().unwrap()).collect();
        assert_eq!(numbers, [NUMBER, NUMBER + 1, NUMBER + 2]);
        for line in lines {
            assert_eq!(line["matched"], true);
            assert_eq!(line["error"], Value::Null);
            assert_eq!(line["gas_used"], fixture::GAS_USED);
            assert_eq!((&line["spec"], &line["txs"]), (&json!("Osaka"), &json!(5)));
            let header =
                json!({"gas_used": "ok", "receipts_root": "absent", "logs_bloom": "absent"});
            assert_eq!(line["header"], header);
        }
    }
}

#[test]
fn a_replay_goes_on_after_a_block_that_does_not_match() {
    let chain = Chain::with(|index, fixture| match index {
        0 => fixture.set("/gasUsed", json!("0x5208")),
        1 => {
            let mut fixture = fixture;
            fixture.prestate = json!({});
            fixture
        }
        _ => fixture,
    });
    let output = chain.replay(NUMBER, NUMBER + 2, &["--json"]);
    assert_ends(&output, 1, "");
    let lines = json_lines(&output);
    let matched: Vec<_> = lines.iter().map(|line| line["matched"].as_bool().unwrap()).collect();
    assert_eq!(matched, [false, false, true]);
    assert_eq!(lines[0]["header"]["gas_used"], "mismatch");
    let error = lines[1]["error"].as_str().unwrap();
    assert!(error.starts_with("transaction 0 is invalid: lack of funds"), "{error}");

    let text = standard_output(&chain.replay(NUMBER, NUMBER + 2, &[]));
    assert!(text.contains("NOT gas used\n") && text.contains("2 blocks do NOT match"), "{text}");
}

#[test]
fn a_replay_from_the_cache_reads_no_state_of_the_node() {
    let chain = Chain::new();
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cache");
    let cached = ["--cache", cache.to_str().unwrap()];
    assert_ends(&chain.replay(NUMBER, NUMBER + 2, &cached), 0, "");
    assert!(chain.server.seen().calls_of("eth_getProof") > 0);
    chain.server.reset();
    assert_ends(&chain.replay(NUMBER, NUMBER + 2, &cached), 0, "");
    let seen = chain.server.seen();
    let methods: Vec<_> = seen.methods.keys().collect();
    assert_eq!(methods, ["eth_chainId", "eth_getBlockByNumber"]);

    fs::write(&cache, "what is this?".repeat(1000)).unwrap();
    let output = chain.replay(NUMBER, NUMBER + 2, &cached);
    assert_ends(&output, 0, "the cache is damaged or no cache");
    assert!(standard_error(&output).contains("going on without it"));
}

#[test]
fn a_node_in_trouble_that_passes_is_no_trouble() {
    let chain = Chain::new();
    chain.server.fault(Fault::Status(429, Some("0"), "slow down"), 1);
    chain.server.fault(Fault::CloseMidReply, 1);
    chain.server.fault(Fault::Status(503, None, "busy"), 1);
    chain.server.fault(Fault::CloseAtAccept, 1);
    assert_ends(&chain.replay(NUMBER, NUMBER + 2, &[]), 0, "");
    let out = tempfile::tempdir().unwrap();
    chain.server.fault(Fault::CloseBeforeReply, 3);
    let block = NUMBER.to_string();
    assert_ends(&chain.fetch(out.path(), &["--block", &block]), 0, "");
    assert_runs(out.path());
}

#[test]
fn a_node_that_answers_wrong_values_ends_the_command_with_the_call() {
    let chain = Chain::new();
    chain.server.set_proofs(false);
    let short = Instead::Result(json!("0xzz"));
    chain.server.instead("eth_getBalance", "", short, usize::MAX);
    let expected = "the result is \"0xzz\"";
    let output = chain.replay(NUMBER, NUMBER + 2, &[]);
    assert_refused(&output, expected);
    assert!(standard_error(&output).contains(&format!("block {NUMBER}: transaction 0: ")));
    let out = tempfile::tempdir().unwrap();
    let output = chain.fetch(out.path(), &["--block", &NUMBER.to_string()]);
    assert_refused(&output, expected);
    assert!(standard_error(&output).contains("eth_getBalance(\"0x"));
    assert!(names(out.path()).is_empty());
}

#[test]
fn a_node_that_cannot_be_reached_is_an_error_soon() {
    let url = rpc_server::nobody();
    let begin = Instant::now();
    let output = chorus(&["replay", "--rpc", &url, "--from", "1", "--to", "2", "--attempts", "2"]);
    assert_refused(&output, &format!("chorus: {url}: eth_chainId(): no connection: "));
    assert!(standard_error(&output).contains("refused"));
    assert!(begin.elapsed() < Duration::from_secs(20));
    let out = tempfile::tempdir().unwrap();
    let out = out.path().to_str().unwrap();
    let arguments = ["fetch", "--rpc", &url, "--out", out, "--block", "1", "--attempts", "1"];
    assert_refused(&chorus(&arguments), "no connection");
}

#[test]
fn another_chains_node_is_refused() {
    let chain = Chain::new();
    chain.server.instead("eth_chainId", "", Instead::Result(json!("0x5")), usize::MAX);
    assert_refused(&chain.replay(NUMBER, NUMBER, &[]), "is on chain 5, not on 1");
}

#[test]
fn wrong_usage_exits_2() {
    let chain = Chain::new();
    let url = chain.server.url();
    let cases: [(&[&str], &str); 12] = [
        (&["fetch"], "--rpc"),
        (&["fetch", "--rpc", &url, "--out", "x"], "--block"),
        (&["fetch", "--rpc", &url, "--block", "1"], "--out"),
        (&["fetch", "--rpc", &url, "--out", "x", "--block", "latest"], "'latest'"),
        (&["fetch", "--rpc", &url, "--out", "x", "--block", "-1"], "'-1'"),
        (&["fetch", "--rpc", &url, "--out", "x", "--block", "1", "--prestate", "guess"], "'guess'"),
        (&["replay", "--rpc", &url, "--from", "1"], "--to"),
        (&["replay", "--from", "1", "--to", "2"], "--rpc"),
        (&["replay", "--rpc", &url, "--from", "2", "--to", "1"], "--from 2 is after --to 1"),
        (&["replay", "--rpc", "node", "--from", "1", "--to", "1"], "node: not an address"),
        (&["replay", "--rpc", "ws://node", "--from", "1", "--to", "1"], "ws is not spoken"),
        (&["replay", "--rpc", &url, "--from", "1", "--to", "1", "--batch", "0"], "'0'"),
    ];
    for (arguments, expected) in cases {
        assert_ends(&chorus(arguments), 2, expected);
    }
}

/// Real blocks, one of them from before EIP-161 with empty accounts, and one that reads BLOCKHASH.
#[test]
fn real_blocks_are_fetched_run_and_replayed() {
    let Some(root) = data::blocks_dir() else { return };
    let mut numbers: Vec<u64> = names(&root).iter().filter_map(|name| name.parse().ok()).collect();
    numbers.sort_unstable();
    // The parent's hash is in the block itself.
    let reads_hashes = |number: &u64| {
        let path = root.join(number.to_string()).join("block_hashes.json");
        let Ok(text) = fs::read_to_string(path) else { return false };
        let hashes: Value = serde_json::from_str(&text).unwrap();
        // One directory has all that could be read.
        let hashes = hashes.as_object().unwrap();
        hashes.len() < 256 && hashes.keys().any(|key| *key != (number - 1).to_string())
    };
    let share = if data::full_sweep() { 1 } else { 8 };
    let one = numbers.iter().copied().find(reads_hashes);
    let mut chosen: Vec<u64> = numbers.iter().copied().step_by(share).chain(one).collect();
    chosen.sort_unstable();
    chosen.dedup();
    let chain = Chain {
        server: Server::new(World::of_directories(&root)),
        _directory: tempfile::tempdir().unwrap(),
    };
    let out = tempfile::tempdir().unwrap();
    let blocks: Vec<_> = chosen.iter().map(u64::to_string).collect();
    let blocks: Vec<&str> = blocks.iter().map(String::as_str).collect();
    assert_ends(&chain.fetch(out.path(), &[&["--block"], &blocks[..]].concat()), 0, "");
    assert_eq!(names(out.path()).len(), chosen.len());
    let output =
        chorus(&["run", "--repeat", "1", "--json", "--block", out.path().to_str().unwrap()]);
    assert_ends(&output, 0, "");
    let lines = json_lines(&output);
    assert_eq!(lines.len(), chosen.len());
    let originals: Vec<_> =
        blocks.iter().map(|block| root.join(block).to_str().unwrap().to_owned()).collect();
    let originals: Vec<&str> = originals.iter().map(String::as_str).collect();
    let output = chorus(&[&["run", "--repeat", "1", "--json", "--block"], &originals[..]].concat());
    for (fetched, original) in lines.iter().zip(json_lines(&output)) {
        assert_eq!(fetched["state_diff_hash"], original["state_diff_hash"], "{original}");
    }
    for number in chosen {
        let hashes = "block_hashes.json";
        let fetched = out.path().join(number.to_string()).join(hashes).exists();
        assert_eq!(fetched, reads_hashes(&number), "block {number}");
        let output = chain.replay(number, number, &["--json"]);
        assert_ends(&output, 0, "");
        assert_eq!(json_lines(&output)[0]["matched"], true);
    }
}
