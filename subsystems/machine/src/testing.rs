//! For tests: builders of contexts, keys and candidates, [`Driven`], which runs a machine under virtual time, and [`Bytes`], which
//! decide what happens to it.

use crate::{
	BlockContext, Effects, LeafContext, PeerId, Reason, SessionContext, Signer, Sr25519Verifier, Stage,
	Subsystem, Timestamp, Trace, Verifier,
};
use headway_primitives::{
	constraints::Constraints, transpose_claim_queue, AsyncBackingParams, ClaimQueue, ExecutorParams,
	GroupRotationInfo, Hash, HeadData, NodeFeatures, SessionInfo, ValidationCodeHash, ValidatorId,
	ValidatorIndex, ValidatorPair, ValidatorSignature,
};
use sp_core::{
	crypto::{DeriveJunction, DEV_PHRASE},
	ByteArray, Pair,
};
use std::{
	collections::BTreeMap,
	fmt::Debug,
	sync::{Arc, OnceLock},
	time::Duration,
};

/// Keys of `n` validators, `//Validator0` and so on.
pub fn validator_keys(n: u32) -> Vec<ValidatorPair> {
	// To make a key of the phrase takes long on purpose, so that is done once.
	static ROOT: OnceLock<ValidatorPair> = OnceLock::new();
	let root = ROOT.get_or_init(|| ValidatorPair::from_string(DEV_PHRASE, None).expect("valid phrase"));
	let key = |i| {
		let path = DeriveJunction::from(format!("/Validator{i}"));
		root.derive([path].into_iter(), None).expect("hard derivation works").0
	};
	(0..n).map(key).collect()
}

/// Holds key pairs.
pub struct TestSigner(pub Vec<ValidatorPair>);

impl Signer for TestSigner {
	fn sign(&self, key: &ValidatorId, message: &[u8]) -> Option<ValidatorSignature> {
		self.0.iter().find(|pair| pair.public() == *key).map(|pair| pair.sign(message))
	}
}

/// The protocol's verifier.
pub fn verifier() -> Arc<dyn Verifier> {
	Arc::new(Sr25519Verifier)
}

/// A peer id made of a number.
pub fn peer(n: u8) -> PeerId {
	PeerId::from_bytes(&[n; 32])
}

/// A hash made of a number.
pub fn hash(n: u64) -> Hash {
	Hash::from_low_u64_be(n)
}

/// A session of `groups`, whose local validator is `local`.
pub fn session(
	index: u32,
	keys: &[ValidatorPair],
	groups: Vec<Vec<u32>>,
	local: Option<u32>,
) -> Arc<SessionContext> {
	let discovery = |i: usize| {
		let mut raw = [0; 32];
		raw[..8].copy_from_slice(&(i as u64 + 1).to_le_bytes());
		headway_primitives::AuthorityDiscoveryId::from_slice(&raw).expect("32 bytes")
	};
	let n_cores = groups.len() as u32;
	let info = SessionInfo {
		active_validator_indices: (0..keys.len() as u32).map(ValidatorIndex).collect(),
		random_seed: [0; 32],
		dispute_period: 6,
		validators: keys.iter().map(|pair| pair.public()).collect(),
		discovery_keys: (0..keys.len()).map(discovery).collect(),
		assignment_keys: Vec::new(),
		validator_groups: groups.into_iter().map(|g| g.into_iter().map(ValidatorIndex).collect()).collect(),
		n_cores,
		zeroth_delay_tranche_width: 0,
		relay_vrf_modulo_samples: 2,
		n_delay_tranches: 25,
		no_show_slots: 2,
		needed_approvals: 2,
	};
	Arc::new(SessionContext {
		index,
		info,
		executor_params: Arc::new(ExecutorParams::default()),
		local_validator: local.map(ValidatorIndex),
		local_discovery_index: local,
		topology_randomness: [0; 32],
	})
}

