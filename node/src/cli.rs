//! The command line. Flags and subcommands are those that operators and zombienet know; what this node does not have is
//! accepted and has no effect, so that scripts and network definitions keep working. Where somebody could count on the
//! effect, the node says so at its start: [`RunCmd::without_effect`].

use clap::{Args, Parser};
use sc_cli::SubstrateCli;
use std::{ffi::OsString, path::PathBuf};

/// Options of a node, whether it runs on its own or inside a collator.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct RunCmd {
	/// What every Substrate node takes.
	#[clap(flatten)]
	pub base: sc_cli::RunCmd,

	/// Run as a validator although the operating system does not confine validation functions.
	///
	/// They run in worker processes of their own, but this version sets up no sandbox around them, and says so at start
	/// unless this flag is given.
	#[arg(long = "insecure-validator-i-know-what-i-do", requires = "validator")]
	pub insecure_validator: bool,

	/// How many validation functions are executed at once, at most.
	#[arg(long, value_name = "COUNT", default_value_t = 4)]
	pub execute_workers_max_num: usize,

	/// How many validation functions are compiled at once when the node is not busy with urgent ones.
	#[arg(long, value_name = "COUNT", default_value_t = 1)]
	pub prepare_workers_soft_max_num: usize,

	/// How many validation functions are compiled at once, at most.
	#[arg(long, value_name = "COUNT", default_value_t = 2)]
	pub prepare_workers_hard_max_num: usize,

	/// Author fewer blocks while finality lags.
	#[arg(long)]
	pub force_authoring_backoff: bool,

	/// Accepted for compatibility, without effect: workers are this program itself.
	#[arg(long, value_name = "PATH")]
	pub workers_path: Option<PathBuf>,

	/// Accepted for compatibility, without effect: workers are this program itself.
	#[arg(long, hide = true)]
	pub disable_worker_version_check: bool,

	/// Accepted for compatibility, without effect: this node has no BEEFY.
	#[arg(long)]
	pub no_beefy: bool,

	/// Accepted for compatibility, without effect: this node does not benchmark the hardware.
	#[arg(long)]
	pub no_hardware_benchmarks: bool,

	/// How long available data is kept after its block is finalized.
	///
	/// 25 hours on live networks if nothing is said, one hour on others.
	#[arg(long, value_name = "HOURS")]
	pub keep_finalized_for: Option<u32>,

	/// Accepted for compatibility, without effect: each inbox has its own bound.
	#[arg(long, hide = true, value_name = "CAPACITY")]
	pub overseer_channel_capacity_override: Option<usize>,

	/// Fetch collations by the score of their collators, and speak version 4 of the collation protocol, which knows
	/// segments. The flag may have a value: `=true`, `=false`.
	#[arg(
		long,
		value_name = "BOOL",
		num_args = 0..=1,
		require_equals = true,
		default_value_t = false,
		default_missing_value = "true"
	)]
	pub experimental_collator_protocol: bool,

	/// Accepted for compatibility, without effect: scores are stored within ten minutes, and slashes at once.
	#[arg(long, hide = true, value_name = "SECONDS")]
	pub collator_reputation_persist_interval: Option<u64>,

	/// Accepted for compatibility, without effect: the runtime is that of the chain.
	#[arg(long, hide = true)]
	pub force_kusama: bool,

	/// Accepted for compatibility, without effect: the runtime is that of the chain.
	#[arg(long, hide = true)]
	pub force_westend: bool,

	/// Accepted for compatibility, without effect: the runtime is that of the chain.
	#[arg(long, hide = true)]
	pub force_rococo: bool,

	/// Accepted for compatibility, without effect: this node has no agent of pyroscope.
	#[arg(long, hide = true, value_name = "ADDRESS")]
	pub pyroscope_server: Option<String>,

	/// Accepted for compatibility, without effect: this node does not watch the space on the disk.
	#[arg(long = "db-storage-threshold", hide = true, value_name = "MIB")]
	pub database_threshold: Option<u64>,

	/// Accepted for compatibility, without effect: this node does not watch the space on the disk.
	#[arg(long = "db-storage-polling-period", hide = true, value_name = "SECONDS")]
	pub database_polling_period: Option<u32>,

	/// Accepted for compatibility, without effect.
	#[arg(long, hide = true)]
	pub enable_approval_voting_parallel: bool,

	/// How long ordinary collators wait where some are preferred.
	#[arg(long, hide = true, value_name = "MILLISECONDS")]
	pub collator_protocol_hold_off: Option<u64>,

	/// Accepted for compatibility, without effect: this node does not export traces to Jaeger.
	#[arg(long, hide = true, value_name = "ADDRESS")]
	pub jaeger_agent: Option<String>,

	/// End when standard input does. `headway testnet` holds it open for as long as it runs.
	#[arg(long, hide = true)]
	pub end_with_parent: bool,
}

