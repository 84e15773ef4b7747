//! What workers write to their standard error: lines of their log, and of the validation functions that they execute.
//!
//! A validation function is a stranger's code, and what it says ends in the node's log. So it comes line by line, each with the
//! worker's process id before it, without control characters, and not without end.
//!
//! # Bounds
//!
//! Of what a worker says during one job, [`JOB_BYTES_MAX`] bytes are passed on; the rest is read, so that the worker does not wait,
//! and dropped. A line that is longer than [`LINE_BYTES_MAX`] is cut in pieces.

use std::sync::{
	atomic::{AtomicUsize, Ordering},
	Arc,
};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes of output that are passed on for each job.
pub const JOB_BYTES_MAX: usize = 64 << 10;
/// Longest line, bytes.
pub const LINE_BYTES_MAX: usize = 4 << 10;
/// Bytes that are read at a time.
const READ_BYTES: usize = 4 << 10;

/// How much of a worker's output is still passed on. Shared by who reads it, and who gives the worker jobs.
#[derive(Clone, Debug)]
pub(crate) struct Allowance(Arc<AtomicUsize>);

impl Allowance {
	pub(crate) fn new() -> Self {
		Self(Arc::new(AtomicUsize::new(JOB_BYTES_MAX)))
	}

	/// A job begins. What the worker said before and nobody has read yet counts as said by this one.
	pub(crate) fn renew(&self) {
		self.0.store(JOB_BYTES_MAX, Ordering::Relaxed);
	}

	/// Takes as much of this as is left.
	fn take(&self, wanted: usize) -> usize {
		let less = |left: usize| Some(left.saturating_sub(wanted));
		let (Ok(left) | Err(left)) = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
		left.min(wanted)
	}
}

/// Reads until the end and hands over line by line, as far as that is allowed.
pub(crate) async fn pass_on(
	mut from: impl AsyncRead + Unpin,
	allowance: Allowance,
	mut say: impl FnMut(&str),
) {
	let (mut read, mut line, mut is_cut_off) = ([0; READ_BYTES], Vec::new(), false);
	loop {
		// An error is an end too: the worker is gone.
		let len = from.read(&mut read).await.unwrap_or(0);
		let allowed = allowance.take(len);
		for byte in &read[..allowed] {
			if *byte != b'\n' {
				line.push(*byte);
			}
			if *byte == b'\n' || line.len() >= LINE_BYTES_MAX {
				say_line(&mut line, &mut say);
			}
		}
		if len == 0 || allowed < len {
			say_line(&mut line, &mut say);
		}
		if allowed < len && !is_cut_off {
			say(&format!("said more than {JOB_BYTES_MAX} bytes during one job; the rest is dropped"));
		}
		is_cut_off = allowed < len;
		if len == 0 {
			return;
		}
	}
}

fn say_line(line: &mut Vec<u8>, say: &mut impl FnMut(&str)) {
	let plain = plain(&String::from_utf8_lossy(line));
	line.clear();
	if !plain.is_empty() {
		say(&plain);
	}
}

/// Without escape sequences and control characters.
fn plain(text: &str) -> String {
	let (mut plain, mut characters) = (String::with_capacity(text.len()), text.chars().peekable());
	while let Some(character) = characters.next() {
		if character == '\u{1b}' && characters.next_if_eq(&'[').is_some() {
			// Parameters, and what ends them.
			characters.find(|character| ('@'..='~').contains(character));
		} else if character == '\t' {
			plain.push(' ');
		} else if !character.is_control() {
			plain.push(character);
		}
	}
	plain
}

#[cfg(test)]
mod tests {
	use super::*;

	fn passed_on(output: &[u8]) -> Vec<String> {
		let mut said = Vec::new();
		let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
		runtime.block_on(pass_on(output, Allowance::new(), |line| said.push(line.to_owned())));
		said
	}

	#[test]
	fn output_comes_in_lines_without_control_characters() {
		let said = passed_on(b"first\r\n\x1b[1;31mred\x1b[0m and\tmore\n\n\x07\x1b]0;title\x07\xff\nlast");
		assert_eq!(said, ["first", "red and more", "]0;title\u{fffd}", "last"]);
		assert_eq!(passed_on("\u{9b}2Jcleared\u{85}".as_bytes()), ["2Jcleared"]);
		assert_eq!(passed_on(b"\x1b[31"), Vec::<String>::new());
	}

	#[test]
	fn a_line_without_end_is_cut_in_pieces() {
		let said = passed_on(&[b'x'; LINE_BYTES_MAX + 1]);
		assert_eq!(said.iter().map(String::len).collect::<Vec<_>>(), [LINE_BYTES_MAX, 1]);
	}

	#[test]
	fn output_of_a_job_is_capped_and_the_next_job_speaks_again() {
		let line = [b'x'; 99].into_iter().chain([b'\n']).collect::<Vec<_>>();
		let said = passed_on(&line.repeat(100_000));
		let bytes: usize = said.iter().map(|line| line.len() + 1).sum();
		assert!(bytes <= JOB_BYTES_MAX + 200, "{bytes} bytes");
		assert_eq!(said.iter().filter(|line| line.contains("the rest is dropped")).count(), 1);

		let allowance = Allowance::new();
		assert_eq!((allowance.take(JOB_BYTES_MAX - 1), allowance.take(2)), (JOB_BYTES_MAX - 1, 1));
		assert_eq!(allowance.take(1), 0);
		allowance.renew();
		assert_eq!(allowance.take(1), 1);
	}
}
