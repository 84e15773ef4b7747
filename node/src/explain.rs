//! The command `headway explain`: what became of candidates, as a running node saw it, in plain words.

use clap::Args;
use headway_primitives::{CandidateHash, ParaId};
use headway_rpc_api::{api::LIMIT_MAX, explain, CandidatesOptions, Error as ApiError, ParachainApiClient};
use jsonrpsee::{
	core::client::Error as ClientError,
	ws_client::{WsClient, WsClientBuilder},
};
use std::{
	io::Write,
	str::FromStr,
	time::{SystemTime, UNIX_EPOCH},
};

/// Say what became of a candidate, or why the last ones of a parachain failed, as a running node saw it.
///
/// A validator of the parachain's group and the collator know most; every node knows what the relay chain says.
#[derive(Clone, Debug, Args)]
pub struct ExplainCmd {
	/// Hash of a candidate, or id of a parachain.
	#[arg(value_name = "CANDIDATE|PARA")]
	subject: Subject,

	/// WebSocket of the node to ask.
	#[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:9944")]
	url: String,
}

/// What is asked about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Subject {
	Candidate(CandidateHash),
	Para(ParaId),
}

impl FromStr for Subject {
	type Err = String;

	fn from_str(text: &str) -> Result<Self, String> {
		let wrong = || {
			format!("{text} is neither the hash of a candidate (64 hexadecimal digits) nor the id of a para")
		};
		if let Ok(id) = text.parse() {
			return Ok(Self::Para(ParaId(id)));
		}
		let digits = text.strip_prefix("0x").unwrap_or(text);
		if digits.len() != 64 {
			return Err(wrong());
		}
		digits.parse().map(|hash| Self::Candidate(CandidateHash(hash))).map_err(|_| wrong())
	}
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	/// Nobody listens there, or not to this.
	#[error("{url} cannot be asked: {error}")]
	Connect {
		/// Where.
		url: String,
		/// What failed.
		error: ClientError,
	},
	/// The node does not know what is asked about.
	#[error("{0}")]
	Unknown(String),
	/// The node is of another kind, or failed.
	#[error("{url}: {error}")]
	Call {
		/// Where.
		url: String,
		/// What failed.
		error: ClientError,
	},
	/// Standard output, or the runtime.
	#[error(transparent)]
	Io(#[from] std::io::Error),
}

impl ExplainCmd {
	/// Asks, and prints the answer.
	pub fn run(&self) -> Result<(), Error> {
		let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
		let text = runtime.block_on(self.ask())?;
		Ok(std::io::stdout().write_all(text.as_bytes())?)
	}

	async fn ask(&self) -> Result<String, Error> {
		let client = WsClientBuilder::default().build(&self.url).await;
		let client = client.map_err(|error| Error::Connect { url: self.url.clone(), error })?;
		match self.subject {
			Subject::Candidate(hash) => self.candidate(&client, hash).await,
			Subject::Para(para) => {
				let options = Some(CandidatesOptions { limit: Some(LIMIT_MAX) });
				let answer = client.candidates(para, options).await;
				let view = answer.map_err(|error| self.error(error, ApiError::UnknownPara(para)))?;
				let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
				Ok(explain::para(&view, now.as_millis() as u64))
			},
		}
	}

	async fn candidate(&self, client: &WsClient, hash: CandidateHash) -> Result<String, Error> {
		let view = ParachainApiClient::candidate(client, hash).await;
		let view = view.map_err(|error| self.error(error, ApiError::UnknownCandidate(hash)))?;
		Ok(explain::candidate(&view))
	}

	fn error(&self, error: ClientError, unknown: ApiError) -> Error {
		match error {
			ClientError::Call(error) if error.code() == unknown.code() => {
				Error::Unknown(error.message().into())
			},
			error => Error::Call { url: self.url.clone(), error },
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_number_is_a_para_and_64_digits_are_a_candidate() {
		assert_eq!("2000".parse(), Ok(Subject::Para(ParaId(2000))));
		let hash = CandidateHash(headway_primitives::Hash::repeat_byte(0xab));
		assert_eq!("ab".repeat(32).parse(), Ok(Subject::Candidate(hash)));
		assert_eq!(format!("0x{}", "ab".repeat(32)).parse(), Ok(Subject::Candidate(hash)));
		for wrong in ["", "0x12", "collator", "99999999999", &"xy".repeat(32)] {
			assert!(wrong.parse::<Subject>().is_err(), "{wrong}");
		}
	}
}
