//! What extrinsics change in a running network: channels between paras, new code, paras and cores, on-demand orders. Every event of it is decoded by polkadot.js and by subxt, from the metadata.

use headway_e2e::{check_events_program, program, TestNetwork};
use headway_primitives::{HeadData, OccupiedCoreAssumption, ParaId, ValidationCode, ValidationCodeHash};
use headway_relay_runtime::RuntimeCall;
use headway_runtime_parachains::{
	configuration, coretime, hrmp, on_demand, paras, registrar,
	scheduler::{CoreAssignment, PartsOf57600},
};
use headway_testnet::{rpc::Rpc, spec, sudo, watch::Watch, Error, Network};
use std::{path::Path, process::Command, time::Duration};

/// Paras of genesis, each with a core.
const FIRST: ParaId = ParaId(2000);
const SECOND: ParaId = ParaId(2001);
/// A para that is registered by extrinsic, and gets a core of its own.
const THIRD: ParaId = ParaId(2002);
/// A para that is registered by extrinsic, and lives on orders.
const FOURTH: ParaId = ParaId(2003);
/// Orders that are placed for it.
const ORDERS: u32 = 3;
/// Events that happen in the course of it, as the metadata names them.
const EVENTS: [&str; 5] = [
	"Hrmp.HrmpChannelForceOpened",
	"Registrar.Registered",
	"Coretime.CoreAssigned",
	"OnDemandAssignmentProvider.OnDemandOrderPlaced",
	"Paras.PvfCheckAccepted",
];
/// Generous: machines that run tests may be slow and busy.
const LONG: Duration = Duration::from_secs(600);

async fn exported(args: &[&str]) -> Vec<u8> {
	let hexadecimal = spec::run(&program(), &[&["metronome"], args].concat()).await;
	let hexadecimal = hexadecimal.expect("the program exports");
	hex::decode(hexadecimal.trim().trim_start_matches("0x")).expect("it exports hexadecimal digits")
}

/// polkadot.js writes the pallet with a small letter.
fn as_in_javascript(event: &str) -> String {
	event[..1].to_lowercase() + &event[1..]
}

/// Runs a program that checks the chain, and answers what it prints.
fn run(command: &mut Command) -> String {
	let output = command.output().expect("the program is there");
	let text =
		String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
	assert!(output.status.success(), "{text}");
	println!("{text}");
	text
}

async fn messages(network: &mut Network, para: ParaId, kind: &str) -> Result<f64, Error> {
	let metrics = network.node(&format!("collator-{para}"))?.metrics().await?;
	Ok(metrics.sum("metronome_messages_total", &[("kind", kind)]).unwrap_or(0.))
}

async fn current_code(rpc: &Rpc, para: ParaId) -> Result<Option<ValidationCodeHash>, Error> {
	let best = rpc.best_hash().await?;
	let args = (para, OccupiedCoreAssumption::TimedOut);
	rpc.runtime_call("ParachainHost_validation_code_hash", &args, best).await
}

/// Waits until so many blocks of the para are included after those that are.
async fn until_more_blocks(network: &mut TestNetwork, rpc: &Rpc, watch: &mut Watch, para: ParaId, n: u32) {
	watch.advance(rpc).await.expect("alice runs");
	let before = watch.history(para.0).included;
	network
		.until(&format!("{n} more blocks of {para}"), LONG, async |_| {
			watch.advance(rpc).await?;
			Ok((watch.history(para.0).included >= before + n).then_some(()))
		})
		.await;
}

async fn until_more_relay_blocks(network: &mut TestNetwork, rpc: &Rpc, watch: &mut Watch, n: u32) {
	let before = watch.best();
	network
		.until(&format!("{n} more relay blocks"), LONG, async |_| {
			watch.advance(rpc).await?;
			Ok((watch.best() >= before + n).then_some(()))
		})
		.await;
}

