//! Nodes of a network: starting, killing, restarting, stopping.

use crate::{
	directory,
	node_arg::{self, NodeArg},
	ports::Ports,
	process::{Process, END_WITH_PARENT},
	rpc::Rpc,
	scrape::{scrape, Samples},
	spec::{self, GenesisPara, SpecConfig},
	sudo, Error,
};
use clap::ValueEnum;
use headway_relay_runtime::RuntimeCall;
use headway_runtime_parachains::{
	coretime,
	scheduler::{CoreAssignment, PartsOf57600},
};
use sp_crypto_hashing::sha2_256;
use std::{
	collections::{BTreeMap, BTreeSet},
	fs::File,
	path::{Path, PathBuf},
	time::{Duration, Instant},
};

/// Names of the first validators; more are numbered.
const NAMES: [&str; 8] = ["alice", "bob", "charlie", "dave", "eve", "ferdie", "one", "two"];
/// First para id.
const FIRST_PARA: u32 = 2000;
/// Pause between two looks at a node that is not ready.
const POLL: Duration = Duration::from_millis(200);
/// Whose pages browsers let read what nodes answer: polkadot.js Apps, and what is developed on this machine.
const RPC_CORS: &str =
	"http://localhost:*,http://127.0.0.1:*,https://localhost:*,https://127.0.0.1:*,https://polkadot.js.org";
/// How long a node may take until its RPC answers.
const READY_TIMEOUT: Duration = Duration::from_secs(120);

/// How candidates are backed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Backing {
	/// On older relay parents and on candidates that are not included yet.
	Async,
	/// On the newest relay parent and on included heads only.
	Sync,
}

/// What a collator does wrong now and then, as `headway metronome --fault` has it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum)]
pub enum Fault {
	/// Builds on the included head while another candidate on it is backed on the relay chain already.
	LosingFork,
	/// Puts a block into the proof of validity that the validation function refuses.
	InvalidPov,
	/// Offers a collation only when its relay parent has left the allowed ancestry.
	Late,
}

/// What a network is made of.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
	/// The `headway` program.
	pub program: PathBuf,
	/// Directory of everything that belongs to the network.
	pub base_dir: PathBuf,
	/// Chain that the specification starts from.
	pub chain: String,
	/// Number of validators.
	pub validators: u32,
	/// Number of parachains, each with a core.
	pub parachains: u32,
	/// Cores of parachains that have more than one.
	pub cores: BTreeMap<u32, u32>,
	/// Collators of each parachain.
	pub collators_per_para: u32,
	/// Execution work of a parachain block, milliseconds.
	pub work_ms: u32,
	/// Size of a proof of validity, KiB.
	pub pov_kib: u32,
	/// How candidates are backed.
	pub backing: Backing,
	/// Paras whose first collator has a fault.
	pub faults: BTreeMap<u32, Fault>,
	/// More arguments for each validator.
	pub validator_args: Vec<String>,
	/// More arguments for each collator.
	pub collator_args: Vec<String>,
	/// More arguments for all nodes, or for those that are named.
	pub node_args: Vec<NodeArg>,
	/// Slots of a session; none: as the chain says.
	pub epoch_duration: Option<u64>,
	/// Log filter of all nodes.
	pub log: String,
}

impl NetworkConfig {
	/// Ids of the parachains of genesis.
	fn paras(&self) -> Vec<u32> {
		(0..self.parachains).map(|i| FIRST_PARA + i).collect()
	}

	/// Whose each core is beyond the first one of its para.
	fn more_cores(&self) -> Vec<u32> {
		let more = |(para, cores): (&u32, &u32)| vec![*para; cores.saturating_sub(1) as usize];
		self.cores.iter().flat_map(more).collect()
	}

	/// Names of the validators.
	fn validator_names(&self) -> Vec<String> {
		(0..self.validators as usize).map(validator_name).collect()
	}

	/// Names of the collators, and whose they are.
	fn collators(&self) -> Vec<(u32, String)> {
		let of_para =
			|para| (0..self.collators_per_para as usize).map(move |n| (para, collator_name(para, n)));
		self.paras().into_iter().flat_map(of_para).collect()
	}

