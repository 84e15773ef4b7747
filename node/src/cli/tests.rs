use super::*;
use clap::CommandFactory;
use sc_cli::{CliConfiguration, Database};
use sc_network::config::NetworkBackendType;

const PEER: &str = "12D3KooWEBo1HUPQJwiBmM5kSeg4XgiVxEArArQdDarYEsGxMfbS";

fn parse(args: &str) -> Result<Cli, clap::Error> {
	let args = std::iter::once("headway").chain(args.split_ascii_whitespace());
	Cli::try_from_iter(args)
}

fn help() -> String {
	Cli::setup_command(Cli::command()).render_long_help().to_string()
}

/// A chain specification that loads, without anything that can be left out.
fn spec_file() -> tempfile::NamedTempFile {
	let file = tempfile::NamedTempFile::new().expect("temporary files can be made");
	let json = r#"{"name":"T","id":"t","chainType":"Local","bootNodes":[],"genesis":{"raw":{"top":{},"childrenDefault":{}}}}"#;
	std::fs::write(file.path(), json).expect("it can be written");
	file
}

/// The configuration that a command line leads to.
fn configuration(args: &str) -> sc_cli::Result<sc_service::Configuration> {
	let spec = spec_file();
	let base = tempfile::tempdir().expect("temporary folders can be made");
	let paths = format!("--chain {} --base-path {}", spec.path().display(), base.path().display());
	let mut cli = parse(&format!("{paths} {args}"))?;
	cli.run.allow_node_key_of_development_accounts();
	let runtime = tokio::runtime::Runtime::new()?;
	cli.create_configuration(&cli.run.base, runtime.handle().clone())
}

#[test]
fn help_says_what_zombienet_looks_for() {
	let help = help();
	assert!(help.contains("--insecure-validator-i-know-what-i-do"));
	assert!(help.contains("export-chain-spec"));
	assert!(help.contains("build-spec"));
	assert!(!help.contains("--ws-port <PORT>"), "selects an obsolete set of flags");
}

#[test]
fn the_command_line_is_consistent() {
	Cli::setup_command(Cli::command()).debug_assert();
}

#[test]
fn the_network_backend_is_libp2p_unless_said_otherwise() {
	let backend = |args| configuration(args).map(|config| config.network.network_backend);
	assert!(matches!(backend(""), Ok(NetworkBackendType::Libp2p)));
	assert!(matches!(backend("--network-backend libp2p"), Ok(NetworkBackendType::Libp2p)));
	assert!(matches!(backend("--network-backend LiteP2P"), Ok(NetworkBackendType::Litep2p)));
	assert!(parse("--network-backend carrier-pigeon").is_err());
}

#[test]
fn a_full_node_listens_on_websocket_and_not_on_webrtc() {
	let config = configuration("").expect("is a full node");
	let addresses: Vec<_> = config.network.listen_addresses.iter().map(ToString::to_string).collect();
	assert_eq!(addresses, ["/ip6/::/tcp/30333/ws", "/ip4/0.0.0.0/tcp/30333/ws"]);
}

#[test]
fn the_database_is_rocksdb_unless_said_otherwise() {
	use sc_service::DatabaseSource;
	assert!(matches!(configuration("").map(|c| c.database), Ok(DatabaseSource::RocksDb { .. })));
	assert!(matches!(
		configuration("--database paritydb").map(|c| c.database),
		Ok(DatabaseSource::ParityDb { .. })
	));
	let cli = parse("--database rocksdb").expect("RocksDB is built in");
	assert!(matches!(cli.run.base.database(), Ok(Some(Database::RocksDb))));
}

#[test]
fn command_lines_of_zombienet_parse() {
	let key = "01".repeat(32);
	let bootnode = format!("/ip4/127.0.0.1/tcp/30333/ws/p2p/{PEER}");
	let common = "--name val-0 --rpc-cors all --rpc-methods unsafe";
	let ports = "--prometheus-port 9615 --rpc-port 9944";
	let javascript = format!(
		"--chain spec.json {common} -lparachain=debug --no-mdns --node-key {key} --no-telemetry \
		--prometheus-external --validator --insecure-validator-i-know-what-i-do --bootnodes {bootnode} {ports} \
		--listen-addr /ip4/127.0.0.1/tcp/30333/ws --base-path /tmp/data",
	);
	let sdk = format!(
		"--chain spec.json {common} --node-key {key} --no-telemetry --prometheus-external --validator \
		--insecure-validator-i-know-what-i-do --bootnodes {bootnode} {ports} --listen-addr /ip4/0.0.0.0/tcp/30333/ws \
		--base-path /tmp/data --bootnodes {bootnode} --network-backend=libp2p",
	);
	let embedded = "--base-path /tmp/relay --chain relay.json --execution wasm --port 1 --prometheus-port 2";
	for line in [javascript.as_str(), sdk.as_str(), embedded] {
		parse(line).unwrap_or_else(|error| panic!("{line}\n{error}"));
	}
	for line in
		["build-spec --chain local --disable-default-bootnode --raw", "export-chain-spec --chain local --raw"]
	{
		parse(line).unwrap_or_else(|error| panic!("{line}\n{error}"));
	}
}

