//! Scenarios of backing (backing pipeline §9.4), and what Headway does better than they ask for.

mod any_order;
mod arbitrary;
mod harness;
mod scenarios;
mod seconding;
mod statement_table;
mod votes;
