//! Scenarios PP-01 to PP-32 (backing pipeline §9.3), in their order.

use crate::notation::run;

#[test]
fn path_is_as_long_as_the_paras_cores_and_pending_candidates() {
	run("
		leaf 10 cores 1
		A = 0>1 @10
		B = 1>2 @10
		introduce A => yes
		introduce B => yes
		back A
		back B
		backable 10 9 => A
		count => 1+1
		leaf 11 cores 2 -10
		backable 11 9 => A B
		count => 2+0
		leaf 12 cores 1 pending A -11
		backable 12 9 A => B
		count => 2+0
	");
}

#[test]
fn candidate_introduced_twice_is_stored_once() {
	run("
		leaf 10
		A = 0>1 @10
		introduce A => yes
		introduce A => yes
		count => 0+1
	");
}

#[test]
fn seconded_candidate_is_not_backable() {
	run("
		leaf 10
		A = 0>1 @10
		introduce A => yes
		backable 10 9 =>
		back A
		backable 10 9 => A
	");
}

#[test]
fn child_backed_before_its_parent_follows_it() {
	run("
		leaf 10 cores 2
		A = 0>1 @10
		B = 1>2 @10
		introduce B => yes
		introduce A => yes
		back B
		backable 10 9 =>
		back A
		backable 10 9 => A B
	");
}

#[test]
fn lower_hash_replaces_a_backed_fork_and_its_descendants() {
	run("
		leaf 10 cores 3
		A1 = 0>1 @10 high
		B = 1>2 @10
		C = 2>3 @10
		A2 = 0>4 @10 low
		introduce A1 => yes
		introduce B => yes
		introduce C => yes
		back A1
		back B
		backable 10 9 => A1 B
		introduce A2 => yes
		backable 10 9 => A1 B
		back A2 => A1 fork_choice, B cannot_follow_chain, C cannot_follow_chain
		backable 10 9 => A2
		count => 1+0
	");
}

#[test]
fn higher_hash_is_refused_beside_a_backed_fork() {
	run("
		leaf 10
		A1 = 0>1 @10 low
		A2 = 0>2 @10 high
		introduce A1 => yes
		back A1
		introduce A2 => no fork_choice
	");
}

#[test]
fn of_two_unbacked_forks_the_higher_goes_when_the_lower_is_backed() {
	let forks = "
		leaf 10 cores 2
		A1 = 0>1 @10 low
		A2 = 0>2 @10
		B2 = 2>3 @10
		introduce A1 => yes
		introduce A2 => yes
		introduce B2 => yes
		count => 0+3
	";
	run(&format!(
		"{forks}
		back A1 => A2 fork_choice, B2 cannot_follow_chain
		backable 10 9 => A1
		count => 1+0
	"
	));
	run(&format!(
		"{forks}
		back A2
		backable 10 9 => A2
		count => 1+2
	"
	));
}

#[test]
fn fork_of_a_pending_candidate_is_refused() {
	run("
		P = 0>1 @9
		leaf 10 pending P
		low = 0>2 @10 low
		high = 0>3 @10 high
		introduce low => no conflicts_with_pending
		introduce high => no conflicts_with_pending
		member low? =>
	");
}

#[test]
fn cycles_are_refused() {
	run("
		leaf 10 cores 3
		A = 0>1 @10
		B = 1>0 @10
		introduce A => yes
		back A
		introduce B => no cycle
		Z = 5>5 @10
		introduce Z => no cycle
		member Z =>
	");
	// The cycle shows only when the path reaches it.
	run("
		leaf 10 cores 3
		A = 0>1 @10
		B = 1>0 @10
		introduce A => yes
		introduce B => yes
		back B
		back A => B cycle
		backable 10 9 => A
	");
	// Unconnected candidates may go in a circle without end for us.
	run("
		leaf 10 cores 3
		A = 0>1 @10
		X = 0>5 @10 high
		Y = 5>6 @10
		Z = 6>5 @10
		introduce A => yes
		introduce X => yes
		introduce Y => yes
		introduce Z => yes
		back Y
		back Z
		back A => X fork_choice, Y cannot_follow_chain
		count => 1+1
	");
}

#[test]
fn second_path_to_a_head_is_refused() {
	run("
		leaf 10 cores 3
		A = 0>1 @10
		B = 1>2 @10
		other = 7>2 @10
		introduce A => yes
		introduce B => yes
		back A
		introduce other => yes
		back B => other multiple_paths
		introduce other => no multiple_paths
		middle = 7>1 @10
		introduce middle => no cycle
		backable 10 9 => A B
	");
}

#[test]
fn scheduling_parent_must_be_in_the_window() {
	run("
		leaf 10
		old = 0>5 @7
		introduce old => no scheduling_parent_not_in_scope
		A = 0>1 @8
		B = 1>2 @10
		C = 2>3 @10
		introduce A => yes
		introduce B => yes
		introduce C => yes
		back A
		leaf 11 -10 => A scheduling_parent_not_in_scope, B cannot_follow_chain, C cannot_follow_chain
		backable 11 9 =>
		count => 0+0
	");
}

#[test]
fn relay_parent_does_not_move_backwards_along_the_chain() {
	run("
		leaf 10 cores 3
		A = 0>1 @10
		B = 1>2 @9
		C = 7>8 @9
		introduce B => yes
		introduce C => yes
		introduce A => yes
		back A => B relay_parent_moved_backwards
		introduce B => no relay_parent_moved_backwards
		member B? => 10
		member B =>
	");
}

#[test]
fn relay_parent_is_not_before_that_of_the_last_pending_candidate() {
	run("
		P = 0>1 @8
		U7 = 7>8 @7
		U8 = 7>8 @8
		leaf 10 lookahead 5 pending P
		introduce U7 => no relay_parent_moved_backwards
		introduce U8 => yes
	");
}

#[test]
fn pending_candidates_keep_their_place_when_out_of_scope() {
	run("
		P = 0>1 @3
		A = 1>2 @10
		leaf 10 min 9 pending P
		introduce A => yes
		back A
		backable 10 9 P => A
		count => 2+0
	");
	run("
		P1 = 0>1 @8
		P2 = 1>2 @7
		P3 = 2>3 @9
		leaf 10 pending P1 P2 P3 => P2 cannot_follow_chain, P3 cannot_follow_chain
		heads => 10: 0 1
		count => 1+0
	");
}

#[test]
fn path_at_a_new_leaf_goes_on_as_far_as_the_new_state_lets_it() {
	let script = |leaf: &str, rest: &str| {
		run(&format!(
			"
			leaf 10 cores 4
			A = 0>1 @10 upward 4
			B = 1>2 @10 upward 4
			C = 2>3 @10
			introduce A => yes
			introduce B => yes
			introduce C => yes
			back A
			back B
			back C
			{leaf}
			{rest}
		"
		));
	};
	// Only the window moved, or a candidate was included or is pending.
	script("leaf 11 cores 4 min 1 -10", "backable 11 9 => A B C");
	script("leaf 11 cores 4 min 1 included 1 -10", "backable 11 9 => B C");
	script("leaf 11 cores 4 min 1 pending A -10", "backable 11 9 A => B C");
	// Shorter, and what is beyond its end waits beside it.
	script("leaf 11 cores 2 -10", "count => 2+1");
	// There is less room: what has none goes.
	script("leaf 11 cores 4 room 7 -10 => B constraints_not_met", "backable 11 9 => A");
}

#[test]
fn path_that_was_taken_over_makes_way_for_what_is_preferred_later() {
	run("
		leaf 10 cores 2
		A = 0>1 @10
		B = 1>2 @10
		low = 1>3 @10 low
		introduce A => yes
		introduce B => yes
		introduce low => yes
		back A
		back B
		leaf 11 cores 2 -10
		backable 11 9 => A B
		back low => B fork_choice
		backable 11 9 => A low
	");
}

#[test]
fn path_at_a_new_leaf_loses_what_has_too_old_a_relay_parent() {
	run("
		leaf 10 cores 3
		A = 0>1 @10 rp 7
		B = 1>2 @10 rp 7
		introduce A => yes
		introduce B => yes
		back A
		back B
		leaf 11 cores 3 min 7 -10
		backable 11 9 => A B
		leaf 12 cores 3 min 8 -11 => A relay_parent_not_in_scope, B cannot_follow_chain
		member A =>
	");
}

#[test]
fn relay_parent_of_version_3_may_be_older_than_the_window() {
	run("
		leaf 10 min 5
		A = 0>1 @10 rp 5
		introduce A => yes
		back A
		backable 10 9 => A
		below = 0>2 @10 rp 4 low
		introduce below => no relay_parent_not_in_scope
		hide 6
		unknown = 7>8 @10 rp 6
		introduce unknown => no relay_parent_not_in_scope
		member unknown =>
		member unknown? => 10
	");
	// Of another session: the runtime knows it under that session only.
	run("
		block 8 session 1
		block 9 session 2
		leaf 10 session 2
		A = 0>1 @10 rp 8
		introduce A => yes
	");
	// Version 1 does not name a session: the scheduling parent's counts.
	run("
		leaf 10 session 3
		A = 0>1 @10 v1
		introduce A => yes
	");
}

#[test]
fn unconnected_candidate_is_checked_in_full_when_its_parent_comes() {
	run("
		leaf 10 cores 2
		A = 0>1 @10
		B = 1>2 @10 watermark 9
		introduce B => yes
		introduce A => yes
		back B
		back A => B constraints_not_met
		introduce B => no constraints_not_met
	");
}

#[test]
fn included_candidates_leave_the_front_of_the_chain() {
	let chain = "
		leaf 10 cores 3
		A = 0>1 @10
		B = 1>2 @10
		C = 2>3 @10
		introduce A => yes
		introduce B => yes
		introduce C => yes
		back A
		back B
		back C
	";
	run(&format!(
		"{chain}
		leaf 11 cores 3 pending A -10
		leaf 12 cores 3 included 1 -11
		backable 12 9 => B C
		count => 2+0
	"
	));
	// The same if we did not see it pending.
	run(&format!(
		"{chain}
		leaf 11 cores 3 included 1 -10
		backable 11 9 => B C
		count => 2+0
	"
	));
}

#[test]
fn candidates_follow_those_that_became_pending() {
	run("
		leaf 10 cores 2
		A = 0>1 @10
		B = 1>2 @10
		C = 2>3 @10
		introduce A => yes
		introduce B => yes
		introduce C => yes
		back A
		back B
		leaf 11 cores 2 pending A -10
		backable 11 9 =>
		backable 11 9 A => B
		count => 2+1
		back C
		backable 11 9 A => B C
		# It timed out: B and C have no parent in the chain.
		leaf 12 cores 2 -11
		backable 12 9 =>
		count => 0+2
	");
}

#[test]
fn candidates_with_unrelated_parents_stay_unconnected() {
	run("
		leaf 10 cores 2
		A = 0>1 @10
		B = 1>2 @10
		introduce A => yes
		introduce B => yes
		back A
		back B
		leaf 11 cores 2 included 9 -10
		backable 11 9 =>
		count => 0+2
		member A => 11
	");
}

#[test]
fn sibling_leaves_have_chains_of_their_own() {
	run("
		leaf 10
		leaf 11 -10
		leaf 11x on 10
		A = 0>1 @10
		B = 1>2 @11x
		introduce A => yes
		introduce B => yes
		member A => 11 11x
		member A 11x => 11x
		member B => 11x
		heads => 10: 0 1 | 11: 0 1 | 11x: 0 1 2
		drop 11x => B out_of_view
		member A => 11
	");
}

#[test]
fn window_ends_at_a_session_boundary() {
	run("
		block 9 session 1
		block 10 session 2
		leaf 11 session 2 lookahead 4
		A = 0>1 @9
		B = 0>1 @10
		introduce A => no scheduling_parent_not_in_scope
		introduce B => yes
		member A? =>
		member B? => 11
	");
}

#[test]
fn backable_candidates_start_behind_the_ancestors() {
	run("
		leaf 10 cores 3
		A = 0>1 @10
		B = 1>2 @10
		C = 2>3 @10
		introduce A => yes
		introduce B => yes
		introduce C => yes
		back A
		back B
		back C
		backable 10 2 A => B C
		backable 10 1 A => B
		backable 10 9 B => A B C
		# C is not reached by the ancestors: B is the hole.
		backable 10 2 A C => B C
		backable 10 0 =>
		backable 9 9 =>
		leaf 11 cores 3
		drop 10
		backable 10 9 =>
		backable 11 9 => A B C
	");
}

#[test]
fn backable_candidates_end_before_a_pending_one() {
	run("
		P = 0>1 @9
		A = 1>2 @10
		leaf 10 pending P
		introduce A => yes
		back A
		backable 10 9 =>
		backable 10 9 P => A
	");
}

#[test]
fn timed_out_candidate_leaves_a_hole_to_start_at() {
	run("
		P = 0>1 @9
		Q = 1>2 @9
		A = 2>3 @10
		leaf 10 cores 2 pending P Q
		introduce A => yes
		back A
		backable 10 9 P Q => A
		# Q times out: what is on top of it has to wait.
		backable 10 9 P =>
	");
	run("
		leaf 10 cores 3
		A = 0>1 @10
		B = 1>2 @10
		introduce A => yes
		introduce B => yes
		back A
		back B
		# A timed out, so it is in no set of ancestors.
		backable 10 1 => A
	");
}

#[test]
fn incomplete_candidates_are_judged_by_their_place() {
	run("
		leaf 10
		U = 7>8 @10 watermark 3
		A = 0>1 @10 watermark 3
		old = 0>1 @7
		member U? => 10
		member A? => 10
		member A =>
		member old? =>
	");
}

#[test]
fn known_candidate_is_a_member() {
	run("
		leaf 10
		A = 0>1 @10 high
		introduce A => yes
		back A
		member A => 10
		member A? => 10
		# Not so a fork that would have to give way to it, though A would have to give way to none.
		F = 0>2 @10
		member F => 10
		G = 1>0 @10
		member G =>
	");
}

#[test]
fn validation_data_of_known_heads_and_relay_parents() {
	run("
		leaf 10 cores 2
		A = 0>1 @10
		U = 7>8 @9
		introduce A => yes
		back A
		introduce U => yes
		data 0 @10 => 0 at 10 with 1000
		data 1 @9 => 1 at 9 with 1000
		data 7 @10 => 7 at 10 with 1000
		data 8 @10 => 8 at 10 with 1000
		data 5 @10 => none
		data 5! @10 => 5 at 10 with 1000
		data 1 @4 => 1 at 4 with 1000
		hide 3
		data 1 @3 => none
	");
}

#[test]
fn unscheduled_para_has_no_chain() {
	run("
		leaf 10 cores 0
		A = 0>1 @10
		introduce A => no para_not_scheduled
		back A => A para_not_scheduled
		backable 10 9 =>
		member A =>
		member A? =>
		data 0! @10 => none
		heads => 10:
	");
	run("
		A = 0>1 @10
		introduce A => no unknown_scheduling_parent
	");
}

#[test]
fn backing_an_unknown_candidate_changes_nothing() {
	run("
		leaf 10
		A = 0>1 @10
		back A => A out_of_view
		count => 0+0
		introduce A => yes
		backable 10 9 =>
	");
}

#[test]
fn state_goes_with_the_last_leaf_that_needs_it() {
	let world = run("
		leaf 10
		A = 0>1 @10
		introduce A => yes
		leaf 11 -10
		heads => 10: 0 1 | 11: 0 1
		leaf 12 -11
		leaf 13 -12 => A scheduling_parent_not_in_scope
		heads => 11: 0 1 | 12: 0 1 | 13: 0
		drop 13
		heads =>
		introduce A => no unknown_scheduling_parent
	");
	assert_eq!(world.machine.stats(), Default::default());
}

#[test]
fn known_heads_are_included_connected_and_unconnected() {
	run("
		leaf 10 second
		A = 0>1 @10
		U = 7>8 @10
		X = 0>3 @10 para 2 core 100
		introduce A => yes
		introduce U => yes
		introduce X => yes
		back A
		heads => 10: 0 1 8
		heads 2 => 10: 0 3
		heads 3 => 10:
		leaf 11 second -10
		heads => 10: 0 1 8 | 11: 0 1 8
	");
}

#[test]
fn para_without_known_state_is_skipped() {
	run("
		leaf 10 stateless second
		A = 0>1 @10
		X = 0>1 @10 para 2 core 100
		introduce A => no para_not_scheduled
		introduce X => yes
	");
}
