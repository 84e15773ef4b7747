//! Local networks of child processes: what `headway testnet` runs, and what the end-to-end tests drive.
//!
//! A [`Network`] writes a chain specification for its validators and parachains, starts one process per node
//! on free ports in one directory, and stops them when it is dropped. When its own process is killed, they end
//! by themselves. It watches the chain through the nodes' own RPC and metrics and knows nothing that a user
//! could not know; it never sleeps for a fixed time to be sure of something.
//!
//! | module | what is in it |
//! |---|---|
//! | [`command`] | the command `headway testnet` |
//! | [`network`] | nodes of a network: starting, killing, restarting, stopping |
//! | [`node_arg`] | arguments for nodes that the user adds |
//! | [`directory`] | whose a network's directory is, and which genesis block its databases have |
//! | [`spec`] | chain specifications |
//! | [`ports`] | free ports |
//! | [`process`] | child processes with their logs |
//! | [`rpc`] | the calls that are made to nodes |
//! | [`scrape`] | reading Prometheus metrics, strictly |
//! | [`watch`] | what happened to parachains on the relay chain, block by block |
//! | [`drops`] | which candidates came to nothing, and why |
//! | [`report`] | the result as JSON, and as status lines |
//! | [`sudo`] | calls with the sudo key: switching asynchronous backing on and off |

#![forbid(unsafe_code)]

pub mod command;
pub mod directory;
pub mod drops;
pub mod network;
pub mod node_arg;
pub mod ports;
pub mod process;
pub mod report;
pub mod rpc;
pub mod scrape;
pub mod spec;
pub mod sudo;
pub mod watch;

pub use command::TestnetCmd;
pub use network::{Backing, Fault, Network, NetworkConfig, Node, Role};
pub use node_arg::NodeArg;

use headway_primitives::Hash;
use std::{io, path::PathBuf};

/// Why a network does not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	/// A file or directory of the network.
	#[error("{path}: {error}")]
	File {
		/// Which.
		path: PathBuf,
		/// What failed.
		error: io::Error,
	},
	/// A subcommand of the program failed.
	#[error("`{command}` failed: {output}")]
	Command {
		/// What was run.
		command: String,
		/// What it said.
		output: String,
	},
	/// A chain specification that is not as expected.
	#[error("chain specification: {0}")]
	Spec(String),
	/// A node ended although nobody stopped it.
	#[error("{name} ended ({status}); the end of its log ({log}):\n{tail}")]
	NodeEnded {
		/// The node.
		name: String,
		/// How.
		status: String,
		/// Its log.
		log: PathBuf,
		/// Last lines.
		tail: String,
	},
	/// Something did not happen in time.
	#[error("{what} did not happen within {seconds} s")]
	Timeout {
		/// What.
		what: String,
		/// How long was waited.
		seconds: u64,
	},
	/// A node's RPC failed.
	#[error("RPC of {node}: {error}")]
	Rpc {
		/// The node.
		node: String,
		/// What failed.
		error: String,
	},
	/// Such a network could not do what it is for.
	#[error("{0}")]
	Config(String),
	/// Another network lives in the directory.
	#[error("{base_dir} is in use by another network{}; stop that one, or choose another --base-dir", by(*holder))]
	InUse {
		/// The directory.
		base_dir: PathBuf,
		/// The process that runs that network, as far as it is known.
		holder: Option<u32>,
	},
	/// A network with another genesis block left its databases in the directory.
	#[error(
		"the databases in {base_dir} are those of another network: their genesis block is {stored:?}, that of these \
		 options is {wanted:?}. To go on, use the options and the program of that time; to start anew, delete \
		 {base_dir} or choose another --base-dir"
	)]
	OtherGenesis {
		/// The directory.
		base_dir: PathBuf,
		/// What is there.
		stored: Hash,
		/// What should be started.
		wanted: Hash,
	},
	/// A node's metrics are not as Prometheus wants them.
	#[error("metrics of {node}: {error}")]
	Metrics {
		/// The node.
		node: String,
		/// What is wrong.
		error: String,
	},
	/// No node of that name.
	#[error("no node is called {0}")]
	UnknownNode(String),
	/// The run ended without what it was for.
	#[error("{0}")]
	Unsuccessful(String),
}

fn by(holder: Option<u32>) -> String {
	holder.map(|process| format!(" (process {process})")).unwrap_or_default()
}
