//! One model in a process of its own, with a time limit.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::report::Job;

/// How often a running model is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How a model ended.
pub(crate) enum End {
    /// Every interleaving within the bound was explored, and none failed.
    Explored,
    /// An interleaving panicked, deadlocked or leaked, or the process died.
    Failed(String),
    /// It was stopped.
    TimeLimit,
}

/// What is known of a model that ran.
pub(crate) struct Ran {
    pub(crate) end: End,
    pub(crate) interleavings: u64,
    pub(crate) took: Duration,
}

/// Runs a model and waits for it, for the time limit at most.
pub(crate) fn run(binary: &Path, job: &Job, time_limit: Duration) -> Ran {
    let start = Instant::now();
    let failed =
        |why: String| Ran { end: End::Failed(why), interleavings: 0, took: start.elapsed() };
    let mut command = Command::new(binary);
    command.args(["--run", &job.model, "--bound", &job.bound.to_string()]);
    // Loom reads settings of its own that end a search early or slow it down.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LOOM_") {
            command.env_remove(name);
        }
    }
    match &job.weakening {
        Some(place) => command.env("CHORUS_WEAKEN", place),
        None => command.env_remove("CHORUS_WEAKEN"),
    };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return failed(format!("cannot start: {error}")),
    };
    let Some(output) = child.stdout.take() else {
        return failed("its output cannot be read".into());
    };
    let reader = thread::spawn(move || {
        let (mut interleavings, mut panic) = (0, None);
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            match line.split_once('\t') {
                Some(("explored", count)) => interleavings = count.parse().unwrap_or(interleavings),
                Some(("panic", message)) => panic = Some(message.to_owned()),
                _ => {}
            }
        }
        (interleavings, panic)
    });
    let status = wait(&mut child, start + time_limit);
    let took = start.elapsed();
    let (interleavings, panic) = reader.join().unwrap_or((0, None));
    let end = match (status, panic) {
        (Err(error), _) => End::Failed(format!("cannot be waited for: {error}")),
        (Ok(None), _) => End::TimeLimit,
        (Ok(Some(status)), None) if !status.success() => End::Failed(status.to_string()),
        (Ok(Some(_)), Some(message)) => End::Failed(message),
        // One interleaving means that nothing was concurrent: such a model proves nothing.
        (Ok(Some(_)), None) if interleavings < 2 => End::Failed("only one interleaving".into()),
        (Ok(Some(_)), None) => End::Explored,
    };
    Ran { end, interleavings, took }
}

/// Waits for the end, or kills it at the deadline and returns `None`.
fn wait(child: &mut Child, deadline: Instant) -> std::io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK_EVERY);
    }
}
