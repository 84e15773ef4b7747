//! CPU time and memory of this process.

use std::time::Duration;

/// CPU time that all threads of this process have taken so far.
#[allow(unsafe_code)]
pub fn cpu_time() -> Duration {
	let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
	// SAFETY: the call writes to the struct that it is given, nothing else.
	let result = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
	// Cannot fail with this clock; zero would mean that only the host's limit holds.
	if result != 0 {
		return Duration::ZERO;
	}
	Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// Largest resident memory so far, KiB.
#[allow(unsafe_code)]
pub fn resident_kib_max() -> u64 {
	// SAFETY: all-zero is a valid value of this struct of numbers.
	let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
	// SAFETY: the call writes to the struct that it is given, nothing else.
	let result = unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
	if result == 0 {
		usage.ru_maxrss.unsigned_abs()
	} else {
		0
	}
}

/// Resident memory now, bytes. None where the system does not say.
pub fn resident_bytes() -> Option<u64> {
	const PAGE_BYTES: u64 = 4096;
	let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
	let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
	Some(pages * PAGE_BYTES)
}
