//! Reads a running chain as everybody can who has the stock subxt: by the chain's metadata, and with no type of
//! Headway.
//!
//! ```text
//! check-events ws://127.0.0.1:9944 FIRST LAST [Pallet.Event …]
//! ```
//!
//! Decodes all events and all extrinsics of a range of blocks of the best chain, reads the heads of all paras at
//! the end of it, and then submits a remark, signed by Alice, and waits until it is final. It fails if something
//! does not decode, if bytes are left over, if an event that is named did not happen, or if the remark fails.
//! `zombienet/check-events.mjs` does as much with polkadot.js.

#![forbid(unsafe_code)]

use std::{collections::BTreeMap, env, process::ExitCode, time::Duration};
use subxt::{
	config::RpcConfigFor,
	dynamic::{self, Value},
	ext::{
		codec::{Compact, Encode},
		scale_encode::EncodeAsType,
	},
	rpcs::{LegacyRpcMethods, RpcClient},
	OnlineClient, OnlineClientAtBlock, PolkadotConfig,
};
use subxt_signer::sr25519::dev;

/// How long a transaction may take until it is final. Generous: machines that run tests may be slow and busy.
const FINAL_WITHIN: Duration = Duration::from_secs(300);

type Block = OnlineClientAtBlock<PolkadotConfig>;

/// How often which event happened; the name is `Pallet.Event`.
type Counts = BTreeMap<String, usize>;

