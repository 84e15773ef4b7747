//! What the chain of a new leaf takes over from the chain at an ancestor (backing pipeline §2.3, step 4).
//!
//! The ancestor's path is walked, not searched for: in its order each candidate is the next one here too, unless a
//! candidate beside the path is preferred now, or it has no place any more. From there on the path is populated as
//! ever. **Where a position is built on the same state as at the ancestor, what the checks came to there holds**, and
//! the node is shared: that is so on a chain on which nothing happened to the para but that its candidates went on.

use super::{Constraints, Dropped, FragmentChain, Node};
use crate::candidate::{Backing, Candidate};
use headway_primitives::CandidateHash;
use std::sync::Arc;

impl FragmentChain {
	/// Takes over what the chain at an ancestor knew.
	pub(crate) fn populate_from(&mut self, ancestor: &FragmentChain, dropped: &mut Vec<Dropped>) {
		// Those that were pending at the ancestor are pending here too, or included, or timed out. Those up
		// to the head that is included here are included.
		let n_included = ancestor.heads.get(&self.scope.required_head_hash).copied().unwrap_or(0);
		let n_done = n_included.max(ancestor.n_pending);
		self.done = ancestor.nodes[..n_done].iter().map(|node| node.candidate.hash).collect();
		self.unconnected = ancestor.unconnected.clone();
		for pending in &self.nodes {
			self.unconnected.remove(&pending.candidate.hash);
		}
		let rest = self.follow(ancestor, n_done);
		for node in rest.iter().filter(|node| !self.positions.contains_key(&node.candidate.hash)) {
			self.unconnected.insert(node.candidate.clone(), Backing::Backed);
		}
		if self.unconnected.len() == 0 {
			return;
		}
		self.populate();
		// The state that candidates build on is another one: none of them is as it was.
		if self.without_potential(self.beside_path()).is_empty() {
			return;
		}
		let passed = self.nodes.len().max(1);
		let positions = self.unconnected.parent_heads().filter_map(|head| self.heads.get(head)).copied();
		let mut starts: Vec<usize> = positions.filter(|position| *position < passed).collect();
		starts.dedup();
		starts.sort_unstable();
		let starts = starts.into_iter().map(|position| self.head_at(position)).collect();
		self.trim(starts, passed, dropped);
		let doomed = self.without_potential(self.beside_path());
		self.remove(doomed, dropped);
	}

	fn beside_path(&self) -> impl Iterator<Item = &Arc<Candidate>> {
		self.unconnected.iter().map(|(candidate, _)| candidate)
	}

	/// Extends the path as the ancestor's went, from node `n_done` of that on. Answers the nodes that are left.
	fn follow<'a>(&mut self, ancestor: &'a FragmentChain, n_done: usize) -> &'a [Arc<Node>] {
		let rest = &ancestor.nodes[n_done..];
		// On the way of candidates: what the ancestor had as backed is pending here.
		let is_here = |node: &&Arc<Node>| self.positions.contains_key(&node.candidate.hash);
		let mut taken = rest.iter().take_while(is_here).count();
		let is_same = self.scope.base.min_relay_parent_number >= ancestor.scope.base.min_relay_parent_number
			&& same_but_for_age(
				self.constraints_at(self.nodes.len()),
				ancestor.constraints_at(n_done + taken),
			);
		let room = self.scope.max_len.saturating_sub(self.nodes.len());
		let expected = room.min(rest.len() - taken);
		self.nodes.reserve(expected);
		self.heads.reserve(expected);
		self.positions.reserve(expected);
		for node in &rest[taken..taken + expected] {
			let position = self.nodes.len();
			let candidate = &node.candidate;
			if candidate.parent_head_hash != self.head_at(position) || self.is_challenged(candidate) {
				break;
			}
			let node = match is_same {
				true => self.fits(position, candidate).then(|| node.clone()),
				false => self.admit(position, candidate).map(|after| {
					let relay_parent_number = node.relay_parent_number;
					Arc::new(Node { candidate: candidate.clone(), relay_parent_number, after })
				}),
			};
			let Some(node) = node else { break };
			self.push(node);
			taken += 1;
		}
		&rest[taken..]
	}

	/// Whether a candidate beside the path could be preferred to this one, which is next.
	fn is_challenged(&self, next: &Candidate) -> bool {
		let siblings = self.unconnected.children(&next.parent_head_hash);
		let is_lower = |hash: &CandidateHash| *hash < next.hash;
		siblings
			.take_while(|(sibling, _)| is_lower(&sibling.hash))
			.any(|(_, backing)| backing == Backing::Backed)
	}
}

/// Whether a candidate that respects the one respects the other, if its relay parent is new enough.
fn same_but_for_age(one: &Constraints, other: &Constraints) -> bool {
	let min_relay_parent_number = other.min_relay_parent_number;
	Constraints { min_relay_parent_number, ..one.clone() } == *other
}
