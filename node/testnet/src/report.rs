//! The result as JSON, and as status lines.

use crate::{
	drops::{DropReport, Drops},
	network::{Backing, Network, Role},
	rpc::Connections,
	watch::Watch,
};
use serde::Serialize;
use std::{collections::BTreeMap, fmt::Write, time::Duration};

/// Relay blocks that a status line looks back on.
const RECENT_BLOCKS: u32 = 10;
/// Candidates of a para that a node is asked for at each relay block: what becomes of one is known after some ten blocks, each with
/// a few of them.
const NEWEST: u32 = 64;

/// What a run has come to.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
	/// From the start of the first process to the first included block.
	pub seconds_to_first_included: Option<f64>,
	/// Relay blocks after the first included one.
	pub relay_blocks: u32,
	/// How candidates were backed at the start.
	pub backing: &'static str,
	/// Parachains.
	pub paras: Vec<ParaReport>,
	/// Nodes.
	pub nodes: Vec<NodeReport>,
}

/// A parachain in a [`Report`].
#[derive(Clone, Debug, Serialize)]
pub struct ParaReport {
	/// Its id.
	pub id: u32,
	/// Cores on which its blocks were included.
	pub cores: u32,
	/// Blocks that its collators built.
	pub built: u64,
	/// Blocks that were included.
	pub included: u32,
	/// Relay blocks, after that of the first inclusion, with an included block.
	pub relay_blocks_with_inclusion: u32,
	/// Mean time between included blocks.
	pub block_time_ms_mean: Option<u64>,
	/// Candidates that came to nothing, each under one reason: the one that lies behind what nodes say of it.
	pub dropped: BTreeMap<String, u64>,
	/// The newest drop of a candidate that is still lost.
	#[serde(skip)]
	pub last_drop: Option<DropReport>,
}

/// A node in a [`Report`].
#[derive(Clone, Debug, Serialize)]
pub struct NodeReport {
	/// Its name.
	pub name: String,
	/// `validator` or `collator`.
	pub role: &'static str,
	/// Number of its best block.
	pub best: u32,
	/// Number of its newest finalized block.
	pub finalized: u32,
	/// Connected peers.
	pub peers: u32,
	/// Resident memory.
	pub rss_mib: u64,
	/// Processor time.
	pub cpu_seconds: f64,
}

impl Report {
	/// Asks every node, over connections that are kept for the next time. A node that does not answer is reported with
	/// zeros.
	pub async fn collect(
		network: &Network,
		connections: &mut Connections,
		watch: &Watch,
		drops: &mut Drops,
		backing: Backing,
		first_included: Option<Duration>,
	) -> Self {
		let first = watch.first_inclusion().unwrap_or(watch.best());
		let mut paras: BTreeMap<u32, ParaReport> = watch
			.paras()
			.map(|id| {
				let history = watch.history(id);
				let report = ParaReport {
					id,
					cores: history.cores.len() as u32,
					built: 0,
					included: history.included,
					relay_blocks_with_inclusion: history.relay_blocks_with_inclusion(first),
					block_time_ms_mean: history.block_time().map(|time| time.as_millis() as u64),
					dropped: BTreeMap::new(),
					last_drop: None,
				};
				(id, report)
			})
			.collect();
		let mut nodes = Vec::new();
		for node in &network.nodes {
			let status = connections.status(&node.name, node.rpc_port).await;
			let (best, finalized, peers) = status.unwrap_or_default();
			let (rss_mib, cpu_seconds) = node.usage();
			let role = match node.role {
				Role::Validator => "validator",
				Role::Collator(_) => "collator",
			};
			nodes.push(NodeReport {
				name: node.name.clone(),
				role,
				best,
				finalized,
				peers,
				rss_mib,
				cpu_seconds,
			});
			for para in paras.keys() {
				let Some(rpc) = connections.open(&node.name) else { break };
				if let Ok(Some(told)) = rpc.candidates(*para, NEWEST).await {
					drops.add(*para, &node.name, &told);
				}
			}
			let Role::Collator(para) = node.role else { continue };
			let (Some(para), Ok(metrics)) = (paras.get_mut(&para), node.metrics().await) else { continue };
			para.built += metrics.sum("metronome_blocks_built_total", &[]).unwrap_or(0.) as u64;
		}
		for para in paras.values_mut() {
			para.dropped = drops.by_reason(para.id);
			para.last_drop = drops.last(para.id);
		}
		Self {
			seconds_to_first_included: first_included.map(|time| time.as_millis() as f64 / 1000.),
			relay_blocks: watch.best().saturating_sub(first),
			backing: match backing {
				Backing::Async => "async",
				Backing::Sync => "sync",
			},
			paras: paras.into_values().collect(),
			nodes,
		}
	}

