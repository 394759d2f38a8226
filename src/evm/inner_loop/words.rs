//! What opcodes do with words.

use alloy_primitives::U256;
use revm::bytecode::opcode as op;

/// As a position in code or memory; what is beyond all of it is `usize::MAX`.
#[inline(always)]
pub(super) fn saturated(word: &U256) -> usize {
    let [low, rest @ ..] = word.as_limbs();
    if rest == &[0; 3] { usize::try_from(*low).unwrap_or(usize::MAX) } else { usize::MAX }
}

/// The sum, modulo 2^256.
#[inline(always)]
pub(super) fn add(one: U256, other: U256) -> U256 {
    let (one, other) = (one.as_limbs(), other.as_limbs());
    let (a, carry) = one[0].overflowing_add(other[0]);
    let (b, carry) = one[1].carrying_add(other[1], carry);
    let (c, carry) = one[2].carrying_add(other[2], carry);
    let (d, _) = one[3].carrying_add(other[3], carry);
    U256::from_limbs([a, b, c, d])
}

/// The difference, modulo 2^256.
#[inline(always)]
pub(super) fn sub(from: U256, word: U256) -> U256 {
    let (from, word) = (from.as_limbs(), word.as_limbs());
    let (a, borrow) = from[0].overflowing_sub(word[0]);
    let (b, borrow) = from[1].borrowing_sub(word[1], borrow);
    let (c, borrow) = from[2].borrowing_sub(word[2], borrow);
    let (d, _) = from[3].borrowing_sub(word[3], borrow);
    U256::from_limbs([a, b, c, d])
}

/// 1 if one word is less than another, both in two's complement, else 0.
#[inline(always)]
pub(super) fn signed_less(one: U256, other: U256) -> U256 {
    /// With the sign turned, signed words are in the order of unsigned ones.
    const SIGN: U256 = U256::from_limbs([0, 0, 0, 1 << 63]);
    U256::from(one ^ SIGN < other ^ SIGN)
}

/// A word shifted to the left.
#[inline(always)]
pub(super) fn shl(by: U256, word: U256) -> U256 {
    if by < U256::from(256) { word << saturated(&by) } else { U256::ZERO }
}

/// A word shifted to the right.
#[inline(always)]
pub(super) fn shr(by: U256, word: U256) -> U256 {
    if by < U256::from(256) { word >> saturated(&by) } else { U256::ZERO }
}

/// As many low bits set as an address has.
pub(super) const ADDRESS_MASK: U256 = U256::from_limbs([u64::MAX, u64::MAX, u32::MAX as u64, 0]);

/// Whether the code makes [`ADDRESS_MASK`] there: `PUSH1 1 PUSH1 1 PUSH1 160 SHL SUB`.
#[inline(always)]
pub(super) fn is_address_mask(code: &[u8], at: usize) -> bool {
    let made = [op::PUSH1, 1, op::PUSH1, 1, op::PUSH1, 160, op::SHL, op::SUB];
    code.get(at..).and_then(<[u8]>::first_chunk) == Some(&made)
}

/// The word that so many bytes of code from `at` on are, 32 at most. None if they, or 32 that end with them, are
/// not all there.
#[inline(always)]
pub(super) fn pushed(code: &[u8], at: usize, bytes: u8) -> Option<U256> {
    let end = at + usize::from(bytes);
    let word: &[u8; 32] = code.get(end.checked_sub(32)?..end)?.try_into().ok()?;
    Some(U256::from_be_bytes(*word) & *MASKS.get(usize::from(bytes))?)
}

/// Words of so many bytes that are all ones.
static MASKS: [U256; 33] = masks();

const fn masks() -> [U256; 33] {
    let mut masks = [U256::ZERO; 33];
    let mut length = 1;
    while length < masks.len() {
        let mut limbs = [0; 4];
        let mut at = 0;
        while at < length {
            limbs[at / 8] |= 0xff << (at % 8 * 8);
            at += 1;
        }
        masks[length] = U256::from_limbs(limbs);
        length += 1;
    }
    masks
}
