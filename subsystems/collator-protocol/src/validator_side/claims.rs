//! Which collations the claim queue has room for, and which to fetch next (backing pipeline §5.4, "slot
//! availability" and "fairness").

use headway_primitives::{Hash, ParaId};

/// A leaf's ancestry and what its claim queue says about the core that we hold at some block of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Path {
	/// Length of the claim queue, as configured.
	pub(crate) lookahead: usize,
	/// The core's queue at the leaf; may be shorter than the lookahead.
	pub(crate) queue: Vec<ParaId>,
	/// The blocks, oldest first, the leaf last.
	pub(crate) blocks: Vec<Hash>,
}

impl Path {
	/// Whether one more collation of the para fits at block `at`, given how many each block has already.
	///
	/// A block that is `k` behind the leaf can only use the first `lookahead - k` positions: those that its
	/// candidates can still be backed in. Claims of blocks older than `at` that do not fit any more are stale
	/// and forgiven.
	pub(crate) fn has_room(&self, para: ParaId, at: &Hash, claims: impl Fn(&Hash) -> usize) -> bool {
		let mut free: Vec<bool> =
			(0..self.lookahead).map(|depth| self.queue.get(depth) == Some(&para)).collect();
		let mut reached = false;
		for (index, block) in self.blocks.iter().enumerate() {
			let is_target = block == at;
			reached |= is_target;
			let window = self.lookahead.saturating_sub(self.blocks.len() - 1 - index);
			for _ in 0..claims(block) + usize::from(is_target) {
				match free[..window].iter_mut().find(|position| **position) {
					Some(position) => *position = false,
					None if reached => return false,
					None => break,
				}
			}
		}
		reached
	}

	/// Entries of the claim queue that nothing was fetched for yet, in order, given how many collations of a
	/// para are seconded or on their way to it on the whole path.
	pub(crate) fn unfulfilled(&self, claims: impl Fn(&Hash, ParaId) -> usize) -> Vec<ParaId> {
		let mut taken: std::collections::BTreeMap<ParaId, usize> = Default::default();
		for para in &self.queue {
			taken.entry(*para).or_insert_with(|| self.blocks.iter().map(|block| claims(block, *para)).sum());
		}
		let open = |para: &&ParaId| match taken.get_mut(para) {
			Some(left) if *left > 0 => {
				*left -= 1;
				false
			},
			_ => true,
		};
		self.queue.iter().take(self.lookahead).filter(open).copied().collect()
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use headway_machine::testing::hash;

	/// A path over blocks `1..=n` with the queue in letters; `.` is another para.
	fn path(queue: &str, lookahead: usize, n: u64) -> Path {
		Path {
			lookahead,
			queue: queue.bytes().map(|b| ParaId(b.into())).collect(),
			blocks: (1..=n).map(hash).collect(),
		}
	}

	const A: ParaId = ParaId(b'A' as u32);
	const B: ParaId = ParaId(b'B' as u32);

	fn room(path: &Path, at: u64, claims: &[(u64, usize)]) -> bool {
		path.has_room(A, &hash(at), |block| {
			claims.iter().find(|(claimed, _)| hash(*claimed) == *block).map_or(0, |(_, n)| *n)
		})
	}

	#[test]
	fn cv06_slots_of_another_para_are_not_usable() {
		for (queue, most) in [("AAA", 3), ("A.A", 2), ("..A", 1), ("...", 0)] {
			let path = path(queue, 3, 1);
			for claimed in 0..4 {
				assert_eq!(room(&path, 1, &[(1, claimed)]), claimed < most, "{queue} with {claimed}");
			}
		}
	}

	#[test]
	fn cv07_claims_of_ancestors_and_descendants_count() {
		let path = path("AAA", 3, 3);
		// (room at block 1, 2, 3) by what is claimed at which block.
		type Case = (&'static [(u64, usize)], [bool; 3]);
		let cases: [Case; 8] = [
			(&[], [true, true, true]),
			(&[(1, 1)], [false, true, true]),
			(&[(2, 1)], [true, true, true]),
			(&[(2, 2)], [false, false, true]),
			(&[(3, 3)], [false, false, false]),
			(&[(3, 2)], [true, true, true]),
			(&[(1, 1), (2, 1)], [false, false, true]),
			// Three at the oldest block are more than fit there: stale, and forgiven to newer ones.
			(&[(1, 3)], [false, true, true]),
		];
		for (claims, expected) in cases {
			assert_eq!([1, 2, 3].map(|at| room(&path, at, claims)), expected, "{claims:?}");
		}
		assert!(!room(&path, 9, &[]), "not on the path");
	}

	#[test]
	fn cv09_positions_missing_in_the_queue_are_unavailable_and_windows_follow_the_lookahead() {
		let short = path("AA", 3, 2);
		assert!(room(&short, 2, &[(2, 1)]));
		assert!(!room(&short, 2, &[(2, 2)]));
		// The window of the ancestor is 3 - 1 = 2, not 2 - 1 = 1.
		assert!(room(&short, 1, &[(1, 1)]));
		let older_than_lookahead = path("AAA", 3, 4);
		assert!(!room(&older_than_lookahead, 1, &[]));
	}

	#[test]
	fn cv08_first_open_entry_of_the_claim_queue_is_next() {
		let path = path("ABA", 3, 2);
		let next = |at_a: usize, at_b: usize| {
			path.unfulfilled(|block, para| match () {
				() if *block != hash(1) => 0,
				() if para == A => at_a,
				() => at_b,
			})
		};
		assert_eq!(next(0, 0), [A, B, A]);
		assert_eq!(next(1, 0), [B, A]);
		assert_eq!(next(2, 0), [B]);
		assert_eq!(next(0, 5), [A, A]);
		assert!(next(2, 1).is_empty());
	}
}