	/// Names of all nodes, validators first.
	fn node_names(&self) -> Vec<String> {
		self.validator_names().into_iter().chain(self.collators().into_iter().map(|(_, name)| name)).collect()
	}

	/// An error if such a network could not do what it is for, or if something is said of what it does not have.
	pub fn check(&self) -> Result<(), Error> {
		let paras = self.paras();
		let named = self.cores.keys().chain(self.faults.keys());
		if let Some(unknown) = named.into_iter().find(|para| !paras.contains(para)) {
			return Err(Error::Config(format!("the network does not have a para {unknown}")));
		}
		node_arg::check(&self.node_args, self.node_names().iter().map(String::as_str))?;
		if paras.is_empty() {
			return Ok(());
		}
		let validators = self.validators;
		if validators < 2 {
			let what = "one validator includes no parachain block: data is made available in pieces for two at least; \
				use --validators 2, or --parachains 0";
			return Err(Error::Config(what.into()));
		}
		let cores = paras.len() + self.more_cores().len();
		if cores > validators as usize {
			return Err(Error::Config(format!(
				"{cores} cores, but {validators} validators: a core without validators never includes a block; \
				 use --validators {cores} or more, or fewer parachains and cores"
			)));
		}
		Ok(())
	}
}

/// What a node does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
	/// Makes relay blocks, backs candidates.
	Validator,
	/// Makes blocks of this para.
	Collator(u32),
}

/// A node of a network.
pub struct Node {
	/// Its name.
	pub name: String,
	/// What it does.
	pub role: Role,
	/// Port of its RPC.
	pub rpc_port: u16,
	/// Port of its metrics.
	pub prometheus_port: u16,
	args: Vec<String>,
	log: PathBuf,
	program: PathBuf,
	process: Option<Process>,
}

impl Node {
	/// A connection to its RPC.
	pub async fn rpc(&self) -> Result<Rpc, Error> {
		Rpc::connect(&self.name, self.rpc_port).await
	}

	/// Its metrics.
	pub async fn metrics(&self) -> Result<Samples, Error> {
		scrape(&self.name, self.prometheus_port).await
	}

	/// Where its log is.
	pub fn log(&self) -> &Path {
		&self.log
	}

	/// Whether it is meant to run.
	pub fn is_running(&self) -> bool {
		self.process.is_some()
	}

	/// Ends it at once, as a crash would.
	pub fn kill(&mut self) {
		if let Some(mut process) = self.process.take() {
			process.kill();
		}
	}

	/// Starts it, on what it left behind.
	pub fn start(&mut self) -> Result<(), Error> {
		self.process = Some(Process::start(&self.name, &self.program, &self.args, &self.log)?);
		Ok(())
	}

	/// Arguments in addition to those that it has, from its next start on.
	pub fn add_args(&mut self, args: &[&str]) {
		self.args.extend(args.iter().map(|arg| (*arg).into()));
	}

	/// An error if it ended although it should run.
	pub fn check(&mut self) -> Result<(), Error> {
		self.process.as_mut().map_or(Ok(()), Process::check)
	}

	/// Resident memory in MiB, processor time in seconds.
	pub fn usage(&self) -> (u64, f64) {
		self.process.as_ref().map(Process::usage).unwrap_or_default()
	}

	/// Waits until its RPC answers.
	pub async fn ready(&mut self) -> Result<(), Error> {
		let started = Instant::now();
		loop {
			self.check()?;
			if let Ok(rpc) = self.rpc().await {
				if rpc.status().await.is_ok() {
					return Ok(());
				}
			}
			if started.elapsed() > READY_TIMEOUT {
				let what = format!("readiness of {} (log: {})", self.name, self.log.display());
				return Err(Error::Timeout { what, seconds: READY_TIMEOUT.as_secs() });
			}
			tokio::time::sleep(POLL).await;
		}
	}
}

/// A running network. Its nodes end when it is dropped, and when this process ends.
pub struct Network {
	/// Validators first, then collators.
	pub nodes: Vec<Node>,
	/// The raw chain specification, with the addresses of all nodes that were there at the start.
	pub spec: PathBuf,
	config: NetworkConfig,
	/// Held for as long as the network lives.
	_lock: File,
}