impl RunCmd {
	/// Flags that were given, and that do less than somebody who gives them expects; each with what is the case instead.
	pub fn without_effect(&self) -> Vec<(&'static str, &'static str)> {
		const RUNTIME: &str = "the runtime is that of the chain specification";
		const SPACE: &str = "the space on the disk is not watched";
		const SCORES: &str = "slashes are stored at once, other scores within ten minutes";
		const WORKERS: &str = "workers are this program itself";
		let flags = [
			(
				self.collator_reputation_persist_interval.is_some(),
				"--collator-reputation-persist-interval",
				SCORES,
			),
			(self.force_kusama, "--force-kusama", RUNTIME),
			(self.force_westend, "--force-westend", RUNTIME),
			(self.force_rococo, "--force-rococo", RUNTIME),
			(self.pyroscope_server.is_some(), "--pyroscope-server", "profiles are not collected"),
			(self.jaeger_agent.is_some(), "--jaeger-agent", "traces are not exported"),
			(self.database_threshold.is_some_and(|mib| mib > 0), "--db-storage-threshold", SPACE),
			(self.database_polling_period.is_some(), "--db-storage-polling-period", SPACE),
			(self.workers_path.is_some(), "--workers-path", WORKERS),
			(
				self.overseer_channel_capacity_override.is_some(),
				"--overseer-channel-capacity-override",
				"each inbox has a bound of its own",
			),
		];
		flags.into_iter().filter(|(given, ..)| *given).map(|(_, flag, instead)| (flag, instead)).collect()
	}

	/// Well-known development accounts have no identity to protect: a validator of `--alice` and the like may start without
	/// a node key, and gets one. All others have to say how they want it.
	pub fn allow_node_key_of_development_accounts(&mut self) {
		if self.base.get_keyring().is_some() {
			self.base.network_params.node_key_params.unsafe_force_node_key_generation = true;
		}
	}
}

/// What the program can do besides running a node.
#[derive(Debug, Parser)]
pub enum Subcommand {
	/// Print the chain specification of a named chain, or convert one to its raw form.
	BuildSpec(sc_cli::BuildSpecCmd),

	/// Print the chain specification of a named chain, or write it to a file.
	ExportChainSpec(sc_cli::ExportChainSpecCmd),

	/// Manage keys.
	#[command(subcommand)]
	Key(sc_cli::KeySubcommand),

	/// Validate a block of the database again.
	CheckBlock(sc_cli::CheckBlockCmd),

	/// Export blocks to a file.
	ExportBlocks(sc_cli::ExportBlocksCmd),

	/// Export the state of a block as a raw chain specification.
	ExportState(sc_cli::ExportStateCmd),

	/// Import blocks from a file.
	ImportBlocks(sc_cli::ImportBlocksCmd),

	/// Delete the database.
	PurgeChain(sc_cli::PurgeChainCmd),

	/// Go back to an earlier block. Finalized blocks stay.
	Revert(sc_cli::RevertCmd),

	/// Print best and finalized block of the database.
	ChainInfo(sc_cli::ChainInfoCmd),

	/// Run a local network of validators and parachains as child processes.
	Testnet(headway_testnet::TestnetCmd),

	/// Say what became of a candidate, or why the last ones of a parachain failed, as a running node saw it.
	Explain(crate::explain::ExplainCmd),

