//! The command `headway testnet`.

use crate::{
	drops::Drops,
	network::{Backing, Fault, Network, NetworkConfig},
	node_arg::NodeArg,
	report::Report,
	rpc::{Connections, Rpc},
	sudo,
	watch::Watch,
	Error,
};
use clap::{Args, Subcommand, ValueEnum};
use headway_primitives::AsyncBackingParams;
use std::{
	io::Write,
	path::{Path, PathBuf},
	time::{Duration, Instant, SystemTime},
};
use tokio::signal::unix::{signal, Signal, SignalKind};

/// Without any inclusion for so long, a run that should end by itself has failed.
const FIRST_INCLUSION_TIMEOUT: Duration = Duration::from_secs(600);
/// Cores that a para may have.
const MAX_CORES: u32 = 16;
/// Without a new relay block for so long, a run that should end by itself has failed.
const RELAY_BLOCK_TIMEOUT: Duration = Duration::from_secs(120);

/// The option of a validator that [`TestnetCmd`] passes on.
const EXPERIMENTAL_SIDE: &str = "--experimental-collator-protocol";

/// What makes a node keep all states and all blocks, which it then serves by `archive_v1`.
const ARCHIVE: [&str; 2] = ["--state-pruning=archive", "--blocks-pruning=archive"];

/// Run a local network of validators, and of parachains with their collators, as child processes.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct TestnetCmd {
	/// Something to do in a running network.
	#[command(subcommand)]
	action: Option<Action>,

	/// Number of validators.
	#[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100))]
	validators: u32,

	/// Number of parachains. Each has a core, so that validators split into as many groups.
	#[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=50))]
	parachains: u32,

	/// Cores of a parachain, as PARA=CORES; one if not said. Paras with several make blocks on each (elastic
	/// scaling), once root has assigned the cores in the running network.
	#[arg(long, value_name = "PARA=CORES", value_parser = cores_of)]
	cores: Vec<(u32, u32)>,

	/// Collators of each parachain.
	#[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10))]
	collators_per_para: u32,

	/// What the first collator of a parachain does wrong now and then, as PARA=FAULT: losing-fork, invalid-pov or
	/// late. For tests.
	#[arg(long = "collator-fault", value_name = "PARA=FAULT", value_parser = fault_of)]
	faults: Vec<(u32, Fault)>,

	/// Execution work of a parachain block, milliseconds.
	#[arg(long, default_value_t = 10)]
	work_ms: u32,

	/// Size of a parachain block's proof of validity, KiB.
	#[arg(long, default_value_t = 4)]
	pov_kib: u32,

	/// How candidates are backed.
	#[arg(long, value_enum, default_value_t = Backing::Async)]
	backing: Backing,

	/// Validators fetch collations by the score of their collators, and speak version 4 of the collation protocol, which
	/// knows segments.
	#[arg(long)]
	experimental_collator_protocol: bool,

	/// Chain that the network's specification starts from.
	#[arg(long, default_value = "local")]
	chain: String,

	/// Slots of a session.
	#[arg(long)]
	epoch_duration: Option<u64>,

	/// Directory of databases, keys and logs. A new one among the system's temporary directories if none is
	/// given.
	#[arg(long)]
	base_dir: Option<PathBuf>,

	/// Keep the databases at the end; logs are always kept.
	#[arg(long)]
	keep: bool,

	/// All nodes keep the states and the bodies of all blocks, and serve them by `archive_v1`.
	#[arg(long)]
	archive: bool,

	/// An argument for all nodes, or for one that is named, in the place of the network's own: `--node-arg=--db-cache=64`,
	/// `--node-arg alice=--db-cache=64`. May be given several times.
	#[arg(long = "node-arg", value_name = "[NODE=]ARG", allow_hyphen_values = true)]
	node_args: Vec<NodeArg>,

	/// Log filter of the nodes.
	#[arg(long = "node-log", default_value = "info,parachain=debug")]
	log: String,

	/// End this many relay blocks after the first included parachain block.
	#[arg(long)]
	relay_blocks: Option<u32>,

	/// Print a report at the end.
	#[arg(long, value_enum)]
	report: Option<ReportFormat>,
}

/// `2000=3`: three cores for para 2000.
fn cores_of(text: &str) -> Result<(u32, u32), String> {
	let (para, cores) = text.split_once('=').ok_or("expected PARA=CORES, such as 2000=3")?;
	let number = |text: &str| text.parse::<u32>().map_err(|error| format!("{text}: {error}"));
	match (number(para)?, number(cores)?) {
		(_, 0) => Err("a para has at least one core".into()),
		(_, cores) if cores > MAX_CORES => Err(format!("a para has at most {MAX_CORES} cores")),
		cores => Ok(cores),
	}
}

/// `2000=late`: the first collator of para 2000 is late now and then.
fn fault_of(text: &str) -> Result<(u32, Fault), String> {
	let (para, fault) = text.split_once('=').ok_or("expected PARA=FAULT, such as 2000=late")?;
	let para = para.parse().map_err(|error| format!("{para}: {error}"))?;
	Ok((para, Fault::from_str(fault, false)?))
}