impl Network {
	/// Writes the chain specification and starts all nodes. Where the caller stops waiting, nothing stays behind.
	pub async fn start(config: &NetworkConfig) -> Result<Self, Error> {
		config.check()?;
		let base_dir = &config.base_dir;
		let lock = directory::lock(base_dir)?;
		let mut spec = Self::specification(config).await?;
		directory::check_genesis(base_dir, spec::genesis_hash(&spec)?)?;
		let chain_id = spec::id(&spec)?;
		let names = config.node_names();
		let ports = Ports::free(names.len())?;
		let addresses = names.iter().zip(&ports).flat_map(|(name, ports)| addresses(name, ports));
		spec["bootNodes"] = addresses.collect();
		let spec = directory::write_spec(base_dir, &spec)?;

		let mut network = Self { nodes: Vec::new(), spec, config: config.clone(), _lock: lock };
		let validators = config.validator_names();
		let (of_validators, of_collators) = ports.split_at(validators.len());
		for (name, ports) in validators.into_iter().zip(of_validators) {
			let base_path = network.base_dir().join(&name);
			spec::write_keystore(&base_path.join("chains").join(&chain_id).join("keystore"), &name)?;
			let mut args = network.common_args(&name, *ports);
			args.push("--validator".into());
			args.push("--insecure-validator-i-know-what-i-do".into());
			args.extend(config.validator_args.iter().cloned());
			network.add(name, Role::Validator, args, *ports)?;
			// Whoever waits may want to stop.
			tokio::task::yield_now().await;
		}
		for ((para, _), ports) in config.collators().into_iter().zip(of_collators) {
			network.start_collator(para, *ports)?;
			tokio::task::yield_now().await;
		}
		Ok(network)
	}

	async fn specification(config: &NetworkConfig) -> Result<serde_json::Value, Error> {
		let mut paras = Vec::new();
		for id in config.paras() {
			paras.push(genesis_para(&config.program, id).await?);
		}
		let spec = SpecConfig {
			validators: config.validator_names(),
			paras,
			spare_cores: config.more_cores().len() as u32,
			backing: config.backing,
			epoch_duration: config.epoch_duration,
		};
		spec::build(&config.program, &config.chain, &spec, &config.base_dir).await
	}

	/// Starts a collator of a para, whether or not the para is registered already.
	pub fn add_collator(&mut self, para: u32) -> Result<(), Error> {
		Ports::free(1)?.into_iter().try_for_each(|ports| self.start_collator(para, ports))
	}

	fn start_collator(&mut self, para: u32, ports: Ports) -> Result<(), Error> {
		let n = self.nodes.iter().filter(|node| node.role == Role::Collator(para)).count();
		let name = collator_name(para, n);
		let mut args = vec!["metronome".into()];
		args.extend(self.common_args(&name, ports));
		args.extend(["--parachain-id".into(), para.to_string()]);
		args.extend(["--work-ms".into(), self.config.work_ms.to_string()]);
		args.extend(["--pov-kib".into(), self.config.pov_kib.to_string()]);
		let fault = self.config.faults.get(&para).filter(|_| n == 0);
		if let Some(fault) = fault.and_then(ValueEnum::to_possible_value) {
			args.extend(["--fault".into(), fault.get_name().into()]);
		}
		args.extend(self.config.collator_args.iter().cloned());
		self.add(name, Role::Collator(para), args, ports)
	}

	/// A node by its name.
	pub fn node(&mut self, name: &str) -> Result<&mut Node, Error> {
		self.nodes.iter_mut().find(|node| node.name == name).ok_or_else(|| Error::UnknownNode(name.into()))
	}

	/// Ids of the parachains.
	pub fn paras(&self) -> BTreeSet<u32> {
		let para = |node: &Node| match node.role {
			Role::Collator(para) => Some(para),
			Role::Validator => None,
		};
		self.nodes.iter().filter_map(para).collect()
	}

	/// Waits until every node's RPC answers.
	pub async fn ready(&mut self) -> Result<(), Error> {
		for node in &mut self.nodes {
			node.ready().await?;
		}
		Ok(())
	}

