//! JSON as a tree that keeps what the checks need: key order, and no key twice.
//!
//! `serde_json::Value` would silently let a second `balance` win over the first.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::InputError;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A non-negative integer that fits.
    Number(u64),
    /// Any other number, in words for messages.
    OtherNumber(String),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Tree>),
    /// An object, in the order of the file; keys are unique.
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// Parses a whole text, called `file` in messages.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, InputError> {
        serde_json::from_str(text)
            .map_err(|error| InputError::Json { file: file.into(), reason: error.to_string() })
    }

    /// The value under a key of an object.
    pub(super) fn get(&self, key: &str) -> Option<&Tree> {
        match self {
            Self::Object(entries) => {
                entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The value in a message.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Bool(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::OtherNumber(value) => value.clone(),
            Self::Text(text) => format!("\"{}\"", super::error::shown(text)),
            Self::List(items) => format!("an array of {}", items.len()),
            Self::Object(entries) => format!("an object of {}", entries.len()),
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::OtherNumber(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::OtherNumber(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Tree, E> {
        Ok(Tree::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut entries: Vec<(String, Tree)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        while let Some(key) = access.next_key::<String>()? {
            if !seen.insert(key.clone()) {
                let key = super::error::shown(&key);
                return Err(A::Error::custom(format_args!("duplicate key \"{key}\"")));
            }
            entries.push((key, access.next_value()?));
        }
        Ok(Tree::Object(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_given_twice_is_an_error_with_its_place() {
        let error =
            Tree::parse("a.json", "{\"x\": {\"k\": 1,\n \"k\": 2}}").unwrap_err().to_string();
        assert!(error.starts_with("a.json: duplicate key \"k\" at line 2"), "{error}");
    }

    #[test]
    fn damaged_text_is_an_error_whatever_the_damage() {
        for text in ["", "{", "[1,", "{\"a\":}", "\u{0}", "nul", "1 2", "\"\\ud800\""] {
            assert!(Tree::parse("t", text).is_err(), "{text:?}");
        }
        assert!(Tree::parse("t", &"[".repeat(100_000)).is_err());
    }

    #[test]
    fn only_whole_numbers_count_as_numbers() {
        let tree = Tree::parse("t", "[1, -1, 1.5, 99999999999999999999]").unwrap();
        let Tree::List(items) = tree else { panic!("not a list") };
        assert_eq!(items[0], Tree::Number(1));
        assert!(items[1..].iter().all(|item| matches!(item, Tree::OtherNumber(_))));
    }
}