#[test]
fn flags_without_effect_are_accepted() {
	parse(
		"--workers-path /usr/lib --execute-workers-max-num 2 --prepare-workers-soft-max-num 1 \
		--prepare-workers-hard-max-num 2 --disable-worker-version-check --no-beefy --force-authoring-backoff \
		--no-hardware-benchmarks --keep-finalized-for 10 --overseer-channel-capacity-override 1024 \
		--jaeger-agent 127.0.0.1:6831 --collator-reputation-persist-interval 60 --force-kusama --force-westend \
		--force-rococo --pyroscope-server 127.0.0.1:4040 --db-storage-threshold 1024 --db-storage-polling-period 5",
	)
	.expect("all of them are known");
}

#[test]
fn flags_that_do_less_than_expected_are_named() {
	let named = |args: &str| {
		let flags = parse(args).expect("all of them are known").run.without_effect();
		flags.into_iter().map(|(flag, _)| flag).collect::<Vec<_>>()
	};
	// What this node has not got is what these ask for.
	assert!(named("--no-beefy --no-hardware-benchmarks --db-storage-threshold 0").is_empty());
	for args in [
		"--collator-reputation-persist-interval 60",
		"--force-kusama",
		"--force-westend",
		"--force-rococo",
		"--pyroscope-server 127.0.0.1:4040",
		"--jaeger-agent 127.0.0.1:6831",
		"--db-storage-threshold 1024",
		"--db-storage-polling-period 5",
		"--workers-path /usr/lib",
		"--overseer-channel-capacity-override 1024",
	] {
		assert_eq!(named(args), args.split(' ').take(1).collect::<Vec<_>>());
	}
}

#[test]
fn the_experimental_collator_protocol_may_have_a_value() {
	let chosen = |args: &str| parse(args).map(|cli| cli.run.experimental_collator_protocol).ok();
	assert_eq!(chosen(""), Some(false));
	assert_eq!(chosen("--experimental-collator-protocol --name x"), Some(true));
	assert_eq!(chosen("--experimental-collator-protocol=true"), Some(true));
	assert_eq!(chosen("--experimental-collator-protocol=false"), Some(false));
	assert_eq!(chosen("--experimental-collator-protocol=maybe"), None);
	// As stock nodes have it: a value stands behind an equals sign.
	assert_eq!(chosen("--experimental-collator-protocol false"), None);
	assert!(parse("metronome --experimental-collator-protocol=true").is_ok());
}

#[test]
fn unknown_flags_are_refused_by_name() {
	let error = parse("--no-such-flag").expect_err("there is no such flag").to_string();
	assert!(error.contains("--no-such-flag"), "{error}");
}

#[test]
fn an_insecure_validator_is_a_validator() {
	assert!(parse("--insecure-validator-i-know-what-i-do").is_err());
}

#[test]
fn a_validator_without_node_key_is_refused() {
	assert!(matches!(configuration("--validator"), Err(sc_cli::Error::NetworkKeyNotFound(_))));
	assert!(configuration(&format!("--validator --node-key {}", "01".repeat(32))).is_ok());
}

#[test]
fn a_development_account_gets_a_node_key() {
	let config = configuration("--alice").expect("Alice is well known");
	assert!(config.role.is_authority());
}

fn split(args: &[&str]) -> Vec<String> {
	split_bootnodes(args.iter().map(OsString::from))
		.into_iter()
		.map(|arg| arg.into_string().expect("is text"))
		.collect()
}

#[test]
fn bootnodes_are_split_at_white_space() {
	assert_eq!(
		split(&["headway", "--bootnodes", "a b", "--alice"]),
		["headway", "--bootnodes", "a", "--bootnodes", "b", "--alice"],
	);
	assert_eq!(split(&["--bootnodes=a  b c"]), ["--bootnodes", "a", "--bootnodes", "b", "--bootnodes", "c"]);
	assert_eq!(
		split(&["--bootnodes", "a", "b c"]),
		["--bootnodes", "a", "--bootnodes", "b", "--bootnodes", "c"]
	);
}

#[test]
fn other_arguments_keep_their_white_space() {
	let args = ["headway", "--bootnodes", "a", "--telemetry-url", "wss://example.org 0", "--name", "my node"];
	assert_eq!(split(&args), args);
	assert_eq!(split(&["--bootnodes=a"]), ["--bootnodes=a"]);
}

#[test]
fn two_bootnodes_in_one_argument_are_two_bootnodes() {
	let node = |port: u16| format!("/ip4/127.0.0.1/tcp/{port}/ws/p2p/{PEER}");
	let joined = format!("{} {}", node(1), node(2));
	let args = split_bootnodes(["headway", "--bootnodes", &joined, "--name", "x"].map(OsString::from));
	let cli = Cli::try_from_iter(args).expect("both are addresses");
	assert_eq!(cli.run.base.network_params.bootnodes.len(), 2);
}

#[test]
fn a_taken_rpc_port_is_an_error_only_if_no_other_will_do() {
	use crate::service::listen::{check_rpc_free, insist_on_rpc_port};
	let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("the system has a free port");
	let port = taken.local_addr().expect("it is bound").port();
	let config = configuration(&format!("--rpc-port {port}")).expect("the arguments are right");
	let mut endpoints = config.rpc.addr.expect("RPC is on");
	check_rpc_free(&endpoints).expect("the server may choose another port");
	insist_on_rpc_port(&mut endpoints);
	let error = check_rpc_free(&endpoints).expect_err("somebody listens there");
	assert!(error.to_string().contains(&port.to_string()), "{error}");
	// The address of the other IP version may be left out.
	endpoints.retain(|endpoint| endpoint.is_optional);
	endpoints.iter_mut().for_each(|endpoint| endpoint.listen_addr = taken.local_addr().expect("it is bound"));
	check_rpc_free(&endpoints).expect("an optional endpoint fails nobody");
}
