//! Acts of people on the pages, for the journal: who did what, from where.
//!
//! INVARIANT (record before effect): an act is kept before it has its effect, and has none where it cannot be kept.

use super::{Desk, Refused, Visitor};
use crate::{
    audit::{Act, Kind, Record},
    error::{self, RequestError},
};
use auth::Principal;

impl Desk {
    /// Keeps an act of somebody.
    ///
    /// # Errors
    /// 503 if it cannot be kept; then it must not be done.
    pub(super) fn act(
        &self,
        visitor: &Visitor,
        who: &Principal,
        name: &str,
        detail: &str,
        reason: Option<&str>,
    ) -> Result<(), Refused> {
        let record = Record {
            request: &visitor.request,
            groups: &who.groups,
            method: who.method.as_str(),
            token: who.token_id.as_deref(),
            client: visitor.client,
            reason,
            act: Some(Act { name, detail: detail.as_bytes() }),
            ..Record::new(visitor.now, Kind::Act, &who.subject)
        };
        self.grants.journal.append(&record).map_err(|error| {
            let text = "the audit record of this could not be kept, so it was not done\ntry again; if it lasts, tell the operators";
            RequestError::new(error::Kind::Unrecorded, text).because(error).into()
        })
    }
}