/// Forms of a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum ReportFormat {
	/// One JSON object on standard output.
	Json,
}

/// Something to do in a running network.
#[derive(Clone, Debug, Subcommand)]
enum Action {
	/// Switch asynchronous backing on or off, with the sudo key. In force from the session after the next one
	/// on.
	Switch {
		/// A node's WebSocket.
		#[arg(long)]
		rpc: String,
		/// How candidates are backed from then on.
		#[arg(long, value_enum)]
		backing: Backing,
	},
}

impl TestnetCmd {
	/// Runs it; `program` is the `headway` program itself.
	pub fn run(self, program: PathBuf) -> Result<(), Error> {
		let runtime = tokio::runtime::Builder::new_multi_thread()
			.enable_all()
			.build()
			.map_err(|error| Error::File { path: "runtime".into(), error })?;
		runtime.block_on(async {
			match &self.action {
				Some(Action::Switch { rpc, backing }) => switch(rpc, *backing).await,
				None => self.run_network(program).await,
			}
		})
	}

	async fn run_network(self, program: PathBuf) -> Result<(), Error> {
		let base_dir = match &self.base_dir {
			Some(base_dir) => base_dir.clone(),
			None => temporary_dir(),
		};
		eprintln!("Network in {}; Ctrl-C stops it.", base_dir.display());
		let config = NetworkConfig {
			program,
			base_dir,
			chain: self.chain.clone(),
			validators: self.validators,
			parachains: self.parachains,
			cores: self.cores.iter().copied().collect(),
			collators_per_para: self.collators_per_para,
			work_ms: self.work_ms,
			pov_kib: self.pov_kib,
			backing: self.backing,
			faults: self.faults.iter().copied().collect(),
			validator_args: self
				.experimental_collator_protocol
				.then(|| EXPERIMENTAL_SIDE.into())
				.into_iter()
				.collect(),
			collator_args: Vec::new(),
			node_args: self.node_args(),
			epoch_duration: self.epoch_duration,
			log: self.log.clone(),
		};
		let mut stop = StopSignals::new()?;
		let mut run = Run {
			command: &self,
			started: Instant::now(),
			first_included: None,
			last: None,
			connections: Connections::default(),
			drops: Drops::default(),
		};
		let started = tokio::select! {
			biased;
			() = stop.recv() => None,
			network = Network::start(&config) => Some(network?),
		};
		let Some(mut network) = started else {
			self.clean(&config.base_dir);
			eprintln!("Stopped before all nodes were started.");
			return self.conclude(None);
		};
		let result = tokio::select! {
			biased;
			() = stop.recv() => Ok(()),
			result = run.follow(&mut network) => result,
		};
		let report = run.last.take();
		network.stop();
		self.clean(network.base_dir());
		eprintln!("Logs are in {}.", network.base_dir().display());
		result?;
		self.conclude(report)
	}

	fn node_args(&self) -> Vec<NodeArg> {
		let archive = ARCHIVE.iter().filter(|_| self.archive).map(|arg| NodeArg::for_all(arg));
		archive.chain(self.node_args.iter().cloned()).collect()
	}

	/// Leaves logs and specification behind, and all the rest in a directory that the user named.
	fn clean(&self, base_dir: &Path) {
		if self.keep || self.base_dir.is_some() {
			return;
		}
		// Every node has a directory. What is left is only in the way, and in a directory that the system cleans.
		for entry in std::fs::read_dir(base_dir).into_iter().flatten().flatten() {
			if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
				let _ = std::fs::remove_dir_all(entry.path());
			}
		}
	}

	/// Prints the report, and answers whether the run was a success.
	fn conclude(&self, report: Option<Report>) -> Result<(), Error> {
		let counts = self.relay_blocks.is_some() || self.report.is_some();
		let Some(report) = report else {
			let error = || Error::Unsuccessful("stopped before the network made a block".into());
			return if counts { Err(error()) } else { Ok(()) };
		};
		if self.report == Some(ReportFormat::Json) {
			let json =
				serde_json::to_string(&report).map_err(|error| Error::Unsuccessful(error.to_string()))?;
			println!("{json}");
		}
		match report.failure() {
			Some(failure) if counts => Err(Error::Unsuccessful(failure)),
			_ => Ok(()),
		}
	}
}

/// A run of a network, as far as it got.
struct Run<'a> {
	command: &'a TestnetCmd,
	started: Instant,
	first_included: Option<Duration>,
	last: Option<Report>,
	connections: Connections,
	drops: Drops,
}

