//! Which other entries of a mapping will be asked for.
//!
//! Who has the entry of one account looked up in a mapping mostly wants that of another, too: a transfer
//! debits its sender and credits whom its calldata names. And transactions that come soon and call the same
//! function will want their own senders' and recipients' entries of the same mapping. Entries of things
//! that are numbered are often looked up in a row.
//!
//! Nobody waits for a guess and a wrong one is never asked for.

use alloy_primitives::{Address, B256};
use revm::context::TxEnv;

use super::lanes::{LANES, LENGTH};

/// So many transactions are looked at that come next.
const AHEAD: usize = 8;
/// So many words of a call's data are looked at: recipients stand among the first.
const WORDS: usize = 3;
/// Bytes that name the function.
const SELECTOR: usize = 4;
/// So many numbers behind one that was asked for are guessed.
const ROW: u64 = 2;

/// Who calls, with what.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) caller: Address,
    pub(super) data: &'a [u8],
}

impl<'a> Call<'a> {
    fn of(tx: &'a TxEnv) -> Self {
        Self { caller: tx.caller, data: &tx.data }
    }

    fn function(&self) -> Option<&'a [u8; SELECTOR]> {
        self.data.first_chunk()
    }

    /// Caller and words of the data that may be addresses.
    fn accounts(self) -> impl Iterator<Item = B256> + 'a {
        let data = self.data.get(SELECTOR..).unwrap_or_default();
        let words = data.as_chunks::<32>().0.iter().take(WORDS);
        let words = words.map(B256::from).filter(may_be_address);
        std::iter::once(self.caller.into_word()).chain(words)
    }
}

/// A number below 2^160 that is too large to count something.
fn may_be_address(word: &B256) -> bool {
    word[..12] == [0; 12] && word[12..20] != [0; 8]
}

/// A number that counts something.
fn number(word: &[u8]) -> Option<u64> {
    let (high, low) = word.split_last_chunk()?;
    let number = u64::from_be_bytes(*low);
    (number > 0 && high.iter().all(|byte| *byte == 0)).then_some(number)
}

/// Why something is guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The frame that asks knows it.
    Frame,
    /// A transaction knows it that comes soon.
    Ahead,
}

/// What is hashed together.
pub(super) struct Inputs {
    all: [[u8; LENGTH]; LANES],
    count: usize,
    /// How many of them come before those of the transactions ahead.
    own: usize,
}

impl Inputs {
    /// One that is asked for.
    pub(super) fn new(asked: [u8; LENGTH]) -> Self {
        let mut all = [[0; LENGTH]; LANES];
        all[0] = asked;
        Self { all, count: 1, own: 1 }
    }

    /// Whether others may be asked for beside it. The place of a mapping within a mapping is a hash, and who has
    /// an entry there is not looked up again for somebody else. Nor is a hash hashed again the key of a mapping.
    pub(super) fn has_others(&self) -> bool {
        let (key, place) = self.all[0].split_at(32);
        let key = B256::from_slice(key);
        let key_is_known = may_be_address(&key) || number(&*key).is_some();
        key_is_known && (*place == [0; 32] || number(place).is_some())
    }

    /// Adds what the frame that asks will ask for soon. `is_known` says which hashes are there. Says whether there
    /// is anything.
    pub(super) fn guess(
        &mut self,
        frame: Call<'_>,
        is_known: impl Fn(&[u8; LENGTH]) -> bool,
    ) -> bool {
        frame.accounts().for_each(|word| self.add(word, &is_known));
        if let Some(number) = number(&self.all[0][..32]) {
            for next in (1..=ROW).map_while(|after| number.checked_add(after)) {
                self.add(B256::left_padding_from(&next.to_be_bytes()), &is_known);
            }
        }
        self.own = self.count;
        self.count > 1
    }