	/// Why the run is no success; none if it is one.
	pub fn failure(&self) -> Option<String> {
		if let Some(para) = self.paras.iter().find(|para| para.included == 0) {
			return Some(format!("parachain {} included no block", para.id));
		}
		let finalized =
			self.nodes.iter().filter(|node| node.role == "validator").map(|node| node.finalized).max();
		(finalized.unwrap_or(0) == 0).then(|| "finality did not advance".into())
	}

	/// A few lines for people.
	pub fn status(&self, watch: &Watch) -> String {
		let mut text = String::new();
		for node in &self.nodes {
			// Writing into a string does not fail.
			let _ = writeln!(
				text,
				"  {:16} best {:5}  finalized {:5}  peers {:3}  {:5} MiB  {:7.1} s cpu",
				node.name, node.best, node.finalized, node.peers, node.rss_mib, node.cpu_seconds,
			);
		}
		for para in &self.paras {
			let history = watch.history(para.id);
			let recent = history.relay_blocks_with_inclusion(watch.best().saturating_sub(RECENT_BLOCKS));
			let head = history
				.head
				.map_or_else(|| "-".into(), |head| format!("{head:?}").chars().take(10).collect());
			let head: String = head;
			let last_drop = para.last_drop.as_ref();
			let last_drop =
				last_drop.map_or("none".into(), |last| format!("{} ({})", last.reason, last.node));
			let _ = writeln!(
				text,
				"  para {:11} head {head:10}  built {:5}  included {:5}  {recent:2} in the last {RECENT_BLOCKS}  \
				 last drop: {last_drop}",
				para.id, para.built, para.included,
			);
		}
		text
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn report(included: u32, finalized: u32, dropped: &[(&str, u64)]) -> Report {
		let dropped = dropped.iter().map(|(reason, count)| ((*reason).into(), *count)).collect();
		let para = ParaReport {
			id: 2000,
			cores: 1,
			built: 7,
			included,
			relay_blocks_with_inclusion: included,
			block_time_ms_mean: Some(6000),
			dropped,
			last_drop: None,
		};
		let node = NodeReport {
			name: "alice".into(),
			role: "validator",
			best: 9,
			finalized,
			peers: 3,
			rss_mib: 1,
			cpu_seconds: 0.5,
		};
		Report {
			seconds_to_first_included: Some(30.5),
			relay_blocks: 60,
			backing: "async",
			paras: vec![para],
			nodes: vec![node],
		}
	}

	#[test]
	fn success_needs_an_included_block_of_every_para_and_finality() {
		assert_eq!(report(1, 1, &[]).failure(), None);
		assert!(report(0, 1, &[]).failure().unwrap().contains("2000"));
		assert!(report(1, 0, &[]).failure().unwrap().contains("finality"));
	}

	#[test]
	fn the_status_names_the_last_drop_and_who_told_of_it() {
		let mut report = report(1, 1, &[]);
		let status = |report: &Report| report.status(&Watch::from(0, [2000]));
		assert!(status(&report).contains("last drop: none"), "{}", status(&report));
		let (reason, node) = ("out_of_view".into(), "alice".into());
		report.paras[0].last_drop = Some(DropReport { at_ms: 500, reason, node });
		assert!(status(&report).contains("last drop: out_of_view (alice)"), "{}", status(&report));
	}

	#[test]
	fn the_report_has_the_promised_fields() {
		let json = serde_json::to_value(report(1, 1, &[("duplicate", 3)])).unwrap();
		let keys = |value: &serde_json::Value| {
			let mut keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
			keys.sort();
			keys.join(" ")
		};
		assert_eq!(keys(&json), "backing nodes paras relay_blocks seconds_to_first_included");
		assert_eq!(
			keys(&json["paras"][0]),
			"block_time_ms_mean built cores dropped id included relay_blocks_with_inclusion"
		);
		assert_eq!(keys(&json["nodes"][0]), "best cpu_seconds finalized name peers role rss_mib");
		assert_eq!(json["paras"][0]["dropped"]["duplicate"], 3);
	}
}
