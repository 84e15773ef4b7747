//! Answers in plain words, as `headway explain` prints them.

use crate::views::{CandidateView, DropView, ParaCandidates, StageView};
use std::fmt::Write;

/// Failures that the story of a para tells.
const FAILURES_MAX: usize = 5;

/// The story of a candidate, a few lines.
pub fn candidate(view: &CandidateView) -> String {
	let mut text = String::new();
	// Writing into a string does not fail.
	let _ = writeln!(text, "Candidate {:?} of para {}{}:", view.candidate_hash, view.para_id, parents(view));
	let _ = writeln!(text, "{}", verdict(view));
	story(&mut text, view);
	text
}

/// The relay blocks that it names, if they are known. Before version 3 of descriptors, one is both.
fn parents(view: &CandidateView) -> String {
	match (view.relay_parent, view.scheduling_parent) {
		(Some(relay_parent), Some(scheduling_parent)) if relay_parent != scheduling_parent => {
			format!(", with relay parent {relay_parent:?} and scheduling parent {scheduling_parent:?}")
		},
		(Some(relay_parent), _) => format!(", with relay parent {relay_parent:?}, which schedules it"),
		(None, Some(scheduling_parent)) => format!(", with scheduling parent {scheduling_parent:?}"),
		(None, None) => String::new(),
	}
}

/// What became of a para's candidates, and why the last ones failed; `now_ms` is the time of whoever asks, milliseconds since
/// the Unix epoch.
pub fn para(view: &ParaCandidates, now_ms: u64) -> String {
	let mut text = String::new();
	let count = |outcomes: &[&str]| {
		view.candidates.iter().filter(|candidate| outcomes.contains(&&*candidate.outcome)).count()
	};
	let _ = writeln!(
		text,
		"Para {}: of the last {} candidates that this node knows, {} were included, {} are on their way, {} failed.",
		view.para_id,
		view.candidates.len(),
		count(&["included", "finalized"]),
		count(&["underway", "backed"]),
		count(&["lost", "timed_out"]),
	);
	for core in &view.cores_without_validators {
		let _ = writeln!(
			text,
			"\nCore {core} has no validators, because there are more cores than validators to form a group for each: what para {} \
			 builds for that core cannot be backed, and nobody hears of it.",
			view.para_id,
		);
	}
	if let Some(good) =
		view.candidates.iter().find(|candidate| ["included", "finalized"].contains(&&*candidate.outcome))
	{
		let _ = writeln!(text, "\nThe newest one that made it, {:?}:", good.candidate_hash);
		story(&mut text, good);
	}
	let failed: Vec<_> = view
		.candidates
		.iter()
		.filter(|candidate| ["lost", "timed_out"].contains(&&*candidate.outcome))
		.take(FAILURES_MAX)
		.collect();
	if !failed.is_empty() {
		let _ = writeln!(text, "\nThe last ones that failed, newest first:");
	}
	for candidate in failed {
		let ago = seconds(now_ms.saturating_sub(candidate.first_seen_ms));
		let _ = writeln!(text, "  {:?}, first seen {ago} ago", candidate.candidate_hash);
		let _ = writeln!(text, "    {}", verdict(candidate));
	}
	if let Some(last) = view.last_drop.as_ref().filter(|last| last.candidate_hash.is_none()) {
		let ago = seconds(now_ms.saturating_sub(last.drop.last_ms));
		let _ = writeln!(
			text,
			"\nWithout a candidate that is known by hash, {ago} ago: {}",
			drop_line(&last.drop)
		);
	}
	if !view.dropped.is_empty() {
		let _ = writeln!(text, "\nDropped since the node was started: {}.", counts(view));
	}
	text
}

/// One sentence: what came of it, and why.
fn verdict(view: &CandidateView) -> String {
	let after = |stage: &str| {
		view.stages.iter().find(|reached| reached.stage == stage).map_or_else(String::new, |reached| {
			let block =
				reached.block.map(|block| format!(" in relay block #{}", block.number)).unwrap_or_default();
			format!(
				"{block}, {} after it was first seen",
				seconds(reached.first_ms.saturating_sub(view.first_seen_ms))
			)
		})
	};
	match (&*view.outcome, &view.lost) {
		("finalized", _) => format!("It made it: included{}, and final.", after("included")),
		("included", _) => format!("It made it: included{}.", after("included")),
		("backed", _) => format!("It is backed{}, and waits until its data is available.", after("backed")),
		("timed_out", _) => {
			"It did not make it: it was backed, but too few validators had their part of its data in time."
				.into()
		},
		(_, Some(lost)) => {
			let kind = match &*lost.kind {
				"invalid" => "It is invalid",
				"refused" => "It was not taken from its collator",
				_ => "It did not make it",
			};
			format!("{kind}: {} ({}, by {}).", lost.explanation, reasons(lost), lost.subsystem)
		},
		_ => match view.stages.last() {
			Some(last) => format!("It is on its way: it {}.", last.explanation),
			None => "Nothing came of it so far.".into(),
		},
	}
}

/// All that happened, in order, with times relative to the first.
fn story(text: &mut String, view: &CandidateView) {
	let stages = view.stages.iter().map(|reached| (reached.first_ms, stage_line(reached)));
	let drops = view.drops.iter().filter(|drop| drop.kind != "message");
	let drops = drops.map(|drop| (drop.first_ms, drop_line(drop)));
	let mut lines: Vec<_> = stages.chain(drops).collect();
	// Stable: what happened at the same time stays in order, stages before what was dropped.
	lines.sort_by_key(|(at, _)| *at);
	for (at, line) in lines {
		let _ = writeln!(
			text,
			"  {:>10}  {line}",
			format!("+{}", seconds(at.saturating_sub(view.first_seen_ms)))
		);
	}
}

fn stage_line(reached: &StageView) -> String {
	let block = reached.block.map(|block| format!(", relay block #{}", block.number)).unwrap_or_default();
	format!("{:<12} it {}{block}", reached.stage, reached.explanation)
}

fn drop_line(drop: &DropView) -> String {
	let times = if drop.count > 1 { format!(", {} times", drop.count) } else { String::new() };
	format!(
		"{:<12} because {} ({}, by {}{times})",
		drop.kind,
		drop.explanation,
		reasons(drop),
		drop.subsystem
	)
}

fn reasons(drop: &DropView) -> String {
	match &drop.because {
		Some(because) => format!("{}: {because}", drop.reason),
		None => drop.reason.clone(),
	}
}

fn counts(view: &ParaCandidates) -> String {
	let mut counts: Vec<_> = view.dropped.iter().collect();
	counts.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
	let counts: Vec<_> = counts.into_iter().map(|(reason, count)| format!("{reason} {count}")).collect();
	counts.join(", ")
}

fn seconds(ms: u64) -> String {
	format!("{}.{:03} s", ms / 1000, ms % 1000)
}

#[cfg(test)]
mod tests;
