//! What the machines are told of the chain, and in which order.

use super::{
	double::{Chain, Says},
	*,
};
use headway_primitives::{FeatureIndex, ParaId};
use parking_lot::Mutex;
use sp_keystore::testing::MemoryKeystore;
use std::{collections::VecDeque, time::Duration};

/// Follows a chain, and holds what it tells.
struct Follower {
	chain: Arc<Chain>,
	events: mpsc::Receiver<ChainEvent>,
}

impl Follower {
	/// `syncs` says for each imported block, in order, whether the node is far behind then; it never is after the last one.
	fn new(chain: Arc<Chain>, syncs: &[bool]) -> Self {
		let (sender, events) = mpsc::channel(1);
		let syncs = Mutex::new(VecDeque::from(syncs.to_vec()));
		let is_major_syncing = move || syncs.lock().pop_front().unwrap_or(false);
		tokio::spawn(follow(chain.clone(), Arc::new(MemoryKeystore::new()), is_major_syncing, sender));
		Self { chain, events }
	}

	/// A follower that has told of its start.
	async fn started(says: Says, syncs: &[bool]) -> Self {
		let mut follower = Self::new(Chain::new(says), syncs);
		follower.finalized().await;
		follower.leaves().await;
		follower
	}

	async fn next(&mut self) -> ChainEvent {
		let next = tokio::time::timeout(Duration::from_secs(60), self.events.recv()).await;
		next.expect("something happens").expect("the follower runs")
	}

	async fn leaves(&mut self) -> (LeavesUpdate, Option<NewSession>) {
		match self.next().await {
			ChainEvent::Leaves { update, new_session } => (update, new_session),
			other => panic!("{other:?}"),
		}
	}

	async fn finalized(&mut self) -> (Hash, NodeFeatures) {
		match self.next().await {
			ChainEvent::Finalized { hash, node_features, .. } => (hash, node_features),
			other => panic!("{other:?}"),
		}
	}

	/// Imports a block, and returns what the machines are told then.
	async fn import(
		&mut self,
		parent: Hash,
		fork: u8,
		says: Says,
	) -> (Hash, LeavesUpdate, Option<NewSession>) {
		let hash = self.chain.import(parent, fork, says);
		let (update, new_session) = self.leaves().await;
		assert_eq!(update.activated.as_ref().map(|leaf| leaf.block.hash), Some(hash));
		(hash, update, new_session)
	}
}

#[tokio::test]
async fn what_finality_allows_is_told_before_the_first_leaf() {
	let mut node_features = NodeFeatures::repeat(false, FeatureIndex::CandidateReceiptV3 as usize + 1);
	node_features.set(FeatureIndex::CandidateReceiptV3 as usize, true);
	let chain = Chain::new(Says { node_features: node_features.clone(), ..Says::default() });
	let genesis = chain.best();
	// The feature is on in the finalized block; the best one, that of a fork, need not know of it.
	let best = chain.import(genesis, 0, Says::default());
	let mut follower = Follower::new(chain, &[]);
	assert_eq!(follower.finalized().await, (genesis, node_features));
	let (update, _) = follower.leaves().await;
	assert_eq!(update.activated.map(|leaf| leaf.block.hash), Some(best));
}

#[tokio::test]
async fn while_the_node_syncs_no_block_becomes_a_leaf() {
	let mut follower = Follower::started(Says::default(), &[true, true, false]).await;
	let genesis = follower.chain.best();
	let first = follower.chain.import(genesis, 0, Says::default());
	let second = follower.chain.import(first, 0, Says::default());
	let (_, update, _) = follower.import(second, 0, Says::default()).await;
	// Its parent was no leaf.
	assert_eq!(update.deactivated, []);
}

#[tokio::test]
async fn a_child_takes_the_place_of_its_parent_and_finality_ends_other_forks() {
	let mut follower = Follower::started(Says::default(), &[]).await;
	let genesis = follower.chain.best();
	let (left, update, _) = follower.import(genesis, 0, Says::default()).await;
	assert_eq!(update.deactivated, [genesis]);
	let (right, update, _) = follower.import(genesis, 1, Says::default()).await;
	assert_eq!(update.deactivated, []);

	follower.chain.finalize(left);
	let (update, _) = follower.leaves().await;
	assert!(update.activated.is_none());
	assert_eq!(update.deactivated, [right]);
	assert_eq!(follower.finalized().await.0, left);

	// What cannot become final any more is not followed, though it is imported late.
	follower.chain.import(genesis, 2, Says::default());
	let (_, update, _) = follower.import(left, 0, Says::default()).await;
	assert_eq!(update.deactivated, [left]);
}

