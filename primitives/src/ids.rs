//! Identifiers: who (validators, collators), what (paras, candidates, code) and where (cores, groups, sessions).

use alloc::vec::Vec;
use codec::{CompactAs, Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_core::H256;
use sp_runtime::{
	generic,
	traits::{BlakeTwo256, Hash as HashT},
	MultiSignature, OpaqueExtrinsic,
};

/// 32-byte Blake2-256 hash.
pub type Hash = H256;
/// Relay chain block number.
pub type BlockNumber = u32;
/// Session index.
pub type SessionIndex = u32;
/// Index of an erasure chunk.
pub type ChunkIndex = u32;
/// Balance of the relay chain's token, in its smallest unit.
pub type Balance = u128;
/// Transaction counter of an account.
pub type Nonce = u32;
/// Transaction signature: any of the schemes that Substrate wallets use.
pub type Signature = MultiSignature;
/// Public key that an account is identified with.
pub type AccountPublic = <Signature as sp_runtime::traits::Verify>::Signer;
/// Account identifier.
pub type AccountId = <AccountPublic as sp_runtime::traits::IdentifyAccount>::AccountId;
/// Relay chain header.
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
/// Relay chain block with opaque extrinsics, as the client sees it.
pub type Block = generic::Block<Header, OpaqueExtrinsic>;
/// Discovery key: under this key a validator publishes its addresses in the DHT.
pub type AuthorityDiscoveryId = sp_authority_discovery::AuthorityId;

/// sr25519 keys that sign statements and bitfields: key type `para`.
pub const PARACHAIN_KEY_TYPE_ID: sp_core::crypto::KeyTypeId = sp_core::crypto::KeyTypeId(*b"para");
/// sr25519 keys of the approval assignment VRF: key type `asgn`.
pub const ASSIGNMENT_KEY_TYPE_ID: sp_core::crypto::KeyTypeId = sp_core::crypto::KeyTypeId(*b"asgn");
/// sr25519 keys of collators: key type `coll`.
pub const COLLATOR_KEY_TYPE_ID: sp_core::crypto::KeyTypeId = sp_core::crypto::KeyTypeId(*b"coll");

mod validator_app {
	use sp_application_crypto::{app_crypto, sr25519};
	app_crypto!(sr25519, super::PARACHAIN_KEY_TYPE_ID);
}
mod assignment_app {
	use sp_application_crypto::{app_crypto, sr25519};
	app_crypto!(sr25519, super::ASSIGNMENT_KEY_TYPE_ID);
}
mod collator_app {
	use sp_application_crypto::{app_crypto, sr25519};
	app_crypto!(sr25519, super::COLLATOR_KEY_TYPE_ID);
}

/// Public key of a parachain validator.
pub type ValidatorId = validator_app::Public;
/// Signature by a parachain validator.
pub type ValidatorSignature = validator_app::Signature;
/// Key pair of a parachain validator. Without `std` it verifies, and cannot sign.
pub type ValidatorPair = validator_app::Pair;
/// Public key of the approval assignment VRF.
pub type AssignmentId = assignment_app::Public;
/// Public key of a collator.
pub type CollatorId = collator_app::Public;
/// Signature by a collator.
pub type CollatorSignature = collator_app::Signature;
/// Key pair of a collator. Without `std` it verifies, and cannot sign.
pub type CollatorPair = collator_app::Pair;

macro_rules! index_newtype {
	($(#[$doc:meta])* $name:ident) => {
		$(#[$doc])*
		#[derive(
			Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Encode, Decode, DecodeWithMemTracking,
			TypeInfo, MaxEncodedLen, Serialize, Deserialize,
		)]
		pub struct $name(pub u32);

		impl From<u32> for $name {
			fn from(n: u32) -> Self {
				Self(n)
			}
		}
	};
}
index_newtype! {
	/// Index of a validator in the session's active parachain validators.
	ValidatorIndex
}
index_newtype! {
	/// Index of an availability core.
	CoreIndex
}
index_newtype! {
	/// Index of a backing group.
	GroupIndex
}

/// Identifier of a parachain.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Hash,
	Default,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	TypeInfo,
	MaxEncodedLen,
	Serialize,
	Deserialize,
	CompactAs,
)]
#[serde(transparent)]
pub struct ParaId(pub u32);

