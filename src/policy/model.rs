//! The Casbin model: one and the same for every policy.
//!
//! The compiled index means what this model says and nothing else, so a changed model is refused, with the difference
//! shown, instead of being ignored. Blank lines, comments and the amount of blanks do not count.
use super::{
    compiled::Source,
    fault::{Fault, PolicyError},
};

/// `policies/model.conf`.
pub const SHIPPED: &str = include_str!("../../policies/model.conf");

/// What differs from the shipped model, line by line.
pub(super) fn check(model: &Source) -> Vec<PolicyError> {
    let Ok(text) = str::from_utf8(&model.content) else {
        return vec![Fault::new("the model is not UTF-8").at(&model.name, 1)];
    };
    let shipped = statements(SHIPPED);
    let found = statements(text);
    let missing = shipped.iter().filter(|(_, own)| !found.iter().any(|(_, other)| own == other));
    let added = found.iter().filter(|(_, own)| !shipped.iter().any(|(_, other)| own == other));
    let mut errors: Vec<PolicyError> = added
        .map(|(line, text)| Fault::new(format!("not in the shipped model: `{text}`")).at(&model.name, *line))
        .collect();
    errors.extend(missing.map(|(_, text)| PolicyError {
        line: None,
        ..Fault::new(format!("missing from the model: `{text}`")).at(&model.name, 1)
    }));
    let same_order = shipped.iter().map(|(_, text)| text).eq(found.iter().map(|(_, text)| text));
    if errors.is_empty() && !same_order {
        errors.push(Fault::new("the model's lines are repeated or in another order").at(&model.name, 1));
    }
    if let Some(first) = errors.first_mut() {
        first.hint = Some("only the shipped model is supported: copy policies/model.conf".into());
    }
    errors
}

/// The lines that say something, their blanks evened out.
fn statements(text: &str) -> Vec<(u32, String)> {
    (1..)
        .zip(text.lines())
        .map(|(number, line)| (number, line.split_whitespace().collect::<Vec<_>>().join(" ")))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with(['#', ';']))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differences(text: &str) -> Vec<String> {
        check(&Source::new("m.conf", text)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn layout_and_comments_do_not_count() {
        let spaced = SHIPPED.replace(" = ", "  =   ").replace('\n', "\r\n\r\n# c\r\n");
        assert_eq!(differences(&spaced), Vec::<String>::new());
    }

    #[test]
    fn shows_what_differs() {
        let changed = SHIPPED.replace("r.day <= p.until", "true");
        let found = differences(&changed);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("m.conf:11: not in the shipped model: `m = "), "{found:?}");
        assert!(found[1].contains("missing from the model: `m = "), "{found:?}");
        assert_eq!(differences("").len(), 11);
        assert_eq!(differences(&format!("{SHIPPED}\n{SHIPPED}")).len(), 1);
    }
}
