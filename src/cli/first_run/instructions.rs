//! What a person is told after the first start: lines to paste, with nothing left to fill in.

use super::{Development, FirstToken};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;

/// All that the lines are made of.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Instructions<'i> {
    /// Where the server listens.
    pub(in crate::cli) address: SocketAddr,
    /// Where its data is.
    pub(in crate::cli) data: &'i Path,
    /// The certificate; `None`: plain HTTP, or a certificate that clients trust already.
    pub(in crate::cli) development: Option<&'i Development>,
    /// The first token.
    pub(in crate::cli) token: Option<&'i FirstToken>,
    /// A person is reading, so the token may be shown.
    pub(in crate::cli) terminal: bool,
}

impl Instructions<'_> {
    /// Writes them.
    pub(in crate::cli) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let host = format!("localhost:{}", self.address.port());
        writeln!(out, "modgate listens on {} and keeps its data in {}", self.address, self.data.display())?;
        let Some(development) = self.development else {
            return out.flush();
        };

        writeln!(out, "\n# The go command's part. In a shell:")?;
        writeln!(out, "export GOPROXY=https://{host}")?;
        writeln!(out, "export SSL_CERT_FILE={}", shell(&development.bundle))?;
        trust(out, development)?;
        self.credentials(out, &host)?;
        writeln!(
            out,
            "\n# If GOPRIVATE is set, the go command bypasses modgate for those modules. Keep it from that by\n\
             export GONOPROXY=none\n\
             # or set GONOSUMDB to the same patterns in place of GOPRIVATE. GOFLAGS and GOSUMDB stay as they are."
        )?;
        out.flush()
    }

    fn credentials(&self, out: &mut dyn Write, host: &str) -> io::Result<()> {
        let Some(token) = self.token else {
            writeln!(out, "\n# A token for the netrc file, with the port in its line:")?;
            writeln!(out, "#   modgate token create")?;
            return writeln!(out, "#   machine {host} login modgate password TOKEN");
        };
        writeln!(out, "\n# The token, with the port in its line, into the netrc file:")?;
        match &token.issued {
            // Behind a `#`, for whoever pastes all of it into a shell.
            Some(issued) if self.terminal => writeln!(out, "#   machine {host} login modgate password {issued}")?,
            _ => {}
        }
        let file = shell(&token.file);
        if cfg!(windows) {
            writeln!(out, "# into %USERPROFILE%\\_netrc; the token is in {file}")
        } else {
            writeln!(
                out,
                "printf 'machine {host} login modgate password %s\\n' \"$(cat {file})\" >> ~/.netrc && chmod 600 ~/.netrc"
            )
        }
    }
}

/// macOS and Windows have no SSL_CERT_FILE for the go command: there the authority goes into the system's store.
fn trust(out: &mut dyn Write, development: &Development) -> io::Result<()> {
    let authority = &development.authority;
    writeln!(out, "# macOS and Windows ignore SSL_CERT_FILE. There, instead:")?;
    writeln!(
        out,
        "#   macOS:   security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db {}",
        shell(authority)
    )?;
    writeln!(out, "#   Windows: certutil -user -addstore Root \"{}\"", authority.display())
}

/// A path as one word of a shell.
fn shell(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,@:".contains(&byte);
    if text.bytes().all(plain) { text.into_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
