//! What the benchmarks of the pallets share: a configuration without narrow limits, paras, and a chain with
//! validators that can sign.
//!
//! Everything is put into storage directly, whatever was there before. Keys are in the keystore of whoever runs
//! the benchmarks.

use crate::{
	configuration::{self, HostConfiguration},
	hrmp::{self, HrmpChannel, HrmpChannelId},
	inclusion::{self, CandidatePendingAvailability},
	initializer::{self, BufferedSessionChange},
	paras::{self, ParaLifecycle},
	paras_inherent,
	scheduler::{self, CoreAssignment, PartsOf57600},
	shared,
	util::now,
};
use alloc::{format, vec, vec::Vec};
use bitvec::{order::Lsb0, vec::BitVec};
use core::marker::PhantomData;
use frame_support::{
	storage::{storage_prefix, unhashed},
	traits::PalletInfoAccess,
};
use frame_system::pallet_prelude::BlockNumberFor;
use headway_primitives::{
	AsyncBackingParams, AvailabilityBitfield, BackedCandidate, Balance, BlockNumber, CandidateCommitments,
	CandidateDescriptorV2, CommittedCandidateReceiptV2, CompactStatement, CoreIndex, GroupIndex, Hash,
	HeadData, Header, InherentData, OutboundHrmpMessage, ParaId, PersistedValidationData, SchedulerParams,
	SigningContext, SigningPayload, UncheckedSigned, UncheckedSignedAvailabilityBitfield, ValidationCode,
	ValidatorId, ValidatorIndex, ValidatorSignature, ValidityAttestation, MAX_CODE_SIZE, MAX_HEAD_DATA_SIZE,
	MAX_POV_SIZE,
};
use sp_application_crypto::RuntimeAppPublic;
use sp_runtime::traits::Header as _;

/// The block in which what is measured happens.
pub(crate) const BLOCK: BlockNumber = 10;
/// The para of benchmarks that need one; others have the ids that follow.
pub(crate) const PARA: ParaId = ParaId(2000);
/// What accounts have that pay: more than any deposit.
pub(crate) const FUNDS: Balance = 1 << 100;
/// Bytes of a head: a parachain's header with the digest items of its consensus.
const HEAD_BYTES: usize = 240;
/// Bytes of a message between paras.
const MESSAGE_BYTES: usize = 256;

/// What the macro for benchmarks calls. In Wasm the platform has it only with its own feature for benchmarks, for
/// which all of it would be compiled again.
pub(crate) trait SetBlockNumber<N> {
	/// Sets the number of the current block.
	fn set_block_number(number: N);
}

impl<T: frame_system::Config> SetBlockNumber<BlockNumberFor<T>> for frame_system::Pallet<T> {
	fn set_block_number(number: BlockNumberFor<T>) {
		let pallet = <Self as PalletInfoAccess>::name();
		let key = storage_prefix(pallet.as_bytes(), b"Number");
		unhashed::put(&key, &number);
	}
}

/// Makes the block with this number the current one.
pub(crate) fn start_block<T: frame_system::Config<Hash = Hash>>(number: BlockNumber) -> Header {
	let parent = Header::new(
		number.saturating_sub(1),
		Default::default(),
		Hash::repeat_byte(1),
		Hash::repeat_byte(2),
		Default::default(),
	);
	// Blocks are begun in a row only.
	<frame_system::Pallet<T> as SetBlockNumber<_>>::set_block_number(parent.number.into());
	let number = BlockNumberFor::<T>::from(number);
	frame_system::Pallet::<T>::initialize(&number, &parent.hash(), &Default::default());
	parent
}

/// Activates a configuration that allows as much as can be allowed, with so many cores.
pub(crate) fn configure<T: configuration::Config>(num_cores: u32) -> HostConfiguration {
	let config = HostConfiguration {
		max_code_size: MAX_CODE_SIZE,
		max_head_data_size: MAX_HEAD_DATA_SIZE,
		max_pov_size: MAX_POV_SIZE,
		max_upward_queue_count: 10_000,
		max_upward_queue_size: 10_000_000,
		max_upward_message_size: 65_000,
		max_upward_message_num_per_candidate: 100,
		hrmp_max_message_num_per_candidate: 100,
		hrmp_max_parachain_inbound_channels: configuration::HRMP_MAX_CHANNELS_BOUND,
		hrmp_max_parachain_outbound_channels: configuration::HRMP_MAX_CHANNELS_BOUND,
		hrmp_sender_deposit: 1_000_000_000_000,
		hrmp_recipient_deposit: 1_000_000_000_000,
		hrmp_channel_max_capacity: 1_000,
		hrmp_channel_max_total_size: 1_000_000,
		hrmp_channel_max_message_size: 100_000,
		validation_upgrade_cooldown: 100,
		validation_upgrade_delay: 20,
		minimum_validation_upgrade_delay: 20,
		code_retention_period: 1_000,
		minimum_backing_votes: paras_inherent::UPGRADE_VOTES,
		async_backing_params: AsyncBackingParams { max_candidate_depth: 3, allowed_ancestry_len: 2 },
		scheduler_params: SchedulerParams {
			num_cores,
			group_rotation_frequency: 10_000,
			paras_availability_period: 4,
			lookahead: 3,
			on_demand_queue_max_size: 10_000,
			..Default::default()
		},
		..Default::default()
	};
	configuration::ActiveConfig::<T>::put(&config);
	configuration::PendingConfigs::<T>::kill();
	config
}

