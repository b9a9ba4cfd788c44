//! Who may do what with which modules.
//!
//! The security team's files are Casbin's (`policies/model.conf` and CSV), so they can be read, checked and reviewed
//! with other tools; what they mean is what Casbin makes of them with that model. Casbin itself is not asked on the way
//! of a request, for it costs about a microsecond a rule and takes bad lines without a word. Instead:
//!
//! ```text
//! bytes --row--> cells --reader--> rules, role grants, errors with file and line
//!       --compiled--> Policy { roles, namespaces, index } --authorize--> Decision, and a Permit if it allows
//! ```
//!
//! * `row`, `subject`, `versions`, `note`, `columns`, `reader`, `model` read; all errors of all files come at once.
//! * `compiled`, `roles`, `namespace`, `trie`, `index` are the compiled form; `authorize`, `decision`, `permit`, `scope`
//!   the answer.
//! * `live` holds the policy in force and replaces it, never by a bad one; `widening` sees private paths made public.
//! * `lint`, `explain`, `cases`, `sample` serve `modgate policy`; `casbin` asks the casbin crate for a second opinion.
//!
//! What is deliberately elsewhere: who the caller is (`auth`), what a URL asks for (`goproxy`), and the texts of
//! refusals (`goproxy`). Source prefixes of the configuration that are not public make paths private too (invariant 5
//! of the design); the sources see to that themselves.

mod authorize;
mod casbin;
mod cases;
mod columns;
mod compiled;
mod decision;
mod explain;
mod fault;
mod index;
mod lint;
mod live;
mod model;
mod namespace;
mod note;
mod permit;
mod reader;
mod roles;
mod row;
mod rule;
mod sample;
mod scope;
mod subject;
mod trie;
mod versions;
mod widening;

pub use casbin::{Oracle, OracleError};
pub use cases::{Case, read_cases};
pub use compiled::{Policy, Request, Source};
pub use decision::{Decision, Effect};
pub use explain::{Considered, Explanation, Fate};
pub use fault::{PolicyError, PolicyErrors};
pub use live::{Live, ReloadError, ReloadOutcome};
pub use model::SHIPPED as SHIPPED_MODEL;
pub use namespace::Namespace;
pub use permit::{Authorization, Permit, Verdict};
pub use rule::{Action, Rule};
pub use sample::Question;
pub use scope::{Scope, ScopeError};
pub use widening::Widening;

/// `policies/policy.csv`.
pub const SHIPPED_POLICY: &str = include_str!("../../policies/policy.csv");
