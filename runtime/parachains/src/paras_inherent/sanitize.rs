//! Drops what may not come on chain, each with its reason (runtime §7.3, §7.5–§7.7; synchronous mode: design
//! §5).

use super::*;
use crate::inclusion::BackingCandidate;
use headway_primitives::{
	effective_minimum_backing_votes, ump::parse_ump_signals, ump::UmpSignalError, AvailabilityBitfield,
	BackedCandidate, CandidateDescriptorVersion, CoreIndex, DescriptorVersionError, FeatureIndex,
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
	/// It does not fit to the state that it builds on.
	Verification(&'static str),
	/// A candidate that it builds on, or that came before it, was dropped.
	Behind(CandidateHash),
	/// A dispute found it, or one that it builds on, to be invalid.
	Disputed,
	/// The para may not use any core in this block.
	NoEligibleCore,
	/// The candidate names no core, or one that its para may not use in this block.
	CoreNotEligible(Option<CoreIndex>),
	/// No group is assigned to the core.
	NoGroup,
	/// Without the votes of disabled validators too few are left.
	DisabledBackers,
	/// The block is full.
	Overweight,
	/// Synchronous backing: the relay parent is not the newest block.
	SynchronousRelayParentNotNewest,
	/// Synchronous backing: a candidate of the para waits for availability.
	SynchronousCandidatePending,
	/// Synchronous backing: the para's head was included in this very block, after the relay parent.
	SynchronousHeadIncludedAfterRelayParent,
	/// Synchronous backing: it builds on a candidate of this block, not on an included head.
	SynchronousParentNotIncluded,
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
			Self::Verification(error) => write!(f, "does not fit to the state: {error}"),
			Self::Behind(hash) => write!(f, "behind candidate {hash}, which was dropped"),
			Self::Disputed => f.write_str("a dispute found it, or one that it builds on, to be invalid"),
			Self::NoEligibleCore => f.write_str("no core for the para in this block"),
			Self::CoreNotEligible(Some(core)) => write!(f, "core {core} is not free for the para"),
			Self::CoreNotEligible(None) => f.write_str("names no core"),
			Self::NoGroup => f.write_str("no group is assigned to the core"),
			Self::DisabledBackers => f.write_str("too few votes of validators that are not disabled"),
			Self::Overweight => f.write_str("the block is full"),
			Self::SynchronousRelayParentNotNewest => {
				f.write_str("synchronous backing: relay parent is not the newest block")
			},
			Self::SynchronousCandidatePending => {
				f.write_str("synchronous backing: a candidate of the para is pending availability")
			},
			Self::SynchronousHeadIncludedAfterRelayParent => f.write_str(
				"synchronous backing: the head was included in this block, after the relay parent",
			),
			Self::SynchronousParentNotIncluded => {
				f.write_str("synchronous backing: builds on a candidate that is not included")
			},
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

/// Bitfields that pass, with their signatures checked.
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
pub(super) struct Candidates<T: Config> {
	parent_hash: Hash,
	synchronous: bool,
	v3_enabled: bool,
	minimum_backing_votes: u32,
	session: SessionIndex,
	scheduling_parents: SchedulingParentsTracker,
	disabled: BTreeSet<ValidatorIndex>,
	included_now: BTreeSet<ParaId>,
	eligible: BTreeMap<ParaId, BTreeSet<CoreIndex>>,
	evicted: BTreeSet<CandidateHash>,
	_marker: core::marker::PhantomData<T>,
}

impl<T: Config> Candidates<T> {
	pub(super) fn new(
		config: &configuration::HostConfiguration,
		parent_hash: Hash,
		included_now: BTreeSet<ParaId>,
		eligible: BTreeMap<ParaId, BTreeSet<CoreIndex>>,
	) -> Self {
		Self {
			parent_hash,
			synchronous: config.is_synchronous(),
			v3_enabled: FeatureIndex::CandidateReceiptV3.is_set(&config.node_features),
			minimum_backing_votes: config.minimum_backing_votes,
			session: shared::CurrentSessionIndex::<T>::get(),
			scheduling_parents: shared::AllowedSchedulingParents::<T>::get(),
			disabled: shared::Pallet::<T>::disabled_validators().into_iter().collect(),
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

	/// Candidates that pass, by para and in order, each with its core.
	pub(super) fn run(
		&self,
		candidates: Vec<BackedCandidate>,
		dropped: &mut Vec<(ParaId, CandidateHash, DropReason)>,
	) -> BTreeMap<ParaId, Vec<BackingCandidate>> {
		let mut by_para = BTreeMap::<ParaId, Vec<BackedCandidate>>::new();
		for candidate in candidates {
			let para = candidate.candidate.descriptor.para_id;
			match self.check_descriptor(&candidate) {
				Ok(()) => by_para.entry(para).or_default().push(candidate),
				Err(reason) => dropped.push((para, candidate.hash(), reason)),
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
		if self.synchronous && descriptor.relay_parent != self.parent_hash {
			return Err(DropReason::SynchronousRelayParentNotNewest);
		}
		let session = descriptor.session_index().unwrap_or(self.session);
		if shared::Pallet::<T>::relay_parent_info(session, descriptor.relay_parent).is_none() {
			return Err(DropReason::DisallowedRelayParent);
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
		chain: Vec<BackedCandidate>,
		dropped: &mut Vec<(ParaId, CandidateHash, DropReason)>,
	) -> Vec<BackingCandidate> {
		let mut state = inclusion::Pallet::<T>::running_state(para);
		let pending = !inclusion::Pallet::<T>::pending_candidates(para).is_empty();
		let mut cores = self.eligible.get(&para).cloned().unwrap_or_default();
		let mut passed = Vec::<BackingCandidate>::new();
		let mut seen = BTreeSet::new();
		let mut failed = None;
		for mut candidate in chain {
			let hash = candidate.hash();
			let verdict = match (failed, &mut state) {
				(Some(first), _) => Err(DropReason::Behind(first)),
				(None, None) => Err(DropReason::UnknownPara),
				(None, Some(_)) if !seen.insert(hash) => Err(DropReason::Duplicate),
				(None, Some(state)) => self
					.check_synchronous(para, pending, passed.len())
					.and_then(|()| {
						inclusion::Pallet::<T>::verify_backed_candidate(state, &candidate)
							.map_err(|error| DropReason::Verification(error.into()))
					})
					.and_then(|_| self.check_undisputed(hash))
					.and_then(|()| self.take_core(&candidate, &mut cores, passed.is_empty()))
					.and_then(|core| self.check_votes(&mut candidate, core)),
			};
			match verdict {
				Ok(core) => passed.push((candidate, core)),
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

	/// The rules of synchronous backing beyond the newest relay parent (design §5).
	fn check_synchronous(&self, para: ParaId, pending: bool, passed: usize) -> Result<(), DropReason> {
		if !self.synchronous {
			Ok(())
		} else if pending {
			Err(DropReason::SynchronousCandidatePending)
		} else if self.included_now.contains(&para) {
			Err(DropReason::SynchronousHeadIncludedAfterRelayParent)
		} else if passed > 0 {
			Err(DropReason::SynchronousParentNotIncluded)
		} else {
			Ok(())
		}
	}

	/// The core that the candidate asks for, if its para may use it; nobody else gets it then.
	fn take_core(
		&self,
		candidate: &BackedCandidate,
		cores: &mut BTreeSet<CoreIndex>,
		first: bool,
	) -> Result<CoreIndex, DropReason> {
		if first && cores.is_empty() {
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
		let (_, group) =
			inclusion::Pallet::<T>::responsible_group(&self.scheduling_parents, candidate, core).ok()?;
		(group.len() == votes.len()).then_some(core)
	}

	/// Removes votes of disabled validators; enough must be left.
	fn check_votes(&self, candidate: &mut BackedCandidate, core: CoreIndex) -> Result<CoreIndex, DropReason> {
		let (_, group) = inclusion::Pallet::<T>::responsible_group(&self.scheduling_parents, candidate, core)
			.map_err(|_| DropReason::NoGroup)?;
		let (votes, injected) = candidate.validator_indices_and_core_index();
		let mut votes = votes.to_bitvec();
		let is_disabled =
			|position: usize| group.get(position).is_some_and(|member| self.disabled.contains(member));
		if votes.iter_ones().any(is_disabled) {
			let voters: Vec<_> = votes.iter_ones().collect();
			let mut voters = voters.into_iter();
			candidate.validity_votes.retain(|_| !voters.next().is_some_and(is_disabled));
			for position in 0..votes.len() {
				if is_disabled(position) {
					votes.set(position, false);
				}
			}
			candidate.set_validator_indices_and_core_index(votes, injected);
			if candidate.validity_votes.len()
				< effective_minimum_backing_votes(group.len(), self.minimum_backing_votes)
			{
				return Err(DropReason::DisabledBackers);
			}
		}
		Ok(core)
	}
}
