//! Running directory servers: OpenLDAP's slapd on free loopback ports, with TLS by an authority of the tests' own, people, groups
//! that contain one another (in a circle, too), and memberOf kept by the server. They end with the test.

use crate::{
    gateway::{await_port, await_that, free_port},
    process::Process,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};
use tempfile::TempDir;

/// The suffix.
pub(crate) const SUFFIX: &str = "dc=corp,dc=example";
/// The password of the account that searches.
const ACCOUNT_PASSWORD: &str = "searching is my trade";

/// Who is there; the password of `uid=Alice` is `alice's-secret`.
const PEOPLE: &str = include_str!("directory/people.ldif");
/// Whose member they are.
const GROUPS: &str = include_str!("directory/groups.ldif");

/// An authority, the account's password, and as many servers with the same content as a test starts.
pub(crate) struct Office {
    directory: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

/// A running server.
pub(crate) struct DirectoryServer {
    process: Process,
    ldap: u16,
    ldaps: u16,
    written: Arc<Mutex<String>>,
    _directory: TempDir,
}

impl Office {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(directory.path().join("ca.pem"), authority.pem()).unwrap();
        fs::write(directory.path().join("account-password"), format!("{ACCOUNT_PASSWORD}\n")).unwrap();
        Self { directory, authority }
    }

    /// The authority's certificate.
    pub(crate) fn roots(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// The file with the account's password.
    pub(crate) fn password_file(&self) -> PathBuf {
        self.directory.path().join("account-password")
    }

    /// The table of the configuration: search, then bind; groups by memberOf.
    pub(crate) fn config(&self, servers: &[String]) -> String {
        format!(
            "[ldap]\nservers = {servers:?}\nroots = {:?}\nbind_dn = \"cn=modgate,{SUFFIX}\"\nbind_password_file = {:?}\n\
             base = \"ou=people,{SUFFIX}\"\n",
            self.roots(),
            self.password_file()
        )
    }

    /// The table of the configuration for people who are found by a template and read their own entry.
    pub(crate) fn template_config(&self, server: &DirectoryServer) -> String {
        format!(
            "[ldap]\nservers = [{:?}]\nroots = {:?}\ndn_template = \"uid={{login}},ou=people,{SUFFIX}\"\n",
            server.ldaps(),
            self.roots()
        )
    }

    /// Starts a server with everybody in it.
    pub(crate) fn server(&self) -> DirectoryServer {
        self.server_at(free_port(), free_port())
    }

    /// Starts a server at these ports.
    pub(crate) fn server_at(&self, ldap: u16, ldaps: u16) -> DirectoryServer {
        let directory = TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name);
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        fs::write(path("certificate.pem"), certificate.pem()).unwrap();
        fs::write(path("key.pem"), key.serialize_pem()).unwrap();
        fs::create_dir(path("database")).unwrap();
        fs::write(path("slapd.conf"), configuration(directory.path(), &self.roots())).unwrap();
        let mut command = Command::new("slapd");
        // 256: connections, operations and results, without passwords. It also stays in the foreground.
        command.arg("-f").arg(path("slapd.conf")).args(["-d", "256", "-h"]);
        command.arg(format!("ldap://127.0.0.1:{ldap}/ ldaps://127.0.0.1:{ldaps}/"));
        command.env("PATH", concat_path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = Process::from(command.spawn().expect("`slapd` is needed: apt-get install slapd ldap-utils"));
        let written = Arc::new(Mutex::new(String::new()));
        let (into, stderr) = (Arc::clone(&written), process.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                into.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        let server = DirectoryServer { process, ldap, ldaps, written, _directory: directory };
        await_port(ldap);
        server.change(&PEOPLE.replace("ACCOUNT_PASSWORD", ACCOUNT_PASSWORD));
        server.change(GROUPS);
        server
    }
}

impl DirectoryServer {
    /// Its address for TLS from the first byte.
    pub(crate) fn ldaps(&self) -> String {
        format!("ldaps://localhost:{}", self.ldaps)
    }

    /// Its address for StartTLS, or for clear text.
    pub(crate) fn ldap(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.ldap)
    }

    /// Its ports: clear and TLS.
    pub(crate) fn ports(&self) -> (u16, u16) {
        (self.ldap, self.ldaps)
    }

    /// Adds and changes entries (LDIF), as its administrator.
    pub(crate) fn change(&self, ldif: &str) {
        let mut command = Command::new("ldapmodify");
        command.args(["-a", "-x", "-H", &self.ldap(), "-D", &format!("cn=admin,{SUFFIX}"), "-w", "admin"]);
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("`ldapmodify` is needed: apt-get install ldap-utils");
        process.stdin.take().unwrap().write_all(ldif.as_bytes()).unwrap();
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Its log up to this moment: one line for each operation and each result, without what the tests themselves ask.
    pub(crate) fn log(&self) -> String {
        static MARKS: AtomicU32 = AtomicU32::new(0);
        // What was answered before this was logged before this; the pipe may be behind.
        let mark = format!("cn=mark-{}-", MARKS.fetch_add(1, Ordering::Relaxed));
        let mut command = Command::new("ldapsearch");
        command.args(["-x", "-H", &self.ldap(), "-s", "base", "-b", &format!("{mark},{SUFFIX}")]);
        command.output().expect("`ldapsearch` is needed: apt-get install ldap-utils");
        await_that("the log of slapd", || self.written.lock().unwrap().contains(&mark));
        let ours = |line: &&str| line.contains("cn=mark-") || line.contains("cn=admin,") || line.contains(" dn=\"\"");
        let written = self.written.lock().unwrap();
        written.lines().filter(|line| !ours(line)).map(|line| format!("{line}\n")).collect()
    }

    /// How many times a password was tried with an entry whose DN contains this text.
    pub(crate) fn binds(&self, dn: &str) -> usize {
        let is_bind = |line: &&str| line.contains(" BIND dn=") && line.contains("method=128") && line.contains(dn);
        self.log().lines().filter(is_bind).count()
    }

    /// Sends it a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.process.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        await_that("the port to be free", || std::net::TcpStream::connect(("127.0.0.1", self.ldap)).is_err());
    }
}

impl Drop for DirectoryServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- log of slapd\n{}", self.written.lock().unwrap());
        }
    }
}

/// Debian has slapd where only root looks.
fn concat_path() -> String {
    format!("{}:/usr/sbin:/usr/local/sbin", std::env::var("PATH").unwrap_or_default())
}

fn configuration(directory: &Path, roots: &Path) -> String {
    let schema = |name: &str| format!("include /etc/ldap/schema/{name}.schema\n");
    let schemas: String = ["core", "cosine", "inetorgperson"].map(schema).concat();
    let shown = |name: &str| directory.join(name).display().to_string();
    format!(
        "{schemas}modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload memberof\n\
         TLSCACertificateFile {roots}\nTLSCertificateFile {certificate}\nTLSCertificateKeyFile {key}\n\
         database mdb\nsuffix {SUFFIX}\nrootdn cn=admin,{SUFFIX}\nrootpw admin\ndirectory {database}\nmaxsize 67108864\n\
         dbnosync\noverlay memberof\n\
         access to attrs=userPassword by anonymous auth by * none\n\
         access to * by dn.exact=\"cn=modgate,{SUFFIX}\" read by users read by * none\n",
        roots = roots.display(),
        certificate = shown("certificate.pem"),
        key = shown("key.pem"),
        database = shown("database"),
    )
}
