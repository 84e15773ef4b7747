//! The node's own JSON-RPC methods, as client and server see them: what became of candidates.
//!
//! Answers are what the one node that is asked saw since it was started: a validator of the backing group knows of
//! advertisements and votes, a collator knows of its own candidates and who fetched them, and both know what the relay chain says.
//! Nothing here talks to anybody: the server is in `headway-rpc`, clients bring their own connection.
//!
//! | module | what is in it |
//! |---|---|
//! | [`api`] | the methods and their errors |
//! | [`views`] | what they answer, and how it is made of records |
//! | [`explain`] | answers in plain words, as `headway explain` prints them |

#![forbid(unsafe_code)]

pub mod api;
pub mod explain;
pub mod views;

pub use api::{Error, ParachainApiClient, ParachainApiServer};
pub use views::{
	BlockView, CandidateUpdate, CandidateView, CandidatesOptions, DropView, FragmentChainInfo, FragmentView,
	LastDrop, ParaCandidates, StageView,
};
