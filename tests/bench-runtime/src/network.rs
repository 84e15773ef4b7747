//! Validators and paras on a [`Chain`]: what they would sign and send for its next block.
//!
//! Every para holds two cores, so that each block backs a chain of two of its candidates. Who backs what follows
//! from the runtime API as it does for a node: groups, rotation and claim queue at the newest block.

use crate::chain::{Chain, Error as ChainError, Overlay};
use bitvec::{order::Lsb0, vec::BitVec};
use codec::Encode;
use headway_primitives::{
	constraints::Constraints,
	ump::{ClaimQueueOffset, CoreSelector, UmpSignal, UMP_SEPARATOR},
	AvailabilityBitfield, BackedCandidate, CandidateCommitments, CandidateDescriptorV2, ClaimQueue,
	CommittedCandidateReceiptV2, CompactStatement, CoreIndex, GroupRotationInfo, Hash, HeadData,
	InherentData, ParaId, PersistedValidationData, SessionIndex, SigningContext, SigningPayload,
	UncheckedSigned, UncheckedSignedAvailabilityBitfield, UpwardMessages, ValidatorId, ValidatorIndex,
	ValidityAttestation,
};
use headway_relay_runtime::{AccountId, RuntimeCall, RuntimeOrigin, SessionKeys, UncheckedExtrinsic};
use headway_runtime_parachains::{
	coretime, paras_inherent,
	scheduler::{CoreAssignment, PartsOf57600},
};
use serde_json::{json, Value};
use sp_core::{crypto::DeriveJunction, ecdsa, ed25519, sr25519, traits::CodeExecutor, Pair};
use sp_runtime::traits::Dispatchable;
use std::{collections::BTreeMap, rc::Rc};

/// Cores, and so candidates in a block, of each para.
pub const CHAIN_LENGTH: usize = 2;
/// The para with the lowest id.
const FIRST_PARA: u32 = 2000;
/// Bytes of a head: a parachain's header with the digest items of its consensus.
const HEAD_BYTES: usize = 240;

/// How large a network is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
	/// Validators, all of them active.
	pub validators: usize,
	/// Cores, and so groups of validators.
	pub cores: usize,
	/// Votes for each candidate; a group may have fewer members, then all of them vote.
	pub votes: usize,
}

impl Size {
	/// Whether there can be such a network.
	pub fn check(self) -> Result<Self, Error> {
		let Self { validators, cores, votes } = self;
		if cores == 0 || cores % CHAIN_LENGTH != 0 {
			return Err(Error::Size(format!("{cores} cores are not two for each para")));
		}
		// Candidates name their core in a byte.
		if cores > usize::from(u8::MAX) + 1 {
			return Err(Error::Size(format!("{cores} cores are more than 256")));
		}
		if validators < cores {
			return Err(Error::Size(format!(
				"{validators} validators are not one for each of {cores} cores"
			)));
		}
		if votes == 0 {
			return Err(Error::Size("candidates need a vote".into()));
		}
		Ok(self)
	}

	fn n_paras(self) -> usize {
		self.cores / CHAIN_LENGTH
	}

	fn paras(self) -> impl Iterator<Item = ParaId> + Clone {
		(FIRST_PARA..).map(ParaId).take(self.n_paras())
	}
}

/// Why a network cannot be built, or its blocks not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	/// It cannot be that large or small.
	#[error("{0}")]
	Size(String),
	/// From the chain.
	#[error(transparent)]
	Chain(#[from] ChainError),
	/// A key cannot be derived.
	#[error("key of validator {0} cannot be derived")]
	Key(usize),
	/// A validator of the chain is none of ours.
	#[error("validator {0} has no key here")]
	UnknownValidator(u32),
	/// The runtime API says something that does not go together.
	#[error("inconsistent answer of the runtime: {0}")]
	Answer(String),
	/// The author's runtime left something out.
	#[error("of {given_bitfields} bitfields and {given_candidates} candidates the runtime takes {taken_bitfields} and {taken_candidates}")]
	Dropped {
		/// Bitfields that were brought.
		given_bitfields: usize,
		/// Candidates that were brought.
		given_candidates: usize,
		/// Bitfields that are in the inherent.
		taken_bitfields: usize,
		/// Candidates that are in the inherent.
		taken_candidates: usize,
	},
	/// The author's runtime made no inherent at all.
	#[error("the runtime makes no inherent of the parachains")]
	NoInherent,
}

