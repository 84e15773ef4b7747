//! Drops what may not come on chain, each with its reason (runtime §7.3, §7.5–§7.7; synchronous mode: design
//! §5).
//!
//! A candidate that fails by itself is dropped alone. One that does not fit to its para's state, its cores or
//! its group takes all of its para behind it along, because they build on it.

use super::*;
use crate::inclusion::{RunningState, SynchronousViolation, VerifiedCandidate, Voters, VotesError};
use headway_primitives::{
	ump::parse_ump_signals, ump::UmpSignalError, AvailabilityBitfield, BackedCandidate,
	CandidateDescriptorVersion, CandidateReceiptV2, CoreIndex, DescriptorVersionError, FeatureIndex,
	SessionIndex, Signed, SigningContext, UncheckedSignedAvailabilityBitfield, ValidatorId,
};
use shared::SchedulingParentsTracker;

/// Why a candidate may not come on chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DropReason {
	/// The descriptor's version byte is unknown.
	UnknownVersion(u8),
	/// The descriptor's version is ambiguous or not enabled.
	Version(DescriptorVersionError),
	/// The relay parent is not known in the descriptor's session.
	DisallowedRelayParent,
	/// The scheduling parent is not among the newest blocks.
	DisallowedSchedulingParent,
	/// Signals are malformed or select another core.
	Signals(UmpSignalError),
	/// The descriptor is of another session.
	WrongSession {
		/// Session that schedules, by the descriptor.
		scheduling_session: Option<SessionIndex>,
	},
	/// The para has no head or no code.
	UnknownPara,
	/// The candidate is there twice.
	Duplicate,
	/// It does not fit to the state that it builds on, or its votes are wrong: the name of the error.
	Verification(&'static str),
	/// A dispute found it, or one that it builds on, to be invalid.
	Disputed,
	/// A candidate that it builds on, or that came before it, was dropped.
	Behind(CandidateHash),
	/// The para may not use any core in this block, or has one candidate more than cores.
	NoEligibleCore,
	/// The candidate names no core, or one that its para may not use in this block.
	CoreNotEligible(Option<CoreIndex>),
	/// Without the votes of disabled validators too few are left.
	DisabledBackers,
	/// The block is full.
	Overweight,
	/// It violates the rules of synchronous backing.
	Synchronous(SynchronousViolation),
}

impl core::fmt::Display for DropReason {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		match self {
			Self::UnknownVersion(n) => write!(f, "descriptor of unknown version {n}"),
			Self::Version(error) => write!(f, "{error}"),
			Self::DisallowedRelayParent => f.write_str("relay parent is not allowed"),
			Self::DisallowedSchedulingParent => f.write_str("scheduling parent is not allowed"),
			Self::Signals(error) => write!(f, "{error}"),
			Self::WrongSession { scheduling_session } => {
				write!(f, "scheduled in session {scheduling_session:?}, which is not the current one")
			},
			Self::UnknownPara => f.write_str("para has no head or no code"),
			Self::Duplicate => f.write_str("candidate is there twice"),
			Self::Verification(error) => write!(f, "does not pass verification: {error}"),
			Self::Behind(hash) => write!(f, "behind candidate {hash}, which was dropped"),
			Self::Disputed => f.write_str("a dispute found it, or one that it builds on, to be invalid"),
			Self::NoEligibleCore => f.write_str("no core for the para in this block"),
			Self::CoreNotEligible(Some(core)) => write!(f, "core {core} is not free for the para"),
			Self::CoreNotEligible(None) => f.write_str("names no core"),
			Self::DisabledBackers => f.write_str("too few votes of validators that are not disabled"),
			Self::Overweight => f.write_str("the block is full"),
			Self::Synchronous(violation) => write!(f, "synchronous backing: {violation}"),
		}
	}
}

/// Why a bitfield may not come on chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BitfieldDropReason {
	/// It has not one bit per core.
	WrongLength,
	/// Not ascending by validator, or the second of one validator.
	Unsorted,
	/// No such validator.
	UnknownValidator,
	/// The signature is not the validator's, for this block's parent and session.
	InvalidSignature,
	/// It speaks of a core whose candidate was found to be invalid in this block.
	DisputedCore,
	/// The block is full.
	Overweight,
}

impl core::fmt::Display for BitfieldDropReason {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		f.write_str(match self {
			Self::WrongLength => "it has not one bit per core",
			Self::Unsorted => "it is not behind all lower validators",
			Self::UnknownValidator => "no such validator",
			Self::InvalidSignature => "invalid signature",
			Self::DisputedCore => "a core's candidate was found to be invalid",
			Self::Overweight => "the block is full",
		})
	}
}

