//! Rules that no scenario of the specification is about: what a leaf takes over, what is said of candidates that
//! are lost, synchronous backing, and relay parents that have to be asked for.

use crate::notation::run;

#[test]
fn leaf_whose_ancestry_has_a_hole_is_not_taken() {
	run("
		block 10 on 8
		leaf 10 => unknown_scheduling_parent
		A = 0>1 @10
		introduce A => no unknown_scheduling_parent
		heads =>
	");
}

#[test]
fn relay_parent_of_the_validation_data_must_be_the_chains() {
	run("
		leaf 10
		A = 0>1 @10 number 9
		introduce A => no validation_data_mismatch
		member A =>
		old = 0>1 @10 rp 5 number 6
		introduce old => no validation_data_mismatch
	");
}

#[test]
fn scheduling_parent_need_not_advance_along_the_chain() {
	run("
		leaf 10 cores 2
		A = 0>1 @10 rp 8
		B = 1>2 @9 rp 8
		introduce A => yes
		introduce B => yes
		back A
		back B
		backable 10 9 => A B
	");
}

#[test]
fn candidates_of_the_path_share_the_room_that_there_is() {
	run("
		leaf 10 cores 3
		A = 0>1 @10 upward 4
		B = 1>2 @10 upward 4
		C = 2>3 @10 upward 4
		introduce A => yes
		introduce B => yes
		introduce C => yes
		back A
		back B => C constraints_not_met
		introduce C => no constraints_not_met
		backable 10 9 => A B
	");
}

#[test]
fn child_of_the_path_does_not_fall_with_a_fork_that_leads_to_its_parent() {
	run("
		leaf 10 cores 3
		A = 0>1 @10
		C = 1>2 @10
		fork = 0>5 @10 low
		detour = 5>1 @10
		introduce A => yes
		introduce C => yes
		introduce fork => yes
		introduce detour => yes
		back A => detour multiple_paths
		count => 1+2
		back C
		backable 10 9 => A C
	");
}

#[test]
fn candidate_that_was_included_is_not_said_to_be_lost() {
	run("
		leaf 10
		A = 0>1 @10
		introduce A => yes
		back A
		leaf 11 included 1 -10
		leaf 12 included 1 -11
		leaf 13 included 1 -12
		heads => 11: 1 | 12: 1 | 13: 1
	");
}

#[test]
fn candidate_that_only_former_leaves_know_is_lost_with_the_last_of_them() {
	run("
		leaf 10
		leaf 11 -10
		A = 0>1 @8
		introduce A => yes
		member A =>
		leaf 12 -11
		leaf 13 -12 => A out_of_view
	");
}

#[test]
fn candidate_with_other_validation_data_than_its_descriptor_says_is_refused() {
	run("
		leaf 10
		A = 0>1 @10 bad
		introduce A => no validation_data_mismatch
	");
}

#[test]
fn leaf_whose_parent_was_skipped_inherits_from_the_nearest_ancestor() {
	run("
		leaf 10
		A = 0>1 @10
		introduce A => yes
		back A
		leaf 12 -10
		backable 12 9 => A
	");
}

#[test]
fn former_leaf_that_becomes_one_again_keeps_its_candidates() {
	run("
		leaf 10
		A = 0>1 @10
		introduce A => yes
		leaf 11 -10
		leaf 10 -11
		member A => 10
		count => 0+1
	");
}

#[test]
fn leaf_that_comes_and_goes_at_once_is_none() {
	run("
		leaf 10 -10
		heads =>
	");
}

#[test]
fn synchronous_backing_takes_only_candidates_on_the_included_head_at_the_leaf() {
	run("
		leaf 10 cores 3 sync
		A = 0>1 @10
		B = 1>2 @10
		old = 0>3 @9
		older_relay_parent = 0>4 @10 rp 9
		introduce B => no synchronous_backing
		introduce old => no scheduling_parent_not_in_scope
		introduce older_relay_parent => no synchronous_backing
		introduce A => yes
		back A
		backable 10 9 => A
		introduce B => no synchronous_backing
		member B? =>
		fork = 0>5 @10 low
		introduce fork => yes
		back fork => A fork_choice
		backable 10 9 => fork
		# The next leaf starts anew.
		leaf 11 sync -10 => fork scheduling_parent_not_in_scope
		backable 11 9 =>
		heads => 11: 0
	");
}

#[test]
fn synchronous_backing_waits_while_a_candidate_is_pending() {
	run("
		P = 0>1 @10
		leaf 11 sync pending P
		on_pending = 1>2 @11
		fork = 0>3 @11 low
		introduce on_pending => no synchronous_backing
		introduce fork => no synchronous_backing
		member on_pending? =>
		backable 11 9 P =>
		leaf 12 sync included 1 -11
		next = 1>2 @12
		introduce next => yes
		back next
		backable 12 9 => next
	");
}

#[test]
fn asynchronous_backing_takes_over_from_synchronous() {
	run("
		leaf 10 sync
		A = 0>1 @10
		B = 1>2 @10
		introduce A => yes
		back A
		introduce B => no synchronous_backing
		leaf 11 cores 2 -10
		introduce B => yes
		back B
		backable 11 9 => A B
	");
}

#[test]
fn questions_about_relay_parents_hold_up_only_what_needs_them() {
	run("
		leaf 10 cores 2
		hold
		A = 0>1 @10 rp 5
		B = 0>2 @10
		introduce A =>
		introduce A =>
		member A =>
		data 0 @5 =>
		introduce B => yes
		answer => yes yes member 10 0 at 5 with 1000
		# Known now, also at the next leaf.
		hold
		data 0 @5 => 0 at 5 with 1000
		leaf 11 cores 2 -10
		C = 7>8 @11 rp 5
		introduce C => yes
	");
}

#[test]
fn question_about_a_block_that_left_the_view_is_not_waited_for() {
	run("
		leaf 10
		hold
		A = 0>1 @10 rp 5
		introduce A =>
		drop 10 => A unknown_scheduling_parent
		answer =>
	");
}

#[test]
fn waiting_candidate_is_also_introduced_at_a_leaf_that_came_meanwhile() {
	run("
		leaf 10
		hold
		A = 0>1 @10 rp 5
		introduce A =>
		leaf 11 -10
		answer => yes
		member A => 11
		heads => 10: 0 1 | 11: 0 1
	");
}

#[test]
fn place_of_the_path_goes_to_who_has_its_claim_not_to_the_lowest_hash() {
	run("
		leaf 11
		leaf 12 -11
		# The next block has core 0 for the para, those after it core 1.
		leaf 13 queue A..|.AA -12
		X = 0>1 @13 core 1 low
		Y = 0>2 @11 core 0
		introduce X => yes
		back X
		backable 13 9 =>
		introduce Y => yes
		back Y
		backable 13 9 => Y
		# Y may be backed in the next block only. If it was not, X is next.
		leaf 14 queue ...|AA. -13 => Y scheduling_parent_not_in_scope
		backable 14 9 => X
	");
}

#[test]
fn candidate_that_no_claim_can_reach_has_no_place() {
	run("
		leaf 11
		leaf 12 -11
		old = 0>1 @11 low
		X = 5>6 @11
		introduce old => yes
		back old
		# Block 11 schedules for the next block only, and that is another para's.
		leaf 13 queue .AA -12 => old no_claim_in_reach
		introduce X => yes
		member X =>
		member X? =>
		Y = 0>3 @13
		introduce Y => yes
		back Y
		backable 13 9 => Y
		elsewhere = 0>4 @13 core 1
		introduce elsewhere => no no_claim_in_reach
		# Without a core any will do.
		v1 = 3>5 @13 v1 core 1
		introduce v1 => yes
	");
}

#[test]
fn places_are_claims_in_the_order_of_their_depth_behind_what_is_pending() {
	run("
		leaf 10
		P = 0>1 @10
		A = 1>2 @11 core 0
		B = 2>3 @11 core 1
		C = 2>4 @11 core 0 low
		introduce P => yes
		back P
		leaf 11 queue AAA|.AA pending P -10
		introduce A => yes
		introduce B => yes
		introduce C => yes
		back A
		back B
		# The second place is for the block after the next, in which both cores are the para's.
		back C => B fork_choice
		backable 11 9 P => A C
	");
}