/// A chain with its validators and paras.
#[derive(Clone)]
pub struct Network<E> {
	size: Size,
	chain: Chain<E>,
	/// Keys that validators sign with.
	keys: Rc<BTreeMap<ValidatorId, sr25519::Pair>>,
	/// Candidates of each para so far.
	height: u32,
}

/// What the runtime API says about the children of the newest block.
struct View {
	validators: Vec<ValidatorId>,
	groups: Vec<Vec<ValidatorIndex>>,
	rotation: GroupRotationInfo,
	claim_queue: ClaimQueue,
	context: SigningContext,
}

/// The newest block's next block, before its inherents: from here they are made and applied.
#[derive(Clone)]
pub struct Opened {
	/// Encoded inherent data: the argument of `inherent_extrinsics`.
	pub data: Vec<u8>,
	/// The state in which inherents are made.
	pub begun: Overlay,
	/// The state in which the inherent of the parachains is applied: all others are.
	pub ready: Overlay,
	/// All inherents, in order.
	pub extrinsics: Vec<UncheckedExtrinsic>,
	/// Position of the inherent of the parachains.
	pub position: usize,
}

impl<E: CodeExecutor> Network<E> {
	/// Builds genesis of a network, with the Wasm blob as code.
	pub fn new(executor: E, code: Vec<u8>, size: Size) -> Result<Self, Error> {
		let size = size.check()?;
		let (keys, sessions) = validators(size.validators)?;
		let configure = |config: &mut Value| {
			config["session"]["keys"] = sessions;
			config["paras"]["paras"] = size
				.paras()
				.map(|para| json!([para.0, [head(para, 0), "0x000102030405060708", true]]))
				.collect();
			// Genesis adds a core for each para; these are the others.
			let params = &mut config["configuration"]["config"]["scheduler_params"];
			params["num_cores"] = (size.cores - size.n_paras()).into();
		};
		let assign_cores = || {
			size.paras().cycle().zip(0..(size.cores - size.n_paras()) as u16).try_for_each(|(para, core)| {
				let assignment = vec![(CoreAssignment::Task(para.0), PartsOf57600::FULL)];
				let call = coretime::Call::assign_core { core, begin: 1, assignment, end_hint: None };
				RuntimeCall::from(call)
					.dispatch(RuntimeOrigin::root())
					.map(drop)
					.map_err(|error| format!("{:?}", error.error))
			})
		};
		let chain = Chain::new(executor, code, "local_testnet", configure, assign_cores)?;
		Ok(Self { size, chain, keys: Rc::new(keys), height: 0 })
	}

	/// The same network, executed by another executor from here on.
	pub fn with_executor<F: CodeExecutor>(self, executor: F) -> Network<F> {
		Network {
			size: self.size,
			chain: self.chain.with_executor(executor),
			keys: self.keys,
			height: self.height,
		}
	}

	/// The chain.
	pub fn chain(&self) -> &Chain<E> {
		&self.chain
	}

	/// How large it is.
	pub fn size(&self) -> Size {
		self.size
	}

	/// Candidates of each para so far.
	pub fn height(&self) -> u32 {
		self.height
	}

	/// Inherent data for the next block, whose order is that of an honest author.
	pub fn data(
		&self,
		bitfields: Vec<UncheckedSignedAvailabilityBitfield>,
		backed_candidates: Vec<BackedCandidate>,
	) -> InherentData {
		InherentData {
			bitfields,
			backed_candidates,
			disputes: Vec::new(),
			parent_header: self.chain.best().clone(),
		}
	}

	/// Bitfields of all validators: the first `n_full` have everything, all others nothing.
	pub fn bitfields(&self, n_full: usize) -> Result<Vec<UncheckedSignedAvailabilityBitfield>, Error> {
		let view = self.view()?;
		let bitfield = |(index, key): (usize, &ValidatorId)| {
			let bits = BitVec::<u8, Lsb0>::repeat(index < n_full, view.groups.len());
			let payload = AvailabilityBitfield(bits);
			let validator_index = ValidatorIndex(index as u32);
			let signature = self
				.keys
				.get(key)
				.ok_or(Error::UnknownValidator(validator_index.0))?
				.sign(&payload.signing_payload(&view.context))
				.into();
			Ok(UncheckedSigned { payload, validator_index, signature })
		};
		view.validators.iter().enumerate().map(bitfield).collect()
	}