/// A relay block `number` with hash `hash(number)`, parent `hash(number - 1)`, groups that never rotate.
pub fn block(number: u32, session: &Arc<SessionContext>, claim_queue: ClaimQueue) -> BlockContext {
	BlockContext {
		hash: hash(number.into()),
		number,
		parent_hash: hash(u64::from(number).saturating_sub(1)),
		state_root: hash(1_000_000 + u64::from(number)),
		slot: number.into(),
		session: session.clone(),
		transposed_claim_queue: transpose_claim_queue(&claim_queue),
		claim_queue,
		group_rotation: GroupRotationInfo {
			session_start_block: 0,
			group_rotation_frequency: 0,
			now: number + 1,
		},
		disabled_validators: Vec::new(),
		minimum_backing_votes: 2,
		node_features: NodeFeatures::new(),
	}
}

/// A leaf without paras, under asynchronous backing with the given ancestry (newest first).
pub fn leaf(block: BlockContext, allowed_ancestry: Vec<Arc<BlockContext>>) -> LeafContext {
	LeafContext {
		recent_ancestors: allowed_ancestry.iter().map(|block| block.hash).take(3).collect(),
		scheduling_lookahead: 3,
		async_backing_params: AsyncBackingParams { max_candidate_depth: 3, allowed_ancestry_len: 2 },
		availability_cores: Vec::new(),
		paras: BTreeMap::new(),
		candidate_events: Vec::new(),
		block: Arc::new(block),
		allowed_ancestry,
	}
}

/// What a candidate on `required_parent` has to respect: there is room for a little of everything, nothing is on the way,
/// and the code is all zero.
pub fn constraints(required_parent: HeadData) -> Constraints {
	Constraints {
		min_relay_parent_number: 0,
		max_pov_size: 1000,
		max_code_size: 1000,
		max_head_data_size: 100,
		ump_remaining: 10,
		ump_remaining_bytes: 1000,
		max_ump_num_per_candidate: 10,
		dmp_remaining_messages: Vec::new(),
		hrmp_inbound: Default::default(),
		hrmp_channels_out: Vec::new(),
		max_hrmp_num_per_candidate: 10,
		required_parent,
		validation_code_hash: ValidationCodeHash(Hash::zero()),
		upgrade_restriction: None,
		future_validation_code: None,
	}
}

/// What is around a machine in a test: its neighbours, a disk, slow work.
pub trait World<M: Subsystem> {
	/// What becomes of an effect.
	fn answer(&mut self, effect: M::Effect) -> Answer<M::Event, M::Effect>;
}

/// What becomes of an effect.
pub enum Answer<Event, Effect> {
	/// It is answered at once.
	Event(Event),
	/// It is the test's to look at.
	Show(Effect),
	/// The world keeps it.
	Later,
}

/// A world that answers nothing: the test sees all effects.
impl<M: Subsystem> World<M> for () {
	fn answer(&mut self, effect: M::Effect) -> Answer<M::Event, M::Effect> {
		Answer::Show(effect)
	}
}

/// A machine under virtual time, whose questions its world answers.
pub struct Driven<M, W> {
	/// The machine.
	pub machine: M,
	/// What is around it.
	pub world: W,
	/// The time.
	pub now: Timestamp,
	/// All traces so far.
	pub traces: Vec<Trace>,
	/// All effects so far, one per line: what is compared where the same events must give the same effects.
	pub log: String,
}

impl<M, W> Driven<M, W>
where
	M: Subsystem,
	M::Effect: Debug,
	W: World<M>,
{
	/// A machine to which nothing has happened yet.
	pub fn new(machine: M, world: W, now: Timestamp) -> Self {
		Self { machine, world, now, traces: Vec::new(), log: String::new() }
	}

	/// Sends an event. Returns the effects that are left when the world has answered all that it answers.
	pub fn send(&mut self, event: M::Event) -> Vec<M::Effect> {
		let mut effects = Effects::new();
		self.machine.handle(self.now, event, &mut effects);
		self.settle(effects)
	}

	/// Lets time pass, and the machine notice it. Returns effects as [`Self::send`] does.
	///
	/// # Panics
	///
	/// If the machine wants to be told again at once.
	pub fn advance(&mut self, ms: u64) -> Vec<M::Effect> {
		self.now = self.now + Duration::from_millis(ms);
		let mut effects = Effects::new();
		self.machine.tick(self.now, &mut effects);
		assert!(self.machine.next_deadline().is_none_or(|due| due > self.now), "a tick moves the deadline");
		self.settle(effects)
	}

	/// Whether something was dropped for this reason.
	pub fn dropped_because(&self, reason: Reason) -> bool {
		self.traces.iter().any(|trace| trace.stage == Stage::Dropped(reason))
	}

	/// Has the world answer effects, and then those of its answers. Returns those that are left.
	///
	/// # Panics
	///
	/// If a container of the machine holds more than its bound.
	pub fn settle(&mut self, mut effects: Effects<M::Effect>) -> Vec<M::Effect> {
		let mut shown = Vec::new();
		while let Some(effect) = effects.pop() {
			self.log.push_str(&format!("{effect:?}\n"));
			match self.world.answer(effect) {
				Answer::Event(event) => self.machine.handle(self.now, event, &mut effects),
				Answer::Show(effect) => shown.push(effect),
				Answer::Later => {},
			}
		}
		self.traces.extend(effects.take_traces());
		assert_eq!(self.machine.sizes().exceeded(), None);
		shown
	}
}

