//! Scenarios as text: one command per line, what must come of it behind `=>`.
//!
//! ```text
//! leaf 10 [on 9] [session 1] [cores 1] [queue A..|.AA] [lookahead 3] [included 0] [min 0] [room 1000] [pending A B] [sync] [stateless]
//!     [second] [-9]          a new leaf; `room`: for bytes of upward messages; `-9` is none any more;
//!                            `queue`: core by core, by depth, whether a claim is para 1's (`A`)
//!                                                                     => what is dropped, and why
//! drop 10                    a leaf is none any more                  => what is dropped, and why
//! A = 0>1 @10 [rp 5] [core 0] [low] [high] [watermark 3] [upward 4] [v1] [bad] [number 9] [para 2]
//!                            a candidate from head 0 to 1, scheduled by block 10; `low` and `high` order its hash;
//!                            `number 9`: its validation data says that the relay parent is number 9
//! introduce A                                                         => yes, or no and why
//! back A                     it has its votes                         => what is dropped, and why
//! backable 10 9 A            at leaf 10, at most 9, A will be included => candidates
//! member A [10]              `A?`: as an advertisement has it         => leaves
//! data 1 @10                 validation data on head 1 (`1!`: with the head data), relay parent 10
//! heads [2]                  known heads of para 1 (2)                => by block
//! count                      of candidates at leaves                  => connected+unconnected
//! hide 5                     the runtime does not vouch for relay parent 5
//! hold                       the driver leaves questions open
//! answer                     the driver answers them                  => what the machine says then
//! ```

use crate::world::{block_hash, head, LeafPlan, Order, Plan, World, PARA};
use headway_machine::{ParentHead, ValidationDataQuery};
use headway_primitives::{Hash, ParaId};
use headway_prospective_parachains::{Effect, Event};
use std::collections::{BTreeMap, BTreeSet};

/// Runs a scenario and compares all answers at the end.
pub(crate) fn run(script: &str) -> World {
	let mut world = World::default();
	resume(&mut world, script);
	world
}

/// Goes on with a scenario.
pub(crate) fn resume(world: &mut World, script: &str) {
	let (mut actual, mut expected) = (Vec::new(), Vec::new());
	for line in script.lines() {
		let line = line.split('#').next().unwrap_or_default().trim();
		if line.is_empty() {
			continue;
		}
		let (command, wanted) = line.split_once("=>").unwrap_or((line, ""));
		let command = command.trim();
		let said = execute(world, command);
		actual.push(format!("{command} => {said}"));
		expected.push(format!("{command} => {}", wanted.trim()));
	}
	assert_eq!(actual, expected, "\n--- what happened:\n{}\n", actual.join("\n"));
}

