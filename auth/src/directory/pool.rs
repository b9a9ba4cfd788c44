//! The servers and the connections to them: which is asked first, and what is kept open.
//!
//! A server that could not be asked is put behind the others for a while, which doubles as long as it goes on. It is
//! never left out: while all fail, each login tries them all, so the first that comes back is found.
//!
//! Connections are of two kinds. Some are bound as the account that searches and stay so; on the others people's passwords are tried,
//! and nothing is searched for there as somebody else. A connection is used by one login at a time, and kept only
//! after everything went well on it. One that was kept may have been closed meanwhile: then the same server is tried once more.

use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::link::{Link, Trouble};
use super::roots::Roots;
use super::server::ServerUrl;
use super::settings::{Account, DirectorySettings};

/// How long a server is put behind the others, the first time and at most.
const ASIDE: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(60)];
/// How long a connection is kept without use. Servers close them after some minutes.
const IDLE: Duration = Duration::from_secs(60);
/// A password file is one line.
const LONGEST_PASSWORD: u64 = 1024;

/// All servers.
pub(super) struct Pool {
    servers: Vec<Server>,
    account: Option<Account>,
    roots: Roots,
    connect_timeout: Duration,
    timeout: Duration,
    kept: usize,
}

struct Server {
    url: ServerUrl,
    health: Mutex<Health>,
    /// By [`Kind`].
    idle: [Mutex<Vec<(Link, Instant)>>; 2],
}

#[derive(Clone, Copy, Default)]
struct Health {
    failures: u32,
    aside_until: Option<Instant>,
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Account,
    People,
}

/// Something to be asked, of any of the servers.
pub(super) trait Errand: Sync {
    /// What comes of it.
    type Found: Send;
    /// Asks one server. It may be asked again, of another one.
    fn run(&self, session: &mut Session<'_>) -> impl Future<Output = Result<Self::Found, Trouble>> + Send;
}

/// What one errand uses of one server.
pub(super) struct Session<'a> {
    pool: &'a Pool,
    server: &'a Server,
    account: Option<Link>,
    people: Option<Link>,
    /// Connections that were kept may be used.
    reuse: bool,
    reused: bool,
}

impl Pool {
    pub(super) fn new(settings: &DirectorySettings, roots: Roots) -> Self {
        let server = |url: &ServerUrl| Server { url: url.clone(), health: Mutex::default(), idle: Default::default() };
        Self {
            servers: settings.servers.iter().map(server).collect(),
            account: settings.account.clone(),
            roots,
            connect_timeout: settings.connect_timeout,
            timeout: settings.timeout,
            kept: settings.logins,
        }
    }

    #[cfg(test)]
    pub(super) fn roots(&self) -> Roots {
        self.roots.clone()
    }

    /// Runs an errand at the first server that can be asked.
    ///
    /// # Errors
    /// What was wrong with each of them.
    pub(super) async fn run<E: Errand>(&self, errand: &E) -> Result<E::Found, String> {
        let mut troubles = Vec::new();
        for server in self.in_order() {
            let mut reuse = true;
            let trouble = loop {
                let mut session = Session { pool: self, server, account: None, people: None, reuse, reused: false };
                match errand.run(&mut session).await {
                    Ok(found) => {
                        session.keep();
                        server.is_well();
                        return Ok(found);
                    }
                    Err(trouble) if trouble.lost && session.reused => reuse = false,
                    Err(trouble) => break trouble,
                }
            };
            server.is_ill(&trouble);
            troubles.push(format!("{}: {trouble}", server.url));
        }
        Err(troubles.join("; "))
    }

    /// As configured, but first those that are not set aside.
    fn in_order(&self) -> Vec<&Server> {
        let now = Instant::now();
        let mut servers: Vec<&Server> = self.servers.iter().collect();
        servers.sort_by_key(|server| server.health.lock().aside_until.filter(|until| *until > now));
        servers
    }
}

