//! How full backing is.

use crate::{
	state::{Purpose, SchedulingParent},
	votes::FORMER_MAX,
	Backing, Question, NAME, SESSIONS_MAX,
};
use headway_machine::Sizes;
use headway_primitives::{Hash, ParaId};
use std::collections::BTreeMap;

impl Backing {
	/// Each container beside what the documentation of [`Backing`], its state and its tables allows.
	pub(crate) fn measure(&self) -> Sizes {
		let mut sizes = Sizes::of(NAME);
		sizes.note("scheduling_parents", self.scheduling_parents.len(), self.view.blocks().len());
		sizes.note("executor_params", self.executor_params.len(), SESSIONS_MAX);
		sizes.note("former", self.former.len(), FORMER_MAX);

		let seconded_max = self.scheduling_parents.values().map(|state| state.table.candidates_max()).sum();
		let jobs: usize = self.scheduling_parents.values().map(|state| state.jobs.len()).sum();
		sizes.note("candidates", self.candidates.len(), seconded_max);
		sizes.note("introductions", self.introductions.len(), seconded_max + jobs);
		for introduction in self.introductions.values() {
			let at = self.scheduling_parents.get(&introduction.scheduling_parent());
			let n_validators = at.map_or(0, |state| state.block.session.n_validators());
			sizes.note("waiting_statements", introduction.n_waiting(), 2 * n_validators + 1);
		}
		// Whoever asks whether it could second bounds how often.
		let asked =
			self.questions.values().filter(|question| !matches!(question, Question::CanSecond { .. }));
		sizes.note("questions", asked.count(), jobs + self.introductions.len());
		for (hash, state) in &self.scheduling_parents {
			self.measure_scheduling_parent(hash, state, &mut sizes);
		}
		sizes
	}

	fn measure_scheduling_parent(&self, hash: &Hash, state: &SchedulingParent, sizes: &mut Sizes) {
		let n_candidates = state.table.n_candidates();
		sizes.note("table", n_candidates, state.table.candidates_max());
		sizes.note("backed", state.backed.len(), n_candidates);
		sizes.note("attesting", state.attesting.len(), n_candidates);
		for (candidate, attesting) in &state.attesting {
			let core = state.table.summary(candidate).map(|summary| summary.core);
			let group = core.and_then(|core| state.block.session.group(state.block.group_for_core(core)));
			sizes.note("sources", attesting.sources.len(), group.map_or(0, <[_]>::len));
		}
		// The collator protocol's validator side fetches no more.
		let places = self.view.leaves_with(hash).map(|leaf| leaf.scheduling_lookahead as usize).max();
		let mut to_second = BTreeMap::<ParaId, usize>::new();
		for job in state.jobs.values() {
			match job.purpose {
				Purpose::Second => *to_second.entry(job.receipt.descriptor.para_id).or_default() += 1,
				Purpose::Attest => {},
			}
		}
		to_second.values().for_each(|count| sizes.note("jobs_to_second", *count, places.unwrap_or(0)));
		let to_attest = state.jobs.len() - to_second.values().sum::<usize>();
		sizes.note("jobs_to_attest", to_attest, n_candidates);
	}
}
