//! A JWT: any text as it comes, and any header and claims under a right signature.
#![no_main]

use auth::{Algorithm, Issuer, IssuerSettings, Issuers, KeyFile, KeySource};
use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use std::{sync::OnceLock, time::Duration};

const SECRET: &[u8; 32] = b"01234567890123456789012345678901";

fn issuers() -> &'static Issuers {
    static ISSUERS: OnceLock<Issuers> = OnceLock::new();
    ISSUERS.get_or_init(|| {
        let path = std::env::temp_dir().join(format!("modgate-fuzz-secret-{}", std::process::id()));
        std::fs::write(&path, SECRET).expect("a secret");
        let settings = IssuerSettings {
            alias: "a".parse().expect("an alias"),
            issuer: "i".into(),
            audiences: vec!["m".into()],
            algorithms: vec![Algorithm::Hs256],
            keys: KeySource::File(KeyFile::Secret(path.clone())),
            roots: None,
            authorized_parties: Vec::new(),
            id_tokens: false,
            types: IssuerSettings::types_of(["JWT"]),
            leeway: Duration::ZERO,
            max_lifetime: None,
            require_nbf: false,
            subject_claim: "sub".parse().expect("a path"),
            groups_claim: "g.n".parse().expect("a path"),
            trust: Vec::new(),
            login: None,
        };
        let issuer = Issuer::read(settings).expect("an issuer");
        let _ = std::fs::remove_file(path);
        Issuers::new(vec![issuer], &[0; 32])
    })
}

fuzz_target!(|raw: &[u8]| {
    let now = Timestamp::from_second(1_000).expect("a time");
    if let Ok(text) = std::str::from_utf8(raw) {
        assert!(issuers().verify(text, now).is_err(), "nobody signed it");
    }
    let mut parts = raw.splitn(2, |byte| *byte == b'\n');
    let (header, claims) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let part = |bytes| URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", part(header), part(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), signed.as_bytes());
    if let Ok(principal) = issuers().verify(&format!("{signed}.{}", part(tag.as_ref())), now) {
        assert!(principal.subject.starts_with("user:a/"));
        assert!(principal.groups.iter().all(|group| group.starts_with("group:a/")));
    }
});
