//! What is left when a block is full.

use super::*;

#[test]
fn whole_chains_are_dropped_when_the_block_is_full_and_upgrades_are_preferred() {
	with_chain(config(), 6, 2, |chain| {
		let plain = chain.candidate(A, "genesis", "a1").back();
		let upgrade = chain
			.candidate(B, "genesis", "b1")
			.commit(|c| c.new_validation_code = Some(ValidationCode(vec![2; 64])))
			.back();
		let both = vec![plain, upgrade.clone()];
		let budget = cost::candidate::<Test>(&upgrade);
		let (_, kept, dropped, _) = limit::apply::<Test>(Vec::new(), both, budget, Default::default());
		assert_eq!(kept, [upgrade]);
		assert_eq!(dropped.len(), 1);
		assert_eq!(dropped[0].2, DropReason::Overweight);
	});
}

#[test]
fn bitfields_go_before_candidates_when_the_block_is_full() {
	with_chain(config(), 4, 1, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1").back();
		let bitfields = chain.bitfields(&[]);
		let budget = limit::bitfields_weight::<Test>(&bitfields[..2]);
		let (kept, candidates, dropped, dropped_bitfields) =
			limit::apply::<Test>(bitfields, vec![candidate], budget, Default::default());
		assert!(candidates.is_empty());
		assert_eq!(kept.len(), 2);
		assert!(kept[0].validator_index < kept[1].validator_index);
		assert_eq!((dropped.len(), dropped_bitfields.len()), (1, 2));
	});
}

/// What is kept within the budget: bitfields, and heads of candidates.
fn limited(
	bitfields: Vec<headway_primitives::UncheckedSignedAvailabilityBitfield>,
	candidates: &[BackedCandidate],
	budget: Weight,
) -> (usize, Vec<headway_primitives::HeadData>) {
	let (bitfields, candidates, ..) =
		limit::apply::<Test>(bitfields, candidates.to_vec(), budget, Default::default());
	let heads = candidates.into_iter().map(|c| c.candidate.commitments.head_data).collect();
	(bitfields.len(), heads)
}

#[test]
fn chain_is_not_split_when_only_a_part_of_it_fits() {
	with_cores(config(), 3, |chain| {
		let chain_of_three: Vec<_> = [("genesis", "a1", 0), ("a1", "a2", 1), ("a2", "a3", 2)]
			.into_iter()
			.map(|(parent, to, core)| on_core(chain.candidate(A, parent, to), core).back())
			.collect();
		let for_two = limit::candidates_weight::<Test>(&chain_of_three[..2]);
		assert_eq!(limited(Vec::new(), &chain_of_three, for_two), (0, vec![]));
		let for_three = limit::candidates_weight::<Test>(&chain_of_three);
		assert_eq!(limited(Vec::new(), &chain_of_three, for_three).1.len(), 3);
	});
}

#[test]
fn chains_that_fit_keep_their_order() {
	with_chain(config(), 6, 3, |chain| {
		let candidates: Vec<_> =
			(0..3).map(|i| chain.candidate(A + i, "genesis", &alloc::format!("{i}")).back()).collect();
		let bitfields = chain.bitfields(&[]);
		let all = limit::candidates_weight::<Test>(&candidates)
			.saturating_add(limit::bitfields_weight::<Test>(&bitfields));
		let one_less = all.saturating_sub(Weight::from_parts(1, 0));
		let (n_bitfields, heads) = limited(bitfields, &candidates, one_less);
		assert_eq!((n_bitfields, heads.len()), (6, 2));
		assert!(heads.is_sorted_by_key(|head| head.0.clone()), "{heads:?}");
	});
}

