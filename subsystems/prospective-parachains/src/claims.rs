//! Which candidates the claim queue of a leaf can still place.
//!
//! A candidate is backed on the core of its descriptor, in a block for which that core is its para's, and only as long as its
//! scheduling parent is allowed: one that is `k` blocks behind the leaf is for the next `lookahead - k` blocks, its *window*.
//! Whoever has no claim in its window can never be backed any more, on any block above the leaf: claims move forward, and
//! windows shrink as fast.
//!
//! The places of a path, behind what is pending, are the para's claims in the order of their depth. A candidate on another core,
//! or too old for a claim of that depth, would keep the place from those that can use it.

use headway_primitives::CoreIndex;
use std::collections::{BTreeMap, BTreeSet};

/// The places of a para in the claim queue of a leaf.
///
/// # Bounds
///
/// Claims of the para: at most cores times lookahead.
#[derive(Clone, Debug)]
pub(crate) struct Claims {
	/// Cores of the para by depth.
	cores: BTreeMap<u8, BTreeSet<CoreIndex>>,
	/// Depth of the claim for each place of the path.
	places: Vec<u8>,
}

impl Claims {
	/// The claims of a para, as they stand in the transposed queue. A path has as many places as the para has cores.
	pub(crate) fn new(cores: &BTreeMap<u8, BTreeSet<CoreIndex>>) -> Self {
		let n_cores = cores.values().flatten().collect::<BTreeSet<_>>().len();
		let by_depth = cores.iter().flat_map(|(depth, cores)| cores.iter().map(|_| *depth));
		Self { places: by_depth.take(n_cores).collect(), cores: cores.clone() }
	}

	/// Places that a path has behind what is pending.
	pub(crate) fn n_places(&self) -> usize {
		self.places.len()
	}

	/// Whether any claim is for a core within a window; for any core, if the candidate does not say which.
	pub(crate) fn is_reached(&self, core: Option<CoreIndex>, window: usize) -> bool {
		let mut within = self.cores.iter().take_while(|(depth, _)| usize::from(**depth) < window);
		within.any(|(_, cores)| core.map_or(!cores.is_empty(), |core| cores.contains(&core)))
	}

	/// Whether a place of the path is for a core, and within a window.
	pub(crate) fn fits(&self, place: usize, core: Option<CoreIndex>, window: usize) -> bool {
		let Some(depth) = self.places.get(place) else { return false };
		let cores = self.cores.get(depth);
		usize::from(*depth) < window
			&& core.is_none_or(|core| cores.is_some_and(|cores| cores.contains(&core)))
	}
}