#[tokio::test]
async fn forks_are_bounded_and_the_oldest_gives_way() {
	let mut follower = Follower::started(Says::default(), &[]).await;
	let genesis = follower.chain.best();
	let (old, ..) = follower.import(genesis, 0, Says::default()).await;
	let (trunk, ..) = follower.import(genesis, 1, Says::default()).await;
	for fork in 0..LEAVES_MAX as u8 - 1 {
		let (_, update, _) = follower.import(trunk, fork, Says::default()).await;
		assert_eq!(update.deactivated, if fork == 0 { vec![trunk] } else { vec![] });
	}
	let (_, update, _) = follower.import(trunk, LEAVES_MAX as u8, Says::default()).await;
	assert_eq!(update.deactivated, [old]);
}

#[tokio::test]
async fn a_session_is_announced_once() {
	let mut follower = Follower::started(Says::default(), &[]).await;
	let mut parent = follower.chain.best();
	for (session, announced) in [(0, None), (1, Some(1)), (1, None), (2, Some(2))] {
		let (hash, _, new_session) = follower.import(parent, 0, Says { session, ..Says::default() }).await;
		assert_eq!(new_session.map(|session| session.index), announced);
		parent = hash;
	}
}

#[tokio::test]
async fn a_session_whose_authorities_cannot_be_read_is_announced_with_the_next_leaf() {
	let mut follower = Follower::started(Says::default(), &[]).await;
	let says = Says { session: 1, ..Says::default() };
	let broken = Says { no_authorities: true, ..says.clone() };
	let (first, _, new_session) = follower.import(follower.chain.best(), 0, broken).await;
	assert!(new_session.is_none());
	let (_, _, new_session) = follower.import(first, 0, says).await;
	assert_eq!(new_session.map(|session| session.index), Some(1));
}

#[tokio::test]
async fn what_the_first_leaf_is_built_on_is_no_leaf_though_its_import_is_told_of_later() {
	let chain = Chain::new(Says::default());
	let genesis = chain.best();
	let parent = chain.import(genesis, 0, Says::default());
	let best = chain.import(parent, 0, Says::default());
	let mut follower = Follower::new(chain, &[]);
	follower.finalized().await;
	let (update, _) = follower.leaves().await;
	assert_eq!(update.activated.map(|leaf| leaf.block.hash), Some(best));
	follower.chain.announce(parent);
	let (_, update, _) = follower.import(best, 0, Says::default()).await;
	assert_eq!(update.deactivated, [best]);
}

#[tokio::test]
async fn a_para_that_the_runtime_fails_on_is_left_out_alone() {
	let paras = vec![ParaId(2000), ParaId(2001)];
	let mut follower = Follower::started(Says { paras: paras.clone(), ..Says::default() }, &[]).await;
	let says = Says { paras, broken: [ParaId(2001)].into(), ..Says::default() };
	let (_, update, _) = follower.import(follower.chain.best(), 0, says).await;
	let leaf = update.activated.expect("checked");
	assert_eq!(leaf.paras.keys().copied().collect::<Vec<_>>(), [ParaId(2000)]);
}

fn hash(n: usize) -> Hash {
	Hash::from_low_u64_be(n as u64)
}

#[test]
fn a_leaf_takes_the_place_of_its_parent_or_of_the_oldest() {
	let mut active = Active::default();
	assert_eq!(active.add(hash(1), 10, None), Some(vec![]));
	assert_eq!(active.add(hash(2), 11, Some(hash(1))), Some(vec![hash(1)]));
	for n in 3..=LEAVES_MAX + 1 {
		assert_eq!(active.add(hash(n), 12, Some(hash(1))), Some(vec![]));
	}
	assert_eq!(active.add(hash(99), 12, Some(hash(1))), Some(vec![hash(2)]));
	assert_eq!(active.0.len(), LEAVES_MAX);
}

#[test]
fn a_leaf_for_which_there_is_no_place_displaces_none_and_is_not_told_of() {
	let mut active = Active::default();
	for n in 1..=LEAVES_MAX {
		active.add(hash(n), 12, None);
	}
	let before = active.0.clone();
	for number in [11, 12] {
		assert_eq!(active.add(hash(99), number, None), None);
	}
	assert_eq!(active.0, before);
	assert_eq!(active.add(hash(99), 12, Some(hash(3))), Some(vec![hash(3)]), "its parent's place");
}

#[test]
fn leaves_below_finality_and_beside_it_go() {
	let mut active = Active::default();
	for (n, number) in [(1, 10), (2, 11), (3, 11), (4, 12)] {
		active.add(hash(n), number, None);
	}
	assert_eq!(active.finalize(hash(3), 11), [hash(1), hash(2)]);
	assert_eq!(active.0.into_keys().collect::<Vec<_>>(), [hash(3), hash(4)]);
}
