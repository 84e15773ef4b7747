//! The loop: at each new best relay block, build and hand over.

use crate::{
	chain::{choose_parent, lost_parent, Effects, OwnBlocks, Parent},
	cli::CollatorArgs,
	fault::{self, Fault, Faults},
	leaf::{self, Leaf},
	metrics::Metrics,
	traffic::{self, Outgoing},
};
use async_trait::async_trait;
use codec::{Decode, Encode};
use futures::{FutureExt, StreamExt};
use headway_machine::{Collation, Reason, Stage, SubmitSegment, SubmittedCollation, Trace};
use headway_metronome_pvf::{build, transition, CoreSelection, Head};
use headway_primitives::{
	runtime_api::ParachainHost, Block, BlockData, CandidateDescriptorVersion, Hash, HeadData,
	HorizontalMessages, OutboundHrmpMessage, ParaId, PersistedValidationData, PoV, UpwardMessages,
	ValidationCode,
};
use rand_chacha::{
	rand_core::{RngCore, SeedableRng},
	ChaCha8Rng,
};
use sc_client_api::BlockchainEvents;
use sp_api::ProvideRuntimeApi;
use sp_blockchain::HeaderBackend;
use sp_crypto_hashing::blake2_256;
use std::{
	sync::Arc,
	time::{Duration, Instant},
};
use tokio::sync::broadcast;

/// What the collator needs of the node around it, beside the client.
#[async_trait]
pub trait Relay: Send + Sync {
	/// Candidates are to be made for this para. False if the node is shutting down.
	async fn collate_on(&self, para: ParaId) -> bool;
	/// Hands over blocks, as soon as the machines know their relay block. False if the node is shutting down.
	async fn submit(&self, segment: SubmitSegment) -> bool;
	/// Collations of this relay parent, which are not submitted yet, are offered to validators only when it has left the view:
	/// [`Fault::Late`].
	fn hold_back(&self, relay_parent: Hash);
	/// What happens to candidates from now on.
	fn traces(&self) -> broadcast::Receiver<Arc<Trace>>;
	/// Whether the node is far behind the chain.
	fn is_major_syncing(&self) -> bool;
}

/// How long to wait for word of a submission; blocks are built once per relay block anyway.
const WORD_TIMEOUT: Duration = Duration::from_secs(6);
/// Of the largest proof of validity, what is left for what surrounds the payload, bytes.
const POV_OVERHEAD: u64 = 4096;
/// Bytes that tell blocks on the same parent apart.
const FORK_BYTES: u64 = 8;
/// How long the speed of this machine is measured.
const CALIBRATION: Duration = Duration::from_millis(50);

/// The collator.
pub struct Metronome<Client> {
	client: Arc<Client>,
	relay: Arc<dyn Relay>,
	para: ParaId,
	dials: Dials,
	outgoing: Arc<Outgoing>,
	blocks: OwnBlocks,
	faults: Faults,
	metrics: Metrics,
}

/// How heavy blocks are.
#[derive(Clone, Copy, Debug)]
struct Dials {
	work: u64,
	payload_bytes: u64,
	payload_seed: u64,
}

impl Dials {
	/// Another block on the same parent: its bytes differ.
	fn of_a_fork(self) -> Self {
		Self {
			payload_seed: self.payload_seed.wrapping_add(1),
			payload_bytes: self.payload_bytes.max(FORK_BYTES),
			..self
		}
	}
}

