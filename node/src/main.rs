//! The program `headway`. All of it is in the library, so that a collator can embed the node.

fn main() -> std::process::ExitCode {
	headway_node::command::main(std::env::args_os().collect())
}