/// Bitfields that pass, with their signatures checked. Only the first one of a validator counts, even if its
/// signature is wrong; but not if it fails before its signature is looked at.
pub(super) fn bitfields<T: Config>(
	bitfields: Vec<UncheckedSignedAvailabilityBitfield>,
	n_cores: u32,
	validators: &[ValidatorId],
	parent_hash: Hash,
	dropped: &mut Vec<(ValidatorIndex, BitfieldDropReason)>,
) -> Vec<Signed<AvailabilityBitfield>> {
	let context = SigningContext { session_index: shared::CurrentSessionIndex::<T>::get(), parent_hash };
	let mut last = None;
	let mut passed = Vec::with_capacity(bitfields.len());
	for bitfield in bitfields {
		let validator = bitfield.validator_index;
		let verdict = if bitfield.payload.0.len() != n_cores as usize {
			Err(BitfieldDropReason::WrongLength)
		} else if last.is_some_and(|last| validator <= last) {
			Err(BitfieldDropReason::Unsorted)
		} else {
			match validators.get(validator.0 as usize) {
				None => Err(BitfieldDropReason::UnknownValidator),
				Some(key) => {
					last = Some(validator);
					if bitfield.verify(&context, key) {
						Ok(())
					} else {
						Err(BitfieldDropReason::InvalidSignature)
					}
				},
			}
		};
		match verdict {
			// The signature was verified just now.
			Ok(()) => passed.push(Signed::assume_checked(bitfield)),
			Err(reason) => dropped.push((validator, reason)),
		}
	}
	passed
}

/// Filters candidates.
pub(super) struct Candidates<'a, T: Config> {
	config: &'a configuration::HostConfiguration,
	parent_hash: Hash,
	v3_enabled: bool,
	session: SessionIndex,
	scheduling_parents: SchedulingParentsTracker,
	voters: Voters,
	/// Paras that had a candidate included in this block.
	included_now: BTreeSet<ParaId>,
	/// Cores that each para may back on in this block.
	eligible: BTreeMap<ParaId, BTreeSet<CoreIndex>>,
	/// Candidates that disputes of this block took from their cores.
	evicted: BTreeSet<CandidateHash>,
	_marker: core::marker::PhantomData<T>,
}

/// A candidate with its hashes, which are computed once.
struct Submitted {
	candidate: BackedCandidate,
	receipt: CandidateReceiptV2,
	hash: CandidateHash,
}

impl From<BackedCandidate> for Submitted {
	fn from(candidate: BackedCandidate) -> Self {
		let receipt = candidate.candidate.to_plain();
		Self { hash: receipt.hash(), receipt, candidate }
	}
}

impl<'a, T: Config> Candidates<'a, T> {
	pub(super) fn new(
		config: &'a configuration::HostConfiguration,
		parent_hash: Hash,
		validators: Vec<ValidatorId>,
		included_now: BTreeSet<ParaId>,
		eligible: BTreeMap<ParaId, BTreeSet<CoreIndex>>,
	) -> Self {
		Self {
			config,
			parent_hash,
			v3_enabled: FeatureIndex::CandidateReceiptV3.is_set(&config.node_features),
			session: shared::CurrentSessionIndex::<T>::get(),
			scheduling_parents: shared::AllowedSchedulingParents::<T>::get(),
			voters: Voters::new::<T>(validators, config.minimum_backing_votes),
			included_now,
			eligible,
			evicted: BTreeSet::new(),
			_marker: core::marker::PhantomData,
		}
	}

	/// Drops these, too: disputes of this block took them from their cores.
	pub(super) fn without(mut self, evicted: BTreeSet<CandidateHash>) -> Self {
		self.evicted = evicted;
		self
	}

	/// Candidates that pass, by para and in order.
	pub(super) fn run(
		&self,
		candidates: Vec<BackedCandidate>,
		dropped: &mut Vec<(ParaId, CandidateHash, DropReason)>,
	) -> BTreeMap<ParaId, Vec<VerifiedCandidate>> {
		let mut by_para = BTreeMap::<ParaId, Vec<Submitted>>::new();
		for candidate in candidates.into_iter().map(Submitted::from) {
			let para = candidate.receipt.descriptor.para_id;
			match self.check_descriptor(&candidate.candidate) {
				Ok(()) => by_para.entry(para).or_default().push(candidate),
				Err(reason) => dropped.push((para, candidate.hash, reason)),
			}
		}
		let mut passed = BTreeMap::new();
		for (para, chain) in by_para {
			let chain = self.check_chain(para, chain, dropped);
			if !chain.is_empty() {
				passed.insert(para, chain);
			}
		}
		passed
	}

	/// Checks of a candidate by itself: these drop it alone.
	fn check_descriptor(&self, candidate: &BackedCandidate) -> Result<(), DropReason> {
		let descriptor = &candidate.candidate.descriptor;
		let version = descriptor.version();
		if let CandidateDescriptorVersion::Unknown(n) = version {
			return Err(DropReason::UnknownVersion(n));
		}
		descriptor.check_version(self.v3_enabled).map_err(DropReason::Version)?;
		let session = descriptor.session_index().unwrap_or(self.session);
		if shared::Pallet::<T>::relay_parent_info(session, descriptor.relay_parent).is_none() {
			return Err(DropReason::DisallowedRelayParent);
		}
		if self.config.is_synchronous() && descriptor.relay_parent != self.parent_hash {
			return Err(DropReason::Synchronous(SynchronousViolation::RelayParentNotNewest));
		}
		let (info, _) = self
			.scheduling_parents
			.acquire_info(descriptor.scheduling_parent())
			.ok_or(DropReason::DisallowedSchedulingParent)?;
		parse_ump_signals(&candidate.candidate, &info.claim_queue).map_err(DropReason::Signals)?;
		let scheduling_session = descriptor.scheduling_session();
		if version != CandidateDescriptorVersion::V1 && scheduling_session != Some(self.session) {
			return Err(DropReason::WrongSession { scheduling_session });
		}
		Ok(())
	}

