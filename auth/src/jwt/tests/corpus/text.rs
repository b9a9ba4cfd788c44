//! Texts that are not quite the token that was signed.

use super::super::mint::Mint;
use super::{Algorithm, Reason};
use super::{Row, es256, row};
use super::{claims, with};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub(super) fn texts() -> Vec<Row> {
    let good = es256(&claims("corp"));
    let [header, claims_part, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let signed = |bytes: &[u8]| format!("{header}.{claims_part}.{}", URL_SAFE_NO_PAD.encode(bytes));
    let last = signature.chars().last().unwrap();
    // The last of 86 characters carries two bits of signature and four that must be zero.
    let loose: char = char::from_u32(last as u32 + 1).unwrap();
    let der = [&[0x30, 0x44, 0x02, 0x20][..], &bytes[..32], &[0x02, 0x20], &bytes[32..]].concat();
    let swapped = es256(&with("corp", "sub", "root"));
    let swapped = swapped.split('.').nth(1).unwrap();
    let huge = Mint::ours().token(Algorithm::Es256, &with("corp", "pad", "x".repeat(13_000)));
    let mut flipped = bytes.clone();
    flipped[0] ^= 1;
    vec![
        row("no signature", format!("{header}.{claims_part}."), Reason::Signature),
        row("a signature cut by a byte", signed(&bytes[..63]), Reason::Signature),
        row("a signature longer by a byte", signed(&[&bytes[..], &[0]].concat()), Reason::Signature),
        row("a signature twice", signed(&[&bytes[..], &bytes].concat()), Reason::Signature),
        row("a signature of zeros", signed(&[0; 64]), Reason::Signature),
        row("a signature of ones", signed(&[0xff; 64]), Reason::Signature),
        row("a signature with r alone", signed(&[&bytes[..32], &[0; 32]].concat()), Reason::Signature),
        row("a signature with s alone", signed(&[&[0; 32], &bytes[32..]].concat()), Reason::Signature),
        row("a signature of r and r", signed(&[&bytes[..32], &bytes[..32]].concat()), Reason::Signature),
        row("a signature turned round", signed(&[&bytes[32..], &bytes[..32]].concat()), Reason::Signature),
        row("a signature as DER", signed(&der), Reason::Signature),
        row("a bit of the signature", signed(&flipped), Reason::Signature),
        row("a signature of RSA's length", signed(&[7; 256]), Reason::Signature),
        row("a huge signature", signed(&[7; 1100]), Reason::Oversize),
        row("other claims under the signature", format!("{header}.{swapped}.{signature}"), Reason::Signature),
        row("padded", format!("{header}.{claims_part}.{signature}=="), Reason::Base64),
        row("bits left over in the signature", format!("{}{loose}", good.strip_suffix(last).unwrap()), Reason::Base64),
        row("standard base64", format!("{header}.{claims_part}.+/{signature}"), Reason::Base64),
        row("a blank in the claims", format!("{header}. {claims_part}.{signature}"), Reason::Base64),
        row("a line end at the end", format!("{good}\n"), Reason::Base64),
        row("no claims", format!("{header}..{signature}"), Reason::Claims),
        row("no header", format!(".{claims_part}.{signature}"), Reason::Header),
        row("five parts", format!("{header}.{claims_part}.{signature}.{signature}.{signature}"), Reason::Encrypted),
        row("two parts", format!("{header}.{claims_part}"), Reason::Header),
        row("huge", huge, Reason::Oversize),
        row("hugest", format!("{header}.{}.{signature}", "A".repeat(1 << 20)), Reason::Oversize),
    ]
}
