//! A collation between its advertisement and backing: what is offered, what comes back, and what is checked
//! of it.
//!
//! Both validator sides use this (backing pipeline §5.4, "Fetch outcome" and "Before seconding"); they differ
//! in what is fetched when, and in what a failure costs.

use crate::NAME;
use codec::DecodeAll;
use headway_machine::{
	wire::{
		CollationRequestV1, CollationRequestV2, CollationRequestV3, CollationResponse, CollationResponseV3,
		Request,
	},
	PeerId, Reason, Reputation, RequestError, Stage, Timestamp, Token, Trace, View,
};
use headway_primitives::{
	CandidateDescriptorVersion, CandidateHash, CandidateReceiptV2, Hash, HeadData, ParaId,
	PersistedValidationData, PoV,
};
use std::{sync::Arc, time::Duration};

/// An advertised collation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Offer {
	pub(crate) peer: PeerId,
	pub(crate) para: ParaId,
	pub(crate) scheduling_parent: Hash,
	/// None from peers of version 1.
	pub(crate) candidate: Option<OfferedCandidate>,
	/// From peers of versions 3 and 4.
	pub(crate) descriptor: Option<OfferedDescriptor>,
	pub(crate) is_v1: bool,
}

/// Which candidate is offered, and on what it builds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct OfferedCandidate {
	pub(crate) identity: Identity,
	pub(crate) parent_head_data_hash: Hash,
}

impl OfferedCandidate {
	/// Its hash, if it is known by that.
	pub(crate) fn hash(&self) -> Option<CandidateHash> {
		match self.identity {
			Identity::Candidate(hash) => Some(hash),
			Identity::OutputHead(_) => None,
		}
	}
}

/// By what a candidate is known before it is fetched.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Identity {
	/// Versions 2 and 3.
	Candidate(CandidateHash),
	/// Version 4: the hash of the head data that it produces.
	OutputHead(Hash),
}

/// What is said of the descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OfferedDescriptor {
	pub(crate) version: CandidateDescriptorVersion,
	/// Not said in version 4.
	pub(crate) relay_parent: Option<Hash>,
}

impl Offer {
	/// The candidate's hash, if it is known by that.
	pub(crate) fn candidate_hash(&self) -> Option<CandidateHash> {
		self.candidate?.hash()
	}

	/// How to ask for it.
	pub(crate) fn request(&self) -> Request {
		let (scheduling_parent, para_id) = (self.scheduling_parent, self.para);
		match self.candidate.map(|candidate| candidate.identity) {
			Some(Identity::Candidate(candidate_hash)) if !self.is_v1 => {
				Request::CollationV2(CollationRequestV2 { scheduling_parent, para_id, candidate_hash })
			},
			Some(Identity::OutputHead(output_head_data_hash)) => {
				Request::CollationV3(CollationRequestV3 { scheduling_parent, para_id, output_head_data_hash })
			},
			_ => Request::CollationV1(CollationRequestV1 { scheduling_parent, para_id }),
		}
	}

	pub(crate) fn trace(&self, now: Timestamp, stage: Stage) -> Trace {
		let mut trace =
			Trace::new(now, NAME, stage).para(self.para).scheduling_parent(self.scheduling_parent);
		trace.candidate = self.candidate_hash();
		trace.parent_head = self.candidate.map(|candidate| candidate.parent_head_data_hash);
		trace
	}
}

/// What is wrong with a collation, and what it costs whoever offered it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
	pub(crate) reason: Reason,
	pub(crate) reputation: Option<Reputation>,
}

impl Fault {
	pub(crate) fn nobodys(reason: Reason) -> Self {
		Self { reason, reputation: None }
	}

	pub(crate) fn malicious(reason: Reason, why: &'static str) -> Self {
		Self { reason, reputation: Some(Reputation::Malicious(why)) }
	}