	/// Assigns to paras the cores that they have beyond their first. The cores are there from genesis, and first
	/// of all; the para uses them as soon as the claim queue has come that far.
	pub async fn assign_cores(&self) -> Result<(), Error> {
		let paras = self.config.more_cores();
		let first = self.nodes.first().filter(|_| !paras.is_empty());
		let Some(first) = first else { return Ok(()) };
		let assign = |(core, para): (usize, &u32)| {
			RuntimeCall::Coretime(coretime::Call::assign_core {
				core: core as u16,
				begin: 1,
				assignment: vec![(CoreAssignment::Task(*para), PartsOf57600::FULL)],
				end_hint: None,
			})
		};
		let calls = paras.iter().enumerate().map(assign).collect();
		sudo::sudo_all(&first.rpc().await?, calls).await.map(drop)
	}

	/// An error if a node ended although it should run.
	pub fn check(&mut self) -> Result<(), Error> {
		self.nodes.iter_mut().try_for_each(Node::check)
	}

	/// Directory of everything that belongs to the network.
	pub fn base_dir(&self) -> &Path {
		&self.config.base_dir
	}

	/// Asks all nodes to end, and waits for them.
	pub fn stop(&mut self) {
		let mut processes: Vec<_> = self.nodes.iter_mut().filter_map(|node| node.process.take()).collect();
		processes.iter_mut().for_each(Process::terminate);
		processes.iter_mut().for_each(Process::wait);
	}

	fn add(
		&mut self,
		name: String,
		role: Role,
		mut args: Vec<String>,
		Ports { rpc: rpc_port, prometheus: prometheus_port, .. }: Ports,
	) -> Result<(), Error> {
		node_arg::add(&mut args, &name, &self.config.node_args);
		let log = self.base_dir().join(format!("{name}.log"));
		let program = self.config.program.clone();
		let mut node = Node { name, role, rpc_port, prometheus_port, args, log, program, process: None };
		node.start()?;
		self.nodes.push(node);
		Ok(())
	}

	fn common_args(&self, name: &str, Ports { p2p, websocket, rpc, prometheus }: Ports) -> Vec<String> {
		let path = |path: &Path| path.to_string_lossy().into_owned();
		let mut args: Vec<String> = Vec::new();
		let mut flag = |name: &str, value: String| args.extend([name.to_owned(), value]);
		flag("--chain", path(&self.spec));
		flag("--name", name.into());
		flag("--base-path", path(&self.base_dir().join(name)));
		flag("--node-key", hex::encode(node_key(name)));
		flag("--listen-addr", format!("/ip4/127.0.0.1/tcp/{p2p}"));
		// For light clients, which know nothing else.
		flag("--listen-addr", format!("/ip4/127.0.0.1/tcp/{websocket}/ws"));
		// Validators tell the others where they are.
		flag("--public-addr", format!("/ip4/127.0.0.1/tcp/{p2p}"));
		flag("--rpc-port", rpc.to_string());
		flag("--prometheus-port", prometheus.to_string());
		flag("--rpc-methods", "unsafe".into());
		flag("--rpc-cors", RPC_CORS.into());
		flag("--log", self.config.log.clone());
		let more = ["--no-telemetry", "--no-mdns", "--no-hardware-benchmarks", END_WITH_PARENT];
		args.extend(more.map(String::from));
		args
	}
}

impl Drop for Network {
	fn drop(&mut self) {
		self.stop();
	}
}

/// Name of a validator.
fn validator_name(index: usize) -> String {
	NAMES.get(index).map_or_else(|| format!("validator{index}"), |name| (*name).into())
}

/// Name of a para's collator.
fn collator_name(para: u32, index: usize) -> String {
	match index {
		0 => format!("collator-{para}"),
		more => format!("collator-{para}-{more}"),
	}
}

async fn genesis_para(program: &Path, id: u32) -> Result<GenesisPara, Error> {
	let id_text = id.to_string();
	let export = async |what| spec::run(program, &["metronome", what, "--parachain-id", &id_text]).await;
	let (head, code) = (export("export-genesis-head").await?, export("export-genesis-wasm").await?);
	Ok(GenesisPara { id, head: head.trim().into(), code: code.trim().into() })
}

/// The node's network identity: the same as zombienet's, so that logs compare.
fn node_key(name: &str) -> [u8; 32] {
	sha2_256(name.as_bytes())
}

