//! Makes a policy of a realistic mix: private namespaces, roles of teams and people who hold them, bans by version and by
//! name. One row in ten denies. The person who drives the load may read all of [`crate::forge`]'s modules, by a
//! role that is held through a group.

use crate::{forge::module_path, numbers::Numbers};
use std::fmt::Write;

/// Teams, each with a role and a group.
const TEAMS: u64 = 50;

/// Rows with `p`, and what belongs to them; `person` is the name in the driving token.
pub(crate) fn policy(rules: usize, person: &str) -> String {
    let mut numbers = Numbers::seeded(4);
    let mut text = String::from("# A policy of the load program's own.\n");
    for namespace in ["corp.example/*", "github.com/corp/*", "forge.corp.example", "*.internal.example"] {
        line(&mut text, format_args!("p2, {namespace}, private, -"));
    }
    line(&mut text, format_args!("p, role:load, public, *, read, allow, -, id=load"));
    for row in 1..rules {
        line(&mut text, format_args!("{}", rule(row, &mut numbers)));
    }
    for team in 0..TEAMS {
        line(&mut text, format_args!("g, group:token/team{team}, role:team{team}"));
        line(&mut text, format_args!("g, user:token/lead{team}, role:team{}", (team + 1) % TEAMS));
    }
    line(&mut text, format_args!("g, user:token/{person}, role:team0"));
    line(&mut text, format_args!("g, user:token/{person}, role:load"));
    text
}

fn rule(row: usize, numbers: &mut Numbers) -> String {
    let (team, number) = (numbers.below(TEAMS), numbers.below(400));
    match row % 20 {
        0 => format!("p, authenticated, github.com/evil{row}/*, *, *, deny, -, \"id=MAL-{row}; reason=malware\""),
        // Bans of single versions that nobody asks for, of modules that are asked for.
        10 => {
            let module = module_path(row % 50);
            format!("p, authenticated, {module}, =v0.{number}.0, read, deny, -, \"id=CVE-{row}; reason=fixed\"")
        }
        5 => format!("p, role:team{team}, corp.example/area{number}, >=v1.0.0, read, warn, -, id=warn-{row}"),
        1 | 11 => format!("p, role:team{team}, corp.example/area{number}/*, *, read, allow, -, -"),
        2 | 12 => format!("p, role:team{team}, github.com/corp/area{number}, *, write, allow, -, -"),
        3 => format!("p, group:token/team{team}, forge.corp.example/g{number}, *, read, allow, -, -"),
        4 => format!("p, user:token/guest{number}, github.com/org{number}/*, <v2.0.0, read, allow, 2099-12-31, -"),
        _ => format!("p, role:team{team}, github.com/org{number}/project{row}, *, read, allow, -, -"),
    }
}

fn line(text: &mut String, row: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{row}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_in_ten_denies() {
        let text = policy(1_000, "load");
        let rows = |part: &str| text.lines().filter(|line| line.starts_with("p, ") && line.contains(part)).count();
        assert_eq!(rows(""), 1_000);
        assert!((90..=100).contains(&rows(", deny, ")), "{}", rows(", deny, "));
    }
}