fn execute(world: &mut World, command: &str) -> String {
	let words: Vec<&str> = command.split_whitespace().collect();
	let said = match words[..] {
		["block", name, ref options @ ..] => {
			define_block(world, name, options);
			String::new()
		},
		["leaf", name, ref options @ ..] => {
			activate(world, name, options);
			String::new()
		},
		["drop", ref names @ ..] => {
			world.deactivate(None, &names.iter().map(|name| name.to_string()).collect::<Vec<_>>());
			String::new()
		},
		[name, "=", path, at, ref options @ ..] => {
			let plan = candidate_plan(path, at, options);
			world.define(name, &plan);
			String::new()
		},
		["introduce", name] => {
			let event = world.introduce_event(name);
			let said = world.handle(event);
			describe(world, &said)
		},
		["back", name] => {
			world.back(name);
			String::new()
		},
		["backable", leaf, count, ref ancestors @ ..] => {
			let ancestors = ancestors.iter().map(|name| world.candidates[*name].hash).collect();
			let candidates = world.backable(leaf, count.parse().unwrap(), ancestors);
			candidates.iter().map(|hash| world.candidate_name(hash)).collect::<Vec<_>>().join(" ")
		},
		["member", name, ref leaf @ ..] => {
			let candidate = world.hypothetical(name.trim_end_matches('?'), !name.ends_with('?'));
			let leaf = leaf.first().map(|name| block_hash(name));
			let said = world.membership_effects(candidate, leaf);
			describe(world, &said).trim_start_matches("member").trim().to_string()
		},
		["data", parent, relay_parent] => data(world, parent, relay_parent.trim_start_matches('@')),
		["heads"] => heads(world, PARA),
		["heads", para] => heads(world, ParaId(para.parse().unwrap())),
		["count"] => {
			let stats = world.machine.stats();
			format!("{}+{}", stats.connected, stats.unconnected)
		},
		["hide", name] => {
			world.hidden.insert(name.into());
			String::new()
		},
		["hold"] => {
			world.holding = true;
			String::new()
		},
		["answer"] => {
			world.holding = false;
			let mut said = Vec::new();
			for (token, info) in std::mem::take(&mut world.held) {
				said.extend(world.handle(Event::RelayParentInfo { token, info }));
			}
			describe(world, &said)
		},
		_ => panic!("cannot read {command:?}"),
	};
	let drops = world.take_drops();
	let refused = said == "no";
	let drops = drops.iter().map(|(name, reason)| match refused || name.is_empty() {
		true => reason.to_string(),
		false => format!("{name} {reason}"),
	});
	let drops = drops.collect::<Vec<_>>().join(", ");
	[said, drops].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn describe(world: &World, said: &[Effect]) -> String {
	let said = said.iter().map(|effect| match effect {
		Effect::Introduced { accepted: true, .. } => "yes".into(),
		Effect::Introduced { accepted: false, .. } => "no".into(),
		Effect::Membership(membership) => {
			let leaves =
				membership.leaves.iter().map(|(_, leaves)| format!("member {}", blocks(world, leaves)));
			leaves.collect::<Vec<_>>().join(" ")
		},
		Effect::ValidationData { data, .. } => match data {
			Some(data) => {
				let parent = String::from_utf8_lossy(&data.parent_head.0).into_owned();
				format!("{parent} at {} with {}", data.relay_parent_number, data.max_pov_size)
			},
			None => "none".into(),
		},
		other => format!("{other:?}"),
	});
	said.collect::<Vec<_>>().join(" ")
}

fn blocks(world: &World, hashes: &[Hash]) -> String {
	let mut names: Vec<_> = hashes.iter().map(|hash| world.block_name(hash)).collect();
	names.sort();
	names.join(" ")
}

fn define_block(world: &mut World, name: &str, options: &[&str]) {
	let mut block = world.block(name);
	for option in options.chunks(2) {
		match option {
			["on", parent] => block.parent = parent.to_string(),
			["session", session] => block.session = session.parse().unwrap(),
			_ => panic!("cannot read {option:?}"),
		}
	}
	world.blocks.insert(name.into(), block);
}

fn activate(world: &mut World, name: &str, options: &[&str]) {
	let mut block = world.block(name);
	let mut plan = LeafPlan::new(name);
	let mut deactivated = Vec::new();
	let mut words = options.iter().peekable();
	while let Some(word) = words.next() {
		let mut value = || words.next().unwrap_or_else(|| panic!("{word} of what?")).to_string();
		match *word {
			"on" => block.parent = value(),
			"session" => block.session = value().parse().unwrap(),
			"cores" => plan.cores = value().parse().unwrap(),
			"lookahead" => plan.lookahead = value().parse().unwrap(),
			"queue" => {
				let core = |letters: &str| letters.chars().map(|letter| letter == 'A').collect();
				plan.claims = value().split('|').map(core).collect();
			},
			"included" => plan.included = value(),
			"room" => plan.upward_room = value().parse().unwrap(),
			"min" => plan.min_relay_parent_number = value().parse().unwrap(),
			"sync" => plan.synchronous = true,
			"stateless" => plan.stateless = true,
			"second" => plan.with_second = true,
			"pending" => {
				while let Some(name) = words.next_if(|word| world.candidates.contains_key(**word)) {
					plan.pending.push(name.to_string());
				}
			},
			other => match other.strip_prefix('-') {
				Some(name) => deactivated.push(name.to_string()),
				None => panic!("cannot read {other:?}"),
			},
		}
	}
	world.blocks.insert(name.into(), block);
	world.activate(&plan, &deactivated);
}

fn candidate_plan(path: &str, at: &str, options: &[&str]) -> Plan {
	let (parent, output) = path.split_once('>').expect("a path");
	let at = at.strip_prefix('@').expect("a block");
	let mut plan = Plan {
		para: PARA,
		parent: parent.into(),
		output: output.into(),
		scheduling_parent: at.into(),
		relay_parent: at.into(),
		order: Order::Middle,
		watermark: None,
		upward: 0,
		version_1: false,
		bad_validation_data: false,
		core: 0,
		claimed_number: None,
	};
	let mut words = options.iter();
	while let Some(word) = words.next() {
		let mut value = || words.next().unwrap_or_else(|| panic!("{word} of what?"));
		match *word {
			"rp" => plan.relay_parent = value().to_string(),
			"low" => plan.order = Order::Low,
			"high" => plan.order = Order::High,
			"core" => plan.core = value().parse().unwrap(),
			"upward" => plan.upward = value().parse().unwrap(),
			"watermark" => plan.watermark = Some(value().parse().unwrap()),
			"number" => plan.claimed_number = Some(value().parse().unwrap()),
			"v1" => plan.version_1 = true,
			"bad" => plan.bad_validation_data = true,
			"para" => plan.para = ParaId(value().parse().unwrap()),
			other => panic!("cannot read {other:?}"),
		}
	}
	plan
}

fn data(world: &mut World, parent: &str, relay_parent: &str) -> String {
	let head_data = head(parent.trim_end_matches('!'));
	let hash = head_data.hash();
	let parent_head = match parent.ends_with('!') {
		true => ParentHead::WithData { head_data, hash },
		false => ParentHead::OnlyHash(hash),
	};
	let session_index = world.block(relay_parent).session;
	let relay_parent = block_hash(relay_parent);
	let token = world.token();
	let query = ValidationDataQuery { token, para: PARA, relay_parent, session_index, parent_head };
	let said = world.handle(Event::ValidationData(query));
	describe(world, &said)
}

fn heads(world: &mut World, para: ParaId) -> String {
	let by_block = world.heads(para);
	let mut names = BTreeMap::new();
	for built in world.candidates.values() {
		for head in [&built.validation_data.parent_head, &built.receipt.commitments.head_data] {
			names.insert(head.hash(), String::from_utf8_lossy(&head.0).into_owned());
		}
	}
	names.extend((0..10).map(|n| (head(&n.to_string()).hash(), n.to_string())));
	let line = |(at, heads): (&Hash, &BTreeSet<Hash>)| {
		let mut heads: Vec<_> = heads.iter().map(|head| names[head].clone()).collect();
		heads.sort();
		format!("{}: {}", world.block_name(at), heads.join(" ")).trim().to_string()
	};
	let mut lines: Vec<_> = by_block.iter().map(line).collect();
	lines.sort();
	lines.join(" | ")
}
