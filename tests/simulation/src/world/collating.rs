//! Collators on a new leaf.

use super::{node::Role, World};
use crate::collator::{choose_parent, Body, Head, UNINCLUDED_SEGMENT_CAPACITY};
use headway_machine::{Collation, LeafContext, SubmitSegment, SubmittedCollation};
use headway_pipeline::Event;
use headway_primitives::{CandidateDescriptorVersion, CoreIndex, HeadData, ParaId, PersistedValidationData};

impl World {
	/// A collator builds on a new leaf: a block for each of its para's cores.
	pub(super) fn collate(&mut self, node: usize, leaf: &LeafContext) {
		let Role::Collator { para, is_honest } = self.nodes[node].role else { return };
		if !is_honest && !self.config.is_stormy(self.slot) {
			return;
		}
		let cores: Vec<CoreIndex> = leaf
			.block
			.claim_queue
			.iter()
			.filter(|(_, claims)| claims.front() == Some(&para))
			.map(|(core, _)| *core)
			.collect();
		let on_chain = on_chain(leaf, para);
		if leaf.is_synchronous() && on_chain.len() > 1 {
			return;
		}
		let capacity = UNINCLUDED_SEGMENT_CAPACITY * cores.len() as u64;
		let in_scope = |relay_parent| leaf.allowed_blocks().any(|block| block.hash == relay_parent);
		for core_index in cores {
			// Whoever offers invalid blocks has none of its own to build on.
			let own = if is_honest { self.nodes[node].built.as_slice() } else { &[] };
			let Some(parent) = choose_parent(own, &on_chain, capacity, in_scope) else { return };
			let Some(head) = Head::child(&parent, leaf.hash()) else { return };
			let approved_peer = self.config.segments.then(|| self.nodes[node].peer.as_bytes().to_vec());
			let body = Body { head: head.to_head_data(), is_valid: is_honest, approved_peer };
			let Some(submission) = submission(leaf, para, core_index, parent.clone(), &body) else { return };
			let built = &mut self.nodes[node].built;
			if let Some(position) = built.iter().position(|head| *head == parent) {
				built.truncate(position + 1);
			} else {
				built.clear();
				built.push(parent);
			}
			built.push(body.head);
			// Heads that were included long ago.
			let excess = built.len().saturating_sub(4 * capacity as usize);
			built.drain(..excess);
			self.handle(node, Event::Submit(submission));
		}
	}
}

/// Included and pending heads of a para, oldest first; none if it has none.
fn on_chain(leaf: &LeafContext, para: ParaId) -> Vec<HeadData> {
	let Some(para) = leaf.paras.get(&para) else { return Vec::new() };
	let pending = para.pending.iter().map(|pending| pending.receipt.commitments.head_data.clone());
	std::iter::once(para.constraints.required_parent.clone()).chain(pending).collect()
}

fn submission(
	leaf: &LeafContext,
	para: ParaId,
	core_index: CoreIndex,
	parent: HeadData,
	body: &Body,
) -> Option<SubmitSegment> {
	let constraints = &leaf.paras.get(&para)?.constraints;
	let block = &leaf.block;
	let validation_data = PersistedValidationData {
		parent_head: parent,
		relay_parent_number: block.number,
		relay_parent_storage_root: block.state_root,
		max_pov_size: constraints.max_pov_size,
	};
	let collation = Collation {
		upward_messages: body.upward_messages(),
		horizontal_messages: Default::default(),
		new_validation_code: None,
		head_data: body.head.clone(),
		pov: body.to_pov(),
		processed_downward_messages: 0,
		hrmp_watermark: block.number,
	};
	Some(SubmitSegment {
		scheduling_parent: block.hash,
		core_index,
		descriptor_version: CandidateDescriptorVersion::V2,
		collations: vec![SubmittedCollation {
			collation,
			relay_parent: block.hash,
			validation_data,
			validation_code_hash: constraints.validation_code_hash,
			session_index: block.session.index,
		}],
	})
}