impl<Client> Metronome<Client>
where
	Client: HeaderBackend<Block> + ProvideRuntimeApi<Block> + BlockchainEvents<Block> + Send + Sync + 'static,
	Client::Api: ParachainHost<Block>,
{
	/// A collator, not running yet. Measures how fast this machine is, if it shall work.
	///
	/// # Errors
	///
	/// If the file with the code to upgrade to cannot be read.
	pub fn new(
		args: &CollatorArgs,
		client: Arc<Client>,
		relay: Arc<dyn Relay>,
		metrics: Metrics,
	) -> std::io::Result<Self> {
		let dials = Dials {
			work: rounds(args.work_ms),
			payload_bytes: args.pov_kib.saturating_mul(1024),
			payload_seed: args.payload_seed,
		};
		let recipients = args.send_to.iter().copied().map(ParaId).collect();
		let outgoing = Arc::new(Outgoing::new(recipients, args.send_every, args.upgrade_code()?));
		let (blocks, faults) = (OwnBlocks::default(), Faults::new(args.fault, args.fault_after));
		Ok(Self { client, relay, para: args.para(), dials, outgoing, blocks, faults, metrics })
	}

	/// Collates until the node shuts down.
	pub async fn run(mut self) {
		let mut imported = self.client.import_notification_stream();
		if !self.relay.collate_on(self.para).await {
			return;
		}
		tracing::info!(target: "metronome", para = self.para.0, ?self.dials, "collating");
		let mut leaf = Some(self.client.info().best_hash);
		loop {
			if let Some(hash) = leaf.take().filter(|_| !self.relay.is_major_syncing()) {
				self.on_leaf(hash).await;
			}
			// Only the newest one: what came while blocks were built is history.
			let Some(mut newest) = imported.next().await.map(Some) else { return };
			while let Some(block) = newest {
				if block.is_new_best {
					leaf = Some(block.hash);
				}
				newest = imported.next().now_or_never().flatten();
			}
		}
	}

	async fn on_leaf(&mut self, hash: Hash) {
		let (client, para) = (self.client.clone(), self.para);
		let leaf = match blocking(move || leaf::read(&*client, hash, para)).await {
			Some(Ok(Some(leaf))) => leaf,
			Some(Ok(None)) => {
				tracing::debug!(target: "metronome", ?hash, para = para.0, "para has no core, or is not registered");
				return;
			},
			Some(Err(error)) => {
				tracing::warn!(target: "metronome", ?hash, %error, "relay block cannot be read");
				return;
			},
			None => return,
		};
		if let Ok(included) = Head::decode(&mut &leaf.on_chain.included.0[..]) {
			self.metrics.on_included(included.number);
		}
		// In synchronous mode the second core would need an included head of its own.
		let cores = if leaf.on_chain.synchronous { 1 } else { leaf.cores.len() };
		for core in 0..cores {
			let mut fault = self.faults.due();
			let lost = lost_parent(&leaf.on_chain).filter(|_| fault == Some(Fault::LosingFork));
			fault = fault.filter(|fault| *fault != Fault::LosingFork || lost.is_some());
			let parent = match lost.map_or_else(|| choose_parent(&leaf.on_chain, &self.blocks), Ok) {
				Ok(parent) => parent,
				Err(skip) => {
					self.metrics.on_skipped(skip);
					tracing::debug!(target: "metronome", relay_block = leaf.number, "no block built: {skip}");
					return;
				},
			};
			if !self.build_at(&leaf, core, parent, fault).await {
				return;
			}
		}
	}

	/// Builds a block for one of the para's cores and hands it over. Answers whether it became a candidate.
	async fn build_at(&mut self, leaf: &Leaf, core: usize, parent: Parent, fault: Option<Fault>) -> bool {
		let start = Instant::now();
		let (mut dials, para, unincluded) = (self.dials, self.para, parent.unincluded.len());
		if fault == Some(Fault::LosingFork) {
			dials = dials.of_a_fork();
		}
		let (outgoing, shared_leaf) = (self.outgoing.clone(), leaf.clone());
		let built = blocking(move || block_for(&dials, &outgoing, para, &shared_leaf, core, &parent)).await;
		let Some(mut made) = built.flatten() else { return false };
		match fault {
			Some(Fault::InvalidPov) => fault::spoil(&mut made),
			Some(Fault::Late) => self.relay.hold_back(leaf.hash),
			Some(Fault::LosingFork) | None => {},
		}
		let Made { head, effects, received, segment } = made;
		let (number, hash) = (head.number, head.hash());
		if fault.is_none() {
			self.blocks.insert(head, leaf.hash, effects);
		}
		if !self.hand_over(segment, leaf.hash).await {
			self.blocks.remove(&hash);
			self.metrics.on_dropped();
			return false;
		}
		self.faults.built(fault);
		self.metrics.on_built(number, &effects, received);
		if let Some(fault) = fault {
			tracing::warn!(target: "metronome", relay_block = leaf.number, ?fault, "block #{number} is faulty, on purpose");
		}
		tracing::info!(
			target: "metronome",
			relay_block = leaf.number, core = leaf.cores.get(core).map(|core| core.0), unincluded,
			downward = effects.processed_downward, received, sent = effects.sent, proposes_code = effects.proposes_code,
			hash = ?Hash::from(hash), ms = start.elapsed().as_millis() as u64,
			"built block #{number}",
		);
		true
	}

	/// Submits. Answers whether candidates were made of it.
	async fn hand_over(&self, segment: SubmitSegment, leaf: Hash) -> bool {
		let mut traces = self.relay.traces();
		let word = async {
			match self.relay.submit(segment).await {
				true => Some(word_of(&mut traces, leaf).await),
				false => None,
			}
		};
		match tokio::time::timeout(WORD_TIMEOUT, word).await {
			Ok(Some(Word::Built | Word::Lost)) => true,
			Ok(Some(Word::Dropped(reason))) => {
				tracing::warn!(target: "metronome", ?leaf, reason = reason.label(), "block was refused");
				false
			},
			Ok(None) => false,
			Err(_) => {
				tracing::warn!(target: "metronome", ?leaf, "no word of a block that was handed over");
				false
			},
		}
	}
}

/// What became of a submission.
enum Word {
	Built,
	Dropped(Reason),
	/// Traces were lost, and the word may be among them.
	Lost,
}