	/// Run a collator of Metronome, the demonstration parachain.
	Metronome(Box<MetronomeCmd>),
}

/// A collator of Metronome, with the relay chain node that it embeds.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct MetronomeCmd {
	/// What to export; run the collator if nothing is named.
	#[command(subcommand)]
	pub export: Option<MetronomeExport>,

	/// Options of the collator.
	#[clap(flatten)]
	pub collator: headway_metronome::CollatorArgs,

	/// Options of the relay chain node.
	#[clap(flatten)]
	pub run: RunCmd,
}

/// What registers the parachain.
#[derive(Debug, Parser)]
pub enum MetronomeExport {
	/// Export the head data that the parachain starts with.
	#[command(alias = "export-genesis-state")]
	ExportGenesisHead(headway_metronome::ExportGenesisHead),

	/// Export the parachain's validation function.
	ExportGenesisWasm(headway_metronome::ExportGenesisWasm),
}

/// The command line of `headway`.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Cli {
	/// What to do; run a node if nothing is named.
	#[command(subcommand)]
	pub subcommand: Option<Subcommand>,

	/// Options of the node.
	#[clap(flatten)]
	pub run: RunCmd,
}

/// The flag whose values may come as one argument.
const BOOTNODES: &str = "--bootnodes";

/// Splits values of `--bootnodes` at white space: zombienet hands all addresses over as one argument.
///
/// Every piece becomes an occurrence of its own, so that what follows is parsed as before.
pub fn split_bootnodes(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
	let mut split = Vec::new();
	let mut in_bootnodes = false;
	let mut behind_flag = false;
	for arg in args {
		let first = std::mem::take(&mut behind_flag);
		let (value, inline) = match arg.to_str() {
			Some(text) if text.starts_with("--bootnodes=") => (&text[BOOTNODES.len() + 1..], true),
			Some(text) if text.starts_with('-') => {
				in_bootnodes = text == BOOTNODES;
				behind_flag = in_bootnodes;
				split.push(arg);
				continue;
			},
			Some(text) if in_bootnodes => (text, false),
			_ => {
				split.push(arg);
				continue;
			},
		};
		in_bootnodes &= !inline;
		if !value.contains(char::is_whitespace) {
			split.push(arg);
			continue;
		}
		for (position, piece) in value.split_whitespace().enumerate() {
			// The flag that stands there already is the first piece's.
			if !first || position > 0 {
				split.push(BOOTNODES.into());
			}
			split.push(piece.into());
		}
	}
	split
}

fn default_network_backend(arg: clap::Arg) -> clap::Arg {
	arg.default_value("libp2p")
}

impl SubstrateCli for Cli {
	fn impl_name() -> String {
		"Headway".into()
	}

	fn impl_version() -> String {
		env!("SUBSTRATE_CLI_IMPL_VERSION").into()
	}

	fn executable_name() -> String {
		"headway".into()
	}

	fn description() -> String {
		env!("CARGO_PKG_DESCRIPTION").into()
	}

	fn author() -> String {
		"the Headway developers".into()
	}

	fn support_url() -> String {
		"CONTRIBUTING.md of the source code".into()
	}

	fn copyright_start_year() -> i32 {
		2026
	}

	fn load_spec(&self, id: &str) -> Result<Box<dyn sc_service::ChainSpec>, String> {
		crate::chain_spec::load(id).map_err(|error| error.to_string())
	}

	// The default of the trait, with another default network backend. It has to be the default of the argument: sc-cli derives
	// listen addresses from it, and an explicit choice must stay recognisable.
	fn setup_command(command: clap::Command) -> clap::Command {
		command
			.name(Self::executable_name())
			.version(format!("{}\n", Self::impl_version()))
			.author(Self::author())
			.about(Self::description())
			.long_about(Self::description())
			.after_help(format!("Support: {}", Self::support_url()))
			.propagate_version(true)
			.args_conflicts_with_subcommands(true)
			.subcommand_negates_reqs(true)
			.mut_arg("network_backend", default_network_backend)
			.mut_subcommand("metronome", |command| {
				command.mut_arg("network_backend", default_network_backend)
			})
	}
}

#[cfg(test)]
mod tests;
