use super::*;
use headway_machine::{
	grid::Topology,
	sign,
	wire::{BitfieldMessage, CollationVersion, ValidationMessage, ViewMessage},
	ObservedRole, PeerId, PeerSet, Signer,
};
use headway_primitives::{UncheckedSignedAvailabilityBitfield, ValidatorId, ValidatorSignature};
use std::collections::BTreeSet;

fn network(rig: &mut Rig, event: NetworkEvent) -> Vec<Effect> {
	rig.send(Event::Network(event))
}

/// Peer `n` with the key of validator `n`, looking at some blocks.
fn connect(rig: &mut Rig, n: u8, heads: &[u64]) -> Vec<Effect> {
	let authority_ids = rig.session.info.discovery_keys.get(usize::from(n)).cloned().into_iter().collect();
	network(
		rig,
		NetworkEvent::PeerConnected {
			peer: peer(n),
			set: PeerSet::Validation,
			version: CollationVersion::V3,
			role: ObservedRole::Authority,
			authority_ids,
		},
	);
	view(rig, n, heads)
}

fn view(rig: &mut Rig, n: u8, heads: &[u64]) -> Vec<Effect> {
	let view = ViewMessage { heads: heads.iter().copied().map(hash).collect(), finalized_number: 0 };
	network(rig, NetworkEvent::PeerViewChange { peer: peer(n), set: PeerSet::Validation, view })
}

fn topology(rig: &mut Rig) -> Arc<Topology> {
	let topology = Arc::new(Topology::new(&rig.session.info, &[0; 32], Some(LOCAL)));
	network(rig, NetworkEvent::NewTopology { session: 7, topology: topology.clone() });
	topology
}

fn signed_by(rig: &Rig, validator: u32, bits: &[bool]) -> UncheckedSignedAvailabilityBitfield {
	let context = headway_primitives::SigningContext { session_index: 7, parent_hash: hash(10) };
	let key = &rig.session.info.validators[validator as usize];
	let signer = TestSigner(rig.keys.clone());
	let bits = AvailabilityBitfield(bits.iter().copied().collect());
	sign(&signer, &context, key, ValidatorIndex(validator), bits).unwrap().into_unchecked()
}

fn receive(rig: &mut Rig, from: u8, at: u64, bitfield: &UncheckedSignedAvailabilityBitfield) -> Vec<Effect> {
	let message = ValidationMessage::Bitfield(BitfieldMessage::Bitfield(hash(at), bitfield.clone()));
	network(rig, NetworkEvent::Validation { peer: peer(from), message })
}

fn reputation(effects: &[Effect]) -> Vec<i32> {
	let change = |effect: &Effect| match effect {
		Effect::Network(NetworkEffect::Report { change, .. }) => Some(change.value()),
		_ => None,
	};
	effects.iter().filter_map(change).collect()
}

fn provisioned(effects: &[Effect]) -> Vec<&Signed<AvailabilityBitfield>> {
	let bitfield = |effect: &'_ Effect| matches!(effect, Effect::Bitfield { .. });
	effects
		.iter()
		.filter(|effect| bitfield(effect))
		.map(|effect| match effect {
			Effect::Bitfield { bitfield, .. } => bitfield,
			_ => unreachable!("filtered"),
		})
		.collect()
}

/// Who gets which validator's bitfield.
fn relayed(effects: &[Effect]) -> Vec<(PeerId, u32)> {
	let mut all = Vec::new();
	for effect in effects {
		if let Effect::Network(NetworkEffect::SendValidation { peers, message }) = effect {
			let ValidationMessage::Bitfield(BitfieldMessage::Bitfield(_, bitfield)) = message else {
				panic!()
			};
			all.extend(peers.iter().map(|peer| (peer.clone(), bitfield.validator_index.0)));
		}
	}
	all
}

fn receivers(effects: &[Effect]) -> BTreeSet<PeerId> {
	relayed(effects).into_iter().map(|(peer, _)| peer).collect()
}

/// With an empty leaf 10.
fn rig() -> Rig {
	let mut rig = Rig::new();
	let leaf = rig.leaf(10, vec![CoreState::Free], vec![]);
	rig.activate(leaf, &[]);
	rig
}

