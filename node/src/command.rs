//! What the program does: dispatches subcommands, runs the node, prints errors.

use crate::{
	cli::{split_bootnodes, Cli, MetronomeCmd, MetronomeExport, RunCmd, Subcommand},
	collator,
	service::{self, IsCollator, NewFullParams},
};
use headway_primitives::{Block, BlockNumber};
use sc_cli::{Runner, SubstrateCli};
use sc_service::{PartialComponents, TaskManager};
use std::{error::Error as _, ffi::OsString, process::ExitCode, sync::Arc};

/// Why the program ends early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	/// The node did not start, or stopped.
	#[error(transparent)]
	Service(#[from] service::Error),
	/// From the Substrate service.
	#[error(transparent)]
	Substrate(#[from] sc_service::Error),
	/// From the command line or a subcommand.
	#[error(transparent)]
	Cli(#[from] sc_cli::Error),
	/// The local network failed.
	#[error(transparent)]
	Testnet(#[from] headway_testnet::Error),
	/// A node could not be asked.
	#[error(transparent)]
	Explain(#[from] crate::explain::Error),
	/// The collator did not start.
	#[error(transparent)]
	Collator(#[from] crate::collator::Error),
	/// A file or standard output.
	#[error(transparent)]
	Io(#[from] std::io::Error),
}

/// Runs the program with these arguments, the first being its name. Errors are printed to standard error, once, with what
/// caused them.
pub fn main(args: Vec<OsString>) -> ExitCode {
	// Workers are started often, and by this program only: nothing of a command line is set up for them.
	match args.get(1).and_then(|arg| arg.to_str()) {
		Some("prepare-worker") => return headway_pvf::worker::prepare_main(&Cli::impl_version()),
		Some("execute-worker") => return headway_pvf::worker::execute_main(&Cli::impl_version()),
		_ => {},
	}
	match run(args) {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => {
			// The log is written by another thread. A line of this level is written at once, with all that wait.
			tracing::error!(target: "headway", "ending early");
			eprintln!("Error: {}", describe(&error));
			ExitCode::FAILURE
		},
	}
}

/// The error and its causes; a cause that only repeats its effect is left out.
fn describe(error: &Error) -> String {
	let mut text = error.to_string();
	let mut cause = error.source();
	while let Some(error) = cause {
		let message = error.to_string();
		if !text.contains(&message) {
			text = format!("{text}: {message}");
		}
		cause = error.source();
	}
	text
}

fn run(args: Vec<OsString>) -> Result<(), Error> {
	let mut cli = Cli::from_iter(split_bootnodes(args));
	match cli.subcommand.take() {
		None => run_node(cli),
		Some(Subcommand::Testnet(cmd)) => Ok(cmd.run(std::env::current_exe()?)?),
		Some(Subcommand::Explain(cmd)) => Ok(cmd.run()?),
		Some(Subcommand::Metronome(cmd)) => run_metronome(&cli, *cmd),
		Some(subcommand) => run_subcommand(&cli, &subcommand),
	}
}

/// What a node does first, on its own or inside a collator: its log is there, and nothing else is.
fn prepare(cli: &Cli, run: &RunCmd) -> Result<Runner<Cli>, Error> {
	if run.end_with_parent {
		headway_testnet::process::end_with_parent()?;
	}
	let runner = cli.create_runner(&run.base)?;
	for (flag, instead) in run.without_effect() {
		tracing::warn!(target: "headway", "{flag} has no effect: {instead}");
	}
	Ok(runner)
}

fn run_node(mut cli: Cli) -> Result<(), Error> {
	cli.run.allow_node_key_of_development_accounts();
	let runner = prepare(&cli, &cli.run)?;
	let params = NewFullParams::new(&cli.run, IsCollator::No);
	let warn_of_no_sandbox = !cli.run.insecure_validator;
	runner.run_node_until_exit(|config| async move {
		if config.role.is_authority() && warn_of_no_sandbox {
			tracing::warn!(target: "headway", "validation functions run in processes without a sandbox");
		}
		Ok::<_, Error>(service::new_full(config, params)?.task_manager)
	})
}

fn run_metronome(cli: &Cli, mut cmd: MetronomeCmd) -> Result<(), Error> {
	match &cmd.export {
		Some(MetronomeExport::ExportGenesisHead(export)) => return Ok(export.run()?),
		Some(MetronomeExport::ExportGenesisWasm(export)) => return Ok(export.run()?),
		None => {},
	}
	if cmd.run.base.validator {
		return Err(sc_cli::Error::Input("a collator cannot be a validator".into()).into());
	}
	cmd.run.allow_node_key_of_development_accounts();
	let runner = prepare(cli, &cmd.run)?;
	runner.run_node_until_exit(|config| async move { Ok::<_, Error>(collator::start(config, &cmd)?) })
}

fn run_subcommand(cli: &Cli, subcommand: &Subcommand) -> Result<(), Error> {
	match subcommand {
		Subcommand::BuildSpec(cmd) => {
			let runner = cli.create_runner(cmd)?;
			runner.sync_run(|config| Ok(cmd.run(config.chain_spec, config.network)?))
		},
		Subcommand::ExportChainSpec(cmd) => {
			Ok(cmd.run(cli.load_spec(&cmd.chain).map_err(sc_cli::Error::Input)?)?)
		},
		Subcommand::Key(cmd) => Ok(cmd.run(cli)?),
		Subcommand::CheckBlock(cmd) => cli.create_runner(cmd)?.async_run(|config| {
			let PartialComponents { client, import_queue, task_manager, .. } =
				service::new_chain_ops(config)?;
			Ok((run_async(cmd.run(client, import_queue)), task_manager))
		}),
		Subcommand::ExportBlocks(cmd) => cli.create_runner(cmd)?.async_run(|config| {
			let database = config.database.clone();
			let (client, _, task_manager) = idle_node(config)?;
			Ok((run_async(cmd.run(client, database)), task_manager))
		}),
		Subcommand::ExportState(cmd) => cli.create_runner(cmd)?.async_run(|config| {
			let chain_spec = config.chain_spec.cloned_box();
			let (client, _, task_manager) = idle_node(config)?;
			Ok((run_async(cmd.run(client, chain_spec)), task_manager))
		}),
		Subcommand::ImportBlocks(cmd) => cli.create_runner(cmd)?.async_run(|config| {
			let PartialComponents { client, import_queue, task_manager, .. } =
				service::new_chain_ops(config)?;
			Ok((run_async(cmd.run(client, import_queue)), task_manager))
		}),
		Subcommand::PurgeChain(cmd) => {
			let runner = cli.create_runner(cmd)?;
			runner.sync_run(|config| Ok(cmd.run(config.database)?))
		},
		Subcommand::Revert(cmd) => cli.create_runner(cmd)?.async_run(|config| {
			let (client, backend, task_manager) = idle_node(config)?;
			Ok((run_async(cmd.run(client, backend, Some(Box::new(revert_consensus)))), task_manager))
		}),
		// Taken apart by the caller.
		Subcommand::Testnet(_) | Subcommand::Explain(_) | Subcommand::Metronome(_) => Ok(()),
		Subcommand::ChainInfo(cmd) => {
			let runner = cli.create_runner(cmd)?;
			runner.sync_run(|config| Ok(cmd.run::<Block>(&config)?))
		},
	}
}

/// Client and database of a node that imports nothing. What else belongs to the node lives as long as its tasks do: they take
/// its end for a failure, and say so.
fn idle_node(
	config: sc_service::Configuration,
) -> Result<(Arc<service::FullClient>, Arc<service::FullBackend>, TaskManager), Error> {
	let PartialComponents {
		client, backend, mut task_manager, import_queue, transaction_pool, other, ..
	} = service::new_chain_ops(config)?;
	task_manager.keep_alive((import_queue, transaction_pool, other));
	Ok((client, backend, task_manager))
}

/// Makes BABE and GRANDPA forget the blocks that are about to be reverted.
fn revert_consensus(
	client: Arc<service::FullClient>,
	backend: Arc<service::FullBackend>,
	blocks: BlockNumber,
) -> sc_cli::Result<()> {
	sc_consensus_babe::revert(client.clone(), backend, blocks)?;
	sc_consensus_grandpa::revert(client, blocks)?;
	Ok(())
}

/// A subcommand with this program's error type.
async fn run_async(command: impl std::future::Future<Output = sc_cli::Result<()>>) -> Result<(), Error> {
	Ok(command.await?)
}
