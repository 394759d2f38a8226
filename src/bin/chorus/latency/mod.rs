//! `chorus bench latency`: how much of a slow store the engine hides.
//!
//! | file | concept |
//! |---|---|
//! | `measure` | paired runs of both engines over a store that is slow on purpose |
//! | `report` | one line per block and latency, and the table |
//!
//! Both sides wait on the same clock, each location for the same time, and each run begins with
//! everything cold.

mod measure;
mod report;

use std::io::{self, Write};

use chorus::{
    evm::{Engine, limit::Profile, workload::Workload},
    sync::time::Duration,
};

use self::{
    measure::Measured,
    report::{Row, table},
};
use crate::{
    arguments::Latency,
    inputs::{self, Source},
    progress::Progress,
    run::{RunError, Verdict},
};

/// Generated work of 100 ms and more one by one, of which all is independent.
const INDEPENDENT: [Workload; 3] = [
    Workload::RawTransfers { transactions: 47_620 },
    Workload::Erc20 { transactions: 37_000, tokens: 8 },
    Workload::Amm { transactions: 6_400, pools: 0 },
];

/// Measures everything that the arguments ask for.
pub(crate) fn run(arguments: &Latency) -> Result<Verdict, RunError> {
    let chain = inputs::chain_of(arguments.chain.as_deref())?;
    let sources = match arguments.block.is_empty() {
        true => INDEPENDENT.map(Source::Workload).into(),
        false => inputs::directories(&arguments.block)?,
    };
    let engine = Engine::builder()
        .threads(arguments.threads.into())
        .scouting(arguments.scouting.into())
        .build()?;
    let mut rows = Vec::new();
    let mut verdict = Verdict::Matched;
    let progress = Progress::new((sources.len() * (arguments.latency.len() + 1)) as u64);
    for source in &sources {
        let name = source.short_name();
        progress.show(&name);
        let work = source.load(&chain)?;
        let block = |error| RunError::Block {
            block: source.name(),
            error: Box::new(error),
            hash: String::new(),
        };
        let profile = Profile::record(&work.block, &*work.prestate).map_err(block)?;
        let measure = |latency| {
            let measured = Measured::new(&engine, &work, &profile, latency, arguments.repeat)
                .map_err(block)?;
            progress.tick();
            Ok::<_, RunError>(measured)
        };
        let at_once = measure(Duration::ZERO)?;
        for microseconds in &arguments.latency {
            let latency = Duration::from_micros(*microseconds);
            let measured = if latency.is_zero() { at_once.clone() } else { measure(latency)? };
            if !measured.equal {
                verdict = Verdict::Mismatched;
            }
            let limit = profile.limit_at(arguments.threads.into(), latency);
            let row = Row::new(&name, &work, &profile, &measured, &at_once, limit);
            if arguments.json {
                let line = serde_json::to_string(&row).map_err(io::Error::from)?;
                progress.aside(|| writeln!(io::stdout(), "{line}"))?;
            }
            rows.push(row);
        }
    }
    drop(progress);
    if !arguments.json {
        table(&rows, &mut io::stdout().lock())?;
    }
    Ok(verdict)
}