#[test]
fn d10_bitfield_is_signed_once_a_while_after_the_leaf() {
	let mut rig = Rig::new();
	let (here, not_here) = (sample(1), sample(2));
	rig.store(&here);
	let leaf = rig.leaf(10, vec![here.occupying(1), not_here.occupying(0), CoreState::Free], vec![]);
	rig.activate(leaf, &[]);
	assert!(provisioned(&rig.advance(1_499)).is_empty());
	let effects = rig.advance(1);
	let signed = provisioned(&effects);
	assert_eq!(signed.len(), 1);
	assert_eq!(signed[0].payload().0, bitvec::bitvec![u8, bitvec::order::Lsb0; 1, 0, 0]);
	assert_eq!(signed[0].validator_index(), ValidatorIndex(LOCAL));
	let context = headway_primitives::SigningContext { session_index: 7, parent_hash: hash(10) };
	assert!(signed[0].as_unchecked().verify(&context, &rig.session.info.validators[LOCAL as usize]));
	assert!(provisioned(&rig.advance(60_000)).is_empty());
}

#[test]
fn chunk_that_is_not_durable_does_not_count() {
	let mut rig = Rig::new();
	let here = sample(1);
	rig.world.held = Some(Vec::new());
	rig.store(&here);
	let leaf = rig.leaf(10, vec![here.occupying(1)], vec![]);
	rig.activate(leaf, &[]);
	assert!(provisioned(&rig.advance(1_500)).is_empty());
	let effects = release(&mut rig, true);
	assert!(provisioned(&effects)[0].payload().0.not_any());
}

/// The newest write that is held back is durable, or failed.
fn release(rig: &mut Rig, ok: bool) -> Vec<Effect> {
	let (token, batch) = rig.world.held.as_mut().and_then(Vec::pop).expect("a write");
	if ok {
		rig.world.apply(batch);
	}
	rig.send(Event::Written { token, ok })
}

#[test]
fn a_bitfield_is_durable_before_it_is_sent() {
	let mut rig = rig();
	rig.world.held = Some(Vec::new());
	connect(&mut rig, 1, &[10]);
	assert!(rig.advance(1_500).is_empty());
	let effects = release(&mut rig, true);
	assert_eq!(provisioned(&effects).len(), 1);
	assert_eq!(relayed(&effects).len(), 1);
	assert!(rig.world.content.contains_key(&keys::bitfield(&hash(10))));

	let mut rig = self::rig();
	rig.world.ok = false;
	assert!(rig.advance(1_500).is_empty());
	assert!(rig.dropped_because(Reason::StorageFailed));
	assert!(rig.advance(60_000).is_empty());

	// Its leaf is none any more when it is durable.
	let mut rig = self::rig();
	rig.world.held = Some(Vec::new());
	rig.advance(1_500);
	let held = rig.world.held.take().unwrap();
	rig.send(Event::Leaves(LeavesUpdate { activated: None, deactivated: vec![hash(10)] }));
	assert!(rig.send(Event::Written { token: held[0].0, ok: true }).is_empty());
}

#[test]
fn no_bitfield_contradicts_one_from_before_a_restart() {
	for is_damaged in [false, true] {
		let mut rig = Rig::new();
		let late = sample(1);
		let leaf = rig.leaf(10, vec![late.occupying(1)], vec![]);
		rig.activate(leaf.clone(), &[]);
		let before = provisioned(&rig.advance(1_500))[0].clone();
		// Now there is a chunk that there was not.
		rig.store(&late);
		if is_damaged {
			rig.world.content.insert(keys::bitfield(&hash(10)), vec![1]);
		}
		rig.restart();
		rig.activate(leaf, &[]);
		let effects = rig.advance(1_500);
		let again: Vec<_> = provisioned(&effects).into_iter().cloned().collect();
		// The signature as well.
		assert_eq!(again, if is_damaged { vec![] } else { vec![before] });
		assert_eq!(rig.dropped_because(Reason::StorageFailed), is_damaged);
		let leaf = rig.leaf(11, vec![late.occupying(1)], vec![]);
		rig.activate(leaf, &[10]);
		assert!(provisioned(&rig.advance(1_500))[0].payload().0.all());
	}
}

#[test]
fn bitfields_of_former_leaves_are_forgotten_on_disk() {
	let on_disk = |rig: &Rig| {
		let leaves = rig.world.content.keys().filter_map(|key| keys::bitfield_leaf(&key.key));
		leaves.flatten().collect::<Vec<_>>()
	};
	let mut rig = rig();
	rig.advance(1_500);
	for number in 11..20 {
		assert_eq!(on_disk(&rig), [hash(u64::from(number) - 1)]);
		let leaf = rig.leaf(number, vec![CoreState::Free], vec![]);
		rig.activate(leaf, &[u64::from(number) - 1]);
		rig.advance(1_500);
	}
	// What a former life left goes with the first leaf.
	rig.restart();
	assert_eq!(on_disk(&rig), [hash(19)]);
	let leaf = rig.leaf(25, vec![CoreState::Free], vec![]);
	rig.activate(leaf, &[]);
	assert_eq!(on_disk(&rig), []);
}

