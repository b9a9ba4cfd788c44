//! Paths, versions, globs, hashes and tiles: modgate's answers against those of `golang.org/x/mod`.
//!
//! Each test puts a table of odd texts and thousands of generated ones to both. What is generated is put together from
//! pieces that matter to the rules in question, for random characters would nearly all be refused at once.

mod globs;
mod gomods;
mod paths;
mod targets;
mod versions;

use crate::dice::Dice;
use crate::oracle_process::{Answer, ask, print};
use serde_json::json;

const GENERATED: usize = 4000;

/// The table, and generated texts: pieces after one of the starts, or after nothing.
fn texts(table: &[&str], starts: &[&str], pieces: &[&str], most: usize, seed: u64) -> Vec<String> {
    let mut dice = Dice::new(seed);
    let generated = (0..GENERATED).map(|_| {
        let start = if dice.below(4) == 0 { "" } else { dice.pick(starts) };
        format!("{start}{}", dice.text(pieces, most))
    });
    table.iter().map(|&text| text.to_owned()).chain(generated).collect()
}

/// Asks the same of every text.
fn ask_each(op: &str, texts: &[String]) -> Vec<Answer> {
    ask(&texts.iter().map(|text| json!({"op": op, "a": text})).collect::<Vec<_>>())
}

/// The least share of texts that both must accept for a comparison to be worth its name.
fn enough(accepted: usize, of: usize) {
    assert!(accepted * 100 > of * 3, "only {accepted} of {of} accepted: generate better ones");
}

#[test]
fn unicode_tables_are_those_of_go() {
    assert_eq!(print("letters"), include_str!("../src/module/unicode/letters.rs"));
    assert_eq!(print("fold"), include_str!("../src/module/unicode/folds.rs"));
}