	/// Whether the collator failed to deliver what it offered (backing pipeline §5.5, "Failed fetch slash"): it
	/// let us wait in vain, or sent something else. A network that fails is nobody's fault.
	pub(crate) fn is_failed_fetch(&self) -> bool {
		matches!(self.reason, Reason::FetchTimeout | Reason::InvalidResponse)
			|| matches!(self.reputation, Some(Reputation::Malicious(_)))
	}
}

/// A collation that was fetched.
#[derive(Debug)]
pub(crate) struct Fetched {
	/// The fetch that brought it.
	pub(crate) fetch: Token,
	pub(crate) offer: Offer,
	pub(crate) receipt: CandidateReceiptV2,
	pub(crate) candidate_hash: CandidateHash,
	pub(crate) pov: Arc<PoV>,
	pub(crate) parent_head_data: Option<HeadData>,
}

impl Fetched {
	/// Reads the response to a fetch.
	pub(crate) fn read(
		result: Result<Vec<u8>, RequestError>,
		offer: &Offer,
		fetch: Token,
	) -> Result<Self, Fault> {
		let bytes = result.map_err(|error| match error {
			// Little, for it may be the network's fault. Nothing would be too little: it kept a place of the claim queue.
			RequestError::Timeout => Fault {
				reason: Reason::FetchTimeout,
				reputation: Some(Reputation::CostMinor("collation did not arrive in time")),
			},
			RequestError::NotConnected => Fault::nobodys(Reason::FetchFailed),
			RequestError::Refused | RequestError::UnsupportedProtocol | RequestError::Network => Fault {
				reason: Reason::FetchFailed,
				reputation: Some(Reputation::CostMinor("request for a collation failed")),
			},
		})?;
		let is_v4 =
			matches!(offer.candidate, Some(OfferedCandidate { identity: Identity::OutputHead(_), .. }));
		let (receipt, pov, parent_head_data) = decode(&bytes, is_v4).map_err(|_| Fault {
			reason: Reason::InvalidResponse,
			reputation: Some(Reputation::CostMinor("collation does not decode")),
		})?;
		if receipt.descriptor.para_id != offer.para {
			return Err(Fault::malicious(Reason::CandidateMismatch, "collation of another para"));
		}
		let candidate_hash = receipt.hash();
		Ok(Self { fetch, offer: offer.clone(), receipt, candidate_hash, pov: pov.into(), parent_head_data })
	}

	pub(crate) fn trace(&self, now: Timestamp, stage: Stage) -> Trace {
		self.offer.trace(now, stage).candidate(self.candidate_hash).descriptor(&self.receipt.descriptor)
	}

	/// What the descriptor must say by itself, at its scheduling parent.
	pub(crate) fn check_descriptor(&self, view: &View) -> Result<(), Fault> {
		let descriptor = &self.receipt.descriptor;
		let block = view.block(&self.offer.scheduling_parent).ok_or(Fault::nobodys(Reason::OutOfView))?;
		match descriptor.version() {
			CandidateDescriptorVersion::V1 => return Ok(()),
			CandidateDescriptorVersion::V2 => {},
			CandidateDescriptorVersion::V3 if self.offer.descriptor.is_some() => {},
			// An honest collator offers it to a peer of version 2, for it cannot say what it is.
			CandidateDescriptorVersion::V3 => return Err(Fault::nobodys(Reason::DescriptorVersion)),
			CandidateDescriptorVersion::Unknown(_) => {
				let why = "descriptor of an unknown version";
				return Err(Fault::malicious(Reason::DescriptorVersion, why));
			},
		}
		if descriptor.core_index() != block.local_assignment().map(|(_, core)| core) {
			return Err(Fault::malicious(Reason::CandidateMismatch, "collation for another core"));
		}
		if descriptor.scheduling_session() != Some(block.session.index) {
			return Err(Fault::malicious(Reason::CandidateMismatch, "collation for another session"));
		}
		Ok(())
	}

