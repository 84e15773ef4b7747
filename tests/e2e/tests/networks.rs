//! Networks of validators and collators, as a user runs them.

use headway_e2e::{program, raw_peer::RawPeer, TestNetwork};
use headway_rpc_api::CandidateView;
use headway_testnet::{rpc::Rpc, watch::Watch, Backing, Error, Network, Role};
use std::{
	path::Path,
	process::Command,
	time::{Duration, Instant},
};

/// Para of networks with one.
const PARA: u32 = 2000;
/// Generous: machines that run tests may be slow and busy.
const LONG: Duration = Duration::from_secs(300);
/// Relay blocks over which a rate is taken.
const WINDOW: u32 = 10;

/// Metrics that every node has.
const METRICS_OF_ALL: &[&str] = &[
	"substrate_block_height",
	"substrate_node_roles",
	"substrate_process_start_time_seconds",
	"substrate_sub_libp2p_is_major_syncing",
	"substrate_sub_libp2p_peers_count",
	"polkadot_parachain_peer_count",
	"polkadot_parachain_peer_connect_events_total",
	"polkadot_parachain_notifications_received_total",
	"polkadot_parachain_notifications_sent_total",
	"polkadot_parachain_notification_bytes_received_total",
	"polkadot_parachain_notification_bytes_sent_total",
];

/// Metrics of a validator that took part in including a candidate.
const METRICS_OF_VALIDATORS: &[&str] = &[
	// Overseer.
	"polkadot_node_is_active_validator",
	"polkadot_node_is_parachain_validator",
	"polkadot_parachain_activated_heads_total",
	"polkadot_parachain_deactivated_heads_total",
	// Availability.
	"polkadot_parachain_av_store_block_activated_count",
	"polkadot_parachain_av_store_process_block_finalized_count",
	"polkadot_parachain_av_store_process_message_count",
	"polkadot_parachain_av_store_store_available_data_count",
	"polkadot_parachain_bitfield_distribution_active_leaves_update_count",
	"polkadot_parachain_bitfield_distribution_handle_network_msg_count",
	"polkadot_parachain_bitfield_signing_run_count",
	"polkadot_parachain_bitfields_signed_total",
	"polkadot_parachain_fetched_chunks_total",
	"polkadot_parachain_fetched_povs_total",
	"polkadot_parachain_received_availability_bitfields_total",
	"polkadot_parachain_received_availability_chunks_total",
	"polkadot_parachain_sent_own_availability_bitfields_total",
	"polkadot_parachain_served_chunks_total",
	// Validation functions.
	"polkadot_parachain_candidate_validation_code_size_count",
	"polkadot_parachain_candidate_validation_pov_size_count",
	"polkadot_parachain_candidate_validation_validate_candidate_exhaustive_count",
	"polkadot_parachain_candidate_validation_validate_from_chain_state_count",
	"polkadot_parachain_candidate_validation_validate_from_exhaustive_count",
	"polkadot_parachain_validation_requests_total",
	"polkadot_pvf_exec_kind_selected",
	"polkadot_pvf_execute_enqueued",
	"polkadot_pvf_execute_finished",
	"polkadot_pvf_execution_queued_time_count",
	"polkadot_pvf_execution_time_count",
	"polkadot_pvf_preparation_max_rss_count",
	"polkadot_pvf_preparation_time_count",
	"polkadot_pvf_prepare_concluded",
	"polkadot_pvf_prepare_enqueued",
	"polkadot_pvf_worker_spawned",
	"polkadot_pvf_worker_spawning",
	// Backing pipeline.
	"polkadot_parachain_candidate_backing_candidates_seconded_total",
	"polkadot_parachain_candidate_backing_get_backed_candidates_count",
	"polkadot_parachain_candidate_backing_process_second_count",
	"polkadot_parachain_candidate_backing_process_statement_count",
	"polkadot_parachain_candidate_backing_signed_statements_total",
	"polkadot_parachain_collation_requests_total",
	"polkadot_parachain_collator_peer_count",
	"polkadot_parachain_collator_protocol_validator_process_msg_count",
	"polkadot_parachain_inherent_data_requests_total",
	"polkadot_parachain_prospective_parachains_active_leaves_count",
	"polkadot_parachain_prospective_parachains_time_active_leaves_update_count",
	"polkadot_parachain_prospective_parachains_time_candidate_backed_count",
	"polkadot_parachain_prospective_parachains_time_hypothetical_membership_count",
	"polkadot_parachain_prospective_parachains_time_introduce_seconded_candidate_count",
	"polkadot_parachain_provisioner_inherent_data_response_bitfields_sent_count",
	"polkadot_parachain_provisioner_provisionable_data_time_count",
	"polkadot_parachain_provisioner_request_inherent_data_time_count",
	"polkadot_parachain_statement_distribution_active_leaves_update_count",
	"polkadot_parachain_statement_distribution_network_bridge_update_count",
	"polkadot_parachain_statement_distribution_received_responses_total",
	"polkadot_parachain_statement_distribution_sent_requests_total",
	"polkadot_parachain_statement_distribution_share_count",
	"polkadot_parachain_statements_distributed_total",
	// What became of candidates.
	"headway_candidates_total",
	"headway_candidate_seconds_count",
];

