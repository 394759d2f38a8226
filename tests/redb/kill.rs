//! A process that is killed leaves the state after a whole number of blocks.
//!
//! ```text
//!  parent                              child: this binary again, with an environment variable
//!  ──────                              ─────
//!  start ────────────────────────────► open, "ready"
//!  wait at random                      apply 1, "applied 1", apply 2, "applied 2", ap‥
//!  SIGKILL ──────────────────────────►                                             ✗
//!  open: the state after 2, or 3
//! ```
//!
//! The parent computes every state for itself, in memory, and compares all of it. What was said to be
//! applied must be there, and of what was not said at most one block.
//!
//! A kill takes the process and leaves the system, so what was written to the file before it is in
//! the file, synced or not. The order of the writes is tested here, and not what a disk forgets when
//! its power goes: that hangs on the library's syncs alone.
//!
//! `CHORUS_KILLS`: how many in all, 200 unless told; `CHORUS_SEED`: when.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use chorus::store::{
    MemoryStore,
    redb::{RedbError, RedbStore},
};
use fastrand::Rng;

use crate::{
    chain::assert_state,
    data,
    desk::{Desk, block, options},
    story::Story,
};

const ROLE: &str = "CHORUS_KILL_ROLE";
const FILE: &str = "CHORUS_KILL_FILE";

const STORY: Story = Story { seed: 11 };
/// No child gets so far before it is killed.
const ENOUGH: u64 = 1_000_000;
/// Every so many blocks the child compacts the file.
const COMPACTION: u64 = 9;
/// Accounts of the state that is imported.
const IMPORTED: u64 = 4000;

fn kills() -> usize {
    let Some(kills) = std::env::var_os("CHORUS_KILLS") else { return 200 };
    let kills = kills.to_string_lossy();
    kills.parse().unwrap_or_else(|_| panic!("CHORUS_KILLS: {kills} is not a number"))
}

/// Not a test of itself: what the other tests start, and kill.
#[test]
fn the_process_that_is_killed() {
    let Some(role) = std::env::var_os(ROLE) else { return };
    let path = PathBuf::from(std::env::var_os(FILE).unwrap());
    match role.to_str().unwrap() {
        "apply" => apply_for_ever(&path),
        "import" => import_once(&path),
        role => panic!("{role}"),
    }
}

