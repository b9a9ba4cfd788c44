//! What judging a credential costs on the hit path, header to principal: an issued token with 1 and 1,000 tokens known, and
//! a JWT of 1 KiB that is remembered, beside one that is refused for its signature; and a remembered password of a directory.
//!
//! ```text
//! cargo run -p auth --example hit_path --release
//! ```
//!
//! Prints the least and the median of 51 rounds, in nanoseconds per call; the least is what an idle machine would show. The figures
//! stand in docs/adr/0004-issued-tokens.md, docs/adr/0010-jwt.md and docs/adr/0016-directory.md.

#[path = "hit_path/people.rs"]
mod people;

use std::error::Error;
use std::hint::black_box;
use std::io::{self, Write};
use std::time::Instant;

use auth::{
    Algorithm, Authenticator, Effort, Grant, Issuer, IssuerSettings, Issuers, KeyFile, KeySource, Kind, Ledger,
    Outcome, Presented, RANDOM_BYTES, Scratch, Tokens,
};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
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
    writeln!(output, "\n{:>8} {:>14} {:>14} {:>14}", "JWT", "Basic ns", "Bearer ns", "refused ns")?;
    let office = Office::with(directory.path())?;
    let [basic, bearer, refused] = office.figures()?;
    writeln!(output, "{:>8} {basic:>14} {bearer:>14} {refused:>14}", office.token.len())?;
    writeln!(output, "\n{:>8} {:>14} {:>14}", "LDAP", "Basic ns", "password ns")?;
    let [basic, password] = people::figures(directory.path())?;
    writeln!(output, "{:>8} {basic:>14} {password:>14}", "")?;
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
        let grant = Grant::by_hand(Kind::User, &"alice".parse()?, &["dev".parse()?])?;
        let mut ledger = Ledger::open_or_create(path)?;
        for number in 1..=tokens {
            ledger.issue(&grant, now, &random(number))?;
        }
        let known = auth::TokenText::mint(&random(tokens)).expose().to_owned();
        let unknown = auth::TokenText::mint(&random(0)).expose().to_owned();
        let issuers = Issuers::new(Vec::new(), &[0; 32]);
        let authenticator = Authenticator::new(Tokens::over(ledger)?.into(), issuers.into(), None);
        Ok(Self { authenticator, known, unknown, now })
    }

    /// Header to principal; token to principal; unknown token to rejection.
    fn figures(&self) -> Result<[String; 3], Box<dyn Error>> {
        let header = format!("Basic {}", STANDARD.encode(format!("alice:{}", self.known)));
        let judge = |presented: &Presented<'_>| self.authenticator.authenticate(presented, Effort::Full, self.now);
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

/// One issuer, and a token of its of about 1 KiB.
struct Office {
    authenticator: Authenticator,
    token: String,
    forged: String,
    now: Timestamp,
}

impl Office {
    fn with(directory: &std::path::Path) -> Result<Self, Box<dyn Error>> {
        let (now, pair) = (Timestamp::now(), Ed25519KeyPair::generate()?);
        let keys = directory.join("keys.json");
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        std::fs::write(&keys, format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"1","x":"{x}"}}"#))?;
        let second = now.as_second();
        let groups: Vec<_> = (0..47).map(|number| format!("\"team-{number:04}\"")).collect();
        let claims = format!(
            r#"{{"iss":"https://a.example","aud":"modgate","sub":"alice","exp":{},"nbf":{second},"groups":[{}]}}"#,
            second + 3600,
            groups.join(",")
        );
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let signed = format!("{}.{}", part(r#"{"alg":"EdDSA","kid":"1","typ":"JWT"}"#), part(&claims));
        let signature = |of: &str| URL_SAFE_NO_PAD.encode(pair.sign(of.as_bytes()).as_ref());
        let (token, forged) =
            (format!("{signed}.{}", signature(&signed)), format!("{signed}.{}", signature("another")));
        let issuers = Issuers::new(vec![Issuer::read(settings(KeyFile::Public(keys))?)?], &[7; 32]);
        let tokens = Tokens::over(Ledger::open_or_create(&directory.join("none.db"))?)?;
        Ok(Self { authenticator: Authenticator::new(tokens.into(), issuers.into(), None), token, forged, now })
    }

    /// Basic header to principal; Bearer header to principal; a token with a wrong signature to rejection.
    fn figures(&self) -> Result<[String; 3], Box<dyn Error>> {
        let judge = |presented: &Presented<'_>| self.authenticator.authenticate(presented, Effort::Full, self.now);
        if !matches!(judge(&Presented::Jwt(&self.token)), Outcome::Authenticated(_)) {
            return Err("the JWT is not accepted".into());
        }
        let header = |header: &str| {
            let mut scratch = Scratch::new();
            let presented = auth::presented([black_box(header.as_bytes())], &mut scratch);
            black_box(presented.map(|presented| judge(&presented))).ok();
        };
        let basic = format!("Basic {}", STANDARD.encode(format!("alice:{}", self.token)));
        let (bearer, forged) = (format!("Bearer {}", self.token), format!("Bearer {}", self.forged));
        Ok([rounds(|| header(&basic)), rounds(|| header(&bearer)), rounds(|| header(&forged))])
    }
}

fn settings(keys: KeyFile) -> Result<IssuerSettings, Box<dyn Error>> {
    Ok(IssuerSettings {
        alias: "corp".parse()?,
        issuer: "https://a.example".to_owned(),
        audiences: vec!["modgate".to_owned()],
        algorithms: vec![Algorithm::EdDsa],
        keys: KeySource::File(keys),
        roots: None,
        authorized_parties: Vec::new(),
        id_tokens: false,
        types: IssuerSettings::types_of(["JWT"]),
        leeway: std::time::Duration::ZERO,
        max_lifetime: None,
        require_nbf: true,
        subject_claim: "sub".parse()?,
        groups_claim: "groups".parse()?,
        trust: Vec::new(),
        login: None,
    })
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
