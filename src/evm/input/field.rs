//! A place in a JSON tree that knows its path, so that every error can name it.

use alloy_primitives::{Address, B256, Bloom, Bytes, FixedBytes, U256};

use super::{InputError, json::Tree};

/// A value of the tree and how it was reached. Cheap to make: the path is written out only for
/// an error.
#[derive(Clone, Copy)]
pub(crate) struct Field<'a> {
    tree: &'a Tree,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root { file: &'a str },
    Key { parent: &'a Field<'a>, key: &'a str },
    Index { parent: &'a Field<'a>, index: usize },
}

impl<'a> Field<'a> {
    /// The whole of a file.
    pub(crate) fn root(file: &'a str, tree: &'a Tree) -> Self {
        Self { tree, step: Step::Root { file } }
    }

    /// The field under `key`; `None` if it is absent or null.
    pub(crate) fn opt(&'a self, key: &'a str) -> Option<Field<'a>> {
        match self.tree.get(key) {
            None | Some(Tree::Null) => None,
            Some(tree) => Some(Field { tree, step: Step::Key { parent: self, key } }),
        }
    }

    /// The field under `key`.
    pub(crate) fn get(&'a self, key: &'a str) -> Result<Field<'a>, InputError> {
        if !matches!(self.tree, Tree::Object(_)) {
            return Err(self.wrong("expected an object"));
        }
        self.opt(key).ok_or_else(|| self.missing(key, ""))
    }

    /// The elements of an array.
    pub(crate) fn items(&'a self) -> Result<impl Iterator<Item = Field<'a>>, InputError> {
        let Tree::List(items) = self.tree else { return Err(self.wrong("expected an array")) };
        let place = move |(index, tree)| Field { tree, step: Step::Index { parent: self, index } };
        Ok(items.iter().enumerate().map(place))
    }

    /// The keys and values of an object, nulls included.
    pub(crate) fn entries(
        &'a self,
    ) -> Result<impl Iterator<Item = (&'a str, Field<'a>)>, InputError> {
        let Tree::Object(entries) = self.tree else { return Err(self.wrong("expected an object")) };
        Ok(entries.iter().map(move |(key, tree)| {
            (key.as_str(), Field { tree, step: Step::Key { parent: self, key } })
        }))
    }

    /// An error about this field's value.
    pub(crate) fn wrong(&self, reason: impl Into<String>) -> InputError {
        let path = self.path();
        InputError::Field {
            file: self.file().to_owned(),
            field: if path.is_empty() { "the top level".to_owned() } else { path },
            value: self.tree.shown(),
            reason: reason.into(),
        }
    }

    /// An error about an absent field under this one.
    pub(crate) fn missing(&self, key: &str, hint: &str) -> InputError {
        let path = Field { tree: &Tree::Null, step: Step::Key { parent: self, key } }.path();
        InputError::Missing { file: self.file().to_owned(), field: path, hint: hint.to_owned() }
    }

    /// Whether the value is an object.
    pub(crate) fn is_object(&self) -> bool {
        matches!(self.tree, Tree::Object(_))
    }

    /// Whether the value is a natural number beyond 64 bits, of which the parser keeps the size
    /// but not every digit.
    pub(crate) fn is_large_number(&self) -> bool {
        match self.tree {
            Tree::OtherNumber(digits) => digits.bytes().all(|b| b.is_ascii_digit()),
            _ => false,
        }
    }

    /// `true` or `false`.
    pub(crate) fn bool(&self) -> Result<bool, InputError> {
        match self.tree {
            Tree::Bool(value) => Ok(*value),
            _ => Err(self.wrong("expected true or false")),
        }
    }

    /// A quantity: `0x` and 1 to 64 hex digits, or a JSON number.
    pub(crate) fn u256(&self) -> Result<U256, InputError> {
        match self.tree {
            Tree::Number(value) => Ok(U256::from(*value)),
            Tree::Text(text) => quantity(text).map_err(|reason| self.wrong(reason)),
            _ => Err(self.wrong("expected a hex quantity")),
        }
    }

    /// A quantity as genesis files write it: like [`u256`](Self::u256), or a decimal string.
    pub(crate) fn u256_or_decimal(&self) -> Result<U256, InputError> {
        match self.tree {
            Tree::Text(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
                U256::from_str_radix(text, 10).map_err(|_| self.wrong("more than 256 bits"))
            }
            _ => self.u256(),
        }
    }

    /// A quantity of at most 64 bits.
    pub(crate) fn u64(&self) -> Result<u64, InputError> {
        self.u256()?.try_into().map_err(|_| self.wrong("more than 64 bits"))
    }

    /// Like [`u64`](Self::u64), or a decimal string.
    pub(crate) fn u64_or_decimal(&self) -> Result<u64, InputError> {
        self.u256_or_decimal()?.try_into().map_err(|_| self.wrong("more than 64 bits"))
    }

    /// A quantity of at most 128 bits.
    pub(crate) fn u128(&self) -> Result<u128, InputError> {
        self.u256()?.try_into().map_err(|_| self.wrong("more than 128 bits"))
    }

    /// 20 bytes.
    pub(crate) fn address(&self) -> Result<Address, InputError> {
        self.fixed::<20>().map(Address)
    }

    /// 32 bytes.
    pub(crate) fn b256(&self) -> Result<B256, InputError> {
        self.fixed::<32>()
    }

    /// 256 bytes.
    pub(crate) fn bloom(&self) -> Result<Bloom, InputError> {
        self.fixed::<256>().map(Bloom)
    }

    /// Any number of bytes.
    pub(crate) fn bytes(&self) -> Result<Bytes, InputError> {
        let Tree::Text(text) = self.tree else { return Err(self.wrong("expected hex bytes")) };
        let digits =
            text.strip_prefix("0x").ok_or_else(|| self.wrong("expected 0x and hex digits"))?;
        let bytes = alloy_primitives::hex::decode(digits);
        bytes
            .map(Bytes::from)
            .map_err(|_| self.wrong("expected 0x and an even number of hex digits"))
    }

    fn fixed<const N: usize>(&self) -> Result<FixedBytes<N>, InputError> {
        let Tree::Text(text) = self.tree else {
            return Err(self.wrong(format!("expected {N} hex bytes")));
        };
        fixed(text).ok_or_else(|| self.wrong(format!("expected 0x and {} hex digits", 2 * N)))
    }

    fn file(&self) -> &str {
        match &self.step {
            Step::Root { file } => file,
            Step::Key { parent, .. } | Step::Index { parent, .. } => parent.file(),
        }
    }

    fn path(&self) -> String {
        match &self.step {
            Step::Root { .. } => String::new(),
            Step::Index { parent, index } => format!("{}[{index}]", parent.path()),
            Step::Key { parent, key } => {
                let (path, key) = (parent.path(), super::error::shown(key));
                if path.is_empty() { key } else { format!("{path}.{key}") }
            }
        }
    }
}