/// Metrics of a collator whose blocks were included.
const METRICS_OF_COLLATORS: &[&str] = &["metronome_blocks_built_total"];

/// A relay chain that one node tells of.
struct Chain {
	rpc: Rpc,
	watch: Watch,
}

impl Chain {
	async fn of(network: &mut TestNetwork, node: &str) -> Self {
		let paras = network.paras();
		let rpc = network.node(node).expect("it is in the network").rpc().await.expect("the node is ready");
		Self { rpc, watch: Watch::from(0, paras) }
	}

	/// Waits until the chain, as far as the node knows it, satisfies a condition.
	async fn until(&mut self, network: &mut TestNetwork, what: &str, condition: impl Fn(&Watch) -> bool) {
		let Self { rpc, watch } = self;
		network
			.until(what, LONG, async |_| {
				watch.advance(rpc).await?;
				Ok(condition(watch).then_some(()))
			})
			.await;
	}

	/// Waits until blocks of the para are included at nearly every relay block. A relay block that loses
	/// against another of its slot may take one with it.
	async fn until_one_per_relay_block(&mut self, network: &mut TestNetwork, para: u32) {
		let from = self.watch.best();
		let what = format!("a block of {para} in (nearly) each of {WINDOW} relay blocks");
		self.until(network, &what, |watch| {
			let after = watch.best().saturating_sub(WINDOW);
			after >= from && watch.history(para).relay_blocks_with_inclusion(after) >= WINDOW - 1
		})
		.await;
	}
}

async fn best(network: &mut Network, node: &str) -> Result<u32, Error> {
	Ok(network.node(node)?.rpc().await?.status().await?.0)
}

async fn finalized(network: &mut Network, node: &str) -> Result<u32, Error> {
	Ok(network.node(node)?.rpc().await?.status().await?.1)
}

/// The sum of a counter, 0 while it is not there.
async fn count(network: &mut Network, node: &str, metric: &str) -> Result<f64, Error> {
	Ok(network.node(node)?.metrics().await?.sum(metric, &[]).unwrap_or(0.))
}

async fn until_finalized(network: &mut TestNetwork, node: &str, number: u32) {
	network
		.until(&format!("finality of block {number} at {node}"), LONG, async |network| {
			Ok((finalized(network, node).await? >= number).then_some(()))
		})
		.await;
}

/// Waits until all metrics of a node are there. What does not parse fails at once.
async fn until_metrics_are_there(network: &mut TestNetwork, node: &str, names: &[&str]) {
	let mut missing = Vec::new();
	let started = Instant::now();
	while started.elapsed() < Duration::from_secs(60) {
		let node = network.node(node).expect("it is in the network");
		let samples = node.metrics().await.unwrap_or_else(|error| panic!("{error}"));
		missing = names.iter().filter(|name| samples.sum(name, &[]).is_none()).copied().collect();
		if missing.is_empty() {
			return;
		}
		tokio::time::sleep(Duration::from_secs(1)).await;
	}
	panic!("{node} has no metrics {missing:?}");
}

fn assert_no_panic(network: &TestNetwork) {
	assert_eq!(network.log_lines("panicked at"), Vec::<String>::new());
}