/// Where a node is reached: by light clients, and by the other nodes.
fn addresses(name: &str, ports: &Ports) -> [serde_json::Value; 2] {
	let peer = peer_id(&node_key(name));
	let of = |port, suffix| format!("/ip4/127.0.0.1/tcp/{port}{suffix}/p2p/{peer}").into();
	[of(ports.websocket, "/ws"), of(ports.p2p, "")]
}

fn peer_id(key: &[u8; 32]) -> String {
	use libp2p::identity::{ed25519, Keypair};
	// 32 bytes are always a secret key of this scheme.
	let secret = ed25519::SecretKey::try_from_bytes(*key).unwrap_or_else(|_| ed25519::SecretKey::generate());
	Keypair::from(ed25519::Keypair::from(secret)).public().to_peer_id().to_string()
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn node_keys_are_those_of_zombienet() {
		// `printf alice | sha256sum`; the peer id that zombienet gives this node.
		let key = hex::encode(node_key("alice"));
		assert_eq!(key, "2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90");
		assert_eq!(peer_id(&node_key("alice")), "12D3KooWQCkBm1BYtkHpocxCwMgR8yjitEeHGx8spzcDLGt2gkBm");
	}

	fn config(validators: u32, parachains: u32) -> NetworkConfig {
		NetworkConfig {
			program: "headway".into(),
			base_dir: "base".into(),
			chain: "local".into(),
			validators,
			parachains,
			cores: BTreeMap::new(),
			collators_per_para: 1,
			work_ms: 10,
			pov_kib: 4,
			backing: Backing::Async,
			faults: BTreeMap::new(),
			validator_args: Vec::new(),
			collator_args: Vec::new(),
			node_args: Vec::new(),
			epoch_duration: None,
			log: "info".into(),
		}
	}

	#[test]
	fn a_network_with_more_cores_than_validators_is_refused() {
		for (validators, parachains) in [(1, 0), (2, 1), (2, 2), (4, 4)] {
			config(validators, parachains).check().unwrap();
		}
		let refused = |config: NetworkConfig| config.check().unwrap_err().to_string();
		let error = refused(config(2, 3));
		assert!(error.contains("3 cores") && error.contains("2 validators"), "{error}");
		let error = refused(NetworkConfig { cores: [(2000, 4)].into(), ..config(4, 2) });
		assert!(error.contains("5 cores") && error.contains("4 validators"), "{error}");
		let error = refused(config(1, 1));
		assert!(error.contains("--validators 2"), "{error}");
	}

	#[test]
	fn what_a_network_does_not_have_is_refused_by_name() {
		let refused = |config: NetworkConfig| config.check().unwrap_err().to_string();
		assert!(refused(NetworkConfig { cores: [(2007, 2)].into(), ..config(4, 1) }).contains("2007"));
		assert!(
			refused(NetworkConfig { faults: [(2008, Fault::Late)].into(), ..config(4, 1) }).contains("2008")
		);
		let node_args = vec!["zoe=--x".parse().unwrap()];
		assert!(refused(NetworkConfig { node_args, ..config(4, 1) }).contains("zoe"));
	}

	#[test]
	fn light_clients_and_nodes_find_each_node_in_the_specification() {
		let ports = Ports { p2p: 20_001, websocket: 20_002, rpc: 20_003, prometheus: 20_004 };
		let peer = "12D3KooWQCkBm1BYtkHpocxCwMgR8yjitEeHGx8spzcDLGt2gkBm";
		let expected = [20_002.to_string() + "/ws", 20_001.to_string()];
		let expected = expected.map(|tcp| format!("/ip4/127.0.0.1/tcp/{tcp}/p2p/{peer}"));
		assert_eq!(addresses("alice", &ports), expected.map(serde_json::Value::from));
	}

	#[test]
	fn collators_have_names_of_their_own() {
		let names: BTreeSet<_> = (0..3).map(|index| collator_name(2000, index)).collect();
		assert_eq!(names.len(), 3);
		assert!(names.contains("collator-2000"));
	}

	#[test]
	fn validators_have_the_names_of_the_well_known_accounts_first() {
		let names: Vec<_> = (0..10).map(validator_name).collect();
		assert_eq!(names[..3], ["alice", "bob", "charlie"]);
		assert_eq!(names[8..], ["validator8", "validator9"]);
	}
}
