//! What can be wrong with an input: one line, naming file, field and value.

use std::path::{Path, PathBuf};

/// Values longer than this are cut in messages.
const SHOWN: usize = 80;

/// Why an input could not be used. Each message is one line.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The file or directory could not be read.
    #[error("{}: {reason}", .path.display())]
    Read {
        /// What was to be read.
        path: PathBuf,
        /// What the operating system said.
        reason: std::io::Error,
    },
    /// The path holds no block.
    #[error("{}: {reason}", .path.display())]
    NoBlock {
        /// Where blocks were looked for.
        path: PathBuf,
        /// What is missing.
        reason: &'static str,
    },
    /// The text is not JSON, ends early, or has the same key twice in one object.
    #[error("{file}: {reason}")]
    Json {
        /// The file, or whatever name the caller gave the text.
        file: String,
        /// What the parser said, with line and column.
        reason: String,
    },
    /// A required field is absent.
    #[error("{file}: {field} is missing{hint}")]
    Missing {
        /// The file.
        file: String,
        /// The field's path, as in `transactions[3].value`.
        field: String,
        /// Why it is needed; may be empty.
        hint: String,
    },
    /// A field holds something that it may not.
    #[error("{file}: {field} is {value}: {reason}")]
    Field {
        /// The file.
        file: String,
        /// The field's path, as in `transactions[3].value`.
        field: String,
        /// The offending value, cut if long.
        value: String,
        /// What was expected.
        reason: String,
    },
}

impl InputError {
    pub(super) fn read(path: &Path, reason: std::io::Error) -> Self {
        Self::Read { path: path.to_path_buf(), reason }
    }
}

/// A value as messages show it: on one line, and not longer than a line.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    let total = text.chars().count();
    if total > SHOWN {
        shown.push_str(&format!("... ({total} characters)"));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut_and_stay_on_one_line() {
        assert_eq!(shown("a\nb"), "a\\nb");
        let long = shown(&"é".repeat(100));
        assert!(long.ends_with("... (100 characters)"), "{long}");
    }
}
