//! Nodes of a network: starting, killing, restarting, stopping.

use crate::{
	process::Process,
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
	fs::{self, File},
	net::TcpListener,
	path::{Path, PathBuf},
	time::{Duration, Instant},
};

/// Names of the first validators; more are numbered.
const NAMES: [&str; 8] = ["alice", "bob", "charlie", "dave", "eve", "ferdie", "one", "two"];
/// First para id.
const FIRST_PARA: u32 = 2000;
/// Where ports are taken from: below those that the system hands out.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// Pause between two looks at a node that is not ready.
const POLL: Duration = Duration::from_millis(200);
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
	fn more_cores(&self) -> Result<Vec<u32>, Error> {
		let paras = self.paras();
		if let Some(unknown) = self.cores.keys().chain(self.faults.keys()).find(|para| !paras.contains(para))
		{
			return Err(Error::Spec(format!("the network does not have a para {unknown}")));
		}
		let more = |(para, cores): (&u32, &u32)| vec![*para; cores.saturating_sub(1) as usize];
		Ok(self.cores.iter().flat_map(more).collect())
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

/// A running network. Its nodes end when it is dropped.
pub struct Network {
	/// Validators first, then collators.
	pub nodes: Vec<Node>,
	/// The raw chain specification.
	pub spec: PathBuf,
	config: NetworkConfig,
	/// Address of the first validator.
	bootnode: Option<String>,
	/// Held for as long as the network lives.
	_lock: File,
}

impl Network {
	/// Writes the chain specification and starts all nodes.
	pub async fn start(config: &NetworkConfig) -> Result<Self, Error> {
		let base_dir = &config.base_dir;
		fs::create_dir_all(base_dir).map_err(|error| Error::File { path: base_dir.clone(), error })?;
		let lock = lock(base_dir)?;
		let validators: Vec<String> = (0..config.validators as usize).map(validator_name).collect();
		let paras = config.paras();
		let spec_path = base_dir.join("chain.json");
		let spec_config = SpecConfig {
			validators: validators.clone(),
			paras: paras.iter().map(|id| genesis_para(&config.program, *id)).collect::<Result<_, _>>()?,
			spare_cores: config.more_cores()?.len() as u32,
			backing: config.backing,
			epoch_duration: config.epoch_duration,
		};
		spec::write(&config.program, &config.chain, &spec_config, &spec_path)?;
		let chain_id = chain_id(&spec_path)?;

		let mut network =
			Self { nodes: Vec::new(), spec: spec_path, config: config.clone(), bootnode: None, _lock: lock };
		let per_para = config.collators_per_para as usize;
		let ports = Ports::free(validators.len() + paras.len() * per_para)?;
		let (of_validators, of_collators) = ports.split_at(validators.len());
		for (name, ports) in validators.iter().zip(of_validators) {
			let base_path = network.base_dir().join(name);
			spec::write_keystore(&base_path.join("chains").join(&chain_id).join("keystore"), name)?;
			let mut args = network.common_args(name, *ports);
			args.push("--validator".into());
			args.push("--insecure-validator-i-know-what-i-do".into());
			args.extend(config.validator_args.iter().cloned());
			network.bootnode.get_or_insert_with(|| address(name, ports.p2p));
			network.add(name.clone(), Role::Validator, args, *ports)?;
		}
		let collators = paras.iter().flat_map(|para| std::iter::repeat_n(*para, per_para));
		for (para, ports) in collators.zip(of_collators) {
			network.start_collator(para, *ports)?;
		}
		Ok(network)
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
		let paras = self.config.more_cores()?;
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
		args: Vec<String>,
		Ports { rpc: rpc_port, prometheus: prometheus_port, .. }: Ports,
	) -> Result<(), Error> {
		let log = self.base_dir().join(format!("{name}.log"));
		let program = self.config.program.clone();
		let mut node = Node { name, role, rpc_port, prometheus_port, args, log, program, process: None };
		node.start()?;
		self.nodes.push(node);
		Ok(())
	}

	fn common_args(&self, name: &str, Ports { p2p, rpc, prometheus }: Ports) -> Vec<String> {
		let path = |path: &Path| path.to_string_lossy().into_owned();
		let mut args: Vec<String> = Vec::new();
		let mut flag = |name: &str, value: String| args.extend([name.to_owned(), value]);
		flag("--chain", path(&self.spec));
		flag("--name", name.into());
		flag("--base-path", path(&self.base_dir().join(name)));
		flag("--node-key", hex::encode(node_key(name)));
		flag("--listen-addr", format!("/ip4/127.0.0.1/tcp/{p2p}"));
		// Validators tell the others where they are.
		flag("--public-addr", format!("/ip4/127.0.0.1/tcp/{p2p}"));
		flag("--rpc-port", rpc.to_string());
		flag("--prometheus-port", prometheus.to_string());
		flag("--rpc-methods", "unsafe".into());
		flag("--rpc-cors", "all".into());
		flag("--log", self.config.log.clone());
		if let Some(bootnode) = &self.bootnode {
			flag("--bootnodes", bootnode.clone());
		}
		args.extend(["--no-telemetry", "--no-mdns", "--no-hardware-benchmarks"].map(String::from));
		args
	}
}

impl Drop for Network {
	fn drop(&mut self) {
		self.stop();
	}
}

/// Keeps other networks out of the directory. The system lets go of it when this process ends, however it
/// ends.
fn lock(base_dir: &Path) -> Result<File, Error> {
	let path = base_dir.join(".lock");
	let file_error = |error| Error::File { path: path.clone(), error };
	let file = File::options().create(true).append(true).open(&path).map_err(file_error)?;
	match file.try_lock() {
		Ok(()) => Ok(file),
		Err(fs::TryLockError::WouldBlock) => Err(Error::InUse(base_dir.into())),
		Err(fs::TryLockError::Error(error)) => Err(file_error(error)),
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

fn genesis_para(program: &Path, id: u32) -> Result<GenesisPara, Error> {
	let id_text = id.to_string();
	let head = spec::run(program, &["metronome", "export-genesis-head", "--parachain-id", &id_text])?;
	let code = spec::run(program, &["metronome", "export-genesis-wasm", "--parachain-id", &id_text])?;
	Ok(GenesisPara { id, head: head.trim().into(), code: code.trim().into() })
}

/// The id in a specification: it names the directory of the chain's data.
fn chain_id(spec: &Path) -> Result<String, Error> {
	let text = fs::read_to_string(spec).map_err(|error| Error::File { path: spec.into(), error })?;
	let spec: serde_json::Value =
		serde_json::from_str(&text).map_err(|error| Error::Spec(error.to_string()))?;
	spec["id"].as_str().map(Into::into).ok_or_else(|| Error::Spec("there is no id".into()))
}

/// The node's network identity: the same as zombienet's, so that logs compare.
fn node_key(name: &str) -> [u8; 32] {
	sha2_256(name.as_bytes())
}

/// Where a node is reached by the others.
fn address(name: &str, port: u16) -> String {
	let peer = peer_id(&node_key(name));
	format!("/ip4/127.0.0.1/tcp/{port}/p2p/{peer}")
}

fn peer_id(key: &[u8; 32]) -> String {
	use libp2p::identity::{ed25519, Keypair};
	// 32 bytes are always a secret key of this scheme.
	let secret = ed25519::SecretKey::try_from_bytes(*key).unwrap_or_else(|_| ed25519::SecretKey::generate());
	Keypair::from(ed25519::Keypair::from(secret)).public().to_peer_id().to_string()
}

/// Ports of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Ports {
	p2p: u16,
	rpc: u16,
	prometheus: u16,
}

impl Ports {
	/// Ports for so many nodes, on which nobody listens.
	fn free(nodes: usize) -> Result<Vec<Self>, Error> {
		let ports = free_ports(3 * nodes)?;
		let of_node = |ports: &[u16]| Self { p2p: ports[0], rpc: ports[1], prometheus: ports[2] };
		Ok(ports.chunks_exact(3).map(of_node).collect())
	}
}

/// Ports that nobody listens on. All are held at once, so that they differ.
///
/// They are not those that the system hands out (for port 0 and for outgoing connections, usually from 32768
/// on): a node that is restarted must find its ports free again. A process that takes one in between makes
/// the node fail to start, with an error that says so.
fn free_ports(count: usize) -> Result<Vec<u16>, Error> {
	// Networks that start at the same time had better not begin at the same port.
	let start = u64::from(std::process::id()) * 977 + u64::from(jitter());
	let span = u64::from(PORTS.end - PORTS.start);
	let mut held = Vec::new();
	for offset in 0..span {
		if held.len() == count {
			break;
		}
		// Below the end of the range, hence a port.
		let port = PORTS.start + ((start + offset) % span) as u16;
		if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
			held.push((port, listener));
		}
	}
	if held.len() < count {
		let error = std::io::Error::other(format!("{count} free ports are needed, {} are there", held.len()));
		return Err(Error::File { path: "127.0.0.1".into(), error });
	}
	Ok(held.into_iter().map(|(port, _)| port).collect())
}

/// Something that differs from call to call.
fn jitter() -> u32 {
	std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.subsec_nanos())
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn ports_are_free_distinct_and_not_those_of_outgoing_connections() {
		let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
		let ports = free_ports(30).unwrap();
		let distinct: BTreeSet<_> = ports.iter().collect();
		assert_eq!(distinct.len(), 30);
		assert!(ports.iter().all(|port| PORTS.contains(port)));
		assert!(!ports.contains(&taken.local_addr().unwrap().port()));
	}

	#[test]
	fn a_directory_has_one_network_at_a_time() {
		let directory = tempfile::tempdir().unwrap();
		let held = lock(directory.path()).unwrap();
		let error = lock(directory.path()).unwrap_err();
		assert!(error.to_string().contains(&*directory.path().to_string_lossy()), "{error}");
		drop(held);
		lock(directory.path()).unwrap();
	}

	#[test]
	fn node_keys_are_those_of_zombienet() {
		// `printf alice | sha256sum`; the peer id that zombienet gives this node.
		let key = hex::encode(node_key("alice"));
		assert_eq!(key, "2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90");
		assert_eq!(peer_id(&node_key("alice")), "12D3KooWQCkBm1BYtkHpocxCwMgR8yjitEeHGx8spzcDLGt2gkBm");
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