#[test]
fn bytes_limit_as_time_does() {
	with_chain(config(), 6, 2, |chain| {
		let candidates = [A, B].map(|para| chain.candidate(para, "genesis", "1").back());
		let bitfields = chain.bitfields(&[]);
		let budget = |weight: Weight| Weight::from_parts(u64::MAX, weight.proof_size());
		let for_bitfields = limit::bitfields_weight::<Test>(&bitfields);
		let for_one = for_bitfields.saturating_add(cost::candidate::<Test>(&candidates[0]));
		assert_eq!(limited(bitfields.clone(), &candidates, budget(for_one)).1.len(), 1);
		let for_two = limit::bitfields_weight::<Test>(&bitfields[..2]);
		assert_eq!(limited(bitfields, &candidates, budget(for_two)), (2, vec![]));
	});
}

#[test]
fn inclusion_beyond_the_limit_does_not_stop_the_block() {
	with_chain(config(), 4, 1, |chain| {
		let backed = chain.candidate(A, "genesis", "a1").back();
		chain.block(Vec::new(), vec![backed]);
		// Many more messages than anybody could have backed: including them takes longer than a block.
		let message = headway_primitives::OutboundHrmpMessage { recipient: ParaId(B), data: vec![] };
		inclusion::PendingAvailability::<Test>::mutate_extant(ParaId(A), |pending| {
			pending[0].commitments.horizontal_messages =
				vec![message; 4096].try_into().expect("not too many");
		});
		let bitfields = chain.bitfields(&[0]);
		let processed = chain.block(bitfields, Vec::new());
		assert!(processed.weight.any_gt(max_weight::<Test>()), "{}", processed.weight);
		assert_eq!(included(A), head("a1"));
	});
}

/// The mock checks for every block that the weight before execution covers that after it; here is what is not in
/// the data.
#[test]
fn weight_before_execution_covers_what_pending_candidates_bring() {
	let message = || headway_primitives::OutboundHrmpMessage { recipient: ParaId(B), data: vec![1; 8] };
	let brought: [fn(&mut CandidateCommitments, _); 4] = [
		|_, _| (),
		|commitments, _| commitments.upward_messages = vec![vec![1; 8]; 3].try_into().expect("few"),
		|commitments, message| commitments.horizontal_messages = vec![message; 3].try_into().expect("few"),
		|commitments, _| commitments.new_validation_code = Some(ValidationCode(vec![2; 1 << 20])),
	];
	with_chain(config(), 4, 1, |chain| {
		chain.block(Vec::new(), vec![chain.candidate(A, "genesis", "a1").back()]);
		let weights = brought.map(|bring| {
			inclusion::PendingAvailability::<Test>::mutate_extant(ParaId(A), |pending| {
				pending[0].commitments = CandidateCommitments::default();
				bring(&mut pending[0].commitments, message());
			});
			let data = ParachainsInherentData {
				bitfields: chain.bitfields(&[0]),
				backed_candidates: Vec::new(),
				disputes: Vec::new(),
				parent_header: chain.parent(),
			};
			let before = enter_weight::<Test>(&data);
			let after = chain.author(data).weight;
			assert!(after.all_lte(before), "{after} after, {before} before");
			after.ref_time()
		});
		assert!(weights[1..].iter().all(|weight| *weight > weights[0]), "all of it weighs something");
	});
}

#[test]
fn data_leaves_room_for_the_block_and_for_inclusions() {
	with_chain(config(), 4, 1, |_| {
		let limits: frame_system::limits::BlockWeights = <Test as frame_system::Config>::BlockWeights::get();
		let budgets = [1, 10, 1_000_000].map(data_budget::<Test>);
		assert!(max_weight::<Test>().ref_time() < limits.max_block.ref_time());
		assert!(budgets.is_sorted_by(|a, b| a.ref_time() > b.ref_time()), "{budgets:?}");
		// No number of cores takes everything.
		assert!(budgets[2].ref_time() > max_weight::<Test>().ref_time() / 2);
		let lengths: frame_system::limits::BlockLength = <Test as frame_system::Config>::BlockLength::get();
		let bytes = *lengths.max.get(DispatchClass::Mandatory);
		assert_eq!(budgets.map(|budget| budget.proof_size()), [u64::from(bytes); 3]);
	});
}
