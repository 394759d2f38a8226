//! Values as JSON text: what little of it an export needs, and no crate that the core would need for it.

use std::fmt::{self, Display, Write};

/// A text in quotes. What could end a script element in a page is escaped as well.
pub(super) struct Text<'a>(pub(super) &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                    write!(f, "\\u{:04x}", character as u32)?;
                }
                other => f.write_char(other)?,
            }
        }
        f.write_char('"')
    }
}

/// Nanoseconds as microseconds, to the last digit.
pub(super) struct Micros(pub(super) u64);

impl Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// An object that grows member by member.
pub(super) struct Object(String);

impl Object {
    pub(super) fn new() -> Self {
        Self("{".to_owned())
    }

    /// Adds a member; `value` prints as JSON.
    pub(super) fn with(mut self, name: &str, value: impl Display) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        let _ = write!(self.0, "{}:{value}", Text(name));
        self
    }

    /// Adds a text.
    pub(super) fn text(self, name: &str, value: &str) -> Self {
        self.with(name, Text(value))
    }

    pub(super) fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// An array of values that print as JSON, one per line.
pub(super) fn array(values: &[String]) -> String {
    format!("[\n{}\n]", values.join(",\n"))
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_ends_it_or_the_page_around_it() {
        let text = Text("a\"b\\c</script>\n\u{2028}é").to_string();
        assert_eq!(text, "\"a\\\"b\\\\c\\u003c/script\\u003e\\u000a\\u2028é\"");
    }

    #[test]
    fn microseconds_are_exact() {
        assert_eq!(Micros(1_002_003).to_string(), "1002.003");
        let object = Object::new().text("a", "b").with("c", Micros(7));
        assert_eq!(object.end(), "{\"a\":\"b\",\"c\":0.007}");
    }
}
