//! Why the directory's password is not accepted.
//!
//! INVARIANT: an account that does not exist and a wrong password are told outside in the same words.

use std::time::Duration;

/// Why a login and a password are not accepted. None of it contains the login.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LdapRefusal {
    /// It cannot be anybody's login or password: too long, or with characters that cannot be seen.
    #[error("the login or the password cannot be one: {0}")]
    Login(&'static str),
    /// Nobody has this login.
    #[error("nobody has this login")]
    Unknown,
    /// The password is wrong, or the account is locked in the directory.
    #[error("the directory refuses the password")]
    Password,
    /// It failed too often of late.
    #[error("too many failures for this account; the next attempt is looked at in {} s", seconds(.0))]
    Throttled(Duration),
    /// The same, noticed only after the entry was found: the login was spelled in another way before. Told as a wrong
    /// password, since it would tell that there is an entry.
    #[error("too many failures for this entry, by several logins; the next attempt is looked at in {} s", seconds(.0))]
    ThrottledEntry(Duration),
    /// More than one entry matches.
    #[error("more than one entry matches the login")]
    Ambiguous,
    /// The right password, of an entry whose name cannot be one here.
    #[error("the entry's name cannot be used: {0}")]
    Name(String),
    /// The right password, and groups that cannot be told completely.
    #[error("the groups cannot be used: {0}")]
    Groups(String),
}

impl LdapRefusal {
    /// A stable code, for logs and records.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Login(_) => "ldap_login",
            Self::Unknown => "ldap_unknown",
            Self::Password => "ldap_password",
            Self::Throttled(_) | Self::ThrottledEntry(_) => "ldap_throttled",
            Self::Ambiguous => "ldap_ambiguous",
            Self::Name(_) => "ldap_name",
            Self::Groups(_) => "ldap_groups",
        }
    }

    /// The text for whoever sent it: two lines.
    pub fn outside(&self) -> String {
        match self {
            Self::Login(_) | Self::Unknown | Self::Password | Self::Ambiguous | Self::ThrottledEntry(_) => {
                "the login or the password is wrong\ncheck the line for this host in .netrc".to_owned()
            }
            Self::Throttled(wait) => {
                format!("too many wrong passwords were sent for this login\ncome back in {} s", seconds(wait))
            }
            Self::Name(_) | Self::Groups(_) => {
                "the password is right, but your entry in the directory cannot be used here\nask whoever runs this server: its log says why"
                    .to_owned()
            }
        }
    }
}

fn seconds(wait: &Duration) -> u64 {
    wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_wrong_are_told_in_the_same_words() {
        let same = [LdapRefusal::Unknown, LdapRefusal::Password, LdapRefusal::Ambiguous, LdapRefusal::Login("x")];
        for refusal in &same {
            assert_eq!(refusal.outside(), LdapRefusal::Password.outside());
        }
        let mut codes: Vec<_> = same.iter().map(LdapRefusal::code).collect();
        codes.dedup();
        assert_eq!(codes.len(), 4);
        assert!(LdapRefusal::Throttled(Duration::from_millis(1)).outside().ends_with("in 1 s"));
    }
}
