//! The runner's arguments.

use std::time::Duration;

pub(crate) const HELP: &str = "\
Explores the interleavings of the models in loom-tests/.

cargo loom [FILTER] [OPTIONS]

  FILTER                 only models whose name contains it
  --weaken               run each model with each of its weakened places; all must fail
  --list                 print the models instead of running them
  --bound N              preemption bound for all models, instead of each one's own
  --jobs N               models that run at a time (default: one per processor)
  --time-limit SECONDS   a model that takes longer has failed (default: 300)";

const TIME_LIMIT: Duration = Duration::from_secs(300);

pub(crate) struct Args {
    pub(crate) filter: Option<String>,
    pub(crate) weaken: bool,
    pub(crate) list: bool,
    pub(crate) bound: Option<usize>,
    pub(crate) jobs: usize,
    pub(crate) time_limit: Duration,
}

pub(crate) enum Parsed {
    Run(Args),
    Help,
}

pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Parsed, String> {
    let processors = chorus::sync::thread::available_parallelism();
    let mut args = Args {
        filter: None,
        weaken: false,
        list: false,
        bound: None,
        jobs: processors,
        time_limit: TIME_LIMIT,
    };
    while let Some(word) = words.next() {
        let mut number = |least: u32| {
            let value = words.next().ok_or_else(|| format!("{word} needs a number"))?;
            match value.parse::<u32>() {
                Ok(number) if number >= least => Ok(number),
                _ => Err(format!("{word} needs a number of at least {least}, not `{value}`")),
            }
        };
        match word.as_str() {
            "--weaken" => args.weaken = true,
            "--list" => args.list = true,
            "--bound" => args.bound = Some(number(0)? as usize),
            "--jobs" => args.jobs = number(1)? as usize,
            "--time-limit" => args.time_limit = Duration::from_secs(number(1)?.into()),
            "--help" | "-h" => return Ok(Parsed::Help),
            _ if word.starts_with('-') => return Err(format!("unknown option `{word}`\n\n{HELP}")),
            _ if args.filter.is_some() => return Err(format!("a second filter, `{word}`")),
            _ => args.filter = Some(word),
        }
    }
    Ok(Parsed::Run(args))
}