/// Why a chain does not pass.
#[derive(Debug, thiserror::Error)]
enum Error {
	#[error("usage: check-events URL FIRST LAST [Pallet.Event …]")]
	Usage,
	#[error(transparent)]
	Subxt(#[from] subxt::Error),
	#[error("there is no block {0}")]
	NoBlock(u64),
	#[error("block {number}: {error}")]
	Block { number: u64, error: subxt::Error },
	#[error("these did not happen: {0}")]
	Missing(String),
	#[error("the remark is not final after {0:?}")]
	NotFinal(Duration),
	#[error("the remark is final without an event System.Remarked")]
	NotRemarked,
}

/// What was decoded encodes to other bytes: something was skipped or misread.
#[derive(Debug, thiserror::Error)]
#[error("{0} do not decode to what they are")]
struct Misread(String);

impl From<Misread> for subxt::Error {
	fn from(misread: Misread) -> Self {
		Self::other(misread)
	}
}

/// The arguments of the command line.
struct Arguments {
	url: String,
	first: u64,
	last: u64,
	expected: Vec<String>,
}

impl Arguments {
	fn parse(mut args: impl Iterator<Item = String>) -> Option<Self> {
		let url = args.next()?;
		let first = args.next()?.parse().ok()?;
		let last = args.next()?.parse().ok()?;
		Some(Self { url, first, last, expected: args.collect() })
	}
}

fn main() -> ExitCode {
	let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
	let checked = match (Arguments::parse(env::args().skip(1)), runtime) {
		(Some(arguments), Ok(runtime)) => runtime.block_on(check(&arguments)),
		(None, _) => Err(Error::Usage),
		(_, Err(error)) => Err(subxt::Error::other(error).into()),
	};
	match checked {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => {
			eprintln!("check-events: {error}");
			ExitCode::FAILURE
		},
	}
}

async fn check(Arguments { url, first, last, expected }: &Arguments) -> Result<(), Error> {
	let rpc = RpcClient::from_url(url).await.map_err(subxt::Error::from)?;
	let api =
		OnlineClient::<PolkadotConfig>::from_rpc_client(rpc.clone()).await.map_err(subxt::Error::from)?;
	// Asked for a number, subxt may refuse to choose where forks are not final. This one is the best chain's.
	let numbers = LegacyRpcMethods::<RpcConfigFor<PolkadotConfig>>::new(rpc);
	let mut counts = Counts::new();
	for number in *first..=*last {
		let hash = numbers.chain_get_block_hash(Some(number.into())).await.map_err(subxt::Error::from)?;
		let hash = hash.ok_or(Error::NoBlock(number))?;
		check_block(&api, hash, &mut counts, number == *last)
			.await
			.map_err(|error| Error::Block { number, error })?;
	}
	for (name, count) in &counts {
		println!("{count:6} {name}");
	}
	let missing: Vec<_> =
		expected.iter().filter(|name| !counts.contains_key(*name)).map(String::as_str).collect();
	if !missing.is_empty() {
		return Err(Error::Missing(missing.join(", ")));
	}
	remark(&api).await
}

async fn check_block(
	api: &OnlineClient<PolkadotConfig>,
	hash: subxt::config::HashFor<PolkadotConfig>,
	counts: &mut Counts,
	with_heads: bool,
) -> Result<(), subxt::Error> {
	let block = api.at_block(hash).await?;
	check_events(&block, counts).await?;
	check_extrinsics(&block).await?;
	if with_heads {
		print_heads(&block).await?;
	}
	Ok(())
}

async fn check_events(block: &Block, counts: &mut Counts) -> Result<(), subxt::Error> {
	let metadata = block.metadata_ref();
	let events = block.events().fetch().await?;
	let mut records = Vec::new();
	let mut count = 0u32;
	for event in events.iter() {
		let event = event?;
		let decoded: Value = event.decode_as()?;
		event.phase().encode_to(&mut records);
		decoded
			.encode_as_type_to(metadata.outer_enums().event_enum_ty(), metadata.types(), &mut records)
			.map_err(subxt::Error::other)?;
		event.topics().encode_to(&mut records);
		*counts.entry(format!("{}.{}", event.pallet_name(), event.event_name())).or_default() += 1;
		count += 1;
	}
	// Also where bytes are left over, or events are missing that the length in front announces.
	if [Compact(count).encode(), records].concat() != events.bytes() {
		return Err(Misread("its events".into()).into());
	}
	Ok(())
}

async fn check_extrinsics(block: &Block) -> Result<(), subxt::Error> {
	let metadata = block.metadata_ref();
	// The iterator fails at an extrinsic that has bytes left over.
	for extrinsic in block.extrinsics().fetch().await?.iter() {
		let extrinsic = extrinsic?;
		// Argument by argument: `decode_call_data_as` of subxt 0.51.1 fails where a call has none.
		for argument in extrinsic.iter_call_data_fields() {
			let decoded: Value = argument.decode_as().map_err(subxt::Error::other)?;
			let encoded =
				decoded.encode_as_type(argument.type_id(), metadata.types()).map_err(subxt::Error::other)?;
			if encoded != argument.bytes() {
				let (pallet, call) = (extrinsic.pallet_name(), extrinsic.call_name());
				return Err(Misread(format!("the bytes of {} of {pallet}.{call}", argument.name())).into());
			}
		}
		for extension in extrinsic.transaction_extensions().iter().flat_map(|extensions| extensions.iter()) {
			extension.decode_unchecked_as::<Value>()?;
		}
	}
	Ok(())
}

/// One line with the identifiers of all paras that have a head.
async fn print_heads(block: &Block) -> Result<(), subxt::Error> {
	let address = dynamic::storage::<(u32,), Vec<u8>>("Paras", "Heads");
	let mut entries = block.storage().iter(address, ()).await?;
	let mut paras = BTreeMap::new();
	while let Some(entry) = entries.next().await {
		let entry = entry?;
		let (para,) = entry.key()?.decode()?;
		paras.insert(para, entry.value().decode()?);
	}
	println!("paras with a head:{}", paras.keys().map(|para| format!(" {para}")).collect::<String>());
	Ok(())
}

/// Submits a remark, signed by Alice, with all that the metadata says a transaction consists of.
async fn remark(api: &OnlineClient<PolkadotConfig>) -> Result<(), Error> {
	let submit = async {
		let call = dynamic::transaction("System", "remark_with_event", (b"stock subxt".to_vec(),));
		let current = api.at_current_block().await?;
		let mut transactions = current.transactions();
		let progress = transactions.sign_and_submit_then_watch_default(&call, &dev::alice()).await?;
		Ok::<_, subxt::Error>(progress.wait_for_finalized_success().await?)
	};
	let submitted = tokio::time::timeout(FINAL_WITHIN, submit).await;
	let events = submitted.map_err(|_| Error::NotFinal(FINAL_WITHIN))??;
	for event in events.iter() {
		let event = event.map_err(subxt::Error::from)?;
		if (event.pallet_name(), event.event_name()) == ("System", "Remarked") {
			println!("a remark is final: {:?}", events.extrinsic_hash());
			return Ok(());
		}
	}
	Err(Error::NotRemarked)
}