    /// Adds what transactions will ask for, the first of which is the one that asks, as far as there is room.
    /// Says whether it has looked at them: if what is asked for is not of the first one, it says nothing of others.
    pub(super) fn guess_ahead<'a>(
        &mut self,
        mut transactions: impl Iterator<Item = &'a TxEnv>,
        is_known: impl Fn(&[u8; LENGTH]) -> bool,
    ) -> bool {
        let key = B256::from_slice(&self.all[0][..32]);
        let own = transactions.next().map(Call::of);
        let Some(own) = own.filter(|own| own.accounts().any(|word| word == key)) else {
            return false;
        };
        for next in transactions.take(AHEAD).map(Call::of) {
            if self.count == LANES {
                break;
            }
            if next.function() == own.function() {
                next.accounts().for_each(|word| self.add(word, &is_known));
            }
        }
        true
    }

    fn add(&mut self, key: B256, is_known: impl Fn(&[u8; LENGTH]) -> bool) {
        if self.count == LANES {
            return;
        }
        let mut input = self.all[0];
        input[..32].copy_from_slice(&*key);
        if !self.all[..self.count].contains(&input) && !is_known(&input) {
            self.all[self.count] = input;
            self.count += 1;
        }
    }

    /// All lanes; those without an input are zero.
    pub(super) fn lanes(&self) -> &[[u8; LENGTH]; LANES] {
        &self.all
    }

    /// What was guessed, and why.
    pub(super) fn guesses(&self) -> impl ExactSizeIterator<Item = (&[u8; LENGTH], Reason)> {
        let reason = |at| if at < self.own { Reason::Frame } else { Reason::Ahead };
        (1..self.count).map(move |at| (&self.all[at], reason(at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(of: u8) -> Address {
        Address::repeat_byte(of)
    }

    fn entry(key: B256, place: u8) -> [u8; LENGTH] {
        let mut input = [0; LENGTH];
        input[..32].copy_from_slice(&*key);
        input[63] = place;
        input
    }

    /// A call of a function with words.
    fn data(function: u8, words: &[B256]) -> Vec<u8> {
        let mut data = vec![function; SELECTOR];
        words.iter().for_each(|word| data.extend(word));
        data
    }

    fn transfer(function: u8, from: u8, to: u8) -> TxEnv {
        let amount = B256::left_padding_from(&[9, 9]);
        let data = data(function, &[account(to).into_word(), amount]).into();
        TxEnv { caller: account(from), data, ..TxEnv::default() }
    }

    fn guessed(inputs: &Inputs) -> Vec<(B256, Reason)> {
        let word = |input: &[u8; LENGTH]| B256::from_slice(&input[..32]);
        inputs.guesses().map(|(input, reason)| (word(input), reason)).collect()
    }

    #[test]
    fn of_a_transfer_the_other_side_is_guessed_and_what_comes_of_its_kind() {
        let block = [
            transfer(1, 0x10, 0x11),
            transfer(1, 0x20, 0x21),
            transfer(2, 0x30, 0x31),
            transfer(1, 0x40, 0x10),
        ];
        let mut inputs = Inputs::new(entry(account(0x10).into_word(), 3));
        assert!(inputs.has_others());
        assert!(inputs.guess(Call::of(&block[0]), |_| false));
        let is_known = |input: &_| *input == entry(account(0x21).into_word(), 3);
        assert!(inputs.guess_ahead(block.iter(), is_known));
        let word = |of| account(of).into_word();
        let expected =
            [(word(0x11), Reason::Frame), (word(0x20), Reason::Ahead), (word(0x40), Reason::Ahead)];
        assert_eq!(guessed(&inputs), expected, "neither what is known nor what is there already");
        assert!(inputs.lanes()[1..4].iter().all(|input| input[32..] == inputs.lanes()[0][32..]));
    }

    #[test]
    fn what_is_not_of_the_transaction_says_nothing_of_the_next() {
        let block = [transfer(1, 0x10, 0x11), transfer(1, 0x20, 0x21)];
        let mut inputs = Inputs::new(entry(account(0x77).into_word(), 3));
        assert!(!inputs.guess_ahead(block.iter(), |_| false));
        assert_eq!(guessed(&inputs), []);
    }

    #[test]
    fn there_are_no_more_than_lanes() {
        let block: Vec<_> = (0..40).map(|at| transfer(1, 2 * at + 1, 2 * at + 2)).collect();
        let mut inputs = Inputs::new(entry(account(1).into_word(), 0));
        inputs.guess(Call::of(&block[0]), |_| false);
        inputs.guess_ahead(block.iter(), |_| false);
        assert_eq!(guessed(&inputs).len(), LANES - 1);
    }

    #[test]
    fn numbers_are_guessed_in_a_row_and_accounts_are_none() {
        let nobody = Call { caller: account(5), data: &data(1, &[B256::ZERO]) };
        let mut inputs = Inputs::new(entry(B256::left_padding_from(&[7]), 2));
        inputs.guess(nobody, |_| false);
        let number = |number| (B256::left_padding_from(&[number]), Reason::Frame);
        let expected = [(account(5).into_word(), Reason::Frame), number(8), number(9)];
        assert_eq!(guessed(&inputs), expected);
        let last = B256::left_padding_from(&u64::MAX.to_be_bytes());
        let mut inputs = Inputs::new(entry(last, 2));
        inputs.guess(nobody, |_| false);
        assert_eq!(guessed(&inputs), expected[..1]);
    }

    #[test]
    fn a_mapping_within_a_mapping_has_no_others_and_a_hash_is_no_key() {
        let mut input = entry(account(5).into_word(), 2);
        input[32] = 1;
        assert!(!Inputs::new(input).has_others());
        assert!(!Inputs::new(entry(B256::repeat_byte(5), 2)).has_others());
        assert!(Inputs::new(entry(B256::left_padding_from(&[5]), 2)).has_others());
    }

    #[test]
    fn damaged_calldata_is_no_call() {
        for length in 0..40 {
            let call = Call { caller: account(5), data: &vec![0xff; length] };
            assert_eq!(call.accounts().count(), 1, "{length}");
        }
    }
}
