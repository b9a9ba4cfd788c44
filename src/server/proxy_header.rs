//! The PROXY protocol, version 2: a proxy in front says who its client is, before the first byte of TLS.
//!
//! ```text
//! 0  12  signature 0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A
//! 12  1  version (high nibble, 2) and command (0 LOCAL: the proxy itself asks, 1 PROXY)
//! 13  1  address family (high nibble) and transport (low nibble)
//! 14  2  length of what follows, big endian
//! 16     addresses: source, destination, source port, destination port; then type-length-value entries
//! ```
//!
//! Strict: only version 2, only TCP over IPv4 or IPv6 (or unspecified, which stands for the connection itself), at most
//! [`MAX_REST`] bytes after the fixed part, entries that fill the rest exactly. A header is read only where the
//! configuration says that there is one: its presence is never guessed, as the specification demands.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::io::{AsyncRead, AsyncReadExt};

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
const FIXED: usize = 16;
/// Longer headers are refused: the addresses take 36 bytes, and what proxies add takes a few hundred.
const MAX_REST: usize = 2048;

/// Why a header is not accepted.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyHeaderError {
    #[error("cannot read the PROXY protocol header: {0}")]
    Read(#[from] io::Error),
    #[error("the connection does not begin with a PROXY protocol v2 header")]
    Signature,
    #[error("PROXY protocol version {0} is not 2")]
    Version(u8),
    #[error("PROXY protocol command {0} is unknown")]
    Command(u8),
    #[error("PROXY protocol family and transport {0:#04x} is not TCP over IPv4 or IPv6")]
    Family(u8),
    #[error("the PROXY protocol header of {0} bytes is too long")]
    TooLong(usize),
    #[error("the PROXY protocol header is too short for its addresses")]
    TooShort,
    #[error("the PROXY protocol header has a malformed entry")]
    Entry,
}

/// Reads a header from the beginning of a connection, and not a byte more. `None`: the connection is the proxy's own.
pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Option<SocketAddr>, ProxyHeaderError> {
    let mut fixed = [0; FIXED];
    stream.read_exact(&mut fixed).await?;
    let fixed = Fixed::parse(&fixed)?;
    let mut rest = vec![0; fixed.length];
    stream.read_exact(&mut rest).await?;
    fixed.source(&rest)
}

/// The first sixteen bytes.
struct Fixed {
    local: bool,
    family: u8,
    length: usize,
}

impl Fixed {
    fn parse(bytes: &[u8; FIXED]) -> Result<Self, ProxyHeaderError> {
        let [signature @ .., command, family, high, low] = bytes;
        if *signature != SIGNATURE {
            return Err(ProxyHeaderError::Signature);
        }
        if command >> 4 != 2 {
            return Err(ProxyHeaderError::Version(command >> 4));
        }
        let local = match command & 0xf {
            0 => true,
            1 => false,
            other => return Err(ProxyHeaderError::Command(other)),
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if length > MAX_REST {
            return Err(ProxyHeaderError::TooLong(length));
        }
        Ok(Self { local, family: *family, length })
    }

    /// The source address in `rest`, which has `self.length` bytes.
    fn source(&self, rest: &[u8]) -> Result<Option<SocketAddr>, ProxyHeaderError> {
        if self.local {
            return Ok(None); // The specification has the receiver ignore what follows.
        }
        let (source, entries) = match self.family {
            0x00 => return Ok(None),
            0x11 => {
                let (addresses, entries) = rest.split_first_chunk::<12>().ok_or(ProxyHeaderError::TooShort)?;
                let [a, b, c, d, _, _, _, _, high, low, _, _] = *addresses;
                (SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), u16::from_be_bytes([high, low])), entries)
            }
            0x21 => {
                let (addresses, entries) = rest.split_first_chunk::<36>().ok_or(ProxyHeaderError::TooShort)?;
                let (source, after) = addresses.split_first_chunk::<16>().ok_or(ProxyHeaderError::TooShort)?;
                let [.., high, low, _, _] = after else {
                    return Err(ProxyHeaderError::TooShort);
                };
                (SocketAddr::new(IpAddr::V6(Ipv6Addr::from(*source)), u16::from_be_bytes([*high, *low])), entries)
            }
            other => return Err(ProxyHeaderError::Family(other)),
        };
        check_entries(entries)?;
        Ok(Some(source))
    }
}