/// Undecodable, truncated, oversized and unasked-for bytes under every protocol of the node: each is refused and
/// counted, the peer is turned away in the end, and the node goes on.
async fn a_hostile_peer_harms_only_itself(network: &mut TestNetwork, victim: &str) {
	const COSTS: &str = "polkadot_parachain_network_report_events_total";
	const REQUESTS: &[&str] =
		&["req_chunk/1", "req_chunk/2", "req_pov/1", "req_available_data/1", "req_attested_candidate/2"];
	// A peer is banned below -1,760,000,000 points; a malformed message costs 300,000.
	const MESSAGES_MAX: usize = 50_000;
	let rpc = network.node(victim).unwrap().rpc().await.expect("the node is ready");
	let genesis = rpc.block_hash(0).await.expect("the node answers").expect("there is a genesis block");
	let prefix = format!("/{genesis:x}");
	let addresses: Vec<String> =
		rpc.call("system_localListenAddresses", [(); 0]).await.expect("the node answers");
	// The peer speaks plain TCP; the other listener is for light clients. They come in any order.
	let plain = |address: &&String| !address.contains("/ws");
	let address = addresses.iter().find(plain).expect("the node listens");
	let before = count(network, victim, COSTS).await.expect("the node has metrics");

	let mut peer = RawPeer::connect(address).await.expect("the node listens");
	for name in REQUESTS {
		let protocol = format!("{prefix}/{name}");
		for (what, payload) in [
			("nothing", vec![]),
			("half a hash", vec![1; 16]),
			("trailing bytes", vec![1; 99]),
			("more than the limit", vec![1; 1001]),
		] {
			let answer = peer.request(&protocol, &payload).await;
			assert!(answer.is_err(), "{name} with {what} is answered: {answer:?}");
		}
	}
	assert!(peer.request(&format!("{prefix}/req_nothing/1"), &[]).await.is_err());

	for name in ["validation/3", "collation/3"] {
		let protocol = format!("{prefix}/{name}");
		let mut peer = RawPeer::connect(address).await.expect("the node listens");
		let mut notifications = peer.notifications(&protocol).await.expect("the node accepts full nodes");
		// An unknown message, a message without an end, an empty view.
		for message in [&[0xff; 64][..], &[1], &[2, 0, 0, 0, 0, 0], &[]] {
			notifications.send(message).await.expect("one bad message costs, and does not disconnect");
		}
		let sent = notifications.send_until_closed(&[0xff; 64], MESSAGES_MAX).await;
		println!("{name}: turned away after {sent:?} malformed messages");
		sent.expect("who sends nothing but malformed messages is turned away");
		peer.notifications(&protocol).await.err().expect("who was turned away is not let in again");
	}

	// A notification of 2^31 bytes is announced: the node does not wait for it, nor make room.
	let mut peer = RawPeer::connect(address).await.expect("the node listens");
	let mut notifications =
		peer.notifications(&format!("{prefix}/validation/3")).await.expect("the node accepts full nodes");
	notifications.send_unframed(&[0x80, 0x80, 0x80, 0x80, 0x08, 1, 2, 3]).await.expect("that much is read");
	notifications
		.send_until_closed(&[0; 1024], MESSAGES_MAX)
		.await
		.expect("a notification beyond the limit closes the substream");

	let after = count(network, victim, COSTS).await.expect("the node has metrics");
	assert!(after > before, "nothing of this cost the peer reputation");
	assert!(!network.log_lines("notification does not decode").is_empty(), "no trace of it in the log");
	let best = best(network, victim).await.expect("the node answers");
	until_finalized(network, victim, best + 1).await;
	assert_no_panic(network);
}