async fn word_of(traces: &mut broadcast::Receiver<Arc<Trace>>, leaf: Hash) -> Word {
	loop {
		let trace = match traces.recv().await {
			Ok(trace) => trace,
			Err(_) => return Word::Lost,
		};
		if trace.scheduling_parent != Some(leaf) || trace.subsystem != "collation-generation" {
			continue;
		}
		match trace.stage {
			Stage::Built => return Word::Built,
			Stage::Dropped(reason) => return Word::Dropped(reason),
			_ => {},
		}
	}
}

/// A block, and what its collator needs to know of it.
pub(crate) struct Made {
	head: Head,
	effects: Effects,
	/// Messages of other paras that it processes.
	received: usize,
	pub(crate) segment: SubmitSegment,
}

/// The block for one of the para's cores, ready to be submitted.
fn block_for(
	dials: &Dials,
	outgoing: &Outgoing,
	para: ParaId,
	leaf: &Leaf,
	core: usize,
	parent: &Parent,
) -> Option<Made> {
	let core_index = *leaf.cores.get(core)?;
	let Parent { head: parent, unincluded } = parent;
	let traffic = traffic::traffic(leaf, outgoing, para, parent.number.saturating_add(1), unincluded);
	let effects = Effects {
		relay_parent_number: leaf.validation_data.relay_parent_number,
		processed_downward: traffic.downward.len() as u32,
		sent: traffic.outbound.len() as u32,
		proposes_code: traffic.new_code.is_some(),
	};
	let received = traffic.horizontal.len();
	let horizontal_messages: Vec<_> = traffic
		.outbound
		.iter()
		.map(|(recipient, data)| OutboundHrmpMessage { recipient: ParaId(*recipient), data: data.clone() })
		.collect();
	let new_validation_code = traffic.new_code.clone().map(ValidationCode);

	let room = u64::from(leaf.validation_data.max_pov_size)
		.saturating_sub(POV_OVERHEAD)
		.saturating_sub(traffic.encoded_size() as u64);
	let payload = payload(dials.payload_seed, &parent.hash(), dials.payload_bytes.min(room) as usize);
	let select_core = (leaf.cores.len() > 1)
		.then(|| Some(CoreSelection { selector: u8::try_from(core).ok()?, claim_queue_offset: 0 }))
		.flatten();
	let built = build(parent, dials.work, select_core, payload, traffic).ok()?;
	let collation = Collation {
		upward_messages: UpwardMessages::try_from(built.upward_messages).ok()?,
		horizontal_messages: HorizontalMessages::try_from(horizontal_messages).ok()?,
		new_validation_code,
		head_data: HeadData(built.head.encode()),
		pov: PoV { block_data: BlockData(built.block.encode()) },
		processed_downward_messages: effects.processed_downward,
		hrmp_watermark: effects.relay_parent_number,
	};
	let validation_data =
		PersistedValidationData { parent_head: HeadData(parent.encode()), ..leaf.validation_data.clone() };
	let submitted = SubmittedCollation {
		collation,
		relay_parent: leaf.hash,
		validation_data,
		validation_code_hash: traffic::validation_code_hash(leaf, unincluded),
		session_index: leaf.session_index,
	};
	let segment = SubmitSegment {
		scheduling_parent: leaf.hash,
		core_index,
		descriptor_version: CandidateDescriptorVersion::V2,
		collations: vec![submitted],
	};
	Some(Made { head: built.head, effects, received, segment })
}

/// Bytes that do not compress, the same each time for the same seed and parent.
fn payload(seed: u64, parent: &[u8; 32], len: usize) -> Vec<u8> {
	let mut rng = ChaCha8Rng::from_seed((seed, parent).using_encoded(blake2_256));
	let mut bytes = vec![0; len];
	rng.fill_bytes(&mut bytes);
	bytes
}

/// Rounds of work that take about as long on this machine. Validators' may be faster or slower: it is a dial, not a measure.
fn rounds(work_ms: u64) -> u64 {
	if work_ms == 0 {
		return 0;
	}
	const STEP: u64 = 10_000;
	let (start, mut done, mut accumulator) = (Instant::now(), 0, [0; 32]);
	while start.elapsed() < CALIBRATION {
		transition::work(&mut accumulator, STEP);
		done += STEP;
	}
	let per_ms = done / (start.elapsed().as_millis() as u64).max(1);
	// The result is used, so that the work cannot be optimised away.
	tracing::debug!(target: "metronome", per_ms, ?accumulator, "speed measured");
	per_ms.saturating_mul(work_ms)
}

/// Runs what takes long where it disturbs nobody. None if it panicked, or the node is shutting down.
async fn blocking<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Option<R> {
	tokio::task::spawn_blocking(work).await.ok()
}

#[cfg(test)]
mod tests;
