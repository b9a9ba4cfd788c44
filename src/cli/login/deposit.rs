//! Where a credential is put: the netrc file, or the wallet together with GOAUTH.

use crate::cli::authorization::bearer;
use crate::cli::gateway_choice;
use crate::cli::gateway_client::{GatewayClient, Whoami};
use crate::cli::gateway_url::GatewayUrl;
use crate::cli::go_env::{self, Change};
use crate::cli::goauth::setting;
use crate::cli::netrc::{NetrcFile, ownership};
use crate::cli::oauth::Granted;
use crate::cli::terminal::{self, Failure};
use crate::cli::wallet::{Held, Wallet};
use crate::cli::{audit::printable, go_credential};
use crate::config::Secret;
use crate::source::Environment;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Where it is to be put.
pub(super) enum Place {
    /// The netrc file.
    Netrc { path: PathBuf },
    /// The wallet, and the command for GOAUTH.
    Goauth { wallet: Wallet, command: String },
}

/// What was done; nothing secret.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub(super) struct Deposited {
    gateway: String,
    subject: String,
    /// `netrc` or `goauth`.
    way: &'static str,
    /// The netrc file.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// The name of the entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    machine: Option<String>,
    /// Lines of further entries of that name, which the go command does not use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shadowed: Vec<usize>,
    /// What became of GOAUTH.
    #[serde(skip_serializing_if = "Option::is_none")]
    goauth: Option<Change>,
    /// When somebody has to log in again at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
}

/// A token for the netrc file, as the gateway's interface answers.
#[derive(Deserialize)]
struct Created {
    token: String,
    expires: Option<Timestamp>,
}

/// A long-lived token.
pub(super) struct LongLived {
    pub(super) token: Secret,
    pub(super) expires: Option<Timestamp>,
}

/// Has a long-lived token issued.
pub(super) async fn long_lived(
    gateway: &GatewayClient,
    access: &Secret,
    scope: Option<&str>,
) -> Result<LongLived, Failure> {
    let mut wanted = serde_json::json!({ "note": note() });
    if let (Some(scope), Some(wanted)) = (scope, wanted.as_object_mut()) {
        wanted.insert("scope".to_owned(), scope.into());
    }
    let answer = gateway.post_json("api/v1/tokens", &bearer(access), &wanted).await?;
    let created: Created = gateway.success(answer)?.json(gateway.base())?;
    Ok(LongLived { token: Secret::of(created.token), expires: created.expires })
}

/// For whoever reads the list of tokens.
fn note() -> String {
    let named = std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME")).ok();
    let named = named.or_else(|| fs::read_to_string("/etc/hostname").ok());
    let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '_');
    match named.as_deref().map(str::trim).filter(|name| !name.is_empty() && name.len() <= 64 && name.chars().all(plain))
    {
        Some(name) => format!("modgate login on {name}"),
        None => "modgate login".to_owned(),
    }
}

/// Writes the entry of the netrc file.
pub(super) fn into_netrc(
    path: &Path,
    base: &GatewayUrl,
    login: &str,
    token: &Secret,
    who: &Whoami,
) -> Result<Deposited, Failure> {
    // Read anew: somebody may have changed it while the approval was waited for.
    let mut file = NetrcFile::read(path.to_owned()).map_err(|error| Failure::because(&error))?;
    let machine = machine(&file, base)?;
    file.netrc.set(&machine, login, token.expose()).map_err(Failure::new)?;
    file.write().map_err(|error| Failure::because(&error))?;
    let shadowed = file.netrc.named(&machine).skip(1).map(|entry| entry.line()).collect();
    Ok(Deposited {
        gateway: base.to_string(),
        subject: who.subject.clone(),
        way: "netrc",
        file: Some(file.path.display().to_string()),
        machine: Some(machine),
        shadowed,
        goauth: None,
        expires: who.expires,
    })
}

/// The name of the entry, if that can be the gateway's.
fn machine(file: &NetrcFile, base: &GatewayUrl) -> Result<String, Failure> {
    ownership::name(&file.netrc, base).map_err(|stranger| {
        let hint = format!(
            "to keep both, with go 1.24 and later: modgate login --goauth {base}, or a line of your own that begins with \
             `machine {}`; if it is an old one of the gateway, remove it",
            base.place()
        );
        Failure::new(format!("{}: {stranger}", file.path.display())).hint(hint)
    })
}

