//! Arguments for nodes beyond those that a network gives them.

use crate::Error;
use std::str::FromStr;

/// An argument for all nodes (`--db-cache=64`), or for one (`alice=--db-cache=64`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeArg {
	/// The node; none: all of them.
	pub node: Option<String>,
	/// The argument.
	pub arg: String,
}

impl NodeArg {
	/// An argument for all nodes.
	pub fn for_all(arg: &str) -> Self {
		Self { node: None, arg: arg.into() }
	}

	fn is_for(&self, node: &str) -> bool {
		self.node.as_deref().is_none_or(|only| only == node)
	}
}

impl FromStr for NodeArg {
	type Err = Error;

	// What begins with a dash is a flag, whatever follows it. So a node's name is in front of a flag only.
	fn from_str(text: &str) -> Result<Self, Error> {
		match text.split_once('=') {
			_ if text.starts_with('-') => Ok(Self::for_all(text)),
			Some((node, arg)) => Ok(Self { node: Some(node.into()), arg: arg.into() }),
			None => Ok(Self::for_all(text)),
		}
	}
}

/// An error if an argument is for a node that is not there.
pub fn check<'a>(args: &[NodeArg], nodes: impl Iterator<Item = &'a str> + Clone) -> Result<(), Error> {
	let named = args.iter().filter_map(|arg| arg.node.as_deref());
	let unknown = named.into_iter().find(|name| !nodes.clone().any(|node| node == *name));
	unknown.map_or(Ok(()), |name| Err(Error::UnknownNode(name.into())))
}

/// Adds those of `more` that are for this node. A flag of them takes the place of the network's own, which is followed by
/// its value.
pub fn add(args: &mut Vec<String>, node: &str, more: &[NodeArg]) {
	for NodeArg { arg, .. } in more.iter().filter(|arg| arg.is_for(node)) {
		let flag = arg.split('=').next().filter(|flag| flag.starts_with("--"));
		while let Some(at) = flag.and_then(|flag| args.iter().position(|own| own == flag)) {
			let has_value = args.get(at + 1).is_some_and(|next| !next.starts_with("--"));
			args.drain(at..=at + usize::from(has_value));
		}
	}
	args.extend(more.iter().filter(|arg| arg.is_for(node)).map(|arg| arg.arg.clone()));
}

#[cfg(test)]
mod tests {
	use super::*;

	fn parse(texts: &[&str]) -> Vec<NodeArg> {
		texts.iter().map(|text| text.parse().unwrap()).collect()
	}

	#[test]
	fn an_argument_is_for_all_nodes_or_for_the_one_that_is_named() {
		let more = parse(&["--db-cache=64", "alice=--state-pruning", "alice=archive", "-lsync=trace", "x"]);
		let args = |node| {
			let mut args = vec!["--validator".to_owned()];
			add(&mut args, node, &more);
			args.join(" ")
		};
		assert_eq!(args("alice"), "--validator --db-cache=64 --state-pruning archive -lsync=trace x");
		assert_eq!(args("bob"), "--validator --db-cache=64 -lsync=trace x");
	}

	#[test]
	fn an_argument_takes_the_place_of_the_networks_own() {
		let own = ["--rpc-methods", "unsafe", "--no-mdns", "--validator", "--log", "info"];
		let mut args: Vec<String> = own.map(String::from).into();
		add(&mut args, "alice", &parse(&["--rpc-methods=safe", "bob=--log=trace", "--no-mdns"]));
		assert_eq!(args.join(" "), "--validator --log info --rpc-methods=safe --no-mdns");
		// One that is given twice is the user's business.
		let mut args = Vec::new();
		add(&mut args, "alice", &parse(&["--listen-addr=a", "--listen-addr=b"]));
		assert_eq!(args.join(" "), "--listen-addr=a --listen-addr=b");
	}

	#[test]
	fn an_argument_for_a_node_that_is_not_there_is_refused_by_name() {
		let nodes = ["alice", "collator-2000"];
		check(&parse(&["collator-2000=--x", "--y"]), nodes.into_iter()).unwrap();
		let error = check(&parse(&["zoe=--x"]), nodes.into_iter()).unwrap_err();
		assert!(error.to_string().contains("zoe"), "{error}");
	}
}
