//! A directory with one person, who is asked once and remembered then. It speaks just enough of LDAP for that (RFC 4511).

use auth::{
    Authenticator, Directory, DirectorySettings, DnTemplate, Effort, Finding, GroupSettings, GroupsBy, Issuers, Ledger,
    Outcome, Presented, Roots, Scratch, ServerUrl, Tokens,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use std::error::Error;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const LOGIN: &str = "alice";
const PASSWORD: &str = "correct horse battery staple";

/// Basic header to principal; login and password to principal.
pub(super) fn figures(directory: &Path) -> Result<[String; 2], Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let server = format!("ldap://{}", listener.local_addr()?);
    std::thread::spawn(move || listener.incoming().flatten().try_for_each(answer));
    // The certificates are of no use in clear, but a file must have one.
    let people = Arc::new(Directory::new(settings(&server)?, Roots::read(None)?, &[7; 32]));
    let tokens = Tokens::over(Ledger::open_or_create(&directory.join("people.db"))?)?;
    let issuers = Issuers::new(Vec::new(), &[0; 32]);
    let authenticator = Authenticator::new(tokens.into(), issuers.into(), Some(people));
    let now = Timestamp::now();
    let presented = Presented::Password { login: LOGIN, password: PASSWORD };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let asked = authenticator.inquire(&presented, IpAddr::V4(Ipv4Addr::LOCALHOST), now, runtime.handle());
    let asked = runtime.block_on(asked);
    if !matches!(asked, Outcome::Authenticated(_)) {
        return Err(format!("the password is not accepted: {asked:?}").into());
    }
    let judge = |presented: &Presented<'_>| authenticator.authenticate(presented, Effort::Full, now);
    if !matches!(judge(&presented), Outcome::Authenticated(_)) {
        return Err("the password is not remembered".into());
    }
    let header = format!("Basic {}", STANDARD.encode(format!("{LOGIN}:{PASSWORD}")));
    Ok([
        super::rounds(|| {
            let mut scratch = Scratch::new();
            let presented = auth::presented([black_box(header.as_bytes())], &mut scratch);
            black_box(presented.map(|presented| judge(&presented))).ok();
        }),
        super::rounds(|| {
            black_box(judge(black_box(&presented)));
        }),
    ])
}

fn settings(server: &str) -> Result<DirectorySettings, Box<dyn Error>> {
    Ok(DirectorySettings {
        servers: vec![ServerUrl::parse(server, false)?],
        roots: None,
        account: None,
        finding: Finding::Template(DnTemplate::parse("uid={login},ou=people,dc=corp")?),
        name_attribute: "uid".to_owned(),
        groups: GroupSettings { by: GroupsBy::Nothing, name_attribute: "cn".to_owned(), depth: 0, most: 1 },
        connect_timeout: Duration::from_secs(5),
        timeout: Duration::from_secs(5),
        logins: 1,
        remember: Duration::from_secs(300),
        remember_down: Duration::from_secs(300),
    })
}

/// Lets everybody in, who all are alice.
fn answer(mut connection: TcpStream) -> std::io::Result<()> {
    loop {
        let [_, length, _, _, id, operation] = read(&mut connection)?;
        let mut rest = vec![0; usize::from(length).saturating_sub(4)];
        connection.read_exact(&mut rest)?;
        let success = |tag: u8| [0x30, 0x0c, 0x02, 0x01, id, tag, 0x07, 0x0a, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00];
        match operation {
            0x60 => connection.write_all(&success(0x61))?,
            0x63 => {
                let attribute = [&[0x30, 0x0e, 0x04, 0x03][..], b"uid", &[0x31, 0x07, 0x04, 0x05], b"alice"].concat();
                let entry = [&[0x64, 0x18, 0x04, 0x04][..], b"dc=x", &[0x30, 0x10], &attribute].concat();
                connection.write_all(&[&[0x30, 0x1d, 0x02, 0x01, id], &*entry].concat())?;
                connection.write_all(&success(0x65))?;
            }
            _ => return Ok(()),
        }
    }
}

fn read(connection: &mut TcpStream) -> std::io::Result<[u8; 6]> {
    let mut head = [0; 6];
    connection.read_exact(&mut head)?;
    Ok(head)
}