/// The sovereign account of a para is `para` and its id (little-endian), filled up with zeros.
impl sp_core::TypeId for ParaId {
	const TYPE_ID: [u8; 4] = *b"para";
}

/// First id that is not reserved for system parachains.
pub const LOWEST_USER_ID: ParaId = ParaId(2000);
/// First id that the registrar hands out.
pub const LOWEST_PUBLIC_ID: ParaId = LOWEST_USER_ID;

impl ParaId {
	/// Whether the id belongs to a system parachain (below [`LOWEST_USER_ID`]).
	pub fn is_system(self) -> bool {
		self < LOWEST_USER_ID
	}
}

impl From<u32> for ParaId {
	fn from(n: u32) -> Self {
		Self(n)
	}
}

impl From<ParaId> for u32 {
	fn from(id: ParaId) -> Self {
		id.0
	}
}

macro_rules! display_inner {
	($($name:ident),*) => { $(
		impl core::fmt::Display for $name {
			fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
				self.0.fmt(f)
			}
		}
	)* };
}
display_inner!(ParaId, ValidatorIndex, CoreIndex, GroupIndex);

macro_rules! hash_newtype {
	($(#[$doc:meta])* $name:ident) => {
		$(#[$doc])*
		#[derive(
			Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode, DecodeWithMemTracking,
			TypeInfo, MaxEncodedLen, Serialize, Deserialize,
		)]
		#[serde(transparent)]
		pub struct $name(pub H256);

		impl From<H256> for $name {
			fn from(hash: H256) -> Self {
				Self(hash)
			}
		}

		impl core::fmt::Debug for $name {
			fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
				write!(f, "{:?}", self.0)
			}
		}

		impl core::fmt::Display for $name {
			fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
				write!(f, "{:?}", self.0)
			}
		}
	};
}

hash_newtype! {
	/// Blake2-256 of the SCALE-encoded candidate receipt (descriptor and commitments hash).
	CandidateHash
}
hash_newtype! {
	/// Blake2-256 of the raw bytes of a validation code blob, as stored (compressed).
	ValidationCodeHash
}

macro_rules! byte_blob {
	($(#[$doc:meta])* $name:ident) => {
		$(#[$doc])*
		#[derive(
			Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode, DecodeWithMemTracking, TypeInfo,
			Serialize, Deserialize,
		)]
		#[serde(transparent)]
		pub struct $name(#[serde(with = "sp_core::bytes")] pub Vec<u8>);

		impl From<Vec<u8>> for $name {
			fn from(bytes: Vec<u8>) -> Self {
				Self(bytes)
			}
		}

		impl core::fmt::Debug for $name {
			fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
				match self.0.len() {
					0..=64 => write!(f, concat!(stringify!($name), "(0x{})"), hex::encode(&self.0)),
					n => write!(f, concat!(stringify!($name), "(0x{}.., {} bytes)"), hex::encode(&self.0[..16]), n),
				}
			}
		}
	};
}

byte_blob! {
	/// Head data of a parachain: opaque bytes, usually its encoded header.
	HeadData
}
byte_blob! {
	/// Validation code of a parachain: Wasm, raw or with the standard compression prefix.
	ValidationCode
}

impl HeadData {
	/// Blake2-256 of the raw bytes, without length prefix.
	pub fn hash(&self) -> sp_core::H256 {
		BlakeTwo256::hash(&self.0)
	}
}

impl ValidationCode {
	/// Blake2-256 of the raw bytes, without length prefix.
	pub fn hash(&self) -> ValidationCodeHash {
		ValidationCodeHash(BlakeTwo256::hash(&self.0))
	}
}