impl Run<'_> {
	/// Follows the network until it has made as many relay blocks as wanted.
	async fn follow(&mut self, network: &mut Network) -> Result<(), Error> {
		network.ready().await?;
		network.assign_cores().await?;
		for node in &network.nodes {
			eprintln!(
				"  {:16} ws://127.0.0.1:{}  http://127.0.0.1:{}/metrics",
				node.name, node.rpc_port, node.prometheus_port
			);
		}
		eprintln!("  chain specification, for light clients too: {}", network.spec.display());
		let mut watch = Watch::from(0, network.paras());
		let first = network.nodes.first().ok_or_else(|| Error::UnknownNode("any".into()))?;
		let rpc = first.rpc().await?;
		let mut heads = rpc.subscribe_new_heads().await?;
		let mut last_block = Instant::now();
		let mut tick = tokio::time::interval(Duration::from_secs(1));
		loop {
			tokio::select! {
				head = heads.next() => {
					if !matches!(head, Some(Ok(_))) {
						network.check()?;
						return Err(Error::Rpc { node: rpc.node().into(), error: "subscription ended".into() })
					}
					if watch.advance(&rpc).await? > 0 {
						last_block = Instant::now();
					}
					if self.on_block(network, &watch).await {
						return Ok(())
					}
				},
				_ = tick.tick() => {
					network.check()?;
					self.check_progress(last_block)?;
				},
			}
		}
	}

	/// Shows the status. Answers whether that was enough.
	async fn on_block(&mut self, network: &Network, watch: &Watch) -> bool {
		if watch.first_inclusion().is_some() && self.first_included.is_none() {
			self.first_included = Some(self.started.elapsed());
		}
		let (connections, drops) = (&mut self.connections, &mut self.drops);
		let backing = self.command.backing;
		let report = Report::collect(network, connections, watch, drops, backing, self.first_included).await;
		let seconds = self.started.elapsed().as_secs();
		eprintln!("relay block {}, {seconds} s\n{}", watch.best(), report.status(watch));
		self.last = Some(report);
		match (self.command.relay_blocks, watch.first_inclusion()) {
			(Some(limit), Some(first)) => watch.best().saturating_sub(first) >= limit,
			// Without a parachain there is no first inclusion to count from.
			(Some(limit), None) => self.command.parachains == 0 && watch.best() >= limit,
			(None, _) => false,
		}
	}

	/// A run that should end by itself must not wait for ever.
	fn check_progress(&self, last_block: Instant) -> Result<(), Error> {
		if self.command.relay_blocks.is_none() {
			return Ok(());
		}
		if last_block.elapsed() > RELAY_BLOCK_TIMEOUT {
			return Err(Error::Timeout {
				what: "a new relay block".into(),
				seconds: RELAY_BLOCK_TIMEOUT.as_secs(),
			});
		}
		let waits = self.command.parachains > 0 && self.first_included.is_none();
		if waits && self.started.elapsed() > FIRST_INCLUSION_TIMEOUT {
			let seconds = FIRST_INCLUSION_TIMEOUT.as_secs();
			return Err(Error::Timeout { what: "the first inclusion of a parachain block".into(), seconds });
		}
		Ok(())
	}
}

/// What asks the program to end: Ctrl-C, `kill`, and a terminal that is closed.
struct StopSignals([Signal; 3]);

impl StopSignals {
	fn new() -> Result<Self, Error> {
		let listen = |kind| signal(kind).map_err(|error| Error::File { path: "signals".into(), error });
		Ok(Self([
			listen(SignalKind::interrupt())?,
			listen(SignalKind::terminate())?,
			listen(SignalKind::hangup())?,
		]))
	}

	async fn recv(&mut self) {
		let [interrupt, terminate, hangup] = &mut self.0;
		tokio::select! {
			_ = interrupt.recv() => {},
			_ = terminate.recv() => {},
			_ = hangup.recv() => {},
		}
	}
}

async fn switch(url: &str, backing: Backing) -> Result<(), Error> {
	let rpc = Rpc::connect_url(url, url).await?;
	let params = match backing {
		Backing::Async => AsyncBackingParams { max_candidate_depth: 3, allowed_ancestry_len: 2 },
		Backing::Sync => AsyncBackingParams::default(),
	};
	let hash = sudo::set_async_backing_params(&rpc, params).await?;
	println!("Submitted as {hash:?}; in force from the session after the next one on.");
	std::io::stdout().flush().map_err(|error| Error::File { path: "standard output".into(), error })
}

fn temporary_dir() -> PathBuf {
	// Process ids come again; a second of the clock with the same one does not.
	let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
	std::env::temp_dir().join(format!("headway-testnet-{seconds}-{}", std::process::id()))
}

#[cfg(test)]
mod tests {
	use super::*;
	use clap::Parser;

	#[derive(Parser)]
	struct Command {
		#[clap(flatten)]
		testnet: TestnetCmd,
	}

	#[test]
	fn arguments_of_nodes_are_passed_on_and_an_archive_is_one_of_all_nodes() {
		let args = |args: &str| {
			let args = std::iter::once("x").chain(args.split_whitespace());
			Command::parse_from(args).testnet.node_args()
		};
		assert_eq!(args(""), []);
		let all = NodeArg::for_all;
		let alice = NodeArg { node: Some("alice".into()), arg: "--log=trace".into() };
		assert_eq!(
			args("--node-arg=--db-cache=1 --node-arg alice=--log=trace"),
			[all("--db-cache=1"), alice]
		);
		assert_eq!(
			args("--node-arg --no-grandpa --archive"),
			[all(ARCHIVE[0]), all(ARCHIVE[1]), all("--no-grandpa")]
		);
	}
}
