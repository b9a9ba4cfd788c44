//! Many clients that take large zips slowly: no more is read from the store than they take.

use super::{ZIP, open};
use crate::{
    gateway::Gateway,
    upstream::{Reply, Upstream},
};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
};

/// What the whole process may take.
const MOST: u64 = 150 << 20;

/// A client that has read the head of its answer and a little more.
fn begin(gateway: &Gateway, length: usize) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", gateway.port())).unwrap();
    write!(stream, "GET {ZIP} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(head.starts_with("http/1.1 200") && head.contains(&format!("content-length: {length}\r\n")), "{head}");
    stream
}

#[test]
fn slow_clients_cost_little_memory() {
    let (clients, size) = if std::env::var_os("MODGATE_SOAK").is_some() { (64, 100 << 20) } else { (32, 20 << 20) };
    let upstream = Upstream::start();
    upstream.reply(ZIP, Reply::Parts([b"PK\x03\x04".to_vec().into(), vec![7; size].into(), Vec::new().into()]));
    let gateway = open(&upstream);
    let mut streams = (0..clients).map(|_| begin(&gateway, size + 4)).collect::<Vec<_>>();
    let (mut piece, mut left) = (vec![0; 256 << 10], vec![size + 4; clients]);
    // In turn, so that all of them are slow.
    while left.iter().any(|left| *left > 0) {
        for (stream, left) in streams.iter_mut().zip(&mut left) {
            let most = piece.len().min(*left);
            let read = stream.read(&mut piece[..most]).unwrap();
            assert!(read > 0 || *left == 0, "{left} bytes are missing");
            *left -= read;
        }
    }
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak = line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10;
    println!("{clients} clients of {} MiB each: at most {} MiB", size >> 20, peak >> 20);
    assert!(peak < MOST, "{peak} bytes");
}
