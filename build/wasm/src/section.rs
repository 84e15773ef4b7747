//! Custom sections of a Wasm module.
//!
//! Only the outer structure is read: a header of eight bytes, then sections of `id: u8, size: leb128,
//! content`. The content of a custom section (id 0) starts with its name (`size: leb128, UTF-8`).

/// The names of all custom sections in their order, or `None` if the bytes are not a sequence of Wasm
/// sections.
pub fn custom(module: &[u8]) -> Option<Vec<String>> {
	let mut rest = module.strip_prefix(b"\0asm\x01\0\0\0")?;
	let mut names = Vec::new();
	while let Some((id, after)) = rest.split_first() {
		let (size, after) = leb128(after)?;
		let (content, after) = after.split_at_checked(size)?;
		if *id == 0 {
			let (size, content) = leb128(content)?;
			names.push(String::from_utf8(content.get(..size)?.to_vec()).ok()?);
		}
		rest = after;
	}
	Some(names)
}

/// An unsigned number of at most 32 bits, and what follows it.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
	let mut value = 0u64;
	for (index, byte) in bytes.iter().enumerate().take(5) {
		value |= u64::from(byte & 0x7f) << (7 * index);
		if byte & 0x80 == 0 {
			return Some((u32::try_from(value).ok()? as usize, &bytes[index + 1..]));
		}
	}
	None
}