/// Code of so many bytes; other code for another `fill`.
pub(crate) fn code(bytes: u32, fill: u8) -> ValidationCode {
	ValidationCode(vec![fill; bytes as usize])
}

/// The code that paras have.
pub(crate) fn old_code() -> ValidationCode {
	code(1_000, 1)
}

/// A head of usual size.
pub(crate) fn head(fill: u8) -> HeadData {
	HeadData(vec![fill; HEAD_BYTES])
}

/// Registers a para, as genesis does.
pub(crate) fn register<T: paras::Config>(para: ParaId, lifecycle: ParaLifecycle) {
	let code = old_code();
	let hash = code.hash();
	paras::ParaLifecycles::<T>::insert(para, lifecycle);
	paras::Heads::<T>::insert(para, head(0));
	paras::MostRecentContext::<T>::insert(para, 0);
	paras::CurrentCodeHash::<T>::insert(para, hash);
	paras::CodeByHash::<T>::insert(hash, code);
	paras::CodeByHashRefs::<T>::mutate(hash, |refs| *refs += 1);
}

/// Opens channels from a para to so many others; returns messages into each of them.
pub(crate) fn open_channels<T: hrmp::Config>(sender: ParaId, n: u32) -> Vec<OutboundHrmpMessage<ParaId>> {
	let recipients: Vec<_> = (0..n).map(|i| ParaId(5000 + i)).collect();
	hrmp::HrmpEgressChannelsIndex::<T>::insert(sender, &recipients);
	for recipient in &recipients {
		let channel = HrmpChannel {
			max_capacity: 1_000,
			max_total_size: 1_000_000,
			max_message_size: 100_000,
			msg_count: 0,
			total_size: 0,
			mqc_head: None,
			sender_deposit: 0,
			recipient_deposit: 0,
		};
		hrmp::HrmpChannels::<T>::insert(HrmpChannelId { sender, recipient: *recipient }, channel);
	}
	let data = vec![1; MESSAGE_BYTES];
	recipients.into_iter().map(|recipient| OutboundHrmpMessage { recipient, data: data.clone() }).collect()
}

/// Upward messages.
pub(crate) fn upward_messages(n: u32) -> Vec<Vec<u8>> {
	vec![vec![1; MESSAGE_BYTES]; n as usize]
}

/// A candidate that waits for availability, of the `index`-th para on the core of the same index.
pub(crate) fn pending<T: shared::Config>(
	index: u32,
	commitments: CandidateCommitments,
) -> CandidatePendingAvailability {
	let n_validators = shared::ActiveValidatorKeys::<T>::decode_len().unwrap_or(0);
	let hash = Hash::repeat_byte(3);
	let descriptor = CandidateDescriptorV2::new_v2(
		ParaId(PARA.0 + index),
		hash,
		CoreIndex(index),
		shared::CurrentSessionIndex::<T>::get(),
		hash,
		hash,
		hash,
		commitments.head_data.hash(),
		old_code().hash(),
	);
	let mut backers = BitVec::repeat(false, n_validators);
	backers.iter_mut().take(3).for_each(|mut backer| *backer = true);
	CandidatePendingAvailability {
		core: CoreIndex(index),
		hash: headway_primitives::CandidateHash(hash),
		descriptor,
		commitments,
		availability_votes: BitVec::repeat(false, n_validators),
		backers,
		relay_parent_number: BLOCK - 2,
		backed_in_number: BLOCK - 1,
		backing_group: GroupIndex(index),
	}
}

/// A chain whose validators can sign, and on which each core is held by a para of its own.
pub(crate) struct World<T> {
	/// Keys of the active validators, in their order.
	keys: Vec<ValidatorId>,
	parent: Header,
	_marker: PhantomData<T>,
}