	/// It has to be what was advertised.
	pub(crate) fn check_advertised(&self) -> Result<(), Fault> {
		let (offer, descriptor) = (&self.offer, &self.receipt.descriptor);
		let mismatch = |why| Err(Fault::malicious(Reason::CandidateMismatch, why));
		if descriptor.scheduling_parent() != offer.scheduling_parent {
			return mismatch("collation with another scheduling parent than advertised");
		}
		if let Some(OfferedDescriptor { version, relay_parent }) = offer.descriptor {
			if descriptor.version() != version {
				return mismatch("collation of another version than advertised");
			}
			if relay_parent.is_some_and(|relay_parent| relay_parent != descriptor.relay_parent) {
				return mismatch("collation with another relay parent than advertised");
			}
		}
		let Some(candidate) = offer.candidate else { return Ok(()) };
		let is_advertised = match candidate.identity {
			Identity::Candidate(hash) => self.candidate_hash == hash,
			Identity::OutputHead(head) => descriptor.para_head == head,
		};
		if !is_advertised {
			return mismatch("another collation than advertised");
		}
		match &self.parent_head_data {
			Some(head_data) if head_data.hash() != candidate.parent_head_data_hash => {
				mismatch("parent head that is not the advertised one")
			},
			_ => Ok(()),
		}
	}

	/// The data that it is validated with has to be what the descriptor says, and on the advertised parent.
	pub(crate) fn check_validation_data(&self, data: &PersistedValidationData) -> Result<(), Fault> {
		if data.hash() != self.receipt.descriptor.persisted_validation_data_hash {
			let why = "collation with other validation data";
			return Err(Fault::malicious(Reason::ValidationDataMismatch, why));
		}
		let parent = self.offer.candidate.map(|candidate| candidate.parent_head_data_hash);
		if parent.is_some_and(|hash| hash != data.parent_head.hash()) {
			let why = "collation on another parent than advertised";
			return Err(Fault::malicious(Reason::CandidateMismatch, why));
		}
		Ok(())
	}
}

type Parts = (CandidateReceiptV2, PoV, Option<HeadData>);

fn decode(mut bytes: &[u8], is_v4: bool) -> Result<Parts, codec::Error> {
	if is_v4 {
		let CollationResponseV3::Collation { receipt, pov, parent_head_data } =
			CollationResponseV3::decode_all(&mut bytes)?;
		return Ok((receipt, pov, Some(parent_head_data)));
	}
	Ok(match CollationResponse::decode_all(&mut bytes)? {
		CollationResponse::Collation(receipt, pov) => (receipt, pov, None),
		CollationResponse::CollationWithParentHeadData { receipt, pov, parent_head_data } => {
			(receipt, pov, Some(parent_head_data))
		},
	})
}

/// The validation data of a candidate that builds on the included head, at a leaf where nothing of the para
/// is pending: the assumption of a free core.
pub(crate) fn free_core_validation_data(view: &View, offer: &Offer) -> Option<PersistedValidationData> {
	let leaf = view.leaf(&offer.scheduling_parent)?;
	let para = leaf.paras.get(&offer.para)?;
	let constraints = &para.constraints;
	para.pending.is_empty().then(|| PersistedValidationData {
		parent_head: constraints.required_parent.clone(),
		relay_parent_number: leaf.block.number,
		relay_parent_storage_root: leaf.block.state_root,
		max_pov_size: constraints.max_pov_size,
	})
}

/// Whether a block may be the scheduling parent of a version 3 descriptor at this time (backing pipeline
/// §5.3).
pub(crate) fn is_in_time(view: &View, now: Timestamp, slot_duration: Duration, at: &Hash) -> bool {
	let slot_ms = slot_duration.as_millis().max(1) as u64;
	let slot = now.unix_ms / slot_ms;
	match view.leaf(at) {
		Some(leaf) => slot == leaf.block.slot + 1,
		None => view.leaves().any(|leaf| leaf.block.parent_hash == *at && leaf.block.slot == slot),
	}
}
