//! What a block has to do with other chains: messages that it processes and sends, and code upgrades.
//!
//! The relay chain's state tells what waits for the parachain as of the included head. What the unincluded blocks in
//! between process, send and propose is known from their [`Effects`].

use crate::{chain::Effects, leaf::Leaf};
use codec::Encode;
use headway_metronome_pvf::Traffic;
use headway_primitives::{ParaId, ValidationCode, ValidationCodeHash};

/// What this collator sends to other chains.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Outgoing {
	/// Paras that get a message now and then.
	pub recipients: Vec<ParaId>,
	/// Blocks between two messages.
	pub every: u32,
	/// Code to upgrade to, and its hash.
	pub upgrade: Option<(ValidationCode, ValidationCodeHash)>,
}

impl Outgoing {
	/// Messages every so many blocks, and code to upgrade to as soon as the relay chain allows.
	pub fn new(mut recipients: Vec<ParaId>, every: u32, upgrade: Option<ValidationCode>) -> Self {
		// As the relay chain wants messages.
		recipients.sort();
		recipients.dedup();
		let upgrade = upgrade.map(|code| {
			let hash = code.hash();
			(code, hash)
		});
		Self { recipients, every: every.max(1), upgrade }
	}
}

/// Traffic of the block with this number, behind unincluded blocks with these effects.
pub fn traffic(
	leaf: &Leaf,
	outgoing: &Outgoing,
	para: ParaId,
	number: u32,
	unincluded: &[Effects],
) -> Traffic {
	let processed = unincluded.iter().map(|effects| effects.processed_downward as usize).sum();
	let watermark = unincluded.last().map_or(0, |effects| effects.relay_parent_number);
	let sent: u32 = unincluded.iter().map(|effects| effects.sent).sum();

	let fits = |recipient: &&ParaId| {
		let channel = leaf.constraints.hrmp_channels_out.iter().find(|(id, _)| id == *recipient);
		channel.is_some_and(|(_, limits)| limits.messages_remaining > sent)
	};
	let due = number.is_multiple_of(outgoing.every.max(1));
	let outbound: Vec<_> = outgoing
		.recipients
		.iter()
		.filter(|_| due)
		.filter(fits)
		.take(leaf.constraints.max_hrmp_num_per_candidate as usize)
		.map(|recipient| (recipient.0, ("tick", para.0, number).encode()))
		.collect();

	Traffic {
		downward: leaf.downward.iter().skip(processed).cloned().collect(),
		horizontal: leaf.horizontal.iter().filter(|message| message.sent_at > watermark).cloned().collect(),
		outbound,
		new_code: new_code(leaf, outgoing, unincluded),
	}
}

/// The code to propose, while the relay chain has not heard of it and lets this para upgrade.
fn new_code(leaf: &Leaf, outgoing: &Outgoing, unincluded: &[Effects]) -> Option<Vec<u8>> {
	let (code, hash) = outgoing.upgrade.as_ref()?;
	let constraints = &leaf.constraints;
	let may = constraints.upgrade_restriction.is_none() && constraints.future_validation_code.is_none();
	let proposed = unincluded.iter().any(|effects| effects.proposes_code);
	(may && !proposed && constraints.validation_code_hash != *hash).then(|| code.0.clone())
}

/// The code that a block is validated with, behind unincluded blocks with these effects: the upgrade takes place with the
/// first block whose relay parent has reached its time, and is in force from the next one on.
pub fn validation_code_hash(leaf: &Leaf, unincluded: &[Effects]) -> ValidationCodeHash {
	let constraints = &leaf.constraints;
	match constraints.future_validation_code {
		Some((at, hash)) if unincluded.iter().any(|effects| effects.relay_parent_number >= at) => hash,
		_ => constraints.validation_code_hash,
	}
}
