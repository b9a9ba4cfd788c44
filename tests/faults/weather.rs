//! A TCP proxy in front of an upstream that fails like a network does. The weather may change at any time, and holds for
//! connections that are open too.

use crate::dice::Dice;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    time::timeout,
};

/// What happens to the bytes of an upstream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Weather {
    /// Nothing.
    Fair,
    /// They come later.
    Late,
    /// They come in small pieces with pauses.
    Drip,
    /// The connection is reset somewhere in them.
    Reset,
    /// They end in good order, and too early.
    Cut,
    /// They never come.
    Silent,
    /// Reset or not, each time anew.
    Flapping,
    /// The upstream says 503.
    Errors,
}

impl Weather {
    pub(super) const ALL: [Self; 8] =
        [Self::Fair, Self::Late, Self::Drip, Self::Reset, Self::Cut, Self::Silent, Self::Flapping, Self::Errors];
}

/// Starts a proxy to a loopback port; its own port.
pub(super) async fn start(upstream: u16, weather: watch::Receiver<Weather>, seed: u64) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let dice = Arc::new(Mutex::new(Dice::new(seed)));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (weather, dice) = (weather.clone(), dice.clone());
            tokio::spawn(async move {
                let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)).await else { return };
                let (mut client_read, client_write) = client.into_split();
                let (server_read, mut server_write) = server.into_split();
                let asking = tokio::io::copy(&mut client_read, &mut server_write);
                let answering = answer(server_read, client_write, weather, &dice);
                // Whichever ends first ends the connection.
                tokio::select! {
                    _ = asking => {}
                    end = answering => {
                        if end == Some(End::Reset) {
                            let whole = client_read.as_ref();
                            let _ = socket2::SockRef::from(whole).set_linger(Some(Duration::ZERO));
                        }
                    }
                }
            });
        }
    });
    port
}

#[derive(PartialEq, Eq)]
enum End {
    Reset,
    Closed,
}

/// Passes on what the upstream says, as the weather permits.
async fn answer(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
    dice: &Mutex<Dice>,
) -> Option<End> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = from.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        let bytes = &buffer[..read];
        let (chance, part) = {
            let mut dice = dice.lock().unwrap();
            (dice.below(100), dice.below(read))
        };
        let now = *weather.borrow();
        match now {
            Weather::Fair | Weather::Errors => to.write_all(bytes).await.ok()?,
            Weather::Late => {
                lasting(now, &mut weather, Duration::from_millis(20 + chance as u64)).await;
                to.write_all(bytes).await.ok()?;
            }
            Weather::Drip => {
                for piece in bytes.chunks(1 + read / 16) {
                    lasting(now, &mut weather, Duration::from_millis(10)).await;
                    to.write_all(piece).await.ok()?;
                }
            }
            Weather::Flapping if chance < 50 => to.write_all(bytes).await.ok()?,
            Weather::Reset | Weather::Flapping => {
                to.write_all(&bytes[..part]).await.ok()?;
                return Some(End::Reset);
            }
            Weather::Cut => {
                to.write_all(&bytes[..part]).await.ok()?;
                to.shutdown().await.ok()?;
                return Some(End::Closed);
            }
            Weather::Silent => {
                let _ = weather.wait_for(|weather| *weather != Weather::Silent).await;
                return Some(End::Reset);
            }
        }
    }
}

/// Holds something up for so long, if the weather lasts.
async fn lasting(now: Weather, weather: &mut watch::Receiver<Weather>, delay: Duration) {
    let _ = timeout(delay, weather.wait_for(|weather| *weather != now)).await;
}
