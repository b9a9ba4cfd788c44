//! What judging an issued token costs on the hit path: header to principal, with 1 and 1,000 tokens known.
//!
//! ```text
//! cargo run -p auth --example hit_path --release
//! ```
//!
//! Prints the least and the median of 51 rounds, in nanoseconds per call; the least is what an idle machine would show. The figure stands in docs/adr/0004-issued-tokens.md.

use std::error::Error;
use std::hint::black_box;
use std::io::{self, Write};
use std::time::Instant;

use auth::{Authenticator, Grant, Kind, Ledger, Outcome, Presented, RANDOM_BYTES, Scratch, Tokens};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

const ROUNDS: usize = 51;
const CALLS: u32 = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let mut output = io::stdout().lock();
    writeln!(output, "{:>8} {:>14} {:>14} {:>14}", "tokens", "header ns", "token ns", "unknown ns")?;
    for tokens in [1, 1_000] {
        let house = House::with(tokens, &directory.path().join(format!("{tokens}.db")))?;
        let [header, token, unknown] = house.figures()?;
        writeln!(output, "{tokens:>8} {header:>14} {token:>14} {unknown:>14}")?;
    }
    Ok(())
}

struct House {
    authenticator: Authenticator,
    known: String,
    unknown: String,
    now: Timestamp,
}

impl House {
    fn with(tokens: u64, path: &std::path::Path) -> Result<Self, Box<dyn Error>> {
        let now = Timestamp::now();
        let grant = Grant {
            kind: Kind::User,
            name: "alice".parse()?,
            groups: vec!["dev".parse()?],
            scope: None,
            expires: None,
            note: None,
        };
        let mut ledger = Ledger::open_or_create(path)?;
        for number in 1..=tokens {
            ledger.issue(&grant, now, &random(number))?;
        }
        let known = auth::TokenText::mint(&random(tokens)).expose().to_owned();
        let unknown = auth::TokenText::mint(&random(0)).expose().to_owned();
        let authenticator = Authenticator::new(Tokens::over(ledger)?.into());
        Ok(Self { authenticator, known, unknown, now })
    }

    /// Header to principal; token to principal; unknown token to rejection.
    fn figures(&self) -> Result<[String; 3], Box<dyn Error>> {
        let header = format!("Basic {}", STANDARD.encode(format!("alice:{}", self.known)));
        let judge = |presented: &Presented<'_>| self.authenticator.authenticate(presented, self.now);
        if !matches!(judge(&Presented::Token(&self.known)), Outcome::Authenticated(_)) {
            return Err("the token is not accepted".into());
        }
        Ok([
            rounds(|| {
                let mut scratch = Scratch::new();
                let presented = auth::presented([black_box(header.as_bytes())], &mut scratch);
                black_box(presented.map(|presented| judge(&presented))).ok();
            }),
            rounds(|| {
                black_box(judge(&Presented::Token(black_box(&self.known))));
            }),
            rounds(|| {
                black_box(judge(&Presented::Token(black_box(&self.unknown))));
            }),
        ])
    }
}

fn random(number: u64) -> [u8; RANDOM_BYTES] {
    let mut random = [7; RANDOM_BYTES];
    for (to, from) in random.iter_mut().skip(8).zip(number.to_be_bytes()) {
        *to = from;
    }
    random
}

/// `least/median`.
fn rounds(mut call: impl FnMut()) -> String {
    let mut rounds: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            (0..CALLS).for_each(|_| call());
            start.elapsed().as_nanos() / u128::from(CALLS)
        })
        .collect();
    rounds.sort_unstable();
    let at = |place: usize| rounds.get(place).copied().unwrap_or_default();
    format!("{}/{}", at(0), at(ROUNDS / 2))
}
