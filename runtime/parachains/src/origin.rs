//! The origin of calls that a para makes, by messages to the relay chain (runtime §1.1).

pub use pallet::*;

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::pallet_prelude::*;
use headway_primitives::ParaId;
use scale_info::TypeInfo;
use sp_runtime::traits::BadOrigin;

#[frame_support::pallet]
pub mod pallet {
	use super::*;

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config {}

	/// Who calls.
	#[pallet::origin]
	#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen)]
	pub enum Origin {
		/// A para.
		#[codec(index = 0)]
		Parachain(ParaId),
	}
}

impl From<ParaId> for Origin {
	fn from(para: ParaId) -> Self {
		Self::Parachain(para)
	}
}

/// The para that calls, if a para does.
///
/// # Errors
///
/// [`BadOrigin`] for every other origin.
pub fn ensure_parachain<O: Into<Result<Origin, O>>>(origin: O) -> Result<ParaId, BadOrigin> {
	match origin.into() {
		Ok(Origin::Parachain(para)) => Ok(para),
		Err(_) => Err(BadOrigin),
	}
}
