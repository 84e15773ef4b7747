//! Where a worker gives up its rights (availability, approval, disputes §4.6).
//!
//! What is in force now: a worker is a process of its own with an empty environment, one socket and no arguments of value. It is
//! **not** confined further: it runs with the node's user and could open files and sockets if the compiler or the engine had a hole.
//! Namespaces, landlock and seccomp belong into [`enter`], which runs after the greeting and before the first job; nothing
//! after it needs more than reading one artifact, or writing one.

/// Called once, before the first job is read.
pub(super) fn enter() {}