	/// The next candidates of all paras, in the order of the paras: as many of each as it holds cores.
	pub fn candidates(&self) -> Result<Vec<BackedCandidate>, Error> {
		let view = self.view()?;
		let mut cores = BTreeMap::<ParaId, Vec<CoreIndex>>::new();
		for (core, claims) in &view.claim_queue {
			if let Some(para) = claims.front() {
				cores.entry(*para).or_default().push(*core);
			}
		}
		let mut candidates = Vec::with_capacity(self.size.cores);
		for (para, cores) in cores {
			let constraints: Option<Constraints> =
				self.chain.query("ParachainHost_backing_constraints", &para)?;
			let constraints =
				constraints.ok_or_else(|| Error::Answer(format!("para {para} has no constraints")))?;
			for (position, core) in cores.into_iter().enumerate() {
				let receipt = self.receipt(&view, &constraints, para, core, position);
				candidates.push(self.back(&view, receipt, core)?);
			}
		}
		Ok(candidates)
	}

	/// The candidate at `position` of the chain that a para builds in the next block.
	fn receipt(
		&self,
		view: &View,
		constraints: &Constraints,
		para: ParaId,
		core: CoreIndex,
		position: usize,
	) -> CommittedCandidateReceiptV2 {
		let relay_parent = self.chain.best();
		let parent = self.height + position as u32;
		let data = PersistedValidationData {
			parent_head: head(para, parent),
			relay_parent_number: relay_parent.number,
			relay_parent_storage_root: relay_parent.state_root,
			max_pov_size: constraints.max_pov_size,
		};
		let signal = UmpSignal::SelectCore(CoreSelector(position as u8), ClaimQueueOffset(0));
		let commitments = CandidateCommitments {
			upward_messages: UpwardMessages::truncate_from(vec![UMP_SEPARATOR, signal.encode()]),
			head_data: head(para, parent + 1),
			hrmp_watermark: relay_parent.number,
			..Default::default()
		};
		let descriptor = CandidateDescriptorV2::new_v2(
			para,
			relay_parent.hash(),
			core,
			view.context.session_index,
			data.hash(),
			Hash::repeat_byte(1),
			Hash::repeat_byte(2),
			commitments.head_data.hash(),
			constraints.validation_code_hash,
		);
		CommittedCandidateReceiptV2 { descriptor, commitments }
	}

	/// Backs a candidate with the votes of the first members of the core's group.
	fn back(
		&self,
		view: &View,
		receipt: CommittedCandidateReceiptV2,
		core: CoreIndex,
	) -> Result<BackedCandidate, Error> {
		let group = view.rotation.group_for_core(core, view.groups.len() as u32);
		let group = view
			.groups
			.get(group.0 as usize)
			.ok_or_else(|| Error::Answer(format!("core {} has no group", core.0)))?;
		let hash = receipt.hash();
		let mut indices = BitVec::<u8, Lsb0>::repeat(false, group.len());
		let mut votes = Vec::new();
		for (position, validator) in group.iter().enumerate().take(self.size.votes) {
			let key = view
				.validators
				.get(validator.0 as usize)
				.and_then(|id| self.keys.get(id))
				.ok_or(Error::UnknownValidator(validator.0))?;
			let sign =
				|statement: CompactStatement| key.sign(&statement.signing_payload(&view.context)).into();
			indices.set(position, true);
			votes.push(match position {
				0 => ValidityAttestation::Implicit(sign(CompactStatement::Seconded(hash))),
				_ => ValidityAttestation::Explicit(sign(CompactStatement::Valid(hash))),
			});
		}
		Ok(BackedCandidate::new(receipt, votes, indices, core))
	}