/// A validator of the group tells of an included candidate, with all its stages; so does the command, in words.
async fn an_included_candidate_is_explained(network: &mut TestNetwork, node: &str) {
	const STAGES: &[&str] = &["introduced", "backable", "backed", "available", "included", "finalized"];
	let rpc = network.node(node).unwrap().rpc().await.expect("the node is ready");
	let complete = network
		.until("a finalized candidate whose stages are all known", LONG, async |_| {
			let seen = rpc.candidates(PARA, 20).await?.map(|para| para.candidates).unwrap_or_default();
			let has =
				|candidate: &CandidateView, stage: &str| candidate.stages.iter().any(|s| s.stage == stage);
			let is_complete = |candidate: &CandidateView| STAGES.iter().all(|stage| has(candidate, stage));
			Ok(seen.into_iter().find(is_complete))
		})
		.await;
	assert_eq!((&*complete.outcome, complete.para_id.0, &complete.lost), ("finalized", PARA, &None));
	assert_eq!(
		rpc.candidate(complete.candidate_hash).await.ok().flatten().map(|c| c.outcome),
		Some(complete.outcome)
	);

	let url = format!("ws://127.0.0.1:{}", network.node(node).unwrap().rpc_port);
	for subject in [PARA.to_string(), format!("{:?}", complete.candidate_hash)] {
		let output = Command::new(program()).args(["explain", &subject, "--url", &url]).output();
		let output = output.expect("the program is there");
		let text = String::from_utf8_lossy(&output.stdout);
		assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
		assert!(["backable", "backed", "included"].iter().all(|stage| text.contains(stage)), "{text}");
	}
}

/// The stock light client follows the chain, from the specification alone.
fn a_light_client_follows_the_chain(network: &TestNetwork, genesis: &str) {
	let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../zombienet/check-light-client.mjs");
	let output = Command::new("node").arg(script).arg(&network.spec).output().expect("node is there");
	let text = String::from_utf8_lossy(&output.stdout);
	assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
	println!("{text}");
	assert!(text.contains(genesis), "{genesis} is not in: {text}");
}

/// Four validators and a parachain: production, inclusion, finality, metrics, a light client, and crashes of a validator and
/// of the collator.
#[tokio::test(flavor = "multi_thread")]
async fn a_parachain_is_included_in_every_relay_block_and_survives_crashes() {
	let mut network = TestNetwork::start(|_| {}).await;
	let mut chain = Chain::of(&mut network, "alice").await;

	chain.until(&mut network, "first inclusion", |watch| watch.first_inclusion().is_some()).await;
	let first = chain.watch.first_inclusion().expect("that was waited for");
	until_finalized(&mut network, "alice", first).await;
	chain.until_one_per_relay_block(&mut network, PARA).await;

	let nodes: Vec<_> = network.nodes.iter().map(|node| (node.name.clone(), node.role)).collect();
	for (node, role) in nodes {
		until_metrics_are_there(&mut network, &node, METRICS_OF_ALL).await;
		let names = match role {
			Role::Validator => METRICS_OF_VALIDATORS,
			Role::Collator(_) => METRICS_OF_COLLATORS,
		};
		until_metrics_are_there(&mut network, &node, names).await;
	}

	an_included_candidate_is_explained(&mut network, "alice").await;
	let genesis = chain.rpc.block_hash(0).await.expect("alice runs").expect("there is a genesis block");
	a_light_client_follows_the_chain(&network, &format!("{genesis:?}"));
	a_hostile_peer_harms_only_itself(&mut network, "alice").await;

	// The others go on without a validator, and finalize: three of four are more than two thirds.
	network.node("dave").unwrap().kill();
	let killed_at = best(&mut network, "alice").await.expect("alice runs");
	until_finalized(&mut network, "alice", killed_at + 2).await;
	chain
		.until(&mut network, "inclusion without dave", |watch| {
			watch.history(PARA).relay_blocks_with_inclusion(killed_at + 1) > 0
		})
		.await;

	network.node("dave").unwrap().start().expect("the program is there");
	network.node("dave").unwrap().ready().await.expect("dave starts on what he left behind");
	network
		.until("dave catches up", LONG, async |network| {
			let dave = best(network, "dave").await?;
			Ok((dave > killed_at && dave + 2 >= best(network, "alice").await?).then_some(()))
		})
		.await;
	for metric in ["candidate_backing_signed_statements_total", "bitfields_signed_total"] {
		let metric = format!("polkadot_parachain_{metric}");
		network
			.until(&format!("dave validates again: {metric}"), LONG, async |network| {
				Ok((count(network, "dave", &metric).await? > 0.).then_some(()))
			})
			.await;
	}

	let collator = format!("collator-{PARA}");
	network.node(&collator).unwrap().kill();
	network.node(&collator).unwrap().start().expect("the program is there");
	network.node(&collator).unwrap().ready().await.expect("the collator starts on what it left behind");
	chain.watch.advance(&chain.rpc).await.expect("alice runs");
	// What was on its way when the collator crashed is included within these blocks.
	let on_its_way = chain.watch.best() + 5;
	chain
		.until(&mut network, "inclusion after the collator's return", |watch| {
			watch.history(PARA).relay_blocks_with_inclusion(on_its_way) > 0
		})
		.await;
	assert_no_panic(&network);
}