impl Server {
    fn is_well(&self) {
        let before = std::mem::take(&mut *self.health.lock());
        if before.failures > 0 {
            tracing::info!(server = %self.url, "the directory server answers again");
        }
    }

    fn is_ill(&self, trouble: &Trouble) {
        for idle in &self.idle {
            idle.lock().clear();
        }
        let mut health = self.health.lock();
        let [first, most] = ASIDE;
        let aside = first.saturating_mul(1 << health.failures.min(16)).min(most);
        let known = health.aside_until.is_some_and(|until| until > Instant::now());
        // Logins that failed together count once.
        if !known {
            health.failures = health.failures.saturating_add(1);
            health.aside_until = Some(Instant::now() + aside);
            tracing::warn!(server = %self.url, %trouble, ?aside, "a directory server cannot be asked");
        }
    }
}

impl Session<'_> {
    /// Whether there is an account that searches.
    pub(super) fn has_account(&self) -> bool {
        self.pool.account.is_some()
    }

    /// A connection that is bound as the account.
    pub(super) async fn account(&mut self) -> Result<&mut Link, Trouble> {
        if self.account.is_none() {
            let link = match self.kept(Kind::Account) {
                Some(link) => link,
                None => self.bound().await?,
            };
            self.account = Some(link);
        }
        self.account.as_mut().ok_or_else(|| Trouble::new("no connection"))
    }

    /// A connection for trying passwords.
    pub(super) async fn people(&mut self) -> Result<&mut Link, Trouble> {
        if self.people.is_none() {
            let link = match self.kept(Kind::People) {
                Some(link) => link,
                None => self.opened().await?,
            };
            self.people = Some(link);
        }
        self.people.as_mut().ok_or_else(|| Trouble::new("no connection"))
    }

    async fn opened(&self) -> Result<Link, Trouble> {
        let pool = self.pool;
        Link::open(&self.server.url, &pool.roots, pool.connect_timeout, pool.timeout).await
    }

    async fn bound(&self) -> Result<Link, Trouble> {
        let account = self.pool.account.clone().ok_or_else(|| Trouble::new("there is no account that searches"))?;
        let file = account.password_file;
        let read = tokio::task::spawn_blocking(move || read_password(&file)).await;
        let password = read.map_err(|_| Trouble::new("the password file: reading it panicked"))?;
        let password = password.map_err(|error| Trouble::new(format!("the password file: {error}")))?;
        let mut link = self.opened().await?;
        match link.bind(&account.dn, &password).await? {
            true => Ok(link),
            false => Err(Trouble::new(format!("`{}` is refused: wrong DN or password", account.dn))),
        }
    }

    fn kept(&mut self, kind: Kind) -> Option<Link> {
        let mut idle = self.server.idle(kind).lock();
        while let Some((mut link, since)) = idle.pop() {
            if self.reuse && since.elapsed() < IDLE && !link.is_closed() {
                self.reused = true;
                return Some(link);
            }
        }
        None
    }

    /// Keeps the connections for others.
    fn keep(self) {
        for (kind, link) in [(Kind::Account, self.account), (Kind::People, self.people)] {
            let Some(link) = link else { continue };
            let mut idle = self.server.idle(kind).lock();
            if idle.len() < self.pool.kept {
                idle.push((link, Instant::now()));
            }
        }
    }
}

impl Server {
    fn idle(&self, kind: Kind) -> &Mutex<Vec<(Link, Instant)>> {
        let [account, people] = &self.idle;
        if kind == Kind::Account { account } else { people }
    }
}

/// The password in a file: its content without the line end. Blocks.
pub(super) fn read_password(path: &std::path::Path) -> Result<Zeroizing<String>, String> {
    let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > LONGEST_PASSWORD {
        return Err(format!("it has {length} bytes"));
    }
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(|error| error.to_string())?);
    let password = text.strip_suffix('\n').unwrap_or(&text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() || password.contains(char::is_control) {
        return Err("it must have one line with the password".to_owned());
    }
    Ok(Zeroizing::new(password.to_owned()))
}
