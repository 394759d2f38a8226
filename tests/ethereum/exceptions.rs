//! Which errors stand for the exceptions that the suites expect.

use chorus::evm::Invalid;
use revm::context::result::InvalidTransaction as T;

/// Whether this reason is the one that the suite names. A suite may name several, separated by
/// `|`, where clients check in different orders.
pub(crate) fn matches(expected: &str, reason: &Invalid) -> bool {
    expected.split('|').any(|name| {
        let name = name.strip_prefix("TransactionException.").unwrap_or(name);
        matches_one(name, reason)
    })
}

fn matches_one(name: &str, reason: &Invalid) -> bool {
    let reason = match reason {
        Invalid::BlockGas { .. } => return name == "GAS_ALLOWANCE_EXCEEDED",
        Invalid::BlobGas { .. } => {
            return matches!(
                name,
                "TYPE_3_TX_BLOB_COUNT_EXCEEDED" | "TYPE_3_TX_MAX_BLOB_GAS_ALLOWANCE_EXCEEDED"
            );
        }
        Invalid::Transaction(reason) => reason,
    };
    match name {
        "INTRINSIC_GAS_TOO_LOW" => matches!(
            reason,
            T::CallGasCostMoreThanGasLimit { .. } | T::GasFloorMoreThanGasLimit { .. }
        ),
        "INSUFFICIENT_MAX_FEE_PER_GAS" => matches!(reason, T::GasPriceLessThanBasefee),
        "INSUFFICIENT_ACCOUNT_FUNDS" => matches!(reason, T::LackOfFundForMaxFee { .. }),
        "GASLIMIT_PRICE_PRODUCT_OVERFLOW" => matches!(reason, T::OverflowPaymentInTransaction),
        "PRIORITY_GREATER_THAN_MAX_FEE_PER_GAS" => {
            matches!(reason, T::PriorityFeeGreaterThanMaxFee)
        }
        "INITCODE_SIZE_EXCEEDED" => matches!(reason, T::CreateInitCodeSizeLimit),
        "SENDER_NOT_EOA" => matches!(reason, T::RejectCallerWithCode),
        "NONCE_IS_MAX" => matches!(reason, T::NonceOverflowInTransaction),
        "TYPE_3_TX_INVALID_BLOB_VERSIONED_HASH" => matches!(reason, T::BlobVersionNotSupported),
        "INSUFFICIENT_MAX_FEE_PER_BLOB_GAS" => {
            matches!(reason, T::BlobGasPriceGreaterThanMax { .. })
        }
        "TYPE_3_TX_PRE_FORK" => {
            matches!(reason, T::Eip4844NotSupported | T::BlobVersionedHashesNotSupported)
        }
        "TYPE_3_TX_ZERO_BLOBS" => matches!(reason, T::EmptyBlobs),
        "TYPE_3_TX_BLOB_COUNT_EXCEEDED" => matches!(reason, T::TooManyBlobs { .. }),
        "TYPE_3_TX_CONTRACT_CREATION" => matches!(reason, T::BlobCreateTransaction),
        "TYPE_4_TX_PRE_FORK" => {
            matches!(reason, T::Eip7702NotSupported | T::AuthorizationListNotSupported)
        }
        "TYPE_4_EMPTY_AUTHORIZATION_LIST" => matches!(reason, T::EmptyAuthorizationList),
        "TYPE_4_TX_CONTRACT_CREATION" => matches!(reason, T::AuthorizationListInvalidFields),
        _ => false,
    }
}
