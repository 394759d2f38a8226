//! Building the models with the explorer's cfg, whatever flags the caller's shell has set.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The one flag. As `CARGO_ENCODED_RUSTFLAGS` it takes precedence over `RUSTFLAGS`, over the flags
/// of a target and over those of any configuration file.
const FLAGS: &str = "--cfg\u{1f}chorus_loom";

/// Builds the models and returns their executable.
pub(crate) fn build(root: &Path) -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // A directory of its own, since other flags would rebuild everything at each turn.
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || root.join("target"),
        |set| std::env::current_dir().unwrap_or_else(|_| root.into()).join(set),
    );
    let output = Command::new(cargo)
        .current_dir(root)
        .args(["test", "--no-run", "--quiet", "--no-default-features", "--test", "loom"])
        .args(["--message-format", "json-render-diagnostics"])
        .env("CARGO_TARGET_DIR", target.join("loom"))
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS)
        .env_remove("RUSTFLAGS")
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("building the models failed ({})", output.status));
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| line.contains(r#""kind":["test"]"#) && line.contains(r#""name":"loom""#))
        .find_map(executable)
        .ok_or_else(|| "cargo named no executable for the test target `loom`".into())
}

/// The field `executable` of one of cargo's JSON messages.
///
/// The runner is built without dependencies of its own, so it knows just enough JSON for a path.
fn executable(message: &str) -> Option<PathBuf> {
    let (_, rest) = message.split_once(r#""executable":""#)?;
    let mut path = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return Some(path.into()),
            '\\' => path.push(characters.next()?),
            other => path.push(other),
        }
    }
}
