//! The calls that are made to nodes.

use crate::Error;
use codec::{Decode, Encode};
use headway_primitives::{CandidateEvent, Hash};
use jsonrpsee::{
	core::{
		client::{ClientT, Subscription, SubscriptionClientT},
		traits::ToRpcParams,
	},
	rpc_params,
	ws_client::{WsClient, WsClientBuilder},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A connection to one node.
pub struct Rpc {
	node: String,
	client: WsClient,
}

/// A relay block's header, as far as it matters here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockHeader {
	/// Its number.
	pub number: u32,
	/// Its parent.
	pub parent: Hash,
}

impl Rpc {
	/// Connects to a node on this machine.
	pub async fn connect(node: &str, port: u16) -> Result<Self, Error> {
		Self::connect_url(node, &format!("ws://127.0.0.1:{port}")).await
	}

	/// Connects to a node by the address of its WebSocket.
	pub async fn connect_url(node: &str, url: &str) -> Result<Self, Error> {
		let client = WsClientBuilder::default()
			.max_response_size(64 * 1024 * 1024)
			.build(url)
			.await
			.map_err(|error| Error::Rpc { node: node.into(), error: error.to_string() })?;
		Ok(Self { node: node.into(), client })
	}

	/// Makes a call.
	pub async fn call<R: DeserializeOwned>(
		&self,
		method: &str,
		params: impl ToRpcParams + Send,
	) -> Result<R, Error> {
		self.client.request(method, params).await.map_err(|error| self.error(error))
	}

	/// Number and peers of the node: best block, finalized block, connected peers.
	pub async fn status(&self) -> Result<(u32, u32, u32), Error> {
		let best: Value = self.call("chain_getHeader", rpc_params![]).await?;
		let finalized: Hash = self.call("chain_getFinalizedHead", rpc_params![]).await?;
		let finalized = self.header(finalized).await?.map_or(0, |header| header.number);
		let health: Value = self.call("system_health", rpc_params![]).await?;
		Ok((read_number(&best).unwrap_or(0), finalized, health["peers"].as_u64().unwrap_or(0) as u32))
	}

	/// Hash of the best block.
	pub async fn best_hash(&self) -> Result<Hash, Error> {
		self.call("chain_getBlockHash", rpc_params![]).await
	}

	/// Hash of the block of a number on the best chain.
	pub async fn block_hash(&self, number: u32) -> Result<Option<Hash>, Error> {
		self.call("chain_getBlockHash", rpc_params![number]).await
	}

	/// A header.
	pub async fn header(&self, hash: Hash) -> Result<Option<BlockHeader>, Error> {
		let header: Option<Value> = self.call("chain_getHeader", rpc_params![hash]).await?;
		Ok(header.and_then(|header| {
			let parent = serde_json::from_value(header["parentHash"].clone()).ok()?;
			Some(BlockHeader { number: read_number(&header)?, parent })
		}))
	}

	/// New best blocks from now on.
	pub async fn subscribe_new_heads(&self) -> Result<Subscription<Value>, Error> {
		self.client
			.subscribe("chain_subscribeNewHeads", rpc_params![], "chain_unsubscribeNewHeads")
			.await
			.map_err(|error| self.error(error))
	}

	/// What happened to candidates in a block.
	pub async fn candidate_events(&self, at: Hash) -> Result<Vec<CandidateEvent>, Error> {
		self.runtime_call("ParachainHost_candidate_events", &(), at).await
	}

	/// Calls a runtime API.
	pub async fn runtime_call<R: Decode>(
		&self,
		method: &str,
		args: &impl Encode,
		at: Hash,
	) -> Result<R, Error> {
		let args = format!("0x{}", hex::encode(args.encode()));
		let answer: String = self.call("state_call", rpc_params![method, args, at]).await?;
		let bytes = hex::decode(answer.trim_start_matches("0x")).map_err(|error| self.error(error))?;
		R::decode(&mut &bytes[..]).map_err(|error| self.error(error))
	}

	/// The name in errors.
	pub fn node(&self) -> &str {
		&self.node
	}

	fn error(&self, error: impl std::fmt::Display) -> Error {
		Error::Rpc { node: self.node.clone(), error: error.to_string() }
	}
}

/// The number of a header in JSON.
pub fn read_number(header: &Value) -> Option<u32> {
	u32::from_str_radix(header["number"].as_str()?.trim_start_matches("0x"), 16).ok()
}