	/// Checks of a para's candidates in order: the first that fails is dropped with all behind it.
	fn check_chain(
		&self,
		para: ParaId,
		chain: Vec<Submitted>,
		dropped: &mut Vec<(ParaId, CandidateHash, DropReason)>,
	) -> Vec<VerifiedCandidate> {
		let included_now = self.included_now.contains(&para);
		let mut state = inclusion::Pallet::<T>::running_state(para, self.config, included_now);
		let mut cores = self.eligible.get(&para).cloned().unwrap_or_default();
		let mut passed = Vec::new();
		let mut seen = BTreeSet::new();
		let mut failed = None;
		for candidate in chain {
			let hash = candidate.hash;
			let verdict = match (failed, &mut state) {
				(Some(first), _) => Err(DropReason::Behind(first)),
				(None, None) => Err(DropReason::UnknownPara),
				(None, Some(_)) if !seen.insert(hash) => Err(DropReason::Duplicate),
				(None, Some(state)) => self.verify(candidate, state, &mut cores),
			};
			match verdict {
				Ok(verified) => passed.push(verified),
				Err(reason) => {
					failed = failed.or(Some(hash));
					dropped.push((para, hash, reason));
				},
			}
		}
		passed
	}

	/// Neither a dispute of this block nor one before it may have found the candidate to be invalid.
	fn check_undisputed(&self, hash: CandidateHash) -> Result<(), DropReason> {
		let invalid = self.evicted.contains(&hash)
			|| crate::disputes::Pallet::<T>::concluded_invalid(self.session, hash);
		if invalid {
			return Err(DropReason::Disputed);
		}
		Ok(())
	}

	/// Checks a candidate against the state that it builds on, finds its core and checks its group's votes.
	fn verify(
		&self,
		submitted: Submitted,
		state: &mut RunningState,
		cores: &mut BTreeSet<CoreIndex>,
	) -> Result<VerifiedCandidate, DropReason> {
		let Submitted { mut candidate, receipt, hash } = submitted;
		let descriptor = &receipt.descriptor;
		state.check_synchronous(descriptor.relay_parent).map_err(DropReason::Synchronous)?;
		let relay_parent_number =
			inclusion::Pallet::<T>::verify_backed_candidate(state, &candidate.candidate)
				.map_err(verification)?;
		self.check_undisputed(hash)?;
		let core = self.take_core(&candidate, cores)?;
		let group = inclusion::Pallet::<T>::responsible_group(
			&self.scheduling_parents,
			descriptor.scheduling_parent(),
			core,
		)
		.map_err(verification)?;
		let backers = inclusion::Pallet::<T>::check_backing(&mut candidate, hash, &group, &self.voters)
			.map_err(|error| match error {
				VotesError::Disabled => DropReason::DisabledBackers,
				VotesError::Invalid(error) => verification(error),
			})?;
		Ok(VerifiedCandidate {
			candidate,
			receipt,
			hash,
			relay_parent_number,
			core,
			group: group.index,
			backers,
		})
	}

	/// The core that the candidate asks for, if its para may use it; nobody else gets it then.
	fn take_core(
		&self,
		candidate: &BackedCandidate,
		cores: &mut BTreeSet<CoreIndex>,
	) -> Result<CoreIndex, DropReason> {
		if cores.is_empty() {
			return Err(DropReason::NoEligibleCore);
		}
		let core = match candidate.candidate.descriptor.core_index() {
			Some(core) => Some(core),
			None => self.injected_core(candidate),
		};
		match core {
			Some(core) if cores.remove(&core) => Ok(core),
			core => Err(DropReason::CoreNotEligible(core)),
		}
	}

	/// The core index that a version 1 candidate carries behind its votes: valid only if the votes before it are
	/// as many as the members of the core's group.
	fn injected_core(&self, candidate: &BackedCandidate) -> Option<CoreIndex> {
		let (votes, core) = candidate.validator_indices_and_core_index();
		let core = core?;
		let scheduling_parent = candidate.candidate.descriptor.scheduling_parent();
		let group =
			inclusion::Pallet::<T>::responsible_group(&self.scheduling_parents, scheduling_parent, core)
				.ok()?;
		(group.members.len() == votes.len()).then_some(core)
	}
}

fn verification<T: Config>(error: inclusion::Error<T>) -> DropReason {
	DropReason::Verification(error.into())
}
