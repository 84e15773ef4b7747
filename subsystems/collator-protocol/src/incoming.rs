//! What collators say, whatever the version in which they say it.

use crate::{
	collation::{Identity, OfferedCandidate, OfferedDescriptor},
	Declaration,
};
use headway_machine::wire::{
	AdvertiseCollationV1, AdvertiseCollationV2, AdvertiseCollationV3, AdvertiseSegment, CollationMessage,
	CollatorMessageV1, CollatorMessageV2, CollatorMessageV3,
};
use headway_primitives::{CandidateHash, Hash, ParaId};

/// A message on the collation set, as a validator sees it.
pub(crate) enum Incoming {
	/// Versions 1 to 3: who the collator is.
	Declaration(Declaration, ParaId),
	/// Versions 1 to 3: it has a collation.
	Advertisement(Advertisement),
	/// Version 4: it has collations.
	Segment(AdvertiseSegment),
	/// What only validators say.
	Misplaced,
}

impl From<CollationMessage> for Incoming {
	fn from(message: CollationMessage) -> Self {
		use CollationMessage::{V1, V2, V3, V4};
		use CollatorMessageV1 as M1;
		use CollatorMessageV2 as M2;
		use CollatorMessageV3 as M3;
		match message {
			V1(M1::Declare(collator, para, signature))
			| V2(M2::Declare(collator, para, signature))
			| V3(M3::Declare(collator, para, signature)) => {
				Self::Declaration(Declaration { collator, signature }, para)
			},
			V1(M1::AdvertiseCollation(advert)) => Self::Advertisement(advert.into()),
			V2(M2::AdvertiseCollation(advert)) => Self::Advertisement(advert.into()),
			V3(M3::AdvertiseCollation(advert)) => Self::Advertisement(advert.into()),
			V1(M1::CollationSeconded(..)) | V2(M2::CollationSeconded(..)) | V3(M3::CollationSeconded(..)) => {
				Self::Misplaced
			},
			V4(segment) => Self::Segment(segment),
		}
	}
}

/// An advertisement of versions 1 to 3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Advertisement {
	pub(crate) scheduling_parent: Hash,
	/// None in version 1.
	pub(crate) candidate: Option<OfferedCandidate>,
	/// Only in version 3.
	pub(crate) descriptor: Option<OfferedDescriptor>,
}

impl Advertisement {
	/// The candidate's hash; none in version 1.
	pub(crate) fn candidate_hash(&self) -> Option<CandidateHash> {
		self.candidate?.hash()
	}
}

impl From<AdvertiseCollationV1> for Advertisement {
	fn from(advert: AdvertiseCollationV1) -> Self {
		Self { scheduling_parent: advert.scheduling_parent, candidate: None, descriptor: None }
	}
}

impl From<AdvertiseCollationV2> for Advertisement {
	fn from(advert: AdvertiseCollationV2) -> Self {
		let AdvertiseCollationV2 { scheduling_parent, candidate_hash: hash, parent_head_data_hash } = advert;
		Self {
			scheduling_parent,
			candidate: Some(OfferedCandidate { identity: Identity::Candidate(hash), parent_head_data_hash }),
			descriptor: None,
		}
	}
}

impl From<AdvertiseCollationV3> for Advertisement {
	fn from(advert: AdvertiseCollationV3) -> Self {
		let AdvertiseCollationV3 {
			scheduling_parent,
			candidate_hash: hash,
			parent_head_data_hash,
			candidate_descriptor_version,
			relay_parent,
		} = advert;
		Self {
			scheduling_parent,
			candidate: Some(OfferedCandidate { identity: Identity::Candidate(hash), parent_head_data_hash }),
			descriptor: Some(OfferedDescriptor {
				version: candidate_descriptor_version,
				relay_parent: Some(relay_parent),
			}),
		}
	}
}
