//! Peak memory of one run, above what its input takes.
//!
//! Each figure comes from a process of its own, started after the timed runs, so that neither counting
//! nor another run's leftovers disturb anything: it makes the block and its state, runs something
//! small so that code and threads are in memory, asks the system to forget the peak so far, and runs the
//! block once. What counts is how far the resident memory rose above where it was before
//! (`VmHWM` less `VmRSS` of `/proc/self/status`, reset through `/proc/self/clear_refs`). The allocator
//! is told to give free pages back at once, and the run has a thread of its own, because an allocator's
//! half-empty pages belong to threads: what the preparation left in them would hide what the run
//! takes. The figure is no count of bytes: it is exact to about half a MiB, for the kernel adds up
//! resident pages in batches and the allocator takes them in batches.
//!
//! Where the system has none of that there is no figure.

use std::{
    fs, io,
    process::{Command, Stdio},
};

use chorus::{evm::workload::Scenario, sync::thread};

use super::{BenchError, Peak, Scenarios, cases::Case, measure};
use crate::{arguments::Path, inputs};

/// Bytes of the case on so many threads, or one transaction after another.
pub(super) fn measure(case: &Case, arguments: &Scenarios, threads: Option<usize>) -> Option<u64> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let mut command = Command::new(std::env::current_exe().ok()?);
    command.args(["bench", "peak"]);
    match case {
        Case::Scenario { scenario, settings, size, seed } => {
            command.args(["--scenario", scenario.name]);
            command.args(["--size", &size.to_string(), "--seed", &seed.to_string()]);
            for (name, value) in settings.iter() {
                command.args(["--param", &format!("{name}={value}")]);
            }
        }
        Case::Directory(path) => {
            command.arg("--block").arg(path);
            if let Some(chain) = &arguments.chain {
                command.arg("--chain").arg(chain);
            }
        }
    }
    if let Some(threads) = threads {
        command.args(["--threads", &threads.to_string()]);
    }
    command.args(["--path", arguments.path.name()]);
    command.env("MIMALLOC_PURGE_DELAY", "0").stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// The other side: runs the case once, and says how many bytes that took.
pub(super) fn observe(arguments: &Peak) -> Result<u64, BenchError> {
    let chain = inputs::chain_of(arguments.chain.as_deref())?;
    let case = Case::of(arguments)?;
    let run = |case: &Case| {
        let work = case.load(&chain)?;
        let engine =
            arguments.threads.map(|threads| measure::engine(&work, threads, arguments.path));
        let engine = engine.transpose()?;
        let alone = move || {
            forget_peak()?;
            let before = kibibytes("VmRSS:")?;
            let answer = match &engine {
                Some(engine) => measure::execute(&work, engine),
                None => measure::one_by_one(&work),
            };
            let after = kibibytes("VmHWM:")?;
            Ok((answer, after.saturating_sub(before) * 1024))
        };
        let ended = thread::spawn(alone).join();
        let ended = ended.unwrap_or_else(|_| Err(io::Error::other("the run panicked")));
        let (answer, bytes) = ended.map_err(BenchError::Memory)?;
        let name = case.name();
        answer.map_err(|error| BenchError::Block { name, error: Box::new(error) })?;
        Ok::<_, BenchError>(bytes)
    };
    let small = match &case {
        Case::Scenario { scenario, settings, seed, .. } => {
            Case::Scenario { scenario, settings: settings.clone(), size: 16, seed: *seed }
        }
        Case::Directory(_) => {
            let scenario = Scenario::by_name("mixed")?;
            Case::Scenario { scenario, settings: scenario.settings([])?, size: 64, seed: 1 }
        }
    };
    run(&small)?;
    run(&case)
}

/// From here on the peak counts anew.
fn forget_peak() -> io::Result<()> {
    fs::write("/proc/self/clear_refs", "5")
}

/// A line of the process's status.
fn kibibytes(field: &str) -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| io::Error::other(format!("no {field} in status")))
}

impl Path {
    /// As the command line has it.
    fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Parallel => "parallel",
            Self::Direct => "direct",
        }
    }
}