	fn view(&self) -> Result<View, Error> {
		let (groups, rotation) = self.chain.query("ParachainHost_validator_groups", &())?;
		let session_index: SessionIndex = self.chain.query("ParachainHost_session_index_for_child", &())?;
		Ok(View {
			validators: self.chain.query("ParachainHost_validators", &())?,
			groups,
			rotation,
			claim_queue: self.chain.query("ParachainHost_claim_queue", &())?,
			context: SigningContext { session_index, parent_hash: self.chain.best().hash() },
		})
	}

	/// Begins the next block and makes its inherents; the runtime must take all of the data.
	pub fn open(&self, data: &InherentData) -> Result<Opened, Error> {
		let inherent_data = self.chain.inherent_data(data)?;
		let begun = self.chain.begin()?;
		let extrinsics = self.chain.inherents(&begun, &inherent_data)?;
		let (position, taken) = extrinsics
			.iter()
			.enumerate()
			.find_map(|(position, extrinsic)| match &extrinsic.function {
				RuntimeCall::ParaInherent(paras_inherent::Call::enter { data }) => Some((position, data)),
				_ => None,
			})
			.ok_or(Error::NoInherent)?;
		if taken != data {
			return Err(Error::Dropped {
				given_bitfields: data.bitfields.len(),
				given_candidates: data.backed_candidates.len(),
				taken_bitfields: taken.bitfields.len(),
				taken_candidates: taken.backed_candidates.len(),
			});
		}
		let mut ready = begun.clone();
		for (index, extrinsic) in extrinsics.iter().enumerate().take(position) {
			self.chain.apply(&mut ready, index, extrinsic)?;
		}
		Ok(Opened { data: inherent_data.encode(), begun, ready, extrinsics, position })
	}

	/// Executes the next block with the data, all of which the runtime must take.
	pub fn block(&mut self, data: &InherentData) -> Result<(), Error> {
		let Opened { ready: mut overlay, extrinsics, position, .. } = self.open(data)?;
		for (index, extrinsic) in extrinsics.iter().enumerate().skip(position) {
			self.chain.apply(&mut overlay, index, extrinsic)?;
		}
		let header = self.chain.finalize(&mut overlay)?;
		self.chain.import(header, overlay)?;
		self.height += (data.backed_candidates.len() / self.size.n_paras()) as u32;
		Ok(())
	}
}

/// Head of a para after so many candidates.
pub fn head(para: ParaId, height: u32) -> HeadData {
	let mut head = (para, height).encode();
	head.resize(HEAD_BYTES, 0);
	HeadData(head)
}

/// Keys `//v0`, `//v1`, … of `n` validators to sign with, and the session keys of all for the genesis
/// configuration.
fn validators(n: usize) -> Result<(BTreeMap<ValidatorId, sr25519::Pair>, Value), Error> {
	let roots = (root::<sr25519::Pair>()?, root::<ed25519::Pair>()?, root::<ecdsa::Pair>()?);
	let mut keys = BTreeMap::new();
	let mut sessions = Vec::with_capacity(n);
	for index in 0..n {
		let path = [DeriveJunction::hard(format!("v{index}").as_str())];
		let pair = derive(&roots.0, &path, index)?;
		let stash = derive(&pair, &[DeriveJunction::hard("stash")], index)?;
		let stash = AccountId::from(stash.public().0);
		let session_keys = SessionKeys {
			grandpa: derive(&roots.1, &path, index)?.public().into(),
			babe: pair.public().into(),
			para_validator: pair.public().into(),
			para_assignment: pair.public().into(),
			authority_discovery: pair.public().into(),
			beefy: derive(&roots.2, &path, index)?.public().into(),
		};
		sessions.push(json!([stash, stash, session_keys]));
		keys.insert(pair.public().into(), pair);
	}
	Ok((keys, sessions.into()))
}

/// The key that all development keys are derived from. Only here the phrase is stretched, which is slow.
fn root<P: Pair>() -> Result<P, Error> {
	P::from_string(sp_core::crypto::DEV_PHRASE, None).map_err(|_| Error::Key(0))
}

fn derive<P: Pair>(root: &P, path: &[DeriveJunction], index: usize) -> Result<P, Error> {
	root.derive(path.iter().copied(), None).map(|(pair, _)| pair).map_err(|_| Error::Key(index))
}
