//! Reading Prometheus metrics, strictly: one line that does not parse is an error, as for the tools that
//! scrape nodes.

use crate::Error;
use std::{
	collections::{BTreeMap, BTreeSet},
	time::Duration,
};
use tokio::{
	io::{AsyncReadExt, AsyncWriteExt},
	net::TcpStream,
	time::timeout,
};

/// How long a node may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// One series.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample {
	/// Name of the metric.
	pub name: String,
	/// Its labels.
	pub labels: BTreeMap<String, String>,
	/// Its value.
	pub value: f64,
}

/// All series of a node.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Samples(pub Vec<Sample>);

impl Samples {
	/// Sum of all series of a metric whose labels include the given ones; none if there is no such series.
	pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
		let mut values = self.with(name, labels).map(|sample| sample.value).peekable();
		values.peek().is_some().then(|| values.sum())
	}

	/// All series of a metric whose labels include the given ones.
	pub fn with<'a>(
		&'a self,
		name: &'a str,
		labels: &'a [(&'a str, &'a str)],
	) -> impl Iterator<Item = &'a Sample> + 'a {
		self.0.iter().filter(move |sample| {
			sample.name == name
				&& labels
					.iter()
					.all(|(key, value)| sample.labels.get(*key).is_some_and(|found| found == value))
		})
	}
}

/// Reads the metrics of a node.
pub async fn scrape(node: &str, port: u16) -> Result<Samples, Error> {
	let error = |error: String| Error::Metrics { node: node.into(), error };
	let body = timeout(TIMEOUT, get(port))
		.await
		.map_err(|_| error("no answer in time".into()))?
		.map_err(|io| error(io.to_string()))?;
	parse(&body).map_err(error)
}

async fn get(port: u16) -> std::io::Result<String> {
	let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
	stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
	let mut answer = String::new();
	stream.read_to_string(&mut answer).await?;
	let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
	body.ok_or_else(|| std::io::Error::other("answer has no body"))
}

/// Parses the Prometheus text format. A family that is announced needs a sample: some parsers insist.
pub fn parse(text: &str) -> Result<Samples, String> {
	let mut samples: Vec<Sample> = Vec::new();
	let mut announced = BTreeSet::new();
	for line in text.lines().filter(|line| !line.is_empty()) {
		if let Some(comment) = line.strip_prefix('#') {
			let mut words = comment.split_whitespace();
			match (words.next(), words.next()) {
				(Some("HELP" | "TYPE"), Some(name)) if is_name(name) => {
					announced.insert(name);
					continue;
				},
				_ => return Err(format!("comment is neither HELP nor TYPE: {line}")),
			}
		}
		samples.push(parse_sample(line).ok_or_else(|| format!("line does not parse: {line}"))?);
	}
	let belongs = |sample: &Sample, family: &str| {
		let rest = sample.name.strip_prefix(family);
		rest.is_some_and(|rest| ["", "_bucket", "_sum", "_count"].contains(&rest))
	};
	if let Some(empty) = announced.iter().find(|name| !samples.iter().any(|sample| belongs(sample, name))) {
		return Err(format!("{empty} is announced, but has no sample"));
	}
	Ok(Samples(samples))
}

fn parse_sample(line: &str) -> Option<Sample> {
	let (head, value) = line.rsplit_once(' ')?;
	let value = match value {
		"+Inf" => f64::INFINITY,
		"-Inf" => f64::NEG_INFINITY,
		"NaN" => f64::NAN,
		number => number.parse().ok()?,
	};
	let (name, labels) = match head.split_once('{') {
		Some((name, labels)) => (name, parse_labels(labels.strip_suffix('}')?)?),
		None => (head, BTreeMap::new()),
	};
	is_name(name).then(|| Sample { name: name.into(), labels, value })
}

fn parse_labels(text: &str) -> Option<BTreeMap<String, String>> {
	let mut labels = BTreeMap::new();
	let mut rest = text;
	while !rest.is_empty() {
		let (key, after) = rest.split_once("=\"")?;
		let (mut value, mut end) = (String::new(), None);
		let mut letters = after.char_indices();
		while let Some((at, letter)) = letters.next() {
			match letter {
				'\\' => match letters.next()?.1 {
					'n' => value.push('\n'),
					other => value.push(other),
				},
				'"' => {
					end = Some(at + 1);
					break;
				},
				other => value.push(other),
			}
		}
		labels.insert(is_name(key).then(|| key.to_owned())?, value);
		rest = &after[end?..];
		rest = rest.strip_prefix(',').unwrap_or(rest);
	}
	Some(labels)
}

fn is_name(name: &str) -> bool {
	!name.is_empty()
		&& name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':')
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn series_with_labels_and_escapes_parse() {
		let text = concat!(
			"# HELP a_b help text\n# TYPE a_b counter\n",
			"a_b{x=\"1\",y=\"say \\\"hi\\\"\"} 3\na_b{x=\"2\"} 4.5\nup +Inf\n"
		);
		let samples = parse(text).unwrap();
		assert_eq!(samples.sum("a_b", &[]), Some(7.5));
		assert_eq!(samples.sum("a_b", &[("x", "2")]), Some(4.5));
		assert_eq!(samples.0[0].labels["y"], "say \"hi\"");
		assert_eq!(samples.sum("nothing", &[]), None);
	}

	#[test]
	fn one_bad_line_fails_the_whole_scrape() {
		for bad in ["a b c", "# nonsense here", "x{y=1} 2", "x{y=\"1} 2", "no_value", "# TYPE empty counter"]
		{
			assert!(parse(&format!("good 1\n{bad}\n")).is_err(), "{bad}");
		}
	}
}