#[test]
fn d11_nothing_is_signed_for_a_leaf_that_is_none_any_more() {
	let mut rig = rig();
	rig.advance(1_000);
	rig.send(Event::Leaves(LeavesUpdate { activated: None, deactivated: vec![hash(10)] }));
	assert!(rig.advance(1_000).is_empty());
}

#[test]
fn nodes_without_a_key_sign_nothing() {
	let mut rig = Rig::of(None);
	let leaf = rig.leaf(10, vec![CoreState::Free], vec![]);
	rig.activate(leaf, &[]);
	assert!(rig.advance(2_000).is_empty());

	struct Nobody;
	impl Signer for Nobody {
		fn sign(&self, _: &ValidatorId, _: &[u8]) -> Option<ValidatorSignature> {
			None
		}
	}
	let mut rig = Rig::new();
	rig.machine = Availability::new(Config::default(), Arc::new(Nobody), verifier());
	let leaf = rig.leaf(10, vec![CoreState::Free], vec![]);
	rig.activate(leaf, &[]);
	assert!(provisioned(&rig.advance(2_000)).is_empty());
	assert!(rig.dropped_because(Reason::NotValidator));
}

#[test]
fn d12_bitfield_with_a_bad_signature_is_neither_kept_nor_relayed() {
	let mut rig = rig();
	connect(&mut rig, 1, &[10]);
	connect(&mut rig, 2, &[10]);
	let mut forged = signed_by(&rig, 5, &[true]);
	forged.validator_index = ValidatorIndex(6);
	let effects = receive(&mut rig, 1, 10, &forged);
	assert_eq!(reputation(&effects), [-300_000]);
	assert!(relayed(&effects).is_empty() && provisioned(&effects).is_empty());
	assert!(rig.dropped_because(Reason::InvalidSignature));
	// The good one is still welcome.
	let good = signed_by(&rig, 6, &[true]);
	assert_eq!(reputation(&receive(&mut rig, 1, 10, &good)), [15_000]);
}

#[test]
fn d13_validator_index_out_of_range_is_refused() {
	let mut rig = rig();
	connect(&mut rig, 1, &[10]);
	let mut bitfield = signed_by(&rig, 5, &[true]);
	bitfield.validator_index = ValidatorIndex(N);
	assert_eq!(reputation(&receive(&mut rig, 1, 10, &bitfield)), [-300_000]);
}

#[test]
fn d14_first_copy_benefits_most_and_repetition_costs() {
	let mut rig = rig();
	connect(&mut rig, 1, &[10]);
	connect(&mut rig, 2, &[]);
	let bitfield = signed_by(&rig, 5, &[true]);
	let effects = receive(&mut rig, 1, 10, &bitfield);
	assert_eq!(reputation(&effects), [15_000]);
	assert_eq!(provisioned(&effects).len(), 1);
	let effects = receive(&mut rig, 2, 10, &bitfield);
	assert_eq!(reputation(&effects), [10_000]);
	assert!(provisioned(&effects).is_empty());
	assert_eq!(reputation(&receive(&mut rig, 1, 10, &bitfield)), [-200_000]);
	// Another one of the same validator is worth nothing.
	connect(&mut rig, 6, &[]);
	let other = signed_by(&rig, 5, &[false]);
	assert!(receive(&mut rig, 6, 10, &other).is_empty());
	assert_eq!(reputation(&receive(&mut rig, 6, 10, &other)), [-200_000]);
}

#[test]
fn d15_bitfield_at_a_block_out_of_view_costs() {
	let mut rig = rig();
	connect(&mut rig, 1, &[10]);
	let bitfield = signed_by(&rig, 5, &[true]);
	assert_eq!(reputation(&receive(&mut rig, 1, 9, &bitfield)), [-100_000]);
	assert!(receive(&mut rig, 99, 10, &bitfield).is_empty(), "not connected");
}

#[test]
fn d16_bitfield_is_relayed_along_the_grid_and_to_four_others_at_most() {
	let mut rig = rig();
	let topology = topology(&mut rig);
	for n in (0..N as u8).filter(|n| u32::from(*n) != LOCAL) {
		connect(&mut rig, n, if n == 9 { &[8] } else { &[10] });
	}
	for n in 20..40 {
		connect(&mut rig, n, &[10]);
	}
	let neighbors = topology.local_neighbors();
	let originator = neighbors.x[0];
	let source = originator as u8;
	let bitfield = signed_by(&rig, originator, &[true]);
	let effects = receive(&mut rig, source, 10, &bitfield);
	let to = receivers(&effects);
	let column: BTreeSet<PeerId> =
		neighbors.y.iter().map(|n| peer(*n as u8)).filter(|p| *p != peer(9)).collect();
	assert!(to.is_superset(&column), "came along the row, goes down the column");
	assert!(!to.contains(&peer(source)), "never back");
	assert!(!to.contains(&peer(9)), "does not look at the block");
	assert!(to.len() - column.len() <= gossip::RANDOM_PEERS_MAX, "{to:?}");
}