/// Keeps the refresh token, and has the go command ask `modgate goauth`. What was kept before comes back if that fails.
pub(super) fn into_wallet(
    wallet: &Wallet,
    base: &GatewayUrl,
    granted: Granted,
    command: &str,
    who: &Whoami,
    environment: &Environment,
) -> Result<Deposited, Failure> {
    if granted.refresh.is_none() {
        return Err(Failure::new("the gateway gave no refresh token, so --goauth would end with the first token"));
    }
    let locked = wallet.lock(base).map_err(|error| Failure::because(&error))?;
    let before = locked.read().ok().flatten();
    locked.write(&Held::of(granted, Timestamp::now())).map_err(|error| Failure::because(&error))?;
    let set = setting::with(&go_credential::setting_of(environment), base, command);
    let goauth = go_env::write(environment, "GOAUTH", Some(&set)).map_err(|failure| {
        let restored = before.map_or_else(|| locked.remove(), |before| locked.write(&before));
        let failure = failure.hint(format!("nothing was kept; once that works: modgate login --goauth {base}"));
        failure.and(restored.err().map(|error| Failure::because(&error)))
    })?;
    Ok(Deposited {
        gateway: base.to_string(),
        subject: who.subject.clone(),
        way: "goauth",
        file: None,
        machine: None,
        shadowed: Vec::new(),
        goauth: Some(goauth),
        expires: None,
    })
}

impl Place {
    /// The netrc file, if an entry can be written there.
    pub(super) fn netrc(base: &GatewayUrl) -> Result<Self, Failure> {
        let file = NetrcFile::of_process().map_err(|error| Failure::because(&error))?;
        machine(&file, base)?;
        file.check_writable().map_err(|error| Failure::because(&error))?;
        Ok(Self::Netrc { path: file.path })
    }

    /// The wallet and GOAUTH, if both can be written.
    pub(super) fn goauth(base: &GatewayUrl, roots: Option<&Path>, environment: &Environment) -> Result<Self, Failure> {
        if !base.is_https() {
            return Err(Failure::new("the go command asks its GOAUTH helper for https only"));
        }
        let roots = roots.map(fs::canonicalize).transpose()?;
        let program = go_env::own_name()?;
        let Some(command) = setting::ours(&program, base, roots.as_deref()) else {
            return Err(Failure::new(format!("GOAUTH cannot name the program `{program}`: move it to a plainer path")));
        };
        let wallet = Wallet::of_process().map_err(|error| Failure::because(&error))?;
        wallet.lock(base).and_then(|locked| locked.check_writable()).map_err(|error| Failure::because(&error))?;
        go_env::check_writable(environment, "GOAUTH")?;
        Ok(Self::Goauth { wallet, command })
    }
}

impl Deposited {
    /// With its end.
    pub(super) fn until(self, expires: Option<Timestamp>) -> Self {
        Self { expires, ..self }
    }

    /// Tells the person, on stderr.
    pub(super) fn tell(&self, environment: &Environment) {
        let mut lines = vec![format!("logged in at {} as {}", self.gateway, printable(&self.subject))];
        if let (Some(file), Some(machine)) = (&self.file, &self.machine) {
            lines.push(format!("the token is in {file}, as `machine {machine}`"));
        }
        lines.extend(self.goauth.as_ref().map(ToString::to_string));
        lines.extend(self.expires.map(|expires| format!("it is good until {expires}")));
        // If stderr is gone, nobody is there to be told.
        let _ = writeln!(io::stderr(), "{}", lines.join("\n"));
        for line in &self.shadowed {
            terminal::warn(
                format!("line {line} is a further entry of this machine"),
                Some("the go command uses the first: remove the others"),
            );
        }
        if self.gateway.starts_with("http://") {
            terminal::warn("the go command sends no credential over http", Some("use the gateway's https URL"));
        }
        if let Some(hint) = self.goproxy(environment) {
            let _ = writeln!(io::stderr(), "{hint}");
        }
    }

    /// The line that leads the go command to the gateway, if nothing does yet.
    fn goproxy(&self, environment: &Environment) -> Option<String> {
        let set = gateway_choice::goproxy(environment);
        let leads = gateway_choice::entries(&set).any(|base| base.as_str() == self.gateway);
        let line = go_env::line(environment, "GOPROXY", Some(&self.gateway));
        (!leads).then(|| format!("GOPROXY does not lead there yet:\n    {line}"))
    }
}