/// Synchronous backing, then the switch to asynchronous backing in the running network, by the documented
/// command.
#[tokio::test(flavor = "multi_thread")]
async fn synchronous_backing_includes_every_other_relay_block_until_the_switch() {
	const RELAY_BLOCKS: u32 = 16;
	let mut network = TestNetwork::start(|config| {
		config.backing = Backing::Sync;
		config.epoch_duration = Some(10);
	})
	.await;
	let mut chain = Chain::of(&mut network, "alice").await;
	chain.until(&mut network, "first inclusion", |watch| watch.first_inclusion().is_some()).await;
	let first = chain.watch.first_inclusion().expect("that was waited for");
	chain.until(&mut network, "16 relay blocks", |watch| watch.best() >= first + RELAY_BLOCKS).await;

	let history = chain.watch.history(PARA);
	let numbers: Vec<_> = history.inclusions.iter().map(|(number, _)| *number).collect();
	assert!(
		numbers.windows(2).all(|pair| pair[1] - pair[0] >= 2),
		"synchronous backing allows at most one block per two relay blocks: included at {numbers:?}"
	);
	let included = history.relay_blocks_with_inclusion_in(first, first + RELAY_BLOCKS);
	println!("synchronous: {included} of {RELAY_BLOCKS} relay blocks");
	assert!(included >= RELAY_BLOCKS / 4, "included at {numbers:?}");

	let url = format!("ws://127.0.0.1:{}", network.node("alice").unwrap().rpc_port);
	let switch = ["testnet", "switch", "--rpc", &url, "--backing", "async"];
	let output = Command::new(program()).args(switch).output().expect("the program is there");
	assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
	chain.until_one_per_relay_block(&mut network, PARA).await;
	let after = chain.watch.best() - WINDOW;
	let included = chain.watch.history(PARA).relay_blocks_with_inclusion(after);
	println!("after the switch: {included} of {WINDOW} relay blocks");
	assert_no_panic(&network);
}

/// Two parachains have a core and a group each: statements and chunks have to reach the validators of the
/// other group.
#[tokio::test(flavor = "multi_thread")]
async fn two_parachains_are_included_by_two_groups() {
	let mut network = TestNetwork::start(|config| {
		config.validators = 6;
		config.parachains = 2;
	})
	.await;
	let mut chain = Chain::of(&mut network, "alice").await;
	for para in [PARA, PARA + 1] {
		chain
			.until(&mut network, &format!("3 blocks of {para}"), |watch| watch.history(para).included >= 3)
			.await;
	}
	let cores = |para| chain.watch.history(para).cores;
	assert!(cores(PARA).is_disjoint(&cores(PARA + 1)), "each para has a core of its own");
	let first = chain.watch.first_inclusion().expect("that was waited for");
	until_finalized(&mut network, "alice", first).await;
	assert_no_panic(&network);
}

/// Validators that know scores and segments, and a parachain with two cores: its collator offers segments of several
/// candidates, by version 4 of the collation protocol.
#[tokio::test(flavor = "multi_thread")]
async fn segments_of_candidates_are_included_on_two_cores() {
	let mut network = TestNetwork::start(|config| {
		config.cores = [(PARA, 2)].into();
		config.validator_args = vec!["--experimental-collator-protocol".into()];
	})
	.await;
	network.assign_cores().await.expect("alice takes extrinsics");
	let mut chain = Chain::of(&mut network, "alice").await;
	chain.until(&mut network, "inclusion on both cores", |watch| watch.history(PARA).cores.len() == 2).await;
	chain.until_one_per_relay_block(&mut network, PARA).await;
	let connected = network.log_lines("peer connected");
	let mut collations = connected.iter().filter(|line| line.contains("set=Collation")).peekable();
	assert!(
		collations.peek().is_some() && collations.all(|line| line.contains("version=V4")),
		"{connected:?}"
	);
	assert_no_panic(&network);
}