#[test]
fn our_own_bitfield_goes_to_row_and_column() {
	let mut rig = rig();
	let topology = topology(&mut rig);
	for n in (0..N as u8).filter(|n| u32::from(*n) != LOCAL) {
		connect(&mut rig, n, &[10]);
	}
	let effects = rig.advance(1_500);
	let neighbors = topology.local_neighbors();
	let expected: BTreeSet<_> = neighbors.x.iter().chain(&neighbors.y).map(|n| peer(*n as u8)).collect();
	assert!(receivers(&effects).is_superset(&expected));
	assert!(relayed(&effects).iter().all(|(_, validator)| *validator == LOCAL));
	assert_eq!(provisioned(&effects).len(), 1);
}

#[test]
fn d17_peer_whose_view_gains_a_block_gets_what_it_lacks() {
	let mut rig = rig();
	let topology = topology(&mut rig);
	let neighbor = topology.local_neighbors().x[0] as u8;
	connect(&mut rig, neighbor, &[]);
	connect(&mut rig, 30, &[10]);
	for validator in [0, 5, 6] {
		let bitfield = signed_by(&rig, validator, &[true]);
		receive(&mut rig, 30, 10, &bitfield);
	}
	let known = signed_by(&rig, 1, &[true]);
	receive(&mut rig, neighbor, 10, &known);
	let sent = relayed(&view(&mut rig, neighbor, &[9, 10]));
	assert_eq!(
		sent,
		[0, 5, 6].map(|validator| (peer(neighbor), validator)),
		"not the one that it sent itself"
	);
	assert!(view(&mut rig, neighbor, &[10]).is_empty());
	assert!(view(&mut rig, neighbor, &[]).is_empty());
	assert!(view(&mut rig, neighbor, &[10]).is_empty(), "sent already");
}

#[test]
fn topology_that_comes_late_makes_up_for_what_was_not_routed() {
	let mut rig = rig();
	// Enough strangers that not everybody is a random peer.
	for n in 0..120 {
		connect(&mut rig, n + 100, &[10]);
	}
	let grid = Topology::new(&rig.session.info, &[0; 32], Some(LOCAL));
	let neighbor = grid.local_neighbors().y[0] as u8;
	connect(&mut rig, neighbor, &[10]);
	let bitfield = signed_by(&rig, 5, &[true]);
	let first = receive(&mut rig, 100, 10, &bitfield);
	assert_eq!(receivers(&first).len(), gossip::RANDOM_PEERS_MAX);
	let event = NetworkEvent::NewTopology { session: 7, topology: Arc::new(grid) };
	let second = network(&mut rig, event);
	assert!(receivers(&first).union(&receivers(&second)).any(|id| *id == peer(neighbor)));
}

#[test]
fn random_peers_follow_from_the_seed() {
	let draw = |seed: u8| {
		let mut rig = Rig::new();
		let config = Config { seed: [seed; 32], ..Default::default() };
		rig.machine = Availability::new(config, Arc::new(TestSigner(rig.keys.clone())), verifier());
		let leaf = rig.leaf(10, vec![CoreState::Free], vec![]);
		rig.activate(leaf, &[]);
		for n in 0..200 {
			connect(&mut rig, n, &[10]);
		}
		let bitfield = signed_by(&rig, 5, &[true]);
		receivers(&receive(&mut rig, 0, 10, &bitfield))
	};
	assert_eq!(draw(1), draw(1));
	assert_ne!(draw(1), draw(2));
}

#[test]
fn what_is_known_of_a_leaf_goes_with_it() {
	let mut rig = rig();
	connect(&mut rig, 1, &[10]);
	let bitfield = signed_by(&rig, 5, &[true]);
	receive(&mut rig, 1, 10, &bitfield);
	let leaf = rig.leaf(11, vec![CoreState::Free], vec![]);
	rig.activate(leaf, &[10]);
	assert_eq!(reputation(&receive(&mut rig, 1, 10, &bitfield)), [-100_000]);
	assert!(rig.dropped_because(Reason::OutOfView));
}