/// The whole story in one network, since starting networks takes longest.
#[tokio::test(flavor = "multi_thread")]
async fn extrinsics_open_channels_upgrade_code_register_paras_and_order_blocks() {
	let check_events = check_events_program();
	let mut network = TestNetwork::start(|config| {
		config.parachains = 2;
		config.epoch_duration = Some(10);
		let send = ["--send-to", "2000", "--send-to", "2001", "--send-every", "2"];
		config.collator_args = send.map(String::from).into();
	})
	.await;
	let rpc = network.node("alice").unwrap().rpc().await.expect("alice is ready");
	let mut watch = Watch::from(0, [FIRST, SECOND, THIRD, FOURTH].map(|para| para.0));
	let (head, code) = (exported(&["export-genesis-head"]).await, exported(&["export-genesis-wasm"]).await);
	let new_code = ValidationCode(exported(&["export-genesis-wasm", "--mark", "second"]).await);
	let new_hash = new_code.hash();
	until_more_blocks(&mut network, &rpc, &mut watch, FIRST, 1).await;

	let open = |sender, recipient| {
		RuntimeCall::Hrmp(hrmp::Call::force_open_hrmp_channel {
			sender,
			recipient,
			max_capacity: 8,
			max_message_size: 1000,
		})
	};
	let assign = |core, assignment| {
		RuntimeCall::Coretime(coretime::Call::assign_core {
			core,
			begin: 1,
			assignment: vec![(assignment, PartsOf57600::FULL)],
			end_hint: None,
		})
	};
	let calls = vec![
		open(FIRST, SECOND),
		open(SECOND, FIRST),
		RuntimeCall::Paras(paras::Call::add_trusted_validation_code { validation_code: new_code.clone() }),
		RuntimeCall::Configuration(configuration::Call::set_coretime_cores { new: 4 }),
		assign(2, CoreAssignment::Task(THIRD.0)),
		assign(3, CoreAssignment::Pool),
	];
	sudo::sudo_all(&rpc, calls).await.expect("the transaction is valid");
	for para in [THIRD, FOURTH] {
		let register = registrar::Call::register {
			id: para,
			genesis_head: HeadData(head.clone()),
			validation_code: ValidationCode(code.clone()),
		};
		for call in [registrar::Call::reserve {}, register] {
			sudo::submit(&rpc, RuntimeCall::Registrar(call)).await.expect("the transaction is valid");
		}
		network.add_collator(para.0).expect("the program is there");
	}
	network.ready().await.expect("the new collators start");

	// Messages of the other para, once the channels are open in the next session.
	for (from, to) in [(FIRST, SECOND), (SECOND, FIRST)] {
		network
			.until(&format!("a message from {from} to {to}"), LONG, async |network| {
				let sent = messages(network, from, "sent").await?;
				Ok((sent >= 1. && messages(network, to, "received").await? >= 1.).then_some(()))
			})
			.await;
	}

	// The relay chain told both, by downward messages, that the other asks for a channel and accepts one.
	for para in [FIRST, SECOND] {
		network
			.until(&format!("downward messages to {para}"), LONG, async |network| {
				Ok((messages(network, para, "downward").await? >= 2.).then_some(()))
			})
			.await;
	}

	// New code: known to the relay chain as trusted, proposed by the collator.
	let file = network.base_dir().join("second.wasm");
	std::fs::write(&file, &new_code.0).expect("the directory is there");
	let collator = network.node("collator-2000").unwrap();
	collator.kill();
	collator.add_args(&["--upgrade-to", &file.to_string_lossy()]);
	collator.start().expect("the program is there");
	collator.ready().await.expect("the collator starts with code to upgrade to");
	network
		.until("the new code of 2000", LONG, async |_| {
			Ok((current_code(&rpc, FIRST).await? == Some(new_hash)).then_some(()))
		})
		.await;
	until_more_blocks(&mut network, &rpc, &mut watch, FIRST, 3).await;

	// The para that was registered has a core two sessions later.
	until_more_blocks(&mut network, &rpc, &mut watch, THIRD, 3).await;

	// The other one is served as often as it is paid for, and at most as often again: a core may be used one block
	// before its claim, and with the claim once more.
	assert_eq!(watch.history(FOURTH.0).included, 0, "nothing is ordered yet");
	for _ in 0..ORDERS {
		let order = on_demand::Call::place_order_keep_alive { max_amount: u128::MAX, para_id: FOURTH };
		let order = RuntimeCall::OnDemandAssignmentProvider(order);
		sudo::submit(&rpc, order).await.expect("the transaction is valid");
		until_more_blocks(&mut network, &rpc, &mut watch, FOURTH, 1).await;
	}
	until_more_relay_blocks(&mut network, &rpc, &mut watch, 6).await;
	let served = watch.history(FOURTH.0).included;
	assert!((ORDERS..=2 * ORDERS).contains(&served), "{served} blocks for {ORDERS} orders");
	until_more_relay_blocks(&mut network, &rpc, &mut watch, 6).await;
	assert_eq!(watch.history(FOURTH.0).included, served, "blocks without an order");

	let port = network.node("alice").unwrap().rpc_port;
	let range = [format!("ws://127.0.0.1:{port}"), "1".into(), watch.best().to_string()];
	let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../zombienet/check-events.mjs");
	run(Command::new("node").arg(script).args(&range).args(EVENTS.map(as_in_javascript)));
	let read = run(Command::new(check_events).args(&range).args(EVENTS));
	assert!(read.contains("paras with a head: 2000 2001 2002 2003\n"), "{read}");
	assert_eq!(network.log_lines("panicked at"), Vec::<String>::new());
}
