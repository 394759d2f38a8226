//! `--list`: what there is.

use std::io::{self, Write};

use chorus::evm::workload::Scenario;

/// Writes every scenario with its parameters.
pub(super) fn print(out: &mut dyn Write) -> io::Result<()> {
    let width = Scenario::ALL.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
    for scenario in Scenario::ALL {
        let Scenario { name, description, size, .. } = scenario;
        writeln!(out, "{name:width$}  {description} ({size} transactions)")?;
        for parameter in scenario.parameters {
            writeln!(
                out,
                "{:width$}    {}={}  {}; {}",
                "",
                parameter.name,
                parameter.usual,
                parameter.meaning,
                parameter.expected(),
            )?;
        }
    }
    writeln!(out, "\nReal blocks: --block DIR...")
}