impl<T: paras_inherent::Config> World<T> {
	/// A chain in block [`BLOCK`].
	pub(crate) fn new(n_validators: u32, n_cores: u32) -> Self {
		start_block::<T>(1);
		configure::<T>(n_cores);
		scheduler::CoreDescriptors::<T>::kill();
		// From a seed: to make one up, the keystore would stretch a phrase.
		let validators: Vec<_> = (1..=n_validators)
			.map(|seed| ValidatorId::generate_pair(Some(format!("0x{seed:064x}").into_bytes())))
			.collect();
		initializer::BufferedSessionChanges::<T>::put(vec![BufferedSessionChange {
			queued: validators.clone(),
			validators,
			session_index: shared::CurrentSessionIndex::<T>::get(),
		}]);
		initializer::Pallet::<T>::apply_buffered_session();
		for index in 0..n_cores {
			let para = ParaId(PARA.0 + index);
			register::<T>(para, ParaLifecycle::Parachain);
			let assignment = vec![(CoreAssignment::Task(para.0), PartsOf57600::FULL)];
			// Cores without a schedule take any.
			let assigned = scheduler::Pallet::<T>::assign_core(CoreIndex(index), 2, assignment, None);
			assert!(assigned.is_ok(), "nothing is scheduled on the core");
		}
		let parent = start_block::<T>(BLOCK);
		Self { keys: shared::ActiveValidatorKeys::<T>::get(), parent, _marker: PhantomData }
	}

	/// Has the first `n` cores occupied.
	pub(crate) fn occupied(self, n: u32) -> Self {
		for index in 0..n {
			let commitments = CandidateCommitments { head_data: head(1), ..Default::default() };
			let pending = vec![pending::<T>(index, commitments)];
			inclusion::PendingAvailability::<T>::insert(ParaId(PARA.0 + index), pending);
		}
		self
	}

	/// Data of the inherent without anything in it.
	pub(crate) fn data(&self) -> InherentData<Header> {
		InherentData {
			bitfields: Vec::new(),
			backed_candidates: Vec::new(),
			disputes: Vec::new(),
			parent_header: self.parent.clone(),
		}
	}

	/// A validator's signature.
	pub(crate) fn sign(&self, validator: ValidatorIndex, payload: &[u8]) -> ValidatorSignature {
		self.keys[validator.0 as usize].sign(&payload).expect("the key is in the keystore")
	}

	fn context(&self) -> SigningContext {
		SigningContext {
			session_index: shared::CurrentSessionIndex::<T>::get(),
			parent_hash: self.parent.hash(),
		}
	}

	/// A bitfield with all bits set, or with none.
	pub(crate) fn bitfield(&self, validator: u32, full: bool) -> UncheckedSignedAvailabilityBitfield {
		let validator_index = ValidatorIndex(validator);
		let n_cores = scheduler::Pallet::<T>::n_cores() as usize;
		let payload = AvailabilityBitfield(BitVec::repeat(full, n_cores));
		let signature = self.sign(validator_index, &payload.signing_payload(&self.context()));
		UncheckedSigned { payload, validator_index, signature }
	}

	/// The next candidate of the first para, with so many votes.
	pub(crate) fn candidate(
		&self,
		votes: u32,
		commit: impl FnOnce(&mut CandidateCommitments),
	) -> BackedCandidate {
		let core = CoreIndex(0);
		let relay_parent_number = now::<T>() - 1;
		let data = PersistedValidationData {
			parent_head: head(0),
			relay_parent_number,
			relay_parent_storage_root: self.parent.state_root,
			max_pov_size: configuration::ActiveConfig::<T>::get().max_pov_size,
		};
		let mut commitments = CandidateCommitments {
			head_data: head(1),
			hrmp_watermark: relay_parent_number,
			..Default::default()
		};
		commit(&mut commitments);
		let context = self.context();
		let descriptor = CandidateDescriptorV2::new_v2(
			PARA,
			self.parent.hash(),
			core,
			context.session_index,
			data.hash(),
			Hash::repeat_byte(1),
			Hash::repeat_byte(2),
			commitments.head_data.hash(),
			old_code().hash(),
		);
		let receipt = CommittedCandidateReceiptV2 { descriptor, commitments };
		let group = scheduler::Pallet::<T>::group_assigned_to_core(core, relay_parent_number + 1)
			.and_then(scheduler::Pallet::<T>::group_validators)
			.expect("the core has a group");
		let hash = receipt.hash();
		let mut indices = BitVec::<u8, Lsb0>::repeat(false, group.len());
		let votes = group
			.iter()
			.enumerate()
			.take(votes as usize)
			.map(|(position, validator)| {
				indices.set(position, true);
				let sign =
					|statement: CompactStatement| self.sign(*validator, &statement.signing_payload(&context));
				match position {
					0 => ValidityAttestation::Implicit(sign(CompactStatement::Seconded(hash))),
					_ => ValidityAttestation::Explicit(sign(CompactStatement::Valid(hash))),
				}
			})
			.collect();
		BackedCandidate::new(receipt, votes, indices, core)
	}
}
