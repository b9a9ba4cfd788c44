//! Listening sockets: one for each worker on the same address, so that the kernel spreads connections over them.

use super::ServerError;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// Whether several sockets can share an address and its connections.
pub(super) const SHARED: bool = cfg!(target_os = "linux");

/// Opens `count` sockets on `address` (one where they cannot be shared), and says which address it is.
///
/// INVARIANT: an address that another process listens on is refused, also if that process shares it: the first socket
/// is opened alone, without the option that sharing takes from both sides.
pub(super) fn open(address: SocketAddr, count: usize) -> Result<(Vec<TcpListener>, SocketAddr), ServerError> {
    let error = |cause: io::Error| match cause.kind() {
        io::ErrorKind::AddrInUse => ServerError::Busy { address },
        _ => ServerError::Listen { address, cause },
    };
    let alone = bind(address, false).map_err(error)?;
    if !SHARED || count == 1 {
        let address = alone.local_addr().map_err(error)?;
        return Ok((vec![alone], address));
    }
    drop(alone);
    let first = bind(address, true).map_err(error)?;
    let address = first.local_addr().map_err(error)?;
    let mut sockets = vec![first];
    while sockets.len() < count {
        sockets.push(bind(address, true).map_err(error)?);
    }
    Ok((sockets, address))
}

fn bind(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    #[cfg(target_os = "linux")]
    socket.set_reuse_port(shared)?;
    #[cfg(not(target_os = "linux"))]
    let _ = shared;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    #[test]
    fn all_sockets_have_one_address() {
        let (sockets, address) = open(any(), 3).unwrap();
        assert_eq!(sockets.len(), if SHARED { 3 } else { 1 });
        assert_ne!(address.port(), 0);
        assert!(sockets.iter().all(|socket| socket.local_addr().unwrap() == address));
    }

    #[test]
    fn an_address_in_use_is_refused_even_if_it_is_shared() {
        for count in [1, 2] {
            let (_sockets, address) = open(any(), count).unwrap();
            let error = open(address, 2).unwrap_err();
            assert!(matches!(error, ServerError::Busy { .. }), "{error}");
            assert!(error.hint().unwrap().contains("--listen 127.0.0.1:"));
        }
    }
}