/// Type (1 byte), length (2 bytes), value: to the very end.
fn check_entries(mut entries: &[u8]) -> Result<(), ProxyHeaderError> {
    while let Some(([_, high, low], rest)) = entries.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        entries = rest.get(length..).ok_or(ProxyHeaderError::Entry)?;
    }
    if entries.is_empty() { Ok(()) } else { Err(ProxyHeaderError::Entry) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([command, family]);
        bytes.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
        bytes.extend(rest);
        bytes
    }

    fn addresses(source: SocketAddr) -> (u8, Vec<u8>) {
        let (family, mut rest) = match source.ip() {
            IpAddr::V4(ip) => (0x11, [ip.octets(), [192, 0, 2, 1]].concat()),
            IpAddr::V6(ip) => (0x21, [ip.octets(), Ipv6Addr::LOCALHOST.octets()].concat()),
        };
        rest.extend(source.port().to_be_bytes());
        rest.extend(443u16.to_be_bytes());
        (family, rest)
    }

    /// What was read, and how much of the stream is left.
    fn read_all(bytes: &[u8]) -> (Result<Option<SocketAddr>, ProxyHeaderError>, usize) {
        let mut stream = bytes;
        let read = futures_util::FutureExt::now_or_never(read(&mut stream)).unwrap();
        (read, stream.len())
    }

    fn address() -> impl Strategy<Value = SocketAddr> {
        (any::<IpAddr>(), any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip, port))
    }

    proptest! {
        #[test]
        fn what_a_proxy_wrote_is_read_and_what_follows_is_left(
            source in address(),
            entries in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..40)), 0..5),
            after in proptest::collection::vec(any::<u8>(), 0..50),
        ) {
            let (family, mut rest) = addresses(source);
            for (kind, value) in &entries {
                rest.push(*kind);
                rest.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
                rest.extend(value);
            }
            let mut bytes = header(0x21, family, &rest);
            bytes.extend(&after);
            let (read, left) = read_all(&bytes);
            prop_assert_eq!(read.unwrap(), Some(source));
            prop_assert_eq!(left, after.len());
        }

        #[test]
        fn a_header_cut_anywhere_is_an_error(source in address(), cut in any::<prop::sample::Index>()) {
            let (family, rest) = addresses(source);
            let bytes = header(0x21, family, &rest);
            prop_assert!(read_all(&bytes[..cut.index(bytes.len())]).0.is_err());
        }

        #[test]
        fn anything_else_is_an_error_and_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(read_all(&bytes).0.is_err());
        }

        #[test]
        fn whatever_follows_the_signature_never_panics(tail in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_all(&[&SIGNATURE[..], &tail].concat());
        }
    }

    #[test]
    fn the_proxys_own_and_unspecified_connections_have_no_other_client() {
        for bytes in [header(0x20, 0x00, b""), header(0x20, 0x11, b"whatever"), header(0x21, 0x00, b"")] {
            assert!(matches!(read_all(&bytes), (Ok(None), 0)), "{bytes:?}");
        }
    }

    #[test]
    fn each_deviation_has_its_own_error() {
        let (family, rest) = addresses("192.0.2.7:5".parse().unwrap());
        let with = |tail: &[u8]| header(0x21, family, &[&rest, tail].concat());
        let error = |bytes: &[u8]| read_all(bytes).0.unwrap_err();
        assert!(matches!(error(b"PROXY TCP4 192.0.2.7 192.0.2.1 5 443\r\n"), ProxyHeaderError::Signature));
        assert!(matches!(error(&header(0x11, family, &rest)), ProxyHeaderError::Version(1)));
        assert!(matches!(error(&header(0x22, family, &rest)), ProxyHeaderError::Command(2)));
        for other in [0x12, 0x22, 0x31, 0x32, 0x10, 0x41] {
            assert!(matches!(error(&header(0x21, other, &rest)), ProxyHeaderError::Family(_)), "{other}");
        }
        assert!(matches!(error(&header(0x21, family, &rest[1..])), ProxyHeaderError::TooShort));
        assert!(matches!(error(&with(&[1])), ProxyHeaderError::Entry));
        assert!(matches!(error(&with(&[1, 0, 2, 0])), ProxyHeaderError::Entry));
        assert!(matches!(error(&with(&vec![0; MAX_REST])), ProxyHeaderError::TooLong(_)));
    }
}
