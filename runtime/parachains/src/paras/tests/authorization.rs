//! Code that root authorized by its hash.

use super::*;
use frame_support::pallet_prelude::{InvalidTransaction, Pays};
#[allow(deprecated)]
use sp_runtime::traits::ValidateUnsigned;
use sp_runtime::{
	transaction_validity::{TransactionSource, TransactionValidity, ValidTransaction},
	DispatchError,
};

/// Authorizes the new code for A in this block and the next ones.
fn authorize(valid_period: BlockNumber) {
	let hash = new_code().hash();
	assert_ok!(Paras::authorize_force_set_current_code_hash(RuntimeOrigin::root(), A, hash, valid_period));
	let expire_at = now::<Test>() + valid_period;
	assert!(happened(Event::CodeAuthorized { para_id: A, code_hash: hash, expire_at }));
}

fn apply(code: ValidationCode) -> DispatchResultWithPostInfo {
	Paras::apply_authorized_force_set_current_code(RuntimeOrigin::none(), A, code)
}

/// What the transaction pool says of the code.
#[allow(deprecated)]
fn in_pool(new_code: ValidationCode) -> TransactionValidity {
	let call = Call::<Test>::apply_authorized_force_set_current_code { para: A, new_code };
	Paras::validate_unsigned(TransactionSource::External, &call)
}

#[test]
fn root_authorizes_code_of_valid_paras_only() {
	let authorize =
		|origin, para| Paras::authorize_force_set_current_code_hash(origin, para, new_code().hash(), 5);
	with_chain(config(), 4, 1, |_| {
		assert_noop!(authorize(RuntimeOrigin::signed(1), A), DispatchError::BadOrigin);
		assert_noop!(authorize(RuntimeOrigin::root(), NEW), Error::<Test>::NotRegistered);
		register(NEW, code());
		assert_noop!(authorize(RuntimeOrigin::root(), NEW), Error::<Test>::NotRegistered);
		assert_ok!(authorize(RuntimeOrigin::root(), A));
	});
}

#[test]
fn authorized_code_is_applied_once_by_anybody_without_a_fee() {
	with_chain(config(), 4, 1, |_| {
		let unauthorized = Err(InvalidTransaction::Custom(4).into());
		assert_noop!(apply(new_code()), Error::<Test>::NothingAuthorized);
		assert_eq!(in_pool(new_code()), unauthorized);
		authorize(5);
		assert_noop!(apply(code()), Error::<Test>::Unauthorized);
		assert_eq!(in_pool(code()), unauthorized);
		assert_eq!(
			in_pool(new_code()),
			Ok(ValidTransaction {
				priority: 100,
				requires: Vec::new(),
				provides: alloc::vec![("ApplyAuthorizedForceSetCurrentCode", (A, new_code().hash())).encode()],
				longevity: 5,
				propagate: true,
			})
		);
		assert_eq!(apply(new_code()).expect("it is authorized").pays_fee, Pays::No);
		assert!(happened(Event::CurrentCodeUpdated(A)));
		assert_eq!(CurrentCodeHash::<Test>::get(A), Some(new_code().hash()));
		assert_eq!(refs(&new_code()), 1);
		assert!(AuthorizationExpiries::<Test>::get().is_empty());
		assert_noop!(apply(new_code()), Error::<Test>::NothingAuthorized);
	});
}

#[test]
fn authorization_is_removed_when_it_expires() {
	with_chain(config(), 4, 1, |chain| {
		authorize(0);
		assert_noop!(apply(new_code()), Error::<Test>::InvalidBlockNumber);
		// A new one replaces it.
		authorize(3);
		assert_eq!(AuthorizationExpiries::<Test>::get(), [(A, 4)]);
		advance_to(chain, 3);
		assert!(AuthorizedCodeHash::<Test>::contains_key(A));
		advance_to(chain, 4);
		assert!(!AuthorizedCodeHash::<Test>::contains_key(A));
		assert!(AuthorizationExpiries::<Test>::get().is_empty());
		assert_noop!(apply(new_code()), Error::<Test>::NothingAuthorized);
	});
}

#[test]
fn authorization_goes_with_the_para() {
	with_chain(config(), 4, 1, |chain| {
		authorize(50);
		assert_ok!(Paras::schedule_para_cleanup(A));
		chain.session_block();
		chain.session_block();
		assert!(!AuthorizedCodeHash::<Test>::contains_key(A));
		assert!(AuthorizationExpiries::<Test>::get().is_empty());
	});
}
