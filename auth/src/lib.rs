//! Who is asking? Credentials in, a [`Principal`] out. Knows nothing of modules, policies or stores.
//!
//! The walk, one file a step:
//!
//! 1. [`presented`] reads the `Authorization` header and chooses by the credential's *shape* who will judge it
//!    ([`Presented`]): an issued token, a JWT or a directory password. Nothing has been asked yet.
//! 2. [`Authenticator::authenticate`] asks that one authenticator and no other. The answer is a [`Principal`],
//!    a [`Rejection`] (401), or that nobody can tell now (503).
//! 3. Issued tokens ([`Token`] is their format) are judged by [`Tokens`], a view in memory of the [`Ledger`],
//!    which is a SQLite file that `modgate token` edits while the server runs.
//! 4. JWTs are judged by the [`Issuers`] that are configured, each with its keys ([`jwt`]). What was verified is remembered
//!    for a while by a keyed hash ([`memory`]).
//! 5. A login and a password are the [`Directory`]'s to judge (LDAP). What was right is remembered in the same way; for anything
//!    else a server must be asked, which [`Authenticator::inquire`] does. Failures at one account are slowed down
//!    before that ([`throttle`]).
//! 6. Client certificates were verified by the server's TLS; [`Certified`] is whose they are. They count where no credential
//!    was sent.
//! 7. A browser logs in at an issuer ([`Logins`]) and has a session from then on ([`Sessions`]), which counts for pages only.
//! 8. Who is somebody may get tokens of their own: by a device ([`Devices`]), by a browser ([`Codes`]), or by asking. A login's tokens
//!    are a [`Family`]. What became of their owners is asked again now and then ([`RollCall`]).
//!
//! Time and randomness are arguments everywhere. Secrets have no `Display` and no `Debug`, and the buffers that
//! held them are wiped. What is deliberately elsewhere: HTTP statuses (the pipeline), what a scope means (the
//! policy), where the ledger lies (the configuration).

mod authenticator;
mod certificate;
mod codes;
mod credential;
mod device;
mod directory;
mod family;
mod fetch;
mod issued;
mod jwt;
mod ledger;
mod login;
mod memory;
mod name;
mod principal;
mod rejection;
mod renewal;
mod seal;
mod secret;
mod session;
mod subject;
mod throttle;
mod token;
mod tokens;
mod whereabouts;

pub use authenticator::{Authenticator, Effort, Outcome};
pub use certificate::{CertificateError, Certified, NamePart, UnknownNamePart};
pub use codes::{CODE_BYTES, Challenge, ChallengeError, CodeError, Codes, Loopback, LoopbackError};
pub use credential::{Malformed, Presented, Scratch, presented};
pub use device::{Approved, Begun, DEVICE_BYTES, DeviceError, Devices, Pending, PollError, UserCode};
pub use directory::{
    Account, Directory, DirectorySettings, DnTemplate, FilterTemplate, Finding, GroupSettings, GroupsBy, LdapRefusal,
    LookUpError, LookedUp, Roots, RootsError, ServerUrl, ServerUrlError, TemplateError, Way, is_attribute,
};
pub use family::{FAMILY_BYTES, Family};
pub use fetch::{FetchError, Fetched, Fetcher, is_confidential, is_loopback};
pub use issued::{Grant, Issued, Kind, Purpose, Standing, Validity};
pub use jwt::{
    Algorithm, Alias, AliasError, ClaimPath, ClaimPathError, ClaimPattern, GroupName, Issuer, IssuerError,
    IssuerSettings, Issuers, KeyFile, KeyFileError, KeyNews, KeySource, KeyStanding, KeyState, KeysAt, Published,
    Reason, Refusal, Reread, SubjectTemplate, SubjectTemplateError, TextPattern, TextPatternError, TrustRule,
    UnknownAlgorithm, Unproved,
};
pub use ledger::{IssueError, Ledger, LedgerError, Lifetimes, REFRESH_GRACE, Rotated, RotationError};
pub use login::{Callback, ClientSecret, Fault, LOGIN_BYTES, LoggedIn, LoginError, LoginSettings, Logins};
pub use memory::MEMORY_KEY_BYTES;
pub use name::{Line, Name, NameError};
pub use principal::{Claim, Method, Principal};
pub use rejection::Rejection;
pub use renewal::{KeepError, LoginIssuer, Renewal, SealingBytes, Told};
pub use seal::{SEAL_BYTES, SEALING_BYTES, Seal, SealError};
pub use session::{SESSION_BYTES, Session, SessionSettings, Sessions};
pub use subject::{Group, Subject, SubjectError};
pub use token::{RANDOM_BYTES, Token, TokenDigest, TokenError, TokenId, TokenIdError, TokenText};
pub use tokens::{Change, ChangeKind, Known, Refreshed, Tokens};
pub use whereabouts::{Answer, Found, Presence, RollCall, Whereabouts};
