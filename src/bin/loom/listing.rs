//! Which models there are, by four lists that must agree: what the models' executable registers,
//! `loom-tests/models.txt`, the files of `loom-tests/`, and the weakened places in `src/`.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// A model as its executable declares it.
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) threads: usize,
    pub(crate) bound: usize,
    pub(crate) weakenings: Vec<String>,
}

/// Asks the executable for its models.
pub(crate) fn registered(binary: &Path) -> Result<Vec<Listed>, String> {
    let output = Command::new(binary)
        .arg("--list")
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start {}: {error}", binary.display()))?;
    if !output.status.success() {
        return Err(format!("the models cannot be listed ({})", output.status));
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| entry(line).ok_or_else(|| format!("not a model: `{line}`")))
        .collect()
}

fn entry(line: &str) -> Option<Listed> {
    let mut fields = line.split('\t');
    Some(Listed {
        name: fields.next()?.into(),
        threads: fields.next()?.parse().ok()?,
        bound: fields.next()?.parse().ok()?,
        weakenings: fields.next()?.split(',').filter(|w| !w.is_empty()).map(Into::into).collect(),
    })
}

/// A line for each disagreement between the registered models, the list and the files.
pub(crate) fn disagreements(root: &Path, models: &[Listed]) -> Result<Vec<String>, String> {
    let registered: BTreeSet<String> = models.iter().map(|model| model.name.clone()).collect();
    let list = root.join("loom-tests/models.txt");
    let listed: BTreeSet<String> = read(&list)?
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(Into::into)
        .collect();

    let mut lines = Vec::new();
    if registered.len() < models.len() {
        lines.push("two models have the same name".to_owned());
    }
    for name in listed.difference(&registered) {
        lines.push(format!("{name} is in loom-tests/models.txt, but no such model is registered"));
    }
    for name in registered.difference(&listed) {
        lines.push(format!("{name} is registered, but not in loom-tests/models.txt"));
    }
    for path in sources(&root.join("loom-tests"))? {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let prefix = format!("{stem}::");
        if stem != "main" && !registered.iter().any(|name| name.starts_with(&prefix)) {
            lines.push(format!("{} has no registered model", path.display()));
        }
    }
    Ok(lines)
}

/// A line for each place that the code can weaken and no model covers, or the other way round.
pub(crate) fn weakening_disagreements(
    root: &Path,
    models: &[Listed],
) -> Result<Vec<String>, String> {
    let declared: BTreeSet<String> =
        models.iter().flat_map(|model| model.weakenings.iter().cloned()).collect();
    let mut places = BTreeSet::new();
    for path in sources(&root.join("src"))? {
        let text = read(&path)?;
        let calls = text.match_indices("weakened(\"").map(|(at, call)| &text[at + call.len()..]);
        places.extend(calls.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
    }

    let mut lines = Vec::new();
    for place in places.difference(&declared) {
        lines.push(format!("src weakens `{place}`, but no model covers it"));
    }
    for place in declared.difference(&places) {
        lines.push(format!("a model covers `{place}`, but nothing in src weakens it"));
    }
    for model in models.iter().filter(|model| model.weakenings.is_empty()) {
        lines.push(format!("{} covers no weakening", model.name));
    }
    Ok(lines)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// All Rust sources below a directory.
fn sources(directory: &Path) -> Result<Vec<std::path::PathBuf>, String> {
    let unreadable = |error| format!("{}: {error}", directory.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            found.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(found)
}