/// `0x` and exactly N bytes in hex.
pub(crate) fn fixed<const N: usize>(text: &str) -> Option<FixedBytes<N>> {
    let mut bytes = FixedBytes::<N>::ZERO;
    let digits = text.strip_prefix("0x")?;
    alloy_primitives::hex::decode_to_slice(digits, bytes.as_mut_slice()).ok()?;
    // The decoder would accept a second prefix.
    (digits.len() == 2 * N).then_some(bytes)
}

/// `0x` and 1 to 64 hex digits; leading zeros are fine.
pub(crate) fn quantity(text: &str) -> Result<U256, &'static str> {
    let digits = text.strip_prefix("0x").ok_or("expected a hex quantity (0x...)")?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err("expected a hex quantity (0x...)");
    }
    if digits.len() > 64 {
        return Err("more than 256 bits");
    }
    U256::from_str_radix(digits, 16).map_err(|_| "more than 256 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_file_path_and_value() {
        let tree = Tree::parse("b.json", r#"{"transactions": [{}, {"value": "12"}]}"#).unwrap();
        let root = Field::root("b.json", &tree);
        let list = root.get("transactions").unwrap();
        let items: Vec<_> = list.items().unwrap().collect();
        let error = items[1].get("value").unwrap().u256().unwrap_err().to_string();
        let expected = "b.json: transactions[1].value is \"12\": expected a hex quantity (0x...)";
        assert_eq!(error, expected);
        let error = items[0].get("gas").err().unwrap().to_string();
        assert_eq!(error, "b.json: transactions[0].gas is missing");
    }

    #[test]
    fn quantities_are_strict() {
        for bad in ["", "0x", "1", "0X1", "0xg", "0x-1", "0x+1", "0x 1", "0x_1", "ff"] {
            assert!(quantity(bad).is_err(), "{bad:?}");
        }
        assert!(quantity(&format!("0x1{}", "0".repeat(64))).is_err());
        assert_eq!(quantity("0x0010"), Ok(U256::from(16)));
        assert_eq!(quantity(&format!("0x{}", "f".repeat(64))), Ok(U256::MAX));
    }

    #[test]
    fn fixed_bytes_are_exact() {
        assert_eq!(fixed::<2>("0x01ff"), Some([1, 255].into()));
        for bad in ["0x01f", "0x01ff0", "01ff", "0x0x01", "0x01fg", "0x"] {
            assert_eq!(fixed::<2>(bad), None, "{bad}");
        }
    }
}
