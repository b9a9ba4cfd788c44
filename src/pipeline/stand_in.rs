//! Somebody in whose name a trial asks (`modgate try --as`): a policy can be tried without the credential of those whom
//! it speaks of.
//!
//! INVARIANT: a server has no stand-in. It is handed in with the surroundings, and only `modgate try` does, for a
//! gateway that listens on loopback and ends with the command it runs. No configuration can name one.

use auth::{Method, Principal};
use std::sync::Arc;

/// Who asks in a trial, whoever it is.
#[derive(Clone, Debug)]
pub struct StandIn {
    /// As the policy is to see them.
    pub principal: Arc<Principal>,
    /// Also those who send no credential: the client of the trial cannot send any.
    pub without_credential: bool,
}

impl StandIn {
    /// Who asks, after somebody proved to be `proved`. A credential that was not accepted never comes here.
    pub(super) fn of(stand_in: Option<&Self>, proved: Arc<Principal>) -> Arc<Principal> {
        match stand_in {
            Some(stand_in) if stand_in.without_credential || proved.method != Method::Anonymous => {
                Arc::clone(&stand_in.principal)
            }
            _ => proved,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn somebody(subject: &str) -> Arc<Principal> {
        Arc::new(Principal { subject: subject.into(), method: Method::Token, ..Principal::anonymous() })
    }

    #[test]
    fn only_those_who_were_let_in_are_stood_in_for() {
        let nobody = Arc::new(Principal::anonymous());
        let stand_in = StandIn { principal: somebody("user:corp/alice"), without_credential: false };
        assert_eq!(StandIn::of(Some(&stand_in), somebody("user:token/try")), stand_in.principal);
        assert_eq!(StandIn::of(Some(&stand_in), Arc::clone(&nobody)), nobody);
        let open = StandIn { without_credential: true, ..stand_in };
        assert_eq!(StandIn::of(Some(&open), nobody), open.principal);
    }

    #[test]
    fn without_one_everybody_is_who_they_are() {
        assert_eq!(StandIn::of(None, somebody("user:token/alice")).subject, "user:token/alice".into());
    }
}
