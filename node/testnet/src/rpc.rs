//! The calls that are made to nodes, and the connections that they go over.

use crate::Error;
use codec::{Decode, Encode};
use headway_primitives::{CandidateEvent, CandidateHash, Hash, ParaId};
use headway_rpc_api::{
	CandidateView, CandidatesOptions, Error as ApiError, ParaCandidates, ParachainApiClient,
};
use jsonrpsee::{
	core::{
		client::{ClientT, Error as ClientError, Subscription, SubscriptionClientT},
		traits::ToRpcParams,
	},
	rpc_params,
	ws_client::{WsClient, WsClientBuilder},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

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

	/// What became of a para's candidates, as far as the node saw, with at most `limit` of them; none if it never heard of the
	/// para.
	pub async fn candidates(&self, para: u32, limit: u32) -> Result<Option<ParaCandidates>, Error> {
		let options = Some(CandidatesOptions { limit: Some(limit) });
		let answer = ParachainApiClient::candidates(&self.client, ParaId(para), options).await;
		self.known(answer, ApiError::UnknownPara(ParaId(para)))
	}

	/// What became of a candidate, as far as the node saw; none if it does not know it.
	pub async fn candidate(&self, candidate: CandidateHash) -> Result<Option<CandidateView>, Error> {
		let answer = ParachainApiClient::candidate(&self.client, candidate).await;
		self.known(answer, ApiError::UnknownCandidate(candidate))
	}

	fn known<R>(&self, answer: Result<R, ClientError>, unknown: ApiError) -> Result<Option<R>, Error> {
		match answer {
			Ok(answer) => Ok(Some(answer)),
			Err(ClientError::Call(error)) if error.code() == unknown.code() => Ok(None),
			Err(error) => Err(self.error(error)),
		}
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

/// Connections that last: one to each node, made when it is first asked, and again after an error.
///
/// # Bounds
///
/// One connection per node that was ever asked: those of a network.
#[derive(Default)]
pub struct Connections(BTreeMap<String, Rpc>);

impl Connections {
	/// Asks a node on this machine for its [`Rpc::status`]. A node that was started anew in the meantime answers as well.
	///
	/// Errors: the node is not there, or it does not answer over a new connection either.
	pub async fn status(&mut self, node: &str, port: u16) -> Result<(u32, u32, u32), Error> {
		if let Some(rpc) = self.0.get(node) {
			if let Ok(status) = rpc.status().await {
				return Ok(status);
			}
			self.0.remove(node);
		}
		let rpc = Rpc::connect(node, port).await?;
		let status = rpc.status().await?;
		self.0.insert(node.into(), rpc);
		Ok(status)
	}

	/// The connection to a node that answered when it was last asked.
	pub fn open(&self, node: &str) -> Option<&Rpc> {
		self.0.get(node)
	}
}

/// The number of a header in JSON.
pub fn read_number(header: &Value) -> Option<u32> {
	u32::from_str_radix(header["number"].as_str()?.trim_start_matches("0x"), 16).ok()
}

#[cfg(test)]
mod tests {
	use super::*;
	use jsonrpsee::{
		server::{ConnectionId, Server, ServerHandle},
		RpcModule,
	};
	use serde_json::json;
	use std::{
		collections::BTreeSet,
		sync::{Arc, Mutex},
	};

	/// Best block, finalized block and peers of the node below.
	const STATUS: (u32, u32, u32) = (16, 16, 3);

	/// A node, its port, and the connections over which it was asked.
	async fn node(port: u16) -> (ServerHandle, u16, Arc<Mutex<BTreeSet<usize>>>) {
		let seen = Arc::new(Mutex::new(BTreeSet::new()));
		let mut module = RpcModule::new(seen.clone());
		let header = module.register_method("chain_getHeader", |_, seen, extensions| {
			seen.lock().unwrap().insert(extensions.get::<ConnectionId>().unwrap().0);
			json!({ "number": "0x10", "parentHash": Hash::zero() })
		});
		header.unwrap();
		module.register_method("chain_getFinalizedHead", |_, _, _| json!(Hash::zero())).unwrap();
		module.register_method("system_health", |_, _, _| json!({ "peers": STATUS.2 })).unwrap();
		let server = Server::builder().build(("127.0.0.1", port)).await.unwrap();
		let port = server.local_addr().unwrap().port();
		(server.start(module), port, seen)
	}

	#[tokio::test]
	async fn a_node_is_asked_over_one_connection_until_it_fails() {
		let mut connections = Connections::default();
		let (server, port, seen) = node(0).await;
		for _ in 0..3 {
			assert_eq!(connections.status("alice", port).await.ok(), Some(STATUS));
		}
		assert_eq!(seen.lock().unwrap().len(), 1);
		server.stop().unwrap();
		server.stopped().await;
		assert!(connections.status("alice", port).await.is_err());
		let (_server, _, seen) = node(port).await;
		for _ in 0..2 {
			assert_eq!(connections.status("alice", port).await.ok(), Some(STATUS));
		}
		assert_eq!(seen.lock().unwrap().len(), 1);
	}
}