fn say(what: &str) {
    // The line before may be one of the harness, without an end.
    let mut out = std::io::stdout();
    out.write_all(format!("\n{what}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

fn apply_for_ever(path: &Path) {
    let mut store = RedbStore::open(path, options()).unwrap();
    let last = store.last_applied().unwrap().map_or(0, |position| position.number);
    say(&format!("ready {last}"));
    for number in last + 1..ENOUGH {
        STORY.apply(&store, number);
        say(&format!("applied {number}"));
        if number % COMPACTION == 0 {
            store.compact().unwrap();
        }
    }
}

fn import_once(path: &Path) {
    let state = STORY.genesis(IMPORTED);
    say("ready 0");
    let options = options().import_batch(2500);
    RedbStore::open_or_import(path, &state, Some(block(7)), options).unwrap();
    say("applied 7");
    // To be killed at leisure.
    thread::sleep(Duration::from_secs(60));
}

/// A child that dies with its owner.
struct Victim {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Victim {
    fn start(role: &str, path: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::the_process_that_is_killed", "--nocapture"])
            .env(ROLE, role)
            .env(FILE, path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    /// Waits until it says so.
    fn wait_for(&mut self, word: &str) {
        let mut line = String::new();
        while !line.starts_with(word) {
            line.clear();
            assert_ne!(self.out.read_line(&mut line).unwrap(), 0, "it ended before {word}");
        }
    }

    /// Kills it, and returns the last block that it said was applied.
    fn kill(mut self) -> Option<u64> {
        assert!(self.child.try_wait().unwrap().is_none(), "it ended of itself");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let mut said = String::new();
        self.out.read_to_string(&mut said).unwrap();
        // A line without its end may be half a number.
        let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().rev().find_map(|line| line.strip_prefix("applied ")?.parse().ok())
    }
}

#[test]
fn a_process_killed_between_blocks_or_in_one_leaves_exactly_the_last_applied_block() {
    let kills = kills() * 3 / 4;
    let desk = Desk::new();
    drop(desk.create());
    let mut rng = Rng::with_seed(data::seed());
    let (mut number, mut expected) = (0, MemoryStore::default());
    let (mut silent, mut early, start) = (0, 0, Instant::now());
    for kill in 0..kills {
        let mut victim = Victim::start("apply", &desk.path());
        // Now and then it is killed while it starts, which is when the library repairs the file.
        if rng.u8(..5) == 0 {
            thread::sleep(Duration::from_micros(rng.u64(..20_000)));
            early += 1;
        } else {
            victim.wait_for("ready");
            thread::sleep(Duration::from_micros(rng.u64(..60_000)));
        }
        let said = victim.kill().unwrap_or(number);

        let mut store = desk.open().unwrap_or_else(|error| panic!("kill {kill}: {error}"));
        let found = store.last_applied().unwrap().map_or(0, |position| position.number);
        assert!(said >= number && (said..=said + 1).contains(&found), "{number} {said} {found}");
        silent += u64::from(found > said);
        while number < found {
            number += 1;
            expected.apply(&STORY.diff(number));
        }
        assert_state(&store, &expected, number);
        if kill % 10 == 0 {
            store.verify().unwrap();
        }
    }
    let took = start.elapsed();
    println!(
        "{kills} kills in {took:.1?}, {early} of them while it started: {number} blocks applied, \
         {silent} times one more than was said"
    );
    assert!(number as usize > kills / 4, "too few blocks between the kills");
}

#[test]
fn a_process_killed_in_an_import_leaves_all_of_the_state_or_a_database_that_says_so() {
    let kills = kills().div_ceil(4);
    let state = STORY.genesis(IMPORTED);
    let (desk, mut rng) = (Desk::new(), Rng::with_seed(data::seed()));
    // How long one takes here.
    let mut victim = Victim::start("import", &desk.path());
    victim.wait_for("ready");
    let start = Instant::now();
    victim.wait_for("applied");
    let whole = start.elapsed();
    drop(victim);
    std::fs::remove_file(desk.path()).unwrap();

    let (mut absent, mut unfinished, mut complete, start) = (0, 0, 0, Instant::now());
    // The machine may be slower now than it was then: what is killed too early to end gets longer.
    let mut patience = whole;
    for kill in 0..kills {
        let mut victim = Victim::start("import", &desk.path());
        victim.wait_for("ready");
        thread::sleep(patience.mul_f64(rng.f64() * 1.2));
        let said = victim.kill();
        match desk.open() {
            Ok(store) => {
                assert!(store.holds(&state).unwrap(), "kill {kill}");
                assert!(store.to_memory().unwrap() == state, "kill {kill}");
                assert_eq!(store.last_applied().unwrap(), Some(block(7)));
                drop(store);
                std::fs::remove_file(desk.path()).unwrap();
                complete += 1;
                patience = patience.mul_f64(0.7);
            }
            Err(error) => {
                assert_eq!(said, None, "kill {kill}: {error}");
                patience = patience.mul_f64(1.15);
                match error {
                    // The next child finds it, and starts again.
                    RedbError::Unfinished { .. } => unfinished += 1,
                    RedbError::Io { .. } if !desk.path().exists() => absent += 1,
                    error => panic!("kill {kill}: {error}"),
                }
            }
        }
    }
    let took = start.elapsed();
    println!(
        "{kills} kills in {took:.1?}: {complete} complete, {unfinished} unfinished, {absent} absent; \
         an import takes {whole:.1?}"
    );
    assert!(kills < 50 || (unfinished > 0 && complete > 0), "all ended alike");
    let store = RedbStore::open_or_import(desk.path(), &state, Some(block(7)), options()).unwrap();
    assert!(store.to_memory().unwrap() == state);
}