/// Makes decisions of bytes: whoever draws the bytes, at random or with a purpose, draws the decisions.
///
/// When the bytes are used up, every further decision is the first of those that it is one of.
#[derive(Clone, Debug)]
pub struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
	/// All decisions are in these bytes.
	pub fn new(bytes: &'a [u8]) -> Self {
		Self(bytes)
	}

	/// Whether they are used up.
	pub fn is_empty(&self) -> bool {
		self.0.is_empty()
	}

	/// Makes something as often as there are bytes for. `make` has to use some.
	pub fn all<T>(mut self, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
		std::iter::from_fn(|| (!self.is_empty()).then(|| make(&mut self))).collect()
	}

	/// A number below `n`, which is not zero.
	pub fn below(&mut self, n: usize) -> usize {
		let (mut number, mut range) = (0usize, 1usize);
		while range < n.max(2) {
			let Some((first, rest)) = self.0.split_first() else { break };
			self.0 = rest;
			number = number << 8 | usize::from(*first);
			range = range.saturating_mul(256);
		}
		number % n
	}

	/// Yes or no.
	pub fn coin(&mut self) -> bool {
		self.below(2) == 1
	}

	/// Whether what happens one time in `n` happens.
	pub fn one_in(&mut self, n: usize) -> bool {
		self.below(n) == n - 1
	}

	/// A number of a range.
	pub fn within(&mut self, range: std::ops::Range<u32>) -> u32 {
		range.start + self.below(range.len()) as u32
	}

	/// One of several.
	pub fn one_of<T: Clone>(&mut self, several: &[T]) -> T {
		several[self.below(several.len())].clone()
	}

	/// At most `max` things.
	pub fn some<T>(&mut self, max: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
		(0..self.below(max + 1)).map(|_| make(self)).collect()
	}
}

/// Checks a machine on the events that arbitrary bytes stand for: in a property test, which draws the bytes, and, with the
/// feature `fuzzing`, in a function `check_arbitrary` for a fuzz target.
///
/// `steps` are what the named function makes of [`Bytes`]; the body has to panic if the machine breaks what it promises.
/// `fewer_cases` divides the number of cases, for what takes long.
#[macro_export]
macro_rules! arbitrary_events {
	(
		#[test]
		fn $test:ident($steps:ident: $step:path, bytes: $lengths:expr $(, fewer_cases: $share:literal)?) $body:block
	) => {
		/// For fuzz targets: runs the machine on the events that the bytes stand for.
		///
		/// # Panics
		///
		/// If the machine breaks what it promises.
		#[cfg(feature = "fuzzing")]
		pub fn check_arbitrary(bytes: &[u8]) {
			let $steps = $crate::testing::Bytes::new(bytes).all($step);
			$body
		}

		#[cfg(test)]
		::proptest::proptest! {
			#![proptest_config(::proptest::test_runner::Config {
				cases: ::proptest::test_runner::Config::default().cases $(/ $share)?,
				failure_persistence: None,
				..Default::default()
			})]

			#[test]
			fn $test(
				$steps in ::proptest::strategy::Strategy::prop_map(
					::proptest::collection::vec(::proptest::arbitrary::any::<u8>(), $lengths),
					|bytes| $crate::testing::Bytes::new(&bytes).all($step),
				)
			) $body
		}
	};
}
